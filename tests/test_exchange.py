"""Which queues a message reaches; RabbitMQ's own cases where the conformance files are at hand."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edakit.broker import Exchange, topic_matches
from edakit.errors import WiringError

CONFORMANCE = os.environ.get("EDAKIT_CONFORMANCE")
conformance = pytest.mark.skipif(not CONFORMANCE, reason="EDAKIT_CONFORMANCE names no folder")

WORDS = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=5)
PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "#"]), min_size=1, max_size=5)


def covers(pattern: list[str], words: list[str]) -> bool:
    """The definition, one word at a time."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return covers(pattern[1:], words) or (bool(words) and covers(pattern, words[1:]))
    return bool(words) and pattern[0] in ("*", words[0]) and covers(pattern[1:], words[1:])


@given(PATTERNS, WORDS)
def test_a_topic_pattern_covers_what_its_definition_says(pattern, words):
    key = ".".join(words)
    assert topic_matches(".".join(pattern), key) == covers(pattern, words if key else [])


def test_many_hashes_cost_no_more_than_the_words():
    assert not topic_matches(".".join(["#", "a"] * 30), ".".join(["b"] * 200))


@conformance
def test_topic_exchanges_route_as_rabbitmq_does():
    scenarios = json.loads((Path(CONFORMANCE) / "amqp-topic-match.json").read_text("utf-8"))["topic_scenarios"]
    checked = 0
    for scenario in scenarios:
        exchange = Exchange("it", "topic")
        for binding in scenario["bindings"]:
            exchange.bind(binding["queue"], binding["pattern"])
        for route in scenario["routes"]:
            names = exchange.route(route["routing_key"])
            assert sorted(names) == sorted(route["queues"]), (scenario["name"], route["routing_key"])
            checked += 1
    assert checked >= 15


def test_a_direct_exchange_compares_and_a_fanout_ignores_the_key():
    direct, fanout = Exchange("d", "direct"), Exchange("f", "fanout")
    for exchange in (direct, fanout):
        exchange.bind("payment", "order.placed")
        exchange.bind("mail", "order.*")
    assert direct.route("order.placed") == ("payment",)
    assert direct.route("order.*") == ("mail",)
    assert fanout.route("anything") == ("payment", "mail")


def test_a_queue_is_reached_once_however_many_bindings_cover_the_key_in_order_of_binding():
    exchange = Exchange("shop")
    exchange.bind("mail", "#")
    exchange.bind("payment", "order.*")
    exchange.bind("mail", "order.placed")
    exchange.bind("payment", "order.*")
    assert exchange.route("order.placed") == ("mail", "payment")
    exchange.unbind("payment", "order.*")
    assert exchange.route("order.placed") == ("mail",)


def test_what_no_binding_covers_reaches_nobody():
    assert Exchange("shop").route("order.placed") == ()


def test_a_route_that_was_looked_up_before_a_binding_changed_is_looked_up_again():
    exchange = Exchange("shop")
    assert exchange.route("order.placed") == ()
    exchange.bind("payment", "order.placed")
    assert exchange.route("order.placed") == ("payment",)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("xyz"), PATTERNS), max_size=12), WORDS)
def test_routes_are_those_of_a_list_of_bindings(changes, words):
    exchange, model, key = Exchange("shop"), [], ".".join(words)
    for add, queue, pattern in changes:
        binding = (".".join(pattern), queue)
        if add:
            exchange.bind(queue, binding[0])
            model += [binding] if binding not in model else []
        elif binding in model:
            exchange.unbind(queue, binding[0])
            model.remove(binding)
        else:
            with pytest.raises(WiringError):
                exchange.unbind(queue, binding[0])
        assert exchange.bindings == model
        assert exchange.route(key) == tuple(dict.fromkeys(queue for pattern, queue in model if topic_matches(pattern, key)))


def test_illegal_steps_raise_and_change_nothing():
    exchange = Exchange("shop")
    exchange.bind("payment", "order.placed")
    with pytest.raises(WiringError, match=r"no binding named 'order\.# -> payment'; known: order\.placed -> payment"):
        exchange.unbind("payment", "order.#")
    assert exchange.bindings == [("order.placed", "payment")]
    with pytest.raises(WiringError, match="no exchange type named 'topik'; known: direct, fanout, headers, topic"):
        Exchange("shop", "topik")
