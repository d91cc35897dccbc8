"""The rules of an event bus: `pattern` decides which events a rule matches, `filter` which messages a subscription receives.

`operators` has what a single value must satisfy; both use it. `bus` is EventBridge: rules, retries, archive. `topic` and
`visibility` are SNS and the queue of SQS. `pubsub` is Redis Pub/Sub: connections, globs, output buffers.
"""

from edakit.bus.filter import filter_matches
from edakit.bus.pattern import Pattern, matches
from edakit.bus.pubsub import PubSub, glob_matches
from edakit.errors import PatternError

__all__ = ["Pattern", "PatternError", "PubSub", "filter_matches", "glob_matches", "matches"]
