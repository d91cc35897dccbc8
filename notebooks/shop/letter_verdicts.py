"""What the study page says of dead letters and retries, and what we make of it, for the evidence table of notebook 06."""

from shop.verdicts import Claim

DEAD_LETTERS = {
    "Q6.1": Claim(
        "a separate queue for failed or unprocessable messages",
        "imprecise: in RabbitMQ also what is too old or too much; SNS and EventBridge mean undeliverable; a Kafka group has none",
        "RabbitMQ 3.10, moto SQS, a Kafka 4.4 share group",
    ),
    "Q6.2": Claim(
        "prevents infinite retries",
        "imprecise: the limit does; the queue is where it ends",
        "RabbitMQ 3.10: with and without `x-delivery-limit`",
    ),
    "Q6.3": Claim("facilitates debugging", "right, if retention outlives triage", "moto: move the clock"),
    "Q6.4": Claim(
        "keeps faulty messages from blocking the main queue",
        "depends: competing consumers are slowed, not blocked; in an ordered stream it trades blocking for disorder; the hop can lose",
        "RabbitMQ 3.10; Kafka, one partition",
    ),
    "C6.3": Claim(
        "handle failures gracefully with retries",
        "imprecise: they multiply and march in step; kinds of errors, cap, jitter, limit",
        "a local HTTP server that takes 50 a second",
    ),
    "C7.2": Claim(
        "use DLQs for failed messages",
        "right, with an owner, an alarm, a retention and a redrive",
        "RabbitMQ 3.10: stop the broker while it dead-letters",
    ),
}
