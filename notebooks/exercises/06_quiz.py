"""Quiz 06. One question counts the heirs of the poisonous event, in the run it is given or in its own."""

from shop.lanes import fates, heirs, one_lane

from edakit import run
from edakit.errors import ArgumentError
from edakit.learn import Question


def counts(lab):
    """The key of the poisonous event, how many later events have it, how many events the run has."""
    if lab is None:
        lab = run(one_lane, seed=42, until=10, rule="dead-letter")
    events = [row.event for row in lab.trace.where("append")]
    bad = next((event for event in events if isinstance(event.data.get("total"), str) and "," in event.data["total"]), None)
    if bad is None or "aside" not in lab.databases:
        raise ArgumentError(
            'quiz 06 asks about a run of one_lane, such as run(one_lane, rule="dead-letter", until=10): give it one, or nothing'
        )
    return bad.key, heirs(lab), len(fates(lab))


def questions(lab):
    key, later, events = counts(lab)
    why = {
        later: "All that come after it under its key, and no others.",
        1: "That is the poisonous event itself; those behind it are its heirs.",
        events - 1: "Other orders do not care: only its own key is meant.",
    }
    if later - 1 not in why:
        why[later - 1] = "One is left out: the last of them counts too."
    yield Question(
        "A classic queue has a dead-letter exchange, and its consumer requeues on error. An order that always fails is tried:",
        {
            "20 times": "That is the default of a quorum queue since RabbitMQ 4.0.",
            "until the limit": "There is none: nobody has set one.",
            "without end": "Requeue puts it back, and nothing counts. The exchange waits for a reject that never comes.",
            "3 times": "That is a habit of client libraries; the queue has none.",
        },
        "without end",
    )
    yield Question(
        f"In this run the event that cannot be applied has key {key!r}. Later events with the same key:", why, later, run=True
    )
    yield Question(
        "Full jitter, against plain doubling with as many tries, waits:",
        {
            "as long": "The longest wait is the same, the average is not.",
            "half as long on average": "Each wait is drawn between 0 and the plain one, so it takes more tries to outlast an outage.",
            "twice as long": "The draw takes the place of the plain wait; it does not come on top.",
            "for ever": "A limit is a limit, with jitter or without.",
        },
        "half as long on average",
    )
    yield Question(
        "EventBridge puts an event into the dead-letter queue of a target when:",
        {
            "the handler raised": "It had been handed over by then; asynchronously, what happens inside is the target's affair.",
            "no delivery worked until the limit": "Undeliverable is what it means there, for a day or 185 retries.",
            "no rule matched": "Then there is no target, and nothing to deliver.",
            "the schema was wrong": "Nobody looks: the bus carries any JSON.",
        },
        "no delivery worked until the limit",
    )
    yield Question(
        "You dead-letter a message of a FIFO group. You have given up:",
        {
            "durability": "The dead-letter queue stores it.",
            "the order of that group": "Those behind it go on over the gap.",
            "the order of all groups": "The others do not notice.",
            "nothing": "Scene 5: the later events of its key were applied without it.",
        },
        "the order of that group",
    )
