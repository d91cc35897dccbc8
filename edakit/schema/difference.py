"""What makes two schemas incompatible, one difference at a time."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Names = Mapping[str, Any]  # the schemas that another refers to, by the name it knows them by


class Difference(NamedTuple):
    """One change that a reader of the new schema cannot bear.

    kind: the registry's name for it, in lower case ("optional_property_added_to_open_content_model"); where: a path into the schema
    ("#/properties/total"); message: what it is, in a sentence.
    """

    kind: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"
