"""Copies of a partition: the rules against a plain model, and what each acknowledgement is worth when machines die."""

import random
import statistics

import pytest
import replica_systems
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edakit import Crash, Exponential, Faults, Lab, PowerCut, Service, Uniform, measure, run
from edakit.errors import ArgumentError, CallRefused, CallTimeout, WiringError
from edakit.event import NOTHING, Event
from edakit.sim.replicated import ReplicatedStream
from edakit.stream import Producer
from edakit.stream.producer import Batch
from edakit.stream.replicas import ReplicatedLog

MACHINES = st.integers(0, 2)


def event(n):
    return Event(f"order-{n}.placed.1", "order.placed", "web", n, str(n), 0, None, f"order-{n}.placed.1", NOTHING)


class Copies(RuleBasedStateMachine):
    """The model keeps each machine's log as a list of its own, and a follower cuts what its leader does not have."""

    def __init__(self):
        super().__init__()
        self.log = ReplicatedLog("orders/0", 1000, 3)
        self.files, self.disks = [[], [], []], [[], [], []]
        self.count, self.seen = 0, []
        self.disaster = False  # the last copy in sync has lost something: then nothing is promised

    def leader(self):
        return self.log.leader

    @precondition(lambda self: self.leader() is not None)
    @rule(more=st.integers(1, 3))
    def write(self, more):
        for _ in range(more):
            self.log.append(event(self.count))
            self.files[self.leader()].append(self.count)
            self.count += 1
        self.log.copied(self.leader(), len(self.log.records))

    @precondition(lambda self: self.leader() is not None)
    @rule(machine=MACHINES, share=st.sampled_from([0.5, 1]))
    def copy(self, machine, share):
        theirs = self.files[self.leader()]
        end = round(share * len(theirs))
        if machine in self.log.up and machine != self.leader():
            mine = self.files[machine]
            same = next((n for n, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs)))
            if end >= same:
                self.files[machine] = theirs[:end]
            self.log.copied(machine, end)

    @rule(machine=MACHINES)
    def sync(self, machine):
        if machine in self.log.up:
            self.log.synced[machine] = self.log.has[machine]
            self.disks[machine] = self.files[machine][: self.log.has[machine]]

    @precondition(lambda self: self.leader() is not None)
    @rule(machine=MACHINES)
    def lag(self, machine):
        self.log.lags(machine, len(self.log.records))

    @precondition(lambda self: len(self.log.up) > 1)
    @rule(machine=MACHINES, keep=st.sampled_from([True, True, False]))
    def down(self, machine, keep):
        if machine in self.log.up:
            self.disaster |= not keep and self.log.insync == [machine]
            self.log.down(machine, keep)
            if not keep:
                self.files[machine], self.disks[machine] = [], []

    @precondition(lambda self: len(self.log.up) < 3)
    @rule(machine=MACHINES)
    def back(self, machine):
        if machine not in self.log.up:
            self.log.back(machine)

    @precondition(lambda self: len(self.log.records) > 2)
    @rule()
    def power_cut(self):
        self.disks = [disk[:valid] for disk, valid in zip(self.disks, self.log.synced, strict=True)]  # else from another leader
        most = max(map(len, self.disks))
        self.log.power_cut()
        self.files = [list(disk) for disk in self.disks]
        assert len(self.log.records) == most
        self.seen = self.seen[:most]
        self.what_leads_is_the_log_of_the_leader()
        for machine in range(3):
            self.back(machine)

    @invariant()
    def what_leads_is_the_log_of_the_leader(self):
        numbers = [each.data for each in self.log.records]
        assert numbers == sorted(set(numbers)), "in order, each once"
        if self.leader() is not None:
            assert self.leader() in self.log.up
            assert self.leader() in self.log.insync
            assert self.files[self.leader()][: len(numbers)] == numbers
        for machine in range(3):
            assert self.log.synced[machine] <= self.log.has[machine] <= len(numbers)
            assert self.files[machine][: self.log.has[machine]] == numbers[: self.log.has[machine]]

    @invariant()
    def what_readers_have_seen_stays(self):
        visible = [each.data for each in self.log.read(0, 10_000)]
        if self.leader() is None:
            assert visible == []
            return
        if self.disaster:
            self.disaster, self.seen = False, visible
        assert visible[: len(self.seen)] == self.seen
        self.seen = visible


Copies.TestCase.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
TestCopies = Copies.TestCase


def test_a_partition_forgets_of_its_producers_what_its_log_loses():
    log = ReplicatedLog("orders/0", 1000, 2)
    numbers = log.sequences
    batches = [Batch([(event(n), 0)], first=n) for n in range(3)]
    for n, batch in enumerate(batches):
        assert numbers.check(7, batch) == ""
        log.append(event(n))
        log.copied(0, n + 1)
    log.copied(1, 1)
    log.lags(1, 0)
    log.down(0)
    assert [each.data for each in log.records] == [0]
    assert numbers.check(7, batches[0]) == "duplicate"
    assert numbers.check(7, batches[2]) == "out of order"
    assert numbers.check(7, batches[1]) == ""


# a lab


def power(lab, crash=(), acks="all", **options):
    orders = lab.stream("orders", **options)
    if acks != "all":
        orders.producer("client", Producer(acks=acks, idempotence=False, linger=0))
    lab.workload(orders, "order.placed", every=Exponential(0.01), count=2600, key="order")
    for each in crash:
        lab.crash(each, at=5)


def lost(faults, seeds=5, **options):
    return [measure.lost_acked(run(power, seed=seed, until=30, faults=faults, **options).trace) for seed in range(seeds)]


def test_after_a_power_cut_what_was_on_no_disk_is_gone():
    """100 orders a second, a sync each second: all of it, half a second of it, the least of three, nothing."""
    cut = PowerCut("orders", at=Uniform(20, 25))
    memory, one = lost(cut, flush=None), lost(cut, flush=1)
    three, synced = lost(cut, flush=1, replicas=3, min_insync=2), lost(cut, flush=0, replicas=3, min_insync=2)
    assert 1_900 < min(memory) <= max(memory) < 2_600
    assert 20 < statistics.mean(one) < 80
    assert 8 < statistics.mean(three) < statistics.mean(one)
    assert synced == [0] * 5


def test_in_sync_may_mean_one_copy():
    cut, crash = PowerCut("orders", at=Uniform(20, 25)), ("orders.2", "orders.3")
    alone = lost(cut, flush=1, replicas=3, crash=crash)
    assert 20 < statistics.mean(alone) < 80, "min_insync=1: as one copy"
    lab = run(power, seed=0, until=30, faults=cut, flush=1, replicas=3, min_insync=2, crash=crash)
    assert measure.lost_acked(lab.trace) == 0, "min_insync=2: nothing is confirmed any more"
    refused = lab.trace.where("decline", note="not enough replicas")
    assert len(refused) > 1000
    assert refused[0].time > 5


def test_what_only_a_dead_leader_had_is_gone_and_only_with_acks_1_somebody_relied_on_it():
    crash = Crash("orders", at=Uniform(20, 25))
    one = lost(crash, replicas=3, replication_lag=0.02, acks=1, seeds=20)
    assert 1 < statistics.mean(one) < 3, "100 a second, 20 ms"
    assert lost(crash, replicas=3, replication_lag=0.02) == [0] * 5


def confirmed(**options):
    """Seconds from the publish until the confirm leaves."""
    lab = Lab(1)
    orders = lab.stream("orders", **options)
    orders.publish("order.placed", {}, key=1)
    lab.run()
    (row,) = lab.trace.where("confirm")
    return row.time, row.tag


def test_the_price_of_a_confirm():
    assert confirmed(flush=1) == (0.001, 1)
    assert confirmed(replicas=3) == (0.003, 3)
    assert confirmed(replicas=3, flush=0, sync=0.005) == (0.008, 3)
    assert confirmed(replicas=3, replication_lag=0.02) == (0.021, 3)


def test_readers_see_what_all_in_sync_copies_have():
    lab, audit = Lab(1), Service("audit")
    orders = lab.stream("orders", replicas=2, replication_lag=0.5)

    @audit.on("#")
    async def read(event, ctx):
        ctx.log("read")

    lab.deploy(audit, on=orders)
    orders.publish("order.placed", {}, key=1)
    lab.run()
    assert lab.trace.where("append")[0].time == 0.001
    assert lab.trace.where("fetch")[0].time == pytest.approx(0.502)


def test_while_nobody_leads_there_is_nothing_to_read_or_write():
    lab, audit = Lab(1), Service("audit")
    orders = lab.stream("orders", replicas=2, flush=0)

    @audit.on("#")
    async def read(event, ctx):
        await ctx.sleep(0.5)

    lab.deploy(audit, on=orders, prefetch=1)
    for n in range(5):
        lab.at(n / 10, orders.publish, "order.placed", {}, n)
    lab.at(2, orders.publish, "order.placed", {}, 5)
    lab.power_cut("orders", at=1, restart_after=2)
    lab.run()
    assert [round(row.time, 1) for row in lab.trace.where("fetch")] == [0.0, 0.5, 3.0, 3.5, 4.0]
    assert [row.note for row in lab.trace.where("decline")] == ["no leader"]


def test_a_service_is_told_no_or_that_nobody_knows():
    lab, web = Lab(1), Service("web")
    shop, orders = lab.broker("shop"), lab.stream("orders", replicas=2, min_insync=2, replication_lag=0.1)
    answers = []

    @web.on("order.placed")
    async def place(event, ctx):
        try:
            await ctx.publish("order.seen", {})
            answers.append("yes")
        except (CallRefused, CallTimeout) as error:
            answers.append(error.outcome)

    lab.deploy(web, on=shop, publishes=orders)
    for n in range(4):
        lab.at(n, shop.publish, "order.placed", {}, n)
    lab.crash("orders.2", at=0.5, restart_after=1)
    lab.crash("orders.1", at=2.05)
    lab.run()
    assert answers == ["yes", "no", "unknown", "no"]
    assert [row.note for row in lab.trace.where("decline")] == ["not enough replicas", "not enough replicas"]
    assert lab.stuck() == []


def test_a_follower_that_is_cut_off_is_out_of_sync_and_back_again():
    lab = Lab(1)
    orders = lab.stream("orders", replicas=2, lag_time=1)
    lab.workload(orders, "order.placed", every=0.1, count=50, key="order")
    lab.hold("orders.1", "orders.2", at=1)
    lab.release("orders.1", "orders.2", at=3)
    lab.run()
    out, back = lab.trace.where("insync")
    assert (out.note, back.note) == ("orders.1", "orders.1 orders.2")
    assert out.time == pytest.approx(2.001)
    assert back.time == pytest.approx(3.001)
    waited = [row.time - row.began for row in lab.trace.where("confirm")]
    assert max(waited) == pytest.approx(1.001), "until then acks=all waits for it"
    assert len(waited) == 50


def test_a_duplicate_of_what_is_safe_is_confirmed_at_once():
    lab = Lab(1)
    orders = lab.stream("orders", replicas=2)
    orders.producer("web", Producer(timeout=0.1, backoff=0.01))
    orders.publish("order.placed", {}, key=1, source="web")
    lab.faults(Faults(drop=1, leg="confirm", times=1))
    lab.run(until=5)
    assert [row.note for row in lab.trace.where("decline")] == ["duplicate"]
    assert len(lab.trace.where("confirm")) == 2
    assert len(lab.trace.where("resend")) == 1


def test_what_has_too_few_copies_once_it_is_written_may_be_there_or_not():
    lab, web, heard = Lab(1), Service("web"), []
    shop, orders = lab.broker("shop"), lab.stream("orders", replicas=2, min_insync=2, replication_lag=0.1)

    @web.on("order.placed")
    async def place(event, ctx):
        try:
            await ctx.publish("order.seen", {})
        except CallTimeout as error:
            heard.append(error.outcome)

    lab.deploy(web, on=shop, publishes=orders)
    shop.publish("order.placed", {}, 1)
    lab.crash("orders.2", at=0.05)
    lab.run()
    assert heard == ["unknown"]
    assert len(orders.logs[0].records) == 1
    assert not lab.trace.where("confirm")


def test_a_producer_does_not_try_for_ever():
    lab = Lab(1)
    orders = lab.stream("orders", replicas=2, min_insync=2)
    orders.producer("web", Producer(delivery_timeout=3))
    lab.crash("orders.2")
    lab.workload(orders, "order.placed", every=1, count=1, key="order", source="web")
    lab.run()
    assert [round(row.time - row.began, 1) for row in lab.trace.where("timeout")] == [3.1]
    assert {row.note for row in lab.trace.where("decline")} == {"not enough replicas"}
    assert orders.logs[0].records == []


@pytest.mark.parametrize("restart", [0.2, None])
def test_an_idempotent_producer_goes_on_with_the_next_leader(restart):
    lab = Lab(4)
    orders = lab.stream("orders", replicas=3, min_insync=2, replication_lag=0.02)
    orders.producer("web", Producer(batch=2, linger=0.005, timeout=0.3, backoff=0.02))
    lab.workload(orders, "order.placed", every=0.004, count=800, data=lambda n, _: {"order": n}, source="web")
    lab.faults(Faults(drop=0.02, leg="publish") + Faults(drop=0.02, leg="confirm") + Crash("orders", at=1, restart_after=restart))
    lab.run()
    assert [each.data["order"] for each in orders.logs[0].records] == list(range(1, 801))
    assert lab.trace.where("decline", note="duplicate")
    assert len({row.event.id for row in lab.trace.where("confirm")}) == 800


def test_after_a_power_cut_a_producer_whose_confirmed_records_are_gone_begins_anew():
    lab = Lab(4)
    orders = lab.stream("orders", replicas=3, flush=1)
    orders.producer("web", Producer(batch=1, linger=0, timeout=1, backoff=0.02))
    lab.workload(orders, "order.placed", every=0.01, count=600, data=lambda n, _: {"order": n}, source="web")
    lab.faults(PowerCut("orders", at=3.5, restart_after=0.5))
    lab.run()
    written = [each.data["order"] for each in orders.logs[0].records]
    gone = sorted(set(range(1, 601)) - set(written))
    assert written == sorted(set(written)), "in order, none twice"
    assert 0 < len(gone) == measure.lost_acked(lab.trace) < 100
    assert gone == list(range(gone[0], gone[-1] + 1)), "one gap, and the rest is there"


def test_a_reader_that_was_ahead_of_the_new_end_is_reset():
    lab, audit, seen = Lab(4), Service("audit"), []
    orders = lab.stream("orders", flush=1)

    @audit.on("#")
    async def read(event, ctx):
        seen.append(event.data["order"])

    lab.deploy(audit, on=orders)
    lab.workload(orders, "order.placed", every=0.01, count=600, key="order")
    lab.faults(PowerCut("orders", at=3.5, restart_after=0.01))
    lab.run()
    assert lab.trace.where("reset")
    assert len(orders.logs[0].records) < max(seen)
    assert set(range(1, 346)) <= set(seen)


@pytest.mark.parametrize("first", range(0, 20, 5))
def test_no_confirmed_record_is_lost_while_a_copy_in_sync_is_left(first):
    for number in range(first, first + 5):
        pick = random.Random(f"survivor {number}")
        lab = Lab(number)
        orders = lab.stream("orders", partitions=2, replicas=3, min_insync=2, replication_lag=Exponential(0.01), flush=1)
        orders.producer("web", Producer(batch=3, linger=0.01, timeout=0.1, backoff=0.02))
        for source in ("web", "shop"):
            lab.workload(orders, "order.placed", every=Exponential(0.02), count=200, key="order", source=source)
        for n in range(8):  # one machine at a time
            lab.crash(
                pick.choice(["orders", "orders.1", "orders.2", "orders.3"]),
                at=0.1 + n * 0.5,
                restart_after=pick.uniform(0.01, 0.3),
            )
        lab.faults(Faults(drop=0.05, delay=Exponential(0.005)))
        lab.run(until=120)
        assert len({row.event.id for row in lab.trace.where("confirm")}) > 200
        assert measure.lost_acked(lab.trace) == 0
        for log in orders.logs:
            ids = [each.id for each in log.records]
            assert len(ids) == len(set(ids)), "none twice"
            mine = [int(each.key) for each in log.records if each.source == "web"]
            assert mine == sorted(mine), "in the order of the producer"


def test_the_same_seed_is_the_same_trace():
    digests = [replica_systems.build(Lab(number), number).run(60).trace.digest() for number in range(6) for _ in range(2)]
    assert digests[::2] == digests[1::2]
    assert len(set(digests)) == 6


def test_without_the_options_a_stream_is_what_it_was():
    assert type(Lab(1).stream("orders")) is not ReplicatedStream
    assert isinstance(Lab(1).stream("orders", min_insync=1), ReplicatedStream)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"replicas": 0}, "replicas=0: 1 or more"),
        ({"replicas": 2.0}, "replicas=2.0"),
        ({"replicas": 2, "min_insync": 3}, "min_insync=3, replicas=2"),
        ({"replicas": 2, "flush": -1}, "flush"),
        ({"replicas": 2, "flsh": 1}, "options are: .*flush"),
    ],
)
def test_what_cannot_be_is_said(options, says):
    with pytest.raises((ArgumentError, WiringError, ValueError), match=says):
        Lab(1).stream("orders", **options)


def test_only_a_stream_with_copies_can_lose_its_power():
    lab = Lab(1)
    lab.stream("orders")
    with pytest.raises(WiringError, match="replicas= or flush="):
        lab.power_cut("orders")
    with pytest.raises(WiringError, match=r"no service or instance named 'orders\.2'"):
        lab.crash("orders.2")
    lab.stream("copies", replicas=2)
    lab.crash("copies.2")
    with pytest.raises(WiringError, match=r"copies, copies\.1, copies\.2"):
        lab.crash("copies.3")
    assert [row.who for row in lab.trace.where("crash")] == ["copies.2"]
