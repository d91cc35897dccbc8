"""Whether two versions of a schema go together: Avro, JSON Schema and Protobuf, under the seven modes of a schema registry.

    from edakit.schema import check
    check('{"type": "string"}', '{"type": "integer"}', mode="BACKWARD", format="json")    # [Difference(kind="type_changed", ...)]

`compatibility`: the modes; `registry`: subjects, versions and the wire format;
`avro`, `json_schema`, `protobuf`: what each format can bear; `difference`: how one breach is told.
"""

from edakit.schema.compatibility import FORMATS, MODES, check
from edakit.schema.difference import Difference
from edakit.schema.registry import IncompatibleSchema, NotFramed, Registry, Version

__all__ = ["FORMATS", "MODES", "Difference", "IncompatibleSchema", "NotFramed", "Registry", "Version", "check"]
