"""The rules of an event stream: `partition` says where a key goes, `log` keeps it, `groups` who reads it, `assign` how they share."""

from edakit.stream.assign import assign
from edakit.stream.groups import Group
from edakit.stream.log import Log
from edakit.stream.partition import partition_for

__all__ = ["Group", "Log", "assign", "partition_for"]
