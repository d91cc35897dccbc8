"""The explorer finds planted bugs, names them, makes them small; and finds nothing in the repaired system over the same seeds."""

import pytest

from edakit import Crash, Faults, Lab, Refused, Saga, Service, fork, run
from edakit.errors import ArgumentError, CallError
from edakit.explorer import explore
from edakit.invariants import at_most_once, both, conserved, in_order, never_below, nothing_lost, once_at, sagas_end
from edakit.measure import lost_acked
from edakit.stream import Producer


def shop(handler, *, type="order.placed", data=None, **choices):
    """A system of one service on a broker: ten orders, two instances."""

    def system(lab, count=6):
        broker = lab.broker("shop", like="rabbitmq", ack_timeout=2)
        service = Service("worker")
        service.on(type)(handler)
        lab.deploy(service, on=broker, db=lab.database("db", dict(data or {})), **{"instances": 2, "prefetch": 1, **choices})
        lab.workload(broker, type, every=0.02, count=count, key="order")

    return system


PAID = both(nothing_lost("order.placed", "payment.processed"), at_most_once("payment.processed"))


async def effect_then_mark(order, ctx):
    if await ctx.db.get(f"seen/{order.id}") is None:
        await ctx.publish("payment.processed", order.data)
        await ctx.db.put(f"seen/{order.id}", True)


async def mark_then_effect(order, ctx):
    if await ctx.db.insert_once("seen", order.id):
        await ctx.publish("payment.processed", order.data)


async def mark_with_effect(order, ctx):
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("seen", order.id):
            tx.publish("payment.processed", order.data)


async def save_then_publish(order, ctx):
    if await ctx.db.insert_once("orders", order.key):
        await ctx.sleep(0.01)
        await ctx.publish("order.saved", order.data)


async def save_and_publish(order, ctx):
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("orders", order.key):
            tx.publish("order.saved", order.data)


def saved_is_told(lab):
    told = lab.trace.keys("order.saved")
    saved = [key.partition("/")[2] for key in lab.databases["db"].data if key.startswith("orders/")]
    return {"lost": [key for key in saved if key not in told], "phantom": [key for key in told if key not in saved]}


async def look_then_take(order, ctx):
    left = await ctx.db.get("tea")
    if left > 0:
        await ctx.db.add("tea", -1)
        await ctx.publish("stock.reserved", order.data)


async def look_and_take(order, ctx):
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("seen", order.id) and await tx.add("tea", -1, where=lambda left: left > 0):
            tx.publish("stock.reserved", order.data)


def writer(producer):
    def system(lab):
        orders = lab.stream("orders", like="kafka", start="earliest")
        orders.producer("web", producer)
        reader = Service("reader")

        @reader.on("#")
        async def read(event, ctx):
            ctx.log(event.id)

        lab.deploy(reader, on=orders)
        lab.workload(
            orders,
            "order.changed",
            every=0.0005,
            count=12,
            data=lambda n, random: {"order": 1, "n": n},
            key="order",
            source="web",
        )

    return system


def group(remembers):
    def system(lab):
        orders = lab.stream("orders", partitions=2, session_timeout=1)
        billing, db = Service("billing"), lab.database("db")

        @billing.on("order.placed")
        async def bill(order, ctx):
            if not remembers or await ctx.db.insert_once("seen", order.id):
                ctx.log(f"billed {order.key}")
            await ctx.sleep(0.02)

        lab.deploy(billing, on=orders, instances=2, prefetch=4, db=db)
        lab.workload(orders, "order.placed", every=0.01, count=12, key="order")

    return system


def billed_once(lab):
    notes = [row.note for row in lab.trace.where("log", who="billing")]
    return {"duplicate": sorted({note for note in notes if notes.count(note) > 1})}


def cancelling(marks):
    """Reserve and release race: the release may come first, and then finds nothing to release."""

    def system(lab):
        broker, stock = lab.broker("shop", like="rabbitmq", ack_timeout=2), Service("stock")
        db = lab.database("db", {"tea": 10})

        @stock.on("stock.reserve")
        async def reserve(order, ctx):
            async with ctx.db.transaction() as tx:
                if marks:
                    await tx.add(f"lock/{order.key}", 1)  # or the two would read past each other
                if marks and await tx.get(f"released/{order.key}"):
                    return
                if await tx.insert_once("held", order.key):
                    await tx.add("tea", -1)

        @stock.on("stock.release")
        async def release(order, ctx):
            async with ctx.db.transaction() as tx:
                if marks:
                    await tx.add(f"lock/{order.key}", 1)
                await tx.put(f"released/{order.key}", True)
                if await tx.get(f"held/{order.key}") and await tx.insert_once("given back", order.key):
                    await tx.add("tea", 1)

        lab.deploy(stock, on=broker, instances=2, prefetch=1, db=db)
        for n in range(1, 5):
            lab.at(n * 0.1, lambda n=n: broker.publish("stock.reserve", {"order": n}, key=n))
            lab.at(n * 0.1 + 0.01, lambda n=n: broker.publish("stock.release", {"order": n}, key=n))

    return system


def tea_is_back(lab):
    sent = len(lab.trace.keys("stock.release") & lab.trace.keys("stock.reserve"))
    held = len(lab.trace.keys("stock.reserve")) - sent
    return conserved(lambda lab: lab.databases["db"].data["tea"] + held, 10)(lab)


def status(gate):
    def system(lab):
        broker, view = lab.broker("shop", like="rabbitmq", ack_timeout=2), Service("view")

        @view.on("order.*")
        async def keep(order, ctx):
            async with ctx.db.transaction() as tx:
                if not gate or (await tx.get(f"{order.key}/version") or 0) < order.data["version"]:
                    await tx.put(f"{order.key}/version", order.data["version"])

        lab.deploy(view, on=broker, db=lab.database("db"))
        for version in range(1, 5):
            lab.at(version * 0.05, lambda version=version: broker.publish("order.changed", {"version": version}, key="42"))

    return system


def newest_wins(lab):
    sent = [event.data["version"] for event in lab.trace.events("order.changed")]
    kept = lab.databases["db"].data.get("42/version")
    return {"stale": ["42"] if sent and kept != max(sent) else []}


PLANTED = {
    "dual write": (shop(save_then_publish), saved_is_told, "lost", shop(save_and_publish)),
    "effect, then mark": (shop(effect_then_mark), PAID, "duplicate", shop(mark_with_effect)),
    "mark, then effect": (shop(mark_then_effect), PAID, "lost", shop(mark_with_effect)),
    "check, then act": (
        shop(look_then_take, data={"tea": 3}), never_below("db", "tea"), "oversold", shop(look_and_take, data={"tea": 3}),
    ),
    "retry reorder, five in flight": (
        writer(Producer(idempotence=False, in_flight=5)), in_order("reader"), "reordered", writer(Producer(idempotence=True, in_flight=5)),
    ),
    "rebalance duplicate": (group(remembers=False), billed_once, "duplicate", group(remembers=True)),
    "compensation race": (cancelling(marks=False), tea_is_back, "lost", cancelling(marks=True)),
    "a replayed old event": (status(gate=False), newest_wins, "stale", status(gate=True)),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found_named_and_made_small_and_its_repair_holds(bug):
    broken, invariant, name, repaired = PLANTED[bug]
    found = explore(broken, invariant=invariant, seeds=150)
    assert found.by_name.get(name), found
    smallest = found.smallest
    assert name in smallest.wrong
    assert len(smallest.events) <= 4, str(smallest)
    assert len(smallest.strikes) <= 2, str(smallest)
    assert len(smallest.faults) <= 2
    assert f"{name}: " in smallest.story()
    again = explore(broken, invariant=invariant, seeds=[smallest.seed])
    assert again.failing, "a regression test is one seed"
    fixed = explore(repaired, invariant=invariant, seeds=150)
    assert fixed.right == 150, fixed
    assert "fewer than 1.98% fail" in repr(fixed)


def test_a_search_says_how_many_schedules_were_right_and_the_smallest_failure():
    found = explore(shop(effect_then_mark), invariant=PAID, seeds=60)
    assert repr(found).startswith(f"Right in {60 - len(found.failing)} of 60 schedules; smallest failure: seed ")
    assert found.row()["right"] == found.right
    assert found.smallest.steps[0]["events"] >= found.smallest.steps[-1]["events"] == len(found.smallest.events)


def test_the_same_search_finds_the_same():
    one, other = (explore(shop(effect_then_mark), invariant=PAID, seeds=40) for _ in range(2))
    assert (repr(one), one.failing) == (repr(other), other.failing)
    assert one.smallest.trace.digest() == other.smallest.trace.digest()


def test_no_faults_no_failures():
    assert explore(shop(effect_then_mark), invariant=PAID, seeds=20, faults=()).right == 20


def test_one_plan_is_for_every_seed_and_designs_meet_the_same_faults():
    plan = Faults(crash=0.05, restart_after=0.2, times=2) + Crash("worker.1", at=0.05, restart_after=0.5)

    def system(lab, design):
        shop(design)(lab)

    both_designs = explore(system, invariant=PAID, seeds=30, faults=plan, vary={"design": [effect_then_mark, mark_with_effect]})
    assert list(both_designs) == ["effect_then_mark", "mark_with_effect"]
    assert both_designs["effect_then_mark"].failing
    assert both_designs["mark_with_effect"].right == 30
    assert [row["design"] for row in both_designs.summary] == ["effect_then_mark", "mark_with_effect"]
    assert "mark_with_effect" in repr(both_designs)


def test_a_system_that_is_only_late_is_not_wrong_and_one_that_never_ends_is():
    async def waits_for_ever(order, ctx):
        if ctx.state.get("busy"):
            await ctx.sleep(1_000_000)
        ctx.state["busy"] = True
        await ctx.publish("payment.processed", order.data)

    lost = nothing_lost("order.placed", "payment.processed")
    assert explore(shop(waits_for_ever), invariant=lost, seeds=3, faults=(), until=5).by_name == {"lost": 3}

    async def slow(order, ctx):
        await ctx.sleep(20)
        await ctx.publish("payment.processed", order.data)

    assert explore(shop(slow), invariant=lost, seeds=3, faults=(), until=5).right == 3, "it has time to heal"


def test_what_never_ends_is_stuck():
    async def always_fails(order, ctx):
        raise ValueError("no")

    found = explore(shop(always_fails), invariant=lambda lab: True, seeds=2, faults=())
    assert found.by_name == {"stuck": 2}


def test_a_saga_that_has_begun_ends():
    checkout = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected")

    async def give_back(order, ctx):
        ctx.log("back")

    @checkout.step(compensate=give_back, timeout=1)
    async def reserve(order, ctx):
        await ctx.sleep(0.01)

    @checkout.step(timeout=1)
    async def pay(order, ctx):
        if int(order.key) % 2:
            raise Refused("declined")

    def system(lab):
        broker = lab.broker("shop", like="rabbitmq", ack_timeout=2)
        lab.deploy(checkout, on=broker)
        lab.workload(broker, "order.placed", every=0.05, count=4, key="order")

    ends = both(sagas_end("checkout"), nothing_lost("order.placed", "order.confirmed", "order.rejected"))
    assert explore(system, invariant=ends, seeds=60).right == 60


def test_an_invariant_may_be_a_plain_yes_or_no():
    found = explore(shop(effect_then_mark), invariant=lambda lab: not lab.trace.where("crash"), seeds=40)
    assert found.by_name == {"wrong": len(found.failing)}
    assert found.smallest.counts().get("crash") == 1


def test_ready_invariants_hold_in_a_quiet_run():
    lab = run(shop(mark_with_effect), seed=1)
    for invariant in (PAID, once_at("worker"), in_order("worker"), never_below("db", "tea")):
        assert not any(invariant(lab).values())


def test_exploring_leaves_other_labs_alone():
    before = run(shop(effect_then_mark), seed=5, faults=Faults(crash=0.1, times=2)).trace.digest()
    explore(shop(effect_then_mark), invariant=PAID, seeds=5)
    assert run(shop(effect_then_mark), seed=5, faults=Faults(crash=0.1, times=2)).trace.digest() == before
    assert isinstance(fork(run(shop(effect_then_mark), seed=1), at=0.1, change=lambda lab: None)[1], Lab)


@pytest.mark.parametrize("seeds", [0, []])
def test_no_seeds_are_an_error(seeds):
    with pytest.raises(ValueError, match="1 or more"):
        explore(shop(effect_then_mark), invariant=PAID, seeds=seeds)


def test_a_message_is_overtaken_or_lost_on_its_way_in_only_where_a_system_must_bear_that():
    def reading(lab, home):
        places = {
            "broker": lambda: lab.broker("place"),
            "stream": lambda: lab.stream("place", partitions=2),
            "share": lambda: lab.stream("place", like="kafka-share"),
            "sqs": lambda: lab.bus("place", like="sqs"),
        }
        reader, place = Service("reader"), places[home]()

        @reader.on("order.placed")
        async def read(event, ctx):
            ctx.log(event.id)

        lab.deploy(reader, on=place)
        lab.workload(place, "order.placed", every=0.004, count=12, data=lambda n, random: {"order": 1}, key="order")

    found = explore(reading, invariant=in_order("reader"), seeds=60, vary={"home": ["broker", "stream", "share", "sqs"]})
    assert [bool(each.failing) for each in found.values()] == [False, False, True, True]
    told = explore(reading, invariant=in_order("reader"), seeds=60, faults=Faults(reorder=0.2, leg="deliver"), home="stream")
    assert told.failing, "a plan of one's own is done as it says"
    assert "late message" in str(told.smallest)
    assert "may be overtaken" in told.smallest.story()
    taken = explore(reading, invariant=lambda lab: not lab.trace.where("drop", who="client"), seeds=60, home="broker")
    assert taken.right == 60, "a client without a producer does not send again"


def test_the_schedules_may_be_shared_out_among_processes_and_nothing_changes(monkeypatch):
    alone = explore(shop(effect_then_mark), invariant=PAID, seeds=60)
    monkeypatch.setattr("edakit.explorer.processes.how_many", lambda schedules: 3)
    shared = explore(shop(effect_then_mark), invariant=PAID, seeds=60)
    assert (repr(shared), shared.failing, list(shared.failing)) == (repr(alone), alone.failing, list(alone.failing))
    assert shared.smallest.trace.digest() == alone.smallest.trace.digest()


def test_an_error_in_any_process_is_raised(monkeypatch):
    monkeypatch.setattr("edakit.explorer.processes.how_many", lambda schedules: 2)

    def breaks(lab):
        if lab.seed == 3:
            raise ZeroDivisionError("in the invariant")
        return True

    with pytest.raises(ZeroDivisionError, match="in the invariant"):
        explore(shop(mark_with_effect), invariant=breaks, seeds=4)


def test_a_timeout_that_tells_nothing_finds_the_retry_without_a_key():
    def paying(lab, keyed):
        http, bank, web = lab.server("http"), Service("bank"), Service("web")

        @bank.on("card.charge")
        async def charge(request, ctx):
            async with ctx.db.transaction() as tx:
                if not keyed or await tx.insert_once("keys", request.key):
                    await tx.add(f"paid/{request.key}", 1)

        @web.on("order.buy")
        async def buy(request, ctx):
            for _ in range(3):
                try:
                    await ctx.call("bank", request.data, timeout=0.5)
                except CallError:
                    continue
                return

        lab.deploy(bank, on=http, db=lab.database("books"))
        lab.deploy(web, on=http)
        lab.workload(http, "web/order.buy", every=0.2, count=5, key="order")

    def paid_once(lab):
        return {"duplicate": [key for key, times in lab.databases["books"].data.items() if key.startswith("paid/") and times > 1]}

    found = explore(paying, invariant=paid_once, seeds=100, vary={"keyed": [False, True]})
    assert str(found["keyed=False"].smallest).endswith("1 loss, 1 event: duplicate")
    assert found["keyed=True"].right == 100


def test_work_that_grows_slow_finds_a_compensation_that_comes_before_what_it_takes_back():
    def checking_out(lab, remembers):
        http, shop, stock = lab.server("http"), lab.broker("shop", like="rabbitmq"), Service("stock")

        @stock.on("tea.reserve")
        async def reserve(request, ctx):
            await ctx.sleep(0.1)
            async with ctx.db.transaction() as tx:
                await tx.add(f"lock/{request.key}", 1)
                if not remembers or await tx.get(f"released/{request.key}") is None:
                    await tx.put(f"held/{request.key}", 1)

        @stock.on("tea.release")
        async def release(request, ctx):
            async with ctx.db.transaction() as tx:
                await tx.add(f"lock/{request.key}", 1)
                await tx.put(f"released/{request.key}", 1)
                await tx.delete(f"held/{request.key}")

        saga = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected")

        async def give_back(order, ctx):
            await ctx.call("stock/tea.release", order.data, timeout=1)

        @saga.step(compensate=give_back, timeout=0.4)
        async def take(order, ctx):
            await ctx.call("stock/tea.reserve", order.data, timeout=0.3)

        lab.deploy(stock, on=http, db=lab.database("shelf"))
        lab.deploy(saga, on=shop)
        lab.workload(shop, "order.placed", every=0.1, count=4, key="order")

    def held_for_nobody(lab):
        return {"phantom": [key for key in lab.trace.keys("order.rejected") if lab.databases["shelf"].data.get(f"held/{key}")]}

    found = explore(checking_out, invariant=held_for_nobody, seeds=100, vary={"remembers": [False, True]})
    assert str(found["remembers=False"].smallest).endswith("slowness, 1 event: phantom")
    assert "each ctx.sleep takes 5 times as long" in found["remembers=False"].smallest.story()
    assert found["remembers=True"].right == 100


def test_what_an_acknowledged_record_is_lost_by_is_found_where_there_are_copies():
    def writing(lab, acks):
        orders = lab.stream("orders", replicas=3, min_insync=2)
        orders.producer("client", Producer(acks=acks, idempotence=acks == "all"))
        reader = Service("reader")
        reader.on("#")(mark_then_effect)
        lab.deploy(reader, on=orders, db=lab.database("db"), publishes=lab.broker("out"))
        lab.workload(orders, "order.placed", every=0.02, count=20, key="order")

    found = explore(
        writing, invariant=lambda lab: {"lost": ["acked"] * lost_acked(lab.trace)}, seeds=100, vary={"acks": [1, "all"]}
    )
    assert str(found["acks=1"].smallest).endswith("1 crash, 1 event: lost")
    assert found["acks=all"].right == 100


def test_events_are_not_left_out_where_that_alone_breaks_the_invariant():
    found = explore(
        shop(mark_then_effect), invariant=conserved(lambda lab: len(lab.trace.keys("payment.processed")), 6), seeds=60
    )
    assert str(found.smallest).endswith("1 crash, 6 events: lost"), "with five orders there are five payments, crash or no crash"


def test_a_system_that_goes_round_in_circles_is_told_soon(monkeypatch):
    monkeypatch.setattr("edakit.explorer.FIRST", 6)

    def circling(lab):
        shop, one, other = lab.broker("shop"), Service("one"), Service("other")

        @one.on("ping")
        async def ping(event, ctx):
            await ctx.publish("pong")

        @other.on("pong")
        async def pong(event, ctx):
            await ctx.publish("ping")

        lab.deploy(one, on=shop)
        lab.deploy(other, on=shop)
        shop.publish("ping")

    found = explore(circling, invariant=lambda lab: {}, seeds=1_000)
    assert found.by_name == {"stuck": 6}, "the first that fail at length are enough"
    assert found.seeds == 6
    assert "rows and no end" in found.smallest.story()
    assert explore(circling, invariant=lambda lab: {}, seeds=5, until=1).right == 5, "what is to go on for ever has an `until`"


def test_what_heals_is_not_wrong_by_a_name_of_ones_own():
    paid = explore(
        shop(mark_with_effect),
        invariant=lambda lab: lab.trace.keys("payment.processed") == lab.trace.keys("order.placed"),
        faults=Crash("worker", at=0.03),
        seeds=3,
    )
    assert paid.right == 3, "what is down at the end of the faults is started again"


@pytest.mark.parametrize("returned", [None, 0, {"42"}, {"lost": "42"}, {"lost": 3}])
def test_an_invariant_that_returns_anything_else_is_told_so(returned):
    with pytest.raises(ArgumentError, match=r"the invariant returned .*: give \{anomaly: keys\}.* or True or False") as told:
        explore(shop(mark_with_effect), invariant=lambda lab: returned, seeds=2)
    assert told.value.__notes__ == ["in schedule 0: explore(..., seeds=[0])"]


def test_an_error_that_cannot_be_sent_comes_out_in_words(monkeypatch):
    monkeypatch.setattr("edakit.explorer.processes.how_many", lambda schedules: 2)

    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def breaks(lab):
        if lab.seed == 3:
            raise Odd("cup", "pot")
        return True

    with pytest.raises(RuntimeError, match="Odd: cup and pot"):
        explore(shop(mark_with_effect), invariant=breaks, seeds=4)
