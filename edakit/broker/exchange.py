"""Which queues a message reaches. Everything that decides where a message goes lives here; nothing here knows the time.

Exchange types as in AMQP 0-9-1 (https://www.rabbitmq.com/docs/exchanges): `direct` compares the routing key with the binding
key, `topic` matches patterns, `fanout` ignores the key, `headers` looks at the headers instead (see `headers_match`). A message
reaches a queue once, however many bindings cover it. A message that no binding covers is dropped without a word: publishers who
care must ask (mandatory). Left out: exchanges bound to exchanges.
"""

from collections.abc import Callable, Mapping
from typing import Any

from edakit.broker.headers import headers_match
from edakit.errors import WiringError, known
from edakit.event import NOTHING
from edakit.topics import topic_matches

COVERS: dict[str, Callable[[str, str], bool]] = {
    "direct": lambda pattern, key: pattern == key,
    "fanout": lambda pattern, key: True,
    "topic": topic_matches,
}


class Exchange:
    """Bindings, and the queues that a routing key reaches through them, in the order of binding."""

    def __init__(self, name: str, kind: str = "topic") -> None:
        if kind not in COVERS and kind != "headers":
            raise WiringError(known("exchange type", kind, [*COVERS, "headers"]))
        self.name, self.kind = name, kind
        self.bindings: list[tuple[Any, str]] = []  # pattern (headers: arguments), queue
        self.routes: dict[str, Any] = {}  # what whoever asks has found out about a routing key; forgotten when a binding changes

    def bind(self, queue: str, pattern: str | Mapping[str, Any] = "#") -> None:
        """Let a queue receive what the pattern covers; for headers, what the arguments cover. Binding twice is binding once.

        Raises WiringError for a pattern where arguments are needed or the reverse, ArgumentError for an x-match that is none.
        """
        if not isinstance(pattern, Mapping if self.kind == "headers" else str):
            raise WiringError(
                f"bind={pattern!r}: a headers exchange binds by arguments, as {{'format': 'pdf'}}; others by a pattern"
            )
        if not isinstance(pattern, str):
            headers_match(pattern, {})
        if (pattern, queue) not in self.bindings:
            self.bindings.append((pattern, queue))
            self.routes.clear()

    def unbind(self, queue: str, pattern: str | Mapping[str, Any] = "#") -> None:
        """Take a binding back. Raises WiringError if there is none."""
        if (pattern, queue) not in self.bindings:
            raise WiringError(known("binding", f"{pattern} -> {queue}", [f"{p} -> {q}" for p, q in self.bindings]))
        self.bindings.remove((pattern, queue))
        self.routes.clear()

    def route(self, key: str, headers: Mapping[str, Any] = NOTHING) -> tuple[str, ...]:
        """The names of the queues that a message reaches, each once."""
        if self.kind == "headers":
            return tuple(dict.fromkeys(queue for arguments, queue in self.bindings if headers_match(arguments, headers)))
        covers = COVERS[self.kind]
        return tuple(dict.fromkeys([queue for pattern, queue in self.bindings if pattern == key or covers(pattern, key)]))
