"""The same key, the same partition as a real Kafka client."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.errors import WiringError
from edakit.stream import partition_for, shard_for
from edakit.stream.partition import murmur2

CONFORMANCE = os.environ.get("EDAKIT_CONFORMANCE")
conformance = pytest.mark.skipif(not CONFORMANCE, reason="EDAKIT_CONFORMANCE names no folder")

# apache/kafka, UtilsTest.testMurmur2: signed 32-bit values
KAFKA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
}


def key_of(vector: dict) -> bytes:
    if "key_hex_repeat" in vector:
        piece, times = vector["key_hex_repeat"]
        return bytes.fromhex(piece) * times
    return bytes.fromhex(vector["key_hex"]) if "key_hex" in vector else vector["key"].encode()


def signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


@pytest.mark.parametrize("key", KAFKA)
def test_murmur2_is_that_of_kafka(key):
    assert signed(murmur2(key.encode())) == KAFKA[key]


@conformance
def test_hashes_and_partitions_are_those_of_the_clients():
    files = json.loads((Path(CONFORMANCE) / "kafka-murmur2.json").read_text("utf-8"))
    checked = 0
    for vector in files["hash_vectors"] + files["computed_vectors"]:
        key = key_of(vector)
        assert signed(murmur2(key)) == vector["murmur2"], vector
        for count, partition in vector.get("partition", {}).items():
            assert partition_for(key, int(count)) == partition, vector
            checked += 1
    for vector in files["partition_vectors_upstream"]:
        assert partition_for(key_of(vector), vector["partitions"]) == vector["partition"], vector
        checked += 1
    assert checked >= 100


@given(st.text() | st.binary(), st.integers(1, 10_000))
def test_every_key_has_one_partition_of_those_there_are(key, partitions):
    assert 0 <= partition_for(key, partitions) < partitions
    if isinstance(key, str):
        assert partition_for(key, partitions) == partition_for(key.encode(), partitions)


def test_a_key_that_is_no_valid_text_has_a_partition_too():
    assert 0 <= partition_for("\ud800", 3) < 3


@pytest.mark.parametrize("partitions", [0, -1])
def test_a_topic_has_a_partition(partitions):
    with pytest.raises(WiringError, match=f"partitions={partitions}: a topic has 1 or more"):
        partition_for("42", partitions)


def test_a_shard_has_a_range_of_the_md5_hashes():
    """The ranges that AWS gives a stream of three shards (DescribeStream)."""
    first = 113427455640312821154458202477256070485
    second = 226854911280625642308916404954512140970
    for n in range(300):
        value = int(hashlib.md5(str(n).encode()).hexdigest(), 16)
        assert shard_for(str(n), 3) == (value >= first) + (value >= second)


@given(st.binary(max_size=40), st.integers(1, 1000))
def test_shards_are_of_equal_size_and_leave_no_hash_out(key, shards):
    value = int.from_bytes(hashlib.md5(key).digest(), "big")
    shard = shard_for(key, shards)
    assert shard * 2**128 // shards <= value < (shard + 1) * 2**128 // shards


def test_a_stream_without_shards_is_none():
    with pytest.raises(WiringError, match="shards=0"):
        shard_for("x", 0)
