"""What the study page says of ordering, and what we make of it: the evidence table and the predictions of notebook 05."""

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

GAPLESS = "a hole would have to show it, and the last step of an order leaves none behind it"
WHY: dict[str, dict[object, str]] = {  # what would have to be so for a wrong prediction, for each question
    "door": {
        "producer-retry": "losses would have to be far more frequent",
        "redelivery": "far more than one in a hundred would have to fail, and what comes back would have to wait",
        "retry-topic": "far more than one event in a hundred would have to go there",
    },
    "in flight": {
        "0, 100, 400": "each loss would have to make four late",
        "0, 50, 100": "every other loss would have to find nobody behind it, with two under way",
    },
    "keys": {
        0: "that is order-42 alone: it stays on 0",
        25: "that is consistent hashing",
        100: "both remainders agree for one key in four",
    },
    "threads": {
        "slow and right": "one thread would have to get nearly all keys",
        "fast and wrong": "two threads would have to share a key",
    },
    "ids": {
        "none": "an id would have to know of time",
        "half": "half of the late events would have to have an id that was seen",
    },
    "steps": {
        "none": "no step would have to come twice",
        "version": "a late step would have to count for nothing",
    },
    "quiet": dict.fromkeys(("wait", "skip", "refetch"), GAPLESS),
    "clerk": {
        "10 ms": "the queue would have to stay empty",
        "1 s": "the clerk would have to keep up nearly: it numbers 100 a second, and 200 come",
    },
}
