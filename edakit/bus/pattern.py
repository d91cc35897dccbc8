"""Which events a rule matches: the pattern language of Amazon EventBridge.

A pattern has the shape of the events it matches; where the event has a value, the pattern has the list of values that will do:

    {"source": ["shop"], "detail": {"total": [{"numeric": [">=", 100]}], "country": [{"anything-but": ["ch", "li"]}]}}

All fields of the pattern must match (and), each by one entry of its list (or); fields that the pattern does not name are ignored.
Entries: a literal (string, number, true, false, null), or one of `prefix`, `suffix`, `equals-ignore-case`, `wildcard`,
`anything-but`, `numeric`, `exists`, `cidr` (edakit.bus.operators). `"$or": [{...}, {...}]` among the fields: one of these will do.

    - An array in the event matches if one of its elements does. What is matched inside objects of one array must be found in one and
      the same element.
    - {"exists": false} is met where the field has no value; an empty array and an object have none. {"exists": true} is met by null.
      Fields are looked at in the order of their names, so inside an array it is about the element that the earlier names chose.
    - Names are joined with dots before they are compared: {"a.b": [1]} and {"a": {"b": [1]}} are the same pattern.

Source: aws/event-ruler (JsonRuleCompiler, ACFinder) and its tests; https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from edakit.bus.operators import OPERATORS, Test, absent, refuse, test_of
from edakit.errors import ArgumentError, PatternError

Branch = dict[str, list[Test]]  # field -> one of these must pass; a pattern is a list of branches, one of which must hold
Place = frozenset[tuple[int, int]]  # which element of which arrays of the event

RESERVED = {  # may not be field names inside $or; the last two rows are kept for later by their source
    "exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr", "=", "<", "<=", ">", ">=",
    "regex", "not-wildcard", "not-equals-ignore-case", "date-after", "date-on-or-after", "date-before", "date-on-or-before",
    "in-date-range", "ip-address-in-range", "ip-address-not-in-range",
}  # fmt: skip


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether an event (a JSON object as Python has it: dict, list, str, int, float, bool, None) matches a pattern.

        >>> matches({"detail": {"total": [{"numeric": [">", 0, "<=", 100]}]}}, {"source": "shop", "detail": {"total": 9.9}})
        True

    Raises PatternError, which says where, for an invalid pattern, whatever the event.
    """
    return Pattern(pattern).matches(event)


class Pattern:
    """A pattern, read once and matched often. Raises PatternError, which says where, if it is none."""

    def __init__(self, pattern: Mapping[str, Any], operators: Mapping[str, Callable[[Any, str], Test]] = OPERATORS) -> None:
        if not isinstance(pattern, Mapping):
            raise PatternError(f"a pattern is an object, not {pattern!r}")
        self.operators = operators
        try:
            self.branches = self._fields(pattern, "", [{}])
        except PatternError as first:
            try:  # older patterns have fields called $or: what does not read as alternatives may read as such a field
                self.branches = self._fields(pattern, "", [{}], keyword="")
            except PatternError:
                raise first from None

    def _fields(
        self, fields: Mapping[str, Any], place: str, branches: list[Branch], *, inside_or: bool = False, keyword: str = "$or"
    ) -> list[Branch]:
        """The branches that come of adding an object's fields to those there are."""
        if not fields:
            refuse(place or "pattern", "an empty object matches nothing: leave it out, or ask for a field")
        for name, value in fields.items():
            if not isinstance(name, str):
                refuse(place or "pattern", f"names of fields are strings, not {name!r}")
            where = f"{place}.{name}" if place else name
            if name == keyword:
                branches = self._alternatives(value, place, where, branches)
            elif inside_or and name in RESERVED:
                refuse(where, "the name of an operator cannot be a field inside $or")
            elif isinstance(value, Mapping):
                branches = self._fields(value, where, branches, inside_or=inside_or, keyword=keyword)
            elif isinstance(value, (list, tuple)):
                if not value:
                    refuse(where, "an empty list matches nothing: leave it out, or say [{'exists': false}]")
                tests = [test_of(rule, f"{where}[{n}]", self.operators) for n, rule in enumerate(value)]
                branches = [{**branch, where: tests} for branch in branches]
            else:
                refuse(where, f"a list of values or an object with fields, not {value!r}")
        return branches

    def _alternatives(self, value: Any, place: str, where: str, branches: list[Branch]) -> list[Branch]:
        if not isinstance(value, (list, tuple)) or len(value) < 2 or not all(isinstance(one, Mapping) for one in value):
            refuse(where, f"a list of two or more objects, not {value!r}")
        return [branch for one in value for branch in self._fields(one, place, branches, inside_or=True)]

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether an event matches."""
        if not isinstance(event, Mapping):
            raise ArgumentError(f"an event is a JSON object, not {event!r}")
        wanted = {name for branch in self.branches for name in branch}
        values: dict[str, list[tuple[Any, Place]]] = {}
        for name, value, place in _flatten(event, "", frozenset(), count()):
            if name in wanted:
                values.setdefault(name, []).append((value, place))
        return any(_holds(branch, values) for branch in self.branches)


def _flatten(value: Any, name: str, place: Place, arrays: Iterator[int]) -> Iterator[tuple[str, Any, Place]]:
    """Every value without structure: its dotted name, itself, and the elements of arrays that it stands in."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}.{key}" if name else str(key), place, arrays)
    elif isinstance(value, (list, tuple)):
        array = next(arrays)
        for n, inner in enumerate(value):
            structured = isinstance(inner, (Mapping, list, tuple))
            yield from _flatten(inner, name, place | {(array, n)} if structured else place, arrays)
    else:
        yield name, value, place


def _holds(branch: Branch, values: dict[str, list[tuple[Any, Place]]]) -> bool:
    """Whether every field of a branch has a value that passes, all of them at places that agree."""
    places: set[Place] = {frozenset()}
    for name in sorted(branch):
        tests, found = branch[name], values.get(name, [])
        passing = [place for value, place in found if any(test(value) for test in tests)]
        merged = {so_far | place for so_far in places for place in passing if _agree(so_far, place)}
        if absent in tests:
            merged |= {so_far for so_far in places if not any(_agree(so_far, place) for _, place in found)}
        places = merged
    return bool(places)


def _agree(one: Place, other: Place) -> bool:
    """Whether two places stand in the same element of every array that both stand in."""
    both = one | other
    return len({array for array, _ in both}) == len(both)
