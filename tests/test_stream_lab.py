"""A stream in virtual time: order by key, groups, commits, replay, and what a rebalance repeats."""

import pytest

from edakit import Exponential, Faults, Lab, Service, run
from edakit.errors import Livelock, WiringError
from edakit.stream import partition_for


async def fine(event, ctx):
    await ctx.sleep(0.01)


def deploy(lab, handler=fine, *, name="billing", partitions=3, **options):
    service = Service(name)
    service.on("order.#")(handler)
    orders = lab.homes.get("orders") or lab.stream("orders", partitions=partitions, session_timeout=0.5)
    lab.deploy(service, on=orders, **options)
    return orders


def offsets(lab, kind="handle", who=None):
    return [(row.place, row.tag) for row in lab.trace.where(kind, who=who)]


def test_a_key_has_one_partition_and_is_handled_in_order():
    lab = Lab(1)
    orders = deploy(lab, instances=3)
    for n in range(60):
        orders.publish("order.placed", {"n": n}, key=n % 7)
    lab.run()
    for row in lab.trace.where("append"):
        assert row.place == f"orders/{partition_for(row.event.key, 3)}"
    for key in map(str, range(7)):
        seen = [row.event.data["n"] for row in lab.trace.where("handle", key=key)]
        assert seen == sorted(seen)
        assert len(seen) == len(lab.trace.where("append", key=key))
    assert orders.lag("billing") == 0


def test_without_a_key_the_partitions_take_turns():
    lab = Lab(1)
    orders = deploy(lab)
    for _ in range(6):
        orders.publish("order.placed")
    lab.run()
    assert [log.end for log in orders.logs] == [2, 2, 2]


def test_every_group_reads_everything_and_reading_removes_nothing():
    lab = Lab(1)
    deploy(lab, name="billing")
    orders = deploy(lab, name="mail")
    for n in range(10):
        orders.publish("order.placed", {}, key=n)
    lab.run()
    for who in ("billing", "mail"):
        assert sorted(offsets(lab, who=who)) == sorted(offsets(lab, "append"))
    assert sum(log.end for log in orders.logs) == 10


def test_a_group_may_have_several_services():
    lab = Lab(1)
    deploy(lab, name="one", group="shared")
    orders = deploy(lab, name="two", group="shared")
    for n in range(20):
        orders.publish("order.placed", {}, key=n)
    lab.run()
    assert sorted(offsets(lab)) == sorted(offsets(lab, "append")), "each record once"
    assert list(orders.groups) == ["shared"]


def crashed(commit, at, lab=None):
    lab = Lab(1)
    orders = deploy(lab, commit=commit, prefetch=4, partitions=1)
    for n in range(10):
        orders.publish("order.placed", {"n": n}, key="1")
    lab.crash("billing", at=at, restart_after=1)
    lab.run()
    return orders, [row.event.data["n"] for row in lab.trace.where("handle")]


@pytest.mark.parametrize("at", [n / 100 + 0.005 for n in range(10)])
def test_commit_after_repeats_and_loses_nothing_at_any_crash(at):
    orders, handled = crashed("after", at)
    assert sorted(set(handled)) == list(range(10))
    assert len(handled) <= 11
    assert orders.lag("billing") == 0


@pytest.mark.parametrize("at", [n / 100 + 0.005 for n in range(10)])
def test_commit_before_loses_and_repeats_nothing_at_any_crash(at):
    orders, handled = crashed("before", at)
    assert len(handled) == len(set(handled))
    assert orders.lag("billing") == 0


def test_commit_before_does_lose():
    assert min(len(crashed("before", n / 100 + 0.005)[1]) for n in range(10)) < 10


def test_auto_commit_repeats_what_was_done_since_the_last_one_and_ends_with_all_committed():
    most = 0
    for n in range(10):
        orders, handled = crashed(0.05, n / 100 + 0.005)
        assert sorted(set(handled)) == list(range(10))
        assert orders.lag("billing") == 0
        most = max(most, len(handled))
    assert most > 12


def test_auto_commit_loses_what_a_pool_of_workers_had_read_and_not_done():
    def handled(at, concurrency):
        lab = Lab(1)
        orders = deploy(lab, commit=0.02, prefetch=10, partitions=1, concurrency=concurrency)
        for n in range(30):
            orders.publish("order.placed", {"n": n}, key="1")
        lab.crash("billing", at=at, restart_after=1)
        lab.run()
        assert orders.lag("billing") == 0
        return {row.event.data["n"] for row in lab.trace.where("handle")}

    instants = [n / 100 + 0.005 for n in range(10)]
    assert {len(handled(at, 1)) for at in instants} == {30}
    assert min(len(handled(at, 2)) for at in instants) < 25


def test_a_dead_member_is_noticed_after_its_session_and_the_others_go_on_from_the_commits():
    lab = Lab(1)
    orders = deploy(lab, instances=3, prefetch=1)
    lab.workload(orders, "order.placed", every=0.02, count=60, key="order")
    lab.crash("billing.2", at=0.3)
    lab.run()
    crash = lab.trace.where("crash")[0].time
    (moved,) = {row.time for row in lab.trace.where("assign") if row.time > 0}
    assert moved == pytest.approx(crash + 0.5)
    assert set(offsets(lab)) == set(offsets(lab, "append"))
    assert orders.lag("billing") == 0
    assert set(orders.groups["billing"].owner.values()) == {"billing.1", "billing.3"}


def test_a_member_that_joins_later_takes_its_share():
    lab = Lab(1)
    orders = deploy(lab, name="one", group="g", partitions=4, prefetch=1)
    two = Service("two")
    two.on("order.#")(fine)
    lab.at(0.5, lambda: lab.deploy(two, on=orders, group="g", prefetch=1))
    lab.workload(orders, "order.placed", every=0.02, count=60, key="order")
    lab.run()
    assert set(offsets(lab)) == set(offsets(lab, "append"))
    assert {row.place for row in lab.trace.where("fetch", who="two")} == {"orders/2", "orders/3"}
    assert orders.lag("g") == 0


def test_the_result_of_a_reader_that_lost_its_partition_counts_for_nothing():
    lab = Lab(1)

    async def slow(event, ctx):
        await ctx.sleep(1)

    orders = deploy(lab, slow, name="one", group="g", partitions=2)
    for n in range(4):
        orders.publish("order.placed", {}, key=n)
    two = Service("two")
    two.on("order.#")(fine)
    lab.at(0.5, lambda: lab.deploy(two, on=orders, group="g"))
    lab.run()
    moved = {row.place for row in lab.trace.where("assign", who="two")}
    assert len(moved) == 1
    assert not [row for row in lab.trace.where("commit", who="one") if row.place in moved]
    assert orders.lag("g") == 0


def test_earliest_reads_what_was_there_and_latest_what_comes():
    for start, seen in (("earliest", 5), ("latest", 2)):
        lab = Lab(1)
        orders = lab.stream("orders", start=start)
        for n in range(3):
            orders.publish("order.placed", {}, key=n)
        lab.run()
        deploy(lab)
        for n in range(2):
            orders.publish("order.placed", {}, key=n)
        lab.run()
        assert len(lab.trace.where("handle")) == seen


def test_a_seek_replays_or_skips_and_says_who_asked():
    lab = Lab(1)
    orders = deploy(lab, partitions=2)
    lab.workload(orders, "order.placed", every=1, count=8, key="order")
    lab.run()
    orders.seek("billing", to="earliest")
    lab.run()
    assert len(offsets(lab)) == 16
    orders.seek("billing", to=5.0)
    lab.run()
    assert len(offsets(lab)) == 16 + len([row for row in lab.trace.where("append") if row.event.time >= 5])
    orders.seek("billing", to="latest")
    orders.seek("billing", to="earliest", partition=1)
    lab.run()
    assert orders.lag("billing") == 0
    assert {row.who for row in lab.trace.where("seek")} == {"operator"}


def test_a_record_that_fails_holds_up_those_behind_it_until_it_is_skipped():
    lab = Lab(1)

    async def picky(event, ctx):
        if event.data["n"] == 1:
            raise ValueError("smudged")

    orders = deploy(lab, picky, partitions=1, delivery_limit=3)
    for n in range(3):
        orders.publish("order.placed", {"n": n}, key="1")
    lab.run()
    assert [row.event.data["n"] for row in lab.trace.where(["handle", "fail", "skip"])] == [0, 1, 1, 1, 1, 2]
    assert lab.trace.where("skip")[0].note == "billing"
    assert orders.lag("billing") == 0


def test_without_a_limit_a_poisonous_record_ends_the_run_with_the_cure():
    async def broken(event, ctx):
        raise ValueError("smudged")

    lab = Lab(1)
    orders = deploy(lab, broken, partitions=1)
    orders.publish("order.placed", {}, key="1")
    with pytest.raises(Livelock, match=r"orders/0 has tried offset 0 .* 1,000 times \(smudged\).*delivery_limit=5"):
        lab.run()


def test_a_run_with_an_end_shows_how_long_a_poisonous_record_blocks():
    async def broken(event, ctx):
        await ctx.sleep(0.01)
        raise ValueError("smudged")

    lab = Lab(1)
    orders = deploy(lab, broken, partitions=1)
    orders.publish("order.placed", {}, key="1")
    lab.run(until=30)
    assert (lab.trace.counts()["fail"], orders.lag("billing")) == (2_999, 1)


def test_a_handler_that_fails_in_no_time_gets_no_run_to_its_end():
    async def broken(event, ctx):
        raise ValueError("smudged")

    lab = Lab(1)
    deploy(lab, broken, partitions=1).publish("order.placed", {}, key="1")
    with pytest.raises(Livelock, match="1,000 times"):
        lab.run(until=30)


@pytest.mark.parametrize("seed", range(6))
def test_losses_and_crashes_on_the_way_leave_every_record_handled(seed):
    def build(lab):
        orders = deploy(lab, instances=2, prefetch=3)
        lab.workload(orders, "order.placed", every=Exponential(0.02), count=60, key="order")

    lab = run(build, seed=seed, faults=Faults(drop=0.1, duplicate=0.1, crash=0.02, restart_after=0.3), until=100)
    assert set(offsets(lab, "append")) <= set(offsets(lab))


def test_a_publisher_waits_for_the_log():
    lab, times = Lab(1), []

    async def charge(event, ctx):
        await ctx.publish("payment.processed")
        times.append(ctx.now)

    orders = deploy(lab, charge)
    orders.publish("order.placed", {}, key="42")
    lab.run()
    assert times == [pytest.approx(0.005)]
    assert [row.event.key for row in lab.trace.where("append")] == ["42", "42"]


def test_wrong_places_and_groups_are_named_with_those_there_are():
    lab = Lab(1)
    orders = deploy(lab)
    with pytest.raises(WiringError, match="no group on stream orders named 'biling'; known: billing"):
        orders.seek("biling", to="earliest")
    with pytest.raises(WiringError, match="no group on stream orders named 'biling'; known: billing"):
        orders.lag("biling")
    with pytest.raises(WiringError, match="partition 3: orders has 0 to 2"):
        orders.seek("billing", to="latest", partition=3)
    with pytest.raises(WiringError, match="to='newest': give 'earliest', 'latest' or a time in seconds"):
        orders.seek("billing", to="newest")
    with pytest.raises(ValueError, match="to is -1"):
        orders.seek("billing", to=-1)
    with pytest.raises(WiringError, match="partitions=0: a topic has 1 or more"):
        lab.stream("other", partitions=0)
    assert not lab.trace.where("seek")


@pytest.mark.parametrize("at", [n / 100 for n in range(1, 12)])
def test_what_is_finished_out_of_turn_is_not_committed_past_what_is_not(at):
    lab = Lab(1)

    async def uneven(event, ctx):
        await ctx.sleep(0.1 if event.data["n"] == 0 else 0.01 * event.data["n"])

    orders = deploy(lab, uneven, partitions=1, concurrency=10)
    for n in range(6):
        orders.publish("order.placed", {"n": n}, key="1")
    lab.crash("billing", at=at, restart_after=1)
    lab.run()
    assert {row.tag for row in lab.trace.where("handle")} == set(range(6))
    assert orders.lag("billing") == 0
