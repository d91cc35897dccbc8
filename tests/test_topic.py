"""An SNS topic with SQS queues, and SQS alone, in a lab."""

from collections import Counter

import pytest
from test_state import Watched

from edakit import Exponential, Faults, Lab, Service, measure
from edakit.bus.topic import Topic
from edakit.errors import ArgumentError, PatternError, WiringError
from edakit.units import days


def worker(name: str, *patterns: str, takes: float = 0, fails: tuple[int, ...] = ()) -> Service:
    service = Service(name)

    @service.on(*patterns or ("job.#",))
    async def work(event, ctx):
        await ctx.sleep(takes)
        if event.data["job"] in fails:
            raise ValueError("cannot")

    return service


def handled(lab: Lab, service: str) -> list[int]:
    return [row.event.data["job"] for row in lab.trace.where("handle", who=service)]


def test_a_subscription_takes_what_its_types_and_its_policy_let_pass():
    lab = Lab(seed=1)
    alerts = lab.bus("alerts", like="sns", filter_scope="MessageBody")
    lab.deploy(worker("all"), on=alerts)
    lab.deploy(worker("large"), on=alerts, filter={"job": [{"numeric": [">", 2]}]})
    lab.deploy(worker("other", "news.#"), on=alerts)
    for n in range(1, 5):
        alerts.publish("job.new", {"job": n})
    lab.run()
    assert (handled(lab, "all"), handled(lab, "large"), handled(lab, "other")) == ([1, 2, 3, 4], [3, 4], [])
    assert [row.note for row in lab.trace.where("publish")] == ["all", "all", "all large", "all large"]


def test_attributes_are_what_a_policy_is_over_unless_told():
    topic = Topic()
    topic.subscribe("key", {"key": ["7"]})
    topic.subscribe("type", {"type": [{"prefix": "job."}]})
    event = Lab().event("job.new", {"key": "x"}, "7", "web", None)
    assert topic.targets(event) == ["key", "type"]
    with pytest.raises(PatternError, match="nested"):
        topic.subscribe("bad", {"job": {"of": [1]}})
    with pytest.raises(ArgumentError, match="filter_scope='Body'"):
        Topic("Body")


def test_a_crash_is_noticed_by_the_visibility_timeout_alone():
    lab = Lab(seed=1)
    alerts = lab.bus("alerts", like="sns")
    lab.deploy(worker("mail", takes=5), on=alerts)
    lab.crash("mail", at=3, restart_after=1)
    alerts.publish("job.new", {"job": 1})
    lab.run()
    first, second = lab.trace.where("deliver")
    assert second.time - first.time == 30
    assert lab.trace.where("requeue")[0].note == "not deleted within 30 s"
    assert handled(lab, "mail") == [1]


def test_a_handler_slower_than_the_visibility_timeout_does_its_work_again_and_again():
    lab = Lab(seed=1)
    alerts = lab.bus("alerts", like="sns", visibility=30)
    lab.deploy(worker("mail", takes=40), on=alerts, instances=2, delivery_limit=3)
    alerts.publish("job.new", {"job": 1})
    lab.run()
    assert measure.duplicates(lab.trace) == {("mail", "job.new.1"): 3}
    assert lab.trace.counts()["stale"] == 3
    assert len(alerts.dead_letters("mail")) == 1, "though no handler has failed"


def test_a_poison_message_is_a_dead_letter_after_its_receives_and_nothing_waits_for_it():
    lab = Lab(seed=1)
    alerts = lab.bus("alerts", like="sns")
    lab.deploy(worker("mail", fails=(1,)), on=alerts, prefetch=1, delivery_limit=3)
    for n in range(1, 11):
        alerts.publish("job.new", {"job": n})
    lab.run()
    assert handled(lab, "mail") == list(range(2, 11))
    assert lab.trace.where("handle")[-1].time < 1
    assert len(lab.trace.where("fail")) == 3
    assert [event.data["job"] for event in alerts.dead_letters("mail")] == [1]
    assert 90 < lab.now < 91
    assert alerts.redrive("mail", rate=10) == 1
    lab.run()
    assert len(lab.trace.where("fail")) == 6


def test_without_a_limit_it_ends_with_its_retention():
    lab = Lab(seed=1)
    alerts = lab.bus("alerts", like="sns")
    lab.deploy(worker("mail", fails=(1,)), on=alerts)
    alerts.publish("job.new", {"job": 1})
    lab.run()
    assert len(lab.trace.where("fail")) == days(4) / 30
    assert lab.trace.where("discard")[0].note == "older than its retention"


def test_nothing_is_lost_under_faults_and_fifo_keeps_each_key_in_order_and_once():
    for seed in range(20):
        lab = Lab(seed=seed)
        alerts = lab.bus("alerts", like="sns", fifo=True, visibility=2)
        service = Service("mail")

        @service.on("job.#")
        async def work(event, ctx):
            await ctx.sleep(ctx.random.expovariate(20))

        lab.deploy(service, on=alerts, instances=4)
        lab.faults(Faults(duplicate=0.2, leg="publish") + Faults(drop=0.1, leg="deliver") + Faults(drop=0.1, leg="ack"))
        lab.workload(alerts, "job.new", every=0.02, count=40, data=lambda n, _: {"job": n, "of": n % 3}, key="of")
        lab.run()
        seen: dict[str, list[int]] = {}
        for row in lab.trace.where("handle"):
            seen.setdefault(row.event.key, []).append(row.event.data["job"])
        for jobs in seen.values():
            assert jobs == sorted(jobs)
        assert sorted(job for jobs in seen.values() for job in set(jobs)) == list(range(1, 41))
        again = Counter(row.event.id for row in lab.trace.where("deliver"))
        assert sum(again.values()) - 40 == len(lab.trace.where("requeue")), (
            "each delivery more is one that was not deleted in time"
        )
        assert lab.trace.where("log"), "a duplicate was met"


def test_services_on_sqs_alone_take_from_one_queue():
    lab = Lab(seed=1)
    jobs = lab.bus("jobs", like="sqs", delay=5)
    lab.deploy(worker("a", takes=1), on=jobs, prefetch=1)
    lab.deploy(worker("b", takes=1), on=jobs, prefetch=1)
    for n in range(6):
        jobs.publish("job.new", {"job": n})
    lab.run()
    assert sorted(handled(lab, "a") + handled(lab, "b")) == list(range(6))
    assert len(handled(lab, "a")) == 3
    assert lab.trace.where("deliver")[0].time >= 5
    assert jobs.depth("jobs") == 0


def test_acked_before_it_is_lost_by_a_crash():
    lab = Lab(seed=1)
    jobs = lab.bus("jobs", like="sqs")
    lab.deploy(worker("a", takes=1), on=jobs, commit="before")
    lab.crash("a", at=0.5, restart_after=0.1)
    jobs.publish("job.new", {"job": 1})
    lab.run()
    assert handled(lab, "a") == []
    assert jobs.depth("jobs") == 0


def test_what_sqs_has_not_is_refused():
    lab = Lab(seed=1)
    jobs = lab.bus("jobs", like="sqs")
    with pytest.raises(WiringError, match="on_error='reject': bus jobs has no such thing"):
        lab.deploy(worker("a"), on=jobs, on_error="reject")
    with pytest.raises(WiringError, match="options are: topic, visibility, delay, retention"):
        lab.bus("more", like="sqs", colour="red")
    lab.deploy(worker("b"), on=jobs, delivery_limit=3)
    with pytest.raises(WiringError, match="queue jobs/jobs is there already, with a limit of 3 deliveries"):
        lab.deploy(worker("c"), on=jobs, delivery_limit=5)
    with pytest.raises(WiringError, match="no queue on bus jobs"):
        jobs.dead_letters("mail")


def test_a_group_goes_on_when_a_late_delete_arrives():
    lab = Lab(seed=1)
    alerts = lab.bus("alerts", like="sns", fifo=True)
    lab.deploy(worker("mail"), on=alerts)
    lab.faults(Faults(delay=2, leg="ack"))
    for n in range(3):
        alerts.publish("job.new", {"job": n}, key="a")
    lab.run()
    assert handled(lab, "mail") == [0, 1, 2]
    assert not lab.trace.where("requeue")


def test_a_consumer_asks_for_no_more_than_it_has_room_for_though_it_gets_some_twice():
    lab = Lab(seed=1)
    jobs = lab.bus("jobs", like="sqs")
    lab.deploy(worker("a", takes=1), on=jobs, prefetch=1)
    lab.faults(Faults(duplicate=1, leg="deliver"))
    for n in range(6):
        jobs.publish("job.new", {"job": n})
    lab.run()
    out = 0
    for row in lab.trace.where(("deliver", "ack")):
        out += 1 if row.kind == "deliver" else -1
        assert 0 <= out <= 1
    assert sorted(set(handled(lab, "a"))) == list(range(6))


def test_message_attributes_and_a_deduplication_id_are_said_when_publishing():
    lab = Lab(seed=1)
    alerts = lab.bus("alerts", like="sns", fifo=True)
    lab.deploy(worker("mail"), on=alerts, filter={"total": [{"numeric": [">", 100]}]})
    for n, total in enumerate([50, 150, 250]):
        alerts.publish("job.new", {"job": n}, key="a", headers={"total": total}, dedup="once" if n else "other")
    lab.run()
    assert handled(lab, "mail") == [1], "50 is filtered, and the third has the id of the second"


def test_a_delete_after_the_visibility_timeout_counts_if_nobody_has_the_message_again():
    """One worker with room for one message: it deletes with the receipt of the latest receive, though its time is over."""
    lab = Lab(seed=1)
    alerts = lab.bus("alerts", like="sns")
    lab.deploy(worker("mail", takes=40), on=alerts, prefetch=1)
    alerts.publish("job.new", {"job": 1})
    lab.run()
    assert [row.kind for row in lab.trace] == ["publish", "deliver", "requeue", "handle", "ack"]
    left = lab.trace.state_at(lab.now).queues["alerts/mail"]
    assert (alerts.depth("mail"), left.ready, left.unacked) == (0, [], {})


def test_late_deletes_of_two_copies_of_an_event_leave_what_the_trace_says():
    late = 0
    for seed in range(12):
        lab = Watched(seed)
        jobs = lab.bus("jobs", like="sqs", visibility=0.1, delay=0.02)
        lab.deploy(worker("a", takes=0.12), on=jobs, prefetch=1)
        lab.faults(Faults(duplicate=0.5, delay=Exponential(0.03), leg="publish"))
        for n in range(8):
            jobs.publish("job.new", {"job": n})
        lab.run(until=20)
        assert lab.checked == len(lab.trace)
        late += sum(row.tag < 0 for row in lab.trace.where("ack"))
    assert late > 20
