"""Pictures of order 42 on its way to the dead letters: who works on it, what its neighbours pay, where it ends, how long it lasts."""

import math
from collections.abc import Mapping

from matplotlib.axes import Axes

from edakit import Lab, table
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, CYCLE, DASHES, GREEN, GREY, HATCHES, INK, ORANGE, PALE, RED, SKY, Picture, look, plain
from edakit.table import grid, number
from shop import landing, lanes, poison, storms
from shop.letters import Shelf

LEFT, RIGHT, BOTTOM, TOP = 104, 24, 46, 34  # pixels around the axes


def sheet(height: int) -> tuple[Picture, Axes]:
    """A picture with one pair of axes that leaves room for names on the left. Call it inside `look()`."""
    picture = Picture(900, height)
    box = (LEFT / 900, BOTTOM / height, (900 - LEFT - RIGHT) / 900, (height - BOTTOM - TOP) / height)
    return picture, picture.add_axes(box)


FAILED, DONE = "order 42, again", "a good order"


def workers(lab: Lab, until: float = 0.2) -> Picture:
    """What each instance of payment works on at first: order 42 in red, good orders in blue; the title says when the good ones are done."""
    names = list(lab.instances)
    rows = [row for row in lab.trace.where(("handle", "fail")) if row.began < until]
    end, tries = poison.drained(lab), poison.tries(lab.trace)
    said = "never" if math.isinf(end) else f"after {end:.1f} s"
    title = f"order 42 tried {tries:,} times in {lab.now:.0f} s; good orders done: {said}"
    with look():
        picture, axes = sheet(100 + 34 * len(names))
        for kind, color, tall, name in (
            ("fail", RED, 0.8, FAILED),
            ("handle", SKY, 0.5, DONE),
        ):  # a hatch would take too long to draw
            for n, instance in enumerate(names):
                spans = [(row.began, row.time - row.began) for row in rows if row.kind == kind and row.who == instance]
                axes.broken_barh(spans, (n - tall / 2, tall), facecolor=color, edgecolor="white", linewidth=0.6)
            axes.barh([-9], [0], color=color, edgecolor="white", label=name)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, until)
        axes.set_xlabel("virtual seconds (the beginning)")
        axes.set_title(title, pad=8)
        axes.legend(loc="lower right", bbox_to_anchor=(1.01, 0.99), ncols=2)
    counts = [
        {
            "worker": instance,
            FAILED: sum(row.kind == "fail" and row.who == instance for row in rows),
            DONE: sum(row.kind == "handle" and row.who == instance for row in rows),
        }
        for instance in names
    ]
    picture.twin = f"{title}\nin the first {until:g} s:\n{table(counts)}"
    return picture


def drains(times: Mapping[str, tuple[float, float]]) -> Picture:
    """For each setting, seconds the good orders take without and with order 42 in front; a bar that never ends runs off the sheet."""
    top = 1.25 * max(time for pair in times.values() for time in pair if not math.isinf(time))
    with look():
        picture, axes = plain(height=300)
        for k, (name, color, hatch) in enumerate((("without order 42", PALE, ""), ("with it, no limit", RED, "///"))):
            heights = [pair[k] for pair in times.values()]
            places = [n + (k - 0.5) * 0.38 for n in range(len(heights))]
            axes.bar(places, [min(h, 2 * top) for h in heights], 0.36, color=color, hatch=hatch, edgecolor="white", label=name)
            for x, height in zip(places, heights, strict=True):
                if math.isinf(height):
                    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
                    axes.annotate("never", (x, top * 0.88), ha="center", fontsize=10, weight="bold", bbox=box)
                else:
                    axes.annotate(f"{height:.1f}", (x, height), (0, 3), textcoords="offset points", ha="center", fontsize=9)
        axes.set_xticks(range(len(times)), times)
        axes.set_ylim(0, top)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("seconds for 1,000 good orders")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    cells = [
        {"setting": name, "without 42": one, "with 42": None if math.isinf(two) else two} for name, (one, two) in times.items()
    ]
    picture.twin = f"seconds until the good orders are done (-: never)\n{table(cells)}"
    return picture


LOOKS = {
    landing.DEAD: (RED, "white", "DLQ"),
    landing.GONE: (INK, "white", "gone"),
    landing.WAITS: (SKY, INK, "waits"),
    landing.NONE: ("#f4f4f4", GREY, "-"),
}


def ends(found: Mapping[tuple[str, str], str]) -> Picture:
    """Where order 42 ends, a row for each system, a column for each fault."""
    down, across = list(dict.fromkeys(row for row, _ in found)), list(dict.fromkeys(column for _, column in found))
    width, high = 900, 34
    with look():
        picture = Picture(width, high * len(down) + 76)
        axes = picture.add_axes((0.17, 0.01, 0.82, (high * len(down)) / (high * len(down) + 76)))
        for (system, fault), end in found.items():
            x, y = across.index(fault), down.index(system)
            color, ink, _ = LOOKS[end]
            axes.barh(
                y,
                0.95,
                0.86,
                left=x - 0.475,
                color=color,
                hatch="///" if end == landing.WAITS else "",
                edgecolor="white",
                linewidth=0,
            )
            axes.text(x, y, end, color=ink, ha="center", va="center", fontsize=10, weight="bold" if end == landing.DEAD else "normal",
                      bbox={"facecolor": color, "edgecolor": "none", "pad": 1.5})  # fmt: skip
        axes.set_xlim(-0.5, len(across) - 0.5)
        axes.set_ylim(len(down) - 0.5, -0.5)
        axes.set_xticks(range(len(across)), across, fontsize=10)
        axes.xaxis.tick_top()
        axes.set_yticks(range(len(down)), down, fontsize=10)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        for side in axes.spines.values():
            side.set_visible(False)
    picture.twin = str(grid(found))
    return picture


STRIP = {
    "applied": ("#a9d8c6", "", "applied"),
    "poison": (INK, "", "the event that cannot be applied"),
    "over a gap": (RED, "", "same order, applied over the gap"),
    "parked": (ORANGE, "", "same order, set aside"),
    "waiting": ("#e6e6e6", "///", "waits"),
}


def strips(labs: Mapping[str, Lab]) -> Picture:
    """The partition as a strip, a cell for each event, first to last; one strip for each rule."""
    high = 62
    with look():
        picture, axes = sheet(high * len(labs) + 90)
        counts = []
        for n, (name, lab) in enumerate(labs.items()):
            found = lanes.fates(lab)
            counts.append({"rule": name, **{fate: found.count(fate) for fate in STRIP}})
            for fate, (color, hatch, _) in STRIP.items():
                tall = 0.62 if fate in ("applied", "waiting") else 0.86
                spans = _runs(found, fate, 1 if fate in ("applied", "waiting") else max(1, len(found) / 250))
                axes.broken_barh(spans, (n - tall / 2, tall), facecolor=color, hatch=hatch, edgecolor=GREY, linewidth=0,
                                 zorder=1 if tall < 0.7 else 2)  # fmt: skip
        for color, hatch, words in STRIP.values():
            axes.barh([-9], [0], color=color, hatch=hatch, edgecolor=GREY, linewidth=0, label=words)
        axes.set_yticks(range(len(labs)), labs)
        axes.set_ylim(len(labs) - 0.5, -0.5)
        axes.set_xlim(0, max(len(lanes.fates(lab)) for lab in labs.values()))
        axes.grid(visible=False)
        axes.set_xlabel("place in the partition")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.12, 0.99), ncols=5, columnspacing=1.2, handlelength=1.4)
    picture.twin = f"what became of each event\n{table(counts)}"
    return picture


def _runs(found: list[str], fate: str, wide: float) -> list[tuple[float, float]]:
    """Stretches of neighbours with one fate: (start, width)."""
    spans: list[tuple[float, float]] = []
    for n, each in enumerate(found):
        if each != fate:
            continue
        if spans and wide == 1 and spans[-1][0] + spans[-1][1] == n:
            spans[-1] = (spans[-1][0], spans[-1][1] + 1)
        else:
            spans.append((n, wide))
    return spans


def herd(labs: Lab | Mapping[str, Lab]) -> Picture:
    """Calls at the bank in each second, over a logarithmic time; the line is what the bank can take in one second."""
    labs = {"calls": labs} if isinstance(labs, Lab) else dict(labs)
    capacity, rows = max(map(storms.taken, labs.values())), []
    with look():
        picture, axes = plain(height=330)
        width = 0.8 / len(labs)
        for n, (name, lab) in enumerate(labs.items()):
            calls, figures = storms.per_second(lab), storms.drained(lab)
            seconds = sorted(calls)
            label = f"{name}: {figures['calls']:,.0f} calls, done after {figures['drain s']:.0f} s"
            places = [second + 1 + (n + 0.5) * width for second in seconds]
            axes.bar(
                places,
                [calls[s] for s in seconds],
                [max(width, 0.018 * x) for x in places],
                color=CYCLE[n],
                label=label,
                hatch=HATCHES[n],
                edgecolor="white",
                linewidth=0,
            )
            rows.append({"jitter": name, **figures})
        axes.axhline(capacity, color=INK, linewidth=1.4, linestyle=DASHES[1], label=f"the bank takes {capacity} a second")
        axes.set_xscale("log")
        marks = [1, 2, 3, 5, 9, 17, 33, 65, 129, 257, 513, 1025, 2049]
        axes.set_xticks([mark + 0.4 for mark in marks], [f"{mark - 1}" for mark in marks])
        axes.set_xticks([], minor=True)
        axes.set_xlim(0.9, max(620, *(1.1 * row["drain s"] for row in rows)))
        axes.set_xlabel("virtual seconds after the bank is back (logarithmic)")
        axes.set_ylabel("calls in one second")
        axes.legend(loc="upper right")
    picture.twin = f"calls at the bank, which takes {capacity} a second\n{table(rows)}"
    return picture


def patience(labs: Lab | Mapping[str, Lab]) -> Picture:
    """The tries of the first order that meets the outage, a line for each policy; how many of all orders are lost."""
    labs, rows = {"your policy": labs} if isinstance(labs, Lab) else dict(labs), []
    with look():
        picture, axes = plain(height=32 * len(labs) + 120)
        axes.axvspan(storms.DOWN, storms.UP, facecolor="#fbe9e0", hatch="///", edgecolor="#e9b796", linewidth=0, zorder=0)
        for n, (name, lab) in enumerate(labs.items()):
            first = next(row for row in lab.trace.where("call", place="bank") if row.time > storms.DOWN)
            tries = [row.time for row in lab.trace.where("call", place="bank", key=first.event.key if first.event else None)]
            through = tries[-1] > storms.UP
            gone, calls = storms.lost(lab).values()
            axes.plot(tries, [n] * len(tries), color=GREY, linewidth=1)
            axes.scatter(tries[:-1], [n] * (len(tries) - 1), s=60, color=INK, marker="|", linewidth=2.2, zorder=3)
            axes.scatter(tries[-1:], [n], s=70, color=GREEN if through else RED, marker="o" if through else "X", zorder=4)
            axes.annotate(f"{gone:,.0f} lost", (1.005, n), xycoords=("axes fraction", "data"), va="center", fontsize=9,
                          color=RED if gone else GREEN, weight="bold")  # fmt: skip
            rows.append({"policy": name, "lost": gone, "calls": calls, "last try at s": round(tries[-1], 1)})
        axes.scatter([], [], s=60, color=INK, marker="|", linewidth=2.2, label="a try")
        axes.scatter([], [], s=70, color=RED, marker="X", label="the last one, in vain")
        axes.scatter([], [], s=70, color=GREEN, marker="o", label="the one that gets through")
        axes.set_yticks(range(len(labs)), labs)
        axes.set_ylim(len(labs) - 0.5, -0.5)
        axes.set_xlim(storms.DOWN - 3, 62)
        axes.set_position((0.15, 46 / (32 * len(labs) + 120), 0.76, (32 * len(labs) + 40) / (32 * len(labs) + 120)))
        axes.set_xlabel("virtual seconds; hatched: the bank is down")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=3)
    picture.twin = f"orders lost, and the tries of the first order that meets the outage\n{table(rows)}"
    return picture


def life(*labs: Lab) -> Picture:
    """The life of a dead letter in SQS, a bar for each lab: in its queue, then among the dead letters, until it is gone."""
    found = [Shelf(lab) for lab in labs]
    day = 24 * 3600
    with look():
        picture, axes = sheet(104 + 46 * len(found))
        for n, each in enumerate(found):
            axes.barh(n, each.died / day, 0.5, color=SKY, edgecolor="white")
            axes.barh(n, each.window, 0.5, left=each.died / day, color=ORANGE, hatch="///", edgecolor="white")
            axes.barh(
                n, each.keep, 0.66, left=each.died / day, facecolor="none", edgecolor=GREY, linestyle=DASHES[1], linewidth=1.2
            )
            axes.scatter([each.gone / day], [n], s=130, color=INK, marker="X", zorder=4)
            words, beside = f"days to look at it: {number(round(each.window, 1))}", each.window < 2
            middle = each.gone / day + 0.25 if beside else each.died / day + each.window / 2
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
            axes.annotate(
                words, (middle, n), ha="left" if beside else "center", va="center", fontsize=10, weight="bold", bbox=box
            )
        axes.barh([-9], [0], color=SKY, label="in its queue")
        axes.barh([-9], [0], color=ORANGE, hatch="///", edgecolor="white", label="a dead letter")
        axes.barh([-9], [0], facecolor="none", edgecolor=GREY, linestyle=DASHES[1], label="the retention, counted from its death")
        axes.scatter([], [], s=90, color=INK, marker="X", label="deleted: no event says so")
        axes.set_yticks(range(len(found)), [each.kind for each in found])
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_xlim(0, 10.2)
        axes.set_xlabel("days since it was first sent")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=4)
    picture.twin = "\n".join(map(str, found))
    return picture


def whiteboard() -> Picture:
    """What to draw in an interview: the queue and its consumer, the way back with its limit, the way down, the person, the way up."""
    canvas = Canvas(900, 270)
    boxes = {
        "queue": (210, 40, 360, 100),
        "consumer": (560, 40, 710, 100),
        "dead letters": (380, 180, 540, 240),
        "a person": (700, 180, 830, 240),
    }
    for name, box in boxes.items():
        left, top, right, bottom = box
        fill = {"dead letters": "#fbe9e0", "a person": "#e2f0e9"}.get(name, "#eef4f9")
        canvas.box(box, fill, RED if name == "dead letters" else INK, width=1.4)
        canvas.text((left + right) / 2, (top + bottom) / 2, name, size=11, ha="center", weight="bold")
    canvas.arrow((90, 70), (208, 70), BLUE, 2)
    canvas.text(95, 56, "order 42", BLUE, 9)
    canvas.arrow((362, 60), (558, 60), BLUE, 2)
    canvas.text(460, 48, "deliver", BLUE, 9, ha="center")
    canvas.arrow((558, 84), (362, 84), ORANGE, 2, DASHES[1])
    canvas.text(460, 99, "retry: backoff, jitter, a LIMIT", INK, 9, ha="center")
    canvas.arrow((600, 102), (520, 178), RED, 2)
    canvas.text(572, 146, "permanent, or limit reached", RED, 9)
    canvas.arrow((542, 210), (698, 210), GREEN, 2)
    canvas.text(620, 198, "a bell at depth 1", GREEN, 9, ha="center")
    canvas.arrow((378, 210), (285, 102), GREY, 2, DASHES[2])
    canvas.text(318, 172, "redrive: mended, with a RATE", INK, 9, ha="right")
    canvas.text(460, 254, "retention longer than your weekends", GREY, 9, ha="center")
    return canvas.picture(
        "queue -> consumer: deliver; consumer -> queue: retry, with backoff, jitter and a limit; consumer -> dead letters: permanent, or "
        "limit reached;\ndead letters -> a person: a bell at depth 1; dead letters -> queue: redrive, mended, with a rate"
    )
