"""A JSON Schema as a tree of types: what one says is told by its keywords, and it may say several things at once.

Source: everit-org/json-schema, SchemaLoader.java, which the Confluent registry reads schemas with.
"""

import copy
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urljoin

from jsonschema.exceptions import SchemaError
from jsonschema.validators import Draft7Validator, validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT7, Schema, SchemaRegistry, specification_with

from edakit.errors import ArgumentError
from edakit.schema.difference import Names

SNIFFED = {  # what a schema without a type is about
    "array": "items additionalItems prefixItems unevaluatedItems minItems maxItems uniqueItems contains",
    "object": "properties required minProperties maxProperties dependencies dependentRequired dependentSchemas patternProperties "
    "additionalProperties unevaluatedProperties propertyNames",
    "number": "maximum minimum exclusiveMaximum exclusiveMinimum multipleOf",
    "string": "maxLength minLength pattern",
    "conditional": "if then else",
}
ANYTHING = ("empty", "true")


def addresses(schema: Any, references: Names) -> tuple[SchemaRegistry, str]:
    """Where the references of a schema lead, and its own address: its `$id`, or "".

    A reference is found under the name it is given by, as it stands or from the address of the schema, and under its own `$id`.
    """
    named = schema.get("$schema", "") if isinstance(schema, dict) else ""
    dialect: Any = specification_with(named, default=DRAFT7) if named else DRAFT7
    main: Resource[Schema] = dialect.create_resource(schema)
    found: list[tuple[str, Resource[Schema]]] = []
    for name, each in references.items():
        there = Resource.from_contents(each, default_specification=dialect)
        found += [(address, there) for address in {name, urljoin(main.id() or "", name), there.id() or name}]
    return Registry[Schema]().with_resources([*found, (main.id() or "", main)]), main.id() or ""


class Document:
    """A schema with what its references lead to. Raises ArgumentError if it is none."""

    def __init__(self, schema: Any, references: Names) -> None:
        for name, each in {**references, "the schema": schema}.items():
            try:
                validator_for(each, default=Draft7Validator).check_schema(each)
            except SchemaError as error:
                raise ArgumentError(f"{name}: not a JSON Schema: {error.json_path}: {error.message}") from None
        registry, address = addresses(schema, references)
        self.resolver, self.named = registry.resolver(address), list(references)
        # since draft 2019-09 a reference may have neighbours
        self.modern = bool(re.search(r'"\$schema": "[^"]*20(19|20)-|"prefixItems"', json.dumps(schema)))
        self.known: dict[int, Node] = {}
        self.root = self.node(schema)

    def node(self, raw: Any) -> "Node":
        """What a schema is; the same node for the same schema, so that a circle of references is noticed."""
        if id(raw) not in self.known:
            self.known[id(raw)] = self._classified(raw)
        return self.known[id(raw)]

    def _classified(self, raw: Any) -> "Node":
        if isinstance(raw, bool):
            return Node(self, "true" if raw else "false", {})
        if "$ref" in raw and not (self.modern and len(raw) > 1):
            return self.referred(raw)
        found = list(self._types(raw))
        if len(found) == 1:
            return found[0]
        return Node(self, "combined", raw, found, "allOf") if found else Node(self, "empty", raw)

    def referred(self, raw: dict[str, Any]) -> "Node":
        """Where a reference leads. What is found there has references of its own, which count from there."""
        try:
            found = self.resolver.lookup(raw["$ref"])
        except Unresolvable:
            raise ArgumentError(f"$ref {raw['$ref']!r} leads nowhere; references: {', '.join(self.named) or 'none'}") from None
        document = copy.copy(self)
        document.resolver = found.resolver
        return document.node(found.contents)

    def _types(self, raw: dict[str, Any]) -> Iterator["Node"]:
        """All that a schema says; if that is more than one thing, its data is all of them."""
        if "$ref" in raw:
            yield self.referred(raw)
        if "enum" in raw:
            yield Node(self, "enum", raw)
        for criterion in ("allOf", "anyOf", "oneOf"):
            if criterion in raw:
                yield Node(self, "combined", raw, raw[criterion], criterion)
        for type in ("not", "const"):
            if type in raw:
                yield Node(self, type, raw)
        named = raw.get("type", [])
        if isinstance(named, list) and named:
            yield Node(self, "combined", raw, [Node(self, _plain(each), {**raw, "type": each}) for each in named], "anyOf")
        elif named:
            yield Node(self, _plain(named), raw)
        covered = {_plain(each) for each in ([named] if isinstance(named, str) else named)}
        for type, keywords in SNIFFED.items():
            if type not in covered and any(keyword in raw for keyword in keywords.split()):
                yield Node(self, type, raw)


def _plain(type: str) -> str:
    return "number" if type == "integer" else type


class Node:
    """A schema as one type: string, number, boolean, null, object, array, enum, const, not, combined, conditional, empty, true, false.

    parts: of a combined one, its schemas, as they stand or as nodes; criterion: whether all, any or one of them must hold.
    """

    def __init__(
        self, document: Document, type: str, raw: dict[str, Any], parts: Iterable[Any] = (), criterion: str = ""
    ) -> None:
        self.document, self.type, self.raw, self.criterion, self._parts = document, type, raw, criterion, parts

    @property
    def parts(self) -> list["Node"]:
        """The schemas of a combined one, each once."""
        nodes = [part if isinstance(part, Node) else self.document.node(part) for part in self._parts]
        return list({(node.type, node.criterion, canonical(node.raw)): node for node in nodes}.values())

    def get(self, keyword: str) -> "Node | None":
        """The schema under a keyword, if there is one."""
        found = self.raw.get(keyword)
        return self.document.node(found) if isinstance(found, (dict, bool)) else None

    def named(self, *keywords: str) -> dict[str, "Node"]:
        """The schemas by name under some keywords."""
        found = {name: schema for keyword in keywords for name, schema in self.raw.get(keyword, {}).items()}
        return {name: self.document.node(schema) for name, schema in found.items() if isinstance(schema, (dict, bool))}

    @property
    def items(self) -> list["Node"]:
        """The schemas of the first items of an array, one by one."""
        listed = self.raw.get("prefixItems") or self.raw.get("items")
        return [self.document.node(each) for each in listed] if isinstance(listed, list) else []

    @property
    def each_item(self) -> "Node | None":
        """The one schema of all items of an array."""
        return self.get("items") if isinstance(self.raw.get("items"), dict) and "prefixItems" not in self.raw else None

    @property
    def further(self) -> "Node | None":
        """What is said about properties or items that are not described: false, a schema, or nothing (then they may be anything)."""
        rest = "items" if "prefixItems" in self.raw or isinstance(self.raw.get("items"), bool) else "additionalItems"
        found = self.get("additionalProperties" if self.type == "object" else rest)
        return None if found is None or found.type == "true" else found

    @property
    def unevaluated(self) -> "Node | None":
        """What is said about properties or items that no part of the schema has looked at."""
        return self.get("unevaluatedProperties" if self.type == "object" else "unevaluatedItems")

    @property
    def is_open(self) -> bool:
        """Whether there may be anything beyond what is described."""
        left = self.unevaluated
        return self.further is None and not self.raw.get("patternProperties") and (left is None or left.type in ANYTHING)

    def beyond(self, name: str) -> "Node | None":
        """The schema that a property which is not described must obey, in an object that is neither open nor closed."""
        for pattern, schema in self.named("patternProperties").items():
            if re.search(pattern, name):
                return schema
        if self.further:
            return None if self.further.type == "false" else self.further
        left = self.unevaluated
        return None if left is None or left.type in (*ANYTHING, "false") else left


def canonical(value: Any) -> str:
    """Equal for equal JSON: 1 is not true, and the order of keys does not matter."""
    return json.dumps(value, sort_keys=True)
