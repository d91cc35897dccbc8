"""What the study page says of sagas and best practices, and what we make of it: evidence and predictions of notebook 11."""

from shop.verdicts import Claim

SAGAS = {
    "C1.6": Claim(
        "supports complex workflows: easily chains multiple actions",
        "imprecise: easy to build, hard to see and to change; a flow without an owner has no clock",
        "RabbitMQ, the same four services: drop one publish of payment",
    ),
    "Q4.4": Claim(
        "sagas ensure the correctness of business logic",
        "imprecise: all steps, or compensations for those done; no isolation, which a lock of your own must give",
        "RabbitMQ and PostgreSQL: two sagas on one order, a thousand times; kill the leader",
    ),
    "S.4": Claim(
        "challenges of consistency and order can be mitigated with best practices",
        "imprecise: they are trades, not defects; which one you pay is your choice, and below one clerk's load you pay none",
        "Kafka with 1, 4 and 16 partitions, a row lock in PostgreSQL",
    ),
}

WHY: dict[str, dict[object, str]] = {  # what would have to be so for a wrong prediction, for each question
    "899": {
        "no, rolled back": "it would have to be one transaction",
        "only after a crash": "the step would have to hide its tea until the saga ends; it commits at once, crash or not",
    },
    "edits": {
        "0, 0": "it would have to be a listener whom nobody waits for",
        "0, 1": "payment would have to wait for fraud without being told to",
        "1, 1": "whoever acts next would have to be all: inventory also has to take the tea back, and orders to say no",
    },
    "silence": {
        "none": "somebody would have to wait for the word",
        "10, everybody": "somebody would have to keep a clock for each order, and a flow without an owner has none",
    },
    "orphans": {
        "memory, both": "the broker would have to forget the order",
        "all three": "the log would have to die with its leader",
    },
}
