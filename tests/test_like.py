"""What somebody who knows the real systems would try first; the sources are those of `edakit.presets`."""

from itertools import pairwise

import pytest

from edakit import Lab, Service
from edakit.stream import Producer, partition_for


def listening(name, work=None):
    """A service that notes what it is handed, and when: (n, how often, seconds)."""
    service, seen = Service(name), []

    @service.on("t")
    async def handle(event, ctx):
        seen.append((event.data["n"], ctx.delivery.count, ctx.now))
        if work:
            await work(event.data["n"], ctx)

    return service, seen


def numbers(seen):
    return [n for n, _, _ in seen]


def send(home, n, key=None):
    home.publish("t", {"n": n}, key=key)


def seconds(time):
    async def work(n, ctx):
        await ctx.sleep(time)

    return work


def test_a_slow_reader_of_a_compacted_topic_misses_states_and_ends_with_the_last_of_each_key():
    service, seen = listening("g", seconds(2))
    lab = Lab(2)
    states = lab.stream("states", like="kafka", start="earliest", compact=True, segment=4, check=1, retention=None)
    lab.deploy(service, on=states, prefetch=1)
    for n in range(60):
        lab.at(n * 0.25, send, states, n, str(n % 3))
    lab.run()
    assert numbers(seen) == sorted(numbers(seen))
    assert len(seen) < 60
    assert {n % 3: n for n in numbers(seen)} == {0: 57, 1: 58, 2: 59}
    assert states.lag("g") == 0


def test_what_died_with_a_leader_that_acknowledged_alone_was_never_read_by_anybody():
    """A consumer is handed nothing above the high watermark."""
    service, seen = listening("g")
    lab = Lab(1)
    orders = lab.stream("orders", like="kafka", replicas=3, replication_lag=0.5)
    orders.producer("client", Producer(acks=1, idempotence=False))
    lab.deploy(service, on=orders)
    for n in range(20):
        lab.at(n * 0.1, send, orders, n)
    lab.crash("orders", at=1.05)
    lab.run()
    assert len(seen) < 20
    assert numbers(seen) == [event.data["n"] for event in orders.logs[0].records]


@pytest.mark.parametrize(("assignor", "waits"), [("range", True), ("cooperative-sticky", False)])
def test_one_slow_handler_holds_up_a_whole_group_unless_it_rebalances_cooperatively(assignor, waits):
    async def work(n, ctx):
        await ctx.sleep(30 if n == 0 else 0.1)

    service, _ = listening("g", work)
    lab = Lab(1)
    orders = lab.stream("orders", like="kafka", partitions=3, start="earliest", assignor=assignor)
    keys = {partition_for(key, 3): key for key in map(str, range(50))}
    lab.deploy(service, on=orders, instances=3, prefetch=1)
    lab.run(until=1)
    readers = [row.who for row in sorted(lab.trace.where("assign"), key=lambda row: row.ns) if row.who]
    assert set(readers) == {"g.1", "g.2", "g.3"}
    owner = {row.place: row.who for row in lab.trace.where("assign")}
    send(orders, 0, keys[0])
    for n in range(1, 200):
        lab.at(1 + n * 0.2, send, orders, n, keys[1])
    lab.crash(owner["orders/2"], at=3, restart_after=2)
    lab.run()
    times = [row.time for row in lab.trace.where("fetch", place="orders/1")]
    longest = max(after - before for before, after in pairwise(times))
    assert (longest > 20) == waits


def test_a_failed_message_holds_up_its_fifo_group_and_no_other():
    async def work(n, ctx):
        if n == 0 and ctx.delivery.count < 3:
            raise ValueError("not yet")

    service, seen = listening("w", work)
    lab = Lab(1)
    jobs = lab.bus("jobs", like="sqs", fifo=True)
    lab.deploy(service, on=jobs, instances=3)
    for n, key in enumerate("aab"):
        send(jobs, n, key)
    lab.run()
    assert [(n, count) for n, count, _ in seen if n != 2] == [(0, 1), (0, 2), (0, 3), (1, 1)]
    when = {n: time for n, _, time in seen}
    assert when[2] < 1
    assert when[1] == pytest.approx(60, abs=1)  # two visibility timeouts


def test_who_takes_ten_messages_of_sqs_and_is_slow_with_each_gets_the_last_ones_again():
    service, seen = listening("w", seconds(5))
    lab = Lab(1)
    jobs = lab.bus("jobs", like="sqs")
    lab.deploy(service, on=jobs, prefetch=10)
    for n in range(10):
        send(jobs, n)
    lab.run(until=600)
    assert {n for n, count, _ in seen if count == 1} == set(range(10))
    assert {n for n, count, _ in seen if count > 1} >= {7, 8, 9}
    assert jobs.depth("jobs") == 0


def test_a_queue_to_wait_in_brings_a_rejected_message_back_and_its_history_counts():
    async def work(n, ctx):
        deaths.append([(death.queue, death.reason, death.count) for death in ctx.delivery.deaths])
        if len(deaths) < 3:
            raise ValueError("not yet")

    deaths: list = []
    service, seen = listening("w", work)
    lab = Lab(1)
    shop = lab.broker("shop", like="rabbitmq")
    shop.queue("w", dead_letter="wait")
    shop.queue("wait", bind="nothing", message_ttl=5, dead_letter="w")
    lab.deploy(service, on=shop, on_error="reject")
    send(shop, 0)
    lab.run()
    assert [round(time) for _, _, time in seen] == [0, 5, 10]
    assert deaths[2] == [("wait", "expired", 2), ("w", "rejected", 2)]
