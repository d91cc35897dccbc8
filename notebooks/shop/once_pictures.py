"""Pictures of effects that happen once, twice or never. A full square is one effect too many, a cross is one that is missing."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from edakit import Lab, measure, plot, table
from edakit.evidence import Sweep
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, RED, SKY, Picture, look, plain
from shop import deposits, fence, flags, ledger, memory, tally

CALM, SAND, ROSE = "#cfe8dd", "#fdf1d8", "#fbe3d6"


def signed(number: float) -> str:
    """+9, -9 or 0."""
    return f"{number:+,.0f}" if number else "0"


def by_name(labs: Lab | Mapping[str, Lab], knob: str) -> dict[str, Lab]:
    """Labs by name; a single one is called what this knob of its scenario says."""
    return {str(labs.recipe[3].get(knob, "")): labs} if isinstance(labs, Lab) else dict(labs)


def books(labs: Lab | Mapping[str, Lab]) -> Picture:
    """The ledger, a place for each order; one sheet for each lab."""
    return orders({name: list(ledger.charges(lab).values()) for name, lab in by_name(labs, "way").items()})


def kafka(lab: Lab) -> Picture:
    """The effects of each order, of a run of `fence.once`."""
    return orders(
        {
            f"{len(lab.trace.where('crash'))} crashes, {len(lab.trace.where('drop'))} answers lost": list(
                fence.counts(lab).values()
            )
        }
    )


def orders(found: Mapping[str, list[int]]) -> Picture:
    """How many effects each order has had; one sheet for each name."""
    most, wide, rows = max(map(len, found.values())), 900 // len(found), []
    across = 25 if most <= 100 else 40 if len(found) > 1 else 100
    deep = -(-max(map(len, found.values())) // across)
    pitch = min(20.0, (wide - 36) / across)
    canvas = Canvas(height=round(88 + deep * pitch))
    for n, (name, counts) in enumerate(found.items()):
        left, off = 18 + n * wide, sum(counts) - len(counts)
        canvas.text(left, 16, name, size=10, weight="bold")
        canvas.text(left, 38, f"off by {signed(off)}", RED if off else GREEN, 12, weight="bold")
        for k, count in enumerate(counts):
            x, y, half = left + (k % across + 0.5) * pitch, 58 + (k // across + 0.5) * pitch, pitch / 2
            if count == 1:
                canvas.box((x - half + 0.6, y - half + 0.6, x + half - 0.6, y + half - 0.6), CALM, layer=2)
            elif count:
                canvas.box((x - half - 1.5, y - half - 1.5, x + half + 1.5, y + half + 1.5), RED, "white", width=0.5, layer=4)
            else:
                canvas.glyph("cross", x, y, INK, half + 2.5)
        rows.append(
            {"": name, "charged again": sum(c - 1 for c in counts if c > 1), "not charged": counts.count(0), "off by": off}
        )
    foot = 74 + deep * pitch
    canvas.box((18, foot - 5, 28, foot + 5), RED)
    canvas.text(36, foot, "charged again", GREY, 8.5)
    canvas.glyph("cross", 150, foot, INK, 6)
    canvas.text(162, foot, "not charged", GREY, 8.5)
    return canvas.picture(str(table(rows)))


def places() -> Picture:
    """Where the crash falls between effect and mark, and what the second delivery then does."""
    canvas = Canvas(height=210)
    lanes = (
        ("effect, mark", ("effect", "mark"), ("effect", "mark"), "effect twice", RED),
        ("mark, effect", ("mark", "effect"), ("mark: seen", ""), "effect never", INK),
        ("one transaction", ("mark + effect", ""), ("mark + effect", ""), "effect once", GREEN),
    )
    for n, (name, first, second, end, color) in enumerate(lanes):
        y = 48 + 62 * n
        canvas.text(136, y, name, size=10, ha="right", weight="bold")
        canvas.line([(146, y), (760, y)], PALE, 1.5)
        one = n == 2
        done, cut = (150, 250), 320
        canvas.box(
            (done[0], y - 15, cut - 4 if one else done[1], y + 15), SAND if one else CALM, GREY, "///" if one else "", layer=3
        )
        canvas.text((done[0] + (cut if one else done[1])) / 2, y, first[0], size=9, ha="center", ground="white" if one else None)
        if not one:
            canvas.box((done[1] + 2, y - 15, cut + 40, y + 15), ROSE, "none", layer=2)
            canvas.text(cut - 30, y + 24, "committed: the gap", GREY, 7.5, ha="center")
        else:
            canvas.text(235, y + 24, "nothing is committed: undone", GREY, 7.5, ha="center")
        canvas.glyph("bolt", cut, y, RED, 15)
        canvas.text(430, y, "delivered again", GREY, 8.5, ha="center", ground="white")
        canvas.box((500, y - 15, 600, y + 15), CALM, GREY, layer=3)
        canvas.text(550, y, second[0], size=9, ha="center")
        if second[1]:
            canvas.box((604, y - 15, 690, y + 15), CALM, GREY, layer=3)
            canvas.text(647, y, second[1], size=9, ha="center")
        canvas.text(780, y, end, color, 11, weight="bold")
    return canvas.picture("\n".join(f"{name}: crash, delivered again, {end}" for name, _, _, end, _ in lanes))


def humps(sweeps: Mapping[str, Sweep]) -> Picture:
    """For each place of the mark, how far a run was off, over all seeds."""
    marks, rows = dict(zip(sweeps, ((RED, "///"), (BLUE, "..."), (GREEN, "")), strict=False)), []
    with look():
        picture, axes = plain(height=280)
        for name, each in sweeps.items():
            counts = Counter(each.column("off by"))
            color, hatch = marks[name]
            axes.bar(
                list(counts),
                [min(count, 260) for count in counts.values()],
                0.9,
                color=color,
                hatch=hatch,
                edgecolor="white",
                label=name,
                alpha=0.9,
            )
            top = max(counts, key=lambda value: counts[value])
            if counts[top] > 260:
                axes.annotate(
                    f"all {counts[top]:,} runs",
                    (top, 252),
                    (12, 0),
                    textcoords="offset points",
                    color=color,
                    weight="bold",
                    va="center",
                )
            mean, low, high = each.spread("off by")
            rows.append({"": name, "mean": mean, "5 %": low, "95 %": high})
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_xlabel("charges too many (right of 0) or too few (left), a run")
        axes.set_ylabel("runs")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=3)
    picture.twin = f"charges too many or too few, a run\n{table(rows)}"
    return picture


def curtain(lab: Lab) -> Picture:
    """How much later the second telling came; behind the curtain the shop has forgotten the first."""
    found, window = memory.delays(lab), lab.recipe[3].get("remember", memory.WINDOW / 60)
    far = 15
    bins = [k / 2 for k in range(2 * far + 1)]
    inside, behind = ([min(delay, far - 0.01) for delay in found[name]] for name in ("recognised", "credited again"))
    said = f"remembered for {window:g} min: {len(behind):,} of {len(inside) + len(behind):,} payments are credited again"
    with look():
        picture, axes = plain(height=270)
        axes.hist(
            [inside, behind], bins, stacked=True, color=[SKY, RED], edgecolor="white", label=["recognised", "credited again"]
        )
        if window < far:
            axes.axvspan(window, far, facecolor=ROSE, linewidth=0, zorder=0)
            axes.axvline(window, color=INK, linewidth=2.2)
            axes.annotate("forgotten", (window, axes.get_ylim()[1] * 0.9), (6, 0), textcoords="offset points", weight="bold")
        axes.set_xlim(0, far)
        axes.set_xlabel("minutes from the first telling to the second (the last bar: and later)")
        axes.set_ylabel("payments")
        axes.set_title(said, color=RED if behind else GREEN, weight="bold")
        axes.legend(loc="upper right")
        axes.grid(visible=False, axis="x")
    picture.twin = said
    return picture


def overlap(lab: Lab) -> Picture:
    """The first order that was charged twice: each instance reads before the other has written."""
    copies = flags.worst(lab)
    start = min(each["read"] for each in copies)
    end = max(each["wrote"] for each in copies)
    canvas = Canvas(height=200)

    def across(time: float) -> float:
        return float(150 + 620 * (time - start) / (end - start))

    lanes = {"payment.1": 50, "status": 100, "payment.2": 150}
    for name, y in lanes.items():
        canvas.text(118, y, name, size=9.5, ha="right", weight="bold")
        canvas.line([(130, y), (880, y)], PALE, 1.2)
    written = min(each["wrote"] for each in copies)
    canvas.box((across(start), 92, across(written), 108), SAND, ORANGE, layer=3)
    canvas.text((across(start) + across(written)) / 2, 100, "NEW", size=9, ha="center")
    canvas.box((across(written), 92, 880, 108), CALM, GREEN, layer=3)
    canvas.text((across(written) + 880) / 2, 100, "DONE", size=9, ha="center")
    for each in copies:
        y = lanes[each["who"]]
        toward = 90 if y < 100 else 110
        left, right = across(each["read"]), across(each["wrote"])
        canvas.box((left, y - 11, right, y + 11), SKY, INK, layer=4)
        canvas.text((left + right) / 2, y, "charges", size=9, ha="center")
        canvas.arrow((left + 3, toward), (left + 3, y + (12 if y < 100 else -12)), BLUE, 2)
        canvas.text(left + 9, (y + toward) / 2, "reads NEW", BLUE, 9, weight="bold", ground="white")
        canvas.arrow((right - 3, y + (12 if y < 100 else -12)), (right - 3, toward), RED, 2)
        canvas.text(right + 4, (y + toward) / 2, "writes", RED, 9, weight="bold", ground="white")
    canvas.text(
        150,
        18,
        f"order {copies[0]['key']}, {1000 * (end - start):.0f} ms in all: both read before the first write",
        size=10,
        weight="bold",
        most=80,
    )
    rows = [
        {
            "": each["who"],
            "reads NEW, ms": round(1000 * (each["read"] - start), 1),
            "writes, ms": round(1000 * (each["wrote"] - start), 1),
        }
        for each in copies
    ]
    return canvas.picture(f"order {copies[0]['key']}\n{table(rows)}")


def pairs(lab: Lab) -> Picture:
    """Orders that came twice, by the time between the two copies, and how that ended."""
    found, far = flags.gaps(lab), 800
    bins = [20 * k for k in range(far // 20 + 1)]
    said = {name: [min(gap, far - 1) for gap in each] for name, each in found.items()}
    twice, stuck = flags.outcome(lab).values()
    title = f"{sum(map(len, found.values()))} orders came twice; charged twice: {twice}; stuck: {stuck}"
    with look():
        picture, axes = plain(height=250)
        axes.hist(
            [said["charged once"], said["charged twice"]],
            bins,
            stacked=True,
            color=[SKY, RED],
            edgecolor="white",
            label=list(said),
        )
        axes.set_xlim(0, far)
        axes.set_ylim(0, max(8, axes.get_ylim()[1]))
        axes.set_xlabel("milliseconds between the copies (the last bar: and more)")
        axes.set_ylabel("orders")
        axes.set_title(title, color=RED if twice or stuck else GREEN, weight="bold")
        axes.legend(loc="upper right")
    picture.twin = title
    return picture


def two_errors(labs: Lab | Mapping[str, Lab]) -> Picture:
    """What makes a counter wrong: repeats that were counted push it up, additions that were overwritten pull it down."""
    found = {name: tally.errors(lab) for name, lab in by_name(labs, "how").items()}
    far = max(260.0, *(1.1 * max(each["additions lost"], each["repeats counted"]) for each in found.values()))
    with look():
        picture, axes = plain(height=84 + 44 * len(found))
        axes.set_position((0.17, 46 / (84 + 44 * len(found)), 0.8, (44 * len(found)) / (84 + 44 * len(found))))
        for n, each in enumerate(found.values()):
            axes.barh(n, each["repeats counted"], 0.55, color=ORANGE, hatch="///", edgecolor="white")
            axes.barh(n, -each["additions lost"], 0.55, color=BLUE, edgecolor="white")
            axes.scatter([each["off by"]], [n], s=110, marker="D", color=INK, zorder=4)
            words, color = f"shows {each['counter']:,} ({signed(each['off by'])})", RED if each["off by"] else GREEN
            place: Any = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right", "va": "center"}
            axes.annotate(words, (1, n), (-4, 0), weight="bold", color=color, **place)
        axes.barh([-9], [0], color=BLUE, label="additions that were overwritten")
        axes.barh([-9], [0], color=ORANGE, hatch="///", edgecolor="white", label="repeats that were counted")
        axes.scatter([], [], s=80, marker="D", color=INK, label="how far the counter is off")
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(found)), list(found))
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_xlim(-far, far)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("orders")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.15, 0.99), ncols=3)
    picture.twin = str(table([{"how": name, **each} for name, each in found.items()]))
    return picture


FATES = {
    deposits.STAYS: (CALM, GREEN, "stays"),
    deposits.REPEAT: (ORANGE, ORANGE, "a repeat, erased"),
    deposits.MONEY: (RED, RED, "a deposit, erased"),
}


def compacted(labs: Lab | Mapping[str, Lab]) -> Picture:
    """The log as a strip, first record to last: what compaction has erased, and what readers add up."""
    named = by_name(labs, "key")
    rows, pitch = [], 66
    with look():
        picture, axes = plain(height=92 + pitch * len(named))
        axes.set_position((0.14, 46 / (92 + pitch * len(named)), 0.83, (pitch * len(named)) / (92 + pitch * len(named))))
        longest = 0
        for n, (name, lab) in enumerate(named.items()):
            found, sums = deposits.fates(lab), deposits.sums(lab)
            longest = max(longest, len(found))
            for fate, (color, _, _) in FATES.items():
                thin = fate == deposits.REPEAT
                spans = [(k, 2.5 if thin else 1) for k, each in enumerate(found) if each == fate]
                axes.broken_barh(spans, (n - 0.05, 0.42), facecolor=color, linewidth=0, zorder=3 if thin else 2)
            words = f"live reader {sums['live reader']:,}; paid in {sums['paid in']:,}; late reader {sums['late reader']:,}"
            axes.text(0, n - 0.24, words, fontsize=10, weight="bold", va="center")
            rows.append({"key": name, **sums})
        for color, edge, words in FATES.values():
            axes.barh([-9], [0], color=color, edgecolor=edge, label=words)
        axes.set_yticks([n + 0.16 for n in range(len(named))], [f"key: {name}" if name else "" for name in named])
        axes.set_ylim(len(named) - 0.5, -0.5)
        axes.set_xlim(0, longest)
        axes.grid(visible=False)
        axes.set_xlabel("offset")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.12, 0.99), ncols=3)
    picture.twin = str(table(rows))
    return picture


def around_kafka(found: Mapping[str, Mapping[str, int]]) -> Picture:
    """The fence around Kafka, and the extra effects on each way in, through and out."""
    extra = {way: each["duplicates"] for way, each in found.items()}
    canvas = Canvas(height=330)
    canvas.box((250, 30, 660, 300), "#f3f8fc", "none", layer=1)
    for a, b in (((250, 30), (660, 30)), ((660, 30), (660, 300)), ((660, 300), (250, 300)), ((250, 300), (250, 30))):
        canvas.line([a, b], BLUE, 2.2, (0, (4, 2)), 2)
    canvas.text(455, 16, "Kafka", BLUE, 11, ha="center", weight="bold")
    boxes = {
        "application": (30, 130, 140, 190),
        "topic": (280, 130, 360, 190),
        "billing": (420, 130, 510, 190),
        "invoices": (560, 130, 645, 190),
    }
    boxes["card"] = (790, 230, 870, 290)
    for name, (left, top, right, bottom) in boxes.items():
        canvas.box((left, top, right, bottom), "white", RED if name == "card" else INK, width=1.4, layer=4)
        canvas.text((left + right) / 2, (top + bottom) / 2, name, size=10, ha="center", weight="bold")
    for tail, head in (((142, 160), (278, 160)), ((362, 160), (418, 160)), ((512, 160), (558, 160))):
        canvas.arrow(tail, head, BLUE, 2.2, layer=5)
    canvas.arrow((490, 192), (788, 262), RED, 2.4, layer=5)

    def say(x: float, y: float, words: str, way: str) -> None:
        count = extra[way]
        canvas.text(x, y, words, GREY, 8.5, most=60)
        canvas.text(x - 8, y, signed(count), RED if count else GREEN, 11, ha="right", weight="bold")

    say(62, 76, "retry", "retry")
    say(62, 98, "retry, idempotent producer", "retry, idempotent")
    say(62, 230, "the application sends again", "sent again by the application")
    say(400, 64, "read, write, commit the offset", "Kafka to Kafka")
    say(400, 86, "in a transaction", "in a transaction")
    say(400, 108, "the same, read_uncommitted", "the same, read uncommitted")
    say(712, 196, "a new key each try", "a card")
    say(712, 312, "key: the order", "a card that knows the key")
    return canvas.picture("\n".join(f"{way}: {signed(count)}" for way, count in extra.items()))


def whiteboard() -> Picture:
    """What to draw in an interview."""
    canvas = Canvas(height=260)
    canvas.box((40, 90, 150, 150), "#eef4f9", INK, width=1.4)
    canvas.text(95, 120, "broker", size=11, ha="center", weight="bold")
    canvas.box((270, 50, 560, 190), "#e2f0e9", GREEN, width=2)
    canvas.text(415, 36, "one transaction", GREEN, 11, ha="center", weight="bold")
    for top, words in ((70, "inbox: (consumer, event id), unique"), (130, "the effect: paid + 9.90")):
        canvas.box((290, top, 540, top + 42), "white", INK, width=1.2, layer=3)
        canvas.text(415, top + 21, words, size=9.5, ha="center")
    canvas.arrow((152, 108), (268, 108), BLUE, 2)
    canvas.text(160, 94, "at least once", BLUE, 9)
    canvas.arrow((268, 136), (152, 136), GREY, 2)
    canvas.text(210, 152, "ack after commit", GREY, 9, ha="center")
    canvas.glyph("bolt", 210, 182, RED, 11)
    canvas.text(210, 206, "a crash here: again", RED, 9, ha="center")
    canvas.arrow((562, 120), (728, 120), RED, 2.2)
    canvas.text(645, 106, "key = order-42", RED, 9.5, ha="center", weight="bold")
    canvas.box((730, 90, 850, 150), "#fbe9e0", RED, width=1.4)
    canvas.text(790, 120, "card", size=11, ha="center", weight="bold")
    canvas.text(790, 168, "remembers keys", GREY, 9, ha="center")
    canvas.line([(640, 40), (640, 92)], INK, 1.6, (0, (4, 2)))
    canvas.line([(640, 132), (640, 220)], INK, 1.6, (0, (4, 2)))
    canvas.text(640, 236, "here the transaction ends", INK, 9, ha="center")
    return canvas.picture(
        "broker -> [inbox (consumer, event id) + effect: one transaction], ack after the commit; a crash before the ack: again;\n"
        "where the transaction ends: -> card, with the key order-42, which the card remembers"
    )


def rates(sweeps: Mapping[str, Mapping[float, Sweep]]) -> Picture:
    """Extra charges against the share of orders that are carried twice."""
    points = {
        name: {0: (0, 0, 0), **{rate: measure.spread(each.column("off by")) for rate, each in found.items()}}
        for name, found in sweeps.items()
    }
    return plot.lines(points, "orders carried twice, %", "extra charges, of 100 orders")
