"""Quiz 09. One question counts the false mails of the parallel wiring, in the run it is given or in its own."""

from shop.audit import has_tea, mistakes, paid, told_yes
from shop.orders import parallel

from edakit import run
from edakit.errors import ArgumentError
from edakit.learn import Question


def counts(lab):
    """The false mails of a run, those whose customer did not pay, those whose customer has no tea, all mails."""
    if lab is None:
        lab = run(parallel, seed=42)
    if not told_yes(lab):
        raise ArgumentError(
            "quiz 09 asks about a run in which somebody was told yes, such as run(parallel): give it one, or nothing"
        )
    yes = told_yes(lab)
    return tuple(map(len, (mistakes(lab)["false yes"], yes - paid(lab), yes - has_tea(lab), yes)))


def questions(lab):
    false, unpaid, without, told = counts(lab)
    why = {
        unpaid: f"Those are the {unpaid} who have not paid. Who has paid and has no tea was told a lie too.",
        without: f"Those are the {without} who have no tea. Who has a tea and has not paid was told a lie too.",
        unpaid + without: "Who has neither would count twice.",
        false: "Told yes, and not both paid and with a tea: that is the union of the two.",
        told: f"Then all {told} mails would be false.",
    }
    if len(why) < 3:
        why[told + 1] = "More than there are mails."
    yield Question(
        "In the parallel wiring the false mails come from:",
        {
            "slow networks": "With no delay at all they are the same.",
            "steps that depend on each other, run side by side": "The mail needs both outcomes and waits for neither.",
            "duplicates": "Every order comes once in this run.",
            "an error of the broker": "It delivers each event to all who asked for it.",
        },
        "steps that depend on each other, run side by side",
    )
    yield Question("len(told_yes - (paid & has_tea)) in this run:", why, false, run=True)
    yield Question(
        "The chain still charges people who get no tea, because:",
        {
            "events were lost": "None was: every event has its reader, and is acked.",
            "the step that cannot be taken back comes first": "Payment acts before anybody knows whether there is a tea.",
            "the stock is out of date": "Inventory's own count is exact.",
            "no broker is in between": "There is one, and it would not help.",
        },
        "the step that cannot be taken back comes first",
    )
    yield Question(
        "Which can be added without touching any service or flow?",
        {
            "an observer": "It hears, and nobody waits for it.",
            "a gate": "It takes part in the outcome, so the flow must wait for it.",
            "a compensation": "Somebody has to call it when a step fails.",
            "a step that gives a discount": "It changes what the next step does.",
        },
        "an observer",
    )
    yield Question(
        "Payment is down for a minute, in the saga. The orders of that minute are:",
        {
            "failed": "That is what a chain of calls does.",
            "confirmed": "Nobody confirms without a payment here.",
            "pending": "The queue keeps the requests, and the flow waits.",
            "lost": "They stay in payment's queue.",
        },
        "pending",
    )
