"""An event bus of Amazon EventBridge: rules with targets, how long delivery is tried, and an archive to replay from.

Pure rules; times are seconds. Sources: Amazon EventBridge User Guide: rules (300 a bus, 5 targets a rule), how EventBridge retries
delivering events (24 hours, 185 times, exponential backoff with jitter), archives; API reference StartReplay (one minute after the other,
not in the exact order; FilterArns; `replay-name` marks what is replayed), RetryPolicy; for the Custom Event Bus: its retry policies and
dead-letter queues (5 attempts, 300 seconds). The curve of the backoff is not published: doubling from 1 s to 640 s with equal jitter
makes 185 tries last about a day.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from edakit.bus.pattern import Pattern
from edakit.chance import Random
from edakit.delivery import Retry
from edakit.errors import ArgumentError
from edakit.event import Event, thaw
from edakit.topics import topic_matches

MOST_RULES, MOST_TARGETS = 300, 5
MINUTE = 60
BACKOFF = Retry(185, backoff=1, longest=640, jitter="equal")


def envelope(event: Event, replay: str = "") -> dict[str, Any]:
    """An event as a pattern sees it."""
    seen = {"id": event.id, "detail-type": event.type, "source": event.source, "time": event.time, "detail": thaw(event.data)}
    return {**seen, "replay-name": replay} if replay else seen


@dataclass
class Rule:
    """Events whose type a topic pattern covers, and that match a content pattern if there is one, go to all targets."""

    name: str
    types: str = "#"
    pattern: Mapping[str, Any] | None = None
    targets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.targets) > MOST_TARGETS:
            raise ArgumentError(f"rule {self.name} has {len(self.targets)} targets: a rule has at most {MOST_TARGETS}")
        self._compiled = None if self.pattern is None else Pattern(self.pattern)

    def matches(self, event: Event, replay: str = "") -> bool:
        """Whether an event is for this rule."""
        fits = topic_matches(self.types, event.type)
        return fits and (self._compiled is None or self._compiled.matches(envelope(event, replay)))


class Rules:
    """The rules of a bus."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def put(self, rule: Rule) -> None:
        """Add a rule."""
        if len(self.rules) >= MOST_RULES:
            raise ArgumentError(f"rule {rule.name}: a bus has at most {MOST_RULES} rules")
        self.rules.append(rule)

    def subscribe(self, name: str, pattern: Mapping[str, Any] | None = None, types: Iterable[str] = ("#",)) -> None:
        """A rule with one target, of the same name, for each of some types. Raises PatternError for an invalid pattern."""
        for each in types:
            self.put(Rule(name, each, pattern, [name]))

    def targets(self, event: Event, *, replay: str = "", only: Iterable[str] | None = None) -> list[str]:
        """Who gets an event, in the order of the rules: once for each rule that matches. `only`: rules of these names."""
        chosen = self.rules if only is None else [rule for rule in self.rules if rule.name in set(only)]
        return [target for rule in chosen if rule.matches(event, replay) for target in rule.targets]


@dataclass(frozen=True)
class Patience:
    """How long a delivery is tried: as often as `retry` says, and no longer than `max_age` after the event came."""

    retry: Retry = BACKOFF
    max_age: float = 86_400

    def wait(self, tries: int, age: float, random: Random) -> float | None:
        """Seconds until the next try, after `tries` of them have failed; or None: give up."""
        wait = self.retry.delay(tries, random)
        return wait if wait is not None and age + wait <= self.max_age else None


class Archive:
    """What came over a bus, in the order of arrival; kept for ever unless a retention is given. What is replayed is not kept twice."""

    def __init__(self, pattern: Mapping[str, Any] | None = None, retention: float | None = None) -> None:
        self.rule, self.retention = Rule("archive", pattern=pattern), retention
        self.events: list[Event] = []

    def add(self, event: Event) -> None:
        """Keep an event, if the archive is for it."""
        if self.rule.matches(event):
            self.events.append(event)

    def replay(self, since: float, until: float, now: float, random: Random) -> Iterator[Event]:
        """The events that happened from `since` to before `until`: minute after minute, and in any order within a minute."""
        oldest = since if self.retention is None else max(since, now - self.retention)
        minutes: dict[int, list[Event]] = {}
        for event in self.events:
            if oldest <= event.time < until:
                minutes.setdefault(int((event.time - since) // MINUTE), []).append(event)
        for minute in sorted(minutes):
            yield from random.sample(minutes[minute], len(minutes[minute]))
