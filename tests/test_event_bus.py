"""An event bus like EventBridge: rules, retries, dead letters, archive and replay; alone and in a lab."""

import random
from dataclasses import replace
from itertools import pairwise
from statistics import mean

import matplotlib.pyplot as plt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edakit import Crash, Faults, Lab, Service, plot
from edakit.bus.bus import BACKOFF, Archive, Patience, Rule, Rules
from edakit.errors import ArgumentError, PatternError, WiringError
from edakit.event import NOTHING, Event
from edakit.presets import PRESETS
from edakit.units import SECOND, hours, minutes


def event(n: int, at: float = 0, type: str = "order.placed", **data: object) -> Event:
    return Event(f"{type}.{n}", type, "shop", data, None, round(at * SECOND), None, f"{type}.{n}", NOTHING)


def target(name: str, *patterns: str, takes: float = 0, fails: tuple[int, ...] = ()) -> Service:
    service = Service(name)

    @service.on(*patterns or ("order.#",))
    async def handle(event, ctx):
        await ctx.sleep(takes)
        if event.data["order"] in fails:
            raise ValueError("cannot")

    return service


def handled(lab: Lab, service: str) -> list[int]:
    return [row.event.data["order"] for row in lab.trace.where("handle", who=service)]


def orders(lab: Lab, bus, count: int, every: float = 1, keys: int = 3) -> None:
    lab.workload(bus, "order.placed", every=every, count=count, data=lambda n, _: {"order": n, "of": n % keys}, key="of")


def test_every_rule_that_matches_sends_to_all_its_targets():
    rules = Rules()
    rules.put(Rule("all", targets=["audit", "stock"]))
    rules.put(Rule("large", "order.*", {"detail": {"total": [{"numeric": [">", 500]}]}}, ["fraud", "audit"]))
    rules.put(Rule("again", pattern={"replay-name": [{"exists": True}]}, targets=["rebuild"]))
    assert rules.targets(event(1, total=5)) == ["audit", "stock"]
    assert rules.targets(event(1, total=501)) == ["audit", "stock", "fraud", "audit"]
    assert rules.targets(event(1, type="news", total=501)) == ["audit", "stock"]
    assert rules.targets(event(1), replay="r1", only=["again", "large"]) == ["rebuild"]
    with pytest.raises(ArgumentError, match="at most 5"):
        Rule("wide", targets=list("abcdef"))
    with pytest.raises(PatternError, match=r"detail\.total"):
        Rule("bad", pattern={"detail": {"total": 5}})


def test_the_tries_of_the_preset_last_about_a_day():
    rng = random.Random(1)
    ends = []
    for _ in range(200):
        age, tries = 0.0, 1
        while (wait := Patience().wait(tries, age, rng)) is not None:
            age, tries = age + wait, tries + 1
        assert tries <= 186
        assert age <= hours(24)
        ends.append(age)
    assert hours(22) < mean(ends) < hours(24)


@given(st.integers(0, 10), st.floats(0, 400), st.integers(0, 12), st.integers(0, 99))
def test_patience_ends_at_either_limit_and_waits_grow_to_a_ceiling(retries, age, tries, seed):
    wait = Patience(replace(BACKOFF, times=retries), max_age=300).wait(tries, age, random.Random(seed)) if tries else None
    if tries > retries or age > 300:
        assert wait is None
    elif wait is not None:
        assert min(640, 2 ** (tries - 1)) / 2 <= wait <= min(640, 2 ** (tries - 1))
        assert age + wait <= 300


@settings(max_examples=50)
@given(st.lists(st.floats(0, 600), max_size=40), st.integers(0, 300), st.integers(0, 300), st.integers(0, 99))
def test_a_replay_is_what_happened_meanwhile_minute_by_minute(times, since, length, seed):
    archive = Archive()
    for n, at in enumerate(times):
        archive.add(event(n, at))
    found = list(archive.replay(since, since + length, 1000, random.Random(seed)))
    assert sorted(each.id for each in found) == sorted(each.id for each in archive.events if since <= each.time < since + length)
    minute = [int((each.time - since) // 60) for each in found]
    assert minute == sorted(minute)


def test_an_archive_may_have_a_pattern_and_a_retention():
    archive = Archive({"detail-type": ["order.placed"]}, retention=100)
    for n in range(10):
        archive.add(event(n, at=n * 20))
        archive.add(event(n, at=n * 20, type="news"))
    assert sorted(each.time for each in archive.replay(0, 1000, 200, random.Random(1))) == [100, 120, 140, 160, 180]


def test_a_target_that_is_down_is_tried_until_it_is_back_and_its_neighbour_waits_for_nothing():
    lab = Lab(seed=1)
    events = lab.bus("events", like="eventbridge")
    lab.deploy(target("stock"), on=events)
    lab.deploy(target("audit"), on=events)
    lab.crash("stock", at=0.5, restart_after=minutes(30))
    orders(lab, events, 5)
    lab.run()
    assert sorted(handled(lab, "stock")) == handled(lab, "audit") == [1, 2, 3, 4, 5]
    waits = [row for row in lab.trace.where("requeue") if row.event.data["order"] == 1]
    assert len(waits) >= 8
    assert waits[0].note.startswith("the target is down; again in 0.")
    assert minutes(30) < lab.trace.where("handle", who="stock")[0].time < minutes(45)


def test_after_185_retries_or_a_day_it_is_a_dead_letter_or_dropped():
    for keep in (True, False):
        lab = Lab(seed=1)
        events = lab.bus("events", like="eventbridge")
        lab.deploy(target("stock"), on=events, dead_letter=keep)
        lab.crash("stock", at=0.5)
        orders(lab, events, 1)
        lab.run()
        last = lab.trace[-1]
        assert last.kind == ("dead" if keep else "discard")
        assert "the target is down" in last.note
        assert len(lab.trace.where("deliver")) <= 186
        assert hours(20) < last.time <= hours(24) + 1
        assert len(events.dead_letters("stock")) == keep


def test_what_a_target_does_with_an_event_that_it_has_taken_is_its_own_affair():
    lab = Lab(seed=1)
    events = lab.bus("events", like="eventbridge")
    lab.deploy(target("stock", fails=(1,)), on=events)
    orders(lab, events, 2)
    lab.run()
    assert lab.trace.counts() == {"publish": 2, "deliver": 2, "fail": 1, "ack": 2, "handle": 1}


def test_an_answer_that_is_lost_means_a_second_delivery():
    lab = Lab(seed=1)
    events = lab.bus("events", like="eventbridge")
    lab.deploy(target("stock"), on=events)
    orders(lab, events, 1)
    lab.faults(Faults(drop=1, leg="ack", times=1))
    lab.run()
    assert handled(lab, "stock") == [1, 1]
    assert lab.trace.where("requeue")[0].note.startswith("no answer within 5 s")


def test_one_rule_a_pattern_and_the_content_decides():
    lab = Lab(seed=1)
    events = lab.bus("events", like="eventbridge")
    lab.deploy(target("twice", "order.placed", "order.*"), on=events)
    lab.deploy(target("large"), on=events, filter={"detail": {"order": [{"numeric": [">", 2]}]}})
    orders(lab, events, 3)
    lab.run()
    assert handled(lab, "twice") == [1, 1, 2, 2, 3, 3]
    assert handled(lab, "large") == [3]


def test_a_replay_reaches_every_rule_unless_told_and_is_known_by_its_name():
    for rules, paid in ((None, 40), (["analytics"], 20)):
        lab = Lab(seed=1)
        events = lab.bus("events", like="eventbridge", archive=True)
        lab.deploy(target("payment"), on=events)
        analytics, names = Service("analytics"), []

        @analytics.on("order.#")
        async def count(event, ctx, names=names):
            names.append(ctx.delivery.replay)

        orders(lab, events, 20, every=10)
        lab.at(600, lambda lab=lab, events=events, analytics=analytics: lab.deploy(analytics, on=events))
        lab.at(601, lambda events=events, rules=rules: events.replay(0, 600, rules=rules))
        lab.run()
        assert len(handled(lab, "payment")) == paid
        assert names == ["replay-1"] * 20
        again = [row.event.data["order"] for row in lab.trace.where("publish") if row.tag]
        assert sorted(again) == list(range(1, 21))
        assert again != sorted(again)
        for minute in range(3):
            assert all(minute * 60 <= order * 10 < minute * 60 + 60 for order in again[max(0, minute * 6 - 1) : minute * 6 + 5])


def test_a_failing_event_of_a_fifo_subscriber_holds_its_own_key_and_no_other():
    lab = Lab(seed=1)
    events = lab.bus("events", like="eventbridge-custom")
    lab.deploy(target("stock", fails=(4,)), on=events, concurrency=50)
    orders(lab, events, 30, every=0.5, keys=3)
    lab.run()
    mine = [order for order in handled(lab, "stock") if order % 3 == 1]
    assert mine == [1, *range(7, 31, 3)], "in order, without the one that is a dead letter"
    assert len(lab.trace.where("fail")) == 6  # and five retries
    given_up = lab.trace.where("dead")[0].time
    assert all(
        row.time > given_up
        for row in lab.trace.where("handle")
        if row.event.data["order"] % 3 == 1 and row.event.data["order"] > 4
    )
    assert all(row.time < 16 for row in lab.trace.where("handle") if row.event.data["order"] % 3 != 1)


@pytest.mark.parametrize("fifo", [True, False])
def test_under_faults_each_event_is_handled_or_a_dead_letter_and_fifo_keeps_the_order(fifo):
    for seed in range(15):
        lab = Lab(seed=seed)
        events = lab.bus("events", like="eventbridge-custom", fifo=fifo, timeout=0.5)
        lab.deploy(target("stock", takes=0.02), on=events, instances=2, concurrency=4)
        lab.faults(Faults(drop=0.2, leg="deliver") + Faults(drop=0.2, leg="ack") + Crash("stock", at=1, restart_after=5))
        orders(lab, events, 40, every=0.1)
        lab.run()
        done, dead = handled(lab, "stock.1") + handled(lab, "stock.2"), events.dead_letters("stock")
        assert set(done) | {event.data["order"] for event in dead} == set(range(1, 41))
        if fifo:
            for key in range(3):
                first = [row.event.data["order"] for row in lab.trace.where("handle") if row.event.data["order"] % 3 == key]
                assert list(dict.fromkeys(first)) == sorted(set(first))


def test_what_is_not_there_is_named():
    lab = Lab(seed=1)
    events = lab.bus("events", like="eventbridge", archive=True)
    lab.deploy(target("stock"), on=events)
    with pytest.raises(WiringError, match="no rule on bus events named 'stok'"):
        events.replay(0, 1, rules=["stok"])
    with pytest.raises(WiringError, match="no archive"):
        lab.bus("bare", like="eventbridge").replay(0, 1)
    with pytest.raises(ArgumentError, match="no invoke named 'sync'"):
        lab.bus("other", like="eventbridge", invoke="sync")
    with pytest.raises(PatternError, match="numeric"):
        lab.deploy(target("bad"), on=events, filter={"detail": {"n": [{"numeric": ["!"]}]}})


@pytest.mark.parametrize("like", [like for like, preset in PRESETS.items() if preset.kind == "bus"])
def test_a_run_on_any_bus_has_its_film_and_its_pictures(like):
    lab = Lab(seed=3)
    bus = lab.bus("events", like=like)
    lab.deploy(target("stock", takes=0.02, fails=(2,)), on=bus, instances=2)
    orders(lab, bus, 5, every=0.1)
    lab.crash("stock.1", at=0.3, restart_after=0.2)
    lab.run(60)
    film = lab.play()
    assert film.text().count("events has taken") == 5
    assert "stock" in film.html()
    plt.close(plot.timeline(lab.trace))
    plt.close(plot.topology(lab))


def test_an_http_subscriber_of_sns_is_tried_four_times_in_a_minute_and_nobody_waits_longer():
    """Away for 90 s: what came in its first 30 s has had its last try by then."""
    lab = Lab(seed=1)
    topic = lab.bus("topic", like="sns-http")
    lab.deploy(target("hook"), on=topic, dead_letter=False)
    lab.deploy(target("kept"), on=topic)
    for name in ("hook", "kept"):
        lab.crash(name, at=0, restart_after=90)
    orders(lab, topic, 1200, every=0.1)
    lab.run()
    lost = lab.trace.where("discard", place="topic/hook")
    assert {row.note.split(": ")[0] for row in lost} == {"tried 4 times in 60 s"}
    assert 299 <= len(lost) <= 301
    assert sorted(handled(lab, "hook")) == list(range(len(lost) + 1, 1201))
    assert len(topic.dead_letters("kept")) == len(lost)
    assert topic.redrive("kept", rate=100) == len(lost)
    lab.run()
    assert sorted(handled(lab, "kept")) == list(range(1, 1201))


def test_an_http_subscriber_has_a_filter_policy_and_an_error_of_its_handler_is_a_failed_try():
    lab = Lab(seed=1)
    topic = lab.bus("topic", like="sns-http", filter_scope="MessageBody", retries=1, backoff=5)
    lab.deploy(target("hook", "order.placed", fails=(3,)), on=topic, filter={"order": [{"numeric": [">=", 3]}]})
    for n in range(1, 5):
        topic.publish("order.placed", {"order": n})
    topic.publish("order.paid", {"order": 5})
    lab.run()
    assert handled(lab, "hook") == [4]
    assert [row.time for row in lab.trace.where("fail")] == pytest.approx([0.002, 5.004], abs=1e-3)
    assert [event.data["order"] for event in topic.dead_letters("hook")] == [3]


def test_over_the_quota_invocations_wait_and_none_is_lost():
    """80 a second against 60: after a minute, a backlog of 20 seconds' worth of quota."""
    lab = Lab(seed=1)
    events = lab.bus("events", like="eventbridge", invocations=60)
    lab.deploy(target("stock"), on=events)
    orders(lab, events, 4800, every=1 / 80)
    lab.run()
    waits = [row.time - row.event.time for row in lab.trace.where("deliver")]
    assert len(waits) == 4800
    assert max(waits) == pytest.approx(20, abs=0.05)
    assert not lab.trace.where(["requeue", "dead", "discard"])


def test_targets_share_the_quota_in_turns_and_retries_count():
    lab = Lab(seed=1)
    events = lab.bus("events", like="eventbridge", invocations=10, retries=1, invoke="request-response")
    lab.deploy(target("one", fails=(1,)), on=events)
    lab.deploy(target("two"), on=events)
    orders(lab, events, 10, every=0.001)
    lab.run()
    sent = lab.trace.where("deliver")
    assert [row.who for row in sent[1:7]] == ["one", "two"] * 3
    assert all(later.ns - sooner.ns >= SECOND // 10 for sooner, later in pairwise(sent))
    assert len(sent) == 21
    with pytest.raises(ArgumentError, match="invocations=0"):
        lab.bus("none", like="eventbridge", invocations=0)


@pytest.mark.parametrize("like", [like for like, preset in PRESETS.items() if preset.kind == "bus"])
def test_a_bus_has_no_other_place_for_dead_letters(like):
    lab = Lab(1)
    with pytest.raises(WiringError, match="dead_letter='parked': bus events keeps dead letters itself: give True or False"):
        lab.deploy(target("stock"), on=lab.bus("events", like=like), dead_letter="parked")
    assert not lab.deployments
