"""The rules of an event stream: `partition` says where a key goes, `log` keeps it, `compaction` what of it stays, `groups` who reads it,
`assign` and `sticky` how they share.
"""

from edakit.stream.assign import assign
from edakit.stream.compaction import Record, compact
from edakit.stream.groups import Group
from edakit.stream.log import Log
from edakit.stream.partition import partition_for

__all__ = ["Group", "Log", "Record", "assign", "compact", "partition_for"]
