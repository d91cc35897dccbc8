"""What a stream forgets: by age, by size, all but the last of each key; and what that does to a slow reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit import Lab, Service
from edakit.errors import ArgumentError, WiringError
from edakit.event import NOTHING, Event
from edakit.stream import Log
from edakit.units import SECOND


def event(n, at=0.0, key="k", data="x"):
    id = f"tick.{n}"
    return Event(id, "tick", "web", data, key, round(at * SECOND), None, id, NOTHING)


def written(segment, times, **more):
    log = Log("orders/0", segment)
    for n, at in enumerate(times):
        log.append(event(n, at, **more))
    return log


times = st.lists(st.integers(0, 20), max_size=30).map(sorted)


@given(times, st.integers(1, 5), st.integers(0, 30), st.integers(0, 10))
def test_by_age_a_segment_goes_when_its_youngest_record_is_too_old(times, segment, now, keep):
    log = written(segment, times)
    log.expire(now * SECOND, keep * SECOND)
    kept = times[log.start :]
    old = [at for at in times if now - at > keep]
    assert len(times) - len(kept) in (len(old), len(old) // segment * segment)
    assert [event.ns // SECOND for event in log.read(0, 100)] == kept
    if len(old) == len(times):
        assert log.start == log.end, "the active segment goes too, when all of it is too old"


@given(st.integers(0, 30), st.integers(1, 5), st.integers(0, 40), st.sampled_from([0, 1, 8]))
def test_by_size_the_oldest_closed_segments_go_as_long_as_enough_is_left(count, segment, records, odd):
    log = written(segment, [0] * count)
    size = len('["k","x"]')
    keep = records * size + odd
    log.expire(0, None, keep)
    left = count - log.start
    assert left * size >= min(keep, count * size), "never less than was asked for"
    assert log.start % segment == 0
    gone_too = min(segment, count - log.start)  # one segment more would have been too much, or was the active one
    assert (left - gone_too) * size < keep or left <= segment
    assert log.expire(0, None, keep) == log.start, "and then nothing more"


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, 1])), max_size=30),
    st.integers(1, 5),
    st.lists(st.integers(1, 30), max_size=3),
)
def test_compaction_in_steps_keeps_the_last_word_of_each_key_and_every_offset(records, segment, looks):
    log, model = Log("stock/0", segment), []
    for n, (key, data) in enumerate(records):
        log.append(event(n, n, key, data))
        model.append((key, data))
        if n in looks:
            log.compact(n * SECOND, 5)
    log.compact(100 * SECOND, 5)
    closed = len(records) // segment * segment
    last = {key: n for n, (key, _) in enumerate(model[:closed])}
    expected = [n for key, n in last.items() if model[n][1] is not None] + list(range(closed, len(model)))
    assert [offset for offset, _ in log.scan(0, 100)] == sorted(expected)
    for n in range(len(model)):
        assert [offset for offset, _ in log.scan(n, 2)] == sorted(each for each in expected if each >= n)[:2]


def reading(lab, orders, seconds, name="report", **options):
    service, seen = Service(name), []

    @service.on("#")
    async def handle(event, ctx):
        await ctx.sleep(seconds)
        seen.append(ctx.delivery.offset)

    lab.deploy(service, on=orders, **options)
    return seen


def test_a_reader_slower_than_the_retention_falls_off_and_goes_on_at_the_earliest_there_is():
    lab = Lab(1)
    orders = lab.stream("orders", retention=2, segment=5, check=0.5)
    fast, slow = reading(lab, orders, 0.001), reading(lab, orders, 0.2, "slow", prefetch=5)
    lab.workload(orders, "order.placed", every=0.02, count=300, key="order")
    lab.run()
    assert fast == list(range(300))
    assert slow == sorted(set(slow)), "in order, none twice"
    resets = lab.trace.where("reset")
    assert resets
    assert {row.who for row in resets} == {"slow"}
    lost = sorted(set(range(300)) - set(slow))
    jumps = [(before + 1, row.tag) for row in resets if (before := max(n for n in slow if n < row.tag)) is not None]
    assert lost == [n for a, b in jumps for n in range(a, b)], "what is missing are the jumps, and nothing else"
    for row in resets:
        assert lab.trace.state_at(row.time).starts["orders/0"] == row.tag


def test_with_latest_it_jumps_to_the_end():
    lab = Lab(1)
    orders = lab.stream("orders", retention=1, segment=5, check=0.5, start="latest")
    reading(lab, orders, 0.2, prefetch=5)
    lab.workload(orders, "order.placed", every=0.02, count=300, key="order")
    lab.run()
    resets = lab.trace.where("reset")
    assert resets
    for row in resets:
        assert row.tag == len(lab.trace.state_at(row.time).logs["orders/0"])


def test_a_group_that_was_away_too_long_falls_off_as_well_and_retention_keeps_no_run_alive():
    lab = Lab(1)
    orders = lab.stream("orders", retention=60, check=10)
    for n in range(10):
        orders.publish("order.placed", {"n": n}, key="1")
    assert lab.run().now < 1
    seen = []
    lab.at(100, lambda: seen.append(reading(lab, orders, 0.01)))
    lab.at(101, lambda: orders.publish("order.placed", {}, key="1"))
    lab.run()
    assert seen == [[10]]
    assert [(row.time, row.tag) for row in lab.trace.where("expire")] == [(pytest.approx(100, abs=0.01), 10)]


def test_a_look_that_is_made_up_for_finds_what_it_would_have_found_in_time():
    lab = Lab(1)
    orders = lab.stream("orders", retention=60, check=10, segment=1)
    for at in (5, 68, 72):
        lab.at(at, lambda: orders.publish("order.placed", {}, key="1"))
    lab.run(69)
    assert not lab.trace.where("expire"), "at 60 it was 55 s old, and between two looks nothing goes"
    lab.run()
    assert [row.tag for row in lab.trace.where("expire")] == [1], "at 70 it was 65 s old"


def test_a_compacted_topic_shows_a_live_reader_everything_and_a_late_one_the_last_words():
    lab = Lab(1)
    stock = lab.stream("stock", compact=True, segment=10, delete_retention=1, check=0.1)
    live = reading(lab, stock, 0.001, "live")
    lab.workload(stock, "stock.counted", every=0.05, count=100, data=lambda n, _: {"sku": n % 4, "left": n}, key="sku")
    lab.at(1, lambda: stock.publish("stock.ended", None, key="0"))
    late = []
    lab.at(6, lambda: late.append(reading(lab, stock, 0.001, "late")))
    lab.run()
    assert live == list(range(101))
    closed = 100
    assert [n for n in late[0] if n >= closed] == [100]
    words = {row.event.key: row.tag for row in lab.trace.where("append")[:closed]}
    assert [n for n in late[0] if n < closed] == sorted(words.values())


@pytest.mark.parametrize(("prefetch", "instances", "assignor"), [(1, 1, None), (7, 2, "range"), (7, 2, "cooperative-sticky")])
def test_a_reader_that_compaction_overtakes_misses_only_what_has_been_said_again(prefetch, instances, assignor):
    lab, table, seen = Lab(1), {}, []
    stock = lab.stream("stock", partitions=2, compact=True, segment=5, check=0.1, assignor=assignor)
    slow = Service("slow")

    @slow.on("#")
    async def read(event, ctx):
        await ctx.sleep(0.2)
        table[event.key] = event.data["left"]
        seen.append((ctx.delivery.place, ctx.delivery.offset))

    lab.deploy(slow, on=stock, prefetch=prefetch, instances=instances)
    lab.workload(stock, "stock.counted", every=0.02, count=200, data=lambda n, _: {"sku": n % 8, "left": n}, key="sku")
    lab.run()
    written = [(row.place, row.tag) for row in lab.trace.where("append")]
    for place in ("stock/0", "stock/1"):
        offsets = [offset for where, offset in seen if where == place]
        assert offsets == sorted(set(offsets)), "in order, and none twice"
    assert len(seen) < len(written), "it has been overtaken"
    assert table == {str(n % 8): n for n in range(1, 201)}
    assert stock.lag("slow") == 0


def test_a_tombstone_is_there_for_a_while_and_then_it_is_gone():
    for wait, expected in ((0.5, [2, 3]), (5, [3])):
        lab = Lab(1)
        stock = lab.stream("stock", compact=True, segment=1, delete_retention=2, check=0.1)
        stock.publish("stock.counted", {"left": 1}, key="a")
        stock.publish("stock.counted", {"left": 2}, key="a")
        stock.publish("stock.ended", None, key="a")
        lab.at(wait, lambda stock=stock: stock.publish("stock.counted", {"left": 3}, key="b"))
        lab.run()
        seen = reading(lab, stock, 0.001)
        stock.clean()
        lab.run()
        assert seen == expected


def test_without_a_key_a_batch_sticks_to_one_partition_and_then_goes_to_the_next():
    lab = Lab(1)
    orders = lab.stream("orders", partitions=3, sticky=4)
    for _ in range(10):
        orders.publish("order.placed")
    lab.run()
    assert [row.place[-1] for row in lab.trace.where("append")] == list("1111222200")


def test_seek_to_an_offset_and_to_one_that_is_not_there():
    lab = Lab(1)
    orders = lab.stream("orders")
    seen = reading(lab, orders, 0.001)
    for n in range(6):
        orders.publish("order.placed", {}, key=n)
    lab.run()
    orders.seek("report", offset=4)
    lab.run()
    orders.seek("report", offset=99)
    lab.run()
    assert seen == [*range(6), 4, 5, *range(6)]
    assert [row.tag for row in lab.trace.where("reset")] == [0]
    for wrong in ({}, {"to": "latest", "offset": 1}):
        with pytest.raises(WiringError, match="give one of them"):
            orders.seek("report", **wrong)
    with pytest.raises(WiringError, match="offset=-1: a whole number, 0 or more"):
        orders.seek("report", offset=-1)


def test_what_cannot_be_kept_is_said():
    lab = Lab(1)
    for wrong, message in (
        ({"segment": 0}, "segment=0"),
        ({"retention": -1}, "retention is -1"),
        ({"retention_bytes": 1.5}, "retention_bytes=1.5"),
        ({"check": 0, "compact": True}, "check=0"),
    ):
        with pytest.raises(ValueError, match=message):
            lab.stream("orders", **wrong)
    with pytest.raises(WiringError, match="sticky=0"):
        lab.stream("orders", sticky=0)
    stock = lab.stream("stock", compact=True)
    stock.publish("stock.counted", {})
    with pytest.raises(WiringError, match=r"stock.counted has no key, and stock is compacted.*Give key="):
        lab.run()
    assert issubclass(ArgumentError, ValueError)
