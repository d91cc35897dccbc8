"""Whether data of one JSON Schema is valid under another: the rules of the Confluent registry, at their strict setting.

They compare keyword by keyword, so they are safe but not complete: what they pass is compatible, what they refuse need not be
broken. The one that surprises: an object without `additionalProperties: false` is *open*, its data may hold any further property,
and so to describe one more property is to forbid what was allowed. Source: confluentinc/schema-registry, json/diff/*.java.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match
from jsonschema.validators import validator_for

from edakit.errors import ArgumentError
from edakit.event import freeze, thaw
from edakit.schema.difference import Difference, Names
from edakit.schema.json_nodes import ANYTHING, Document, Node, addresses, canonical

# of each type, the keywords that bound a number from above, and from below
UPPER = {"string": "maxLength", "number": "maximum exclusiveMaximum", "object": "maxProperties", "array": "maxItems maxContains"}
LOWER = {type: names.replace("max", "min").replace("Max", "Min") for type, names in UPPER.items()}


def write(schema: Any, data: Any, references: Names) -> bytes:
    """Data as JSON, lists of frozen data too. Raises ArgumentError for data that is not JSON, or not valid under the schema."""
    data = thaw(freeze(data))
    validator = validator_for(schema, default=Draft7Validator)(schema, registry=addresses(schema, references)[0])
    if error := best_match(validator.iter_errors(data)):
        raise ArgumentError(f"{error.json_path}: {error.message}")
    return json.dumps(data, separators=(",", ":")).encode()


def read(wrote: Any, reads: Any, body: bytes, references: Names, reads_references: Names) -> Any:
    """Data from JSON, as it is: no schema is needed to read it. Raises ArgumentError for bytes that are not JSON."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise ArgumentError(f"{body[:16]!r} is not JSON: {error}") from None


def compare(old: Any, new: Any, old_references: Names, references: Names) -> list[Difference]:
    """What breaks data that is valid under `old`, read under `new`; empty if nothing. All are JSON values."""
    before, after, comparison = Document(old, old_references).root, Document(new, references).root, Comparison()
    while True:  # a circle of references is taken to be sound; if it turns out not to be, what relied on it is looked at again
        found, relied = comparison.differences(before, after, "#"), comparison.relied
        broken = {pair: differences for pair, differences in comparison.memo.items() if differences}
        if not relied or broken.keys() == comparison.broken.keys():
            return found
        comparison = Comparison(broken)


Pair = tuple[int, int]


class Comparison:
    """A walk through two schemas at once. Paths are those within the pair that is compared."""

    def __init__(self, broken: dict[Pair, list[Difference]] | None = None) -> None:
        self.broken = broken or {}  # pairs known from an earlier walk to be broken
        self.memo: dict[Pair, list[Difference]] = {}
        self.entered: set[Pair] = set()
        self.relied = False  # on a pair that was not finished yet

    def differences(self, old: Node, new: Node, path: str = "") -> list[Difference]:
        """What breaks data of `old` under `new`, with paths from `path` on."""
        pair = (id(old), id(new))
        if pair in self.memo:
            found = self.memo[pair]
        elif pair in self.entered:
            self.relied, found = True, self.broken.get(pair, [])
        else:
            self.entered.add(pair)
            found = self.memo[pair] = list(self._compare(old, new))
            self.entered.remove(pair)
        return [each._replace(where=path + each.where) for each in found]

    def fits(self, old: Node, new: Node) -> bool:
        """Whether all data of `old` is valid under `new`."""
        return not self.differences(old, new)

    def _compare(self, old: Node, new: Node) -> Iterator[Difference]:
        if old.type != "combined" and new.type == "combined":
            parts = new.parts
            if (len(parts) == 1 or new.criterion != "allOf") and any(self.fits(old, part) for part in parts):
                return
        elif old.type == "combined" and new.type != "combined":
            parts = old.parts
            if (len(parts) == 1 or old.criterion == "allOf") and any(self.fits(part, new) for part in parts):
                return
        if old.type != new.type:
            if old.type != "false" and new.type not in ANYTHING:
                yield Difference("type_changed", "", f"was {old.criterion or old.type}, is {new.criterion or new.type}")
            return
        rules = getattr(self, f"_{old.type}", None)
        yield from _limits(old, new)
        if rules:
            yield from rules(old, new)

    def _string(self, old: Node, new: Node) -> Iterator[Difference]:
        before, after = old.raw.get("pattern"), new.raw.get("pattern")
        if after is not None and after != before:
            kind = "pattern_added" if before is None else "pattern_changed"
            yield Difference(kind, "/pattern", f"text that was valid may not match {after!r}: keep the pattern as it was")

    def _number(self, old: Node, new: Node) -> Iterator[Difference]:
        before, after = old.raw.get("multipleOf"), new.raw.get("multipleOf")
        if after is not None and (before is None or Decimal(str(before)) % Decimal(str(after))):
            kind = "added" if before is None else "changed" if Decimal(str(after)) % Decimal(str(before)) else "expanded"
            yield Difference(f"multiple_of_{kind}", "/multipleOf", f"not every number that was valid is a multiple of {after}")
        if new.raw.get("type") == "integer" and old.raw.get("type") != "integer":
            yield Difference("type_narrowed", "", "was number, is integer: 1.5 was valid, leave it a number")

    def _const(self, old: Node, new: Node) -> Iterator[Difference]:
        if canonical(old.raw["const"]) != canonical(new.raw["const"]):
            yield Difference("enum_array_changed", "/const", f"was {old.raw['const']!r}, is {new.raw['const']!r}")

    def _enum(self, old: Node, new: Node) -> Iterator[Difference]:
        before, after = ({canonical(value): value for value in node.raw["enum"]} for node in (old, new))
        gone = [value for text, value in before.items() if text not in after]
        if gone:
            kind = "enum_array_narrowed" if after.keys() <= before.keys() else "enum_array_changed"
            yield Difference(kind, "/enum", f"no longer allows {', '.join(map(repr, gone))}: keep what old data has")

    def _not(self, old: Node, new: Node) -> Iterator[Difference]:
        before, after = old.get("not"), new.get("not")
        if before and after and not self.fits(after, before):
            yield Difference("not_type_extended", "/not", "forbids more than before: forbid no more than it did")

    def _combined(self, old: Node, new: Node) -> Iterator[Difference]:
        before, after = old.parts, new.parts
        allowed = {old.criterion, "anyOf"}
        if len(before) == 1:
            allowed |= {"oneOf", new.criterion if len(after) == 1 else "oneOf"}
        if new.criterion not in allowed and not (len(after) == 1 and old.criterion == "allOf"):
            yield Difference("combined_type_changed", "", f"was {old.criterion}, is {new.criterion}")
            return
        if len(before) < len(after) and new.criterion == "allOf":
            yield Difference("product_type_extended", "", "must obey more schemas than before: take out the new one")
        if len(before) > len(after) and old.criterion != "allOf":
            yield Difference("sum_type_narrowed", "", "has fewer alternatives than before: keep those that old data has")
        pairs = [[n for n, part in enumerate(after) if self.fits(each, part)] for each in before]
        if matched(pairs) < min(len(before), len(after)):
            yield Difference("combined_type_subschemas_changed", "", "some of its schemas go with none on the other side")

    def _object(self, old: Node, new: Node) -> Iterator[Difference]:
        before, after = old.named("properties"), new.named("properties")
        was, must = set(old.raw.get("required", ())), set(new.raw.get("required", ()))
        for name in before:
            if name in after and name in must - was and "default" not in after[name].raw:
                yield Difference("required_attribute_added", f"/required/{name}", f"{name!r} may be missing: do not require it")
        for name in {**before, **after}:
            path = f"/properties/{name}"
            if name not in after:
                yield from self._undescribed("property", path, name, before[name], new)
            elif name not in before:
                yield from self._described("property", path, name, old, after[name], name in must)
            else:
                yield from self.differences(before[name], after[name], path)
        yield from self._dependencies(old, new)
        yield from self._beyond(old, new, "properties", "additionalProperties")

    def _described(self, what: str, path: str, name: str, old: Node, schema: Node, must: bool = False) -> Iterator[Difference]:
        """A property or item is described that was not."""
        default = "default" in schema.raw
        if old.is_open:
            if schema.type not in ANYTHING:
                how = f"required_{what}{'_with_default' if default else ''}" if must else f"optional_{what}"
                message = f"{name!r} could be anything in old data, which was open: close the old schema, or leave it undescribed"
                yield Difference(f"{how}_added_to_open_content_model".replace("optional_item", "item"), path, message)
            return
        covering = old.beyond(name if what == "property" else "")
        if covering and (inside := self.differences(covering, schema, path)):
            message = f"{name!r} was allowed as something else: keep to what it could be"
            yield from [*inside, Difference(f"{what}_added_not_covered_by_partially_open_content_model", path, message)]
        if must and not default:
            message = f"{name!r} is missing in old data: give it a default, or do not require it"
            yield Difference("required_property_added_to_unopen_content_model", path, message)

    def _undescribed(self, what: str, path: str, name: str, schema: Node, new: Node) -> Iterator[Difference]:
        """A property or item is no longer described."""
        covering = new.beyond(name if what == "property" else "")
        if not new.is_open and covering and (inside := self.differences(schema, covering, path)):
            message = f"{name!r} is something else than what further ones may be: describe it again"
            yield from [*inside, Difference(f"{what}_removed_not_covered_by_partially_open_content_model", path, message)]
        elif not new.is_open and not covering and schema.type != "false":
            message = f"{name!r} is in old data, and the new schema is closed: keep it there, or open the schema"
            yield Difference(f"{what}_removed_from_closed_content_model", path, message)

    def _beyond(self, old: Node, new: Node, what: str, keyword: str) -> Iterator[Difference]:
        """What may be there beyond what is described."""
        for stem, path, before, after in (
            ("additional", keyword, old.further, new.further),
            ("unevaluated", f"unevaluated{what.title()}", old.unevaluated, new.unevaluated),
        ):
            closed = [node is not None and node.type == "false" for node in (before, after)]
            open = [node is None or node.type in ANYTHING for node in (before, after)]
            if closed[1] and not closed[0]:
                yield Difference(f"{stem}_{what}_removed", f"/{path}", f"further {what} are no longer allowed: leave it open")
            elif after is None or closed[0] or (stem == "unevaluated" and open[1] and before is not None):
                continue
            elif open[0]:
                yield Difference(f"{stem}_{what}_narrowed", f"/{path}", f"further {what} could be anything: leave it open")
            elif before is not None:
                yield from self.differences(before, after, f"/{path}")

    def _dependencies(self, old: Node, new: Node) -> Iterator[Difference]:
        both = [{**node.raw.get("dependencies", {}), **node.raw.get("dependentRequired", {})} for node in (old, new)]
        lists = [{name: set(each) for name, each in said.items() if isinstance(each, list)} for said in both]
        for name, needed in lists[1].items():
            if extra := needed - lists[0].get(name, set()):
                kind = "added" if name not in lists[0] else "extended" if needed >= lists[0][name] else "changed"
                message = f"with {name!r} there must be {', '.join(sorted(extra))} now: ask for no more than before"
                yield Difference(f"dependency_array_{kind}", f"/dependencies/{name}", message)
            elif name not in lists[0]:
                yield Difference("dependency_array_added", f"/dependencies/{name}", "asks for nothing, but is a new rule")
        before, after = (node.named("dependencies", "dependentSchemas") for node in (old, new))
        for name in after:
            if name in before:
                yield from self.differences(before[name], after[name], f"/dependencies/{name}")
            else:
                yield Difference("dependency_schema_added", f"/dependencies/{name}", f"a new rule for {name!r}: leave it out")

    def _array(self, old: Node, new: Node) -> Iterator[Difference]:
        before, after = old.each_item, new.each_item
        if after and not before:
            yield Difference("schema_added", "/items", "items could be anything: leave them undescribed")
        elif after and before:
            yield from self.differences(before, after, "/items")
        for n in range(max(len(old.items), len(new.items))):
            path = f"/items/{n}"
            if n >= len(new.items):
                yield from self._undescribed("item", path, f"item {n}", old.items[n], new)
            elif n < len(old.items):
                yield from self.differences(old.items[n], new.items[n], path)
            else:
                yield from self._described("item", path, f"item {n}", old, new.items[n])
        yield from self._beyond(old, new, "items", "additionalItems")
        if new.raw.get("uniqueItems") and not old.raw.get("uniqueItems"):
            yield Difference("unique_items_added", "/uniqueItems", "old data may hold an item twice: leave it out")


def _limits(old: Node, new: Node) -> Iterator[Difference]:
    """Numbers that bound something, and have come closer."""
    for keywords, sign, word in ((UPPER, 1, "decreased"), (LOWER, -1, "increased")):
        for keyword in keywords.get(old.type, "").split():
            before, after = old.raw.get(keyword), new.raw.get(keyword)
            if after is None or isinstance(after, bool) or before == after:
                continue
            stem = re.sub("([A-Z])", r"_\1", keyword).lower()
            if before is None:
                yield Difference(f"{stem}_added", f"/{keyword}", f"was without a limit, is {after}: leave it out")
            elif sign * after < sign * before:
                yield Difference(f"{stem}_{word}", f"/{keyword}", f"was {before}, is {after}: keep it at {before}")


def matched(pairs: list[list[int]]) -> int:
    """How many on the left can have one on the right each for themselves, of those that suit (augmenting paths)."""
    taken: dict[int, int] = {}

    def find(left: int, tried: set[int]) -> bool:
        for right in pairs[left]:
            if right not in tried:
                tried.add(right)
                if right not in taken or find(taken[right], tried):
                    taken[right] = left
                    return True
        return False

    return sum(find(left, set()) for left in range(len(pairs)))
