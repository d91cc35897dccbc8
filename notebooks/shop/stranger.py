"""A messaging system without a name, and the few things one can do to it. Exercise 02-3.

Whatever is behind it, a reader that has joined is handed messages, finishes them, dies and comes back, or asks for the past.
"""

from typing import Any

from edakit import EdakitError, Lab, Service
from edakit.errors import ArgumentError
from edakit.presets import PRESETS

SYSTEMS: dict[str, dict[str, Any]] = {  # what can be behind it
    "rabbitmq": {},
    "rabbitmq-stream": {},
    "kafka": {},
    "kafka-share": {},
    "sns": {},
    "sqs": {},
    "kinesis": {},
    "redis-pubsub": {},
    "redis-stream": {"claim_idle": 30},
}
MOST = 25  # operations
HANDED = ("deliver", "fetch", "acquire")  # rows that say so: of a queue, a partition, a share group
SOON = 0.2  # virtual seconds that an operation takes
RECOVERY = 70  # and a restart, until all that was not finished has come back


class TooMany(EdakitError):
    """More operations than one has."""


class Stranger:
    """A preset in a lab, known by what it does alone."""

    name = "unknown"

    def __init__(self, like: str, seed: int) -> None:
        self.operations = 0
        self.lab = Lab(seed)
        build: Any = {"broker": self.lab.broker, "stream": self.lab.stream, "bus": self.lab.bus}[PRESETS[like].kind]
        self._home = build("system", like=like, **SYSTEMS[like])
        self._seen: dict[str, int] = {}
        self._finished: dict[str, set[int]] = {}

    def join(self, reader: str) -> None:
        """A new reader is there from now on. It takes what it is handed, and holds it until it is finished."""
        service, finished = Service(reader), self._finished.setdefault(reader, set())

        @service.on("message")
        async def hold(message: Any, ctx: Any) -> None:
            while message.data["n"] not in finished:
                await ctx.sleep(0.05)

        self.lab.deploy(service, on=self._home, concurrency=100)
        self._pass()

    def publish(self, *numbers: int) -> None:
        """Publish a message for each number."""
        for n in numbers:
            self._home.publish("message", {"n": n}, key="same")
        self._pass()

    def handed(self, reader: str) -> list[int]:
        """The numbers handed to a reader since the last look (or its restart, or rewind), each once, sorted."""
        self._pass()
        rows = self._rows(reader)
        new = [row.event.data["n"] for row in rows[self._seen.get(reader, 0) :]]
        self._seen[reader] = len(rows)
        return sorted(set(new))

    def finish(self, reader: str, *numbers: int) -> None:
        """The reader is done with these, or with all it holds: it acknowledges them, in whatever way the system has."""
        held = [row.event.data["n"] for row in self._rows(reader)]
        self._finished[reader].update(numbers or held)
        self._pass()

    def restart(self, reader: str) -> None:
        """The reader dies with what it holds, and comes back; all that the system gives back has come when this returns."""
        self._forget(reader)
        self.lab.crash(reader)
        self.lab.restart(reader)
        self._pass(RECOVERY)

    def rewind(self, reader: str) -> None:
        """The reader asks for everything from the beginning, and waits; where there is no such thing, it only waits."""
        self._forget(reader)
        seek = getattr(self._home, "seek", None)
        if seek:
            seek(reader, to="earliest")
        self._pass(RECOVERY)

    def _rows(self, reader: str) -> list[Any]:
        """What a reader was handed so far."""
        if reader not in self._finished:
            raise ArgumentError(f"no reader {reader!r} has joined: system.join({reader!r})")
        return list(self.lab.trace.where(HANDED, who=reader))

    def _forget(self, reader: str) -> None:
        self._seen[reader] = len(self._rows(reader))
        self._finished[reader].clear()

    def _pass(self, seconds: float = SOON) -> None:
        self.operations += 1
        if self.operations > MOST:
            raise TooMany(f"more than {MOST} operations")
        self.lab.run(self.lab.now + seconds)
