"""Probes: the answers of the presets are those of their documentation, and they come out of runs."""

import json

import pytest

from edakit import Lab, Service, probe, table
from edakit.errors import ArgumentError, WiringError
from edakit.event import Event
from edakit.trace import Trace

SYMBOL = {"+": "held", "-": "violated", ".": "not offered"}
WANTED = {  # replay, second reader, redelivery, order, durability, dead letters, filter: see the sources in edakit.presets
    "rabbitmq": ".++-++.",
    "rabbitmq-quorum": ".++-++.",
    "rabbitmq-stream": "++-++..",
    "kafka": "++-++..",
    "kafka-share": "+++-+..",
    "kinesis": "++-++..",
    "sns": ".++-+++",
    "sns-http": ".++-+++",
    "sns+sqs": ".++-+++",
    "sqs": ".-+-++.",
    "eventbridge": ".+.-+-+",
    "eventbridge-custom": "+++++++",
    "redis-pubsub": ".+.+-..",
    "redis-stream": "++.-+..",
}


@pytest.mark.parametrize("name", WANTED)
def test_each_preset_answers_as_its_documentation_says(name):
    answers = {each: probe.ask(each, name) for each in probe.PROBES}
    assert answers == dict(zip(probe.PROBES, (SYMBOL[sign] for sign in WANTED[name]), strict=True))


def test_there_are_seven_probes_and_each_is_a_question():
    assert list(probe.PROBES) == ["replay", "second reader", "redelivery", "order", "durability", "dead letters", "filter"]
    assert all("?" in each.question for each in probe.PROBES.values())


@pytest.mark.parametrize(
    ("name", "like", "options", "answer"),
    [
        ("order", "rabbitmq", {"single_active_consumer": True}, "held"),
        ("order", "sns", {"fifo": True}, "held"),
        ("order", "eventbridge-custom", {"fifo": False}, "violated"),
        ("durability", "rabbitmq", {"durable": False}, "violated"),
        ("durability", "rabbitmq", {"persistent": False}, "violated"),
        ("durability", "rabbitmq-quorum", {"persistent": False}, "held"),
        ("replay", "eventbridge", {"archive": True}, "held"),
        ("replay", "kafka", {"retention": 3600, "segment": 1}, "violated"),
        ("redelivery", "redis-stream", {"claim_idle": 30}, "held"),
        ("redelivery", "eventbridge", {"invoke": "request-response"}, "held"),
        ("dead letters", "eventbridge", {"invoke": "request-response"}, "held"),
    ],
)
def test_a_switch_changes_the_answer(name, like, options, answer):
    assert probe.ask(name, like, **options) == answer


def test_a_classic_queue_keeps_a_transient_message_nowhere_and_a_durable_one_on_disk():
    kept = {
        (durable, persistent): probe.durability("rabbitmq", durable=durable, persistent=persistent)
        for durable in (True, False)
        for persistent in (True, False)
    }
    assert [pair for pair, answer in kept.items() if answer == "held"] == [(True, True)]


def test_the_three_axes_are_rows_for_a_table():
    rows = probe.axes(["rabbitmq", "rabbitmq-stream", "kafka", "sqs", "redis-pubsub"])
    assert str(table(rows)).splitlines() == [
        "system           second reader  yesterday  ack",
        "rabbitmq         copy           gone       message",
        "rabbitmq-stream  copy           again      offset",
        "kafka            copy           again      offset",
        "sqs              share          gone       message",
        "redis-pubsub     copy           gone       none",
    ]


def test_the_axes_of_a_preset_with_options():
    assert [row["ack"] for row in probe.axes(["redis-stream"])] == ["none"]
    assert [row["ack"] for row in probe.axes({"redis-stream": {"claim_idle": 30}})] == ["message"]


class Wall:
    """A system written on a wall, without a lab: everybody reads everything once, at once."""

    def __init__(self):
        self.trace, self.readers = Trace(), []

    def read(self, name, handler, *, over=0, **choices):
        if over:
            raise probe.NotOffered("a wall shows all")
        self.readers.append(name)

    def publish(self, orders, key=None):
        for n in orders:
            event = Event(
                f"order-{n}", "order.placed", "web", {"order": n, "total": 100 * n}, key or str(n), 0, None, f"order-{n}"
            )
            for name in self.readers:
                self.trace.add(0, "handle", "wall", name, event)

    def rewind(self, name):
        for row in self.trace.where("handle", who=name):
            self.trace.add(0, "handle", "wall", name, row.event)

    def stop(self, name):
        self.readers.remove(name)

    def go_on(self, name):
        self.readers.append(name)

    def restart(self):
        self.readers.clear()

    def wait(self, seconds):
        pass

    def dead(self, name):
        return []


def test_a_probe_knows_no_lab_and_no_product():
    answers = {each: probe.ask(each, Wall()) for each in probe.PROBES}
    assert answers == {
        "replay": "held",
        "second reader": "held",
        "redelivery": "held",
        "order": "held",
        "durability": "violated",
        "dead letters": "violated",
        "filter": "not offered",
    }


def test_a_probe_of_your_own_is_a_function_of_a_system():
    @probe.probing
    def twice(system):
        """Does everything come twice?"""
        system.read("payment", probe.quick)
        system.publish([1, 2])
        system.wait(10)
        return probe.handled(system.trace, "payment") == [1, 1, 2, 2]

    assert twice.name not in probe.PROBES
    assert twice("kafka") == "violated"


def test_what_is_not_there_is_named_with_what_is():
    with pytest.raises(WiringError, match=r"no preset to probe named 'rabitmq'; known: eventbridge, .*rabbitmq"):
        probe.order("rabitmq")
    with pytest.raises(WiringError, match="no preset to probe named 'http'"):
        probe.order("http")
    with pytest.raises(ArgumentError, match="no probe named 'speed'; known: dead letters, durability"):
        probe.ask("speed", "kafka")
    with pytest.raises(WiringError, match="options are"):
        probe.replay("kafka", colour="red")


def test_a_record_of_a_real_run_is_shown_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert probe.recorded("dead letters", "rabbitmq") == "no run recorded"
    (tmp_path / "recorded").mkdir()
    record = {"answer": "held", "version": "RabbitMQ 4.2.0", "date": "2026-11-20", "digest": "3f2a"}
    (tmp_path / "recorded" / "rabbitmq-dead-letters.json").write_text(json.dumps(record))
    assert probe.recorded("dead letters", "rabbitmq") == "held (RabbitMQ 4.2.0, 2026-11-20, 3f2a)"


def test_a_home_that_does_not_look_into_events_refuses_a_filter():
    lab, policy = Lab(), {"total": [{"numeric": [">", 500]}]}

    def reader(name):
        service = Service(name)
        service.on("order.placed")(probe.quick)
        return service

    for n, home in enumerate([
        lab.broker("shop", like="rabbitmq"), lab.stream("orders", like="kafka"),
        lab.bus("queue", like="sqs"), lab.bus("ticks", like="redis-pubsub"),
    ]):  # fmt: skip
        with pytest.raises(WiringError, match="filter="):
            lab.deploy(reader(f"reader-{n}"), on=home, filter=policy)
