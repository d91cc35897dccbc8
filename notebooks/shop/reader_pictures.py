"""Pictures of notebook 02: queues that empty and logs that stay, what is lost in an absence, who keeps order, how old a number is."""

from collections.abc import Mapping, Sequence
from typing import Any

from edakit import Lab, plot, run, table
from edakit.measure import groups
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, RED, Picture, look, plain
from edakit.state import State, fold
from shop import absences, eight_orders, readers, ticker

LATE = 10.6  # virtual seconds: just after the last of ten orders
LEFT, CELL, LINE = 168, 48, 27  # pixels


def ten(labs: Lab | Mapping[str, Lab], at: float = LATE) -> Picture:
    """Ten orders at a moment. A queue: full dots are kept, hollow ones are gone. A log: all dots stay, and groups have bookmarks."""
    labs = {"": labs} if isinstance(labs, Lab) else dict(labs)
    streams = {name: "orders" in lab.homes for name, lab in labs.items()}
    canvas = Canvas(height=30 + sum((5 + stream) * LINE + 10 for stream in streams.values()))
    y, twin = 24.0, [f"after {at:g} s, of ten orders:"]
    for name, lab in labs.items():
        state = lab.trace.state_at(at)
        canvas.text(14, y, "the log `orders`" if streams[name] else "the broker `shop`", size=9, weight="bold")
        for n in range(10):
            canvas.text(LEFT + n * CELL, y, n + 1, GREY, 8, ha="center")
        y += LINE
        if streams[name]:
            twin += _log(canvas, lab, state, y)
            y += LINE
        else:
            twin += _queues(canvas, lab, state, at, y)
        y += 4 * LINE + 10
    return canvas.picture("\n".join(twin))


def _queues(canvas: Canvas, lab: Lab, state: State, at: float, y: float) -> list[str]:
    """A row for each queue."""
    twin = []
    for row, name in enumerate((*readers.FIRST, "fraud")):
        owed = [r.event.key for r in lab.trace.where("publish") if name in r.note.split() and r.time <= at]
        queue = state.queue(f"shop/{name}")
        kept = {event.key for event, *_ in [*queue.ready, *queue.unacked.values()]}
        at_y = y + row * LINE
        canvas.text(LEFT - 34, at_y, name, size=9, ha="right")
        canvas.line([(LEFT - 14, at_y), (LEFT + 9 * CELL + 14, at_y)], PALE, 0.8)
        for key in owed:
            canvas.glyph("dot", LEFT + (int(key) - 1) * CELL, at_y, BLUE, 15)
            if key not in kept:
                canvas.glyph("dot", LEFT + (int(key) - 1) * CELL, at_y, "white", 12, layer=7)
        missing = f", {10 - len(owed)} never came" if len(owed) < 10 else ""
        canvas.text(LEFT + 9 * CELL + 44, at_y, f"{len(owed) - len(kept)} read and gone, {len(kept)} kept{missing}", size=8)
        twin.append(f"  queue {name}: {len(owed) - len(kept)} read and gone, {len(kept)} kept{missing}")
    return twin


def _log(canvas: Canvas, lab: Lab, state: State, y: float) -> list[str]:
    """The records, and for each group a bookmark, and a line over what it has read."""
    log, twin = state.logs["orders/0"], []
    for n in range(len(log)):
        canvas.glyph("dot", LEFT + n * CELL, y, GREEN, 15)
    canvas.text(LEFT - 34, y, "records", size=9, ha="right")
    canvas.text(LEFT + 9 * CELL + 44, y, f"{len(log)} kept, whoever has read them", size=8)
    twin.append(f"  log: {len(log)} kept")
    for row, name in enumerate(groups(lab.trace), 1):
        group, at_y = state.group(name, "orders/0"), y + row * LINE
        first = next((each.tag for each in lab.trace.where("fetch", who=name)), group.committed)
        x = LEFT + (group.committed - 0.5) * CELL
        canvas.text(LEFT - 34, at_y, name, size=9, ha="right")
        canvas.line([(LEFT + (first - 0.5) * CELL, at_y), (x, at_y)], INK, 1.6)
        canvas.glyph("up", x, at_y, INK, 8)
        behind = len(log) - group.committed
        said = f"{group.committed - first} read, bookmark at {group.committed}" + (f", {behind} behind" if behind else "")
        canvas.text(LEFT + 9 * CELL + 44, at_y, said, size=8)
        twin.append(f"  {name}: {said}")
    return twin


def kept(lab: Lab) -> Picture:
    """What the log keeps over time, between its oldest and its newest record, and where payment's bookmark is."""
    rows, end = lab.trace, lab.trace[-1].time
    newest = [(row.time, row.tag + 1) for row in rows.where("append")]
    oldest = [(0.0, 0), *((row.time, row.tag) for row in rows.where("expire"))]
    oldest += [(end, oldest[-1][1])]
    mark = [(0.0, 0), *((row.time, row.tag) for row in rows.where(["commit", "reset"], who="payment"))]
    with look():
        picture, axes = plain(height=320)
        bottom, top = _at(oldest, [time for time, _ in newest]), [offset for _, offset in newest]
        axes.fill_between([time for time, _ in newest], bottom, top, facecolor=GREEN + "2a", label="what the log keeps")
        axes.plot(*zip(*newest, strict=True), color=GREEN, linewidth=1.4, linestyle=(0, (4, 1)))
        axes.step(*zip(*oldest, strict=True), where="post", color=GREEN, linewidth=1.4)
        axes.step(*zip(*mark, strict=True), where="post", color=INK, linewidth=2, label="payment's bookmark")
        for row in rows.where("reset"):
            before = max(offset for time, offset in mark if time < row.time)
            axes.annotate(
                "", (row.time, row.tag), (row.time, before), arrowprops={"arrowstyle": "<->", "color": RED, "linewidth": 2}
            )
            patch = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            where = {"xytext": (-8, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
            said, at = f"{row.tag - before} never read", (row.time, (row.tag + before) / 2)
            axes.annotate(said, at, color=RED, weight="bold", fontsize=11, bbox=patch, **where)
        axes.set_xlabel("virtual seconds")
        axes.set_ylabel("offset")
        axes.set_ylim(bottom=0)
        axes.set_xlim(0, end)
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    lost = readers.missed(lab)
    picture.twin = f"published {len(newest)}, kept at the end {top[-1] - bottom[-1]}, never read by payment: {lost}"
    return picture


def _at(steps: Sequence[tuple[float, int]], times: Sequence[float]) -> list[int]:
    """The value of a stair at each of these rising times."""
    found, n = [], 0
    for time in times:
        while n + 1 < len(steps) and steps[n + 1][0] <= time:
            n += 1
        found.append(steps[n][1])
    return found


def histogram(labs: Mapping[str, Lab]) -> Picture:
    """How many orders were delivered to each subscription 0, 1, 2 or 3 times; a row of three for each lab."""
    rows, high = [], 150
    with look():
        picture = Picture(900, high * len(labs) + 50)
        for down, (title, lab) in enumerate(labs.items()):
            for across, (name, times) in enumerate(readers.times_delivered(lab).items()):
                bottom = (picture.get_figheight() * 100 - high * (down + 1) - 10) / (picture.get_figheight() * 100)
                axes = picture.add_axes(
                    (0.07 + 0.315 * across, bottom + 0.03, 0.27, (high - 50) / (picture.get_figheight() * 100))
                )
                heights = [times[n] for n in range(4)]
                axes.bar(
                    range(4), [max(height, 0.6) for height in heights], color=[RED, BLUE, ORANGE, ORANGE], width=0.7, hatch=None
                )
                for n, height in enumerate(heights):
                    axes.annotate(
                        f"{height:,}", (n, max(height, 0.6)), (0, 2), textcoords="offset points", ha="center", fontsize=9
                    )
                axes.set_yscale("log")
                axes.set_ylim(0.6, 6_000)
                axes.set_yticks([1, 10, 100, 1_000], ["1", "10", "100", "1,000"])
                axes.minorticks_off()
                axes.set_xticks(range(4), ["never", "once", "twice", "3 times"])
                axes.grid(visible=False, axis="x")
                axes.set_title(f"{title}: {name}" if across == 0 else name)
                rows.append({"": title, "subscription": name, **{f"{n} times": height for n, height in enumerate(heights)}})
    picture.twin = f"orders by how often they were delivered\n{table(rows)}"
    return picture


def stores(labs: Mapping[str, Lab]) -> Picture:
    """What each store holds over time; where its broker restarts, a bolt."""
    rows, high = [], 62
    with look():
        picture = Picture(900, high * len(labs) + 60)
        for n, (name, lab) in enumerate(labs.items()):
            tall = high * len(labs) + 60
            axes = picture.add_axes((0.26, 1 - (high * (n + 1) + 4) / tall, 0.52, (high - 18) / tall))
            held = _held(lab)
            times, depths = zip(*held, (50.0, held[-1][1]), strict=True)
            axes.fill_between(times, depths, step="post", facecolor=BLUE + "55", edgecolor=BLUE, linewidth=1.2)
            if lab.trace.where("crash", who="shop"):
                axes.plot([15], [620], marker=(3, 0, 180), color=RED, markersize=11, clip_on=False)
                axes.axvline(15, color=RED, linewidth=1.4, linestyle=(0, (4, 2)))
            axes.axvline(20, color=INK, linewidth=1, linestyle=(0, (1, 1.5)))
            axes.axvline(40, color=INK, linewidth=1, linestyle=(0, (1, 1.5)))
            axes.set_xlim(0, 50)
            axes.set_ylim(0, 1_150)
            axes.set_yticks([0, 1_000], ["0", "1,000"])
            axes.tick_params(labelbottom=n == len(labs) - 1)
            axes.set_ylabel(f"{name}  ", rotation=0, ha="right", va="center")
            got = absences.read_twice(lab)
            axes.annotate(
                f"got {got['got']:,}, again {got['got again']:,}",
                (1.02, 0.5),
                xycoords="axes fraction",
                va="center",
                weight="bold",
            )
            rows.append({"store": name, "held at 14 s": _at(held, [14.0])[0], "held at 19 s": _at(held, [19.0])[0], **got})
        axes.set_xlabel("virtual seconds: red, the broker restarts; dotted, payment reads, and asks again")
    picture.twin = f"messages held\n{table(rows)}"
    return picture


def _held(lab: Lab) -> list[tuple[float, int]]:
    """How many messages a queue, or a log, holds from each change on."""
    state, held = State(), [(0.0, 0)]
    for row in lab.trace:
        fold(state, row)
        queue = state.queue("shop/payment")
        count = len(queue.ready) + len(queue.unacked) + len(state.logs.get("shop/0", ()))
        if count != held[-1][1]:
            held.append((row.time, count))
    return held


def strips(labs: Lab | Mapping[str, Lab], first: int = 32, key: str = "42") -> Picture:
    """The numbers of the first events in the order in which they were handled: of all orders, and of one. Dark: inverted."""
    labs = {"": labs} if isinstance(labs, Lab) else dict(labs)
    canvas, twin = Canvas(height=96 * len(labs) + 26), [f"handled in this order; order {key} alone below"]
    wide = (canvas.width - 120 - 20) / first
    for n, (name, lab) in enumerate(labs.items()):
        done, top = eight_orders.handled(lab), 30 + 96 * n
        found = eight_orders.inversions(lab)
        said = f"inverted of 100 neighbours: {found['all %']:.0f} in all, {found['within an order %']:.0f} within an order"
        canvas.text(
            14, top - 12, f"{name}   {said}; done after {found['seconds']:.1f} s".strip(), size=9, weight="bold", most=130
        )
        for y, label, chosen in (
            (top, "all orders", done),
            (top + 34, f"order {key}", [each for each in done if each.key == key]),
        ):
            canvas.text(110, y + 13, label, GREY, 8.5, ha="right")
            flags = eight_orders.inverted(chosen)
            for k, (each, wrong) in enumerate(zip(chosen[:first], flags, strict=False)):
                box = (120 + k * wide, y, 120 + (k + 1) * wide - 2, y + 26)
                canvas.box(box, RED if wrong else "#dcebf5", "none")
                canvas.text(
                    (box[0] + box[2]) / 2,
                    y + 13,
                    each.number,
                    "white" if wrong else INK,
                    8,
                    ha="center",
                    weight="bold" if wrong else "normal",
                )
            twin.append(f"{name} {label}: {' '.join(str(each.number) for each in chosen[:12])} ...".strip())
        twin.append(f"  {said}")
    return canvas.picture("\n".join(twin))


ABSENCES = (0, 30, 60, 90, 120)
CONTRACTS = {"redis-pubsub": "Redis Pub/Sub", "sns-http": "SNS to an HTTP endpoint", "rabbitmq": "RabbitMQ queue"}


def by_absence() -> Picture:
    """Orders lost, one a second, by how long the reader was away: a run for each point."""
    runs = {
        (like, away): run(absences.absent, seed=42, like=like, outage=away, every=1)
        for like in CONTRACTS
        for away in ABSENCES
        if away
    }
    lost = {
        name: {away: readers.missed(runs[like, away]) if away else 0 for away in ABSENCES} for like, name in CONTRACTS.items()
    }
    return plot.lines(lost, "seconds that the reader was away", "orders lost, of one a second")


def waits(lab: Lab) -> Picture:
    """Each order by when it was published: how late it was handled; a cross if it never was."""
    handled = {row.event.id: row.time for row in lab.trace.where("handle", who="payment")}
    orders = lab.trace.events("order.placed")
    got = [(event.time, handled[event.id] - event.time) for event in orders if event.id in handled]
    lost = [event.time for event in orders if event.id not in handled]
    down, up = (lab.trace.where(kind, who="payment")[0].time for kind in ("crash", "restart"))
    with look():
        picture, axes = plain(height=280)
        axes.axvspan(down, up, facecolor="#fbe9e0", hatch="///", edgecolor="#e9b796", linewidth=0, zorder=0)
        axes.scatter(*zip(*got, strict=True), s=16, c=BLUE, label=f"{len(got)} handled, so many seconds late")
        axes.scatter(lost, [-6] * len(lost), s=28, c=RED, marker="x", label=f"{len(lost)} lost", clip_on=False)
        axes.set_ylim(-10, max(65, 1.1 * max(wait for _, wait in got)))
        axes.set_xlabel("order published at (virtual seconds); the reader is off where it is hatched")
        axes.set_ylabel("seconds until handled")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    picture.twin = f"{len(got)} handled, the latest {max(wait for _, wait in got):.1f} s after it was published; {len(lost)} lost"
    return picture


def ages(labs: Lab | Mapping[str, Lab]) -> Picture:
    """How old the level on the screen is, over time."""
    labs = {"on screen": labs} if isinstance(labs, Lab) else dict(labs)
    series = {name: ticker.on_screen(lab, lab.now) for name, lab in labs.items()}
    picture = plot.lines(series, "virtual seconds", "age of the number shown, s")
    axes, twin = picture.axes[0], ["age of the number on the screen"]
    for name, points in series.items():
        end, age = points[-1]
        axes.annotate(f"{age:.2g} s old", (end, age), (-6, 5), textcoords="offset points", ha="right", weight="bold")
        axes.set_xlim(0, end * 1.01)
        twin.append(f"{name}: {age:.2g} s old after {end:g} s")
    picture.twin = "\n".join(twin)
    return picture


def readings(labs: Mapping[str, Lab]) -> Picture:
    """A log read twice: the offset that is read, and the mails that have gone out, by how many orders were handled so far."""
    series: dict[str, Any] = {}
    for name, lab in labs.items():
        sent = 0
        points, offsets = [], []
        for row in lab.trace:
            sent += row.kind == "publish"
            if row.kind == "handle" and row.who == "analytics":
                points.append((len(points) + 1, sent))
            elif row.kind == "fetch":
                offsets.append((len(offsets) + 1, row.tag))
        series.setdefault("offset that is read", offsets)
        series[f"mails: {name}"] = points
    picture = plot.lines(series, "orders handled so far", "offset, mails")
    picture.twin = "\n".join(
        f"{name}: at most {max(y for _, y in each):,}, at the end {each[-1][1]:,}" for name, each in series.items()
    )
    return picture


def cube(systems: Sequence[Mapping[str, str]]) -> Picture:
    """Each system at its place on three axes: what a second reader gets, what an ack is of, and whether yesterday comes again."""
    units, readers_get = ("none", "message", "offset"), ("copy", "share")
    canvas, width = Canvas(height=300), 330
    for side, (yesterday, said) in enumerate((("gone", "yesterday is gone"), ("again", "yesterday comes again"))):
        left, top = 140 + side * (width + 70), 44
        canvas.text(left, 20, said, size=10, weight="bold")
        for row, unit in enumerate(units):
            for column, get in enumerate(readers_get):
                here = [
                    each["system"]
                    for each in systems
                    if (each["second reader"], each["yesterday"], each["ack"]) == (get, yesterday, unit)
                ]
                wide = (0.62, 0.38)
                x = left + (wide[0] * width if column else 0)
                box = (x, top + row * 70, x + wide[column] * width - 4, top + row * 70 + 66)
                canvas.box(box, "#dcebf5" if here else "#f6f6f6", PALE)
                for n, name in enumerate(here):
                    at_x, at_y = box[0] + 14, box[1] + 14 + n * 19
                    canvas.glyph("dot" if side == 0 else "square", at_x, at_y, BLUE if side == 0 else GREEN, 7)
                    canvas.text(at_x + 11, at_y, name, size=9)
        for column, get in enumerate(("a copy each", "they share")):
            canvas.text(left + (0.31 + 0.5 * column) * width, top + 3 * 70 + 10, get, GREY, 9, ha="center")
    for row, unit in enumerate(("no ack", "ack: a message", "ack: an offset")):
        canvas.text(130, 44 + row * 70 + 33, unit, GREY, 9, ha="right")
    canvas.text(505, 284, "what a second reader gets", GREY, 9, ha="center")
    return canvas.picture(str(table(systems)))
