"""Quiz 01. The first question asks how long the heap of an outage took to drain, in the run it is given or in its own."""

from shop.charges import OUTAGE, one_charge, recovery

from edakit import run
from edakit.errors import ArgumentError
from edakit.learn import Question


def drain(lab):
    """Instances of payment, orders that piled up, seconds to drain them."""
    if lab is None:
        lab = run(one_charge, seed=42, style="event", faults=OUTAGE)
    instances = sum(name.startswith("payment") for name in lab.instances)
    if not lab.trace.where("crash", who="payment") or not lab.trace.where("publish", type="order.placed"):
        raise ArgumentError(
            "quiz 01 asks about a run of one_charge with style='event' and faults=OUTAGE: give it one, or nothing"
        )
    found = recovery(lab)
    return instances, round(found["piled up"]), round(found["drain s"])


def questions(lab):
    instances, heap, seconds = drain(lab)
    alone = round(heap / (5 * instances))
    why = {
        alone: f"That is {heap} / {5 * instances}: while they drain, ten new orders a second still come in.",
        seconds: f"It drains at what payment does less what comes in, {5 * instances} - 10 a second.",
        heap: "That is how many orders wait, not how long.",
    }
    if len(why) < 3:
        why[seconds + heap + 1] = "Longer than the outage and all that came in it."
    yield Question(
        f"{heap} orders piled up, {instances} instances do 5 a second each, 10 a second come in. Seconds until the heap is gone:",
        why,
        seconds,
        run=True,
    )
    yield Question(
        "asyncio makes a call to a dead service:",
        {
            "fail without blocking a thread": "It is another way to wait, and the other side must still be alive.",
            "succeed later": "Somebody would have to keep the request until then: asyncio keeps nothing for the other side.",
            "wait in a queue": "A queue is a broker's; asyncio only waits for the answer in another way.",
        },
        "fail without blocking a thread",
    )
    yield Question(
        "A timeout says that the work was:",
        {
            "not done": "The reply may be what got lost.",
            "done": "The request may be what got lost.",
            "unknown": "Request, work or reply may be missing, and from here they look the same.",
        },
        "unknown",
    )
    yield Question(
        "Which of these is a command?",
        {
            "order.placed": "It reports what has happened, to nobody in particular.",
            "charge.card": "It asks somebody to act, and may be refused.",
            "day.closed": "It reports too, even though it changes nothing.",
        },
        "charge.card",
    )
    yield Question(
        "Eight consumers in a group read four partitions; each does 10 a second. Together, per second:",
        {
            "80": "Four of them have no partition to read.",
            "20": "Four partitions keep four consumers at work.",
            "40": "A partition has one reader in a group, so four of them work.",
        },
        "40",
    )
