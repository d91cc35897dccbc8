"""Pictures of order lost and kept. A ring or a frame in red: this one comes after something that should come after it."""

import math
from collections.abc import Mapping
from typing import Any

from edakit import Lab, measure, table
from edakit.evidence import Sweep
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, CYCLE, GREEN, GREY, INK, MARKERS, ORANGE, PALE, PINK, RED, Picture, look, plain
from shop import clerk, gaps, turn_writers, turns, versions

TINTS = {1: "#cfe4f3", 2: "#6fb1de", 3: "#0b5c94"}  # placed, paid, confirmed: the later the darker
TEXT = {1: INK, 2: INK, 3: "white"}
WORDS = {1: "1 placed", 2: "2 paid", 3: "3 confirmed"}


def ring(canvas: Canvas, x: float, y: float, radius: float) -> None:
    """The mark of something out of turn."""
    points = [(x + radius * math.cos(n * math.pi / 16), y + radius * math.sin(n * math.pi / 16)) for n in range(33)]
    canvas.line(points, RED, 2.4, layer=8)


def crossing(lab: Lab) -> Picture:
    """One order: three events leave in turn, workers need different times, and the ends cross."""
    workers = sorted(name for name, each in lab.instances.items() if each.service.name == "analytics")
    bottom = 92 + 34 * len(workers)
    canvas = Canvas(height=bottom + 62)
    ends = [row for row in lab.trace.where("log", who="analytics") if row.event]
    begun = {row.event.id: row for row in lab.trace.where("deliver") if row.event}
    last, first = ends[-1].time, min(row.event.time for row in ends if row.event) - 0.005

    def across(time: float) -> float:
        return 150 + 700 * (time - first) / (last - first)

    lanes = {"web tells": 44, **{name: 92 + 34 * n for n, name in enumerate(workers)}, "analytics hears": bottom + 14}
    for name, y in lanes.items():
        canvas.text(132, y, name, size=9, ha="right", weight="bold" if " " in name else "normal")
        canvas.line([(140, y), (874, y)], PALE, 1)
    highest, said = 0, list[int]()
    for row in ends:
        assert row.event is not None
        version, start, lane = row.event.data["version"], begun[row.event.id], lanes[row.who]
        told, taken, done = across(row.event.time), across(start.time), across(row.time)
        canvas.glyph("dot", told, 44, BLUE, 9)
        canvas.text(told, 26, WORDS[version], size=8.5, ha="center")
        canvas.arrow((told, 50), (taken, lane - 11), GREY)
        canvas.box((taken, lane - 10, max(done, taken + 14), lane + 10), TINTS[version], INK, layer=4)
        canvas.text(taken + 4, lane, version, TEXT[version], 9)
        canvas.arrow((done, lane + 10), (done, bottom + 4), GREY, dash=(0, (3, 2)), size=5)
        canvas.glyph("dot", done, bottom + 14, BLUE, 9)
        canvas.text(done, bottom + 33, WORDS[version], size=8.5, ha="center")
        if version < highest:
            ring(canvas, done, bottom + 14, 11)
            canvas.text(done + 15, bottom + 14, "inversion", RED, 9, weight="bold", ground="white")
        highest = max(highest, version)
        said.append(version)
    return canvas.picture(f"told: {', '.join(map(str, sorted(said)))}; heard: {', '.join(map(str, said))}")


def columns(lab: Lab) -> Picture:
    """Each order as a column, read downwards: the versions as analytics heard them. Red frames are out of turn."""
    heard = turns.heard(lab)
    most = max(map(len, heard.values()))
    across = min(25, len(heard))
    rows = math.ceil(len(heard) / across)
    size, pitch = min(34.0, 864 / across), 20
    high = most * pitch + 26
    canvas, wrong = Canvas(height=34 + rows * high), 0
    for n, (_order, told) in enumerate(sorted(heard.items())):
        left, top = 18 + size * (n % across), 42 + high * (n // across)
        for k, version in enumerate(told):
            box = (left + 2, top + k * pitch, left + size - 2, top + (k + 1) * pitch - 2)
            canvas.box(box, TINTS[version], layer=3)
            canvas.text(left + size / 2, top + (k + 0.45) * pitch, version, TEXT[version], 8, ha="center")
        if not turns.in_turn(told):
            wrong += 1
            canvas.box((left, top - 3, left + size, top + len(told) * pitch + 1), "none", RED, width=2.4, layer=5)
            canvas.glyph("up", left + size / 2, top - 9, RED, 4)
    said = f"{wrong} of {len(heard)} orders out of turn"
    canvas.text(18, 18, said, RED if wrong else GREEN, 11, weight="bold")
    canvas.text(882, 18, "1 placed, 2 paid, 3 confirmed; read downwards, as heard", GREY, 8.5, ha="right", most=80)
    return canvas.picture(said)


LEAKS = {  # where on the path each door is, in pixels, and its name in two lines
    "producer-retry": (130, ("producer", "retry")),
    "two-regions": (222, ("two", "regions")),
    "no-key": (352, ("no key", "")),
    "new-partition": (444, ("new", "partition")),
    "competing-consumers": (560, ("competing", "consumers")),
    "thread-pool": (656, ("pool after", "the poll")),
    "redelivery": (746, ("redelivery", "")),
    "retry-topic": (832, ("retry", "topic")),
}


def leaks(found: Mapping[str, Sweep]) -> Picture:
    """The path from the web shop to analytics as a pipe: each door as wide as the share of orders that it puts out of turn."""
    canvas, rows = Canvas(height=262), []
    canvas.box((40, 60, 880, 104), "#dcebf6", BLUE, width=1.5)
    for x, name in ((40, "web writes"), (300, "the topic keeps"), (505, "analytics reads")):
        canvas.text(x + 10, 42, name, size=10, weight="bold")
        canvas.line([(x, 54), (x, 110)], BLUE, 2, layer=4)
    canvas.arrow((60, 82), (870, 82), BLUE, 2, size=10)
    for name, (x, words) in LEAKS.items():
        spread = measure.spread(found[name].column("% out of turn"))
        half = max(1.5, 1.5 * spread.mean)
        canvas.shape([(x - half, 104), (x + half, 104), (x + half, 176), (x, 186), (x - half, 176)], RED, layer=5)
        canvas.text(x, 202, f"{spread.mean:.1f} %", RED, 11, ha="center", weight="bold")
        for k, word in enumerate(words):
            canvas.text(x, 222 + 14 * k, word, size=9, ha="center")
        rows.append({"door": name, "mean % out of turn": round(spread.mean, 1)})
    shut = measure.spread(found["all-shut"].column("% out of turn"))
    canvas.text(880, 42, f"all shut: {shut}", GREEN, 10, ha="right", weight="bold")
    return canvas.picture(str(table(rows)))


def batches(lab: Lab) -> Picture:
    """The partition as a row of numbered batches, from where the first late one belongs; late ones stand above the row."""
    order, late = turn_writers.written(lab), turn_writers.late(lab)
    first = next((n for n, number in enumerate(order) if late and number > late[0]), 3)
    first = max(0, min(first - 3, len(order) - 36))
    canvas, size, top = Canvas(height=176), 24, 112
    spots = {number: 18 + size * n for n, number in enumerate(order[first : first + 36])}
    for number, x in spots.items():
        away = number in late
        y = top - 34 if away else top
        canvas.box((x + 1, y, x + size - 1, y + 24), RED if away else TINTS[1], INK if away else "none", layer=4)
        canvas.text(x + size / 2, y + 12, number, "white" if away else INK, 8, ha="center", weight="bold" if away else "normal")
        home = min((other for other, there in spots.items() if other > number and there < x), default=None)
        if away and home is not None:
            start, end = (x + size / 2, y), (spots[home], top)
            arc = [
                (
                    start[0] + (end[0] - start[0]) * t / 20,
                    start[1] + (end[1] - start[1]) * t / 20 - 42 * math.sin(math.pi * t / 20),
                )
                for t in range(20)
            ]
            canvas.line(arc, RED, 1.6, dash=(0, (4, 2)), layer=5)
            canvas.arrow(arc[-1], end, RED, 1.6, size=7, layer=6)
            canvas.line([(end[0], top), (end[0], top + 26)], RED, 2, layer=6)
    said = f"{len(late)} of {len(order)} batches late"
    canvas.text(18, 18, said, RED if late else GREEN, 11, weight="bold")
    canvas.text(18, top + 42, f"offset {first}", GREY, 8)
    canvas.text(18 + size * len(spots), top + 42, f"offset {first + len(spots) - 1}", GREY, 8, ha="right")
    return canvas.picture(said)


def growth(lab: Lab) -> Picture:
    """What waits in each partition, over time, and one order that is told across two of them."""
    trace = lab.trace
    series, opened = measure.lag(trace, turn_writers.GROUP), trace.where("grow")[0].time
    ends = {row.note: row.time for row in trace.where("log", who="analytics")}
    wrong = turns.out_of_turn(lab)
    most = max(10, *(depth for each in series.values() for _, depth in each))
    end = max(ends.values()) * 1.02
    with look():
        picture, axes = plain(height=330)
        for n in range(4):
            points = series.get(f"orders/{n}", [])
            times, depths = [opened if n == 3 else 0, *(t for t, _ in points), end], [0, *(d for _, d in points), 0]
            axes.fill_between(times, [n] * len(times), [n - 0.8 * d / most for d in depths], step="post", color=PALE, linewidth=0)
            axes.plot([opened if n == 3 else 0, end], [n, n], color=GREY, linewidth=1)
        axes.axvline(opened, color=INK, linewidth=1.6, dashes=(5, 3))
        axes.annotate("the fourth opens ", (opened, -0.92), ha="right", fontsize=9)
        chosen = max(wrong, key=lambda order: _overtaken(order, ends), default=None)
        if chosen is not None:
            _story(axes, trace, chosen, ends)
        axes.set_yticks(range(4), ["0", "1", "2", "3"])
        axes.set_ylabel("partition")
        axes.set_ylim(3.45, -1.05)
        axes.set_xlim(0, opened + 5)
        axes.set_xlabel("virtual seconds; grey: events that wait")
        axes.grid(visible=False)
        said = f"{len(wrong)} of {len(turns.heard(lab))} orders out of turn"
        axes.set_title(said + (f"; this is order {chosen}" if wrong else ""), color=RED if wrong else GREEN, weight="bold")
    picture.twin = said
    return picture


def _overtaken(order: int, ends: Mapping[str, float]) -> float:
    """How many seconds one version of an order was heard after a higher one, at most."""
    times = [ends[f"order {order} version {version}"] for version in (1, 2, 3)]
    return max(times[0] - min(times[1:]), times[1] - times[2])


def _story(axes: Any, trace: Any, order: int, ends: Mapping[str, float]) -> None:
    """The events of an order: written at the dot, heard at the number; a ring around what is heard too late."""
    heard = []
    for row in trace.where("append", key=str(order)):
        version, lane = row.event.data["version"], int(row.place.rpartition("/")[2])
        done = ends[f"order {order} version {version}"]
        axes.plot([row.time, done], [lane - 0.12 * version] * 2, color=BLUE, linewidth=2.4, solid_capstyle="butt")
        axes.scatter([row.time], [lane - 0.12 * version], s=26, color=BLUE, zorder=4)
        heard.append((done, lane - 0.12 * version, version))
    highest = 0
    for done, y, version in sorted(heard):
        late = version < highest
        axes.scatter([done], [y], s=190, color="white", edgecolor=RED if late else BLUE, linewidth=2.6 if late else 1.4, zorder=5)
        axes.annotate(WORDS[version][0], (done, y), ha="center", va="center", fontsize=9, weight="bold", zorder=6)
        if late:
            axes.annotate("inversion", (done, y), (12, 0), textcoords="offset points", va="center", color=RED, weight="bold")
        highest = max(highest, version)


def clouds(found: Mapping[str, Sweep]) -> Picture:
    """Each run as a dot: how long it took, and how many orders it put out of turn. The good corner is below, to the left."""
    with look():
        picture, axes = plain(height=300)
        for n, (name, sweep) in enumerate(found.items()):
            xs, ys = sweep.column("s"), sweep.column("% out of turn")
            axes.scatter(xs, ys, s=16, color=CYCLE[n], marker=MARKERS[n], alpha=0.35, linewidth=0)
            middle = measure.spread(xs).mean, measure.spread(ys).mean
            axes.scatter(*middle, s=90, color=CYCLE[n], marker=MARKERS[n], edgecolor=INK)
            axes.annotate(name, middle, (12, 10), textcoords="offset points", fontsize=11, weight="bold")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=-1.5)
        axes.set_xlabel("virtual seconds until all is done")
        axes.set_ylabel("% of orders out of turn")
    rows = [{"": name, **{figure: measure.spread(each.column(figure)) for figure in each[0]}} for name, each in found.items()]
    picture.twin = str(table(rows))
    return picture


def defences(found: Mapping[str, Sweep], *whats: str) -> Picture:
    """Orders wrong at the end, in per cent, for each fault and each defence: what was told as states, what was told as steps."""
    names, rows = list(versions.DEFENCES), []
    wide = 440 * len(whats) + 20
    canvas = Canvas(width=wide, height=236)
    for k, what in enumerate(whats):
        left = 110 + 440 * k
        canvas.text(left, 18, f"{what}: % of orders wrong", size=10, weight="bold")
        for n, name in enumerate(names):
            canvas.text(
                left + 105 * n + 52,
                42,
                {"none": "no defence", "ids": "drop seen ids", "version": "highest version"}[name],
                size=9,
                ha="center",
            )
        for m, (fault, sweep) in enumerate(found.items()):
            canvas.text(left - 8, 84 + 60 * m, fault, size=9, ha="right")
            row = {"told as": what, "fault": fault}
            for n, name in enumerate(names):
                spread = measure.spread(sweep.column(f"{what}, {name}"))
                shade = min(1.0, spread.mean / 18)
                fill = "#" + "".join(f"{round(255 + (dark - 255) * shade):02x}" for dark in (0xB3, 0x3A, 0x00))
                box = (left + 105 * n, 56 + 60 * m, left + 105 * n + 102, 113 + 60 * m)
                canvas.box(box, fill if spread.mean else "#e3f3ec", GREY)
                ink = "white" if shade > 0.85 else INK
                canvas.text(
                    box[0] + 51, 78 + 60 * m, f"{spread.mean:.1f}" if spread.mean else "0", ink, 13, ha="center", weight="bold"
                )
                canvas.text(box[0] + 51, 100 + 60 * m, f"[{spread.low:.0f}-{spread.high:.0f}]", ink, 8, ha="center")
                row[name] = str(spread)
            rows.append(row)
    return canvas.picture(str(table(rows)))


def by_clock(lab: Lab) -> Picture:
    """For each order the time its events were written at by the clocks of the servers; dots that go back are taken for old."""
    wrong, found = versions.wrong_states(lab, "clock"), dict[str, list[tuple[float, int]]]()
    for event in sorted(lab.trace.events(), key=lambda event: event.data["version"]):
        found.setdefault(str(event.key), []).append((event.data["clock"], event.data["version"]))
    canvas = Canvas(height=56 + 9 * len(found))
    clocks = [clock for each in found.values() for clock, _ in each]
    low, high = min(clocks), max(clocks)

    def across(clock: float) -> float:
        return 30 + 840 * (clock - low) / (high - low or 1)

    for n, (key, each) in enumerate(found.items()):
        y = 44 + 9 * n
        bad = key in wrong
        canvas.line([(across(clock), y) for clock, _ in each], RED if bad else PALE, 2 if bad else 1, layer=3 if bad else 1)
        for clock, version in each:
            canvas.glyph("dot", across(clock), y, TINTS[version], 5.5)
        if bad:
            ring(canvas, across(each[-1][0]), y, 5.5)
    said = f"{len(wrong)} of {len(found)} orders wrong by the clock, {len(versions.wrong_states(lab, 'version'))} by the version"
    canvas.text(18, 18, said, RED if wrong else GREEN, 11, weight="bold", most=90)
    canvas.text(
        882, 18, "a row: an order; a dot: a change, the later the darker; across: its clock", GREY, 8, ha="right", most=90
    )
    return canvas.picture(said)


def holes(labs: Mapping[str, Lab]) -> Picture:
    """Two orders under each policy: of one the second step is lost, of the other the last."""
    lab = next(iter(labs.values()))
    heard = gaps.heard(lab)
    middle = next(order for order, steps in heard.items() if steps == {1, 3})
    tail = next(order for order, steps in heard.items() if steps == {1, 2})
    canvas, rows = Canvas(height=64 + 52 * len(labs)), []
    for x, words in ((190, f"order {middle}: a hole in the middle"), (560, f"order {tail}: a hole at the end")):
        canvas.text(x, 24, words, size=10, weight="bold")
    for n, (name, each) in enumerate(labs.items()):
        y, applied = 64 + 52 * n, gaps.versions(each)
        canvas.text(172, y, name, size=10, ha="right", weight="bold")
        row = {"": name}
        for x, order in ((190, middle), (560, tail)):
            for version in (1, 2, 3):
                left = x + 44 * (version - 1)
                box, known = (left, y - 17, left + 40, y + 17), version in applied[order]
                if known:
                    canvas.box(box, TINTS[1] if version in heard[order] else "#bfe3d5", INK)
                elif version in heard[order]:
                    canvas.box(box, "#fbe3b5", ORANGE, "///", 1.5)
                else:
                    corners: list[tuple[float, float]] = [
                        (box[0], box[1]),
                        (box[2], box[1]),
                        (box[2], box[3]),
                        (box[0], box[3]),
                        (box[0], box[1]),
                    ]
                    canvas.line(corners, RED, 1.6, dash=(0, (3, 2)))
                canvas.text(
                    left + 20, y, version if version in heard[order] or known else "?", RED if not known else INK, 11, ha="center"
                )
            words = _said(each, order)
            canvas.text(x + 142, y, words, RED if words.startswith(("stuck", "a step", "wrong")) else GREEN, 10, most=60)
            row["middle" if order == middle else "end"] = words
        rows.append(row)
    return canvas.picture(str(table(rows)))


def _said(lab: Lab, order: int) -> str:
    """How an order stands in the end."""
    applied, heard = gaps.versions(lab)[order], gaps.heard(lab)[order]
    if max(heard) > max(applied):
        return "stuck, and it shows"
    if len(applied) == 3:
        return "whole" if len(heard) == 3 else "asked for"
    return "a step never seen" if max(applied) == 3 else "wrong, and content"


FATES = {  # what became of an order: colour, marker
    "whole": ("#a9d8c6", "s"),
    "whole, asked for what was lost": (GREEN, "D"),
    "whole, asked for what was only late": (ORANGE, "v"),
    "stuck behind a gap": (BLUE, "P"),
    "a step never seen": (PINK, "d"),
    "quietly wrong": (RED, "X"),
}


def fates(lab: Lab) -> Picture:
    """Each order as a mark: pale squares are whole and needed no help."""
    groups: dict[str, list[int]] = {name: [] for name in FATES}
    found = gaps.fates(lab)
    for n, fate in enumerate(found.values()):
        groups[fate].append(n)
    across = 25
    with look():
        picture = Picture(900, 190)
        axes = picture.add_axes((0.01, 0.3, 0.98, 0.66))
        axes.set_axis_off()
        for name, spots in groups.items():
            color, marker = FATES[name]
            xs, ys = [n % across for n in spots], [n // across for n in spots]
            label = f"{name}: {len(spots)}"
            axes.scatter(xs, ys, s=110 if name == "whole" else 170, c=color, marker=marker, linewidth=0, label=label)
        axes.set_xlim(-0.7, across - 0.3)
        axes.set_ylim(math.ceil(len(found) / across) - 0.4, -0.6)
        picture.legend(loc="lower center", ncols=3, markerscale=0.6)
    picture.twin = str(table({name: len(spots) for name, spots in groups.items() if spots}))
    return picture


def strips(labs: Mapping[str, Lab]) -> Picture:
    """Lanes over time: the darker, the longer an event that came then waited for its number."""
    bins, end = 20, 10.0
    with look():
        picture, rows = Picture(900, 280), []
        for n, (name, lab) in enumerate(labs.items()):
            waits = clerk.waits(lab)
            lanes = sorted(waits, key=lambda place: int(place.rpartition("/")[2]))
            image = [[0.0] * bins for _ in lanes]
            for y, lane in enumerate(lanes):
                for came, wait in waits[lane]:
                    x = min(bins - 1, int(came / end * bins))
                    image[y][x] = max(image[y][x], wait)
            axes = picture.add_axes((0.06 + 0.475 * n, 0.17, 0.42, 0.68))
            axes.imshow(
                image, aspect="auto", cmap="Greys", vmin=0, vmax=5, extent=(0, end, len(lanes), 0), interpolation="nearest"
            )
            late = clerk.figures(lab)["% over 1 s"]
            axes.set_title(f"{name}: {late:.1f} % of events wait over 1 s", weight="bold")
            axes.set_xlabel("event came at (virtual seconds); black: it waited 5 s")
            axes.set_ylabel("lane")
            axes.set_yticks(range(len(lanes)), [])
            axes.grid(visible=False)
            axes.hlines(range(1, len(lanes)), 0, end, color=PALE, linewidth=0.8)
            axes.tick_params(length=0)
            for edge in ("top", "right"):
                axes.spines[edge].set_visible(True)
            rows.append({"": name, "lanes": len(lanes), "% over 1 s": round(late, 1)})
    picture.twin = str(table(rows))
    return picture


def queueing(lab: Lab) -> Picture:
    """How long each event waited for its number, by when it came."""
    waits = {int(place.rpartition("/")[2]): each for place, each in clerk.waits(lab).items()}
    figures = clerk.figures(lab)
    with look():
        picture, axes = plain(height=240)
        for lane, each in sorted(waits.items()):
            xs, ys = zip(*each, strict=True)
            axes.scatter(xs, [1000 * y for y in ys], s=7, color=CYCLE[lane % 6], marker=MARKERS[lane % 6], linewidth=0)
        axes.axhline(1000 * clerk.STAMP, color=GREY, linewidth=1)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("event came at (virtual seconds); grey line: the 10 ms of the number itself")
        axes.set_ylabel("ms until it has a number")
        lanes = f"{len(waits)} lane{'s' if len(waits) > 1 else ''}"
        said = f"{lanes}: {figures['numbers/s']:.0f} numbers a second, p99 {figures['p99 ms']:,.0f} ms"
        axes.set_title(said, weight="bold")
    picture.twin = said
    return picture
