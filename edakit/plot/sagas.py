"""Sagas as ribbons: a row for each run, its steps one after the other, and what was taken back."""

from collections.abc import Callable
from dataclasses import dataclass, field

from edakit.errors import EmptyTrace
from edakit.plot.canvas import Canvas, fitting, wide
from edakit.plot.clock import axis
from edakit.plot.style import FAINT, GREEN, GREY, INK, ORANGE, RED, Picture, Source, rows_of
from edakit.table import clean, number
from edakit.trace import Trace
from edakit.units import SECOND

LEFT, RIGHT, TOP, BOTTOM, PITCH, HIGH = 118, 120, 44, 38, 44, 18  # pixels
MOST = 14  # runs drawn; those that did not simply complete come first

LOOKS = {  # outcome of a step: fill, hatch, edge
    "done": ("#8fd3bd", "", GREEN),
    "failed": ("#f3b48b", "xxx", RED),
    "undone": ("#ffffff", "////", GREEN),
    "stuck": ("#fdf0d5", "...", ORANGE),
}
ENDS = {"completed": GREEN, "compensated": ORANGE, "parked": RED, "running": GREY}


@dataclass
class Run:
    """One run: when it began, its steps as (outcome, step, from, to) in ns, how it ended."""

    saga: str
    name: str
    begun: int
    steps: list[tuple[str, str, int, int]] = field(default_factory=list)
    status: str = "running"
    end: int = 0


def saga(source: Source) -> Picture:
    """Draw each run of the sagas: steps done, failed, undone and stuck, over the seconds since the run began.

    Raises EmptyTrace for a run of the lab in which no saga began.
    """
    runs = _runs(rows_of(source, "saga"))
    if not runs:
        raise EmptyTrace("plot.saga draws runs of a saga, and none has begun: deploy a Saga and publish what it waits for")
    shown = sorted(runs, key=lambda run: run.status == "completed")[:MOST] if len(runs) > MOST else runs
    canvas = Canvas(height=TOP + PITCH * len(shown) + BOTTOM)
    times = sorted({0, *(ns - run.begun for run in shown for _, _, start, end in run.steps for ns in (start, end))})
    width = canvas.width - LEFT - RIGHT
    place = axis(times, "readable", width)
    free = -1.0
    floor = TOP + PITCH * len(shown)
    for ns in times:
        x, text = LEFT + place(ns), number(ns / SECOND, 3)
        if x - wide(text) / 2 > free:
            canvas.line([(x, TOP), (x, floor)], FAINT, 0.8, layer=0)
            canvas.text(x, floor + 10, text, GREY, 7.5, ha="center")
            free = x + wide(text) / 2 + 4
    canvas.text(
        LEFT + width,
        floor + 26,
        "virtual seconds since the run began (short gaps widened)",
        GREY,
        8,
        ha="right",
        most=80,
    )
    for n, run in enumerate(shown):
        _ribbon(canvas, run, TOP + PITCH * n + PITCH / 2 - 4, lambda ns: LEFT + place(ns))
    _legend(canvas, shown, len(runs))
    return canvas.picture(_twin(runs, shown))


def _runs(trace: Trace) -> list[Run]:
    runs: dict[tuple[str, str], Run] = {}
    for row in trace:
        if row.kind == "saga":
            status, _, name = row.note.partition(" ")
            run = runs.setdefault((row.place, name), Run(row.place, name, row.ns))
            if status != "begun":
                run.status, run.end = status, row.ns
        elif row.kind == "step":
            outcome, step, name = row.note.split(" ", 2)
            run = runs.setdefault((row.place, name), Run(row.place, name, row.since or row.ns))
            run.steps.append((outcome, step, max(row.since, run.begun), row.ns))
    return list(runs.values())


def _ribbon(canvas: Canvas, run: Run, y: float, x: Callable[[int], float]) -> None:
    """The steps of one run from left to right; a dashed arrow leads from what was undone back to when it was done."""
    canvas.text(LEFT - 10, y, run.name, size=fitting(clean(run.name, 20), LEFT - 16), ha="right", weight="bold", most=20)
    done: dict[str, float] = {}
    for outcome, step, start, end in run.steps:
        fill, hatch, edge = LOOKS.get(outcome, LOOKS["done"])
        left, right = x(start - run.begun), max(x(end - run.begun), x(start - run.begun) + 4)
        canvas.box((left, y - HIGH / 2, right, y + HIGH / 2), fill, edge, hatch, 1.2)
        middle = (left + right) / 2
        if outcome == "failed":
            canvas.glyph("cross", right, y, RED, 7)
        if outcome == "stuck":
            canvas.box((middle - 5, y - 6, middle - 2, y + 6), ORANGE, layer=6)
            canvas.box((middle + 2, y - 6, middle + 5, y + 6), ORANGE, layer=6)
        if outcome == "done":
            done[step] = middle
        if outcome == "undone" and step in done:
            low = y + HIGH / 2 + 7
            canvas.line([(middle, y + HIGH / 2), (middle, low), (done[step] + 1, low)], GREEN, 1.1, (0, (4, 2)), layer=3)
            canvas.arrow((done[step], low), (done[step], y + HIGH / 2 + 1), GREEN, 1.1, "solid", 5)
        for text in (step.replace("_", " "), step.split("_")[0]):
            if wide(text, 7.5) < right - left - 6:
                canvas.text(middle, y, text, size=7.5, ha="center", ground=fill if hatch else None)
                break
    text = run.status
    canvas.text(
        canvas.width - RIGHT + 12,
        y,
        text,
        ENDS.get(text, INK) if text != "compensated" else "#9a6a00",
        9,
        weight="bold",
    )


def _legend(canvas: Canvas, shown: list[Run], count: int) -> None:
    x = 14.0
    seen = {outcome for run in shown for outcome, *_ in run.steps}
    for outcome, (fill, hatch, edge) in LOOKS.items():
        if outcome in seen:
            canvas.box((x, 10, x + 24, 22), fill, edge, hatch, 1.2)
            name = {
                "done": "step done",
                "failed": "failed",
                "undone": "taken back",
                "stuck": "stuck: a person must look",
            }[outcome]
            canvas.text(x + 30, 16, name)
            x += 30 + wide(name) + 16
    if len(shown) < count:
        canvas.text(
            canvas.width - 14,
            16,
            f"{len(shown)} of {count:,} runs: first those that did not complete",
            GREY,
            ha="right",
            most=60,
        )


def _twin(runs: list[Run], shown: list[Run]) -> str:
    counts: dict[str, int] = {}
    for run in runs:
        counts[run.status] = counts.get(run.status, 0) + 1
    lines = [f"{len(runs):,} runs: " + ", ".join(f"{count:,} {clean(status)}" for status, count in counts.items())]
    for run in shown:
        steps = ", ".join(f"{step} {outcome}" for outcome, step, *_ in run.steps)
        lines.append(f"{clean(run.name)}  {clean(run.status)}: {clean(steps, 80)}")
    return "\n".join(lines)
