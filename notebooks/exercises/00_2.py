"""00-2: where exactly a crash charges twice."""

import math

from shop.start import credit_system, times_charged

from edakit import Crash, Lab, Service
from edakit.learn import run_lab

TITLE = "Find the window"
TASK = """
Write `window(trace)`: it gets the trace of a healthy run of the careless payment, and returns two times in seconds, (from, to): a
crash of payment between them charges Ada twice. Read them from the rows of that trace.

The bank and the receipt take other times in every run. The check crashes payment half a millisecond inside and half a millisecond
outside of both ends, and looks at Ada's credit.
"""
ANSWER = "window"
STUB = """
def window(trace):
    ...
"""
SOLUTION = """
def window(trace):
    effect = trace.where("write", who="payment")[0]
    done = trace.where("handle", who="payment")[0]
    return effect.time, done.time
"""
SKELETON = """
def window(trace):
    effect = trace.where("____", who="payment")[0]      # from here on, Ada's money is gone
    done = trace.where("____", who="payment")[0]        # from here on, the ack is on its way
    return effect.time, done.time
"""
WRONG = {
    "begins when the order is delivered": ("wrong value", {'"write"': '"deliver"'}),
    "begins when payment.processed is published": ("wrong value", {'trace.where("write"': 'trace.where("publish"'}),
    "begins at zero": ("wrong value", {"return effect.time": "return 0"}),
    "ends when the ack arrives": ("wrong value", {'"handle"': '"ack"'}),
    "the numbers of the notebook": ("wrong value", {"return effect.time, done.time": "return 0.204, 0.306"}),
    "the wrong way round": ("wrong value", {"return effect.time, done.time": "return done.time, effect.time"}),
    "one number": ("wrong value", {"return effect.time, done.time": "return effect.time"}),
}
NUDGES = {
    "wrong value": "What must be there already for a second charge to hurt, and what must not have left yet for there to be one?",
}
CONCEPT = (
    "The second charge needs two things: the first one is written (the database forgets nothing), and the queue does not know that the "
    "work is done. Payment sends its ack at the instant in which its handler returns; once sent, a crash does not recall it."
)
DISCUSSION = """
The window opens with the `write` row and closes with the `handle` row, one hop before the `ack` row: a message that has left has a
life of its own. So the window is as long as whatever the handler does after its effect, and not as long as the handler.
"""
OTHERS = ('subtract the hop: `trace.where("ack", place="shop/payment")[0].time - 0.001`',)
PLANS = 60


def plan(random):
    return [{"bank": round(random.uniform(0.01, 0.4), 3), "receipt": round(random.uniform(0.01, 0.3), 3)}], []


def careless(bank, receipt):
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(bank)
        await ctx.db.add("Ada", -order.data["total"])
        await ctx.publish("payment.processed", order.data)
        await ctx.sleep(receipt)

    return payment


def shop_with(case, at=None):
    lab = Lab(case.seed)
    credit_system(lab, careless(**case.events[0]))
    faults = () if at is None else (Crash("payment", at=at, restart_after=1),)
    return run_lab(lab, case._replace(faults=faults), until=60)


def trial(answers, case):
    (window,) = answers
    healthy = shop_with(case)
    said = window(healthy.trace)
    if not (isinstance(said, (tuple, list)) and len(said) == 2 and all(map(is_time, said)) and said[0] < said[1]):
        return [("wrong value", [repr(said)], "window must return two times, the earlier first")], shop_with(case).trace
    start, end = said
    for at, right in ((start + 0.0005, 2), (start - 0.0005, 1), (end - 0.0005, 2), (end + 0.0005, 1)):
        if at >= 0 and times_charged(lab := shop_with(case, at)) != right:
            place = "inside" if right == 2 else "outside"
            says = f"a crash at {at:.4f} s, {place} your window, charges Ada {['never', 'once', 'twice'][times_charged(lab)]}"
            return [("wrong value", [f"{start:.4f} to {end:.4f}"], says)], lab.trace
    return [], healthy.trace


def is_time(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value < 1e6
