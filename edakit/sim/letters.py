"""The dead letters of groups on a stream: where they are written, and the way back.

A letter is the record under its own id, with `origin` (the partition and offset it comes from), `group`, `attempts` and `error` as
attributes (`event.extensions`). A consumer group writes it itself, before it commits the offset: a crash between the two writes it twice.
Of a share group the broker does, whenever it gives up a record (KIP-1191).
"""

from typing import Any

from edakit.errors import WiringError, known
from edakit.event import Event, Frozen
from edakit.sim.runtime import Instance
from edakit.sim.topic import Topic
from edakit.sim.world import PATIENCE
from edakit.stream.groups import Record

TOLD = ("origin", "group", "attempts", "error")


class Forwarded(Exception):
    """How the handling of a record ended that is written to another topic now."""


class LetterTopic(Topic):
    """A topic whose groups may have another topic for what they give up."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.letters: dict[str, tuple[Topic, Topic]] = {}  # by group: where its dead letters are, and where they are sent back to
        self.redriven: dict[str, int] = {}  # by group: so many of them have been sent back

    def settle(self, instance: Instance, record: Any, error: Exception | None, result: Any) -> None:
        """A handler has ended."""
        raise NotImplementedError

    def forward(self, instance: Instance, record: Record, error: str) -> None:
        """Write a record that is given up to the topic for such; only when that is confirmed its group goes on without it."""
        event = letter(record.event, record.place, record.tag, record.group, record.count, error)
        instance.tasks[self.kernel.spawn(instance.name, self._forward, instance, record, event)] = None

    async def _forward(self, instance: Instance, record: Record, event: Event) -> None:
        topic, kernel, network, confirmed = instance.deployment.letters, self.kernel, self.network, None
        assert topic is not None, "asked for only where there is one"
        while confirmed is not True:
            task, ticket = kernel.current, kernel.ticket()
            confirm = instance.name, task, ticket
            network.send("publish", instance.name, topic.name, event, topic.accept, event, kernel.ns, confirm)
            if network.disturbed:
                kernel.timer(PATIENCE, task, ticket)
            confirmed = await kernel.park("the confirm of a dead letter")
        del instance.tasks[kernel.current]
        self.settle(instance, record, Forwarded(), None)

    def dead_letters(self, group: str) -> list[Event]:
        """What a group has given up and written to its dead-letter topic, oldest first, but for what was sent back.

        Raises WiringError for a group that has no such topic.
        """
        if group not in self.letters:
            raise WiringError(known(f"group with a dead-letter topic on stream {self.name}", group, list(self.letters)))
        found = [event for log in self.letters[group][0].logs for event in log.records if event.extensions.get("group") == group]
        return found[self.redriven.get(group, 0) :]

    def redrive(self, group: str, *, rate: float = 1000) -> int:
        """Write the dead letters of a group, so many a second from now on, to its first retry topic; return how many there are.

        Without retry topics they go back to this stream, where all other groups read them once more, too. (Kafka has no such command.)
        """
        self.lab.check_open(f"redrive {group!r}")
        letters, gap = self.dead_letters(group), self.lab.gap(rate, "rate")
        source, target = self.letters[group]
        self.redriven[group] = self.redriven.get(group, 0) + len(letters)
        for n, each in enumerate(letters):
            as_it_was = {name: value for name, value in each.extensions.items() if name not in TOLD}
            event, at = each._replace(extensions=Frozen(as_it_was)), self.kernel.ns + n * gap
            self.kernel.later(n * gap, target.accept, event, at, (source.name, None, 0))
        return len(letters)


def letter(event: Event, place: str, offset: int, group: str, count: int, error: str) -> Event:
    """A record that was given up, with what is to be known of that."""
    said = event.extensions
    origin, attempts = said.get("origin", f"{place}/{offset}"), said.get("attempts", 0) + count
    return event._replace(extensions=Frozen({**said, "origin": origin, "group": group, "attempts": attempts, "error": error}))
