"""Quiz 00. The first question looks into the crashed run, or into whatever run it is given."""

from shop.start import credit_system

from edakit import Crash, Service, measure, run
from edakit.learn import Question


def careless():
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(0.2)
        await ctx.db.add("Ada", -order.data["total"])
        await ctx.publish("payment.processed", order.data)
        await ctx.sleep(0.1)

    return payment


def owned(lab):
    """A moment of a run, which one depends on the run, and how many messages payment's queue owns then."""
    if lab is None:
        lab = run(credit_system, seed=42, payment=careless(), faults=Crash("payment", at=0.25, restart_after=1))
    depths = measure.backlog(lab.trace, "shop/payment")
    ends = [*(time for time, _ in depths[1:]), depths[-1][0] + 1]
    moments = [
        (start + (end - start) * part, depth) for (start, depth), end in zip(depths, ends, strict=True) for part in (0.3, 0.7)
    ]
    moment, depth = moments[int(lab.trace.digest(), 16) % len(moments)]
    return round(moment, 3), depth


def questions(lab):
    moment, depth = owned(lab)
    handed_out = "One that is handed out and not acked is owned too, also while payment is down."
    why = dict.fromkeys([*range(3), depth, depth + 1], f"Count what has been published and not acked. {handed_out}")
    why[depth] = "Published and not acked: that is what a queue owns, whoever works on it."
    yield Question(f"At {moment} s of this run, how many messages does the queue of payment own?", why, depth, run=True)
    yield Question(
        "Which part of the code makes two runs identical?",
        {
            "key=42": "The key says which events belong together; it draws nothing.",
            'like="rabbitmq"': "That chooses how the broker behaves; it draws nothing.",
            "seed=42": "All chance in a lab comes from its seed.",
        },
        "seed=42",
    )
    yield Question(
        "Virtual time means:",
        {
            "the run is sped up": "There is no rate at all: an hour and a millisecond take the same.",
            "the clock jumps to whatever happens next": "Between two things that happen nothing needs to pass.",
            "sleeps are skipped": "A sleep still decides what comes first.",
        },
        "the clock jumps to whatever happens next",
    )
    yield Question(
        "Which picture answers who can hear whom?",
        {
            "the topology": "It leaves time out, and shows the wiring.",
            "the timeline": "It shows who did hear whom, and when.",
            "the backlog": "It shows how many messages a queue owns.",
        },
        "the topology",
    )
    yield Question(
        "The ack before the work turns charged twice into:",
        {
            "charged once, always": "The window is still there: it has only moved.",
            "never charged, sometimes": "A crash after the ack and before the work loses the order.",
            "an error message": "Nobody is left who could raise one.",
        },
        "never charged, sometimes",
    )
