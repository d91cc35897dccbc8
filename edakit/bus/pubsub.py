"""Redis Pub/Sub: channels, glob patterns, and one output buffer for each connection. No message waits for who is not connected.

    server = PubSub()
    server.connect("desk").subscribe("price.*")
    for connection in server.receivers("price.tick"):
        overrun = connection.write(event, size=120, now=0)      # kept until the connection has room; None, or why it is cut off

Pure rules; times are numbers of one unit, the same as that of `soft_time`. Sources: https://redis.io/docs/latest/develop/pubsub/ (at most
once; one copy for each subscription that fits), /develop/reference/clients/ (output buffer limits), redis/redis src/util.c and
tests/unit/keyspace.tcl (globs), src/pubsub.c (channels are served before patterns).
"""

import re
from collections import deque
from functools import lru_cache

from edakit.event import Event

HARD, SOFT, SOFT_TIME = 32 * 2**20, 8 * 2**20, 60  # bytes, bytes, seconds: client-output-buffer-limit pubsub 32mb 8mb 60


def glob_matches(pattern: str, channel: str) -> bool:
    r"""Whether a glob of PSUBSCRIBE covers a channel.

    `*` is anything, dots and nothing included; `?` one character; `[abc]`, `[a-z]`, `[^a]` one of a set; `\` takes the next character as
    it is. A set that is not closed goes to the end of the pattern.

        >>> glob_matches("price.*", "price.dax.tick"), glob_matches("h[^e]llo", "hello")
        (True, False)
    """
    return _compiled(pattern).fullmatch(channel) is not None


TOKEN = re.compile(r"(?P<star>\*+)|\[(?P<set>\^?(?:\\.|[^]]-.|[^]])*+)\]?|\\(?P<char>.)|.", re.DOTALL)
MEMBER = re.compile(r"\\(.)|(.)-(.)|(.)", re.DOTALL)


@lru_cache(maxsize=4096)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(TOKEN.sub(_expression, glob), re.DOTALL)


def _expression(token: re.Match[str]) -> str:
    """A piece of a glob as a regular expression."""
    if token["star"] or token[0] == "?":
        return ".*" if token["star"] else "."
    if token["set"] is None:
        return re.escape(token["char"] or token[0])
    outside = token["set"].startswith("^")
    members = [
        "-".join(map(re.escape, sorted(low + high))) or re.escape(escaped or char)
        for escaped, low, high, char in MEMBER.findall(token["set"][outside:])
    ]
    if not members:
        return "." if outside else "(?!)"
    return f"[{'^' * outside}{''.join(members)}]"


class Connection:
    """A connected subscriber: what it listens to, and what is written for it but not sent yet. `room`: how much it takes at once."""

    def __init__(self, name: str, *, room: int = 1, hard: int = HARD, soft: int = SOFT, soft_time: float = SOFT_TIME) -> None:
        self.name, self.room, self.hard, self.soft, self.soft_time = name, room, hard, soft, soft_time
        self.channels: dict[str, None] = {}
        self.patterns: dict[str, None] = {}
        self.buffer: deque[tuple[Event, int]] = deque()  # with sizes
        self.bytes = 0
        self._over: float | None = None  # since when the buffer has been over the soft limit

    def subscribe(self, *channels: str) -> "Connection":
        """Listen to channels; a name with `*`, `?` or `[` in it is a pattern."""
        for channel in channels:
            (self.patterns if set(channel) & set("*?[") else self.channels)[channel] = None
        return self

    def write(self, event: Event, size: int, now: float) -> str | None:
        """Keep a message for the subscriber. Returns None, or why the server cuts the connection off."""
        self.buffer.append((event, size))
        self.bytes += size
        if self.hard and self.bytes >= self.hard:
            return f"output buffer of {self.hard:,} bytes is full"
        if not self.soft or self.bytes < self.soft:
            self._over = None
        elif self._over is None:
            self._over = now
        elif now - self._over > self.soft_time:
            return f"output buffer over {self.soft:,} bytes for too long"
        return None

    def read(self) -> Event | None:
        """Send the oldest message, if the subscriber has room: it is forgotten. The subscriber gives `room` back when it has read it."""
        if not self.buffer or self.room < 1:
            return None
        event, size = self.buffer.popleft()
        self.bytes -= size
        self.room -= 1
        if self.bytes < self.soft:
            self._over = None
        return event


class PubSub:
    """The connections of a server."""

    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}

    def connect(self, name: str, **limits: int) -> Connection:
        """A subscriber connects; an older connection of that name is replaced."""
        self.connections[name] = connection = Connection(name, **limits)
        return connection

    def disconnect(self, name: str) -> list[Event]:
        """A connection ends; what was written for it and not sent is lost, and returned."""
        connection = self.connections.pop(name, None)
        return [event for event, _ in connection.buffer] if connection else []

    def receivers(self, channel: str) -> list[Connection]:
        """Who gets a message on a channel: once for the channel, and once more for each pattern that covers it."""
        there = self.connections.values()
        exact = [connection for connection in there if channel in connection.channels]
        return exact + [each for each in there for pattern in each.patterns if glob_matches(pattern, channel)]
