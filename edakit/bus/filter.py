"""Which messages a subscription receives: the filter policies of Amazon SNS.

A filter policy is a pattern (edakit.bus.pattern), over the message attributes or over the message body, with fewer operators and
with limits. Source: https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html and
/subscription-filter-policy-constraints.html; what the service refuses, as recorded from it in LocalStack's suite
(tests/aws/services/sns/test_sns_filter_policy.py).
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from edakit.bus.operators import SNS_OPERATORS
from edakit.bus.pattern import Pattern
from edakit.errors import ArgumentError, PatternError

DIGITS = 1_000_000  # six after the point are compared; the documentation promises five
MOST_KEYS = 5
MOST_COMBINATIONS = 150


def filter_matches(
    policy: Mapping[str, Any], *, attributes: Mapping[str, Mapping[str, Any]] | None = None, body: Any = None
) -> bool:
    """Whether a message passes a filter policy; the empty policy lets everything pass.

    attributes: {name: {"DataType": "String" | "Number" | "String.Array", "Value": ...}}, the message attributes (StringValue and Type
    are understood too). A String.Array is a JSON list and matches if one element does. Binary attributes are not looked at.
    body: the message itself, as JSON text or already read; given, the policy is over the body (FilterPolicyScope=MessageBody) and
    may be nested. A body that is no JSON object never passes.

        >>> filter_matches({"price": [{"numeric": [">=", 100]}]}, attributes={"price": {"DataType": "Number", "Value": "120"}})
        True
        >>> filter_matches({"order": {"country": ["de", "at"]}}, body='{"order": {"country": "at"}}')
        True

    Operators: prefix, suffix, equals-ignore-case, anything-but (of values, or of a prefix), numeric, exists, cidr, and $or among keys.
    Numbers are compared to six digits after the point.
    Raises PatternError for an invalid policy, one with more than 5 keys, or one with more than 150 combinations of values.
    """
    if body is not None and attributes:
        raise ArgumentError("attributes and body: a filter policy is over one of them")
    compiled = Policy(policy, body=body is not None)
    return compiled.passes(message_attributes(attributes or {}) if body is None else message_body(body))


class Policy:
    """A filter policy, read once and used often. body: whether it is over the body. Raises PatternError for an invalid one."""

    def __init__(self, policy: Mapping[str, Any], *, body: bool) -> None:
        self.pattern = None  # everything passes
        if policy or not isinstance(policy, Mapping):
            self.pattern = Pattern(_cut(policy), SNS_OPERATORS)
            _check_limits(policy, nested=body)

    def passes(self, message: Mapping[str, Any] | None) -> bool:
        """Whether a message passes: its attributes or its body as a JSON object, or None if it has none."""
        return self.pattern is None or (message is not None and self.pattern.matches(_cut(message)))


def _cut(value: Any) -> Any:
    """A policy or a message with its numbers cut to the digits that are compared."""
    if isinstance(value, Mapping):
        return {name: _cut(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cut(inner) for inner in value]
    if isinstance(value, float) and math.isfinite(value * DIGITS):
        return math.floor(value * DIGITS) / DIGITS
    return value


def _check_limits(policy: Mapping[str, Any], *, nested: bool) -> None:
    if not nested:
        for name, value in policy.items():
            if isinstance(value, Mapping):
                raise PatternError(f"{name}: a policy over message attributes has no nested keys; only one over the body has")
    if len(policy) > MOST_KEYS:
        raise PatternError(f"a filter policy has at most {MOST_KEYS} keys, not {len(policy)}")
    if (combinations := _combinations(policy, 1, 1)) > MOST_COMBINATIONS:
        raise PatternError(f"a filter policy has at most {MOST_COMBINATIONS} combinations of values, not {combinations}")


def _combinations(policy: Mapping[str, Any], depth: int, so_far: int) -> int:
    """The values of each key times the depth of the key, multiplied; over the alternatives of $or, summed."""
    for name, value in policy.items():
        if isinstance(value, Mapping):
            so_far = _combinations(value, depth + 1, so_far)
        elif name == "$or" and all(isinstance(one, Mapping) for one in value):
            so_far = sum(_combinations(one, depth, so_far) for one in value)
        else:
            so_far *= len(value) * depth
    return so_far


def message_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Message attributes as a JSON object. An array that is no JSON, or a number that is none, is left out: it matches nothing."""
    values: dict[str, Any] = {}
    for name, attribute in attributes.items():
        kind = attribute.get("DataType", attribute.get("Type"))
        value = attribute.get("Value", attribute.get("StringValue"))
        if not isinstance(kind, str):
            raise ArgumentError(f"attribute {name!r} has DataType={kind!r}: String, String.Array, Number or Binary")
        if kind.startswith("Binary") or value is None:
            continue
        if kind.startswith(("Number", "String.Array")) and isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                continue
        values[name] = value
    return values


def message_body(body: Any) -> dict[str, Any] | None:
    """A message body as a JSON object, or None."""
    if isinstance(body, (str, bytes)):
        try:
            body = json.loads(body)
        except ValueError:
            return None
    return dict(body) if isinstance(body, Mapping) else None
