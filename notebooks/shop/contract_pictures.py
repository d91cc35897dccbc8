"""Pictures of contracts: what holds, how long an event lies there, what survives, in which order things end, what it costs."""

import math
from collections.abc import Iterable, Mapping

from edakit import Lab, grid, plot, run, table
from edakit.plot.canvas import Canvas
from edakit.plot.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, RED, Picture, look, plain
from edakit.presets import settings
from edakit.units import days
from shop.contracts import CONTRACTS, promises
from shop.finishing import BAD_EVENT, BAD_GROUP, finished, inversions, waits
from shop.growing import behind, costs, crossing
from shop.keeping import MINUTE, replayed, restart, seen, shuffled

LEFT, HIGH = 150, 26
DAY = days(1)


def promised(needs: Iterable[str], contracts: Iterable[str] = CONTRACTS) -> Picture:
    """A box for each need and contract: full, it held in a run; crossed, it was violated; empty, there is no such thing."""
    needs, contracts = list(needs), list(contracts)
    found = promises(needs, contracts)
    across = min(106, 740 // len(needs))
    canvas = Canvas(max(560, LEFT + 10 + across * len(needs)), 78 + HIGH * len(contracts))
    for y, contract in enumerate(contracts):
        canvas.text(LEFT - 12, 60 + HIGH * y, contract, ha="right", size=9)
        for x, need in enumerate(needs):
            left, top = LEFT + across * x, 60 + HIGH * y - 10
            box, middle = (left, top, left + across - 8, top + 20), (left + across / 2 - 4, top + 10)
            if found[contract, need] == "held":
                canvas.box(box, GREEN, GREEN)
            elif found[contract, need] == "violated":
                canvas.box(box, "white", RED, width=1.2)
                canvas.glyph("cross", *middle, RED, 6)
            else:
                canvas.box(box, "white", PALE)
                canvas.text(*middle, "-", GREY, ha="center")
    for x, need in enumerate(needs):
        first, _, rest = need.partition(" ")
        for n, line in enumerate([first, rest] if rest else ["", first]):
            canvas.text(LEFT + across * x + across / 2 - 4, 16 + 15 * n, line, ha="center", size=8.5)
    _promised_legend(canvas, 66 + HIGH * len(contracts))
    return canvas.picture(str(grid(found)))


def _promised_legend(canvas: Canvas, y: float) -> None:
    canvas.box((LEFT, y - 6, LEFT + 22, y + 6), GREEN, GREEN)
    canvas.text(LEFT + 28, y, "held in a run")
    canvas.box((LEFT + 150, y - 6, LEFT + 172, y + 6), "white", RED, width=1.2)
    canvas.glyph("cross", LEFT + 161, y, RED, 4)
    canvas.text(LEFT + 178, y, "violated in a run")
    canvas.box((LEFT + 300, y - 6, LEFT + 322, y + 6), "white", PALE)
    canvas.text(LEFT + 311, y, "-", GREY, ha="center")
    canvas.text(LEFT + 328, y, "not offered")


def shelf(lab: Lab) -> Picture:
    """How long order 42 can be read, and when analytics comes for it."""
    came = next(row.time for row in lab.trace.where(("publish", "append")))
    late = [row.time for row in lab.trace.where("handle", who="analytics")]
    asks = lab.recipe[3].get("after_days", 1 / 1440) * DAY
    gone = _gone(lab)
    end = max(asks * 1.25, min(gone, asks * 2), 1.0)
    unit, name = (DAY, "days") if end > DAY else (1.0, "seconds")
    with look():
        picture, axes = plain(height=190)
        axes.barh([0], [(min(gone, end) - came) / unit], left=came / unit, height=0.5, color=BLUE, alpha=0.35, edgecolor=BLUE)
        axes.axvline(asks / unit, color=GREEN if late else RED, linewidth=2.4, linestyle="solid" if late else (0, (5, 2)))
        said = "analytics reads it" if late else "analytics comes, and nothing is there"
        axes.annotate(said, (asks / unit, 0.62), (-6, 0), textcoords="offset points", ha="right", color=INK, fontsize=10)
        kept = "kept" if gone > end else f"gone after {gone:,.2g} s" if gone < DAY else f"gone after {gone / DAY:,.0f} days"
        axes.annotate(f"order 42: {kept}", (0.01 * end / unit, 0), va="center", color=INK, fontsize=10)
        axes.set_ylim(-0.5, 0.9)
        axes.set_xlim(0, end / unit)
        axes.set_yticks([])
        axes.set_xlabel(name)
    picture.twin = f"order 42 on {lab.recipe[3].get('like', 'kafka')}: {kept}; {said}"
    return picture


def _gone(lab: Lab) -> float:
    """When nobody can read the event any more, in seconds; never, as long as an archive or a log without a limit has it."""
    (home,), knobs = lab.homes.values(), lab.recipe[3]
    if getattr(home, "archive", None):
        return math.inf
    if hasattr(home, "seek"):
        kept = settings(knobs.get("like", "kafka"), "stream").get("retention")
        return days(knobs.get("keep_days", 0)) or (math.inf if kept is None else float(kept))
    return max(row.time for row in lab.trace.where(("ack", "deliver"), type="order.placed"))


def survivors() -> Picture:
    """Of 1,000 orders that wait, how many outlive a restart: four ways to use a classic queue, and four other contracts."""
    pairs = [(queue, message) for queue in (True, False) for message in (True, False)]
    word = {True: "durable", False: "transient"}
    kept = {
        f"{word[queue]} queue\n{'persistent' if message else 'transient'} orders": seen(
            run(restart, seed=42, durable=queue, persistent=message), "payment"
        )
        for queue, message in pairs
    }
    kept |= {
        like: seen(run(restart, seed=42, like=like), "payment")
        for like in ("rabbitmq-quorum", "rabbitmq-stream", "kafka", "redis-pubsub")
    }
    with look():
        picture, axes = plain(height=300)
        colors = [BLUE] * 4 + [GREEN] * 4
        axes.bar(range(len(kept)), list(kept.values()), color=colors, width=0.7)
        for n, value in enumerate(kept.values()):
            axes.annotate(f"{value:,}", (n, value), (0, 3), textcoords="offset points", ha="center", fontsize=10)
        axes.axvline(3.5, color=GREY, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.set_xticks(range(len(kept)), [name.replace("rabbitmq-", "rabbitmq\n") for name in kept], fontsize=7.5)
        axes.set_ylim(0, 1150)
        axes.set_ylabel("orders after the restart")
        axes.grid(visible=False, axis="x")
    picture.twin = str(table([{"": name.replace("\n", " "), "left": value} for name, value in kept.items()]))
    return picture


def replay_order(lab: Lab) -> Picture:
    """Where each order stood when it happened, and where it comes in the replay."""
    order, figures = replayed(lab), shuffled(lab)
    with look():
        picture = Picture(560, 520)
        axes = picture.add_axes((0.13, 0.1, 0.83, 0.84))
        axes.scatter(order, range(1, len(order) + 1), s=7, color=BLUE, linewidth=0)
        for n in range(0, len(order) + 1, int(MINUTE)):
            axes.axvline(n, color=PALE, linewidth=0.8)
            axes.axhline(n, color=PALE, linewidth=0.8)
        axes.set_xlabel("came as (lines: minutes)")
        axes.set_ylabel("replayed as")
        axes.set_xlim(0, len(order))
        axes.set_ylim(0, len(order))
        axes.grid(visible=False)
    picture.twin = str(table(figures))
    return picture


def strips(labs: Lab | Mapping[str, Lab]) -> Picture:
    """For each lab: by how many places each parcel was finished too early (down) or too late (up), in the order in which they came."""
    labs = {"": labs} if isinstance(labs, Lab) else dict(labs)
    across, rows = 860 / len(labs), []
    with look():
        picture = Picture(900, 240)
        for n, (name, lab) in enumerate(labs.items()):
            order = finished(lab)
            wrong = inversions(order)
            axes = picture.add_axes(((48 + n * across) / 900, 0.19, (across - 30) / 900, 0.62))
            axes.axhline(0, color=PALE, linewidth=1)
            color, marker = (ORANGE, "o") if wrong else (GREEN, "s")
            axes.scatter(
                order, [place - came for place, came in enumerate(order, 1)], s=7, color=color, marker=marker, linewidth=0
            )
            axes.set_title(
                f"{name}:\n{wrong} inverted" if name else f"{wrong} of {len(order) - 1} neighbours inverted", fontsize=9
            )
            axes.set_ylim(-12, 42)
            axes.tick_params(labelsize=7)
            axes.set_xlabel("came as", fontsize=8)
            if n == 0:
                axes.set_ylabel("finished so many places late", fontsize=8)
            rows.append({"": name or "this run", "inverted": wrong, "of neighbours": len(order) - 1})
    picture.twin = str(table(rows))
    return picture


def lanes(lab: Lab) -> Picture:
    """A lane for each group: a line from when an event was published until it was shipped."""
    found = waits(lab)
    names = sorted({group for group, _, _ in found.values()}, key=lambda name: (len(name), name))
    slow = [change for change, (_, _, wait) in found.items() if wait > 1 and change != BAD_EVENT]
    dead = lab.trace.where("dead")
    with look():
        picture, axes = plain(height=320)
        axes.axhspan(names.index(BAD_GROUP) - 0.5, names.index(BAD_GROUP) + 0.5, color=PALE, alpha=0.5, linewidth=0)
        spots = {change: (at, at + wait, float(names.index(group))) for change, (group, at, wait) in found.items()}
        for n, change in enumerate(slow):  # side by side, so that each is seen
            begun, ended, lane = spots[change]
            spots[change] = begun, ended, lane + 0.36 - 0.72 * n / max(1, len(slow) - 1)
        on_time = [change for change in found if change not in slow and change != BAD_EVENT]
        bad = [change for change in (BAD_EVENT,) if change in found]
        kinds = ((on_time, GREEN, "o", 14, 0.0), (slow, ORANGE, "D", 8, 0.9), (bad, RED, "X", 70, 3.5))
        for changes, color, marker, size, width in kinds:
            begun, ended, lane = zip(*(spots[change] for change in changes), strict=True) if changes else ((), (), ())
            if width:
                axes.hlines(lane, begun, ended, color=color, linewidth=width, alpha=0.6)
            axes.scatter(ended, lane, marker=marker, s=size, color=color, linewidth=0)
        for row in dead:
            axes.plot([row.time], [names.index(BAD_GROUP)], marker="X", markersize=10, color=RED)
            axes.annotate("given up", (row.time, names.index(BAD_GROUP)), (0, 8), textcoords="offset points", ha="center")
        axes.set_yticks(range(len(names)), names, fontsize=7.5)
        axes.set_xlabel("virtual seconds; each mark is an event that is shipped, its line how long it was held")
        axes.set_title(f"{len(slow)} events of {BAD_GROUP} held, all others on time" if slow else "no event is held", fontsize=10)
        axes.grid(visible=False)
    longest = max((found[change][2] for change in slow), default=0.0)
    picture.twin = f"events held for over a second: {len(slow)}, the longest for {longest:.0f} s; given up: {len(dead)}"
    return picture


def stairs(lines: Mapping[str, Mapping[int, float]]) -> Picture:
    """Throughput by what you add, a line for each way."""
    picture = plot.lines(lines, "nodes, or consumers", "throughput (one core = 1)")
    picture.axes[0].set_xticks([1, 2, 4, 8])
    return picture


def wedge(lab: Lab) -> Picture:
    """Seconds by which each invocation comes behind its event."""
    points = behind(lab)
    rate = lab.recipe[3].get("rate", 8_000)
    with look():
        picture, axes = plain(height=240)
        times, late = [at for at, _ in points], [seconds for _, seconds in points]
        axes.fill_between(times, late, color=ORANGE, alpha=0.35, linewidth=0)
        axes.plot(times, late, color=ORANGE, linewidth=1.8)
        axes.annotate(f"{max(late):.1f} s", (times[-1], late[-1]), (-4, 4), textcoords="offset points", ha="right", weight="bold")
        axes.set_xlabel(f"published at (virtual seconds), {rate:,.0f} events a second for three targets")
        axes.set_ylabel("seconds behind")
        axes.set_ylim(0, max(20, 1.1 * max(late)))
        axes.set_xlim(0, max(times))
    picture.twin = f"{rate:,.0f} events a second: {max(late):.1f} s behind in the end"
    return picture


def bill(lab: Lab) -> Picture:
    """A month's bill against the rate: a cluster, shards, a price for each event; your prices are the knobs."""
    knobs = {"cluster": 600.0, "shard": 15.0, "million": 1.0, "targets": 1, **lab.recipe[3]}
    rates = [10 ** (n / 20) for n in range(20, 101)]
    lines = {name: {rate: costs(rate, **knobs)[name] for rate in rates} for name in costs(1, **knobs)}
    meet = crossing(**knobs)
    picture = plot.lines(lines, "events a second, all month")
    axes = picture.axes[0]
    with look():
        axes.set_title("units of money a month", loc="right", fontsize=9)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.set_ylim(5, 3e6)  # the same for all prices, so that a line moves and not the scale
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value < 1e6 else f"{value / 1e6:,.0f} M")
        if rates[0] < meet < rates[-1]:
            axes.plot([meet], [knobs["cluster"]], marker="o", markersize=11, markerfacecolor="none", markeredgecolor=INK)
            axes.annotate(f"{meet:,.0f} events/s", (meet, knobs["cluster"]), (10, -14), textcoords="offset points", weight="bold")
    picture.twin = f"by event costs as much as the cluster at {meet:,.0f} events a second"
    return picture


KINDS = {  # what to write on the board: of each kind of contract, what it does, and who is one
    "": ("kept until", "an ack covers", "order of", "a failure goes to", "filter at", "for example"),
    "log": ("retention is over", "all up to an offset", "a partition", "nowhere: all wait", "the reader", "Kafka, RabbitMQ stream"),
    "queue": ("the ack", "one message", "one active consumer", "another try, then DLQ", "the binding", "RabbitMQ, SQS"),
    "rule bus": ("handed over, or archived", "one hand-over", "nothing, or a group", "a day of tries, then DLQ", "the rule, by the body",
                 "EventBridge, SNS"),
}  # fmt: skip


def whiteboard() -> Picture:
    """What to draw: the three kinds of contract, and six questions to each."""
    canvas = Canvas(height=290)
    for x, (kind, answers) in zip((30, 160, 400, 640), KINDS.items(), strict=True):
        canvas.text(x, 24, kind, size=12, weight="bold")
        for n, answer in enumerate(answers):
            canvas.text(x, 62 + 36 * n, answer, INK if kind else GREY, 9.5, weight="bold" if n == 5 and kind else "normal")
    for n in range(6):
        canvas.line([(30, 44 + 36 * n), (870, 44 + 36 * n)], INK if n == 0 else PALE, 1.4 if n == 0 else 1)
    canvas.text(30, 276, "both", GREY, 9.5)
    canvas.text(160, 276, "a Kafka share group keeps like a log,", INK, 9.5)
    canvas.text(406, 276, "and acks like a queue", INK, 9.5)
    return canvas.picture(
        str(table(list(zip(*KINDS.values(), strict=True)), list(KINDS)))
        + "\nboth: a Kafka share group keeps like a log, and acks like a queue"
    )
