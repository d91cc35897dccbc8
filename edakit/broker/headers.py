"""Which messages a headers binding covers: the headers exchange of RabbitMQ.

Source: rabbitmq-server, rabbit_exchange_type_headers.erl; https://www.rabbitmq.com/docs/exchanges#headers
"""

from collections.abc import Mapping
from typing import Any

from edakit.errors import ArgumentError, known

MODES = ("all", "any", "all-with-x", "any-with-x")


def headers_match(arguments: Mapping[str, Any], headers: Mapping[str, Any]) -> bool:
    """Whether the arguments of a binding cover the headers of a message.

        >>> headers_match({"x-match": "any", "format": "pdf", "urgent": True}, {"format": "pdf"})
        True
        >>> headers_match({"format": "pdf", "approved": None}, {"format": "pdf", "approved": "by Ann"})
        True

    x-match: "all" (every argument agrees; also when it is left out) or "any" (one does). Arguments whose names begin with x- are not
    looked at; "all-with-x" and "any-with-x" look at them too, x-match itself excepted. Nothing to look at: "all" covers every
    message, "any" none. The argument None (AMQP's void) asks only that the header is there.
    Values agree if they have the same type and value: 1 is not 1.0, True is not 1, and names and values are case-sensitive.
    Raises ArgumentError for another x-match, as the broker refuses such a binding.
    """
    mode = arguments.get("x-match", "all")
    if mode not in MODES:
        raise ArgumentError(known("x-match", mode, MODES))
    with_x = mode.endswith("-with-x")
    asked = [(name, value) for name, value in arguments.items() if name != "x-match" and (with_x or not name.startswith("x-"))]
    agree = (name in headers and (value is None or _same(value, headers[name])) for name, value in asked)
    return any(agree) if mode.startswith("any") else all(agree)


def _same(one: Any, other: Any) -> bool:
    """Equal in value and in type, all the way down; text is its UTF-8 bytes, and whole numbers of any width are one type."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    one, other = (value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value for value in (one, other))
    return type(one) is type(other) and bool(one == other)
