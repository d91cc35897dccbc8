"""What the study page says of the parts of an event-driven system, and what we make of it, for the evidence table of notebook 03."""

from shop.verdicts import Claim

COMPONENTS = {
    "C4.1": Claim(
        "producers generate event data",
        "right; but save and publish are two writes: an outbox, and consumers that tolerate twice",
        "SQLite and Kafka: kill the producer between the two",
    ),
    "C4.2": Claim(
        "brokers transmit and optionally store",
        "right; *store* has grades, from memory to copies that sync before they say yes",
        "none at a desk: kill -9 leaves the page cache alone, a power cut does not",
    ),
    "C4.3": Claim(
        "consumers react and process",
        "right; the place of the commit decides what a crash costs",
        "Kafka, kill -9, auto-commit every 5 s (its default)",
    ),
    "C4.4": Claim(
        "event storage: log-based persistence for replay",
        "imprecise: a log replays; it cannot refuse a writer that has read too little",
        "a Kafka topic beside a SQLite table with a unique version",
    ),
    "Q3.1": Claim(
        "producers emit when something happens, e.g. a click",
        "right; but a click is telemetry, an order is a fact: only one may be sampled",
        "none needed",
    ),
    "Q3.2": Claim(
        "brokers route: Kafka, RabbitMQ, EventBridge",
        "imprecise: Kafka does not route on content, its readers take whole topics",
        "Kafka, RabbitMQ, EventBridge rules in moto: count the bytes",
    ),
    "Q3.3": Claim(
        "consumers process asynchronously",
        "right; prefetch decides how fast, and who holds what",
        "RabbitMQ, one consumer slowed down",
    ),
    "Q3.4": Claim(
        "event store, optional: auditing or replay",
        "right for audit; a broker's log is none (C4.4), and scans to find one thing",
        "as C4.4; kcat over a topic against one SELECT",
    ),
}
