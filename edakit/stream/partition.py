"""Which partition a key belongs to: the same key, the same partition as a real Kafka client, or the same shard as Kinesis.

Sources: org.apache.kafka.common.utils.Utils.murmur2 and DefaultPartitioner / BuiltInPartitioner (positive value, modulo);
Kinesis API, PutRecord and HashKeyRange.
"""

from collections.abc import Callable
from hashlib import md5

from edakit.errors import WiringError

Hash = Callable[[str | bytes, int], int]  # a key, how many partitions -> a partition

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def partition_for(key: str | bytes, partitions: int) -> int:
    """The partition of a key among so many: 0 ... partitions - 1, as Kafka's default partitioner has it. A str is its UTF-8 bytes."""
    if partitions < 1:
        raise WiringError(f"partitions={partitions}: a topic has 1 or more")
    return (murmur2(key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key) & 0x7FFFFFFF) % partitions


def shard_for(key: str | bytes, shards: int) -> int:
    """The Kinesis shard of a partition key among so many of equal size: 0 ... shards - 1. A str is its UTF-8 bytes.

    The MD5 hash of the key is a 128-bit number, and each shard has a range of these: of two, the first has those below 2**127.
    """
    if shards < 1:
        raise WiringError(f"shards={shards}: a stream has 1 or more")
    digest = md5(key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key, usedforsecurity=False).digest()
    return ((int.from_bytes(digest, "big") + 1) * shards - 1) >> 128  # shard n begins at n * 2**128 // shards


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 hash, as an unsigned integer."""
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    for at in range(0, length - 3, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = h * _M & _MASK ^ k
    rest = data[length & ~3 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


HASHES: dict[str, Hash] = {"murmur2": partition_for, "md5": shard_for}
