"""Pictures of notebook 04: the window between truth and copy, how staleness falls, the outage, what medicines move, who may decide."""

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from edakit import Lab, table
from edakit.evidence import Sweep
from edakit.measure import Spread, spread
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, DASHES, GREEN, GREY, INK, ORANGE, PALE, RED, SKY, Picture, look, plain
from shop import agreeing, fault_menu, packets, pages, tokens

OLD, NEW = "#f6d9a8", "#a9d8c6"  # open, paid
LEFT, RIGHT = 110, 24


def sheet(height: int, left: int = LEFT, top: int = 34, bottom: int = 46) -> tuple[Picture, Axes]:
    """A picture with one pair of axes and room for names on the left. Call it inside `look()`."""
    picture = Picture(900, height)
    return picture, picture.add_axes((left / 900, bottom / height, (900 - left - RIGHT) / 900, (height - bottom - top) / height))


def eye(canvas: Canvas, x: float, y: float) -> None:
    """An eye that looks."""
    upper = [(x + 15 * math.cos(n * math.pi / 12), y - 9 * math.sin(n * math.pi / 12)) for n in range(13)]
    lower = [(x - 15 * math.cos(n * math.pi / 12), y + 9 * math.sin(n * math.pi / 12)) for n in range(13)]
    canvas.shape([*upper, *lower], "white", INK, "", 1.4, 5)
    canvas.glyph("dot", x, y, INK, 8)


def lanes(canvas: Canvas, changes: Mapping[str, float], looks: float, scale: float, words: tuple[str, str]) -> None:
    """Two bars that change from *open* to *paid*, each at its moment; the window between them; Ada's eye where she looks."""
    left, right = 150, 870
    for n, (name, change) in enumerate(changes.items()):
        top = 62 + 78 * n
        middle = left + 60 + change * scale
        canvas.text(20, top + 20, name, size=11, weight="bold")
        canvas.box((left, top, middle, top + 40), OLD, INK, "///")
        canvas.box((middle, top, right, top + 40), NEW, INK)
        canvas.text((left + middle) / 2, top + 20, "open", size=10, ha="center", ground=OLD)
        canvas.text((middle + right) / 2, top + 20, "paid", size=10, ha="center", weight="bold")
    start, end = (left + 60 + change * scale for change in changes.values())
    canvas.line([(start, 102), (start, 121)], RED, 1.6)
    canvas.line([(end, 121), (end, 140)], RED, 1.6)
    canvas.arrow(((start + end) / 2, 121), (start, 121), RED, 1.6)
    canvas.arrow(((start + end) / 2, 121), (end, 121), RED, 1.6)
    canvas.text(end + 8, 121, words[0], RED, 10, weight="bold")
    x = left + 60 + looks * scale
    canvas.line([(x, 40), (x, 215)], INK, 1.2, DASHES[1], 4)
    eye(canvas, x, 196)
    canvas.text(x + 22, 204, words[1], INK, 10)
    canvas.text(start, 48, "Ada pays", INK, 9, ha="center")


def window(lab: Lab) -> Picture:
    """The truth and its copy as two bars, the window between their changes, and Ada's eye."""
    (paid, shown), *_ = pages.windows(lab)
    reply = next(row for row in lab.trace.where("reply") if row.event)
    read = lab.trace.where("read")[0].time
    saw = str(reply.event.data) if reply.event else ""
    canvas = Canvas(900, 226)
    words = (f"window {shown - paid:.2f} s", f"she reloads after {read - paid:.2f} s and sees: {saw}")
    lanes(canvas, {"the truth": 0, "the copy": shown - paid}, read - paid, 560 / max(0.4, shown - paid), words)
    return canvas.picture(
        f"the truth is paid at 0 s, the copy {shown - paid:.2f} s later; Ada looks after {read - paid:.2f} s and sees: {saw}"
    )


def percent(value: float, _: object = None) -> str:
    """A tick of a logarithmic axis."""
    return f"{value:g} %"


def staleness(found: Lab | Sweep) -> Picture:
    """Per cent of stale reads so long after the write, both logarithmic; the dotted line is the theory; where it meets 0.1 %."""
    if isinstance(found, Lab):
        lag, marks = float(found.recipe[3].get("lag", pages.LAG)), [0.01 * 1.25**n for n in range(32)]
        waits = [shown - paid for paid, shown in pages.windows(found)]
        points = {after: 100 * sum(wait > after for wait in waits) / len(waits) for after in marks}
        band = None
    else:
        lag = pages.LAG
        each = {after: spread(found.column(f"stale after {after:g} s")) for after in pages.AFTER}
        points, band = {after: value.mean for after, value in each.items()}, each
    cross = lag * math.log(1000)
    with look():
        picture, axes = sheet(330, left=90)
        if band:
            low, high = [max(0.01, value.low) for value in band.values()], [max(0.01, value.high) for value in band.values()]
            axes.fill_between(list(band), low, high, color=BLUE, alpha=0.2, linewidth=0)
        there = {after: share for after, share in points.items() if share > 0}
        axes.plot(list(there), list(there.values()), color=BLUE, marker="o", markersize=5, label="measured")
        grid = [0.01 * 1.1**n for n in range(80)]
        theory = [(x, 100 * math.exp(-x / lag)) for x in grid if math.exp(-x / lag) > 1e-4]
        axes.plot(*zip(*theory, strict=True), color=INK, linestyle=DASHES[2], linewidth=1.4, label=f"theory: e^(-t / {lag:g} s)")
        axes.axhline(0.1, color=RED, linewidth=1.2, linestyle=DASHES[1])
        axes.scatter([cross], [0.1], s=90, color=RED, marker="D", zorder=5)
        axes.annotate(f"99.9 % fresh after {cross:.2g} s", (cross, 0.1), (-8, -16), textcoords="offset points", ha="right",
                      color=RED, weight="bold", fontsize=10)  # fmt: skip
        if not isinstance(found, Lab):
            axes.annotate(f"{points[0.2]:.0f} % stale after 0.2 s", (0.2, points[0.2]), (10, 6), textcoords="offset points",
                          weight="bold", fontsize=10)  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(0.02, 20)
        axes.set_ylim(0.02, 130)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.yaxis.set_major_formatter(FuncFormatter(percent))
        axes.set_xlabel("virtual seconds after the write (logarithmic)")
        axes.set_ylabel("stale reads (logarithmic)")
        axes.legend(loc="upper right")
    rows = [
        {"after s": round(after, 3), "stale %": round(share, 3)} for after, share in list(points.items())[:: 1 if band else 4]
    ]
    picture.twin = f"stale reads; theory: 99.9 % are fresh after {cross:.2f} s\n{table(rows)}"
    return picture


def over_time(lab: Lab) -> Picture:
    """Per cent of stale reads over the time of payment, in stretches of 5 s: while the worker is gone, and while it catches up."""
    shares, knobs = pages.by_time(lab), lab.recipe[3]
    pause = knobs.get("pause", pages.UP - pages.DOWN)
    back = pages.DOWN + pause
    late = [middle for middle, share in shares.items() if middle > back and share > 85]
    end = max(late) + 2.5 if late and pause else back
    figures = pages.outage(lab)
    with look():
        picture, axes = sheet(300, left=90)
        if pause:
            axes.axvspan(pages.DOWN, back, facecolor="#fbe9e0", hatch="///", edgecolor="#e9b796", linewidth=0, zorder=0)
            axes.axvspan(back, end, facecolor="#fff6df", hatch="..", edgecolor="#ecd9a0", linewidth=0, zorder=0)
        axes.bar(list(shares), list(shares.values()), 4.4, color=BLUE, edgecolor="white")
        box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
        if pause:
            axes.text((pages.DOWN + back) / 2, 112, "nobody works", ha="center", fontsize=10, weight="bold", color=RED, bbox=box)
        if end > back + 4:
            axes.text((back + end) / 2, 112, "fixed; Ada cannot see it", ha="center", fontsize=10, weight="bold", bbox=box)
        axes.set_ylim(0, 122)
        axes.set_yticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)])
        axes.set_xlim(0, 120)
        axes.set_xlabel("virtual seconds")
        axes.set_ylabel(f"stale {pages.RELOAD:g} s after paying")
    picture.twin = f"stale {pages.RELOAD:g} s after paying\n{table({name: round(value, 1) for name, value in figures.items()})}"
    return picture


def medicines(found: Mapping[str, Mapping[str, Spread]]) -> Picture:
    """What each medicine does to staleness, and to the illness that it is made for."""
    names = list(found)
    columns = {"stale %": ("stale after 0.2 s", BLUE, "%"), "doubles": ("counted twice", ORANGE, ""),
               "half-done": ("paid, no packet", RED, ""), "states readable": ("past states", GREEN, "")}  # fmt: skip
    with look():
        picture, across = Picture(900, 46 * len(names) + 70), [0.14, 0.50, 0.66, 0.82]
        for n, (figure, (title, color, unit)) in enumerate(columns.items()):
            wide = 0.31 if n == 0 else 0.12
            axes = picture.add_axes((across[n], 0.06, wide, 0.8))
            values = [found[name][figure] for name in names]
            for y, value in enumerate(values):
                axes.barh(y, value.mean, 0.56, color=color)
                if value.high > value.low:
                    axes.plot([value.low, value.high], [y, y], color=INK, linewidth=1.4, marker="|", markersize=7)
                axes.annotate(f"{value.mean:.3g} {unit}".rstrip(), (max(value.mean, value.high), y), (5, 0),
                              textcoords="offset points", va="center", fontsize=10, weight="bold")  # fmt: skip
            axes.set_yticks(range(len(names)), names if n == 0 else [""] * len(names), fontsize=10)
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.set_xlim(0, 1.4 * max(value.high for value in values))
            axes.set_xticks([])
            axes.grid(visible=False)
            axes.set_title(title, fontsize=10, weight="bold" if n == 0 else "normal")
            axes.spines["bottom"].set_visible(False)
    rows = [{"medicine": name, **each} for name, each in found.items()]
    picture.twin = f"of 40 orders\n{table(rows)}"
    return picture


def waiting(labs: Mapping[float, Lab]) -> Picture:
    """For each timeout, how readers fare: fresh at once, fresh after a wait, told *pending*. Nobody is told something old."""
    parts = {
        "fresh at once": (NEW, ""),
        "fresh, after a wait": (SKY, ".."),
        "told: pending": (ORANGE, "///"),
        "old, and does not know": (RED, "xx"),
    }
    rows = []
    with look():
        picture, axes = sheet(40 * len(labs) + 90, top=38)
        for n, (timeout, lab) in enumerate(labs.items()):
            found, left = tokens.answers(lab), 0.0
            share = 100 / len(found)
            counts = [
                share * sum(status == "paid" and wait < 0.01 for status, wait in found),
                share * sum(status == "paid" and wait >= 0.01 for status, wait in found),
                share * sum(status == "pending" for status, _ in found),
                share * sum(status == "open" for status, _ in found),
            ]
            for count, (color, hatch) in zip(counts, parts.values(), strict=True):
                axes.barh(n, count, 0.62, left=left, color=color, hatch=hatch, edgecolor="white", linewidth=0)
                if count >= 1:
                    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
                    axes.text(left + count / 2, n, f"{count:.3g} %", ha="center", va="center", fontsize=9, bbox=box)
                left += count
            rows.append({"timeout s": timeout, **dict(zip(parts, [round(count, 1) for count in counts], strict=True))})
        for name, (color, hatch) in parts.items():
            axes.barh([-9], [0], color=color, hatch=hatch, edgecolor="white", linewidth=0, label=name)
        axes.set_yticks(range(len(labs)), [f"{timeout:g} s" if timeout else "plain read" for timeout in labs], fontsize=10)
        axes.set_ylim(len(labs) - 0.5, -0.5)
        axes.set_xlim(0, 100)
        axes.set_xticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)])
        axes.set_xlabel("readers, by how long they are ready to wait")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=4)
    picture.twin = f"readers in per cent\n{table(rows)}"
    return picture


def screens(lab: Lab, most: int = 14) -> Picture:
    """What some screens show, look by look, a row for each; red: *open* after *paid*. Those that went back come first."""
    shown = tokens.screens(lab)
    flipped = {key: "open" in each[each.index("paid") :] for key, each in shown.items() if "paid" in each}
    keys = sorted(shown, key=lambda key: not flipped.get(key, False))[:most]
    looks = max(map(len, shown.values()))
    count = sum(flipped.values())
    with look():
        picture, axes = sheet(24 * len(keys) + 84, top=36)
        for y, key in enumerate(keys):
            was_paid = [("paid" in shown[key][:x], status) for x, status in enumerate(shown[key])]
            for color, hatch, fits in ((OLD, "///", (False, "open")), (NEW, "", (None, "paid")), (RED, "xx", (True, "open"))):
                spans = [(x + 0.03, 0.94) for x, (paid, status) in enumerate(was_paid)
                         if status == fits[1] and fits[0] in (None, paid)]  # fmt: skip
                axes.broken_barh(spans, (y - 0.4, 0.8), facecolor=color, hatch=hatch, edgecolor=GREY, linewidth=0)
        for color, hatch, words in ((OLD, "///", "open"), (NEW, "", "paid"), (RED, "xx", "open, after it was paid")):
            axes.barh([-9], [0], color=color, hatch=hatch, edgecolor="white", linewidth=0, label=words)
        axes.set_yticks(range(len(keys)), [f"order {key}" for key in keys])
        axes.set_ylim(len(keys) - 0.5, -0.5)
        axes.set_xlim(0, looks)
        axes.set_xticks(range(0, looks + 1, 5))
        axes.grid(visible=False)
        axes.set_xlabel("looks of the screen, one every 0.1 s")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=3)
        axes.annotate(
            f"{count} of {len(shown)} went back", (1, 1.03), xycoords="axes fraction", ha="right", weight="bold", fontsize=10
        )
    picture.twin = f"screens that showed open after paid: {count} of {len(shown)}"
    return picture


def strips(found: Mapping[float, Sweep], rate: float = 10) -> Picture:
    """Packets sold beyond the stock, a dot for each of a thousand runs, a strip for each lag; the line is rate times lag."""
    lags = list(found)
    with look():
        picture, axes = plain(height=330)
        for n, each in enumerate(found.values()):
            values = each.column("oversold")
            places = [n - 0.3 + 0.6 * ((k * 0.618034) % 1) for k in range(len(values))]  # spread evenly, without chance
            axes.scatter(places, [value + 0.5 * ((k * 0.754878) % 1) - 0.25 for k, value in enumerate(values)], s=5, color=BLUE,
                         alpha=0.35, linewidth=0)  # fmt: skip
            mean = spread(values).mean
            axes.plot([n - 0.36, n + 0.36], [mean, mean], color=RED, linewidth=2.4)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85}
            axes.annotate(f"{mean:.2g}", (n + 0.37, mean), (3, 0), textcoords="offset points", color=RED, weight="bold",
                          va="center", bbox=box)  # fmt: skip
        axes.plot(range(len(lags)), [rate * lag for lag in lags], color=INK, linestyle=DASHES[1], linewidth=1.4,
                  label=f"rate x lag ({rate:g} orders a second)")  # fmt: skip
        axes.plot([], [], color=RED, linewidth=2.4, label="mean of 1,000 runs")
        axes.set_xticks(range(len(lags)), [f"{1000 * lag:g} ms" for lag in lags], fontsize=10)
        axes.set_xlim(-0.6, len(lags) - 0.3)
        axes.set_xlabel("lag of the copy")
        axes.set_ylabel("packets sold that were not there")
        axes.legend(loc="upper left")
    picture.twin = f"packets sold that were not there\n{table(packets.rows(found, rate))}"
    return picture


def shelf(lab: Lab) -> Picture:
    """What is really left, and what the copy says is left, over time; below zero: sold, and not there."""
    series: dict[str, list[tuple[float, float]]] = {"shelf": [], "copy": []}
    for row in lab.trace.where("write"):
        if packets.TEA in row.note:
            series[row.place].append((row.time, int(row.note.rpartition(" ")[2].rstrip("}"))))
    end = max(points[-1][0] for points in series.values())
    figures = packets.oversold(lab)
    owner = lab.recipe[3].get("decides") == "owner"
    with look():
        picture, axes = plain(height=300)
        true = [*series["shelf"], (end, series["shelf"][-1][1])]
        said = [*series["copy"], (end, series["copy"][-1][1])]
        lowest = min(0, *(left for _, left in true))
        axes.axhspan(lowest - 3, 0, facecolor="#fbe9e0", hatch="///", edgecolor="#e9b796", linewidth=0, zorder=0)
        axes.axhline(0, color=INK, linewidth=1)
        axes.step(*zip(*true, strict=True), where="post", color=BLUE, linewidth=2, label="really left (the owner)")
        axes.step(
            *zip(*said, strict=True),
            where="post",
            color=ORANGE,
            linewidth=1.8,
            linestyle=DASHES[1],
            label="left, as the copy says",
        )
        axes.set_ylim(lowest - 3, None)
        axes.set_xlim(0, end)
        axes.set_xlabel("virtual seconds")
        axes.set_ylabel("packets")
        axes.legend(loc="upper right")
        who = "the owner" if owner else "the copy"
        axes.set_title(
            f"{who} decides: {figures['oversold']:.0f} oversold; answers take {figures['p50 ms']:.0f} ms, p99 {figures['p99 ms']:.0f} ms"
        )
    picture.twin = f"decides: {who}\n{table({name: round(value) for name, value in figures.items()})}"
    return picture


def mesh(found: Lab | Mapping[str, Lab]) -> Picture:
    """For each setting, the two views as two columns and a line for each order from what one shows to what the other shows: level where
    they agree on the truth, grey where both are wrong alike, red and crossing where they differ.
    """
    labs = {"your setting": found} if isinstance(found, Lab) else dict(found)
    with look():
        picture = Picture(900, 350)
        for n, (name, lab) in enumerate(labs.items()):
            wide = 0.94 / len(labs)
            axes = picture.add_axes((0.03 + n * wide, 0.26, wide * 0.82, 0.54))
            one, other = (agreeing.states(lab, each) for each in agreeing.VIEWS)
            places = {key: (k + 0.5) / len(one) for k, key in enumerate(one)}
            lines: dict[str, list[list[tuple[float, float]]]] = {NEW: [], GREY: [], RED: []}
            for key, y in places.items():
                up = 0.0 if one[key] == other[key] else 0.09 if one[key] == "packed" else -0.09
                color = RED if up else NEW if one[key] == "packed" else GREY
                lines[color].append([(0, y + up), (1, y - up)])
            for color, each in lines.items():
                axes.add_collection(
                    LineCollection(each, colors=color, linewidths=1.3, linestyles=DASHES[1] if color == GREY else "solid")
                )
            count, bad = len(agreeing.differ(lab)), sum(one[key] == other[key] != "packed" for key in one)
            axes.set_title(name.replace(", ", ",\n"), fontsize=9, loc="center")
            said = [f"{count} of {len(one)} differ", *([f"{bad} agree, wrong"] if bad else [])]
            axes.set_xticks([0, 1], agreeing.VIEWS if n == 0 else ["", ""], color=GREY)
            axes.tick_params(length=0)
            axes.set_xlabel("\n".join(said), fontsize=10, weight="bold", color=RED if count or bad else GREEN)
            axes.set_yticks([])
            axes.set_xlim(0, 1)
            axes.set_ylim(-0.1, 1.1)
            axes.grid(visible=False)
            for side in ("left", "right"):
                axes.spines[side].set_visible(True)
                axes.spines[side].set_linewidth(2)
            axes.spines["bottom"].set_visible(False)
        signs = {"both views show packed": (NEW, "solid"), "they differ; the higher end is packed": (RED, "solid"),
                 "both show the same, and are wrong": (GREY, DASHES[1])}  # fmt: skip
        handles = [Line2D([], [], color=color, linestyle=line, linewidth=2) for color, line in signs.values()]
        picture.legend(handles, list(signs), loc="lower center", ncols=3, fontsize=9)
    picture.twin = f"two views of the same orders, when all is quiet\n{agreeing.standing(labs)}"
    return picture


def switches(found: Mapping[str, Mapping[str, int]]) -> Picture:
    """Which switch turns which counter: the darker the more orders; and the notebook that has the cure."""
    names = [name for name in found if name != "none"]
    with look():
        picture, axes = sheet(34 * len(names) + 66, left=252, top=46, bottom=14)
        for y, name in enumerate(names):
            for x, counter in enumerate(fault_menu.COUNTERS):
                count = found[name][counter]
                shade = 0.25 + 0.75 * min(1, count / 100) if count else 1
                axes.barh(
                    y, 0.94, 0.88, left=x - 0.47, color=RED if count else "#f4f4f4", alpha=shade, edgecolor="white", linewidth=0
                )
                axes.text(x, y, f"{count}" if count else "-", ha="center", va="center", fontsize=11, weight="bold" if count else "normal",
                          color=("white" if count > 60 else INK) if count else PALE)  # fmt: skip
            axes.text(len(fault_menu.COUNTERS), y, fault_menu.FAULTS[name], ha="center", va="center", fontsize=10)
        heads = ["\n".join(head.rsplit(" ", 1)) for head in (*fault_menu.COUNTERS, "cure in")]
        axes.set_xlim(-0.5, len(heads) - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xticks(range(len(heads)), heads, fontsize=9)
        axes.xaxis.tick_top()
        axes.set_yticks(range(len(names)), names, fontsize=10)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        for side in axes.spines.values():
            side.set_visible(False)
    picture.twin = str(fault_menu.printed(dict(found)))
    return picture


def whiteboard() -> Picture:
    """What to draw in an interview: two bars that change at two moments, the eye between, and the three repairs."""
    canvas = Canvas(900, 290)
    lanes(
        canvas, {"the truth": 0, "the copy": 1}, 0.45, 260, ("window = lag + work (+ outage + drain)", "a reader in the window")
    )
    for x, head, text in ((20, "reader", "at least this version, or: pending"), (330, "invariant", "the owner decides"),
                          (560, "copies", "one rule by version + reconcile")):  # fmt: skip
        canvas.text(x, 252, head, GREEN, 10, weight="bold")
        canvas.text(x, 272, text, INK, 10)
    return canvas.picture(
        "the truth changes, the copy later, a reader between; window = lag + work (+ outage + drain);\n"
        "reader: at least this version, or pending; invariant: the owner decides; copies: one rule by version, and reconcile"
    )
