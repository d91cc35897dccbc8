"""Pictures of a schema that changes: promises, a rollout, a chain of versions, bytes under two rulers, lag, use, delay."""

import math
from collections.abc import Mapping

from matplotlib.axes import Axes

from edakit import Lab, measure, table
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, CYCLE, DASHES, GREEN, GREY, INK, ORANGE, PALE, PINK, RED, Picture, look, plain
from edakit.table import grid, number
from shop import field_use, pills, replays, rollouts, schemas, translate, wire
from shop.schemas import Schema

WIDTH = 900
SOFT_GREEN, SOFT_RED, SOFT_BLUE = "#cfe9df", "#f6d5c3", "#dcebf5"
GOOD, BAD = ("✓", GREEN, SOFT_GREEN), ("✗", RED, SOFT_RED)


def promises(lab: Lab) -> Picture:
    """Nine changes, a row each: does the new reader read old events, does the old reader read new ones, and what that is called."""
    kept: dict[tuple[str, str], bool] = {}
    for name, said in lab.databases["promises"].data.items():
        change, _, promise = name.partition("/")
        kept[change, promise] = said
    changes = list(dict.fromkeys(change for change, _ in kept))
    title = lab.databases["format"].data["name"]
    canvas = Canvas(WIDTH, 50 + 30 * len(changes))
    names = {(True, True): "FULL", (True, False): "BACKWARD", (False, True): "FORWARD", (False, False): "breaks both"}
    canvas.text(20, 22, title, size=12, weight="bold")
    for column, words in enumerate((schemas.NEW_READS_OLD, schemas.OLD_READS_NEW, "so it is")):
        canvas.text(390 + 190 * column, 22, words, GREY, 10, ha="center")
    for n, change in enumerate(changes):
        y = 55 + 30 * n
        pair = (kept[change, schemas.NEW_READS_OLD], kept[change, schemas.OLD_READS_NEW])
        canvas.text(20, y, change, size=10)
        for column, said in enumerate(pair):
            sign, ink, fill = GOOD if said else BAD
            left = 300 + 190 * column
            canvas.box((left, y - 13, left + 180, y + 13), fill)
            canvas.text(left + 90, y, f"{sign} {'yes' if said else 'no'}", ink, 10, ha="center", weight="bold")
        word = names[pair]
        canvas.text(770, y, word, {"FULL": GREEN, "breaks both": RED}.get(word, INK), 10, ha="center", weight="bold")
    return canvas.picture(f"{title}\n{grid(kept)}")


def sheet(rows: int, height: int) -> tuple[Picture, Axes]:
    """A picture with room for names on the left and a legend above. Call it inside `look()`."""
    total = 96 + rows * height
    picture = Picture(WIDTH, total)
    return picture, picture.add_axes((0.12, 48 / total, 0.855, rows * height / total))


def bands(lab: Lab) -> Picture:
    """A rollout, a lane for each instance: light before its upgrade, dark after it; each order that nobody could read is a red stroke in
    the lane of its reader.
    """
    upgrade = lab.databases["upgrades"].data
    bad = [(row.who, row.time) for row in lab.trace.where("log") if row.note.startswith("unreadable")]
    names, orders = list(upgrade), len(lab.trace.where("append"))
    with look():
        picture, axes = sheet(len(names), 30)
        for n, (name, time) in enumerate(upgrade.items()):
            y = n + (0.35 if name in rollouts.CONSUMERS else 0)
            axes.barh(y, time, 0.7, color=SOFT_BLUE)
            axes.barh(y, 100 - time, 0.7, left=time, color=BLUE, alpha=0.55)
            axes.text(1, y, "v1", va="center", color=INK, fontsize=9)
            axes.text(99, y, "v2", va="center", ha="right", color="white", weight="bold", fontsize=9)
            times = [when for who, when in bad if who == name]
            axes.vlines(times, y - 0.42, y + 0.42, color=RED, linewidth=1.1)
        axes.set_yticks([n + (0.35 if name in rollouts.CONSUMERS else 0) for n, name in enumerate(names)], names)
        axes.set_ylim(len(names) - 0.1, -0.55)
        axes.set_xlim(0, 100)
        axes.grid(visible=False)
        axes.set_xlabel("virtual seconds")
        axes.barh([-9], [0], color=SOFT_BLUE, label="version 1")
        axes.barh([-9], [0], color=BLUE, alpha=0.55, label="version 2")
        axes.plot([], [], color=RED, linewidth=2, label="an order it cannot read")
        axes.legend(loc="lower right", bbox_to_anchor=(1.01, 0.99), ncols=3)
        axes.set_title(f"{len(bad):,} of {orders:,} orders unreadable", pad=10, weight="bold", color=RED if bad else GREEN)
    rows = [
        {"instance": name, "v2 from": time, "unreadable": sum(who == name for who, _ in bad)} for name, time in upgrade.items()
    ]
    picture.twin = f"{len(bad):,} of {orders:,} orders unreadable\n{table(rows)}"
    return picture


def fields(schema: Schema) -> list[str]:
    """The fields of a version but the order, a line each."""
    lines = []
    for each in schema["fields"]:
        default = f" = {each['default']!r}" if "default" in each else ""
        lines.append(f"{each['name']}: {each['type']}{default}")
    return lines[1:]


def chain(lab: Lab) -> Picture:
    """The versions that the registry took, each fitting its neighbour; an arc from the last one back to each version that still lies in
    the log, red where it cannot read it.
    """
    kept = lab.databases["registry"].data
    versions, bad = kept["versions"], replays.unreadable(lab)
    last, width = len(versions), min(250, 860 / len(versions))
    canvas = Canvas(WIDTH, 286)
    top, bottom = 130, 224
    middle = [24 + width * (n + 0.5) for n in range(last)]
    half = width / 2 - 12
    for n, schema in enumerate(versions, 1):
        x, gone = middle[n - 1], n <= last - kept["kept"]
        ink = GREY if gone else INK
        canvas.box((x - half, top, x + half, bottom), "white" if gone else SOFT_BLUE, PALE if gone else INK, width=1.2)
        canvas.text(x, top + 16, f"v{n}" + (" (left the log)" if gone else ""), ink, 10, "center", weight="bold")
        for line, words in enumerate(fields(schema) or ["(no other field)"]):
            canvas.text(x, top + 38 + 18 * line, words, ink, 10, "center")
        if n > 1:
            canvas.line([(middle[n - 2] + half, 177), (x - half, 177)], GREEN, 4)
        if n < last and not gone:
            wrong, height = n in bad, 30 + 62 * (last - n) / max(1, last - 1)
            path = arc(middle[last - 1], x, top, height)
            canvas.line(path, RED if wrong else GREEN, 3 if wrong else 1.2, "solid" if wrong else DASHES[1])
    names = ", ".join(f"v{n}" for n in bad)
    found = f"v{last} cannot read {names}" if bad else f"v{last} reads all that lies in the log"
    canvas.text(24, 18, found, RED if bad else GREEN, 12, weight="bold", most=90)
    refused = f"refused: {len(kept['refused'])}" + (f" ({kept['refused'][-1]})" if kept["refused"] else "")
    canvas.text(24, 260, refused, INK if kept["refused"] else GREY, 9, most=130)
    canvas.text(WIDTH - 24, 260, "green link: the neighbours fit", GREEN, 9, "right")
    rows = [
        {"version": f"v{n}", "fields": ", ".join(fields(each)) or "-", "last version reads it": n not in bad}
        for n, each in enumerate(versions, 1)
    ]
    return canvas.picture(f"{found}\n{table(rows)}\n{refused}")


def arc(start: float, end: float, y: float, height: float) -> list[tuple[float, float]]:
    """Half an ellipse from one point to another, above them."""
    turns = [math.pi * n / 24 for n in range(25)]
    return [((start + end) / 2 + (start - end) / 2 * math.cos(turn), y - height * math.sin(turn)) for turn in turns]


def rulers(data: bytes, readers: Mapping[str, Schema]) -> Picture:
    """The bytes of an order as boxes, and under them what each reader takes them for."""
    canvas = Canvas(WIDTH, 74 + 58 * len(readers))
    left, step = 190, 38
    colors = {"order": GREY, "total": BLUE, "tax": ORANGE, "schema_version": PINK}
    canvas.text(20, 38, "on the wire", size=10, weight="bold")
    for n, byte in enumerate(data):
        canvas.box((left + step * n, 22, left + step * n + step - 3, 54), "#f2f2f2", GREY)
        canvas.text(left + step * n + (step - 3) / 2, 38, f"{byte:02x}", size=9, ha="center")
    twin = [f"on the wire: {data.hex(' ')}"]
    for row, (name, schema) in enumerate(readers.items()):
        y, right = 84 + 58 * row, wire.read(data, schema) == wire.VALUE
        sign, ink, _ = GOOD if right else BAD
        canvas.text(20, y, f"{sign} {name}", ink, 10, weight="bold", most=30)
        for piece in wire.ruler(data, schema):
            a, b = left + step * piece.start, left + step * piece.end - 3
            canvas.box((a, y - 15, b, y + 15), colors[piece.name], width=0)
            words = f"{piece.name} {piece.value}"
            if piece.end - piece.start > 1:
                canvas.text((a + b) / 2, y, words, "white", 11, "center", weight="bold")
            else:
                canvas.text((a + b) / 2, y, piece.value, "white", 10, "center", weight="bold")
                words, at = piece.name, (a + b) / 2
                canvas.text(
                    at if piece.start == 0 else b, y + 24, words, colors[piece.name], 8, "center" if piece.start == 0 else "right"
                )
        twin.append(f"{name}: {', '.join(f'{piece.name} {piece.value}' for piece in wire.ruler(data, schema))}")
    return canvas.picture("\n".join(twin))


def lags(labs: Lab | Mapping[str, Lab]) -> Picture:
    """Orders that billing has not done, over time; a line for each rule."""
    labs = {"billing": labs} if isinstance(labs, Lab) else dict(labs)
    rows = []
    with look():
        picture, axes = plain(height=290)
        for n, (name, lab) in enumerate(labs.items()):
            series = measure.lag(lab.trace, "billing")["orders/0"]
            errors, left = len(lab.trace.where("fail")), pills.behind(lab)
            axes.step([time for time, _ in series], [depth for _, depth in series], where="post", linewidth=2,
                      color=RED if errors else (BLUE, GREEN)[n % 2], linestyle=DASHES[n],
                      label=f"{name}: {errors:,} errors, {left:,} behind")  # fmt: skip
            rows.append({"rule": name, "errors": errors, "behind": left})
        hello = next(
            row.time
            for row in next(iter(labs.values())).trace.where("append")
            if row.event and row.event.data["bytes"] == b"hello".hex()
        )
        axes.axvline(hello, color=INK, linewidth=1, linestyle=DASHES[2])
        axes.set_xlim(0, 60)
        top = max(20.0, *axes.get_ylim())
        axes.set_ylim(0, top)
        axes.text(hello + 0.5, top * 0.9, "hello", color=INK, fontsize=10, weight="bold")
        axes.set_xlabel("virtual seconds")
        axes.set_ylabel("orders behind")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    picture.twin = f"hello at {number(round(hello, 1))} s\n{table(rows)}"
    return picture


def use_map(lab: Lab) -> Picture:
    """Which service read which field, and how often; a row without a mark looks as if it could go."""
    found, idle = field_use.readers_of(lab), field_use.idle(lab)
    canvas = Canvas(WIDTH, 60 + 36 * len(field_use.FIELDS))
    title = f"reads in {number(round(lab.now / 3600))} h"
    canvas.text(20, 22, title, size=11, weight="bold")
    for column, service in enumerate(field_use.READERS):
        canvas.text(260 + 170 * column, 22, service, GREY, 10, "center")
    for n, name in enumerate(field_use.FIELDS):
        y = 58 + 36 * n
        canvas.box((14, y - 16, WIDTH - 14, y + 16), SOFT_RED if name in idle else "#f6f6f6")
        canvas.text(24, y, name, INK, 11, weight="bold")
        for column, service in enumerate(field_use.READERS):
            count, x = found[name, service], 260 + 170 * column
            if count:
                canvas.box((x - 55, y - 12, x + 55, y + 12), BLUE)
            canvas.text(
                x,
                y,
                f"{count:,}" if count else "-",
                "white" if count else GREY,
                10,
                "center",
                weight="bold" if count else "normal",
            )
        canvas.text(870, y, "nobody" if name in idle else "in use", RED if name in idle else GREEN, 10, "right", weight="bold")
    return canvas.picture(f"{title}\n{grid(found)}\nread by nobody: {', '.join(idle) or 'none'}")


def delays(labs: Lab | Mapping[str, Lab]) -> Picture:
    """For each order, how late billing had it, by when it was placed; hatched while the translator is down."""
    labs = {"billing": labs} if isinstance(labs, Lab) else dict(labs)
    rows = []
    with look():
        picture, axes = plain(height=290)
        top = 60.0
        for n, (name, lab) in enumerate(labs.items()):
            found, row = translate.delays(lab), translate.row(lab)
            placed, waited = zip(*found, strict=True)
            label = f"{name}: {row['late']:,.0f} of {row['orders']:,.0f} orders late"
            axes.plot(placed, waited, color=CYCLE[n], linestyle=DASHES[n], linewidth=2.2, label=label)
            top = max(top, *(late for _, late in found))
            rows.append(
                {
                    "where": name,
                    "orders": row["orders"],
                    "late": row["late"],
                    "longest s": round(max(late for _, late in found), 3),
                }
            )
            died, back = lab.trace.where("crash"), lab.trace.where("restart")
            if died:
                end = back[0].time if back else translate.SECONDS
                axes.axvspan(died[0].time, end, facecolor="#fbe9e0", hatch="///", edgecolor="#e9b796", linewidth=0, zorder=0)
        axes.set_xlim(0, translate.SECONDS)
        axes.set_ylim(-0.02 * top, 1.1 * top)
        axes.set_xlabel("placed at, virtual seconds; hatched: the translator is down")
        axes.set_ylabel("seconds until billing has it")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    picture.twin = f"orders more than a second late at billing\n{table(rows)}"
    return picture


def whiteboard() -> Picture:
    """What to draw in an interview: old and new writers, old and new readers, who reads whom; and the log, which never upgrades."""
    canvas = Canvas(WIDTH, 330)
    boxes = {
        "old writer": (40, 40, SOFT_BLUE),
        "the log": (40, 140, "#fbe9e0"),
        "new writer": (40, 240, "#a9cbe3"),
        "old reader": (710, 40, SOFT_BLUE),
        "new reader": (710, 240, "#a9cbe3"),
    }
    for name, (left, top, fill) in boxes.items():
        canvas.box((left, top, left + 150, top + 54), fill, RED if name == "the log" else INK, width=1.4)
        canvas.text(left + 75, top + (20 if name == "the log" else 27), name, size=11, ha="center", weight="bold")
    canvas.text(115, 180, "never upgraded", RED, 9, "center")
    canvas.arrow((192, 52), (708, 52), GREY, 1.2)
    canvas.arrow((192, 282), (708, 282), GREY, 1.2)
    canvas.arrow((192, 76), (708, 244), GREEN, 2.4)
    canvas.arrow((192, 168), (708, 262), RED, 2.4, DASHES[2])
    canvas.arrow((192, 254), (708, 80), ORANGE, 2.4, DASHES[1])
    canvas.text(218, 78, "BACKWARD: readers deploy first", GREEN, 9, weight="bold", turn=-18)
    canvas.text(460, 230, "BACKWARD_TRANSITIVE: replay", RED, 9, weight="bold", turn=-10.3)
    canvas.text(484, 146, "FORWARD: writers deploy first", ORANGE, 9, weight="bold", turn=18.6)
    canvas.text(450, 20, "in each event: schema id, then data", GREY, 9, "center")
    canvas.text(450, 314, "a rename: expand, migrate, contract", GREY, 9, "center")
    return canvas.picture(
        "old writer -> new reader: BACKWARD, readers deploy first; new writer -> old reader: FORWARD, writers deploy first;\n"
        "the log, an old writer that is never upgraded -> new reader: BACKWARD_TRANSITIVE; a rename: expand, migrate, contract"
    )
