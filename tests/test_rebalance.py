"""How a group deals anew: all stop, or only what moves; who takes too long is put out; more partitions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edakit import Faults, Lab, Service
from edakit.errors import WiringError
from edakit.stream import Group, Log, partition_for
from edakit.stream.rebalance import Rebalance

EAGER = ["range", "round-robin", "sticky"]
ASSIGNORS = [*EAGER, "cooperative-sticky"]


@settings(max_examples=200)
@given(
    st.sampled_from(ASSIGNORS),
    st.integers(1, 7),
    st.lists(st.tuples(st.sampled_from(["change", "poll", "poll", "poll"]), st.sampled_from("abcd")), max_size=60),
)
def test_under_any_order_of_comings_and_polls_nothing_has_two_readers_and_in_the_end_everything_has_one(assignor, count, steps):
    group = Group("billing", "orders", [Log(f"orders/{n}") for n in range(count)], assignor)
    rules, polls = Rebalance(group), 0

    def settle():
        if rules.ready:
            for number in rules.deal():
                assert number not in group.owner, "only what is nobody's is dealt"
                group.hand_over(number)

    def poll(name):
        before = dict(group.owner)
        given = rules.comes(name)
        assert group.owner == before, "nothing changes hands by itself"
        assert all(before[number] == name for number in given), "nobody gives up what is another's"
        for number in given:
            group.take(number)
        settle()

    for what, name in steps:
        if what == "poll" and name in group.members:
            poll(name)
        elif what == "change" and name in group.members:
            for number in rules.leave(name):
                group.take(number)
        elif what == "change":
            rules.join(name)
        settle()
    while rules.open or rules.giving:
        for name in group.members:
            poll(name)
        polls += 1
        assert polls < 10, "it comes to an end"
    assert set(group.owner) == (set(range(count)) if group.members else set())
    shares = [len(group.partitions_of(name)) for name in group.members]
    assert not shares or max(shares) - min(shares) <= 1


def build(assignor, *, seconds=0.05, slow=0.3, **options):
    """Six partitions, two busy readers; after a second a third joins. One of them is slow over each record."""
    lab = Lab(1)
    orders = lab.stream("orders", partitions=6, assignor=assignor, session_timeout=0.5, **options)
    for name, pace in (("billing", seconds), ("slow", slow), ("third", seconds)):
        service = Service(name)

        @service.on("#")
        async def handle(event, ctx, pace=pace):
            await ctx.sleep(pace)

        join = {"on": orders, "group": "billing", "prefetch": 1}
        lab.at(1 if name == "third" else 0, lambda service=service, join=join: lab.deploy(service, **join))
    lab.workload(orders, "order.placed", every=0.02, count=150, key="order")
    return lab, orders


@pytest.mark.parametrize("assignor", EAGER)
def test_eager_all_let_go_of_all_and_wait_for_the_slowest(assignor):
    lab, orders = build(assignor)
    lab.run()
    revoked = [row for row in lab.trace.where("revoke") if row.time >= 1]
    assert {row.place for row in revoked} == {f"orders/{n}" for n in range(6)}
    dealt = {row.time for row in lab.trace.where("assign") if row.time >= 1}
    assert len(dealt) == 1
    (at,) = dealt
    pause = [row for row in lab.trace.where("fetch") if revoked[0].time < row.time < at and row.who != "slow"]
    assert not pause, "whoever has come stands still"
    assert at - revoked[0].time > 0.1, "as long as the slowest still has a record in hand"
    assert orders.lag("billing") == 0


def test_cooperative_only_what_moves_stops():
    lab, orders = build("cooperative-sticky")
    lab.run()
    revoked = [row for row in lab.trace.where("revoke") if row.time >= 1]
    assert len(revoked) == 2, "a third of six"
    assert len([row for row in lab.trace.where("assign") if row.time >= 1]) == 2
    moved = {row.place for row in revoked}
    last = max(row.time for row in lab.trace.where("assign"))
    going_on = [row for row in lab.trace.where("fetch", who="billing") if 1 < row.time < last and row.place not in moved]
    assert len(going_on) > 2
    assert orders.lag("billing") == 0


@pytest.mark.parametrize("assignor", [None, *ASSIGNORS])
def test_without_faults_a_rebalance_repeats_nothing_that_was_committed_and_loses_nothing(assignor):
    lab, _ = build(assignor)
    lab.run()
    handled = [row.event.id for row in lab.trace.where("handle")]
    assert set(handled) == {row.event.id for row in lab.trace.where("append")}
    if assignor:
        assert len(handled) == len(set(handled)), "who is asked finishes its record and commits, then it lets go"


@pytest.mark.parametrize("assignor", [None, *ASSIGNORS])
@pytest.mark.parametrize("seed", range(3))
def test_with_crashes_and_lost_messages_nothing_is_lost(assignor, seed):
    lab = Lab(seed)
    orders = lab.stream("orders", partitions=5, assignor=assignor, session_timeout=0.4, poll_timeout=1)
    service = Service("billing")

    @service.on("#")
    async def handle(event, ctx):
        await ctx.sleep(ctx.random.expovariate(50))

    lab.deploy(service, on=orders, instances=4, prefetch=3)
    lab.workload(orders, "order.placed", every=0.02, count=100, key="order")
    lab.faults(Faults(drop=0.02, leg="ack") + Faults(crash=0.02, restart_after=0.6, times=6))
    lab.run()
    assert {row.event.id for row in lab.trace.where("handle")} >= {row.event.id for row in lab.trace.where("append")}
    assert set(orders.groups["billing"].owner) == set(range(5))


@pytest.mark.parametrize("assignor", [None, *ASSIGNORS])
def test_a_handler_that_takes_too_long_loses_its_partitions_and_its_work_is_done_again(assignor):
    lab = Lab(1)
    orders = lab.stream("orders", partitions=2, assignor=assignor, poll_timeout=1)
    service = Service("billing")

    @service.on("#")
    async def handle(event, ctx):
        await ctx.sleep(1.5 if not event.data["n"] and ctx.delivery.place == "orders/0" and ctx.now < 1 else 0.01)

    lab.deploy(service, on=orders, instances=2)
    keys = [next(key for key in map(str, range(99)) if partition_for(key, 2) == n) for n in (0, 1)]
    for n in range(3):
        for key in keys:
            orders.publish("order.placed", {"n": n}, key=key)
    lab.run(0.5)
    slow = next(name for name in ("billing.1", "billing.2") if 0 in orders.groups["billing"].partitions_of(name))
    lab.run()
    (out,) = lab.trace.where("expel")
    assert (out.who, out.note, out.time) == (slow, "billing", pytest.approx(1, abs=0.01))
    assert len(lab.trace.where("stale", who=slow)) == 3, "it goes on with what it has, and nothing of that counts"
    again = [row for row in lab.trace.where("handle") if row.place == "orders/0"]
    assert [row.tag for row in again if row.who != slow] == [0, 1, 2]
    assert orders.lag("billing") == 0
    assert len(orders.groups["billing"].members) == 2, "and then it is back"
    assert lab.stuck() == []


def test_a_poll_timeout_that_is_not_needed_takes_no_time():
    lab = Lab(1)
    orders = lab.stream("orders", poll_timeout=300)
    service = Service("billing")

    @service.on("#")
    async def handle(event, ctx):
        await ctx.sleep(0.01)

    lab.deploy(service, on=orders)
    orders.publish("order.placed", {}, key="1")
    assert lab.run().now < 1
    assert lab.stuck() == []


@pytest.mark.parametrize("assignor", [None, *ASSIGNORS])
def test_more_partitions_move_keys_and_what_is_written_stays(assignor):
    lab = Lab(1)
    orders = lab.stream("orders", partitions=3, assignor=assignor)
    service = Service("billing")

    @service.on("#")
    async def handle(event, ctx):
        await ctx.sleep(0.001)

    lab.deploy(service, on=orders, instances=2)
    for n in range(100):
        orders.publish("order.placed", {}, key=n)
    lab.run()
    orders.add_partitions(1)
    for n in range(100):
        orders.publish("order.paid", {}, key=n)
    lab.run()
    was, now = ({row.event.key: row.place for row in lab.trace.where("append", type=t)} for t in ("order.placed", "order.paid"))
    assert was == {str(n): f"orders/{partition_for(str(n), 3)}" for n in range(100)}
    assert now == {str(n): f"orders/{partition_for(str(n), 4)}" for n in range(100)}
    assert 60 < sum(was[key] != now[key] for key in was) < 90
    assert len(lab.trace.where("handle")) == 200
    assert orders.lag("billing") == 0


def test_wrong_names_and_numbers():
    lab = Lab(1)
    with pytest.raises(WiringError, match="no assignor named 'fair'; known: cooperative-sticky, range"):
        lab.stream("orders", assignor="fair")
    with pytest.raises(ValueError, match="poll_timeout is -1"):
        lab.stream("orders", poll_timeout=-1)
    with pytest.raises(WiringError, match=r"add_partitions\(0\): 1 or more"):
        lab.stream("orders").add_partitions(0)
