"""An event bus like EventBridge, and SNS with HTTP endpoints, in virtual time: a target is tried again until it takes an event.

What a target has taken is its own affair when it is invoked as an "event" (a Lambda function, asynchronously): its crash or error loses
it. (Lambda tries an error twice more by itself, a minute and two minutes later: deploy with `retry=Retry(2, backoff=60, longest=120)`.)
Invoked by "request-response", it has taken an event when its handler is done, and an error is a try that failed.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edakit.bus.bus import BACKOFF, Archive, Patience, Rules
from edakit.bus.topic import Topic
from edakit.bus.visibility import Delivery, Queue
from edakit.delivery import Retry
from edakit.errors import ArgumentError, Refused, WiringError, known
from edakit.event import Event
from edakit.sim.buses import Bus, PubSubBus
from edakit.sim.queued import QueuedBus, TopicBus
from edakit.sim.runtime import Instance
from edakit.units import SECOND, nanoseconds

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.world import World


class EventBus(QueuedBus):
    """Rules, one for each `on` pattern of a service, with the content pattern of `filter=`; targets with retries and dead letters."""

    def __init__(
        self,
        lab: "World",
        name: str,
        *,
        retries: int = 185,
        max_age: float = 86_400,
        timeout: float = 5,
        invoke: str = "event",
        fifo: bool = False,
        archive: bool = False,
        invocations: float | None = None,
    ) -> None:
        super().__init__(lab, name)
        if invoke not in ("event", "request-response"):
            raise ArgumentError(known("invoke", invoke, ["event", "request-response"]))
        self.rules: Rules | Topic = Rules()
        self.fifo, self.waits = fifo, invoke == "request-response"
        self.forgets = not self.waits
        self.patience = Patience(replace(BACKOFF, times=retries), max_age)
        self.gap = self.lab.gap(invocations, "invocations") if invocations is not None else 0  # between two, under a quota
        self._due: dict[str, Queue] = {}  # by place: what may have an invocation to make, whose turn it is first
        self._paused = False  # until the quota allows one more
        self.timeout = nanoseconds(timeout, "timeout")
        self.archive = Archive() if archive else None
        self.crews: dict[str, list[str]] = {}  # target -> its instances, whose turn it is first
        self._replays = 0

    def take(self, event: Event, since: int) -> None:
        """Archive an event, and bring it to the targets of all rules that match."""
        if self.archive:
            self.archive.add(event)
        self._route(event, since, self.rules.targets(event), "")

    def _route(self, event: Event, since: int, targets: list[str], replay: str) -> None:
        group = event.key if self.fifo and event.key else event.id  # a second copy for one target always waits for the first
        for target in targets:
            self.queues[target].send(event, self.kernel.ns, group=group, mark=replay)
        self.add(self.kernel.ns, "publish", self.name, event.source, event, int(bool(replay)), since, " ".join(targets))
        for target in dict.fromkeys(targets):
            self.push(self.queues[target])

    def push(self, queue: Queue) -> None:
        """Invoke the target with all that is due, now or as soon as the quota of invocations allows."""
        self._due.setdefault(queue.place, queue)
        if not self._paused:
            self._invoke()

    def _invoke(self) -> None:
        """One invocation after the other; under a quota one, and the next a gap later, in turns over the targets."""
        self._paused = False
        while self._due:
            place, queue = next(iter(self._due.items()))
            del self._due[place]
            crew = self.crews[place]
            name = next((each for each in crew if self.lab.instances[each].up), crew[0])
            delivery = queue.receive(self.kernel.ns, self.lab.instances[name])
            if delivery is None:
                continue
            self._due[place] = queue
            crew.remove(name)
            crew.append(name)
            self.hand(delivery, delivery.consumer, self._invoked)
            if self.gap:
                self._paused = True
                self.kernel.later(self.gap, self._invoke)
                return

    def _invoked(self, delivery: Delivery) -> None:
        """An event has reached its target."""
        instance = self.lab.instances[delivery.consumer.name]
        if instance.up:
            instance.receive(delivery)
            if not self.waits:
                self._answer(delivery, None)
        else:
            self._answer(delivery, "the target is down")

    def settle(self, instance: Instance, delivery: Delivery, error: Exception | None, result: Any) -> None:
        """A handler has ended. Only a target that is waited for says how."""
        if self.waits:
            self._answer(delivery, None if error is None or isinstance(error, Refused) else str(error))

    def _answer(self, delivery: Delivery, why: str | None) -> None:
        self.network.send("ack", delivery.consumer.name, self.name, delivery.event, self._answered, delivery, self.kernel.ns, why)

    def _answered(self, delivery: Delivery, since: int, why: str | None) -> None:
        if why is None:
            self.delete(delivery, since)
        else:
            self._failed(delivery, since, why)

    def lapsed(self, delivery: Delivery) -> None:
        """The target has not answered."""
        self._failed(delivery, self.kernel.ns, f"no answer within {self.timeout / SECOND:g} s")

    def _failed(self, delivery: Delivery, since: int, why: str) -> None:
        """A try has failed: try again later, or give up."""
        ns, queue = self.kernel.ns, delivery.queue
        if delivery.tag not in queue.out:
            return
        self.unwatch(delivery)
        age = (ns - delivery.message.sent) / SECOND
        wait = self.patience.wait(delivery.count, age, self.lab.random(f"{queue.place}/retries"))
        if wait is None:
            kind: str = queue.give_up(delivery, ns)
            note, pause = f"tried {delivery.count} times in {age:.0f} s: {why}", 0
        else:
            pause = nanoseconds(wait)
            kind, note = queue.lapse(delivery, ns, pause), f"{why}; again in {wait:.1f} s"
        self.add(ns, kind, queue.place, delivery.consumer.name, delivery.event, delivery.tag, since, note)
        self.kernel.later(pause, self.push, queue)

    def start(self, deployment: "Deployment", name: str) -> Instance:
        """A new instance of a target, whose rules are put for the first."""
        self.check(deployment, "filter")
        target = deployment.service.name
        place = f"{self.name}/{target}"
        if target not in self.queues:
            self.rules.subscribe(target, deployment.filter, deployment.service.handlers)
            self.queues[target] = Queue(
                place, visibility=self.timeout, retention=None, late=False, dead_letter=bool(deployment.dead_letter)
            )
            self.crews[place] = []
        if name not in self.crews[place]:
            self.crews[place].append(name)
        return Instance(deployment, name, self)

    def crashed(self, instance: Instance) -> None:
        """Nothing is told: the next try finds the target down, and what it owes an answer for has a timeout."""

    def replay(self, since: float, until: float, *, rules: list[str] | None = None) -> str:
        """Send again, from now on, what happened from `since` to before `until` (virtual seconds); return the name of the replay.

        It goes to all rules that match now, or only to those of the services named in `rules`. Handlers find the name in
        `ctx.delivery.replay`. Minute after minute, in any order within a minute.
        """
        self.lab.check_open("replay")
        if self.archive is None:
            raise WiringError(f"bus {self.name} has no archive: build it with archive=True")
        for each in rules or ():
            if each not in self.queues:
                raise WiringError(known(f"rule on bus {self.name}", each, list(self.queues)))
        self._replays += 1
        name = f"replay-{self._replays}"
        random = self.lab.random(f"{self.name}/{name}")
        for n, event in enumerate(self.archive.replay(since, until, self.lab.now, random)):
            self.kernel.later((n + 1) * self.network.hop, self._again, event, name, rules)
        return name

    def _again(self, event: Event, name: str, rules: list[str] | None) -> None:
        assert isinstance(self.rules, Rules), "a topic has no archive"
        self._route(event, self.kernel.ns, self.rules.targets(event, replay=name, only=rules), name)


class EndpointBus(EventBus):
    """An SNS topic whose subscribers are HTTP endpoints: the filter policy of a subscription decides, an answer ends the tries.

    Left out: the jitter of the waits, the phases of a delivery policy, and that an endpoint's 4xx is not tried again (a handler says no
    with `Refused`, and has taken the message). Source: Amazon SNS Developer Guide, message delivery retries.
    """

    def __init__(
        self,
        lab: "World",
        name: str,
        *,
        filter_scope: str = "MessageAttributes",
        retries: int = 3,
        backoff: float = 20,
        max_age: float = 3600,
        timeout: float = 15,
    ) -> None:
        super().__init__(lab, name, timeout=timeout, invoke="request-response")
        self.rules, self.patience = Topic(filter_scope), Patience(Retry(retries, backoff=backoff, factor=1), max_age)


BUSES: dict[str, type[Bus]] = {  # by preset
    "redis-pubsub": PubSubBus, "sns": TopicBus, "sns-http": EndpointBus, "sqs": TopicBus,
    "eventbridge": EventBus, "eventbridge-custom": EventBus,
}  # fmt: skip
