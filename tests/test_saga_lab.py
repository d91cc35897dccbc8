"""Sagas in virtual time: whatever falls over, a run ends, and what was done is taken back or kept as a whole."""

import itertools

import pytest

from edakit import Faults, Lab, Refused, Retry, Saga, Service
from edakit.errors import CallError, WiringError


class Books:
    """What the steps of the saga have done to the world, idempotent by order, as steps must be."""

    def __init__(self):
        self.held, self.charged, self.undone = set(), set(), []


def system(lab: Lab, books: Books, *, ship=None, on="broker", orders=1) -> Lab:
    checkout = Saga("checkout", on="order.placed", completed="order.confirmed", compensated="order.rejected")

    async def release(order, ctx):
        await ctx.sleep(0.01)
        books.held.discard(order.id)
        books.undone.append("reserve")

    async def refund(order, ctx):
        await ctx.sleep(0.01)
        books.charged.discard(order.id)
        books.undone.append("charge")

    @checkout.step(compensate=release)
    async def reserve(order, ctx):
        await ctx.sleep(0.01)
        books.held.add(order.id)
        await ctx.sleep(0.01)

    @checkout.step(compensate=refund, timeout=1, retry=Retry(2, backoff=0.1))
    async def charge(order, ctx):
        await ctx.sleep(0.01)
        books.charged.add(order.id)
        await ctx.sleep(0.01)

    @checkout.step()
    async def send(order, ctx):
        await ctx.sleep(0.01)
        if ship:
            await ship(order, ctx)

    home = lab.broker("shop") if on == "broker" else lab.stream("shop", session_timeout=0.2)
    lab.deploy(checkout, on=home)
    for n in range(orders):
        home.publish("order.placed", {"order": n}, key=n)
    return lab


async def no_van(order, ctx):
    raise Refused("no van")


def statuses(lab: Lab) -> list[str]:
    return [row.note.split()[0] for row in lab.trace.where("saga")]


@pytest.mark.parametrize("ship", [None, no_van])
@pytest.mark.parametrize("on", ["broker", "stream"])
@pytest.mark.parametrize("at", [n / 200 for n in range(24)])
def test_a_crash_at_any_await_ends_completed_or_compensated_and_as_a_whole(at, on, ship):
    books = Books()
    lab = system(Lab(1), books, ship=ship, on=on)
    lab.crash("checkout", at=at, restart_after=0.3)
    lab.run()
    (run,) = lab.trace.state_at(lab.now).sagas.values()
    done = (len(books.held), len(books.charged))
    if ship is None:
        assert (run.status, done) == ("completed", (1, 1))
        assert len(lab.trace.keys("order.confirmed")) == 1
        assert not lab.trace.keys("order.rejected")
    else:
        assert (run.status, done) == ("compensated", (0, 0))
        assert run.done == []
        assert len(lab.trace.keys("order.rejected")) == 1
        assert not lab.trace.keys("order.confirmed")
    assert lab.stuck() == []


@pytest.mark.parametrize("seed", range(8))
def test_random_crashes_and_losses_leave_every_order_whole(seed):
    books = Books()
    lab = system(Lab(seed), books, ship=now_and_then, orders=10)
    lab.faults(Faults(crash=0.03, restart_after=0.2) + Faults(drop=0.05, duplicate=0.05, where=("shop", "checkout")))
    lab.run()
    runs = lab.trace.state_at(lab.now).sagas
    assert len(runs) == 10
    for (_, run), saga in runs.items():
        assert saga.status in ("completed", "compensated")
        assert (run in books.held) == (run in books.charged) == (saga.status == "completed")
    confirmed, rejected = lab.trace.keys("order.confirmed"), lab.trace.keys("order.rejected")
    assert len(confirmed) + len(rejected) == 10
    assert not confirmed & rejected


async def now_and_then(order, ctx):
    if int(order.key) % 3 == 0:
        raise Refused("no van")


def test_steps_in_order_and_compensations_in_reverse():
    lab = system(Lab(1), Books(), ship=no_van).run()
    assert [row.note.rsplit(" ", 1)[0] for row in lab.trace.where("step")] == [
        "done reserve", "done charge", "failed send", "undone charge", "undone reserve",
    ]  # fmt: skip
    assert [row.tag for row in lab.trace.where("step")] == [1, 2, 3, 2, 1]
    assert statuses(lab) == ["begun", "compensated"]
    assert "send: no van" in [row.note for row in lab.trace.where("log")]


def test_an_event_that_comes_twice_begins_one_run():
    books = Books()
    lab = system(Lab(1), books)
    lab.faults(Faults(duplicate=1, leg="publish", type="order.placed"))
    lab.run()
    assert statuses(lab) == ["begun", "completed"]
    assert len(lab.trace.where("publish", type="order.confirmed")) == 1


def test_a_step_that_times_out_has_an_unknown_outcome_and_is_undone():
    books = Books()
    lab, checkout = Lab(1), Saga("checkout", on="order.placed", compensated="order.rejected")

    async def refund(order, ctx):
        books.undone.append("charge")

    @checkout.step(compensate=refund, timeout=0.1)
    async def charge(order, ctx):
        await ctx.sleep(5)

    shop = lab.broker("shop")
    lab.deploy(checkout, on=shop)
    shop.publish("order.placed", {})
    lab.run()
    assert books.undone == ["charge"]
    assert statuses(lab) == ["begun", "compensated"]


def test_a_step_that_refused_at_once_is_not_undone():
    books = Books()
    lab, checkout = Lab(1), Saga("checkout", on="order.placed")

    async def refund(order, ctx):
        books.undone.append("charge")

    @checkout.step(compensate=refund, retry=Retry(3))
    async def charge(order, ctx):
        books.charged.add("try")
        raise Refused("no money")

    shop = lab.broker("shop")
    lab.deploy(checkout, on=shop)
    shop.publish("order.placed", {})
    lab.run()
    assert books.undone == []
    assert len(lab.trace.where("step")) == 1


def charge_by_call(lab: Lab, books: Books, **step) -> None:
    """A saga of one step that asks the payment service, which charges at once and answers late."""
    checkout, payment = Saga("checkout", on="order.placed"), Service("payment")

    @payment.on("charge")
    async def take(request, ctx):
        books.charged.add(request.key)
        await ctx.sleep(0.5)

    async def refund(order, ctx):
        books.charged.discard(order.key)
        books.undone.append("charge")

    @checkout.step(compensate=refund, **step)
    async def charge(order, ctx):
        await ctx.call("payment", {}, timeout=0.1)

    shop = lab.broker("shop")
    lab.deploy(payment, on=lab.server("rpc"))
    lab.deploy(checkout, on=shop)
    shop.publish("order.placed", {}, key="42")


def test_a_no_to_a_later_try_does_not_settle_what_became_of_an_earlier_one():
    books, lab = Books(), Lab(1)
    charge_by_call(lab, books, retry=Retry(2, backoff=0.2))
    lab.crash("payment", at=0.05)  # it has charged; the tries after the first find nobody there
    lab.run()
    assert {row.note for row in lab.trace.where("reply")} == {"connection refused: no instance of payment is up"}
    assert (books.charged, books.undone) == (set(), ["charge"])


def test_who_is_not_there_for_a_moment_is_asked_again_and_who_says_no_is_not():
    books, lab = Books(), Lab(1)
    charge_by_call(lab, books, retry=Retry(3, backoff=0.2))
    lab.crash("payment", at=0, restart_after=0.3)
    lab.run(until=0.7)
    assert [row.note[:18] for row in lab.trace.where("reply")] == ["connection refused"] * 2
    assert books.charged == {"42"}
    lab, tries = Lab(1), []

    async def declined(order, ctx):
        tries.append(ctx.now)
        raise Refused("no money")

    saga = Saga("checkout", on="order.placed")
    saga.step(retry=Retry(3))(declined)
    shop = lab.broker("shop")
    lab.deploy(saga, on=shop)
    shop.publish("order.placed")
    lab.run()
    assert len(tries) == 1


def test_behind_the_pivot_neither_a_no_nor_an_absence_is_the_last_word():
    lab, saga, van, said = Lab(1), Saga("checkout", on="order.placed"), Service("van"), []

    @van.on("send")
    async def send_off(request, ctx):
        said.append(len(said))
        if len(said) < 3:
            raise Refused("full")

    @saga.step(pivot=True)
    async def charge(order, ctx):
        await ctx.sleep(0.01)

    @saga.step()
    async def send(order, ctx):
        await ctx.call("van", {}, timeout=1)

    shop = lab.broker("shop")
    lab.deploy(van, on=lab.server("web"))
    lab.deploy(saga, on=shop)
    lab.crash("van", at=0, restart_after=1)
    shop.publish("order.placed")
    lab.run()
    assert statuses(lab) == ["begun", "completed"]
    assert said == [0, 1, 2]


@pytest.mark.parametrize("home", ["redis-pubsub", "eventbridge", "http", "commit"])
def test_a_saga_stands_where_the_event_that_began_it_comes_again(home):
    lab, saga = Lab(1), Saga("checkout", on="order.placed")
    saga.step()(no_van)
    on = {"http": lab.server, "commit": lab.broker}.get(home, lambda name: lab.bus(name, like=home))("shop")
    with pytest.raises(WiringError, match="must come again after a crash"):
        lab.deploy(saga, on=on, commit="before" if home == "commit" else "after")


def test_a_no_after_a_crash_of_the_orchestrator_does_not_settle_what_it_had_begun():
    books, lab = Books(), Lab(1)
    charge_by_call(lab, books)
    lab.crash("checkout", at=0.02, restart_after=1)
    lab.crash("payment", at=0.05)
    lab.run()
    assert (books.charged, books.undone) == (set(), ["charge"])


def test_a_compensation_that_never_gets_through_parks_the_run_for_a_person():
    lab, checkout = Lab(1), Saga("checkout", on="order.placed", completed="c", compensated="r")

    async def release(order, ctx):
        raise ValueError("warehouse closed")

    @checkout.step(compensate=release, compensate_retry=Retry(2, backoff=0.1))
    async def reserve(order, ctx):
        await ctx.sleep(0.01)

    checkout.step()(no_van)
    shop = lab.broker("shop")
    lab.deploy(checkout, on=shop)
    shop.publish("order.placed", {})
    lab.run()
    assert statuses(lab) == ["begun", "parked"]
    assert [row.note.split()[0] for row in lab.trace.where("step")] == ["done", "failed", "stuck"]
    assert not lab.trace.where("publish", type="c")
    assert not lab.trace.where("publish", type="r")


def test_many_runs_are_under_way_at_once():
    lab = system(Lab(1), Books(), orders=50).run()
    assert statuses(lab).count("completed") == 50
    assert lab.trace.where("saga")[-1].time < 1


def test_a_mistake_in_a_step_comes_out_of_the_run():
    async def wrong(order, ctx):
        await ctx.sleep(-1)

    with pytest.raises(ValueError, match=r"ctx\.sleep is -1"):
        system(Lab(1), Books(), ship=wrong).run()


def test_a_call_error_in_a_step_is_retried_as_the_step_says():
    tries = []

    async def flaky(order, ctx):
        tries.append(ctx.now)
        if len(tries) < 3:
            raise CallError("not yet")

    lab, checkout = Lab(1), Saga("checkout", on="order.placed", completed="order.confirmed")
    checkout.step(retry=Retry(3, backoff=0.1))(flaky)
    shop = lab.broker("shop")
    lab.deploy(checkout, on=shop)
    shop.publish("order.placed", {})
    lab.run()
    assert [round(b - a, 6) for a, b in itertools.pairwise(tries)] == [0.1, 0.2]
    assert statuses(lab) == ["begun", "completed"]
