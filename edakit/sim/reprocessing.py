"""What becomes of a record that a group on a stream gives up: it is written to another topic, and the group goes on.

Retry topics are read again a while later by readers of their own (`payment-retry-1`, ...), with the same handlers; what fails there too
goes to the next one, and at last to the dead-letter topic. The partition is never held up, so the order of a key is given up with it.

Sources: Uber, "Building Reliable Reprocessing and Dead Letter Queues with Apache Kafka" (2018); Spring for Apache Kafka, non-blocking
retries (how the pattern works).
"""

from bisect import bisect
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edakit.errors import WiringError
from edakit.event import Event
from edakit.service import Service
from edakit.sim.streams import Stream
from edakit.units import nanoseconds

if TYPE_CHECKING:
    from edakit.sim.deployment import Deployment
    from edakit.sim.world import World


class RetryTopic(Stream):
    """A topic that hands out a record `delay` seconds after it was written: until then its reader pauses the partition."""

    def __init__(self, lab: "World", name: str, *, delay: float, partitions: int) -> None:
        super().__init__(lab, name, partitions=partitions)
        self.delay = nanoseconds(delay, "retry_topics")
        self._due: list[list[int]] = [[] for _ in self.logs]

    def written(self, number: int) -> None:
        """Readers ask for it when it is due."""
        due = self._due[number]
        due += [self.kernel.ns + self.delay] * (self.logs[number].end - len(due))
        self.kernel.later(self.delay, super().written, number)

    def scan(self, number: int, offset: int, most: int, isolation: str) -> Iterable[tuple[int, Event]]:
        """Of what there is, what is due."""
        return super().scan(number, offset, max(0, min(most, bisect(self._due[number], self.kernel.ns) - offset)), isolation)


def reprocess(build: Callable[..., Any], deployment: "Deployment") -> "list[Deployment]":
    """Make the topics for what a deployment gives up; return the readers of all but the last. Raises WiringError for a name in use."""
    lab, home, service, delays = deployment.lab, deployment.home, deployment.service, deployment.retry_topics
    if not isinstance(home, Stream) or not (delays or isinstance(deployment.dead_letter, str)):
        return []
    name, partitions, letters, readers = f"{home.name}-{deployment.group}", len(home.logs), None, []
    if deployment.dead_letter:
        end = deployment.dead_letter if isinstance(deployment.dead_letter, str) else f"{name}-dlt"
        there: Any = lab.homes.get(end)
        letters = there or build(Stream, end, {}, "")
        if type(letters) is not Stream:
            raise WiringError(f"dead_letter={end!r}: name a stream without copies, or nothing that is there yet")
    if delays and deployment.delivery_limit is None:
        deployment.on_error = "reject"
    options = [{"delay": delay, "partitions": partitions} for delay in delays]
    topics = [build(RetryTopic, f"{name}-retry-{n}", each, "") for n, each in enumerate(options, 1)]
    deployment.letters, *after = *topics, letters
    if letters:
        home.letters[deployment.group] = letters, topics[0] if topics else home
    for n, topic in enumerate(topics):
        reader = Service(f"{service.name}-retry-{n + 1}")
        reader.handlers.update(service.handlers)
        readers.append(replace(deployment, service=reader, home=topic, letters=after[n]))
    return readers
