"""Pictures of notebook 12: a staircase, who was refused, a flat line, the bar that nobody saw, a view behind its store."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from edakit import EventStore, Lab, plot, table
from edakit.evidence import Sweep
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, DASHES, GREEN, GREY, INK, ORANGE, RED, SKY, Picture, look, plain
from shop import contended, skipping, sourced, views

STEPS = ("nothing", "placed", "reserved", "paid", "confirmed")


def sheet(height: int, left: int = 76, top: int = 34, below: int = 44) -> tuple[Picture, Axes]:
    """A sheet with one pair of axes, and room around them in pixels."""
    picture, axes = plain(height=height)
    axes.set_position((left / 900, below / height, (884 - left) / 900, (height - top - below) / height))
    return picture, axes


def staircase(store: EventStore, row: Mapping[str, object], stream: str = "order-42") -> Picture:
    """The states of an order, a step for each event; and the one dot that a row would keep."""
    events = list(store.read(stream))
    heights = [0, *(STEPS.index(sourced.at(store, stream, event.version)["status"]) for event in events)]
    with look():
        picture, axes = sheet(300, left=92, top=12, below=30)
        axes.step([*range(len(heights)), len(heights)], [*heights, heights[-1]], where="post", color=BLUE, linewidth=2.4)
        for event in events:
            below, above = heights[event.version - 1], heights[event.version]
            axes.annotate(f"{event.version}  {event.type}", (event.version, (below + above) / 2), (-8, 0), textcoords="offset points",
                          ha="right", va="center", fontsize=10, color=BLUE, weight="bold")  # fmt: skip
        axes.scatter([len(events) + 0.5], [heights[-1]], s=120, color=ORANGE, marker="D", zorder=4)
        kept = f"all that a row\nkeeps: {row['status']}"
        axes.annotate(
            kept, (len(events) + 0.5, heights[-1]), (0, -14), textcoords="offset points", ha="center", va="top", fontsize=10
        )
        axes.set_yticks(range(len(STEPS)), STEPS)
        axes.set_xticks(range(len(heights)), [f"version {n}" for n in range(len(heights))])
        axes.set_xlim(-0.1, len(heights) + 0.1)
        axes.set_ylim(-0.3, len(STEPS) - 0.7)
        axes.grid(visible=False, axis="x")
    picture.twin = "\n".join(
        f"{event.version} {event.type} -> {STEPS[height]}" for event, height in zip(events, heights[1:], strict=True)
    )
    return picture


def lanes(lab: Lab) -> Picture:
    """The first 0.3 seconds of writers on one stream or several: what each has appended, and what was refused."""
    rows = [row for row in lab.trace.where("log") if row.time <= 0.3]
    of = {row.event.id: row.event.correlation for row in rows if row.event}
    names = {key: n for n, key in enumerate(dict.fromkeys(of.values()))}
    figures = contended.effort(lab)
    title = f"{figures['appends a second']:.0f} appends a second, {figures['conflicts each']:.1f} conflicts for each"
    with look():
        picture, axes = sheet(110 + 20 * max(4, len(names)), top=52)
        for note, color, marker, name in (
            ("appends", GREEN, "|", "appended"),
            ("conflict", RED, "x", "refused: somebody was faster"),
        ):
            spots = [(row.time * 1000, names[of[row.event.id]]) for row in rows if row.note == note and row.event]
            axes.scatter([x for x, _ in spots], [y for _, y in spots], s=60 if marker == "|" else 26, color=color, marker=marker,
                         linewidth=2.4 if marker == "|" else 1.3, label=f"{name}: {len(spots)}")  # fmt: skip
        axes.set_yticks(range(len(names)), [f"writer {n + 1}" for n in range(len(names))], fontsize=8)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, 300)
        axes.set_xlabel("virtual milliseconds (the beginning)")
        axes.set_title(title, pad=24)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    picture.twin = title
    return picture


def loads(counts: Mapping[int, tuple[int, int]]) -> Picture:
    """Events applied to load a stream of a length: without a snapshot, and with the last one."""
    lengths = list(counts)
    with look():
        picture, axes = sheet(300, top=10)
        for k, (name, color, dash) in enumerate((("from the first event", RED, 0), ("from the last snapshot", BLUE, 1))):
            heights = [counts[n][k] for n in lengths]
            axes.plot(lengths, heights, color=color, linestyle=DASHES[dash], marker="os"[k], linewidth=2.4, label=name)
            for x, y in zip(lengths, heights, strict=True):
                if k == 1 or y != counts[x][1]:
                    axes.annotate(
                        f"{y:,}", (x, y), (0, 8 if k == 0 else -16), textcoords="offset points", ha="center", fontsize=9
                    )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(12, 40_000)
        axes.set_yticks([42, 100, 1_000, 10_000], ["42", "100", "1,000", "10,000"])
        axes.set_xticks(lengths, [f"{n:,}" for n in lengths])
        axes.minorticks_off()
        axes.set_xlabel("events in the stream (logarithmic)")
        axes.set_ylabel("events applied to load it")
        axes.legend(loc="upper left")
    picture.twin = str(table([(n, *pair) for n, pair in counts.items()], ("events", "applied", "with a snapshot")))
    return picture


def saw(lab: Lab) -> Picture:
    """Events applied by each command of a busy desk; a mark where a snapshot was written."""
    folds: list[int] = []
    marks: list[int] = []
    for row in lab.trace.where("log"):
        if row.note == "snapshot":
            marks.append(len(folds) + 1)
        else:
            folds.append(int(row.note.split()[1]))
    found = sourced.work(lab)
    title = f"{len(folds)} commands: {found['applied']:,} events applied, {found['snapshots written']} snapshots written"
    with look():
        picture, axes = sheet(280, left=50, top=52)
        axes.fill_between(range(1, len(folds) + 1), folds, color=SKY, alpha=0.5, linewidth=0)
        axes.plot(range(1, len(folds) + 1), folds, color=BLUE, linewidth=1.6, label="events applied by a command")
        axes.scatter(
            marks, [0] * len(marks), s=40, color=ORANGE, marker="^", zorder=4, clip_on=False, label="a snapshot is written"
        )
        axes.set_ylim(0, max(210, *folds))
        axes.set_xlim(0, len(folds))
        axes.set_xlabel("command")
        axes.set_title(title, pad=24)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    picture.twin = title
    return picture


def bars(lab: Lab) -> Picture:
    """Transactions around the first id that was skipped (or waited), from id to commit; the polls between them."""
    found = skipping.seen(lab)
    skipped, passed = found.skipped, found.overtaken
    middle = found.ended[passed[0]] if passed else found.polls[0][0]
    ids = sorted(sorted(found.began, key=lambda each: abs(found.ended[each] - middle))[:13])
    left = min(found.began[id] for id in ids)
    right = max(found.ended[id] for id in ids)
    lost, orders = len(skipped), len(found.ended)
    title = f"{orders:,} orders in the table, {orders - lost:,} in the view: {lost} skipped for ever" if lost else (
        f"{orders:,} orders in the table, {orders:,} in the view")  # fmt: skip
    with look():
        picture, axes = sheet(360, left=60)
        for n, id in enumerate(ids):
            gone = id in skipped
            axes.barh(n, found.ended[id] - found.began[id], 0.62, left=found.began[id], color=RED if gone else SKY,
                      hatch="///" if gone else "", edgecolor="white", linewidth=0)  # fmt: skip
            if id in passed:
                axes.annotate("skipped for ever" if gone else "has its turn later", (found.ended[id], n), (6, 0), va="center",
                              textcoords="offset points", color=RED if gone else GREEN, weight="bold", fontsize=10)  # fmt: skip
        for time, last in found.polls:
            if left <= time <= right:
                axes.axvline(time, color=INK, linestyle=DASHES[1], linewidth=1.5)
                axes.annotate(f"poll: up to {last}", (time, len(ids) - 0.4), (3, 0), textcoords="offset points", fontsize=9)
        axes.set_yticks(range(len(ids)), [f"id {id}" for id in ids], fontsize=8)
        axes.set_ylim(-0.7, len(ids) + 0.3)
        axes.set_xlim(left, right + 0.25 * (right - left))
        axes.set_xlabel("virtual seconds; a bar: from its id to its commit")
        axes.set_title(title, pad=8)
        axes.grid(visible=False, axis="y")
    picture.twin = f"{title}; the first: {skipped[0]}" if skipped else title
    return picture


def rates(found: Mapping[float, Sweep]) -> Picture:
    """Over the rate: the share of own reads that are stale, and the lag of the view; the mean, and the range of 90 seeds in 100."""
    with look():
        picture, left = plain(height=300)
        picture.subplots_adjust(left=0.05, right=0.98, top=0.9, bottom=0.16, wspace=0.16)
        left.remove()
        pair = picture.subplots(1, 2)
        for axes, name, color, what in (
            (pair[0], "stale %", RED, "own reads that are stale, %"),
            (pair[1], "lag p99 ms", BLUE, "lag of the view, p99, ms"),
        ):
            _ribbon(axes, {rate: each.spread(name) for rate, each in found.items()}, color)
            axes.set_title(what)
            axes.set_xlabel("payments a second (the projector can do 50)")
            axes.set_ylim(bottom=0)
            axes.set_xlim(0, 52)
            axes.axvline(50, color=GREY, linestyle=DASHES[2])
    cells = [
        {"rate": rate, **{name: round(each.spread(name)[0], 1) for name in ("stale %", "lag p99 ms")}}
        for rate, each in found.items()
    ]
    picture.twin = str(table(cells))
    return picture


def _ribbon(axes: Axes, spreads: Mapping[float, tuple[float, float, float]], color: str) -> None:
    xs = list(spreads)
    axes.fill_between(xs, [each[1] for each in spreads.values()], [each[2] for each in spreads.values()], color=color, alpha=0.15)
    axes.plot(xs, [each[0] for each in spreads.values()], color=color, marker="o", linewidth=2.2)
    for x, each in spreads.items():
        axes.annotate(
            f"{each[0]:.{0 if each[0] > 20 else 1}f}",
            (x, each[0]),
            (-4, 7),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            weight="bold",
        )


def behind(lab: Lab) -> Picture:
    """How many payments the store has and how many the view shows, over time; below, each look at the own order."""
    paid, shown = views.moments(lab)
    looks = [
        (row.time, row.note.split()) for row in lab.trace.where("log", who="shop") if row.note.startswith(("sees", "misses"))
    ]
    figures = views.reads(lab)
    wait = f"{figures['waits %']:.0f} %, on average {figures['mean wait ms']:.0f} ms"
    title = f"stale: {figures['stale %']:.0f} % of the looks; have to wait: {wait}"
    with look():
        picture, axes = sheet(340, left=60)
        top = max(paid)
        for moments, color, dash, name in ((paid, INK, 0, "paid, in the store"), (shown, BLUE, 1, "shown by the view")):
            axes.step(
                list(moments.values()),
                list(moments),
                where="post",
                color=color,
                linestyle=DASHES[dash],
                linewidth=1.8,
                label=name,
            )
        for what, color, marker, at, name in (
            ("sees", GREEN, "o", -0.06, "sees the own order at once"),
            ("waits", ORANGE, "^", -0.11, "waits for it"),
            ("misses", RED, "x", -0.16, "misses it"),
        ):
            spots = [time for time, note in looks if what == ("waits" if float(note[1]) else note[0])]
            axes.scatter(
                spots, [top * at] * len(spots), s=22, color=color, marker=marker, linewidth=1.2, label=f"{name}: {len(spots)}"
            )
        axes.set_ylim(-0.2 * top, 1.05 * top)
        axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top])
        axes.set_xlabel("virtual seconds")
        axes.set_ylabel("payments")
        axes.set_title(title, pad=8)
        axes.legend(loc="upper left")
    picture.twin = title
    return picture


def rebuilds(labs: Mapping[str, Lab]) -> Picture:
    """How far the view that readers have is behind its store, during a rebuild."""
    series = {name: views.behind(lab) for name, lab in labs.items()}
    picture = plot.lines(series, "virtual seconds since the rebuild began", "events that readers do not see", steps=True)
    picture.twin = str(table([{"": name, **views.rebuilt(lab)} for name, lab in labs.items()]))
    return picture


def whiteboard() -> Picture:
    """What to draw in an interview: decide and append on the left, the view on the right; below, the transaction that is skipped."""
    canvas = Canvas(900, 330)
    boxes = {"command": (30, 40, 150, 90), "load, fold, decide": (205, 40, 375, 90), "view": (720, 40, 860, 90)}
    for name, (left, top, right, bottom) in boxes.items():
        canvas.box((left, top, right, bottom), "#eef4f9", INK, width=1.4)
        canvas.text((left + right) / 2, (top + bottom) / 2, name, size=11, ha="center", weight="bold")
    for n in range(7):
        canvas.box((540, 20 + 20 * n, 600, 38 + 20 * n), "#e2f0e9", GREY)
        canvas.text(570, 29 + 20 * n, 7 - n, size=9, ha="center")
    canvas.text(570, 172, "stream, versions", GREY, 9, ha="center")
    canvas.arrow((152, 65), (203, 65), BLUE, 2)
    canvas.arrow((377, 50), (538, 30), BLUE, 2)
    canvas.text(450, 24, "append, if still at 6", BLUE, 9, ha="center")
    canvas.arrow((538, 50), (377, 76), RED, 2, DASHES[1])
    canvas.text(460, 86, "conflict: read again,", RED, 9, ha="center")
    canvas.text(460, 102, "decide again", RED, 9, ha="center")
    canvas.arrow((602, 65), (718, 65), BLUE, 2)
    canvas.text(660, 52, "projector: lags", BLUE, 9, ha="center")
    canvas.arrow((790, 150), (790, 92), ORANGE, 2)
    canvas.text(790, 163, "reader: has it version 7?", INK, 9, ha="center")
    for n, (left, right, name, color) in enumerate(
        ((120, 520, "id 17", RED), (200, 330, "id 18", SKY), (240, 400, "id 19", SKY), (500, 640, "id 20", SKY))
    ):
        canvas.box((left, 205 + 26 * n, right, 225 + 26 * n), color, "white", "", 1)
        canvas.text(left - 8, 215 + 26 * n, name, size=9, ha="right")
    canvas.arrow((430, 318), (430, 196), INK, 1.6, DASHES[1], size=1)
    canvas.text(436, 192, "poll: up to 19", size=9)
    canvas.text(530, 215, "commits after the poll: skipped for ever", RED, 9)
    canvas.text(655, 293, "cure: read below the lowest open id", GREEN, 9)
    return canvas.picture(
        "command -> load, fold, decide -> append to the stream if it is still at version 6, else read and decide again;\n"
        "stream -> projector -> view, which lags; the reader asks: has it version 7?\n"
        "a transaction with id 17 commits after a poll that has seen 19: skipped, unless the projector reads below the lowest id in flight"
    )
