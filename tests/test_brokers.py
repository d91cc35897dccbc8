"""A broker in virtual time: when the ack leaves, and what a crash does then."""

import pytest

from edakit import Lab, Service
from edakit.errors import WiringError


def worker(seen):
    service = Service("worker")

    @service.on("job")
    async def work(job, ctx):
        await ctx.sleep(1)
        seen.append(job.key)
        if job.key == "bad":
            raise ValueError("no")

    return service


def lab_with(seen, commit, keys=("a",), **options):
    lab = Lab()
    broker = lab.broker("broker", **options)
    lab.deploy(worker(seen), on=broker, commit=commit)
    for key in keys:
        broker.publish("job", key=key)
    return lab, broker


@pytest.mark.parametrize(("commit", "times"), [("after", 1), ("before", 0)])
def test_a_crash_during_the_work_repeats_it_or_loses_it(commit, times):
    seen = []
    lab, broker = lab_with(seen, commit)
    lab.crash("worker", at=0.5, restart_after=1)
    lab.run()
    assert len(seen) == times
    assert broker.depth("worker") == 0


def test_an_ack_before_the_work_reaches_the_queue_before_the_work_ends():
    lab, broker = lab_with([], "before")
    lab.run(0.5)
    assert broker.depth("worker") == 0
    assert [row.time for row in lab.trace.where("ack")] == [0.003]  # there and back: publish, deliver, ack
    assert lab.run().trace.counts()["ack"] == 1


def test_a_failure_after_the_ack_is_written_down_and_not_given_back():
    seen = []
    lab, _ = lab_with(seen, "before", ("bad", "good"))
    lab.run()
    assert seen == ["bad", "good"]
    assert [kind for kind in lab.trace.counts() if kind in ("fail", "requeue", "dead", "stale")] == ["fail"]


@pytest.mark.parametrize("commit", ["after", "before"])
def test_the_fold_of_the_trace_knows_what_is_unacked(commit):
    lab, broker = lab_with([], commit, "abc")
    for instant in (0, 0.0015, 0.0025, 0.5, 1.5, 9):
        lab.run(instant)
        folded = lab.trace.state_at(instant).queue("broker/worker")
        assert list(folded.unacked) == list(broker.queues["worker"].unacked)


def test_auto_commit_is_for_streams():
    lab = Lab()
    service = worker([])
    with pytest.raises(WiringError, match="only a stream has auto-commit"):
        lab.deploy(service, on=lab.broker("broker"), commit=5.0)
    lab.deploy(service, on=lab.homes["broker"])
