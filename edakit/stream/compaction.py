"""Log compaction: of each key, the last record stays. Offsets stay as they are, so a reader's position stays good.

Source: Apache Kafka, LogCleaner (Cleaner.buildOffsetMap, shouldRetainRecord) and its test; https://kafka.apache.org/documentation/#compaction
"""

from collections.abc import Iterable, Sequence
from typing import Any

Record = tuple[int, Any, Any, float]  # offset, key, value, timestamp in seconds; a record without a value is a tombstone


def compact(
    segments: Sequence[Sequence[Record]],
    active: Iterable[Record] = (),
    *,
    now: float = 0.0,
    delete_retention: float = 86400.0,
) -> list[list[Record]]:
    """The closed segments of a log after cleaning, oldest first, each a list of (offset, key, value, timestamp).

        >>> compact([[(0, "a", 1, 0.0), (1, "b", 1, 0.0)], [(2, "a", 2, 0.0)]], active=[(3, "b", 2, 0.0)])
        [[(1, 'b', 1, 0.0)], [(2, 'a', 2, 0.0)]]

    A record stays if no later one in `segments` has its key. The active segment, to which the log is still appending, is neither
    cleaned nor consulted: what it says about a key removes nothing yet, and a reader who has caught up sees every record.
    A tombstone (value None) removes what was said before about its key, and goes itself `delete_retention` seconds after its timestamp
    (delete.retention.ms, one day), so that readers have time to see it. A record without a key goes at once; a compacted topic
    refuses it to begin with.

    Kafka counts a tombstone's time from its first cleaning, not from its timestamp, and joins small segments; here each stays, even
    if it is empty.
    """
    del active  # named so that a caller can say what the segments are not
    last: dict[Any, int] = {}
    for segment in segments:
        for offset, key, _, _ in segment:
            last[key] = max(offset, last.get(key, offset))
    return [
        [
            record
            for record in segment
            if record[1] is not None
            and record[0] >= last[record[1]]
            and (record[2] is not None or now < record[3] + delete_retention)
        ]
        for segment in segments
    ]
