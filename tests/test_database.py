"""Databases: all or nothing under any crash, locks that are let go, and an outbox that tells the truth."""

import pytest

from edakit import Faults, Lab, Service
from edakit.errors import Deadlock, PayloadError, WiringError


def shop(work, *, seed=1, data=None, instances=1, events=1, **deploy) -> tuple[Lab, list]:
    """A lab with one service whose handler is `work(ctx, log)`, and the list that it writes to."""
    lab, log, service = Lab(seed), [], Service("stock")

    @service.on("order.placed")
    async def handle(order, ctx):
        await work(order, ctx, log)

    broker = lab.broker("shop")
    db = lab.database("db", data or {})
    lab.deploy(service, on=broker, db=db, instances=instances, **deploy)
    for n in range(events):
        broker.publish("order.placed", {"order": n}, key=n)
    return lab, log


async def reserve(order, ctx, log):
    """Inbox, two changes, outbox: one transaction."""
    async with ctx.db.transaction() as tx:
        if await tx.insert_once("seen", order.id):
            await tx.add("tea", -1)
            await tx.add("sold", 1)
            tx.publish("stock.reserved", order.data)
    log.append("after")


def crash_times() -> list[float]:
    """An instant inside each of the waits of the handler: the commit included, before, between and behind."""
    return [n / 2000 for n in range(14)]


@pytest.mark.parametrize("at", crash_times())
def test_a_crash_at_any_await_leaves_all_or_nothing_and_the_event_leaves_if_and_only_if_committed(at):
    lab, _ = shop(reserve, data={"tea": 10})
    lab.crash("stock", at=at)
    lab.run()
    data, out = lab.databases["db"].data, lab.trace.where("publish", type="stock.reserved")
    assert (data.get("tea"), data.get("sold"), len(lab.databases["db"].table("seen")), len(out)) in {
        (10, None, 0, 0),
        (9, 1, 1, 1),
    }
    assert lab.databases["db"].locks == {}


def test_those_crashes_fall_on_both_sides_of_the_commit():
    ends = set()
    for at in crash_times():
        lab, _ = shop(reserve, data={"tea": 10})
        lab.crash("stock", at=at)
        ends.add(lab.run().databases["db"].data["tea"])
    assert ends == {9, 10}


@pytest.mark.parametrize("at", crash_times())
def test_with_an_inbox_a_crash_and_a_second_delivery_change_the_stock_once(at):
    lab, _ = shop(reserve, data={"tea": 10})
    lab.crash("stock", at=at, restart_after=0.5)
    lab.run()
    data = lab.databases["db"].data
    assert (data["tea"], data["sold"]) == (9, 1)
    assert len(lab.trace.where("publish", type="stock.reserved")) == 1
    assert lab.homes["shop"].depth("stock") == 0


def outbox_to(lab: Lab, kind: str):
    """A service that writes to its outbox, where it publishes, and a service that hears of it."""
    home = lab.stream("shop", replicas=3) if kind == "replicated" else lab.broker("shop")
    stock, mail, orders = Service("stock"), Service("mail"), lab.broker("orders")

    @stock.on("order.placed")
    async def handle(order, ctx):
        await reserve(order, ctx, [])

    @mail.on("stock.reserved")
    async def note(event, ctx):
        await ctx.db.insert_once("mailed", event.key)

    if kind == "full":
        home.queue("mail", max_length=1, overflow="reject-publish")
    lab.deploy(stock, on=orders, publishes=home, db=lab.database("db"))
    lab.deploy(mail, on=home, db=lab.database("mails"))
    return orders


@pytest.mark.parametrize("kind", ["broker", "replicated"])
def test_what_is_committed_leaves_the_outbox_though_nobody_is_there_to_take_it(kind):
    """The taker dies a nanosecond before, at and after each instant at which something happens."""

    def system():
        lab = Lab(1)
        orders = outbox_to(lab, kind)
        lab.run(until=1)
        for n in range(2):
            orders.publish("order.placed", {"order": n}, key=n)
        return lab

    for instant in sorted({row.time for row in system().run(until=2).trace if row.time > 1}):
        for at in (instant - 1e-9, instant, instant + 1e-9):
            lab = system()
            lab.crash("shop", at=at, restart_after=3)
            lab.run(until=60)
            assert lab.databases["db"].data["sold"] == 2
            assert sorted(lab.databases["mails"].table("mailed")) == ["0", "1"], at


def test_a_full_queue_keeps_what_is_committed_waiting_in_the_outbox():
    lab = Lab(1)
    orders = outbox_to(lab, "full")
    lab.crash("mail", at=0)
    for n in range(5):
        orders.publish("order.placed", {"order": n}, key=n)
    lab.run(until=3)
    assert lab.trace.counts()["refuse"] >= 4
    lab.restart("mail")
    lab.run(until=60)
    assert sorted(lab.databases["mails"].table("mailed")) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("seed", range(10))
def test_random_crashes_between_statements_never_part_what_belongs_together(seed):
    lab, _ = shop(reserve, seed=seed, data={"tea": 100}, events=20, instances=2, prefetch=5)
    lab.faults(Faults(crash=0.1, restart_after=0.1))
    lab.run()
    data = lab.databases["db"].data
    assert lab.trace.counts()["crash"] > 3
    assert (data["tea"], data["sold"]) == (80, 20)
    assert list(lab.trace.keys("stock.reserved")) != []
    assert set(lab.trace.keys("stock.reserved")) == {str(n) for n in range(20)}
    assert len(lab.trace.where("publish", type="stock.reserved")) == 20


def test_an_error_in_the_block_undoes_it_and_is_told():
    async def work(order, ctx, log):
        async with ctx.db.transaction() as tx:
            await tx.put("tea", 0)
            tx.publish("stock.reserved")
            raise ValueError("no")

    lab, _ = shop(work, data={"tea": 10}, delivery_limit=1)
    lab.run()
    assert lab.databases["db"].data == {"tea": 10}
    assert [row.note for row in lab.trace.where("rollback")] == ["ValueError"]
    assert not lab.trace.where("publish", type="stock.reserved")
    assert lab.databases["db"].locks == {}


def test_a_transaction_sees_its_own_writes_and_others_only_what_is_committed():
    async def work(order, ctx, log):
        if order.key == "0":
            async with ctx.db.transaction() as tx:
                await tx.put("tea", 5)
                log.append(("own", await tx.get("tea")))
                await tx.delete("tea")
                log.append(("deleted", await tx.get("tea", "nothing")))
                await tx.put("tea", 6)
                await ctx.sleep(0.1)
        else:
            await ctx.sleep(0.05)
            log.append(("before the commit", await ctx.db.get("tea")))
            await ctx.sleep(0.1)
            log.append(("after it", await ctx.db.get("tea")))

    lab, log = shop(work, data={"tea": 1}, events=2, instances=2)
    lab.run()
    assert log == [("own", 5), ("deleted", "nothing"), ("before the commit", 1), ("after it", 6)]


def test_an_update_is_one_statement_and_a_read_then_a_write_is_not():
    async def atomic(order, ctx, log):
        log.append(await ctx.db.add("tea", -1, where=lambda left: left > 0))

    async def naive(order, ctx, log):
        left = await ctx.db.get("tea")
        if left > 0:
            await ctx.db.put("tea", left - 1)
            log.append(True)

    safe, sold = shop(atomic, data={"tea": 3}, events=8, instances=4)
    safe.run()
    assert (sold.count(True), safe.databases["db"].data) == (3, {"tea": 0})
    naive_lab, oversold = shop(naive, data={"tea": 3}, events=8, instances=4)
    naive_lab.run()
    assert oversold.count(True) > 3


def test_two_writers_of_one_key_go_one_after_the_other_in_order():
    async def work(order, ctx, log):
        async with ctx.db.transaction() as tx:
            await tx.add("tea", -1)
            log.append(("in", order.key))
            await ctx.sleep(0.1)
            log.append(("out", order.key))

    lab, log = shop(work, data={"tea": 10}, events=3, instances=3)
    lab.run()
    assert log == [(where, str(n)) for n in range(3) for where in ("in", "out")]
    assert lab.databases["db"].data == {"tea": 7}


async def crosswise(order, ctx, log):
    """Half of the handlers take the two keys in the other order."""
    first, second = ("tea", "mug") if order.key == "0" else ("mug", "tea")
    try:
        async with ctx.db.transaction() as tx:
            await tx.add(first, -1)
            await ctx.sleep(0.05)
            await tx.add(second, -1)
    except Deadlock as error:
        log.append(str(error))
        raise


def test_a_deadlock_is_found_one_gives_way_and_succeeds_when_run_again():
    lab, log = shop(crosswise, data={"tea": 10, "mug": 10}, events=2, instances=2)
    lab.run()
    assert log == ["db: stock.2 and stock.1 each hold a key the other wants; take keys in one order"]
    assert lab.databases["db"].data == {"tea": 8, "mug": 8}
    assert lab.stuck() == []


def test_a_deadlock_of_three_is_found_too():
    async def work(order, ctx, log):
        keys = ["a", "b", "c"]
        n = int(order.key)
        try:
            async with ctx.db.transaction() as tx:
                await tx.add(keys[n], 1)
                await ctx.sleep(0.05)
                await tx.add(keys[(n + 1) % 3], 1)
        except Deadlock:
            log.append(order.key)
            raise

    lab, log = shop(work, events=3, instances=3)
    lab.run()
    assert len(log) == 1
    assert lab.databases["db"].data == {"a": 2, "b": 2, "c": 2}


@pytest.mark.parametrize("at", [n / 500 for n in range(1, 40, 3)])
def test_a_crash_leaves_no_lock_behind_whoever_waits(at):
    lab, _ = shop(crosswise, data={"tea": 10, "mug": 10}, events=6, instances=3)
    lab.crash("stock.1", at=at, restart_after=0.2)
    lab.run()
    database = lab.databases["db"]
    assert (database.locks, database._waits_for, lab.stuck()) == ({}, {}, [])
    assert lab.homes["shop"].depth("stock") == 0
    assert database.data["tea"] == database.data["mug"]


def test_a_time_limit_undoes_a_transaction_and_says_so():
    async def work(order, ctx, log):
        try:
            async with ctx.timeout(0.05), ctx.db.transaction() as tx:
                await tx.add("tea", -1)
                await ctx.sleep(1)
        except TimeoutError:
            log.append("late")

    lab, log = shop(work, data={"tea": 10})
    lab.run()
    assert (log, lab.databases["db"].data, lab.databases["db"].locks) == (["late"], {"tea": 10}, {})
    assert [row.note for row in lab.trace.where("rollback")] == ["TimeUp"]


def test_every_statement_takes_time_so_that_a_crash_can_fall_between():
    async def work(order, ctx, log):
        for statement in (
            ctx.db.get("x"),
            ctx.db.put("x", 1),
            ctx.db.add("x", 1),
            ctx.db.insert_once("t", "1"),
            ctx.db.delete("x"),
        ):
            before = ctx.now
            await statement
            log.append(ctx.now > before)

    lab, log = shop(work)
    lab.run()
    assert log == [True] * 5


def test_insert_once_is_true_for_the_first_to_commit():
    async def work(order, ctx, log):
        log.append(await ctx.db.insert_once("seen", "it"))

    lab, log = shop(work, events=4, instances=4)
    lab.run()
    assert log == [True, False, False, False]
    assert lab.databases["db"].table("seen") == ["it"]


def test_none_is_no_value():
    async def work(order, ctx, log):
        await ctx.db.put("tea", None)
        log.append(await ctx.db.get("tea", "nothing"))
        async with ctx.db.transaction() as tx:
            await tx.put("mug", None)
            log.append(await tx.get("mug", "nothing"))

    lab, log = shop(work, data={"tea": 1, "mug": 1, "cup": None})
    lab.run()
    assert (log, lab.databases["db"].data) == (["nothing", "nothing"], {})
    assert lab.trace.state_at(9).databases == {"db": {}}


def test_what_was_put_cannot_be_changed_from_outside():
    async def work(order, ctx, log):
        mine = {"n": 1}
        await ctx.db.put("x", mine)
        mine["n"] = 2
        log.append(await ctx.db.get("x"))

    lab, log = shop(work)
    lab.run()
    assert log == [{"n": 1}]


def test_an_outbox_event_is_sent_again_until_it_gets_through():
    lab, _ = shop(reserve, data={"tea": 10})
    lab.faults(Faults(drop=1, leg="publish", type="stock.reserved", times=3))
    lab.run()
    assert len(lab.trace.where("drop")) == 3
    assert len(lab.trace.where("publish", type="stock.reserved")) == 1


@pytest.mark.parametrize(
    ("misuse", "error", "message"),
    [
        (lambda tx: tx.put("x", 1), WiringError, "inside its block only"),
        (lambda tx: tx.add("x", 1), WiringError, "inside its block only"),
        (lambda tx: tx.insert_once("x", "1"), WiringError, "inside its block only"),
    ],
)
def test_a_transaction_outside_its_block_is_refused_and_holds_nothing(misuse, error, message):
    async def before(order, ctx, log):
        await misuse(ctx.db.transaction())

    async def behind(order, ctx, log):
        async with ctx.db.transaction() as tx:
            await tx.get("y")
        await misuse(tx)

    for work in (before, behind):
        lab, _ = shop(work)
        with pytest.raises(error, match=message):
            lab.run()
        assert (lab.databases["db"].locks, lab.databases["db"].data) == ({}, {})


def test_a_transaction_is_used_once():
    async def work(order, ctx, log):
        tx = ctx.db.transaction()
        async with tx:
            await tx.put("x", 1)
        async with tx:
            pass

    lab, _ = shop(work)
    with pytest.raises(WiringError, match="this transaction has ended"):
        lab.run()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (lambda db: db.put("x", object()), r"db\['x'\] is <object"),
        (lambda db: db.put(42, 1), "key 42 of database db: keys are strings"),
        (lambda db: db.add("x", float("nan")), r"db\['x'\] is nan"),
    ],
)
def test_what_is_not_json_is_refused(statement, message):
    async def work(order, ctx, log):
        await statement(ctx.db)

    lab, _ = shop(work)
    with pytest.raises(PayloadError, match=message):
        lab.run()
    assert lab.databases["db"].data == {}
    with pytest.raises(PayloadError, match="stock has the name 42"):
        Lab().database("stock", {42: 1})


def test_a_service_without_a_database_says_how_to_get_one():
    lab, service = Lab(), Service("stock")

    @service.on("order.placed")
    async def handle(order, ctx):
        await ctx.db.get("x")

    broker = lab.broker("shop")
    lab.deploy(service, on=broker)
    broker.publish("order.placed")
    with pytest.raises(WiringError, match=r"stock has no database: deploy it with db=lab\.database"):
        lab.run()
