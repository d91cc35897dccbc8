"""Quiz 07. The second question counts the inverted neighbours of a queue with several consumers, in the run it is given or in its own."""

from shop.finishing import finished, inversions, one_queue

from edakit import run
from edakit.errors import ArgumentError
from edakit.learn import Question


def counts(lab):
    """Consumers, inverted neighbours, all neighbours, parcels that were not finished in the place in which they came."""
    if lab is None:
        lab = run(one_queue, seed=42, consumers=4)
    order = finished(lab) if "packing" in lab.deployments else []
    if len(order) < 2:
        raise ArgumentError("quiz 07 asks about a run of one_queue, such as run(one_queue, consumers=4): give it one, or nothing")
    moved = sum(place != came for place, came in enumerate(order, 1))
    return sum(name.startswith("packing") for name in lab.instances), inversions(order), len(order) - 1, moved


def questions(lab):
    consumers, inverted, neighbours, moved = counts(lab)
    yield Question(
        "What survives a restart of a classic queue?",
        {
            "every message in a durable queue": "The queue does; a transient message in it does not.",
            "every persistent message": "Not if its queue is transient: then the queue itself is gone.",
            "persistent messages in durable queues": "Two switches, and both must be on.",
            "nothing": "With both switches on, 1,000 of 1,000 were there.",
        },
        "persistent messages in durable queues",
    )
    why = {
        inverted: "Neighbours of which the later one was finished first.",
        moved: "So many parcels were finished in another place than they came in: that is not the same question.",
        neighbours: "That would be the reverse order.",
    }
    if 0 not in why:
        why[0] = "They were handed out in order; they were not finished in order."
    if len(why) < 3:
        why[neighbours // 2] = "About as many as if chance alone had put them in order."
    yield Question(f"Consumers: {consumers}. Of your {neighbours} pairs of neighbours, inverted are:", why, inverted, run=True)
    yield Question(
        "EventBridge has more to invoke than its quota allows. First you see:",
        {
            "errors": "Publishing can be refused; an invocation waits its turn.",
            "loss": "Not before the retry age, a day.",
            "delay": "It grows as long as more comes in than goes out.",
            "a bill": "That comes too, at the end of the month.",
        },
        "delay",
    )
    yield Question(
        "A message that was consumed and acknowledged can be read again in:",
        {
            "a durable queue": "It survives a restart, until the ack; then it is gone.",
            "a quorum queue": "Three copies of it are gone after the ack.",
            "a stream": "An acknowledgement takes nothing out of a log; it stays until its retention ends.",
            "all of these": "To survive is not to be read again.",
        },
        "a stream",
    )
    yield Question(
        "Which need rules out a Kafka consumer group?",
        {
            "replay": "It is what a log is for.",
            "order of a key": "A key has one partition, and that one reader.",
            "urgent orders first": "A log is read in the order in which it was written.",
            "a second reader": "A second group is one line.",
        },
        "urgent orders first",
    )
