"""What the study page says of the parts of a system, and what we make of it: the evidence and the predictions of notebook 03."""

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

WHY: dict[str, dict[object, str]] = {  # what would have to be so for a wrong prediction, for each question
    "sample": {
        1: "the sample would have to be a few hundred times as large",
        5: "that takes ten times as many orders: the error falls with the root of their number",
        50: "then there would be about ten orders in the sample, not a hundred",
    },
    "published": {
        10_000: "no crash would have to fall in the gap",
        10_100: "somebody would have to publish again what was published",
    },
    "gone": {
        0: "an ack would have to mean synced",
        200: "that is memory: what one of the three machines had synced would have to be gone, too",
    },
    "commit": {
        "all packed once": "no crash would have to fall between the commit and the work",
        "some packed twice": "it would have to work first, and commit then",
    },
    "one in hand": {
        100: "work and way together would have to take 10 ms: the way there alone takes that",
        200: "the next parcel would have to be there at once",
    },
    "soonest": {
        1: "the mail would have to be fast",
        300: "the slow worker would have to be dealt less: a third of the pile is in its hands then",
        1_000: "both would have to be equally fast",
    },
    "bytes": {
        1: "Kafka would have to look into the record",
        2: "every second order would have to come from eu",
    },
    "left": {
        20: "the log would have to refuse the second",
        100: "the log would have to refuse both",
    },
}
