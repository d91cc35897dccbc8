"""Quiz 04. One question is about the pause, in the run it is given or in its own."""

from shop.pages import outage, paused, windows

from edakit import run
from edakit.errors import ArgumentError
from edakit.learn import Question


def pause_of(lab):
    """The knobs of a run of `paused`, and how old its oldest page was."""
    if lab is None:
        lab = run(paused, seed=42)
    if "copy" not in lab.databases or "web" not in lab.deployments or not lab.trace.where("crash") or not windows(lab):
        raise ArgumentError("quiz 04 asks about a run of paused, such as run(paused, seed=42): give it one, or nothing")
    crash, back = lab.trace.where("crash")[0].time, lab.trace.where("restart")[0].time
    return round(back - crash), round(outage(lab)["first fresh s"])


def questions(lab):
    pause, drain = pause_of(lab)
    yield Question(
        f"In this run the worker was away for {pause} s. How long after its return was a page fresh in time again?",
        {
            "as soon as it was back": "A new fact stands in line behind all that came during the pause.",
            f"{drain} s after it": "First the backlog has to go: backlog / (service rate - arrival rate), more or less.",
            f"{drain + 2 * pause} s after it": "Twice the rate of what comes in drains the backlog in about the time it took to grow.",
        },
        f"{drain} s after it",
        run=True,
    )
    yield Question(
        "The lag is exponential with a mean of 200 ms. Stale reads 200 ms after the write:",
        {
            "20 %": "That is so at about 0.32 s.",
            "37 %": "e to the minus one: a third and a bit are slower than the mean.",
            "50 %": "The median is at 0.14 s; the mean is beyond it.",
            "63 %": "That is the share of the fresh ones.",
        },
        "37 %",
    )
    yield Question(
        "Idempotent handlers cure:",
        {
            "stale reads": "They are about how often, not about when.",
            "double effects": "The same event a second time does nothing.",
            "lost events": "What never came cannot be handled, once or twice.",
        },
        "double effects",
    )
    yield Question(
        "Two views have heard everything, all is quiet, and they never agree. What helps?",
        {
            "waiting": "They are at rest already.",
            "one rule, by version": "Then the end does not depend on the order of arrival.",
            "more copies": "Each more is one more that may disagree.",
            "synchronised clocks": "Nearer, never equal; two facts within the error still swap.",
        },
        "one rule, by version",
    )
    yield Question(
        "Which of these must not be decided from a copy?",
        {
            "a recommendation": "Nobody is hurt by yesterday's taste.",
            "an order history": "It may be a second behind: nothing is given away by it.",
            "the sale of the last packet": "Two copies can sell it twice: the owner decides, in one statement.",
        },
        "the sale of the last packet",
    )
