"""What the study page says of sagas and of best practices, and what we make of it, for the evidence table of notebook 11."""

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
