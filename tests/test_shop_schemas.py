"""The scenarios of notebook 10: what is measured there is what happened."""

import sys
from pathlib import Path

import pytest

from edakit import minutes, run
from edakit.errors import ArgumentError

sys.path.append(str(Path(__file__).parent.parent / "notebooks"))
from shop import field_use, pills, replays, rollouts, schemas, translate, wire


@pytest.mark.parametrize("short", rollouts.CHANGES)
def test_what_the_check_promises_a_decoder_keeps(short):
    change, kept = rollouts.CHANGES[short], schemas.promises("Avro")
    assert (rollouts.problem(short, rollouts.written(short, 1), 2) == "") == kept[change, schemas.NEW_READS_OLD]
    assert (rollouts.problem(short, rollouts.written(short, 2), 1) == "") == kept[change, schemas.OLD_READS_NEW]


@pytest.mark.parametrize(
    ("change", "safe"),
    [
        ("add, default", {"consumers", "producers", "any order"}),
        ("add, no default", {"producers"}),
        ("remove, no default", {"consumers"}),
        ("int to long", {"consumers"}),
        ("rename", set()),
    ],
)
def test_the_order_of_deploys_that_loses_nothing(change, safe):
    found = {
        first: rollouts.unreadable(run(rollouts.rollout, seed=1, change=change, first=first, orders=200))
        for first in rollouts.ORDERS
    }
    assert {first for first, lost in found.items() if lost == 0} == safe


def test_orders_that_cannot_be_read_are_those_of_a_new_web_at_an_old_billing():
    lab = run(rollouts.rollout, seed=2, change="remove, no default", first="any order", orders=300)
    upgrade, bad = lab.databases["upgrades"].data, {row.event.id for row in lab.trace.where("log")}
    readers = {row.event.id: (row.who, row.time) for row in lab.trace.where("handle")}
    for row in lab.trace.where("append"):
        who, read = readers[row.event.id]
        new_web, old_billing = row.event.time >= upgrade[row.event.source], read < upgrade[who]
        assert (row.event.id in bad) == (new_web and old_billing)


def test_a_rollout_that_is_none_is_named():
    with pytest.raises(ArgumentError, match="add, default"):
        run(rollouts.rollout, change="ad, default")


def test_only_the_transitive_mode_keeps_the_log_readable():
    near = [replays.figures(run(replays.histories, seed=seed))["cannot replay"] for seed in range(60)]
    far = [replays.figures(run(replays.histories, seed=seed, mode="BACKWARD_TRANSITIVE"))["cannot replay"] for seed in range(60)]
    assert 0 < sum(near) < 30
    assert sum(far) == 0
    assert replays.unreadable(run(replays.replay)) == [1]
    assert replays.unreadable(run(replays.replay, kept=2)) == [], "what has left the log troubles nobody"


def test_the_wrong_ruler_reads_other_values_and_no_error():
    data = wire.write(wire.VALUE, wire.WITH_TAX)
    assert wire.read(data, wire.WITH_TAX) == wire.VALUE
    assert wire.read(data, wire.SWAPPED)["total"] == wire.VALUE["tax"]
    assert [(piece.start, piece.end) for piece in wire.ruler(data, wire.WITH_TAX)] == [(0, 1), (1, 9), (9, 17), (17, 18)]


def test_a_number_used_twice_is_read_as_what_it_is_called_today():
    protos, order = wire.protos(), {"order": "42", "total": 9.90, "coupon": "SPRING"}
    data = protos.encode("orders", order, version=1)
    assert protos.decode(data) == order
    assert protos.decode(data, version=2) == {"order": "42", "total": 9.90, "gift_note": "SPRING"}
    assert [(number, form) for _, number, form in wire.fields(data)] == [(1, 2), (2, 1), (4, 2)]
    assert b"".join(piece for piece, _, _ in wire.fields(data)) == data[6:]
    assert [row[-1] for row in wire.numbers(data).rows] == ["order", "total", "gift_note"]
    with pytest.raises(ValueError, match="a number at byte 0"):
        wire.fields(data[:6] + b"\x08\x01")
    assert wire.compiled(wire.NEW_PROTO) == "ok"
    assert "reserved number 4" in wire.compiled(wire.RESERVED)


def test_a_text_without_serializer_stops_billing_until_it_is_parked():
    stands, goes = (run(pills.pill, seed=1, rule=rule, until=minutes(1)) for rule in pills.RULES)
    assert pills.behind(stands) == 400  # ten a second for forty seconds
    assert pills.behind(goes) == 0
    assert goes.trace.counts()["append"] == stands.trace.counts()["append"] + 1


def test_cents_under_the_name_of_euros_are_added_up():
    assert pills.billed(run(pills.meaning, orders=10, moved=6)) == 5 * 9.90 + 5 * 990
    assert pills.billed(run(pills.meaning, orders=10, moved=6, writer=pills.both)) == 99.0
    assert [pills.golden(writer)[:3] for writer in (pills.euros, pills.cents, pills.both)] == ["gre", "red", "gre"]


@pytest.mark.parametrize(("watched", "idle"), [(1, ["coupon", "channel"]), (24, ["channel"])])
def test_a_field_looks_idle_until_its_slowest_reader_wakes(watched, idle):
    assert field_use.idle(run(field_use.use, watched=watched)) == idle


@pytest.mark.parametrize("down", [0, 20])
def test_a_translator_that_is_down_makes_orders_late_and_loses_none(down):
    found = translate.row(run(translate.four_versions, where=translate.TRANSLATOR, down=down))
    assert (found["orders"], found["not there"]) == (1200, 0)
    assert abs(found["late"] - 10 * down) <= 10
    assert found["records per order"] == 2
    assert found["readers with a wrong sum"] == 0


def test_a_wrong_step_hurts_those_who_run_it():
    wrong = {where: translate.row(run(translate.four_versions, where=where, bad=True)) for where in translate.PLACES}
    assert [row["readers with a wrong sum"] for row in wrong.values()] == [1, 3]


def test_an_unknown_currency_stays_unknown():
    assert translate.sums(translate.TRUTH) == "69.30 EUR, 29.70 CHF"
    assert translate.guessed("EUR") == "99.00 EUR"
    assert translate.guessed(None) == "99.00 of unknown currency"
