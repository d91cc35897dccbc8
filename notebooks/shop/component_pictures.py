"""Pictures of notebook 03: the four boxes, wrong clocks, two counters that part, dots by policy, parcels, hands, rivers, two lanes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import accumulate

from edakit import Lab, plot, run, table
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, CYCLE, GREEN, INK, ORANGE, PALE, RED, Picture, look, plain
from edakit.plot.wiring import EDGE, FILL
from shop import in_hand, routing, telemetry
from shop.four_boxes import counters
from shop.placing import saved
from shop.power import promises
from shop.wholesale import packets_left

QUESTIONS = ("1  saved, then published?", "2  kept where?", "3  commit when?", "4  who may append?")
BOXES = {  # what it counts: name, kind, place of its middle
    "saved": ("orders", "service", (95, 105)),
    "published": ("shop", "broker", (455, 105)),
    "charged": ("payment", "service", (790, 50)),
    "stored": ("book", "database", (790, 165)),
}
ARROWS = {((177, 105), (373, 105)): "service", ((537, 95), (708, 55)): "broker", ((537, 115), (708, 160)): "broker"}
SPOTS = ((275, 91, 0), (455, 152, 0), (618, 62, 11), (622, 150, -13))  # of the questions: x, y, slope in degrees


def joints(lab: Lab, answers: Iterable[str] = QUESTIONS) -> Picture:
    """The four parts and the four questions between them (or what stands there instead), and what each part counts after a run."""
    canvas, found = Canvas(height=225), counters(lab)
    for (tail, head), kind in ARROWS.items():
        canvas.arrow(tail, head, EDGE[kind], 1.6, size=8)
    for what, (name, kind, (x, y)) in BOXES.items():
        wrong = found[what] != found["saved"]
        canvas.box((x - 78, y - 27, x + 78, y + 27), FILL[kind], RED if wrong else EDGE[kind], "", 2.4 if wrong else 1.6)
        canvas.text(x, y - 9, name, size=10, ha="center", weight="bold")
        said = f"{what} {found[what]:,}"
        canvas.text(x, y + 11, f"{said}, not {found['saved']:,}" if wrong else said, RED if wrong else INK, 9, ha="center")
    for (x, y, turn), text in zip(SPOTS, answers, strict=True):
        canvas.text(x, y, text, size=9.5, ha="center", weight="bold", turn=turn, most=48)
    return canvas.picture(str(table([{"part": name, "counts": what, "": found[what]} for what, (name, _, _) in BOXES.items()])))


def clocks(lab: Lab) -> Picture:
    """Each click as a dot: when it arrived, and when its phone says it was. On the line, phone and broker agree."""
    times = telemetry.both_times(lab)
    wrong = telemetry.swapped(lab)["wrong way round, %"]
    with look():
        picture, axes = plain(height=300)
        last = max(arrived for arrived, _ in times)
        axes.plot([0, last], [0, last], color=GREEN, linewidth=1.6, label="what really happened")
        axes.scatter(*zip(*times, strict=True), s=26, color=RED, label=f"clicks: {wrong:.0f} % of neighbours the wrong way round")
        axes.set_ylim(-60, last + 60)
        axes.set_xlabel("arrives at (virtual seconds)")
        axes.set_ylabel("phone says (seconds)")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    picture.twin = f"{len(times)} clicks; neighbours the wrong way round by the phones' clocks: {wrong:.0f} %"
    return picture


def drift(labs: Mapping[str, Lab]) -> Picture:
    """How far the two counters have parted by each order: a line that leaves zero never comes back."""
    series: dict[str, list[tuple[float, float]]] = {}
    for name, lab in labs.items():
        known, told = saved(lab), lab.trace.keys("order.placed")
        parted = accumulate((key in known) - (key in told) for key in map(str, range(1, len(known | told) + 1)))
        series[name] = list(enumerate(parted, 1))
    picture = plot.lines(series, "orders so far", "saved, less published", steps=True)
    for line in picture.axes[0].lines:
        line.set_linewidth(2.6)
    picture.twin = str(table({f"{name}: saved, less published": each[-1][1] for name, each in series.items()}))
    return picture


def strips(dots: Mapping[str, Iterable[float]], what: str) -> Picture:
    """A strip of dots for each name, one dot a run, on an axis that is logarithmic and has a zero."""
    each = {name: list(values) for name, values in dots.items()}
    means = {name: sum(values) / len(values) for name, values in each.items()}
    with look():
        picture, axes = plain(height=90 + 52 * len(each))
        axes.set_position((0.24, axes.get_position().y0, 0.73, axes.get_position().height))
        for n, (name, values) in enumerate(each.items()):
            aside = [0.62 * ((k * 0.618034) % 1 - 0.5) - n for k in range(len(values))]
            axes.scatter(values, aside, s=7, color=CYCLE[n % 6], alpha=0.5, linewidth=0)
            axes.plot([means[name]] * 2, [-n - 0.4, -n + 0.4], color=INK, linewidth=2)
            spot = (means[name], -n + 0.4)
            axes.annotate(f"{means[name]:,.1f}", spot, (4, -2), textcoords="offset points", fontsize=8, weight="bold")
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xticks([0, 1, 10, 100, 1_000], ["0", "1", "10", "100", "1,000"])
        axes.minorticks_off()
        axes.set_xlim(-0.4, 1.6 * max(1.0, *map(max, each.values())))
        axes.set_yticks([-n for n in range(len(each))], list(each))
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(what)
    picture.twin = str(table([{"": name, "mean": means[name], "most": max(values)} for name, values in each.items()]))
    return picture


def promised(lab: Lab) -> Picture:
    """Orders acknowledged over time, and how many of them are left when the lights are back: what is hatched was promised and is gone."""
    found, acks = promises(lab), [row.time for row in lab.trace.where("confirm")]
    out = max((row.time for row in lab.trace.where("crash")), default=lab.now)
    counts, left = list(range(1, len(acks) + 1)), len(acks) - found["acked, gone"]
    with look():
        picture, axes = plain(height=280)
        axes.step(
            [0, *acks, 2.6], [0, *counts, len(acks)], where="post", color=BLUE, linewidth=2.2, label=f"{len(acks)} acknowledged"
        )
        axes.plot([0, 2.6], [left, left], color=GREEN, linestyle="dashed", linewidth=2, label=f"{left:.0f} still there")
        axes.fill_between(
            [0, *acks, 2.6], [0, *counts, len(acks)], left, where=[n >= left for n in [0, *counts, len(acks)]], step="post",
            facecolor=RED + "44", hatch="///", edgecolor=RED, linewidth=0, label=f"{found['acked, gone']:.0f} acknowledged and gone",
        )  # fmt: skip
        axes.axvline(out, color=INK, linewidth=2, label=f"lights out; {found['refused']:.0f} refused in all")
        axes.set_xlim(0, 2.6)
        axes.set_ylim(0, 270)
        axes.set_xlabel("virtual seconds")
        axes.set_ylabel("orders")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=4)
    picture.twin = str(table({name: round(value, 1) for name, value in found.items()}))
    return picture


def parcels(labs: Lab | Mapping[str, Lab]) -> Picture:
    """The orders of each run in a row, one mark each: grey once, a red cross never, an orange diamond twice."""
    labs = {"": labs} if isinstance(labs, Lab) else dict(labs)
    rows = []
    with look():
        picture, axes = plain(height=110 + 46 * len(labs))
        axes.set_position((0.2, axes.get_position().y0, 0.77, axes.get_position().height))
        for n, (name, lab) in enumerate(labs.items()):
            sent = Counter(row.event.key for row in lab.trace.where("publish", type="parcel.packed") if row.event)
            times = [sent[key] for key in lab.trace.keys("order.placed")]
            never = [k for k, count in enumerate(times) if count == 0]
            again = [k for k, count in enumerate(times) if count > 1]
            axes.plot([0, len(times)], [-n, -n], color=PALE, linewidth=7, solid_capstyle="butt", zorder=1)
            axes.scatter(never, [-n] * len(never), s=80, color=RED, marker="X", linewidth=0, label="lost" if n == 0 else None)
            axes.scatter(again, [-n] * len(again), s=55, color=ORANGE, marker="D", linewidth=0, label="twice" if n == 0 else None)
            axes.annotate(
                f"lost {len(never)}, twice {len(again)}",
                (0, -n),
                (0, 12),
                textcoords="offset points",
                fontsize=8.5,
                weight="bold",
            )
            rows.append({"commit": name, "lost": len(never), "twice": len(again)})
        axes.set_yticks([-n for n in range(len(labs))], list(labs))
        axes.set_ylim(-len(labs) + 0.4, 0.75)
        axes.grid(visible=False)
        axes.set_xlabel("order, in the order in which they came")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    picture.twin = str(table(rows))
    return picture


PREFETCH = (1, 2, 5, 10, 20, 50, 100, 300, 1000)


@cache
def _hall(prefetch: int, slow: float, workers: int) -> dict[str, float]:
    return in_hand.pace(run(in_hand.packing_hall, seed=42, prefetch=prefetch, slow=slow, workers=workers, orders=1000))


def alone(prefetch: Iterable[int] = PREFETCH) -> Picture:
    """Parcels a second of one worker, by how many it may have in hand."""
    paces = {n: _hall(n, 1, 1)["per second"] for n in prefetch}
    picture = plot.lines(
        {"measured": paces, "what the worker can do": dict.fromkeys(paces, 1 / in_hand.WORK)}, "prefetch", "parcels a second"
    )
    return _logarithmic(picture, paces)


def hands(slow: float = 10, prefetch: Iterable[int] = PREFETCH) -> Picture:
    """Seconds until two workers have packed 1,000 orders, by prefetch; with one of them slow, and with equals."""
    found = {n: _hall(n, slow, 2) for n in prefetch}
    seconds = {n: each["seconds"] for n, each in found.items()}
    equal = {n: _hall(n, 1, 2)["seconds"] for n in found}
    picture = plot.lines({f"one {slow:g} times slower": seconds, "two equals": equal}, "prefetch", "seconds for 1,000 orders")
    axes, best = picture.axes[0], min(seconds, key=lambda n: seconds[n])
    with look():
        axes.annotate(
            f"best here: {best}", (best, seconds[best]), (0, 26), textcoords="offset points", ha="center", weight="bold",
            arrowprops={"arrowstyle": "->", "color": INK},
        )  # fmt: skip
        for n in (100, 300, 1000):
            share = found[n]["last worker, %"]
            axes.annotate(
                f"{share:.0f} % in slow hands", (n, seconds[n]), (-8, 4), textcoords="offset points", ha="right", color=BLUE
            )
    return _logarithmic(picture, found)


def _logarithmic(picture: Picture, ticks: Iterable[int]) -> Picture:
    axes = picture.axes[0]
    axes.set_xscale("log")
    axes.set_xticks(list(ticks), [f"{n:,}" for n in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    return picture


def packed(lab: Lab) -> Picture:
    """Parcels packed by each worker over time: the run ends when the last hand is empty."""
    series: dict[str, list[tuple[float, float]]] = {name: [(0.0, 0)] for name in lab.instances}
    for row in lab.trace.where("handle"):
        series[row.who].append((row.time, len(series[row.who])))
    end = max(points[-1][0] for points in series.values())
    picture = plot.lines(series, "virtual seconds", "parcels packed", steps=True)
    picture.axes[0].axvline(end, color=INK, linewidth=1.5)
    picture.axes[0].set_title(f"    the last parcel at {end:.1f} s", loc="right", fontsize=10)
    picture.axes[0].set_xlim(0, max(3.0, 1.03 * end))
    picture.axes[0].set_ylim(bottom=0)
    return picture


def rivers(labs: Lab | Mapping[str, Lab]) -> Picture:
    """Bytes from the producers to what `analytics` uses: where does each river narrow?"""
    labs = {"": labs} if isinstance(labs, Lab) else dict(labs)
    canvas, top, rows = Canvas(height=64 + 78 * len(labs)), 40.0, []
    x0, x1, x2, x3 = 215.0, 400.0, 690.0, 880.0  # published, at the broker, at the door of analytics, used
    for name, x in (("published", 307.0), ("carried over the network", 545.0), ("used", 790.0)):
        canvas.text(x, 16, name, size=9, ha="center", weight="bold")
    for name, lab in labs.items():
        found = routing.kilobytes(lab)
        full, middle = found["published kB"] or 1, top + 35
        wide = [max(1.5, 30 * found[each] / full) for each in ("published kB", "carried kB", "used kB")]
        for left, right, half, color in ((x0, x1, wide[0], "#bcd9ec"), (x1, x2, wide[1], BLUE), (x2, x3, wide[2], "#bcd9ec")):
            canvas.box((left, middle - half, right, middle + half), color, "none", "", 0)
        for x in (x1, x2):
            canvas.line([(x, top + 2), (x, top + 68)], INK, 1.4)
        canvas.text(12, middle, name, size=9, weight="bold", most=30)
        said = f"{found['times']:.1f} times what is used" if found["used kB"] else "nothing of it is used"
        canvas.text((x1 + x2) / 2, middle, said, INK, 9, ha="center", weight="bold", ground="white")
        rows.append({"": name, **found})
        top += 78
    canvas.text(x1, top + 8, "broker", size=8.5, ha="center")
    canvas.text(x2, top + 8, "analytics", size=8.5, ha="center")
    return canvas.picture(str(table(rows)))


def lanes(labs: Lab | Mapping[str, Lab]) -> Picture:
    """What Berlin and Paris do, and when. Shaded: both have read the same, and neither knows of the other."""
    labs = {"": labs} if isinstance(labs, Lab) else dict(labs)
    times = [row.time for lab in labs.values() for row in lab.trace.where("log")]
    said, start, end = [], min(times), max(times)
    with look():
        picture, axes = plain(height=70 + 120 * len(labs))
        axes.set_position((0.13, axes.get_position().y0, 0.84, axes.get_position().height))
        ticks = {}
        for n, (name, lab) in enumerate(labs.items()):
            spans = []
            for k, city in enumerate(("berlin", "paris")):
                y = -2.6 * n - k
                ticks[y] = f"{name}: {city}" if name else city
                notes = [(row.time, row.note.partition(":")[0]) for row in lab.trace.where("log", key=city)]
                axes.plot([notes[0][0], notes[-1][0]], [y, y], color=CYCLE[k], linewidth=5, solid_capstyle="butt")
                for time, note in notes:
                    bad = note == "conflict"
                    axes.scatter([time], [y], s=45, color=RED if bad else CYCLE[k], marker="X" if bad else "o", zorder=3)
                    axes.annotate(
                        note, (time, y), (0, 9 if not bad else -15), textcoords="offset points", fontsize=8.5, ha="center"
                    )
                spans.append(
                    (notes[0][0], next((time for time, note in notes if note in ("appends", "conflict", "says no")), end))
                )
                said.append({"": ticks[y], "does": ", ".join(note for _, note in notes)})
            both = max(span[0] for span in spans), min(span[1] for span in spans)
            if both[0] < both[1]:
                axes.fill_between(both, [-2.6 * n - 1.45] * 2, [-2.6 * n + 0.75] * 2, color=ORANGE, alpha=0.25, linewidth=0)
            left = packets_left(lab)
            axes.annotate(
                f"left: {left}",
                (1, -2.6 * n - 0.5),
                xycoords=("axes fraction", "data"),
                ha="right",
                weight="bold",
                color=RED if left < 0 else GREEN,
                fontsize=11,
            )
        axes.set_yticks(list(ticks), list(ticks.values()))
        axes.set_ylim(-2.6 * len(labs) + 1.0, 1.0)
        axes.set_xlim(start - 0.06 * (end - start), end + 0.2 * (end - start))
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("virtual seconds")
    picture.twin = str(table(said))
    return picture
