"""Quiz 11. One question counts the orders of a leader whose payment loses words, in the run it is given or in its own."""

from shop.steps import led, silence

from edakit import Faults, run
from edakit.errors import ArgumentError
from edakit.learn import Question

MUTE = Faults(drop=0.01, leg="reply", where="payment")


def counts(lab):
    """Words lost, orders rejected and orders, of a run."""
    if lab is None:
        lab = run(led, seed=42, count=300, faults=MUTE)
    orders = len(lab.trace.keys("order.placed"))
    if not orders or "checkout" not in lab.deployments:
        raise ArgumentError("quiz 11 asks about a run with a leader, such as run(led, faults=...): give it one, or nothing")
    return int(silence(lab)["words lost"]), len(lab.trace.keys("order.rejected")), orders


def questions(lab):
    lost, rejected, orders = counts(lab)
    yield Question(
        "A saga guarantees:",
        {
            "isolation": "Two sagas met on one order, and nearly a third of the schedules ended wrong.",
            "atomic commit": "899 teas were there to be seen.",
            "all steps, or the ways back of those done": "In the end; in between anybody may look.",
            "order": "Of its own steps, not among sagas.",
        },
        "all steps, or the ways back of those done",
    )
    why = {
        rejected: f"Each order whose answer was lost ({lost} words in all) timed out and was taken back; no card was declined.",
        0: "A lost word is a time-out, and a time-out is taken back.",
        orders: "Only those whose payment was not heard of.",
        orders - rejected: "Those were confirmed.",
    }
    if len(why) < 3:
        why[orders + 1] = "More than there are orders."
    yield Question("Orders rejected in your run of the leader:", why, rejected, run=True)
    yield Question(
        "The time-out of `pay` fires. You:",
        {
            "try again with a new key": "Then the card may be charged twice.",
            "treat it as not done": "Those were charged, and told no.",
            "wait for ever": "A time-out that is not acted upon is none.",
            "treat it as unknown: refund, if charged": "A way back that does nothing where nothing was done.",
        },
        "treat it as unknown: refund, if charged",
    )
    yield Question(
        "The pivot is:",
        {
            "the slowest step": "Speed does not make it hard to undo.",
            "the first step": "The first one is the easiest to undo, if you chose well.",
            "the step after which the saga must go forward": "Before it undo, after it retry.",
            "the flag on the order": "That is a semantic lock, another thing.",
        },
        "the step after which the saga must go forward",
    )
    yield Question(
        "A hot item behind a lock is best served by:",
        {
            "a longer time-out": "That only makes the queue longer.",
            "more partitions": "One key stays one key.",
            "a commutative update": "Subtractions may come in any order, so nobody waits.",
            "choreography": "The same lock, with nobody to see it.",
        },
        "a commutative update",
    )
