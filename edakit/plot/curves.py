"""Pictures with two ordinary axes: what grows, what waits, how values are spread."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from edakit import measure
from edakit.errors import ArgumentError, EmptyTrace
from edakit.measure import Series, Spread
from edakit.plot.style import CYCLE, DASHES, GREY, MARKERS, PALE, Picture, Source, look, plain, rows_of
from edakit.table import clean, number, table

Value = float | tuple[float, float, float]  # a figure, or its mean, low and high: a Spread, or what sweep(...).spread(name) gives

FEW = 24  # points that a text twin tells
NAMED = 5  # lines that carry their names at their ends; more get a legend


def lag(source: Source, group: str | None = None) -> Picture:
    """Draw how many records of each partition a group has not committed, over time.

    Without `group`, and where there are several, a line for each group: its partitions added up. Raises EmptyTrace if
    no group has read anything.
    """
    trace = rows_of(source, "lag")
    names = measure.groups(trace)
    if not names:
        raise EmptyTrace("plot.lag draws consumer groups, and this run has none: deploy a service on lab.stream(...)")
    if group is None and len(names) > 1:
        return _steps({name: _sum(measure.lag(trace, name)) for name in names}, "records behind", _end(trace))
    return _steps(measure.lag(trace, group), "records behind", _end(trace), group or names[0])


def _sum(series: Mapping[str, Series]) -> Series:
    """The lag of a group: that of its partitions added up."""
    now: dict[str, int] = {}
    total: Series = []
    for time, place, depth in sorted((time, place, depth) for place, each in series.items() for time, depth in each):
        now[place] = depth
        total.append((time, sum(now.values())))
    return total


def backlog(source: Source, *places: str) -> Picture:
    """Draw how many messages a queue owns over time (waiting or not yet acked); all queues unless some are named."""
    trace = rows_of(source, "backlog")
    names = places or tuple(measure.queues(trace))
    if not names:
        raise EmptyTrace("plot.backlog draws queues, and this run has none: deploy a service on lab.broker(...)")
    return _steps({name: measure.backlog(trace, name) for name in names}, "messages in the queue", _end(trace))


def _end(trace: Any) -> float:
    return float(trace[-1].time)


def _steps(series: Mapping[str, Series], what: str, end: float, title: str = "") -> Picture:
    """Stairs over time, with the peak of each said at its place."""
    rows = []
    with look():
        picture, axes = plain(height=280)
        for n, (name, points) in enumerate(series.items()):
            times, depths = (
                [0.0, *(time for time, _ in points), end],
                [0, *(depth for _, depth in points), points[-1][1]],
            )
            axes.step(
                times,
                depths,
                where="post",
                color=CYCLE[n % 6],
                linestyle=DASHES[n % 6],
                label=_label(name),
                linewidth=1.6,
            )
            top = max(depths)
            rows.append({"": name, "most": top, "at s": times[depths.index(top)], "at the end": depths[-1]})
        _peaks(axes, series)
        axes.set_xlabel("virtual seconds")
        axes.set_ylabel(f"{what} ({clean(title, 20)})" if title else what)
        axes.set_ylim(bottom=0)
        axes.set_xlim(0, 1.015 * end or 1)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.margins(y=0.12)
        _legend(axes)
    picture.twin = f"{what} over time\n{table(rows)}"
    return picture


def _legend(axes: Axes) -> None:
    """Above the picture, so that it covers nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=5, handlelength=3)


def _label(name: str) -> str:
    """A name in a legend; matplotlib leaves out what is empty or begins with an underscore."""
    text = clean(name, 30)
    return f" {text}" if not text or text.startswith("_") else text


def _peaks(axes: Axes, series: Mapping[str, Series]) -> None:
    if len(series) <= NAMED:
        for points in series.values():
            time, depth = max(points, key=lambda point: (point[1], -point[0]))
            if depth > 1:
                axes.annotate(f"{depth:,}", (time, depth), (-3, 3), textcoords="offset points", color=GREY, fontsize=8)


def cdf(samples: Mapping[str, Iterable[float]], what: str = "virtual seconds", *, log: bool | None = None) -> Picture:
    """Draw, for each name, which share of its values lies at or below x. The dots are the median and the 99th of a
    hundred.

    x is logarithmic when the values span more than a factor of 30, unless told. Raises EmptyTrace for names without
    values.
    """
    values = {name: sorted(map(float, each)) for name, each in samples.items()}
    for name, each in values.items():
        if not each:
            raise EmptyTrace(f"plot.cdf has no values for {clean(name)!r}: the run has no such moment")
    if not values:
        raise EmptyTrace("plot.cdf has nothing to draw: give {name: values}")
    low, high = min(each[0] for each in values.values()), max(each[-1] for each in values.values())
    log = (low > 0 and high > 30 * low) if log is None else log
    rows = []
    with look():
        picture, axes = plain(height=300)
        for n, (name, each) in enumerate(values.items()):
            count = len(each)
            xs, ys = [each[0], *each, high], [0.0, *((k + 1) / count * 100 for k in range(count)), 100.0]
            axes.step(xs, ys, where="post", color=CYCLE[n % 6], linestyle=DASHES[n % 6], label=_label(name), linewidth=1.8)
            half, late = measure.quantiles(each)
            axes.plot([half, late], [50, 99], linestyle="none", marker=MARKERS[n % 6], color=CYCLE[n % 6], markersize=6)
            rows.append({"": name, "p50": half, "p99": late, "values": count})
        for share, name in ((50, "median"), (99, "p99")):
            axes.axhline(share, color=PALE, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0.5)
            axes.annotate(
                name,
                (1, share),
                (-2, -9),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                color=GREY,
                fontsize=8,
            )
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        axes.set_xlabel(what)
        axes.set_ylabel("% of all, at most that")
        axes.set_ylim(0, 103)
        _legend(axes)
    picture.twin = f"share of values up to x ({what})\n{table(rows)}"
    return picture


def lines(
    series: Mapping[str, Mapping[float, Value] | Sequence[tuple[float, Value]]],
    x: str = "",
    y: str = "",
    *,
    steps: bool = False,
    shade: tuple[float, float] | None = None,
) -> Picture:
    """Draw y against x, a line for each name; a `Spread` is drawn as its mean in a band from the 5th to the 95th of a
    hundred.

    `x` and `y` name the axes, with units. `steps` joins points by stairs; `shade` marks a range of x. Raises
    EmptyTrace for no points.
    """
    points = {name: sorted(dict(each).items()) for name, each in series.items()}
    if not points or not all(points.values()):
        raise EmptyTrace("plot.lines has a line without points: give {name: {x: y}}")
    with look():
        picture, axes = plain(height=300)
        if shade is not None:
            if not shade[0] < shade[1]:
                raise ArgumentError(f"shade is {shade!r}: give (from, to)")
            axes.axvspan(*shade, facecolor="#fbe9e0", hatch="///", edgecolor="#e9b796", linewidth=0, zorder=0)
        for n, (name, each) in enumerate(points.items()):
            color, xs = CYCLE[n % 6], [place for place, _ in each]
            bands = [value if isinstance(value, tuple) else (value, value, value) for _, value in each]
            few = len(xs) <= 30
            axes.plot(
                xs,
                [mean for mean, _, _ in bands],
                color=color,
                linestyle=DASHES[n % 6],
                marker=MARKERS[n % 6] if few else "",
                markersize=5,
                label=_label(name),
                drawstyle="steps-post" if steps else "default",
            )
            if any(isinstance(value, tuple) for _, value in each):
                low, high = [low for _, low, _ in bands], [high for _, _, high in bands]
                axes.fill_between(xs, low, high, color=color, alpha=0.18, linewidth=0, step="post" if steps else None)
        axes.set_xlabel(clean(x))
        axes.set_ylabel(clean(y))
        axes.margins(x=0.03, y=0.12)
        if all(isinstance(value, int) for each in points.values() for _, value in each):  # counts
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_ylim(bottom=min(0, *axes.get_ylim()))
        if len(points) > 1 or "" not in points:
            _legend(axes)
    picture.twin = _lines_twin(points, x, y, shade)
    return picture


def _lines_twin(points: Mapping[str, list[tuple[float, Value]]], x: str, y: str, shade: tuple[float, float] | None) -> str:
    found = {name: dict(each) for name, each in points.items()}
    places = sorted({place for each in found.values() for place in each})
    if len(places) > FEW:  # where nothing changes there is nothing to say
        rows = [[each.get(place) for each in found.values()] for place in places]
        places = [place for n, place in enumerate(places) if not 0 < n < len(rows) - 1 or rows[n] != rows[n - 1]]
    shown = places if len(places) <= FEW else [*places[: FEW // 2], *places[-FEW // 2 :]]
    cells = [
        {x or "x": float(place), **{name or y or "y": _figure(each.get(place)) for name, each in found.items()}}
        for place in shown
    ]
    head = f"{clean(y) or 'y'} against {clean(x) or 'x'}"
    note = f", from {number(shade[0])} to {number(shade[1])} shaded" if shade else ""
    left = f"\n({len(places) - len(shown)} points in the middle left out)" if len(shown) < len(places) else ""
    return f"{head}{note}\n{table(cells)}{left}"


def _figure(value: Value | None) -> Any:
    return Spread(*value) if isinstance(value, tuple) else value
