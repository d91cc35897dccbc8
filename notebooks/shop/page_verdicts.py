"""What the study page says of eventual consistency, and what we make of it, for the evidence table of notebook 04."""

from shop.verdicts import Claim

CONSISTENCY = {
    "C6.1": Claim(
        "data might not be synced immediately across all tiers",
        "imprecise: no number; no bound while a consumer is down; copies agree only if nothing is lost and one rule decides",
        "any broker: stop a consumer for 30 s",
    ),
    "Q4.1": Claim(
        "events propagate asynchronously, data is not updated instantly",
        "right; say which invariant may be late, and for how long",
        "any broker, a counter and its copy",
    ),
    "Q4.2": Claim(
        "order, tracing and failing consumers are challenges",
        "right, not complete: duplicates, dual writes, schemas, poison, backlog",
        "RabbitMQ, one fault injected at a time",
    ),
    "Q4.3": Claim(
        "use idempotent operations to avoid duplicate updates",
        "wrong as a cure for this: it treats duplicates; a version token treats stale reads",
        "a Redis view fed by RabbitMQ",
    ),
    "Q4.4": Claim(
        "sagas ensure business-logic correctness",
        "imprecise: they end, all or compensated; the fact comes later, and others see the middle (11)",
        "none needed",
    ),
    "Q4.5": Claim(
        "event sourcing reconstructs the state from past events",
        "imprecise: it does, inside one service; the views lag as before (12)",
        "none needed",
    ),
}
