"""An Amazon SNS topic: a subscription gets a copy of each message of its types that its filter policy lets pass.

Sources: Amazon SNS Developer Guide: message filtering (a subscription without a policy gets everything; the policy is over the message
attributes unless FilterPolicyScope is MessageBody), fan-out to SQS queues.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from edakit.bus.filter import Policy, message_body
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
        self.subscriptions: dict[str, tuple[tuple[str, ...], Policy]] = {}

    def subscribe(self, name: str, policy: Mapping[str, Any] | None = None, types: Iterable[str] = ("#",)) -> None:
        """Add a subscription. Raises PatternError for an invalid policy."""
        self.subscriptions[name] = tuple(types), Policy({} if policy is None else policy, body=self.scope == "MessageBody")

    def targets(self, event: Event) -> list[str]:
        """The subscriptions that get an event: its body is its data; its attributes are type, source, key and its extensions."""
        if self.scope == "MessageBody":
            message = message_body(event.data)
        else:
            said = {"type": event.type, "source": event.source, "key": event.key, **event.extensions}
            message = {
                name: str(value) if isinstance(value, bool) else value for name, value in said.items() if value is not None
            }
        return [
            name
            for name, (types, policy) in self.subscriptions.items()
            if policy.passes(message) and any(topic_matches(each, event.type) for each in types)
        ]
