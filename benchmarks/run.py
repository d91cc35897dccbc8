"""Measure edakit beside its peers in one run: a table here and in README.md, the figures in results.json.

python benchmarks/run.py            # about three minutes
python benchmarks/run.py --quick    # small sizes, few rounds, nothing written: does every case run?
"""

import argparse
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import logs
import memory
import peers
import simulators
import waits
from harness import LEAST, ROUNDS, Result, compare

HERE = Path(__file__).parent
FIELDS = ("name", "unit", "ours", "peer_name", "peer", "ratio", "goal")
BEGIN, END = "<!-- results: written by make bench -->", "<!-- end of results -->"
BESIDE = ("simpy", "kombu", "aiopubsub", "faststream", "bubus", "eventsourcing", "persist-queue", "avro")


def measure(shrink: int = 1, rounds: int = ROUNDS, least: float = LEAST) -> list[Result]:
    """All cases, one after the other, each said when it is done."""
    results = []
    for case in [*simulators.cases(shrink), *peers.cases(shrink), *logs.cases(shrink)]:
        results.append(compare(case, rounds, least))
        say(results[-1])
    for result in waits.measure(rounds):
        results.append(result)
        say(result)
    if sys.platform == "win32":
        print("skipped: memory (Windows has no resource module)")
    else:
        results.append(memory.measure(shrink))
        say(results[-1])
    return results


def say(result: Result) -> None:
    goal = "" if result.goal is None else f"  goal {result.goal:g}{'' if result.reached else ': MISSED'}"
    print(f"{result.ratio:8.3g}  {result.name}, beside {result.peer_name}{goal}", flush=True)


def as_json(results: Sequence[Result]) -> list[dict[str, str | float | None]]:
    """The figures as others read them; the full digits of each, though only two or three mean something."""
    return [{name: asdict(result)[name] for name in FIELDS} for result in results]


def markdown(results: Sequence[Result]) -> str:
    """A table that reads as well in a terminal."""
    head = ("job", "unit", "edakit", "beside", "its figure", "ratio", "spread", "goal")
    rows = [head, *(cells(result) for result in results)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    right = (False, False, True, False, True, True, True, True)
    lines = [
        "| " + " | ".join(f"{cell:{'>' if to_right else '<'}{width}}" for cell, to_right, width in zip(row, right, widths)) + " |"  # noqa: B905
        for row in rows
    ]
    rule = "| " + " | ".join("-" * (width - 1) + (":" if to_right else "-") for to_right, width in zip(right, widths)) + " |"  # noqa: B905
    return "\n".join([lines[0], rule, *lines[1:]])


def cells(result: Result) -> tuple[str, ...]:
    spread = "" if result.low == result.high else f"{result.low:.3g} to {result.high:.3g}"
    goal = "" if result.goal is None else f"{result.goal:g}" if result.reached else f"{result.goal:g}, missed"
    ours, peer = (f"{figure:,.0f}" if figure < 10_000 else f"{round(figure, -3):,.0f}" for figure in (result.ours, result.peer))
    return result.name, result.unit, ours, result.peer_name, peer, f"{result.ratio:.3g}", spread, goal


def machine() -> str:
    """What the figures were measured on."""
    there = []
    for name in BESIDE:
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores; {', '.join(there)}."


def written_into(text: str, results: Sequence[Result]) -> str:
    """The README with this run's table between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{machine()}\n\n{markdown(results)}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure edakit beside its peers.")
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds, nothing written")
    quick = parser.parse_args().quick
    logging.disable(logging.WARNING)  # FastStream and bubus would write a line a message
    start = time.perf_counter()
    if quick:
        print("Small sizes, whatever the names say: do the cases run? The figures mean nothing.")
    results = measure(50, 3, 0) if quick else measure()
    print(f"\n{machine()}\n\n{markdown(results)}\n")
    wanted = [result for result in results if result.goal is not None]
    print(f"{sum(result.reached for result in wanted)} of {len(wanted)} goals reached; {time.perf_counter() - start:.0f} s")
    if not quick:
        (HERE / "results.json").write_text(json.dumps(as_json(results), indent=1) + "\n", encoding="utf-8")
        readme = HERE / "README.md"
        readme.write_text(written_into(readme.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    main()
