"""Quiz 08. One question counts the extra charges of a run in which payment died between the effect and the mark."""

from shop.ledger import charging, effects

from edakit import run
from edakit.errors import ArgumentError
from edakit.learn import Question


def extra(lab):
    """Extra charges of a run, and its orders."""
    if lab is None:
        lab = run(charging, seed=42, way="effect, mark", orders=1000, crash=1)
    if "ledger" not in lab.databases or not lab.trace.where("publish", type="order.placed"):
        raise ArgumentError(
            'quiz 08 asks about a run of charging, such as run(charging, way="effect, mark", crash=1): give it one, or nothing'
        )
    return effects(lab)["off by"], len(lab.trace.keys("order.placed"))


def questions(lab):
    off, orders = extra(lab)
    why = {off: "That is what the ledger shows beyond one charge for each order."}
    for other, words in (
        (0, "That is the transaction, under the same crashes."),
        (-off, "That is the mark first: it loses what this one repeats."),
        (orders // 20, "One in twenty is how many came twice in other scenes; here only crashes matter."),
        (off + 10, "There were not so many crashes."),
    ):
        why.setdefault(other, words)
    yield Question(
        "An operation is idempotent if:",
        {
            "it has no side effects": "The first run has its effect; that is what it is for.",
            "to repeat it adds no further effect": "f(f(x)) = f(x): the second run changes nothing more.",
            "its order does not matter": "That is commutative: a late SET shows the difference.",
            "it is delivered once": "Nobody promises that over a line that may lose.",
        },
        "to repeat it adds no further effect",
    )
    yield Question(
        "Effect first, mark after, and crashes between them. By how many charges is this run off?",
        dict(sorted(why.items())),
        off,
        run=True,
    )
    yield Question(
        "You remember ids for five minutes. What breaks that first?",
        {
            "load": "More rows, the same window.",
            "a new partition": "The id is the same wherever the event lies.",
            "a clock that drifts": "By seconds, not by days.",
            "a replay": "It brings back everything, a day later: the window is empty.",
        },
        "a replay",
    )
    yield Question(
        "A compacted topic keyed by event id:",
        {
            "removes repeats late, and costs the order of an entity": "A live reader has seen both, and an account's records lie anywhere.",
            "removes repeats in time": "The cleaner comes later, and never to the active segment.",
            "does nothing": "It does remove all but the last record of each key.",
            "is how Kafka does exactly once": "That is done by producer numbers and transactions.",
        },
        "removes repeats late, and costs the order of an entity",
    )
    yield Question(
        "UPDATE ... WHERE status = 'NEW' is better than to read the flag and then write it, because:",
        {
            "it is faster": "It is, and that does not matter.",
            "it is durable": "So is the flag: both are committed.",
            "test and set are one step": "Nobody can read between them.",
            "the broker knows of it": "The broker knows nothing of your database.",
        },
        "test and set are one step",
    )
