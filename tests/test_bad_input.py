"""Every wrong call is answered by one clear line: what was wrong, with the value, and what to do. Nothing is lost by it."""

import asyncio
import math

import pytest

from edakit import Lab, Retry, Saga, Service, plot
from edakit.errors import EdakitError, EmptyTrace


async def fine(order, ctx):
    await ctx.sleep(0.01)


def service(name="payment", on="order.placed", handler=fine):
    found = Service(name)
    found.on(on)(handler)
    return found


class System:
    """A running shop, before anybody does anything wrong."""

    def __init__(self):
        self.lab = Lab(seed=1)
        self.shop = self.lab.broker("shop")
        self.orders = self.lab.stream("orders", partitions=2)
        self.rpc = self.lab.server("rpc")
        self.db = self.lab.database("stock", {"tea": 3})
        self.payment = service()
        self.lab.deploy(self.payment, on=self.shop, db=self.db)
        self.lab.deploy(service("billing"), on=self.orders)
        self.shop.publish("order.placed", {"order": 1}, key=1)
        self.lab.run()


WRONG = {
    # what a person does: (the call, what the line must say)
    "an unknown exchange type": (lambda s: s.lab.broker("b", exchange="topik"), ["'topik'", "direct, fanout, headers, topic"]),
    "an unknown option": (lambda s: s.lab.broker("b", exchang="topic"), ["exchang", "options are: exchange"]),
    "an unknown preset": (lambda s: s.lab.stream("b", like="kafak"), ["'kafak'", "known: kafka"]),
    "an unknown queue": (lambda s: s.shop.depth("paymnt"), ["'paymnt'", "known: payment"]),
    "an unknown group": (lambda s: s.orders.lag("biling"), ["'biling'", "known: billing"]),
    "an unknown partition": (lambda s: s.orders.seek("billing", to="latest", partition=7), ["partition 7", "0 to 1"]),
    "an unknown service": (lambda s: s.lab.call("paymnt"), ["'paymnt'", "known: billing, payment"]),
    "an unknown service to crash": (lambda s: s.lab.crash("paymnt"), ["'paymnt'", "known: billing, payment"]),
    "an unknown link": (lambda s: s.lab.hold("shop", "paymnt"), ["'paymnt'", "payment"]),
    "a broker of another lab": (lambda s: s.lab.deploy(service("x"), on=Lab().broker("shop")), ["on=<broker shop", "made by this lab"]),
    "a name for a broker": (lambda s: s.lab.deploy(service("x"), on="shop"), ["on='shop'", "lab.broker"]),
    "no service": (lambda s: s.lab.deploy(fine, on=s.shop), ["fine", "Service"]),
    "a database of another lab": (lambda s: s.lab.deploy(service("x"), on=s.shop, db=Lab().database("d")), ["db=", "lab.database"]),
    "a name for a database": (lambda s: s.lab.deploy(service("x"), on=s.shop, db="stock"), ["db='stock'", "lab.database"]),
    "a server to publish to": (lambda s: s.lab.deploy(service("x"), on=s.shop, publishes=s.rpc), ["publishes=", "broker or stream"]),
    "a number for a retry": (lambda s: s.lab.deploy(service("x"), on=s.shop, retry=3), ["retry=3", "Retry(3)"]),
    "no instances": (lambda s: s.lab.deploy(service("x"), on=s.shop, instances=0), ["instances=0", "1 or more"]),
    "no prefetch": (lambda s: s.lab.deploy(service("x"), on=s.shop, prefetch=0), ["prefetch=0", "1 or more"]),
    "no concurrency": (lambda s: s.lab.deploy(service("x"), on=s.shop, concurrency=0), ["concurrency=0", "1 or more"]),
    "a limit of zero": (lambda s: s.lab.deploy(service("x"), on=s.shop, delivery_limit=0), ["delivery_limit=0", "1 or more"]),
    "an unknown answer to errors": (lambda s: s.lab.deploy(service("x"), on=s.shop, on_error="drop"), ["'drop'", "reject, requeue"]),
    "an unknown commit": (lambda s: s.lab.deploy(service("x"), on=s.orders, commit="never"), ["'never'", "'after', 'before' or seconds"]),
    "deploying twice": (lambda s: s.lab.deploy(s.payment, on=s.shop), ["payment is deployed on shop already", "instances="]),
    "a name taken": (lambda s: s.lab.broker("orders"), ["'orders'", "choose another name"]),
    "a service named like a broker": (lambda s: s.lab.deploy(service("shop"), on=s.shop), ["'shop'", "choose another name"]),
    "a broker named like a service": (lambda s: s.lab.broker("payment"), ["'payment'", "choose another name"]),
    "a name with a space": (lambda s: s.lab.broker("my shop"), ["'my shop'", "letters, digits"]),
    "a name that is none": (lambda s: s.lab.stream(42), ["42", "letters, digits"]),
    "a name like an instance": (lambda s: Service("payment.2"), ["'payment.2'", "instances are numbered"]),
    "a service without handlers": (lambda s: s.lab.deploy(Service("x"), on=s.shop), ["x handles nothing", "@x.on('order.placed')"]),
    "a handler that is not async": (lambda s: service(handler=lambda order, ctx: None), ["not an async function", "async def"]),
    "a handler that is a text": (
        lambda s: s.payment.on("order.paid")("charge"),
        ["payment.on('order.paid'): 'charge' is not", "`async def handler("],
    ),
    "a handler with one argument": (lambda s: service(handler=one_argument), ["one_argument takes (order)", "(event, ctx)"]),
    "a handler with three": (lambda s: service(handler=three_arguments), ["three_arguments takes (a, b, c)", "(event, ctx)"]),
    "a handler that is not called": (lambda s: s.payment.on(fine), ["payment.on", '@payment.on("order.placed")']),
    "a handler for nothing": (lambda s: s.payment.on(), ["payment.on()", '@payment.on("order.placed")']),
    "a pattern taken": (lambda s: s.payment.on("order.placed")(fine), ["payment handles 'order.placed' already", "one handler a pattern"]),
    "data that is not JSON": (lambda s: s.shop.publish("order.placed", {"when": object()}), ["data['when'] is <object", "not JSON"]),
    "data that is not a number": (lambda s: s.orders.publish("order.placed", {"x": math.nan}), ["data['x'] is nan", "NaN"]),
    "a set": (lambda s: s.shop.publish("order.placed", {"x": {1}}), ["data['x'] is {1} (set)", "dict or list"]),
    "a type that is none": (lambda s: s.shop.publish(42), ["event type 42", "'order.placed'"]),
    "a type that is a list": (lambda s: s.shop.publish(["order.placed"]), ["event type ['order.placed']", "'order.placed'"]),
    "a type that is empty": (lambda s: s.shop.publish(""), ["event type ''", "'order.placed'"]),
    "a key that is a float": (lambda s: s.shop.publish("order.placed", {}, key=1.5), ["key 1.5", "string or a whole number"]),
    "a key that is a list": (lambda s: s.shop.publish("order.placed", {}, key=[1]), ["key [1]", "string or a whole number"]),
    "a negative time": (lambda s: s.lab.run(until=-1), ["until is -1", "0 or more"]),
    "a time that is text": (lambda s: s.lab.run(until="5"), ["until is '5'", "number of seconds"]),
    "a time that is past": (lambda s: s.lab.crash("payment", at=0), ["at=0", "already"]),
    "a negative pause": (lambda s: s.lab.workload(s.shop, "tick", every=-1, count=1), ["every is -1", "0 or more"]),
    "a negative count": (lambda s: s.lab.workload(s.shop, "tick", every=1, count=-1), ["count=-1", "0 or more"]),
    "a target of a workload": (lambda s: s.lab.workload("shop", "tick", every=1, count=1), ["'shop'", "lab.broker"]),
    "a negative hop": (lambda s: Lab(hop=-1), ["hop is -1", "0 or more"]),
    "a negative timeout": (lambda s: s.lab.call("payment", timeout=-1), ["timeout is -1", "0 or more"]),
    "a negative ack timeout": (lambda s: s.lab.broker("b", ack_timeout=-1), ["ack_timeout is -1", "0 or more"]),
    "a broker limit of zero": (lambda s: s.lab.broker("b", delivery_limit=0), ["delivery_limit=0", "1 or more"]),
    "a negative backoff": (lambda s: Retry(3, backoff=-1), ["backoff is -1", "0 or more"]),
    "a start that is none": (lambda s: s.lab.stream("s", start="newest"), ["'newest'", "'earliest' or 'latest'"]),
    "a saga without steps": (lambda s: s.lab.deploy(Saga("c", on="x"), on=s.shop), ["c has no steps", "@c.step()"]),
    "a saga on a server": (lambda s: s.lab.deploy(a_saga(), on=s.rpc), ["rpc", "broker or a stream"]),
    "database data that is a list": (lambda s: s.lab.database("d", ["tea"]), ["['tea']", "dict"]),
    "a trace that has no such rows": (lambda s: s.lab.trace.where("acked"), ["'acked'", "the kinds are: publish"]),
    "an event that is not there": (lambda s: s.lab.trace.of("order-9.placed.1"), ["'order-9.placed.1'", "order-1.placed.1"]),
    "changing an event": (lambda s: s.lab.trace[-1].event.data.update(order=2), ["cannot be changed", "{**event.data"]),
}  # fmt: skip


async def one_argument(order):
    pass


async def three_arguments(a, b, c):
    pass


def a_saga():
    checkout = Saga("checkout", on="order.placed")
    checkout.step()(fine)
    return checkout


@pytest.mark.parametrize("what", WRONG)
def test_one_line_says_what_was_wrong_and_what_to_do_and_nothing_is_lost(what):
    system, (call, words) = System(), WRONG[what]
    before = system.lab.trace.to_json(), sorted(system.lab.nodes()), dict(system.payment.handlers), system.lab.now
    with pytest.raises(EdakitError) as raised:
        call(system)
    line = str(raised.value)
    assert "\n" not in line
    assert len(line) < 300
    for word in words:
        assert word in line
    assert (system.lab.trace.to_json(), sorted(system.lab.nodes()), dict(system.payment.handlers), system.lab.now) == before
    handled = len(system.lab.trace.where("handle"))
    system.shop.publish("order.placed", {"order": 2}, key=2)
    system.lab.run()
    assert len(system.lab.trace.where("handle")) == handled + 1, "the system works as before"


CLOSED = {
    "publishing to a broker": lambda s: s.shop.publish("order.placed"),
    "publishing to a stream": lambda s: s.orders.publish("order.placed"),
    "calling": lambda s: s.lab.call("payment"),
    "running": lambda s: s.lab.run(),
    "building": lambda s: s.lab.broker("b"),
    "deploying": lambda s: s.lab.deploy(service("x"), on=s.shop),
    "a workload": lambda s: s.lab.workload(s.shop, "tick", every=1, count=1),
    "a crash": lambda s: s.lab.crash("payment"),
    "a hold": lambda s: s.lab.hold("shop", "payment"),
    "faults": lambda s: s.lab.faults(drop=0.5),
    "a later call": lambda s: s.lab.at(9, print),
    "a seek": lambda s: s.orders.seek("billing", to="earliest"),
    "a redrive": lambda s: s.shop.redrive("payment"),
}


@pytest.mark.parametrize("what", CLOSED)
def test_a_closed_lab_says_so_and_its_trace_can_still_be_read(what):
    system = System()
    system.lab.close()
    before = system.lab.trace.digest()
    with pytest.raises(EdakitError, match="this lab is closed; build a new one"):
        CLOSED[what](system)
    assert system.lab.trace.digest() == before
    assert len(system.lab.trace.where("handle")) == 1


async def sleeps_in_asyncio(order, ctx):
    await asyncio.sleep(0.1)


async def waits_in_asyncio(order, ctx):
    async with asyncio.timeout(2):
        await ctx.sleep(1)


async def sleeps_backwards(order, ctx):
    await ctx.sleep(-1)


async def sleeps_text(order, ctx):
    await ctx.sleep("1")


async def publishes_an_object(order, ctx):
    await ctx.publish("payment.processed", {"x": object()})


async def calls_nobody(order, ctx):
    await ctx.call("paymnt", timeout=1)


async def waits_backwards(order, ctx):
    async with ctx.timeout(-1):
        pass


async def has_no_database(order, ctx):
    await ctx.db.get("x")


async def changes_the_event(order, ctx):
    order.data["order"] = 7


async def runs_the_lab(order, ctx):
    ctx.instance.lab.run()


async def closes_the_lab(order, ctx):
    ctx.instance.lab.close()


IN_HANDLERS = {
    sleeps_in_asyncio: "payment awaited something that does not live in virtual time (asyncio.sleep?): use ctx.sleep",
    waits_in_asyncio: "payment awaited something that does not live in virtual time (asyncio.sleep?): use ctx.sleep",
    sleeps_backwards: "ctx.sleep is -1: give a number of seconds, 0 or more",
    sleeps_text: "ctx.sleep is '1': give a number of seconds, 0 or more",
    publishes_an_object: "data['x'] is <object",
    calls_nobody: "no service named 'paymnt'; known: payment",
    waits_backwards: "timeout is -1: give a number of seconds, 0 or more",
    has_no_database: "payment has no database: deploy it with db=lab.database(...)",
    changes_the_event: "cannot be changed: build a new dict",
    runs_the_lab: "lab.run() inside a run of this lab: call it from a cell",
    closes_the_lab: "lab.close() inside a run of this lab: call it from a cell",
}


@pytest.mark.parametrize("handler", IN_HANDLERS)
def test_a_mistake_in_a_handler_comes_out_of_the_run_as_one_line(handler):
    lab = Lab(1)
    shop = lab.broker("shop")
    lab.deploy(service(handler=handler), on=shop)
    shop.publish("order.placed", {"order": 42}, key=42)
    with pytest.raises(EdakitError) as raised:
        lab.run()
    assert IN_HANDLERS[handler] in str(raised.value)
    assert "\n" not in str(raised.value)
    assert [row.kind for row in lab.trace] == ["publish", "deliver"], "it is nobody's failure in the story"
    assert shop.depth("payment") == 1, "and nothing is lost"


def test_asyncio_sleep_inside_a_running_loop_is_told_too():
    async def cell():
        lab = Lab(1)
        shop = lab.broker("shop")
        lab.deploy(service(handler=sleeps_in_asyncio), on=shop)
        shop.publish("order.placed")
        with pytest.raises(EdakitError):
            lab.run()
        return asyncio.get_running_loop() is not None

    assert asyncio.run(cell())


def test_a_trace_before_a_run_says_what_to_do():
    lab = Lab(1)
    shop = lab.broker("shop")
    lab.deploy(service(), on=shop)
    shop.publish("order.placed")
    assert repr(lab.trace).startswith("no rows")
    assert "lab.run()" in repr(lab.trace)
    assert lab.trace.counts() == {}
    assert lab.trace.state_at(0).queues == {}
    with pytest.raises(EmptyTrace):
        plot.timeline(lab.trace)


def test_registering_several_patterns_is_all_or_nothing():
    payment = service()
    with pytest.raises(EdakitError, match="already"):
        payment.on("order.paid", "order.placed")(fine)
    assert list(payment.handlers) == ["order.placed"]
