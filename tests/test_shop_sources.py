"""The shops of notebook 12: what their figures stand on."""

import sys
from pathlib import Path

import pytest

from edakit import EventStore, run

sys.path.insert(0, str(Path(__file__).parent.parent / "notebooks"))

from shop import beside, contended, forgetting, mailing, skipping, sourced, views


def test_an_order_is_the_fold_of_its_events_at_every_version():
    store = EventStore()
    store.append("order-42", sourced.ORDER_42)
    assert [sourced.at(store, "order-42", n)["status"] for n in range(1, 5)] == ["placed", "reserved", "paid", "confirmed"]
    assert sourced.row_of_42() == sourced.at(store, "order-42", 4)


@pytest.mark.parametrize("length", [42, 100, 142, 1_042])
def test_a_snapshot_leaves_fewer_than_a_hundred_events(length):
    assert sourced.applied(sourced.long_stream(length)) == length
    assert sourced.applied(sourced.long_stream(length), "bags-1") == length % 100


def test_a_snapshot_of_another_fold_is_wrong_under_its_name_and_unused_under_a_new_one():
    store = sourced.archive(orders=50)
    made = sum(store.fold(each, sourced.order, snapshot="order-1") is not None for each in store.streams())
    old, new = (sourced.released(store, sourced.order_with_fee, name) for name in ("order-1", "order-2"))
    assert 0 < old["wrong totals"] < made == 50
    assert old["events applied"] == 4 * 50 - 3 * old["wrong totals"]
    assert (new["wrong totals"], new["events applied"]) == (0, 4 * 50)


@pytest.mark.parametrize("seed", range(20))
def test_an_id_is_skipped_exactly_if_a_higher_one_was_seen_while_it_was_in_flight(seed):
    seen = skipping.seen(run(skipping.four_writers, seed=seed, orders=100))
    assert seen.skipped == seen.overtaken


@pytest.mark.parametrize("seed", range(20))
def test_below_what_is_in_flight_nothing_is_skipped_and_nothing_else_changes(seed):
    old, new = (skipping.seen(run(skipping.four_writers, seed=seed, orders=100, read=read)) for read in skipping.READ)
    assert (old.began, old.ended) == (new.began, new.ended)
    assert new.skipped == []
    assert list(new.shown) == sorted(new.ended)


@pytest.mark.parametrize("seed", range(20))
def test_versions_refuse_exactly_what_a_log_oversells(seed):
    log, store = (contended.oversold(run(contended.two_buyers, seed=seed, guard=guard)) for guard in (False, True))
    assert log == {"oversold": store["conflicts"], "conflicts": 0}
    assert not store["oversold"]


def test_a_stream_for_each_writer_has_no_conflict():
    assert contended.effort(run(contended.writers, seed=1, writers=4, streams=4))["conflicts each"] == 0


@pytest.mark.parametrize("way", [views.WAITS, views.SAME])
def test_who_waits_for_a_version_or_writes_both_models_at_once_reads_nothing_stale(way):
    assert views.reads(run(views.two_models, seed=1, rate=45, way=way))["stale %"] == 0


def test_a_rebuild_in_place_shows_old_things_and_one_beside_does_not():
    worst = {
        how: max(late for _, late in views.behind(run(views.rebuilding, seed=1, how=how, history=200)))
        for how in (views.IN_PLACE, views.BESIDE)
    }
    assert worst[views.IN_PLACE] > 150
    assert worst[views.BESIDE] < 30


@pytest.mark.parametrize("mailer", [mailing.ON_THE_VIEW, mailing.INBOX])
def test_a_rebuild_sends_all_mails_again_unless_there_is_an_inbox(mailer):
    found = mailing.mails(run(mailing.rebuilt, seed=1, mailer=mailer, orders=50))
    assert 40 <= found["mails on the day"] <= 50
    assert found["phantom mails"] == (found["mails on the day"] if mailer == mailing.ON_THE_VIEW else 0)


def test_ada_is_gone_when_no_copy_and_no_name_is_left():
    shredded, cleared, all_gone = (
        forgetting.forgotten(**each) for each in ({}, {"copies": True}, {"stream": forgetting.NUMBER, "copies": True})
    )
    assert shredded["events"] == 0 < shredded["snapshots"] * shredded["views"]
    assert cleared["snapshots"] == cleared["views"] == 0 < cleared["names of streams"]
    assert all_gone["bytes of the file"] == 0
    assert {each["version"] for each in (shredded, cleared, all_gone)} == {4}


def test_both_shops_read_the_same_and_only_one_knows_the_past():
    crud, sourced_shop = beside.last_month(seed=1, orders=100)
    told, hours, asked = beside.answers(crud, sourced_shop)
    assert all(crud.mine(n) == sourced_shop.mine(n) for n in crud.rows)
    assert (told, len(hours)) == (0, asked)
    assert asked > 0
    assert all(each > 0 for each in hours)
