"""The bench runs, every side does its job, and what it writes has the promised shape. How fast: `make bench`."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("simpy")

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
FIELDS = {"name": str, "unit": str, "ours": float, "peer_name": str, "peer": float, "ratio": float, "goal": float | None}
FLOORS = {
    "timers": 1.2,
    "hand-offs": 1.2,
    "hand-offs through stores": 4,
    "messages": 0.15,
    "scenarios": 0.015,
    "memory": 1,
    "durable": 0.67,
    "import": 1,
    "a turn": 1,
}


def load(monkeypatch, name):
    """A module of the bench, which is a folder of scripts and no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for module in ("harness", "simulators", "peers", "logs", "memory", "waits", "run"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return importlib.import_module(name)


def ticks(rate):
    """A side that works at a known rate."""
    return lambda: (rate, 1.0)


@pytest.fixture
def quick(monkeypatch):
    """The bench at tiny sizes, without the peers that only `make bench` installs."""
    run = load(monkeypatch, "run")
    monkeypatch.setattr(run.peers, "PEERS", {name: peer for name, peer in run.peers.PEERS.items() if name.startswith("asyncio")})
    monkeypatch.setattr(run.logs, "PEERS", [each for each in run.logs.PEERS if not each[5]])
    return run.measure(shrink=100, rounds=1, least=0)


def check_schema(rows):
    assert rows
    for row in rows:
        assert row.keys() == FIELDS.keys()
        for field, kind in FIELDS.items():
            assert isinstance(row[field], kind | int), f"{row['name']}: {field}={row[field]!r}"
        assert min(row["ours"], row["peer"], row["ratio"]) > 0
    pairs = [(row["name"], row["peer_name"]) for row in rows]
    assert len(set(pairs)) == len(pairs)


def floor_of(row):
    return FLOORS.get(row["name"]) or next((goal for word, goal in FLOORS.items() if re.match(rf"{word}\b", row["name"])), None)


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module to ask for the memory")
def test_every_case_runs_and_gives_figures_of_the_promised_shape(quick, monkeypatch):
    rows = load(monkeypatch, "run").as_json(quick)
    check_schema(rows)
    assert {row["name"].split()[0].strip(",") for row in rows if row["goal"]} == {name.split()[0] for name in FLOORS}
    assert [row["goal"] for row in rows] == [floor_of(row) for row in rows]


def test_the_figures_that_are_kept_have_that_shape_too():
    rows = json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8"))
    check_schema(rows)
    assert [row["goal"] for row in rows] == [floor_of(row) for row in rows]


def test_the_table_in_the_readme_is_that_of_the_figures(monkeypatch):
    run = load(monkeypatch, "run")
    text = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    table = text.partition(run.BEGIN)[2].partition(run.END)[0]
    shown = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")][2:]
    rows = json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8"))
    assert [(line[0], line[3], line[5]) for line in shown] == [
        (row["name"], row["peer_name"], f"{row['ratio']:.3g}") for row in rows
    ]


def test_a_ratio_above_one_says_that_ours_is_faster(monkeypatch):
    harness = load(monkeypatch, "harness")
    result = harness.compare(harness.Case("job", "per s", ticks(300), "peer", ticks(100), 2.0), rounds=3)
    assert (result.ours, result.peer, result.ratio, result.reached) == (300, 100, 3, True)
    assert not harness.compare(harness.Case("job", "per s", ticks(100), "peer", ticks(100), 2.0), rounds=3).reached


def test_the_ratio_is_the_median_and_the_spread_leaves_out_the_extremes(monkeypatch):
    harness = load(monkeypatch, "harness")
    speeds = iter([1, 5, 1, 2, 4, 3])  # the first is the warm-up
    result = harness.compare(harness.Case("job", "per s", lambda: (next(speeds), 1.0), "peer", ticks(1)), rounds=5)
    assert (result.low, result.ratio, result.high) == (2, 3, 4)


def test_a_side_is_repeated_until_it_has_worked_long_enough(monkeypatch):
    harness = load(monkeypatch, "harness")
    calls = []
    assert harness.rate(lambda: calls.append(1) or (10, 0.25), least=1.0) == 40
    assert len(calls) == 4


def test_a_peer_that_is_not_installed_is_skipped_with_a_line(monkeypatch, capsys):
    peers = load(monkeypatch, "peers")
    monkeypatch.setattr(peers, "PEERS", {"Some peer": ("asyncio no_such_module", peers.asyncio_queues, 10)})
    assert list(peers.cases()) == []
    assert capsys.readouterr().out == "skipped: Some peer (no_such_module is not installed)\n"


def test_a_peer_that_loses_messages_has_not_done_the_job(monkeypatch):
    peers = load(monkeypatch, "peers")
    with pytest.raises(AssertionError, match="9 of 10 deliveries"):
        peers.checked([None] * 9, 10, 0.0)


@pytest.mark.bench
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", ["kombu memory transport", "aiopubsub", "FastStream TestNatsBroker", "FastStream TestRabbitBroker", "bubus"]
)
def test_each_peer_delivers_every_message_to_every_subscriber(monkeypatch, name):
    modules, job, _ = load(monkeypatch, "peers").PEERS[name]
    for module in modules.split():
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: make bench installs it")
    assert job(7, 3)[0] == 21
