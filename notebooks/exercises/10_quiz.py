"""Quiz 10. One question counts the unreadable orders of a rollout, in the run it is given or in its own."""

from shop.rollouts import rollout, unreadable

from edakit import run
from edakit.errors import ArgumentError
from edakit.learn import Question


def questions(lab):
    if lab is None:
        lab = run(rollout, seed=42, change="remove, no default", first="producers")
    orders = len(lab.trace.where("append"))
    if "upgrades" not in lab.databases or not 0 < unreadable(lab) < orders:
        raise ArgumentError(
            'quiz 10 asks about a rollout that broke something, such as run(rollout, seed=42, first="producers"): give it one, or nothing'
        )
    found = unreadable(lab)
    yield Question(
        "The registry is on BACKWARD. Who is deployed first?",
        {
            "producers": "That is FORWARD: old readers read what is new.",
            "consumers": "New readers read what old writers write, so they may be there before the new writers.",
            "any order": "That takes FULL: old readers would have to read what is new, too.",
            "nobody can": "Then no change could ever be made, and BACKWARD would be of no use.",
        },
        "consumers",
    )
    why = {
        found: "As long as the wrong half of the rollout lasted.",
        0: "That is the other order of the two teams.",
        orders: "Only while a new writer met an old reader.",
    }
    why.setdefault(found // 10, "An upgrade of a team takes its time, and orders go on.")
    yield Question(f"In this run of {orders:,} orders, how many could not be read?", why, found, run=True)
    yield Question(
        "Somebody will replay a month of events. The registry must be on:",
        {
            "BACKWARD": "Only the latest version is compared.",
            "BACKWARD_TRANSITIVE": "The newest reader must read all versions that lie in the log.",
            "FORWARD": "That helps old readers.",
            "NONE": "That is no check at all, and hope is no mode.",
        },
        "BACKWARD_TRANSITIVE",
    )
    yield Question(
        "Who rejects bytes that are not in any schema?",
        {
            "Kafka": "Bytes are bytes to a broker.",
            "the registry": "It has never seen them.",
            "the producer's serializer, if it is used": "And else nobody before the consumer.",
            "the topic": "A topic has no schema of its own in Apache Kafka.",
        },
        "the producer's serializer, if it is used",
    )
    yield Question(
        "From one day on `total` is in cents. What tells you before your customers do?",
        {
            "BACKWARD": "The type is the same, so nothing is to be refused.",
            "FULL_TRANSITIVE": "The type is the same, in all versions.",
            "a contract test with a golden event": "It knows what order 42 must cost.",
            "the version number": "Nobody has raised it.",
        },
        "a contract test with a golden event",
    )
