"""What notebook 03 says about the joints of a system, on other seeds than its own."""

import sys
from pathlib import Path

import pytest

from edakit import Crash, Lab, Service, measure, run
from edakit.trace import Keys

sys.path.append(str(Path(__file__).parent.parent / "notebooks"))

from shop import four_boxes, in_hand, placing, power, receipts, routing, telemetry, wholesale
from shop.event_store import ConflictError, EventStore

SEEDS = range(5)


def total(build, figures, **knobs):
    """The figures of a few seeds, added up."""
    rows = [figures(run(build, seed=seed, **knobs)) for seed in SEEDS]
    return {name: sum(row[name] for row in rows) for name in rows[0]}


@pytest.mark.parametrize("way", placing.WAYS)
def test_each_way_to_save_and_publish_pays_in_its_own_coin(way):
    found = total(placing.placing, placing.two_counters, way=way, orders=300, faults=placing.GAP)
    assert {name for name in ("lost", "phantom", "twice") if found[name]} == {
        {"save-first": "lost", "publish-first": "phantom", "outbox": "twice"}[way]
    }


def test_a_request_that_waits_in_a_queue_heals_the_gap():
    lab = run(placing.placing, seed=1, queue=True, orders=300, faults=placing.GAP)
    assert lab.trace.where("crash")
    assert placing.two_counters(lab)["lost"] == 0


def test_the_outbox_keeps_the_order_of_the_commits():
    lab = run(placing.placing, seed=1, way="outbox", faults=placing.GAP)
    assert list(lab.trace.keys("order.placed")) == list(placing.saved(lab))


def test_acknowledged_and_gone_by_policy():
    gone = {
        each: total(power.kept, power.promises, policy=each, faults=power.LIGHTS_OUT)["acked, gone"] for each in power.POLICIES
    }
    assert gone["memory"] > gone["one-copy"] > gone["three-copies"] > gone["synced-first"] == 0


def test_one_copy_in_sync_is_one_copy_unless_two_must_be():
    one, two = (total(power.kept, power.promises, alone=True, min_insync=least, faults=power.LIGHTS_OUT) for least in (1, 2))
    assert one["acked, gone"] > 0
    assert two["acked, gone"] == 0
    assert two["refused"] > one["refused"]


def test_the_place_of_the_commit_chooses_lost_or_twice():
    sides = {
        name: total(receipts.receipts, receipts.anomalies, orders=300, faults=receipts.AT_EACH_AWAIT, **knobs)
        for name, knobs in {"before": {"commit": "before"}, "after": {}, "ids": {"remember": True}}.items()
    }
    assert sides["before"]["lost"] > 0 == sides["before"]["twice"]
    assert sides["after"]["twice"] > 0 == sides["after"]["lost"]
    assert sides["ids"] == {"lost": 0, "twice": 0}


def test_the_best_prefetch_is_neither_one_nor_all():
    seconds = {
        n: in_hand.pace(run(in_hand.packing_hall, seed=1, prefetch=n, slow=10, orders=300))["seconds"] for n in (1, 10, 300)
    }
    assert min(seconds, key=seconds.get) == 10


def test_what_a_dead_worker_held_is_packed_by_another():
    lab = run(in_hand.packing_hall, seed=1, prefetch=100, slow=10, orders=300, faults=Crash("packing.2", at=0.5))
    assert len(Keys(row.event.key for row in lab.trace.where("handle"))) == 300
    assert max(measure.deliveries(lab.trace).values()) == 2


@pytest.mark.parametrize("way", routing.WAYS)
def test_who_reads_the_label(way):
    found = routing.kilobytes(run(routing.eu_only, seed=1, way=way))
    assert found["used kB"] > 0
    assert (found["times"] == 1) == (way != "kafka")
    assert (found["carried kB"] == found["published kB"]) == (way == "kafka")


def test_two_writers_oversell_a_log_and_never_a_store():
    found = {kind: total(wholesale.wholesalers, wholesale.oversold, kept_in=kind) for kind in ("log", "store")}
    assert found["log"]["oversold"] > 0 == found["log"]["conflicts"]
    assert found["store"]["conflicts"] > 0 == found["store"]["oversold"]
    assert wholesale.reads(run(wholesale.one_item, items=50)) == {"from the log": 250, "from the store": 6}


def test_a_sample_keeps_the_rate_and_loses_the_orders():
    found = telemetry.extrapolated(run(telemetry.sampled, seed=1))
    assert abs(found["revenue off, %"]) < 40
    assert found["parcels, %"] < 20
    assert telemetry.swapped(run(telemetry.clicks, seed=1, skew=0)) == {"wrong way round, %": 0}


def test_the_mended_boxes_agree_whatever_happens_and_the_others_do_not():
    mended = [run(four_boxes.four_boxes, seed=seed, mended=True, orders=60, faults=four_boxes.EVERYTHING) for seed in SEEDS]
    assert all(lab.trace.where("crash") for lab in mended)
    assert [len(set(four_boxes.counters(lab).values())) for lab in mended] == [1] * len(SEEDS)
    assert len(set(four_boxes.counters(run(four_boxes.four_boxes, orders=60, faults=four_boxes.EVERYTHING)).values())) > 1


def with_store(work):
    """Run `work(store)` in a handler; the lab."""
    lab, desk = Lab(), Service("desk")

    @desk.on("go")
    async def go(event, ctx):
        await work(EventStore(ctx.db), ctx)

    shop = lab.broker("shop")
    lab.deploy(desk, on=shop, db=lab.database("db"), delivery_limit=1)
    shop.publish("go")
    return lab.run()


def test_a_store_appends_all_or_nothing_at_the_expected_version():
    async def work(store, ctx):
        assert await store.load("tea") == ([], 0)
        assert await store.append("tea", [{"n": 1}, {"n": 2}], expected_version=0) == 2
        with pytest.raises(ConflictError, match="tea is at version 2, you expected 0"):
            await store.append("tea", [{"n": 3}], expected_version=0)
        assert await store.load("tea") == ([{"n": 1}, {"n": 2}], 2)
        assert await store.append("tea", [{"n": 3}], expected_version=None) == 3
        assert await store.load("mugs") == ([], 0)
        ctx.log("done")

    assert with_store(work).trace.where("log", note="done")
