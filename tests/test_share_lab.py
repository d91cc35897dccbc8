"""Share groups, Redis Streams and Kinesis in virtual time."""

import pytest

from edakit import Crash, Exponential, Faults, Lab, Partition, Service, measure, play, plot
from edakit.errors import Livelock, WiringError
from edakit.stream import Producer, shard_for


def system(
    work=0.1, bad=(), count=10, *, services=("worker",), lab=None, like="kafka-share", start="earliest", deploy=None, **options
):
    """A stream with some records to be written at once, and services to work on them."""
    lab = lab or Lab(1)
    jobs = lab.stream("jobs", like=like, start=start, **options)
    for name in services:
        service = Service(name)

        @service.on("#")
        async def handle(event, ctx):
            await ctx.sleep(work)
            if event.data["n"] in bad:
                raise ValueError("smudged")

        lab.deploy(service, on=jobs, **{"prefetch": 1, **(deploy or {})})
    for n in range(count):
        jobs.publish("job.new", {"n": n}, key=n)
    return lab, jobs


def handled(lab, kind="handle"):
    return [row.event.data["n"] for row in lab.trace.where(kind)]


@pytest.mark.parametrize(("like", "seconds"), [("kafka", 1), ("kafka-share", 0.25)])
def test_more_members_than_partitions_are_of_use_in_a_share_group_alone(like, seconds):
    lab, jobs = system(like=like, deploy={"instances": 4}, count=8)
    lab.run()
    assert sorted(handled(lab)) == list(range(8))
    assert lab.now == pytest.approx(seconds * 0.8, abs=0.05)
    assert jobs.lag("worker") == 0


def test_a_record_that_fails_is_tried_so_often_and_holds_up_nobody():
    lab, jobs = system(bad={2}, deploy={"instances": 2}, partitions=3)
    lab.run()
    assert handled(lab, "fail") == [2] * 5
    assert sorted(handled(lab)) == [n for n in range(10) if n != 2]
    assert [row.event.data["n"] for row in lab.trace.where("skip")] == [2]
    assert len(lab.trace.where("unlock")) == 4
    counts = measure.deliveries(lab.trace, "worker")
    assert counts == {f"job-{n}.new.1": 5 if n == 2 else 1 for n in range(10)}
    assert jobs.lag("worker") == 0


def test_what_is_rejected_is_given_up_at_once():
    lab, _ = system(bad={2, 3}, deploy={"on_error": "reject"})
    lab.run()
    assert handled(lab, "fail") == handled(lab, "skip") == [2, 3]


def test_there_is_no_order():
    lab, _ = system(bad=set(), deploy={"instances": 2}, count=40, work=0.1)
    lab.faults(Faults(delay=0.2, where=("jobs", "worker.1"), leg="deliver"))
    lab.run()
    assert handled(lab) != sorted(handled(lab))


def test_the_locks_of_a_dead_member_run_out_and_others_take_over():
    lab, jobs = system(deploy={"instances": 2, "prefetch": 3}, count=6, work=1)
    lab.crash("worker.1", at=1.5)
    lab.run()
    first = next(row for row in lab.trace.where("unlock"))
    assert first.time == pytest.approx(30, abs=0.01)
    assert first.who == ""
    assert sorted(set(handled(lab))) == list(range(6))
    assert [row.event.data["n"] for row in lab.trace.where("acquire")].count(1) == 2
    assert jobs.lag("worker") == 0


def test_a_member_that_is_too_slow_finds_its_record_with_somebody_else():
    lab, jobs = system(work=2, count=1, deploy={"instances": 2}, lock_timeout=1.5)
    lab.run(until=1.6)
    assert [(row["member"], row["deliveries"]) for row in jobs.pending("worker")] == [("worker.2", 2)]
    lab.run()
    assert len(lab.trace.where("stale")) == 5
    assert len(lab.trace.where("handle")) == 5, "as often as the limit says"
    assert len(lab.trace.where("skip")) == 1


def test_time_does_not_run_on_for_locks_that_nobody_holds():
    lab, _ = system(count=3)
    assert lab.run().now < 1


def test_a_member_that_is_cut_off_has_one_batch_until_its_locks_run_out():
    lab, jobs = system(count=20, deploy={"instances": 2, "prefetch": 3})
    lab.faults(Partition("jobs", "worker.1", at=0, until=100))
    lab.run()
    assert {row.who for row in lab.trace.where("accept")} == {"worker.2"}
    assert sorted(row.tag for row in lab.trace.where("unlock")) == sorted(row.tag for row in lab.trace.where("stale"))
    assert len(lab.trace.where("unlock")) == 3
    assert jobs.lag("worker") == 0


def test_an_ack_that_is_lost_is_made_up_for_by_the_lock():
    lab, jobs = system(count=1, deploy={"instances": 2})
    lab.faults(Faults(drop=1, times=1, leg="ack"))
    lab.run()
    assert [round(row.time, 1) for row in lab.trace.where("handle")] == [0.1, 30.1]
    assert jobs.lag("worker") == 0


def test_a_new_group_begins_at_the_latest_record_and_a_seek_lets_it_read_all_again():
    lab, jobs = system(start="latest", services=())
    lab.run()
    service = Service("late")
    service.on("#")(quiet)
    lab.deploy(service, on=jobs)
    assert jobs.lag("late") == 0
    lab.run()
    jobs.seek("late", to="earliest")
    assert jobs.lag("late") == 10
    lab.run()
    assert len(handled(lab)) == 10
    jobs.seek("late", offset=7)
    lab.run()
    assert len(handled(lab)) == 13


async def quiet(event, ctx):
    """Read and do nothing."""


def test_one_topic_has_both_kinds_of_group():
    lab, jobs = system(like="kafka", share=["pool"], services=("pool", "audit"), bad={0}, deploy={"delivery_limit": 2}, count=3)
    lab.run()
    assert list(jobs.shares) == ["pool"]
    assert list(jobs.groups) == ["audit"]
    assert [row.event.data["n"] for row in lab.trace.where("handle", who="pool")] == [1, 2]
    assert {row.who for row in lab.trace.where("fetch")} == {"audit"}
    with pytest.raises(WiringError, match="audit is a consumer group"):
        jobs.pending("audit")
    with pytest.raises(WiringError, match="no group on stream jobs named 'x'; known: audit, pool"):
        jobs.seek("x", to="latest")


def test_what_the_log_gives_up_before_it_is_read_or_read_again_is_lost_to_the_group():
    lab, jobs = system(bad={0}, retention=5, segment=1, check=1, count=4, deploy={"prefetch": 2}, lock_timeout=20)
    lab.crash("worker", at=0.05, restart_after=30)
    lab.run()
    assert handled(lab) == []
    assert handled(lab, "skip") == [0, 1], "they had been handed out"
    assert [row.tag for row in lab.trace.where("reset")] == [4]
    assert jobs.lag("worker") == 0


def test_partitions_that_are_added_are_read():
    lab, jobs = system(partitions=1, count=2)
    lab.at(1, lambda: jobs.add_partitions(3))
    lab.at(2, lambda: [jobs.publish("job.new", {"n": n}, key=n) for n in range(2, 20)])
    lab.run()
    assert sorted(handled(lab)) == list(range(20))
    assert len({row.place for row in lab.trace.where("acquire")}) == 4


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"delivery_limit": 0}, "delivery_limit=0: 1 or more, or None"),
        ({"window": -1}, "window=-1: 1 or more, or None"),
        ({"lock_timeout": -1}, "lock_timeout"),
        ({"deploy": {"commit": "before"}}, "worker is a share group, and settles each record 'after'"),
        ({"hashing": "crc"}, "no hashing named 'crc'; known: md5, murmur2"),
        ({"reads": 0}, "reads=0: more than 0"),
        ({"maxlen": -1}, "maxlen=-1: a whole number"),
    ],
)
def test_what_cannot_be_is_said(options, text):
    with pytest.raises(Exception, match=text):
        system(**options)


def test_pictures_and_figures_of_a_share_group():
    lab, _ = system(bad={2}, deploy={"instances": 2}, partitions=2)
    lab.run()
    lags = measure.lag(lab.trace, "worker")
    assert list(lags) == ["jobs/0", "jobs/1"]
    assert {series[-1][1] for series in lags.values()} == {0}
    assert measure.groups(lab.trace) == ["worker"]
    assert "behind 0" in str(plot.partitions(lab))
    told = play(lab).text()
    assert "worker.1 has accepted offset" in told
    assert "hands offset 1, job-2.new.1, to worker.1 again" in told


class TestRedis:
    def test_nothing_that_failed_or_died_comes_back_by_itself(self):
        lab, jobs = system(like="redis-stream", bad={3}, deploy={"instances": 2, "prefetch": 2}, count=8)
        lab.crash("worker.1", at=0.15)
        lab.run()
        assert [(row["offset"], row["member"], row["deliveries"]) for row in jobs.pending("worker")] == [
            (1, "worker.1", 1),
            (3, "worker.2", 1),
        ]
        assert jobs.pending("worker")[0]["id"] == "1-1"
        assert jobs.lag("worker") == 2
        assert 1 not in handled(lab)

    def test_others_claim_what_has_been_idle_for_long_and_the_count_goes_up(self):
        lab, jobs = system(like="redis-stream", claim_idle=5, deploy={"instances": 2, "prefetch": 2}, count=8)
        lab.crash("worker.1", at=0.15)
        lab.run()
        claimed = [row for row in lab.trace.where("acquire") if row.tag == 1]
        assert [row.who for row in claimed] == ["worker.1", "worker.2"]
        assert claimed[1].time == pytest.approx(5, abs=0.01)
        assert jobs.pending("worker") == []
        assert sorted(handled(lab)) == list(range(8))

    def test_there_is_no_limit_of_deliveries(self):
        lab, jobs = system(like="redis-stream", claim_idle=1, bad={0}, count=1)
        lab.run(until=60)
        assert jobs.pending("worker")[0]["deliveries"] > 50
        with pytest.raises(Livelock, match="jobs/0 has tried offset 0"):
            lab.run()

    def test_a_limit_is_the_consumers_own_affair(self):
        lab, jobs = system(like="redis-stream", claim_idle=1, bad={0}, count=1, deploy={"delivery_limit": 3})
        lab.run()
        assert handled(lab, "fail") == [0, 0, 0]
        assert (jobs.pending("worker"), handled(lab, "skip")) == ([], [0])

    def test_whoever_acks_an_entry_acks_it_for_all(self):
        lab, jobs = system(like="redis-stream", claim_idle=1, work=1.5, count=1, deploy={"instances": 2})
        lab.run()
        assert [row.who for row in lab.trace.where("accept")] == ["worker.1"], "which it had been taken from"
        assert [row.who for row in lab.trace.where("stale")] == ["worker.2"]
        assert jobs.pending("worker") == []

    def test_trimming_loses_what_nobody_has_read(self):
        lab, jobs = system(like="redis-stream", maxlen=3, count=10)
        lab.run()
        assert handled(lab) == [7, 8, 9]
        assert jobs.logs[0].start == 7

    def test_an_entry_that_was_trimmed_while_it_was_pending_cannot_be_claimed(self):
        lab, jobs = system(like="redis-stream", maxlen=3, claim_idle=5, bad={0}, count=1)
        lab.at(1, lambda: [jobs.publish("job.new", {"n": n}) for n in range(1, 5)])
        lab.run()
        assert handled(lab, "fail") == handled(lab, "skip") == [0]
        assert jobs.pending("worker") == []


class TestKinesis:
    def test_a_key_has_the_shard_of_its_hash(self):
        lab, _ = system(like="kinesis", partitions=4, services=())
        lab.run()
        for row in lab.trace.where("append"):
            assert row.place == f"jobs/{shard_for(row.event.key, 4)}"

    @pytest.mark.parametrize(("fan_out", "groups"), [(False, 1), (False, 4), (True, 4)])
    def test_consumers_share_the_bytes_of_a_shard_unless_each_has_its_own(self, fan_out, groups):
        lab = Lab(1)
        frames = lab.stream("frames", like="kinesis", start="earliest", fan_out=fan_out)
        for n in range(groups):
            service = Service(f"viewer-{n}")
            service.on("#")(quiet)
            lab.deploy(service, on=frames)
        count, size = 120, 2**20
        for n in range(count):
            frames.publish("frame", "x" * size, key=n)
        lab.run()
        took = [max(row.time for row in lab.trace.where("fetch", who=f"viewer-{n}")) for n in range(groups)]
        rates = [(count - 9) * size / seconds / 2**20 for seconds in took]  # the last read is there at once
        for rate in rates:
            assert rate == pytest.approx(2 if fan_out else 2 / groups, rel=0.1)

    @pytest.mark.parametrize(("fan_out", "last"), [(False, 0), (True, 1)])
    def test_what_waits_is_read_at_once_but_pushed_a_second_at_a_time(self, fan_out, last):
        """GetRecords returns up to 10 MB and then has to pause; SubscribeToShard pushes 2 MB a second (AWS Kinesis guide)."""
        lab = Lab(1)
        frames = lab.stream("frames", like="kinesis", start="earliest", fan_out=fan_out)
        for n in range(300):
            frames.publish("frame", "x" * 10_000, key=n)
        lab.run()
        viewer = Service("viewer")
        viewer.on("#")(quiet)
        lab.deploy(viewer, on=frames)
        lab.run()
        assert max(row.time for row in lab.trace.where("fetch")) == pytest.approx(last, abs=0.05)

    def test_five_reads_a_second_are_for_all(self):
        lab = Lab(1)
        ticks = lab.stream("ticks", like="kinesis")
        for name in ("one", "two"):
            service = Service(name)
            service.on("#")(quiet)
            lab.deploy(service, on=ticks)
        lab.workload(ticks, "tick", every=0.01, count=1000)
        lab.run()
        reads = {(row.time, row.who) for row in lab.trace.where("fetch")}
        assert len(reads) / 10 == pytest.approx(5, rel=0.05)
        for name in ("one", "two"):
            assert sum(who == name for _, who in reads) / 10 == pytest.approx(2.5, rel=0.1)
            assert len(lab.trace.where("handle", who=name)) == 1000

    def test_a_record_that_fails_blocks_its_shard_and_no_other(self):
        lab, _ = system(like="kinesis", partitions=2, bad={3}, deploy={"instances": 2})
        lab.run(until=10)
        shard = shard_for("3", 2)
        assert [n for n in handled(lab) if shard_for(str(n), 2) == shard] == [
            n for n in range(3) if shard_for(str(n), 2) == shard
        ]
        assert [n for n in handled(lab) if shard_for(str(n), 2) != shard] == [
            n for n in range(10) if shard_for(str(n), 2) != shard
        ]

    def test_a_record_is_kept_for_a_day_to_the_record(self):
        lab, jobs = system(like="kinesis", services=(), count=1)
        lab.at(43_200, lambda: jobs.publish("job.new", {"n": 1}, key="1"))
        lab.at(86_460, jobs.clean)
        lab.run()
        assert jobs.logs[0].start == 1


@pytest.mark.parametrize("like", ["kafka", "kafka-share", "kinesis", "redis-stream", "rabbitmq-stream"])
def test_a_crash_in_the_middle_loses_nothing_where_others_take_over(like):
    options = {"claim_idle": 5} if like == "redis-stream" else {}
    lab, jobs = system(like=like, partitions=2, deploy={"instances": 2, "prefetch": 5}, count=30, **options)
    lab.faults(Crash("worker.1", at=0.25, restart_after=2))
    lab.run()
    assert sorted(set(handled(lab))) == list(range(30))
    assert jobs.lag("worker") == 0


@pytest.mark.parametrize(("isolation", "read"), [("read_committed", [0, 2, 4]), ("read_uncommitted", [0, 1, 2, 3, 4])])
def test_of_a_transaction_a_share_group_sees_what_it_may_and_never_the_marker(isolation, read):
    lab, clerk, bank = Lab(1), Service("clerk"), Service("bank")
    orders, bills = lab.stream("orders"), lab.stream("bills", share=True)

    @clerk.on("order.placed")
    async def write(order, ctx):
        async with ctx.transaction():
            await ctx.publish("bill.written", order.data)
            await ctx.sleep(0.1)  # what it has published is there by now
            if order.data["n"] % 2:
                raise ValueError("torn up")

    bank.on("bill.written")(quiet)
    bills.producer("clerk", Producer(transactional=True, linger=0))
    lab.deploy(clerk, on=orders, publishes=bills, on_error="reject")
    lab.deploy(bank, on=bills, isolation=isolation, instances=2)
    for n in range(5):
        orders.publish("order.placed", {"n": n}, key="1")
    lab.run()
    assert [row.event.data["n"] for row in lab.trace.where("acquire")] == read
    assert bills.logs[0].end == 10


@pytest.mark.parametrize("fenced", [True, False])
@pytest.mark.parametrize("first", range(0, 40, 10))
def test_whatever_is_lost_or_dies_every_record_ends_done_or_given_up_in_one_pair_of_hands_at_a_time(fenced, first):
    for seed in range(first, first + 10):
        lab = Lab(seed)
        jobs = lab.stream(
            "jobs", share=True, partitions=2, window=20, delivery_limit=4 if fenced else None,
            lock_timeout=0.5 if fenced else None, claim_idle=0.5,
        )  # fmt: skip
        worker = Service("worker")

        @worker.on("#")
        async def work(event, ctx):
            await ctx.sleep(ctx.random.expovariate(20))
            if ctx.random.random() < 0.2:
                raise ValueError("smudged")

        lab.deploy(worker, on=jobs, instances=3, prefetch=1 + seed % 3, concurrency=1 + seed % 2)
        lab.workload(jobs, "job.new", every=0.02, count=100, key="job")
        lab.faults(Faults(drop=0.05, duplicate=0.05, delay=Exponential(0.005), leg="deliver"))
        lab.faults(Faults(drop=0.05, leg="ack") + Faults(crash=0.01, restart_after=0.2))
        lab.run()
        holder, count, fate = {}, {}, {}
        for row in lab.trace.where(("acquire", "accept", "unlock", "skip")):
            record = row.place, row.tag
            assert record not in fate, "nothing follows the end of a record"
            if row.kind == "acquire":
                assert record not in holder, "in two pairs of hands"
                holder[record], count[record] = row.who, count.get(record, 0) + 1
                continue
            assert row.who in (("", holder[record]) if fenced else ("", "worker.1", "worker.2", "worker.3"))
            del holder[record]
            if row.kind != "unlock":
                fate[record] = row.kind
        assert set(fate) == {(row.place, row.tag) for row in lab.trace.where("append")}
        assert jobs.lag("worker") == 0
        if fenced:
            assert max(count.values()) <= 4
            assert all(count[record] == 4 for record, end in fate.items() if end == "skip")
        else:
            assert set(fate.values()) == {"accept"}
