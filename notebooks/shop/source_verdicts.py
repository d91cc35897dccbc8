"""What the study page says of event sourcing and CQRS, and what we make of it, for the evidence table of notebook 12."""

from shop.verdicts import Claim

SOURCES = {
    "C4.4": Claim(
        "event storage: log-based persistence for replay",
        "imprecise: replay, yes; a log cannot refuse a decision that stands on an old read",
        "Kafka acknowledges both; a unique index on (stream, version) in PostgreSQL refuses one",
    ),
    "Q4.5": Claim(
        "use event sourcing to reconstruct system state",
        "imprecise: it reconstructs, inside one service; the views beside it lag",
        "PostgreSQL and a projector: ids are skipped, unless it reads below `pg_snapshot_xmin`",
    ),
    "S.3": Claim(
        "CQRS and event sourcing further enhance flexibility",
        "depends: new views of the past, for lag, versions and erasure; two things, apart from each other and from events",
        "the same two shops on PostgreSQL; time the rebuild",
    ),
}
