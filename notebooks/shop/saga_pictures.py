"""Pictures of sagas: what others see in between, who wakes whom, orders that stay open, two sagas on one order, the price of each cure."""

import json
import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from edakit import Lab, measure, table
from edakit.evidence import Sweep
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, DASHES, GREEN, GREY, INK, ORANGE, RED, SKY, Picture, look, plain
from shop import steps
from shop.at_load import LOCKS, bill
from shop.cancelling import order_is_consistent, standing

LOOKS = {  # how a step ended: fill, hatch, edge
    "done": ("#8fd3bd", "", GREEN),
    "failed": ("#f3b48b", "xxx", RED),
    "undone": ("#ffffff", "////", GREEN),
    "stuck": ("#fdf0d5", "...", ORANGE),
}
SAID = {"done": "done", "failed": "failed", "undone": "taken back", "stuck": "stuck"}
LOOKED = {"PENDING": SKY, "CANCELLING": ORANGE, "APPROVED": GREEN, "CANCELLED": INK}


def sheets(height: int, below: int) -> tuple[Picture, Axes, Axes]:
    """A sheet with ribbons above and `below` pixels of something else below, over one time. Call it inside `look()`."""
    picture = Picture(900, height)
    left, width, foot, top = 96 / 900, 780 / 900, 44, 52
    high = height - foot - top - below - 12
    lower = picture.add_axes((left, foot / height, width, below / height))
    upper = picture.add_axes((left, (foot + below + 12) / height, width, high / height), sharex=lower)
    upper.tick_params(labelbottom=False, bottom=False, left=False)
    upper.grid(visible=False, axis="y")
    return picture, upper, lower


def ribbons(axes: Axes, lab: Lab, names: Mapping[str, str]) -> list[str]:
    """Each run of a saga as a row of its steps, in the lab's time; returns the rows in words. names: event id -> what the row is called."""
    lines, shown = [], set()
    for n, (id, name) in enumerate(names.items()):
        told, narrow = [], []
        for row in (each for each in lab.trace.where("step") if each.note.endswith(f" {id}")):
            outcome, step, _ = row.note.split(" ", 2)
            fill, hatch, edge = LOOKS[outcome]
            label = None if outcome in shown else SAID[outcome]
            shown.add(outcome)
            axes.barh(
                n, row.time - row.began, 0.62, row.began, color=fill, hatch=hatch, edgecolor=edge, linewidth=1.2, label=label
            )
            back = {"facecolor": "white", "edgecolor": "none", "pad": 1} if hatch else None
            if row.time - row.began > 0.012 * len(step) * last_step(lab):
                axes.text(
                    (row.began + row.time) / 2, n, step.replace("_", " "), ha="center", va="center", fontsize=8.5, bbox=back
                )
            else:
                narrow.append((row.began, row.time, step.replace("_", " ")))
            told.append(f"{step} {SAID[outcome]} {row.time:.2f}")
        beneath(axes, n, narrow, 0.06 * last_step(lab))
        lines.append(f"{name}: {', '.join(told) or 'not begun'}")
    axes.set_yticks(range(len(names)), list(names.values()))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4)
    return lines


def beneath(axes: Axes, n: int, narrow: list[tuple[float, float, str]], near: float) -> None:
    """Name the steps of row `n` that are too narrow to be written on: below them, those side by side in one line."""
    while narrow:
        side = [narrow.pop(0)]
        while narrow and narrow[0][0] - side[-1][1] < near:
            side.append(narrow.pop(0))
        middle, text = (side[0][0] + side[-1][1]) / 2, ", ".join(name for _, _, name in side)
        axes.annotate(
            text,
            (middle, n + 0.31),
            (0, -1),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=7.5,
            annotation_clip=False,
        )


def last_step(lab: Lab) -> float:
    """When the last step of any saga ended: what comes after is of no interest."""
    return max(row.time for row in lab.trace.where(("step", "saga")))


def seen(lab: Lab) -> Picture:
    """The steps of Ada's order (and Bob's), and the teas on the shelf meanwhile: what anybody who looked could see."""
    who = {"42": "Ada", "43": "Bob"}
    names = {
        row.event.id: who[str(row.event.key)] for row in lab.trace.where("saga") if row.event and row.note.startswith("begun")
    }
    told = {key: "yes" if key in lab.trace.keys("order.confirmed") else "no" for key in lab.trace.keys("order.placed")}
    line = steps.shelf(lab)
    ends = last_step(lab) * 1.15
    with look():
        picture, upper, lower = sheets(150 + 46 * len(names), 62)
        words = ribbons(upper, lab, names)
        times, left = [0.0, *(time for time, _ in line[1:]), ends], [n for _, n in line]
        lower.step(times, [*left, left[-1]], where="post", color=BLUE, linewidth=2)
        for time, n in line:
            lower.annotate(f"{n}", (time, n), (4, 3), textcoords="offset points", fontsize=9, color=BLUE)
        lower.set_yticks(sorted({min(left), max(left)}))
        lower.set_ylim(min(left) - 0.35, max(left) + 0.9)
        lower.set_ylabel("on the shelf")
        lower.set_xlim(0, ends)
        lower.set_xlabel("virtual seconds")
        answers = ", ".join(f"{who[key]} is told {answer}" for key, answer in sorted(told.items()))
        upper.set_title(f"{answers}; teas in the end: {left[-1]}", pad=24)
    picture.twin = "\n".join([*words, f"on the shelf: {', '.join(f'{n} from {time:.2f} s' for time, n in line)}", answers])
    return picture


def strangers(lab: Lab) -> list[tuple[str, str, str]]:
    """Who wakes whom, by what: (service, service, event or request)."""
    found: dict[tuple[str, str, str], None] = {}
    for row in lab.trace.where("handle"):
        if row.event:
            found[(row.event.source.split(".")[0], row.service, row.event.type)] = None
    return list(found)


def flow_maps(maps: Mapping[str, Lab]) -> Picture:
    """Each system as arrows from service to service: who wakes whom, by what."""
    with look():
        picture = Picture(900, 330)
        words = []
        for k, (title, lab) in enumerate(maps.items()):
            axes = picture.add_axes((0.02 + 0.5 * k, 0.02, 0.46, 0.86))
            edges: dict[tuple[str, str], list[str]] = {}
            for a, b, type in strangers(lab):
                edges.setdefault((a, b), []).append(type)
            nodes = list(dict.fromkeys(name for edge in edges for name in edge))
            middle = [name for name in nodes if name == "checkout"]
            ring = [name for name in nodes if name not in middle]
            turn = {name: 2 * math.pi * n / len(ring) for n, name in enumerate(ring)}
            places = {name: (1.3 * math.sin(angle), math.cos(angle)) for name, angle in turn.items()}
            places.update(dict.fromkeys(middle, (0.0, 0.0)))
            axes.set_xlim(-1.75, 1.75)
            axes.set_ylim(-1.2, 1.25)
            for (a, b), types in edges.items():
                arrow(axes, places[a], places[b], "\n".join(types), both=a in middle, back=(b, a) in edges)
            for name, (x, y) in places.items():
                box = {"boxstyle": "round,pad=0.45", "facecolor": "#fdf0d5" if name in middle else "white", "edgecolor": INK}
                axes.text(x, y, name, ha="center", va="center", fontsize=9, weight="bold", bbox=box, zorder=5)
            axes.axis("off")
            axes.set_title(title)
            words.append(f"{title}: {', '.join(f'{a} -> {b} ({chr(47).join(types)})' for (a, b), types in edges.items())}")
    picture.twin = "\n".join(words)
    return picture


def arrow(axes: Axes, tail: tuple[float, float], head: tuple[float, float], text: str, *, both: bool, back: bool) -> None:
    """An arrow between two boxes, with what it carries beside it."""
    bend = 0.0 if both else 0.45 if back else 0.16
    (x0, y0), (x1, y1) = tail, head
    wide, high = abs(axes.transData.transform(head) - axes.transData.transform(tail))
    gap = 14 * math.hypot(wide, high) / max(high, 14 / 36 * wide)  # points from the middle of a box to its edge, on this way
    line = FancyArrowPatch(
        tail, head, arrowstyle="<|-|>" if both else "-|>", mutation_scale=12, color=BLUE, linewidth=1.2, shrinkA=gap, shrinkB=gap,
        connectionstyle=f"arc3,rad={bend}", zorder=2,
    )  # fmt: skip
    axes.add_patch(line)
    level = 0.13 if high < wide / 4 else 0.0  # above a level arrow: it is too short to be written on
    x, y = (x0 + x1) / 2 + bend / 2 * (y1 - y0), (y0 + y1) / 2 - bend / 2 * (x1 - x0) + level
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
    axes.text(x, y, text, ha="center", va="center", fontsize=7.5, color=GREY, bbox=box, zorder=3)


def open_orders(lab: Lab) -> tuple[list[float], list[int]]:
    """How many orders are open from each change on."""
    begun: dict[str | None, float] = {}
    changes: list[tuple[float, int]] = []
    over: set[str | None] = set()
    for row in lab.trace.where("publish"):
        key, type = (row.event.key, row.event.type) if row.event else (None, "")
        if type == "order.placed" and key not in begun:
            begun[key] = row.time
            changes.append((row.time, 1))
        elif type in ("order.confirmed", "order.rejected") and key not in over:
            over.add(key)
            changes.append((row.time, -1))
    times, counts, now = [0.0], [0], 0
    for time, change in changes:
        now += change
        times.append(time)
        counts.append(now)
    return times, counts


def staircase(labs: Mapping[str, Lab], until: float) -> Picture:
    """Open orders over time: stairs that never come down beside a line that returns to zero."""
    rows = []
    with look():
        picture, axes = plain(height=290)
        for n, (name, lab) in enumerate(labs.items()):
            times, counts = open_orders(lab)
            said = f"{name}: {counts[-1]} open at the end"
            color = (RED, BLUE)[n]
            axes.step(
                [*times, until], [*counts, counts[-1]], where="post", color=color, linewidth=1.4, linestyle=DASHES[n], label=said
            )
            rows.append({"flow": name, "most open": max(counts), "open at the end": counts[-1]})
        axes.set_xlim(0, until)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("open orders")
        axes.set_xlabel("virtual seconds")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    picture.twin = str(table(rows))
    return picture


def given_up(lab: Lab) -> Picture:
    """How long each payment would take, the quick ones first; those above the time-out are given up, though nothing is wrong with them."""
    banks = sorted(event.data["bank"] for event in lab.trace.events("order.placed"))
    steps_of = lab.deployments["checkout"].saga.steps if lab.deployments["checkout"].saga else []
    limit = next((step.timeout for step in steps_of if step.name == "pay"), None)
    count = int(steps.cut_off(lab)["cut off"])
    said = f"{count} of {len(banks)} good payments given up; a lost answer is noticed after {limit:g} s"
    with look():
        picture, axes = plain(height=270)
        fine = len(banks) - count
        for first, last, color, label in ((0, fine, SKY, "heard of in time"), (fine, len(banks), RED, "given up")):
            axes.fill_between(range(first, last + 1), [*banks[first:last], 0], step="post", color=color, linewidth=0, label=label)
        axes.axhline(limit or 0, color=INK, linewidth=1.4, linestyle=DASHES[1], label="the time-out")
        axes.set_ylim(0, max(1.1 * banks[-1], 1.1 * (limit or 0)))
        axes.set_xlim(0, len(banks))
        axes.set_xlabel("payments, the quickest first")
        axes.set_ylabel("seconds at the bank")
        axes.grid(visible=False, axis="x")
        axes.set_title(said, pad=8)
        axes.legend(loc="upper left")
    picture.twin = said
    return picture


def two_sagas(lab: Lab) -> Picture:
    """Create and cancel on one order, and the state that anybody would read meanwhile."""
    names = {row.event.id: row.place for row in lab.trace.where("saga") if row.event and row.note.startswith("begun")}
    state = [(0.0, "PENDING")]
    for row in lab.trace.where("write", place="orders-db"):
        value = json.loads(row.note).get("state")
        if value and value != state[-1][1]:
            state.append((row.time, value))
    wrong = ", ".join(order_is_consistent(lab)) or "nothing"
    end, (last, tea, paid) = last_step(lab) * 1.13, standing(lab)
    fact = f"in the end {last}, {'a tea held' if tea else 'no tea held'}, {'charged' if paid else 'not charged'}"
    with look():
        picture, upper, lower = sheets(140 + 52 * len(names), 34)
        words = ribbons(upper, lab, names)
        for n, (time, value) in enumerate(state):
            until = state[n + 1][0] if n + 1 < len(state) else end
            lower.barh(0, until - time, 0.9, time, color=LOOKED[value], edgecolor="white")
            middle = (time + until) / 2
            if until - time > 0.013 * len(value) * end:
                lower.text(middle, 0, value, ha="center", va="center", fontsize=8.5, color="white", weight="bold")
            else:
                lower.text(middle, 0.5, value, ha="center", va="bottom", fontsize=7.5)
        lower.set_yticks([0], ["the order"])
        lower.set_xlim(0, end)
        lower.set_xlabel("virtual seconds")
        upper.set_title(f"wrong: {wrong}   ({fact})", pad=24, color=RED if wrong != "nothing" else INK)
    strip = ", ".join(f"{value} from {time:.2f} s" for time, value in state)
    picture.twin = "\n".join([*words, f"the order: {strip}", f"wrong: {wrong}; {fact}"])
    return picture


def anomalies(found: Any) -> Picture:
    """How many schedules ended with each anomaly; a schedule may have several."""
    names = sorted(found.by_name, key=found.by_name.get, reverse=True)
    with look():
        picture = Picture(900, 90 + 30 * len(names))
        axes = picture.add_axes((0.25, 44 / (90 + 30 * len(names)), 0.71, (30 * len(names)) / (90 + 30 * len(names))))
        counts = [found.by_name[name] for name in names]
        axes.barh(names, counts, 0.66, color=RED)
        for n, count in enumerate(counts):
            axes.text(count, n, f" {count}", va="center", fontsize=9)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"of {found.seeds} schedules")
        axes.set_title(f"wrong in {len(found.failing)} of {found.seeds} schedules, each saga right alone")
    picture.twin = str(table([{"anomaly": name, "schedules": found.by_name[name]} for name in names]))
    return picture


def count(rows: Sweep, figure: str) -> int:
    """In how many seeds it was so."""
    return int(sum(rows.column(figure)))


def cures(sweeps: Mapping[str, Sweep]) -> Picture:
    """Each rule: in how many schedules the end is wrong, and what the customer who cancels feels."""
    names = list(sweeps)
    columns = (
        ("wrong", "wrong ends", RED, ""),
        ("loose ends", 'work goes on after "cancelled"', "#8fd3bd", "..."),
        ("waits", "cancels that wait", SKY, ""),
        ("refused", 'cancels told "try again"', ORANGE, "///"),
    )
    rows = [
        {"rule": name, **{figure: count(each, figure) for figure, *_ in columns},
         "cancel s": measure.spread(each.column("cancel s"))}
        for name, each in sweeps.items()
    ]  # fmt: skip
    with look():
        picture, axes = plain(height=290)
        for k, (figure, label, color, hatch) in enumerate(columns):
            heights = [count(each, figure) for each in sweeps.values()]
            places = [n + (k - 1.5) * 0.21 for n in range(len(names))]
            axes.bar(places, heights, 0.2, color=color, hatch=hatch, edgecolor="white", label=label)
            for x, height in zip(places, heights, strict=True):
                axes.annotate(f"{height}", (x, height), (0, 3), textcoords="offset points", ha="center", fontsize=8.5)
        axes.set_xticks(range(len(names)), names)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel(f"of {len(next(iter(sweeps.values()))):,} schedules")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=4)
    picture.twin = str(table(rows))
    return picture


def corner(rows: list[dict[str, Any]], late: float = 2) -> Picture:
    """A mark for each setting: orders overtaken to the right, p99 upwards; crosses count wrong. The corner at the origin is the hope."""
    marks = dict(zip(LOCKS, ("X", "s", "o"), strict=True))
    with look():
        picture, axes = plain(height=330)
        most = max(row["overtaken"] for row in rows)
        axes.axhspan(0.1, late, 0, 0.055, color="#fdf0d5", zorder=0)
        axes.annotate(
            "what everybody wants", (0.02 * most, late * 0.55), (12, 0), textcoords="offset points", fontsize=9, color="#9a6a00"
        )
        for lock, mark in marks.items():
            here = [row for row in rows if row["lock"] == lock]
            wrong = [row["miscounted"] > 0 for row in here]
            for bad, color in ((False, GREEN), (True, RED)):
                chosen = [row for row, each in zip(here, wrong, strict=True) if each == bad]
                if chosen:
                    name = f"lock: {lock}, {'count wrong' if bad else 'count right'}"
                    axes.scatter([row["overtaken"] for row in chosen], [row["p99 s"] for row in chosen], s=64, marker=mark, color=color,
                                 edgecolor=INK, linewidth=0.6, label=name, zorder=5 if bad else 3, alpha=0.9)  # fmt: skip
        hot = [row for row in rows if row["lock"] == "per item" and row["items"] == 1 and row["partitions"] > 1]
        one = [row for row in rows if row["partitions"] == 1]
        for group, text, away in ((one, "1 partition", (14, 0)), (hot, "one item, locked", (-30, -22))):
            if group:
                x, y = max(row["overtaken"] for row in group), measure.quantiles([row["p99 s"] for row in group], (0.5,))[0]
                axes.annotate(text, (x, y), away, textcoords="offset points", fontsize=9, va="center")
        axes.set_yscale("log")
        axes.set_ylim(0.1, 20)
        axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
        axes.set_xlim(-0.02 * most, most * 1.08)
        axes.set_xlabel("orders overtaken by a later one")
        axes.set_ylabel("p99, seconds")
        axes.legend(loc="upper center", bbox_to_anchor=(0.55, 1.0), fontsize=8)
    picture.twin = str(table(rows))
    return picture


def needles(lab: Lab) -> Picture:
    """The bill of one setting as three bars, each with the mark it should not pass."""
    found, marks = bill(lab), {"overtaken": (140, 0), "miscounted": (140, 0), "p99 s": (10, 2)}
    with look():
        picture = Picture(900, 150)
        axes = picture.add_axes((0.16, 0.16, 0.76, 0.8))
        for n, (name, (most, limit)) in enumerate(marks.items()):
            value = float(found[name])
            axes.barh(n, 1, 0.6, color="#f4f4f4")
            bad = value > limit
            axes.barh(n, min(1.0, value / most), 0.6, color=RED if bad else GREEN, hatch="///" if bad else "", edgecolor="white")
            axes.plot([limit / most] * 2, [n - 0.4, n + 0.4], color=INK, linewidth=2)
            axes.text(1.01, n, f"{value:g}", va="center", fontsize=10, weight="bold")
        axes.set_yticks(range(3), ["overtaken, orders", "miscounted, teas", "p99, seconds"])
        axes.set_ylim(2.5, -0.5)
        axes.set_xlim(0, 1.08)
        axes.set_xticks([])
        axes.grid(visible=False)
    picture.twin = str(table([found]))
    return picture


def whiteboard() -> Picture:
    """What to draw: steps forward, ways back, the pivot, a second saga that crosses, and the flag on the order."""
    canvas = Canvas(height=250)
    for n, (name, back) in enumerate((("reserve", "release"), ("pay", "refund"), ("ship", ""))):
        x = 150 + 230 * n
        canvas.box((x, 50, x + 120, 90), "#ffffff", INK, width=1.4)
        canvas.text(x + 60, 70, name, size=11, ha="center", weight="bold")
        if n < 2:
            canvas.arrow((x + 120, 70), (x + 230, 70), INK, 1.6, "solid", 7)
            canvas.text(x + 60, 116, back, GREEN, 10, ha="center")
            canvas.arrow((x + 110, 128), (x + 10, 128), GREEN, 1.4, (0, (4, 2)), 6)
    canvas.line([(556, 22), (556, 140)], RED, 2, (0, (6, 3)))
    canvas.text(548, 30, "before: undo", RED, 9, ha="right")
    canvas.text(564, 30, "after: retry until it is done", RED, 9)
    canvas.text(556, 150, "the pivot", RED, 9, ha="center", weight="bold")
    canvas.text(40, 70, "create", size=11, weight="bold")
    canvas.text(40, 205, "cancel", size=11, weight="bold")
    canvas.box((150, 185, 330, 225), "#fdf0d5", ORANGE, width=1.4)
    canvas.text(240, 205, "flag up? wait, or no", size=10, ha="center")
    canvas.arrow((330, 205), (400, 205), INK, 1.6, "solid", 7)
    canvas.box((400, 185, 700, 225), "#ffffff", INK, width=1.4)
    canvas.text(550, 205, "refund, put back, CANCELLED", size=10, ha="center")
    canvas.line([(150, 168), (730, 168)], ORANGE, 4)
    canvas.text(738, 168, "PENDING: the flag", "#9a6a00", 9, weight="bold")
    return canvas.picture(
        "create: reserve -> pay | pivot | -> ship; ways back: release, refund\n"
        "cancel: waits for the flag PENDING, then refund, put back, CANCELLED"
    )
