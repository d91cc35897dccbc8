"""Quiz 12. One question counts the conflicts of the run it is given, or of its own."""

from shop.contended import writers

from edakit import run
from edakit.errors import ArgumentError
from edakit.learn import Question


def counts(lab):
    """Appends and conflicts of a run of writers."""
    if lab is None:
        lab = run(writers, seed=42, writers=4)
    notes = [row.note for row in lab.trace.where("log", who="clerk")]
    if not notes.count("appends") or set(notes) - {"appends", "conflict"}:
        raise ArgumentError("quiz 12 asks about a run of writers, such as run(writers, seed=42): give it one, or nothing")
    return notes.count("appends"), notes.count("conflict")


def questions(lab):
    appends, conflicts = counts(lab)
    why = {
        0: "That is one writer, or a stream for each.",
        appends: "One refusal for each append? Count the crosses.",
        conflicts: "Each of them read again and thought again: work that nobody sees in the stream.",
    }
    if appends + conflicts not in why:
        why[appends + conflicts] = "Those are all attempts, also the ones that worked."
    if len(why) < 4:
        why[2 * conflicts + 1] = "Count the crosses in the picture."
    yield Question(
        "Which of these makes an event store more than a log?",
        {
            "reading from the beginning": "A log does that just as well.",
            "keeping events for ever": "That keeps facts, and defends no rule.",
            "append(expected_version=...)": "It can refuse a decision that stands on an old read.",
            "a schema": "It checks the form of an event, not the decision behind it.",
        },
        "append(expected_version=...)",
    )
    yield Question(f"In this run there were {appends} appends. How many more were refused?", why, conflicts, run=True)
    yield Question(
        "A snapshot and a fold of the events disagree. Which is right?",
        {
            "the snapshot": "It was made by older code: scene 3.",
            "the fold": "The snapshot is a cache, made by code of its day.",
            "the newer of the two": "Time proves nothing here.",
            "neither, ask the view": "It is derived from the same events, by other code.",
        },
        "the fold",
    )
    yield Question(
        "You do CQRS without event sourcing: two models, one database. What may stay at 0?",
        {
            "the number of models": "There are two; that is the point.",
            "the price of a migration": "A new column starts empty, as ever.",
            "stale reads": "If both models are written in one transaction: scene 5.",
            "nothing": "Look at the last position of the knob in scene 5.",
        },
        "stale reads",
    )
    yield Question(
        "The view has 58 orders fewer than the store, and no error was logged. Where do you look first?",
        {
            "the dead letters": "They are empty: no handler has raised.",
            "the retry policy": "Nothing has failed, so nothing was retried.",
            "the disk": "The events are all there.",
            "counts, stream by stream, store against view": "It names the orders; then compare their ids with their commits.",
        },
        "counts, stream by stream, store against view",
    )
