"""An Amazon SNS topic: a subscription gets a copy of each message of its types that its filter policy lets pass.

Sources: Amazon SNS Developer Guide: message filtering (a subscription without a policy gets everything; the policy is over the message
attributes unless FilterPolicyScope is MessageBody), fan-out to SQS queues.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from edakit.bus.filter import filter_matches
from edakit.errors import ArgumentError
from edakit.event import Event
from edakit.topics import topic_matches

SCOPES = ("MessageAttributes", "MessageBody")


class Topic:
    """Subscriptions by name, each with the patterns of its event types and its filter policy (None: everything)."""

    def __init__(self, scope: str = "MessageAttributes") -> None:
        if scope not in SCOPES:
            raise ArgumentError(f"filter_scope={scope!r}: one of {', '.join(SCOPES)}")
        self.scope = scope
        self.subscriptions: dict[str, tuple[tuple[str, ...], Mapping[str, Any] | None]] = {}

    def subscribe(self, name: str, policy: Mapping[str, Any] | None = None, types: Iterable[str] = ("#",)) -> None:
        """Add a subscription. Raises PatternError for an invalid policy."""
        if policy is not None:
            filter_matches(policy, **({"body": {}} if self.scope == "MessageBody" else {"attributes": {}}))
        self.subscriptions[name] = tuple(types), policy

    def receivers(self, event: Event) -> list[str]:
        """The subscriptions that get an event: its body is its data; its attributes are type, source, key and its extensions."""
        return [
            name
            for name, (types, policy) in self.subscriptions.items()
            if (policy is None or self._passes(policy, event)) and any(topic_matches(each, event.type) for each in types)
        ]

    def _passes(self, policy: Mapping[str, Any], event: Event) -> bool:
        if self.scope == "MessageBody":
            return filter_matches(policy, body=event.data if event.data is not None else "")
        texts = {"type": event.type, "source": event.source, "key": event.key, **event.extensions}
        return filter_matches(policy, attributes={name: _attribute(value) for name, value in texts.items() if value is not None})


def _attribute(value: Any) -> dict[str, str]:
    """A value as SNS has it: with its data type."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {"DataType": "Number" if number else "String", "Value": str(value)}
