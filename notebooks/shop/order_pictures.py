"""Pictures of the shop: who was told what they should not have been, where the teas went, who waited, and who lost the race."""

import json
import math
from collections.abc import Mapping

from edakit import Lab, measure, plot, table
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, PINK, RED, Picture, look, plain
from edakit.table import Table
from shop.audit import groups
from shop.orders import TEA
from shop.outage import waits

FATES: dict[tuple[bool, ...], tuple[str, str, str]] = {  # told yes, paid, has a tea: what that is, colour, marker
    (True, True, True): ("yes, rightly", "#a9d8c6", "s"),
    (False, False, False): ("no, rightly", PALE, "s"),
    (True, True, False): ("told yes, has paid, no tea", RED, "X"),
    (True, False, True): ("told yes, not paid, tea held", ORANGE, "D"),
    (True, False, False): ("told yes, neither", PINK, "v"),
    (False, True, False): ("told no, has paid", RED, "P"),
    (False, False, True): ("told no, tea held", BLUE, "d"),
    (False, True, True): ("told nothing", INK, "o"),
}


def fates(labs: Lab | Mapping[str, Lab]) -> Picture:
    """Each order as a mark, in the order in which they came: squares are right, everything else should not be."""
    labs = {"": labs} if isinstance(labs, Lab) else dict(labs)
    counts: dict[tuple[bool, ...], dict[str, int]] = {fate: dict.fromkeys(labs, 0) for fate in FATES}
    high, across = 300, 880 / len(labs)
    with look():
        picture = Picture(900, high + 60)
        for n, (name, lab) in enumerate(labs.items()):
            orders, sets = list(lab.trace.keys("order.placed")), list(groups(lab).values())
            columns = max(1, round(math.sqrt(len(orders) * across / high)))
            axes = picture.add_axes(((10 + n * across) / 900, 58 / (high + 60), (across - 16) / 900, (high - 24) / (high + 60)))
            axes.set_axis_off()
            size = min(across / columns, high * columns / len(orders))
            for fate, (_, color, marker) in FATES.items():
                spots = [k for k, key in enumerate(orders) if tuple(key in each for each in sets) == fate]
                counts[fate][name] = len(spots)
                area = (size * (0.55 if marker == "s" else 0.72) * 0.72) ** 2
                axes.scatter(
                    [k % columns for k in spots], [k // columns for k in spots], s=area, c=color, marker=marker, linewidth=0
                )
            axes.set_xlim(-0.7, columns - 0.3)
            axes.set_ylim(math.ceil(len(orders) / columns) - 0.3, -0.7)
            axes.set_title(name)
        _fates_legend(picture, counts)
    seen = [(FATES[fate][0], *each.values()) for fate, each in counts.items() if any(each.values())]
    picture.twin = str(table(seen, ["fate", *(name or "orders" for name in labs)]))
    return picture


def _fates_legend(picture: Picture, counts: Mapping[tuple[bool, ...], Mapping[str, int]]) -> None:
    """The marks that are there, each with its number."""
    axes = picture.add_axes((0.01, 0, 0.98, 0.15))
    axes.set_axis_off()
    for fate, each in counts.items():
        if any(each.values()):
            name, color, marker = FATES[fate]
            numbers = ", ".join(f"{value:,}" for value in each.values())
            axes.scatter([], [], s=60, c=color, marker=marker, label=f"{name}: {numbers}", linewidth=0)
    axes.legend(loc="center", ncols=3, handletextpad=0.3, columnspacing=1.5)


def teas(lab: Lab) -> Picture:
    """Teas on the shelf over time, the customers who are told "sold out", and what comes back after the last customer."""
    trace = lab.trace
    away = [row.time for row in trace.where("publish", type="stock.rejected")]
    shelf = [(row.time, json.loads(row.note)[TEA]) for row in trace.where("write", place="stock") if TEA in row.note]
    last, end, unsold = trace.where("publish", type="order.placed")[-1].time, trace[-1].time, shelf[-1][1]
    times, depths = zip(*shelf, (end, unsold), strict=True)
    top = max(10.0, 1.3 * max(depth for time, depth in shelf if time >= last - 10))
    with look():
        picture, axes = plain(height=260)
        axes.step(times, depths, where="post", color=BLUE, linewidth=1.8, label="teas on the shelf")
        late = [time >= last for time in times]
        axes.fill_between(
            times, depths, where=late, step="post", facecolor=BLUE + "33", hatch="///", edgecolor=BLUE, linewidth=0,
            label=f"{unsold} left unsold at the end",
        )  # fmt: skip
        axes.scatter(away, [top * 0.9] * len(away), s=70, c=RED, marker="x", label=f"{len(away)} customers told sold out")
        axes.axvline(last, color=INK, linewidth=2, label="the last customer")
        axes.set_xlim(0, max(end, 150))
        axes.set_ylim(0, top)
        axes.set_xlabel("virtual seconds")
        axes.set_ylabel("teas (higher is cut off)")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=4)
    words = {"the last customer comes at s": round(last), "customers told sold out": len(away), "teas left unsold": unsold}
    picture.twin = str(table(words))
    return picture


def waiting(mail: Lab, money: Lab, shade: tuple[float, float]) -> Picture:
    """Seconds each order waited, by when it was placed. mail, money: a shop without notification, one without payment, for the
    shaded while.
    """
    series = {
        "mail, without notification": waits(mail, "mail.sent"),
        "yes, without notification": waits(mail, "order.confirmed"),
        "yes, without payment": waits(money, "order.confirmed"),
    }
    picture = plot.lines(series, "order placed at (virtual seconds)", "seconds it waited", shade=shade)
    picture.twin = str(
        table([{"": name, "orders": len(each), "longest wait s": max(each.values())} for name, each in series.items()])
    )
    return picture


def race(lab: Lab) -> Picture:
    """For each flagged order: when the flag came, when the parcel was packed. Below the line the parcel was faster."""
    placed = {row.event.key: row.time for row in lab.trace.where("publish", type="order.placed") if row.event}
    flags = {row.event.key: row.time for row in lab.trace.where("publish", type="order.flagged") if row.event}
    packed = {row.event.key: row.time for row in lab.trace.where("publish", type="parcel.shipped") if row.event}
    gone = lab.trace.keys("parcel.shipped")
    packed |= {row.event.key: row.time for row in lab.trace.where("log", note="parcel stopped") if row.event}
    dots = [(flags[key] - placed[key], packed[key] - placed[key], key in gone) for key in flags if key in packed]
    with look():
        picture, axes = plain(height=340)
        top = 1.05 * max((max(flag, pack) for flag, pack, _ in dots), default=1)
        axes.fill_between([0, top], [0, top], color=RED, alpha=0.09, linewidth=0)
        axes.plot([0, top], [0, top], color=GREY, linewidth=1.2)
        looks = ((True, RED, "X", "shipped: the parcel was faster"), (False, GREEN, "o", "stopped: the flag was faster"))
        for parcel_gone, color, marker, name in looks:
            chosen = [dot for dot in dots if dot[2] == parcel_gone]
            xs, ys = [dot[0] for dot in chosen], [dot[1] for dot in chosen]
            axes.scatter(xs, ys, s=70, color=color, marker=marker, label=f"{len(chosen)} {name}", edgecolor=INK, linewidth=0.5)
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        axes.set_xlabel("seconds until fraud detection flags the order")
        axes.set_ylabel("seconds until the parcel is packed")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=2)
    lost = sum(dot[2] for dot in dots)
    picture.twin = f"flagged orders: {len(dots)}; parcel gone before the flag: {lost}, stopped: {len(dots) - lost}"
    return picture


def answers(labs: Mapping[str, Lab]) -> Picture:
    """Seconds until the order is confirmed, of each lab by name."""
    return plot.cdf({name: measure.latency(lab.trace, "order.placed", "order.confirmed") for name, lab in labs.items()}, log=True)


def wires(wiring: Mapping[str, Mapping[str, object]]) -> Table:
    """A wiring as a table: who is woken by what, and what it then does."""
    rows = [(name, event, getattr(handler, "__name__", "")) for name, each in wiring.items() for event, handler in each.items()]
    return table(rows, ["service", "is woken by", "and does"])


def whiteboard() -> Picture:
    """What to draw: record and publish as one, an owner who asks for step after step, the way back, and who only watches."""
    canvas = Canvas(height=255)
    canvas.box((205, 30, 845, 150), "#f6f8fa", GREY)
    canvas.text(835, 43, "checkout owns the flow, and logs it", GREY, 9, ha="right")
    boxes = {"orders": (30, 60, 130, 105), "fraud?": (225, 60, 315, 105), "reserve": (385, 60, 485, 105), "pay": (555, 60, 655, 105),
             "confirm": (725, 60, 825, 105), "analytics": (225, 195, 325, 235), "mail": (725, 195, 825, 235)}  # fmt: skip
    for name, (left, top, right, bottom) in boxes.items():
        canvas.box((left, top, right, bottom), "#fdf0d5" if name == "fraud?" else "#ffffff", INK, width=1.4)
        canvas.text((left + right) / 2, (top + bottom) / 2, name, size=11, ha="center", weight="bold")
    for left, right in ((130, 225), (315, 385), (485, 555), (655, 725)):
        canvas.arrow((left, 82), (right, 82), INK, 1.6, "solid", 7)
    canvas.text(168, 72, "order.placed", BLUE, 8, ha="center")
    canvas.text(80, 118, "order and outbox,", GREY, 8, ha="center")
    canvas.text(80, 130, "one transaction", GREY, 8, ha="center")
    canvas.text(270, 118, "decides: a step", GREY, 8, ha="center")
    canvas.line([(605, 105), (605, 132), (435, 132)], RED, 1.4, (0, (4, 2)), 5)
    canvas.arrow((435, 132), (435, 107), RED, 1.4, "solid", 6)
    canvas.text(520, 122, "no: put it back", RED, 8, ha="center")
    canvas.line([(168, 82), (168, 215)], BLUE, 1.4, (0, (1, 2)))
    canvas.arrow((168, 215), (223, 215), BLUE, 1.4, (0, (1, 2)), 6)
    canvas.text(335, 215, "watches: nobody waits for it", GREY, 8)
    canvas.arrow((775, 105), (775, 193), BLUE, 1.4, (0, (1, 2)), 6)
    canvas.text(767, 168, "order.confirmed", BLUE, 8, ha="right")
    canvas.text(715, 215, "when it is down, its queue waits", GREY, 8, ha="right")
    return canvas.picture(
        "orders (order and outbox in one transaction) -> order.placed -> checkout, which owns the flow:\n"
        "fraud? -> reserve -> pay -> confirm; "
        "pay says no: the tea is put back; analytics watches order.placed, the mail waits for order.confirmed"
    )
