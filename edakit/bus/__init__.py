"""The rules of an event bus: `pattern` decides which events a rule matches, `filter` which messages a subscription receives.

`operators` has what a single value must satisfy; both use it.
"""

from edakit.bus.filter import filter_matches
from edakit.bus.pattern import Pattern, matches
from edakit.errors import PatternError

__all__ = ["Pattern", "PatternError", "filter_matches", "matches"]
