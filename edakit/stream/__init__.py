"""The rules of an event stream: `partition` says where a key goes, `log` keeps it, `compaction` what of it stays, `groups` who reads it,
`assign` and `sticky` how they share, `rebalance` how they deal anew, `share` how they take single records, `producer` how a writer sends.
"""

from edakit.stream.assign import assign
from edakit.stream.compaction import Record, compact
from edakit.stream.groups import Group
from edakit.stream.log import Log
from edakit.stream.partition import partition_for, shard_for
from edakit.stream.producer import Producer
from edakit.stream.share import SharePartition, entry_ids

__all__ = [
    "Group", "Log", "Producer", "Record", "SharePartition", "assign", "compact", "entry_ids", "partition_for", "shard_for",
]  # fmt: skip
