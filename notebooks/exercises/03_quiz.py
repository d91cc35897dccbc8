"""Quiz 03. One question counts the events of a producer that saves first, in the run it is given or in its own."""

from shop.placing import GAP, placing, two_counters

from edakit import run
from edakit.errors import ArgumentError
from edakit.learn import Question


def counted(lab):
    """Orders saved, events published, of a run without an outbox."""
    if lab is None:
        lab = run(placing, seed=42, orders=1_000, faults=GAP)
    if "orders_db" not in lab.databases or "relay" in lab.deployments or not lab.trace.where("publish", type="order.placed"):
        raise ArgumentError(
            "quiz 03 asks about a run of placing(way='save-first'), such as run(placing, faults=GAP): give it one"
        )
    found = two_counters(lab)
    if found["phantom"]:
        raise ArgumentError("quiz 03 asks about way='save-first', and this run has published what it did not save")
    return found["saved"], found["published"]


def questions(lab):
    saved, published = counted(lab)
    crashes = saved - published
    why = {
        saved: "Then no crash would have fallen in the gap.",
        published: f"{crashes} processes died after the one line and before the other.",
        saved + crashes: "Nobody publishes twice here: that is the outbox, after a crash of its relay.",
    }
    if len(why) < 3:
        why = {
            published: "No crash has fallen in the gap of this run.",
            saved - 1: "No process of this run has died there.",
            saved + 1: "Nobody publishes an order twice here.",
        }
    yield Question(f"Saved first: {saved:,} orders saved, and {crashes} crashes in the gap. Published:", why, published, run=True)
    yield Question(
        "An outbox turns *lost* into",
        {
            "nothing at all": "The relay can die after sending and before noting it.",
            "twice, now and then": "Each such crash of the relay sends a row again.",
            "late, and nothing else": "Late it is too, by half of the relay's interval; but that is not all.",
        },
        "twice, now and then",
    )
    yield Question(
        "A worker does 500 a second, and a message is 40 ms away and back. In flight needed:",
        {
            "2": "Rate times latency, in seconds: 500 x 0.04.",
            "20": "Little's law: 500 a second x 0.04 s.",
            "200": "That is ten times more than the way there and back can hold.",
        },
        "20",
    )
    yield Question(
        "Three copies in page cache, synced once a second, all lose power. What was acknowledged is",
        {
            "all there": "Page cache is memory: what came after the last sync of the three is gone.",
            "there but for less than a second's worth": "What the latest of the three has synced is there.",
            "all gone": "What was synced before the cut is on disk.",
        },
        "there but for less than a second's worth",
    )
    yield Question(
        "What has an event store that a topic lacks?",
        {
            "replay": "A topic can be read again from the start, too.",
            "retention": "A topic keeps as long as you say, for ever if you like.",
            "append only if the version is n": "That is how it refuses a writer who decided on an old state.",
        },
        "append only if the version is n",
    )
