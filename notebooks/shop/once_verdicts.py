"""What the study page says of idempotency, and what we make of it, for the evidence table of notebook 08."""

from shop.verdicts import Claim

ONCE = {
    "C7.1": Claim(
        "processing can be repeated without side effects",
        "imprecise: without *additional* effects; the first run has its effect",
        "any broker: kill the consumer before its ack",
    ),
    "Q8.1": Claim(
        "processing the same event many times has no unintended side effects",
        "right; idempotent is not commutative: an old SET that comes late still does harm",
        "RabbitMQ 3.10: redelivery",
    ),
    "Q8.2": Claim(
        "track processed event ids",
        "imprecise: in one transaction with the effect, under a unique index, for longer than any replay",
        "SQLite and RabbitMQ, kill -9",
    ),
    "Q8.3": Claim(
        'keep a "processed" flag in a database',
        "imprecise: test and set in one statement; done is not in work: a lease, with a fence",
        "SQLite, two processes",
    ),
    "Q8.4": Claim(
        "do not update counters or timestamps without checking past values",
        "imprecise: who reads and then writes races; write absolutely, conditionally, or keep a set",
        "SQLite, two processes",
    ),
    "Q8.5": Claim(
        "Kafka allows deduplication using log compaction",
        "wrong: keyed by entity it deletes facts, keyed by event it comes too late; Kafka dedups by idempotent producers and transactions",
        "Kafka 4.4: `cleanup.policy=compact`, small segments",
    ),
}
