"""Quiz 05. One question counts late batches, in the run it is given or in its own."""

from shop.turn_writers import late, overtaken_by, writer

from edakit import run
from edakit.errors import ArgumentError
from edakit.learn import Question


def counts(lab):
    """Batches that were lost, batches that lie too late, by how many these were overtaken in all."""
    if lab is None:
        lab = run(writer, seed=42, lost=0.05)
    lost, passed = len(lab.trace.where("drop")), overtaken_by(lab)
    if not passed:
        raise ArgumentError(
            "quiz 05 asks about a run in which a batch came late, such as run(writer, lost=0.05): give it one, or nothing"
        )
    return lost, len(late(lab)), sum(passed)


def questions(lab):
    lost, found, passed = counts(lab)
    why = {
        0: "That needs idempotence, or one batch in flight.",
        passed: "So many batches passed a late one; they lie where they belong, it does not.",
        5 * lost: "Five in flight make a late batch later. Each loss still makes one at most.",
        found: "Each lost batch comes again behind those that went on meanwhile: one late batch a loss, at most.",
    }
    yield Question(
        f"In this run {lost} batches were lost and sent again, 5 in flight, no idempotence. How many lie too late?",
        why,
        found,
        run=True,
    )
    yield Question(
        "A reader that drops ids it has seen is safe from:",
        {
            "repeats": "The same id came before.",
            "late events": "An old event that comes for the first time has a new id.",
            "both": "Late events get past it: look at the middle column of the picture of states.",
            "neither": "A repeat has the id of the first one.",
        },
        "repeats",
    )
    yield Question(
        "A topic goes from 3 to 4 partitions, by hash modulo n. Of the keys,",
        {
            "a quarter moves": "That would be consistent hashing.",
            "three quarters move": "Only those stay of which both remainders agree.",
            "all move": "For one key in four both remainders agree.",
            "none moves": "Then the fourth partition would stay empty.",
        },
        "three quarters move",
    )
    yield Question(
        "A version gate, which lets only a higher version pass, is wrong for:",
        {
            "states": "The last state is the truth; an older one is of no use.",
            "steps": "A late step still counts, and the gate throws it away.",
            "tombstones": "A tombstone is a state: gone.",
            "prices": "The latest price is the price.",
        },
        "steps",
    )
    yield Question(
        "One sequence for all events costs most when:",
        {
            "traffic is low": "You hardly feel it then.",
            "the clerk fails over": "Everything waits for the one that is gone, also what needs no order.",
            "there are many keys": "They share one lane anyway.",
            "events are large": "Only their numbers pass the clerk's desk.",
        },
        "the clerk fails over",
    )
