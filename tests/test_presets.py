"""What `like=` switches on."""

import pytest

from edakit import Lab
from edakit.errors import WiringError
from edakit.presets import PRESETS, preset_table, settings

BUILD = {"broker": Lab.broker, "stream": Lab.stream, "bus": Lab.bus, "server": Lab.server}


@pytest.mark.parametrize("like", PRESETS)
def test_every_preset_builds_what_it_is_for_and_names_a_meaning_and_a_source(like):
    kind = PRESETS[like].kind
    home = BUILD[kind](Lab(), "it", like=like)
    assert home.name == "it"
    for row in preset_table(like):
        assert set(row) == {"setting", "value", "meaning", "source"}
        assert all(row.values())
    assert list(settings(like, kind)) == [row["setting"] for row in preset_table(like)]


def test_nothing_is_switched_on_without_a_preset_and_what_is_said_wins_over_one():
    assert settings(None, "broker") == {}
    lab = Lab()
    assert lab.broker("classic", like="rabbitmq").delivery_limit is None
    assert lab.broker("quorum", like="rabbitmq-quorum").delivery_limit == 21
    assert lab.broker("mine", like="rabbitmq-quorum", delivery_limit=3).delivery_limit == 3


def test_an_unknown_preset_or_one_of_another_kind_is_named_with_those_that_fit():
    with pytest.raises(WiringError, match="no broker preset named 'rabitmq'; known: in-process, rabbitmq, rabbitmq-quorum"):
        Lab().broker("shop", like="rabitmq")
    with pytest.raises(WiringError, match="no broker preset named 'kafka'; known: in-process"):
        Lab().broker("shop", like="kafka")
    with pytest.raises(WiringError, match="no preset named 'x'; known: eventbridge, eventbridge-custom, http, in-process, kafka"):
        preset_table("x")


def test_a_new_group_on_a_stream_like_kafka_reads_what_comes():
    assert Lab().stream("orders", like="kafka").start_at == "latest"
    assert Lab().stream("orders").start_at == "earliest"
