"""What the study page says of ordering, and what we make of it, for the evidence table of notebook 05."""

from shop.verdicts import Claim

ORDERING = {
    "C6.2": Claim("ordering guarantees are a challenge", "right", "RabbitMQ and Kafka: open one door at a time"),
    "Q5.1": Claim(
        "Kafka and similar ensure order within each partition",
        "imprecise: for one producer with idempotence or one in flight, a stable key map, and one event at a time behind the poll",
        "Kafka: `enable.idempotence=false` and a cut link; `--alter --partitions 4`",
    ),
    "Q5.2": Claim(
        "keep a version number, process sequentially",
        "imprecise: gap-free, per key, given by the writer; then wait, skip or ask; a lost tail leaves no gap",
        "any broker: drop one event of a hundred before it",
    ),
    "Q5.3": Claim(
        "a global ordering service assigns sequence numbers",
        "imprecise: one node's speed and one node's failover; rarely needed",
        "Kafka: 1 partition against 16, kill a leader",
    ),
    "Q5.4": Claim(
        "deduplicate by event id to discard out-of-order duplicates",
        "wrong: an id says *seen before*, never *too late*",
        "any broker: publish version 2, then 1, each with an id of its own",
    ),
}
