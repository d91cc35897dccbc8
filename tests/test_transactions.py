"""Transactions: the rules against a plain model, and read-process-write in a lab whose instances die."""

import itertools
from collections import Counter

import pytest
import transaction_systems
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edakit import Lab, Service
from edakit.errors import ArgumentError, WiringError
from edakit.event import NOTHING, Event
from edakit.stream import Producer
from edakit.stream.log import Log
from edakit.stream.transactions import Transactions

PRODUCERS = st.integers(1, 3)


def event(n):
    return Event(f"order-{n}.placed.1", "order.placed", "web", n, str(n), 0, None, f"order-{n}.placed.1", NOTHING)


class Partition(RuleBasedStateMachine):
    """The model: a list of (value, transaction), and what became of each transaction."""

    def __init__(self):
        super().__init__()
        self.log = Log("orders/0", 3)
        self.part = Transactions(self.log)
        self.written, self.fate, self.running, self.count = [], {}, {}, 0

    @rule(producer=PRODUCERS)
    def write(self, producer):
        if producer not in self.running:
            self.running[producer] = len(self.fate)
            self.fate[len(self.fate)] = "open"
        self.part.write(producer, self.log.append(event(self.count)))
        self.written.append((self.count, self.running[producer]))
        self.count += 1

    @rule()
    def write_outside(self):
        self.log.append(event(self.count))
        self.fate[-1] = "commit"
        self.written.append((self.count, -1))
        self.count += 1

    @rule(producer=PRODUCERS, commit=st.booleans())
    def end(self, producer, commit):
        if producer in self.running:
            self.fate[self.running.pop(producer)] = "commit" if commit else "abort"
            self.part.end(producer, self.log.append(event(-1)), commit)

    def read(self, isolation, most):
        """All there is to read, so many at a time."""
        found, offset = [], 0
        while some := self.part.scan(offset, most, isolation):
            assert len(some) <= most
            found += [each.data for _, each in some]
            offset = some[-1][0] + 1
        end = self.part.stable if isolation == "read_committed" else len(self.log.records)
        assert self.part.passed(offset, isolation) == max(offset, end), "a reader who has all there is stands at the end"
        return found

    @invariant()
    def a_reader_gets_what_its_isolation_promises(self):
        decided = list(itertools.takewhile(lambda each: self.fate[each[1]] != "open", self.written))
        for most in (1, 2, 100):
            assert self.read("read_uncommitted", most) == [value for value, _ in self.written]
            assert self.read("read_committed", most) == [value for value, tx in decided if self.fate[tx] == "commit"]


Partition.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestPartition = Partition.TestCase


def visible(stream, isolation):
    """What a reader can get of a stream now, by partition."""
    return [[each for _, each in stream.transactions.part(n).scan(0, 10_000, isolation)] for n in range(len(stream.logs))]


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_each_order_has_its_bill_and_its_letter_once_whatever_dies(first):
    for number in range(first, first + 10):
        lab = transaction_systems.build(Lab(number), number)
        lab.run(200)
        papers = lab.homes["papers"]
        found = Counter((each.type, each.data["order"]) for part in visible(papers, "read_committed") for each in part)
        both = [(kind, n) for kind in ("bill.written", "letter.written") for n in range(1, transaction_systems.ORDERS + 1)]
        assert found == Counter(both), number
        assert lab.homes["orders"].lag("clerk") == 0
        assert not any(part.open for part in papers.transactions.parts.values())
        handed = Counter(row.event.id for row in lab.trace.where("fetch", note="bank"))
        assert set(handed.values()) == {1}
        assert len(handed) == len(both)


def test_some_of_that_is_seen_by_those_who_read_uncommitted():
    seen = 0
    for number in range(10):
        lab = transaction_systems.build(Lab(number), number)
        lab.run(200)
        seen += sum(len(part) for part in visible(lab.homes["papers"], "read_uncommitted")) - 2 * transaction_systems.ORDERS
        assert lab.trace.where("marker", note="abort")
    assert seen > 10


def clerk_lab(handler, **options):
    """Orders come in, papers go out; two readers."""
    lab, clerk = Lab(1), Service("clerk")
    orders, papers = lab.stream("orders"), lab.stream("papers")
    clerk.on("order.placed")(handler)
    papers.producer("clerk", Producer(transactional=True, linger=0, **options))
    lab.deploy(clerk, on=orders, publishes=papers, on_error="reject")
    for isolation in ("read_committed", "read_uncommitted"):
        reader = Service(isolation)

        @reader.on("#")
        async def read(event, ctx):
            ctx.log(f"{event.type} {event.data['order']}")

        lab.deploy(reader, on=papers, isolation=isolation)
    return lab, orders, papers


def when(lab, who):
    return [(round(row.time, 3), row.note) for row in lab.trace.where("log", who=who)]


def test_an_open_transaction_holds_back_whoever_reads_committed_and_all_that_is_behind_it():
    async def write(order, ctx):
        async with ctx.transaction():
            await ctx.publish("bill.written", order.data)
            await ctx.sleep(1)

    lab, orders, papers = clerk_lab(write)
    orders.publish("order.placed", {"order": 1}, key=1)
    lab.at(0.5, papers.publish, "flyer.printed", {"order": 0}, 0)
    lab.run()
    assert when(lab, "read_uncommitted") == [(0.006, "bill.written 1"), (0.503, "flyer.printed 0")]
    assert when(lab, "read_committed") == [(1.008, "bill.written 1"), (1.008, "flyer.printed 0")]


def test_what_raises_in_the_block_aborts_it_and_the_offset_is_not_part_of_it():
    async def write(order, ctx):
        async with ctx.transaction():
            await ctx.publish("bill.written", order.data)
            raise ValueError("blot")

    lab, orders, _ = clerk_lab(write)
    orders.publish("order.placed", {"order": 1}, key=1)
    lab.run()
    assert [row.note for row in lab.trace.where("marker")] == ["abort"]
    assert [row.note for row in lab.trace.where("skip")] == ["clerk"]
    assert len(when(lab, "read_uncommitted")) == 1
    assert when(lab, "read_committed") == []


def test_after_a_crash_that_nobody_mends_the_transaction_is_aborted_when_its_time_is_up():
    async def write(order, ctx):
        async with ctx.transaction():
            await ctx.publish("bill.written", order.data)
            await ctx.sleep(5)

    lab, orders, papers = clerk_lab(write, transaction_timeout=10)
    orders.publish("order.placed", {"order": 1}, key=1)
    lab.crash("clerk", at=1)
    lab.at(2, papers.publish, "flyer.printed", {"order": 0}, 0)
    lab.run()
    (marker,) = lab.trace.where("marker")
    assert (marker.note, round(marker.time, 3)) == ("abort", 10.004)
    assert when(lab, "read_committed") == [(10.006, "flyer.printed 0")]


def test_who_takes_too_long_is_fenced_and_may_try_again():
    async def write(order, ctx):
        async with ctx.transaction():
            await ctx.publish("bill.written", order.data)
            await ctx.sleep(20 if order.data["order"] == 1 else 0.1)

    lab, orders, _ = clerk_lab(write, transaction_timeout=10)
    for n in (1, 2):
        orders.publish("order.placed", {"order": n}, key=1)
    lab.run()
    assert "aborted" in lab.trace.where("fail")[0].note
    assert [row.note for row in lab.trace.where("marker")] == ["abort", "commit"]
    assert [note for _, note in when(lab, "read_committed")] == ["bill.written 2"]


def test_the_transaction_ends_before_the_handler_and_a_crash_between_repeats_nothing():
    async def write(order, ctx):
        async with ctx.transaction():
            await ctx.publish("bill.written", order.data)
        await ctx.sleep(1)

    lab, orders, _ = clerk_lab(write)
    orders.publish("order.placed", {"order": 1}, key=1)
    lab.crash("clerk", at=0.5, restart_after=0.1)
    lab.run()
    assert [note for _, note in when(lab, "read_uncommitted")] == ["bill.written 1"]
    assert orders.lag("clerk") == 0


def test_the_end_does_not_overtake_a_record_for_which_nobody_waits_any_more():
    async def write(order, ctx):
        async with ctx.transaction():
            try:
                async with ctx.timeout(0.1):
                    await ctx.publish("bill.written", order.data)
            except TimeoutError:
                ctx.log("written in the end")

    lab, clerk = Lab(1), Service("clerk")
    orders, papers = lab.stream("orders"), lab.stream("papers")
    clerk.on("order.placed")(write)
    papers.producer("clerk", Producer(transactional=True, linger=0.5))
    lab.deploy(clerk, on=orders, publishes=papers)
    orders.publish("order.placed", {"order": 1}, key=1)
    lab.run()
    assert [row.kind for row in lab.trace.where(("append", "marker"), place="papers/0")] == ["append", "marker"]
    assert [[each.data["order"] for each in part] for part in visible(papers, "read_committed")] == [[1]]


def test_who_asks_again_for_the_end_gets_the_same_answer():
    async def write(order, ctx):
        async with ctx.transaction():
            await ctx.publish("bill.written", order.data)
        ctx.log("committed")

    lab, orders, papers = clerk_lab(write)
    orders.publish("order.placed", {"order": 1}, key=1)
    lab.partition("papers", "clerk", at=0.0059, oneway=True)  # the answer to the end of the transaction is lost
    lab.repair("papers", "clerk", at=1)
    lab.at(2, lambda: orders.seek("clerk", offset=1))  # so that the record is no longer its own
    lab.run()
    assert len(lab.trace.where("drop")) == 1
    assert [note for _, note in when(lab, "clerk")] == ["committed"]
    assert not lab.trace.where("fail")
    assert visible(papers, "read_committed")[0][0].data == {"order": 1}


def test_a_record_outside_a_transaction_is_a_mistake():
    async def write(order, ctx):
        await ctx.publish("bill.written", order.data)

    lab, orders, _ = clerk_lab(write)
    orders.publish("order.placed", {"order": 1}, key=1)
    with pytest.raises(WiringError, match=r"clerk publishes bill\.written outside a transaction"):
        lab.run()


@pytest.mark.parametrize("kind", ["broker", "stream"])
def test_a_service_without_a_transactional_producer_has_no_transactions(kind):
    lab, clerk = Lab(1), Service("clerk")
    home = lab.stream("papers") if kind == "stream" else lab.broker("papers")

    @clerk.on("order.placed")
    async def write(order, ctx):
        async with ctx.transaction():
            pass

    lab.deploy(clerk, on=home)
    home.publish("order.placed", {}, key=1)
    with pytest.raises(WiringError, match="transaction"):
        lab.run()


def test_what_cannot_be_is_said():
    lab = Lab(1)
    with pytest.raises(ArgumentError, match="needs idempotence"):
        Producer(transactional=True, idempotence=False)
    with pytest.raises(WiringError, match="has copies"):
        lab.stream("copies", replicas=2).producer("web", Producer(transactional=True))
    service = Service("reader")

    @service.on("#")
    async def read(event, ctx):
        pass

    with pytest.raises(WiringError, match="no isolation named 'serializable'"):
        lab.deploy(service, on=lab.stream("orders"), isolation="serializable")


@pytest.mark.parametrize("fails", [False, True])
def test_a_reader_of_what_is_committed_comes_to_the_end_past_markers_and_aborted_records(fails):
    async def write(order, ctx):
        async with ctx.transaction():
            await ctx.publish("bill.written", order.data)
            if fails and order.data["order"] == 1:
                raise ValueError("no paper")

    lab, orders, papers = clerk_lab(write)
    for n in (1, 2):
        orders.publish("order.placed", {"order": n}, key=n)
    lab.run()
    assert [row.note for row in lab.trace.where("marker")] == ["abort" if fails else "commit", "commit"]
    assert papers.lag("read_committed") == 0
