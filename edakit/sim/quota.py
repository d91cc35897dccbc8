"""What a shard of Kinesis gives its readers: so many bytes and reads a second, all together or each consumer its own.

Source: Amazon Kinesis Data Streams, quotas (2 MB and 5 GetRecords calls a second for each shard, shared); enhanced fan-out (2 MB a
second for each consumer, pushed).
"""

from edakit.errors import ArgumentError
from edakit.stream.log import Log
from edakit.units import SECOND

LARGEST = 10 * 2**20  # bytes of one read (GetRecords)


class ReadQuota:
    """When each partition may be read next. rate: bytes a second, reads: reads a second; fan_out: each group has the rate to itself."""

    def __init__(self, rate: float | None, reads: float | None, fan_out: bool) -> None:
        for name, value in (("read_rate", rate), ("reads", reads)):
            if value is not None and not (isinstance(value, (int, float)) and value > 0):
                raise ArgumentError(f"{name}={value!r}: more than 0 a second, or None for no limit")
        self.rate, self.reads, self.fan_out = rate, None if fan_out else reads, fan_out
        self.most = rate if fan_out and rate else LARGEST  # what is pushed comes a second's worth at a time
        self._free: dict[tuple[str, int], int] = {}

    def wait(self, group: str, partition: int, ns: int) -> int:
        """Nanoseconds until a group may read a partition."""
        return self._free.get((group if self.fan_out else "", partition), 0) - ns

    def read(self, group: str, partition: int, log: Log, position: int, most: int, ns: int) -> int:
        """A group reads at most so many records from a position on: how many it gets. Then it has to wait."""
        size = count = 0
        for offset, _ in log.scan(position, most):
            more = log.size(offset)
            if count and size + more > self.most:
                break
            size, count = size + more, count + 1
        pause = max(size / self.rate if self.rate else 0, 1 / self.reads if self.reads and count else 0)
        self._free[group if self.fan_out else "", partition] = ns + round(pause * SECOND)
        return count
