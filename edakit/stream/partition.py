"""Which partition a key belongs to: the same key, the same partition as a real Kafka client.

Source: org.apache.kafka.common.utils.Utils.murmur2 and DefaultPartitioner / BuiltInPartitioner (positive value, modulo).
"""

from edakit.errors import WiringError

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def partition_for(key: str | bytes, partitions: int) -> int:
    """The partition of a key among so many: 0 ... partitions - 1, as Kafka's default partitioner has it. A str is its UTF-8 bytes."""
    if partitions < 1:
        raise WiringError(f"partitions={partitions}: a topic has 1 or more")
    return (murmur2(key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key) & 0x7FFFFFFF) % partitions


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
