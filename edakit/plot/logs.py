"""A stream from the side: each partition a row of records by offset, and under it how far each group has come."""

from edakit.errors import ArgumentError, EmptyTrace
from edakit.plot.canvas import Canvas, wide
from edakit.plot.style import CYCLE, GREY, INK, Picture, Source, rows_of
from edakit.state import GroupState, State, fold_until
from edakit.table import clean

LEFT, RIGHT, TOP = 110, 24, 44  # pixels
CELL, HIGH = 46, 26  # the widest cell
LEAST = 5  # the narrowest: beyond that the oldest records are left out


def partitions(source: Source, topic: str | None = None) -> Picture:
    """Draw the records of each partition, coloured and named by key, with the committed offset and the owner of each
    group.

    `topic` chooses one of several. Raises EmptyTrace for a run without a stream, ArgumentError for a topic that is not
    there.
    """
    trace = rows_of(source, "partitions")
    state = fold_until(trace, trace[-1].ns)
    places = sorted({*state.logs, *(place for _, place in state.groups)}, key=_number)
    topics = list(dict.fromkeys(place.rpartition("/")[0] for place in places))
    if not topics:
        raise EmptyTrace("plot.partitions draws a stream, and this run has none: publish to lab.stream(...)")
    if topic is not None and topic not in topics:
        raise ArgumentError(f"no topic {topic!r} in this trace; it has: {', '.join(topics)}")
    places = [place for place in places if topic is None or place.rpartition("/")[0] == topic]
    groups = list(dict.fromkeys(group for group, place in state.groups if place in places))
    pitch = HIGH + 18 * max(1, len(groups)) + 16
    canvas = Canvas(height=TOP + pitch * len(places) + 14)
    longest = max((len(state.logs.get(place, ())) for place in places), default=0)
    cell = min(CELL, max(LEAST, (canvas.width - LEFT - RIGHT) / max(1, longest)))
    fit = int((canvas.width - LEFT - RIGHT) / cell)
    keys = list(dict.fromkeys(event.key for place in places for event in state.logs.get(place, ())))
    for n, place in enumerate(places):
        _partition(canvas, state, place, groups, keys, TOP + pitch * n, cell, fit)
    _legend(canvas, groups)
    return canvas.picture(_twin(state, places, groups))


def _partition(
    canvas: Canvas,
    state: State,
    place: str,
    groups: list[str],
    keys: list[str | None],
    top: float,
    cell: float,
    fit: int,
) -> None:
    """One row of cells with the marks of the groups beneath it."""
    log = state.logs.get(place, [])
    first = max(0, len(log) - fit)
    canvas.text(LEFT - 12, top + HIGH / 2, place, size=9, ha="right", weight="bold", most=16)
    for offset in range(first, len(log)):
        left, key = LEFT + (offset - first) * cell, keys.index(log[offset].key)
        edge = "white" if cell > 12 else "none"
        canvas.box((left, top, left + cell, top + HIGH), CYCLE[key % 6] + "40", edge, "" if key < 6 else "//", 1)
        canvas.box((left + (cell > 12), top + HIGH - 5, left + cell - (cell > 12), top + HIGH), CYCLE[key % 6], layer=3)
        if cell >= 16:
            text = clean(log[offset].key if log[offset].key is not None else "-", max(3, int(cell / 6)))
            if wide(text, 7.5) < cell - 2:
                canvas.text(left + cell / 2, top + 10, text, size=7.5, ha="center")
    canvas.line([(LEFT, top + HIGH), (LEFT + max(1, len(log) - first) * cell, top + HIGH)], GREY, 1)
    if first:
        canvas.text(LEFT, top - 6, f"from offset {first:,}", GREY, 7.5)
    if not log:
        canvas.text(LEFT + 6, top + HIGH / 2, "empty", GREY, 8)
    for n, name in enumerate(groups):
        group = state.groups.get((name, place))
        if group is not None:
            y, color = top + HIGH + 10 + 18 * n, CYCLE[(n + 3) % 6]
            alone = len(groups) == 1 and group.owner in ("", name)
            said = "" if alone else f"{name}: "
            _group(canvas, group, f"{said}{group.owner or 'nobody'}", (first, len(log)), y, cell, color)


def _group(canvas: Canvas, group: GroupState, who: str, offsets: tuple[int, int], y: float, cell: float, color: str) -> None:
    """The arrow head at the next record to read as committed, and in words how far behind that is."""
    first, end = offsets
    x = LEFT + max(0, group.committed - first) * cell
    x_end = LEFT + (end - first) * cell
    if x_end - x > 1:
        canvas.line([(x, y), (x_end, y)], color, 2, (0, (2, 1.5)))
    canvas.glyph("up", x, y, color, 7)
    behind = end - group.committed
    text = clean(f"{who}, {behind:,} behind" if behind else f"{who}, up to date")
    room = canvas.width - RIGHT - x_end
    if room > wide(text) + 14:
        canvas.text(x_end + 12, y, text, INK)
    elif x - LEFT > wide(text) + 14:
        canvas.text(x - 12, y, text, INK, ha="right")
    else:
        canvas.text(canvas.width - RIGHT, y, text, INK, ha="right", ground="white")


def _legend(canvas: Canvas, groups: list[str]) -> None:
    canvas.box((14, 10, 34, 22), CYCLE[0] + "40")
    canvas.box((14, 19, 34, 22), CYCLE[0], layer=3)
    canvas.text(40, 16, "a record with its key; a colour is a key", size=8)
    x = 40 + wide("a record with its key; a colour is a key") + 22
    for n, name in enumerate(groups):
        canvas.glyph("up", x, 16, CYCLE[(n + 3) % 6], 7)
        text = f"{clean(name, 24)} has committed up to here"
        canvas.text(x + 12, 16, text, size=8)
        x += wide(text) + 34


def _twin(state: State, places: list[str], groups: list[str]) -> str:
    lines = []
    for place in places:
        log = state.logs.get(place, [])
        keys = [event.key if event.key is not None else "-" for event in log]
        shown = keys if len(keys) <= 12 else ["...", *keys[-12:]]
        lines.append(f"{clean(place)}  {len(log):,} records: {clean(' '.join(shown), 90)}".rstrip(": "))
        for name in groups:
            group = state.groups.get((name, place))
            if group is not None:
                lines.append(
                    f"    {clean(name)}: owner {clean(group.owner) or 'nobody'},"
                    f" committed {group.committed}, behind {len(log) - group.committed}"
                )
    return "\n".join(lines)


def _number(place: str) -> tuple[str, int]:
    topic, _, partition = place.rpartition("/")
    return topic, int(partition) if partition.isdigit() else -1
