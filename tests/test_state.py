"""edakit is event-sourced itself: after every row the fold of the trace equals the live system."""

import random

import pytest
import queue_systems
import replica_systems
import stream_systems
import systems
import transaction_systems

from edakit import Lab, Trace
from edakit.event import NOTHING, Event
from edakit.sim.brokers import Broker
from edakit.sim.buses import Bus, PubSubBus
from edakit.sim.sagas import Orchestrator
from edakit.sim.streams import Stream
from edakit.state import GroupState, QueueState, SagaState, State, fold, fold_until
from edakit.stream.replicas import ReplicatedLog
from edakit.trace import KINDS, Row

NOTHING_YET = GroupState(), SagaState()


class Watched(Lab):
    """A lab that is compared with the fold of its trace after every row."""

    def __init__(self, seed: int):
        super().__init__(seed)
        self.folded, self.checked = State(), 0
        self.problem: BaseException | None = None  # the first; what is raised inside a handler would only be its failure
        extend = self.trace.write

        def write(fields):
            extend(fields)
            try:
                fold(self.folded, Row._make(fields))
                self.check(fields)
            except Exception as problem:  # noqa: BLE001  (raised again by `run`)
                self.problem = self.problem or problem

        self.trace.write = write  # before anything is built: brokers and workers keep a reference

    def run(self, until=None) -> Lab:
        super().run(until)
        if self.problem:
            raise self.problem
        return self

    def check(self, fields) -> None:
        self.checked += 1
        assert live_queues(self) == self.folded.queues, fields
        assert {name: log for name, log in live_logs(self).items() if log} == {
            place: log for place, log in self.folded.logs.items() if log
        }, fields
        assert live_groups(self) == self.folded.groups, fields
        streams = [log for home in self.homes.values() if isinstance(home, Stream) for log in home.logs]
        assert {log.place: log.start for log in streams if log.start} == self.folded.starts, fields
        assert {log.place: log.gone for log in streams if log.gone} == {
            p: gone for p, gone in self.folded.gone.items() if gone
        }, fields
        for log in streams:
            if log.place in self.folded.insync:
                assert live_copies(log) == self.folded.insync[log.place], fields
        for name, database in self.databases.items():  # the first row of a database is written while it is made
            assert database.data == self.folded.databases.get(name, {}), fields
        assert live_sagas(self) == {run: (saga.status, saga.done) for run, saga in self.folded.sagas.items()}, fields


def live_queues(lab: Lab) -> dict[str, QueueState]:
    """The queues that a row has named, as the fold would have them."""
    queues = [queue for home in lab.homes.values() if isinstance(home, Broker) for queue in home.queues.values()]
    return {
        queue.place: QueueState(
            list(queue.ready),
            {tag: (held.event, held.count, held.consumer.name) for tag, held in queue.unacked.items()},
            list(queue.dead),
        )
        for queue in queues
        if queue._tag or queue.ready or queue.place in lab.folded.queues
    } | {
        place: live_place(lab.homes[bus], name)
        for place in lab.folded.queues
        for bus, name in [place.split("/")]
        if isinstance(lab.homes[bus], Bus)
    }


def live_place(bus: Bus, name: str) -> QueueState:
    """What waits for one subscriber or target of a bus."""
    if isinstance(bus, PubSubBus):
        connection = bus.server.connections.get(name)
        return QueueState([(event, 0) for event, _ in connection.buffer] if connection else [])
    queue = bus.queues[name]
    return QueueState(
        [(message.event, message.count) for message in queue.ready],
        {tag: (held.event, held.count, held.consumer.name) for tag, held in queue.out.items()},
        [letter.event for letter in queue.dead],
    )


def live_copies(log: ReplicatedLog) -> tuple[str, str]:
    """Who leads a partition, and which of its copies are in sync."""
    name = log.place.partition("/")[0]
    return "" if log.leader is None else f"{name}.{log.leader + 1}", " ".join(f"{name}.{n + 1}" for n in log.insync)


def live_logs(lab: Lab) -> dict[str, list[Event]]:
    return {log.place: log.records for home in lab.homes.values() if isinstance(home, Stream) for log in home.logs}


def live_groups(lab: Lab) -> dict[tuple[str, str], GroupState]:
    """Where each group stands in each partition that it has ever been given."""
    return {
        (group.name, home.logs[n].place): GroupState(group.owner.get(n, ""), group.position[n], group.committed[n])
        for home in lab.homes.values()
        if isinstance(home, Stream)
        for group in home.groups.values()
        for n in range(len(home.logs))
        if n in group.owner or (group.name, home.logs[n].place) in lab.folded.groups
    } | {
        (group.group, part.log.place): GroupState(
            "*", part.end, part.start,
            {n: (each.member, each.count) for n, each in part.flight.items()},
        )
        for home in lab.homes.values()
        if isinstance(home, Stream)
        for group in home.shares.values()
        for part in group.parts
    }  # fmt: skip


def live_sagas(lab: Lab) -> dict[tuple[str, str], tuple[str, list[str]]]:
    """The state of each run as its log says; a run that has just ended has no row for that yet."""
    found = {}
    for each in lab.deployments.values():
        orchestrator = next(
            (h.__self__ for h in each.service.handlers.values() if isinstance(getattr(h, "__self__", None), Orchestrator)), None
        )
        for run in orchestrator.log.runs() if orchestrator else ():
            log = orchestrator.log.entries(run)
            done = [entry.step for entry in log if entry.outcome == "done"]
            for entry in log:
                if entry.outcome == "undone" and entry.step in done:
                    done.remove(entry.step)
            folded = lab.folded.sagas.get((each.service.name, run))
            found[each.service.name, run] = (folded.status if folded else "?", done)
    return found


@pytest.mark.parametrize("first", range(0, 120, 10))
def test_after_every_row_the_fold_equals_the_live_state_of_everything(first):
    for number in range(first, first + 10):
        lab = systems.build(Watched(number), number)
        lab.run(60)
        assert lab.checked == len(lab.trace) > 50
        assert lab.trace.state_at(lab.now) == lab.folded
        assert lab.folded.down == {name for name, instance in lab.instances.items() if not instance.up}
        lab.close()


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_the_fold_equals_the_live_state_of_streams_that_forget(first):
    for number in range(first, first + 20):
        lab = stream_systems.build(Watched(number), number)
        lab.run(60)
        assert lab.checked == len(lab.trace) > 50
        assert lab.trace.state_at(lab.now) == lab.folded
        lab.close()


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_the_same_for_share_groups(first):
    for number in range(first, first + 20):
        lab = stream_systems.build_shares(Watched(number), number)
        lab.run(60)
        assert lab.checked == len(lab.trace) > 50
        assert lab.trace.state_at(lab.now) == lab.folded
        lab.close()


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_the_same_for_streams_with_copies_on_machines_that_die(first):
    for number in range(first, first + 20):
        lab = replica_systems.build(Watched(number), number)
        lab.run(60)
        assert lab.checked == len(lab.trace) > 50
        assert lab.trace.state_at(lab.now) == lab.folded
        assert lab.folded.down == {machine.name for machine in lab.machines.values() if not machine.up} == set()
        lab.close()


@pytest.mark.parametrize("first", range(0, 40, 20))
def test_the_same_for_streams_with_transactions(first):
    for number in range(first, first + 20):
        lab = transaction_systems.build(Watched(number), number)
        lab.run(60)
        assert lab.checked == len(lab.trace) > 50
        assert lab.trace.state_at(lab.now) == lab.folded
        lab.close()


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_the_same_for_queues_with_arguments_on_a_broker_that_crashes(first):
    for number in range(first, first + 20):
        lab = queue_systems.build(Watched(number), number)
        lab.run(60)
        assert lab.checked == len(lab.trace) > 50
        assert Trace.from_json(lab.trace.to_json()).state_at(lab.now) == lab.trace.state_at(lab.now) == lab.folded
        lab.close()


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_the_same_for_buses(first):
    for number in range(first, first + 10):
        lab = systems.build_buses(Watched(number), number)
        lab.run(60)
        assert lab.checked == len(lab.trace) > 50
        lab.close()


def test_the_random_systems_write_every_kind_of_row():
    kinds = set()
    for number in range(40):
        kinds |= set(systems.build(Lab(number), number).run(60).trace.counts())
        kinds |= set(queue_systems.build(Lab(number), number).run(60).trace.counts())
        kinds |= set(stream_systems.build(Lab(number), number).run(60).trace.counts())
        kinds |= set(transaction_systems.build(Lab(number), number).run(60).trace.counts())
        kinds |= set(replica_systems.build(Lab(number), number).run(60).trace.counts())
        kinds |= set(stream_systems.build_shares(Lab(number), number).run(60).trace.counts())
    assert kinds == set(KINDS)


def test_the_state_at_a_time_is_that_after_the_last_row_not_later():
    trace = systems.build(Lab(1), 1).run(60).trace
    rng = random.Random(1)
    for _ in range(30):
        ns = rng.choice([row.ns for row in trace]) + rng.choice([-1, 0, 1])
        state = State()
        for row in trace:
            if row.ns <= ns:
                fold(state, row)
        assert fold_until(trace, ns) == state
    assert trace.state_at(0) == fold_until(trace[: sum(row.ns == 0 for row in trace)], 0)


def test_a_fold_reads_a_trace_that_came_out_of_json():
    trace = systems.build(Lab(2), 2).run(60).trace
    assert Trace.from_json(trace.to_json()).state_at(60) == trace.state_at(60)


def test_a_row_that_cannot_follow_is_an_error_not_a_guess():
    event = Event("order-1.placed.1", "order.placed", "web", None, "1", 0, None, "order-1.placed.1", NOTHING)
    with pytest.raises(IndexError):
        fold(State(), Row(0, "deliver", "shop/payment", "payment", event, 1, 0, ""))
    with pytest.raises(KeyError):
        fold(State(), Row(0, "ack", "shop/payment", "payment", event, 1, 0, ""))
