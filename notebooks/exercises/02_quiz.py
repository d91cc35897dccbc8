"""Quiz 02. The first question asks how many copies came twice in the run it is given, or in its own."""

from shop.readers import copies, three_by_two

from edakit import Faults, run
from edakit.errors import ArgumentError
from edakit.learn import Question


def repeated(lab):
    """Copies that were owed, and those that came more than once."""
    if lab is None:
        lab = run(three_by_two, seed=42, faults=Faults(drop=0.01, leg="ack"))
    if not lab.trace.where("drop", note="ack") or not all(
        lab.trace.where("deliver", who=name) for name in ("payment", "inventory", "notification")
    ):
        raise ArgumentError("quiz 02 asks about a run of three_by_two with lost acks: give it one, or nothing")
    found = copies(lab)
    return found["copies"], found["more than once"]


def questions(lab):
    owed, twice = repeated(lab)
    why = {
        0: "A lost ack is a delivery that the queue makes again.",
        twice: "Each lost ack brings one copy again, and nothing else does.",
    }
    why.setdefault(10 * twice + 1, "That would be one in ten; one ack in a hundred gets lost.")
    why.setdefault(owed, "Then every ack would have to get lost.")
    yield Question(f"Of {owed:,} copies, with one ack in a hundred lost, came more than once:", why, twice, run=True)
    yield Question(
        "Two instances of payment on one queue get:",
        {
            "one copy between them": "They compete: a queue is one subscription, however many read it.",
            "a copy each": "That takes two queues, with a binding each.",
            "every second type of event": "What reaches the queue is a matter of bindings; who gets it, of who is free.",
        },
        "one copy between them",
    )
    yield Question(
        "A durable classic queue holds 1,000 transient messages; the broker restarts. It then holds:",
        {
            "1,000": "The queue came back, its messages did not: nobody wrote them to disk.",
            "about half": "Persistence is a property of each message; these all lack it.",
            "none": "Durable is the queue; persistent is each message. It takes both.",
        },
        "none",
    )
    yield Question(
        "SNS calls an HTTP endpoint that is away for 90 seconds. With the defaults it loses:",
        {
            "nothing": "The tries end: three more, 20 seconds apart.",
            "the orders of the first 30 seconds": "Each is tried for 60 seconds; only those of the first 30 find nobody to the end.",
            "all": "The later ones are still being tried when the endpoint is back.",
        },
        "the orders of the first 30 seconds",
    )
    yield Question(
        "Which question tells a queue from a log?",
        {
            "Who gets a copy?": "Both can give one to each subscriber.",
            "What does a read do?": "On a queue it takes your copy away, on a log it moves your bookmark.",
            "How fast is it?": "Either can be fast, or slow; that tells nothing.",
        },
        "What does a read do?",
    )
