"""The contracts of notebook 07: what they hold is what their documentation says, and a choice by all needs misses none."""

import sys
from pathlib import Path

import pytest

from edakit import run

sys.path.append(str(Path(__file__).parent.parent / "notebooks"))

from shop.contracts import CONTRACTS, NEEDS, TASKS, asked, choose, holds, missing, page_rule
from shop.finishing import finished, inversions, neighbours, one_queue, third_fails
from shop.growing import cluster, delay_at_end, quota, throughput
from shop.keeping import archive_ten_minutes, charged_twice, late_reader, restart, seen, selling, waiting


@pytest.mark.parametrize(
    ("need", "holding"),
    [
        ("urgent first", ["rabbitmq"]),
        ("expiry", ["rabbitmq", "rabbitmq-quorum"]),
        ("delay", ["rabbitmq", "rabbitmq-quorum", "sns", "sqs"]),
    ],
)
def test_what_only_queues_have(need, holding):
    assert [name for name in CONTRACTS if asked(need, name) == "held"] == holding


def test_every_contract_answers_every_need_and_none_holds_all():
    assert {asked(need, name) for need in NEEDS for name in CONTRACTS} == {"held", "violated", "not offered"}
    assert not any(holds(name, NEEDS) for name in CONTRACTS)


def test_all_needs_miss_nothing_and_two_axes_miss_half_of_the_tasks():
    assert len(TASKS) == 10
    assert all(not missing(task, choose(task)) for task in TASKS)
    assert sum(bool(missing(task, page_rule(task))) for task in TASKS) == 5


@pytest.mark.parametrize(
    ("like", "days", "count"), [("kafka", 6, 1), ("kafka", 8, 0), ("rabbitmq", 0.1, 0), ("rabbitmq-stream", 800, 1)]
)
def test_a_late_reader_reads_what_is_kept(like, days, count):
    assert seen(run(late_reader, like=like, after_days=days)) == count


def test_only_a_persistent_message_in_a_durable_queue_outlives_a_restart():
    kept = {
        (a, b): seen(run(restart, durable=a, persistent=b, orders=20), "payment") for a in (True, False) for b in (True, False)
    }
    assert list(kept.values()) == [20, 0, 0, 0]


def test_receipts_lose_nothing_over_a_crash():
    assert waiting(run(selling))["in the queue"] < 1000
    assert waiting(run(selling, confirm=True))["in the queue"] == 1000


def test_one_bad_order_holds_up_a_log_and_no_queue():
    found = {
        like: neighbours(run(third_fails, seed=42, like=like))["others that wait"]
        for like in ("kafka", "kafka-share", "rabbitmq")
    }
    assert found == {"kafka": 7, "kafka-share": 0, "rabbitmq": 0}


def test_a_single_active_consumer_keeps_the_order_of_many():
    assert inversions(finished(run(one_queue, consumers=8))) > 50
    assert inversions(finished(run(one_queue, consumers=8, single_active=True))) == 0
    assert inversions([2, 1, 3, 5, 4]) == 2


def test_nodes_without_queues_to_spread_buy_nothing_and_a_quota_is_a_delay():
    assert [throughput(run(cluster, nodes=n, queues=1)) for n in (1, 8)] == [1, 1]
    assert [throughput(run(cluster, nodes=n, queues=8)) for n in (1, 8)] == [1, 8]
    assert delay_at_end(run(quota, rate=6_000)) < 1
    assert delay_at_end(run(quota, rate=8_000)) == pytest.approx((24_000 - 18_750) * 60 / 18_750, abs=0.2)


def test_a_replay_charges_again_unless_it_is_for_one_rule_or_looked_at():
    ways = [{}, {"rules": ("analytics",)}, {"looks": True}]
    assert [charged_twice(run(archive_ten_minutes, orders=30, **each)) for each in ways] == [30, 0, 0]
