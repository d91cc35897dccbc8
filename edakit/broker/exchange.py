"""Which queues a message reaches. Everything that decides where a message goes lives here; nothing here knows the time.

Exchange types as in AMQP 0-9-1 (https://www.rabbitmq.com/docs/exchanges): `direct` compares the routing key with the binding
key, `topic` matches patterns, `fanout` ignores the key. A message reaches a queue once, however many bindings cover it. A message
that no binding covers is dropped without a word: publishers who care must ask.
"""

from collections.abc import Callable

from edakit.errors import WiringError, known
from edakit.topics import topic_matches

COVERS: dict[str, Callable[[str, str], bool]] = {
    "direct": lambda pattern, key: pattern == key,
    "fanout": lambda pattern, key: True,
    "topic": topic_matches,
}


class Exchange:
    """Bindings, and the queues that a routing key reaches through them, in the order of binding."""

    def __init__(self, name: str, kind: str = "topic") -> None:
        if kind not in COVERS:
            raise WiringError(known("exchange type", kind, list(COVERS)))
        self.name, self.kind = name, kind
        self.bindings: list[tuple[str, str]] = []  # pattern, queue
        self.routes: dict[str, tuple[str, ...]] = {}  # what `route` has found out; forgotten when a binding changes

    def bind(self, queue: str, pattern: str = "#") -> None:
        """Let a queue receive what the pattern covers. Binding twice is binding once."""
        if (pattern, queue) not in self.bindings:
            self.bindings.append((pattern, queue))
            self.routes.clear()

    def unbind(self, queue: str, pattern: str = "#") -> None:
        """Take a binding back. Raises WiringError if there is none."""
        if (pattern, queue) not in self.bindings:
            raise WiringError(known("binding", f"{pattern} -> {queue}", [f"{p} -> {q}" for p, q in self.bindings]))
        self.bindings.remove((pattern, queue))
        self.routes.clear()

    def route(self, key: str) -> tuple[str, ...]:
        """The names of the queues that a routing key reaches, each once. A key seen before costs one dictionary lookup."""
        names = self.routes.get(key)
        if names is None:
            covers = COVERS[self.kind]
            found = [queue for pattern, queue in self.bindings if pattern == key or covers(pattern, key)]
            names = self.routes[key] = tuple(dict.fromkeys(found)) if len(found) > 1 else tuple(found)
        return names
