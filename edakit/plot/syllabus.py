"""The eighteen notebooks as a map: which helps to know before which, and where each interview question is answered."""

from typing import NamedTuple

import networkx as nx

from edakit.plot.canvas import Canvas, Point, wide
from edakit.plot.style import BLUE, GREEN, GREY, INK, ORANGE, PINK, RED, SKY, WIDE, Picture
from edakit.table import table


class Lesson(NamedTuple):
    """A notebook: its number, its name in up to two lines, its part, the questions it answers, what helps to know
    first.
    """

    number: str
    name: str
    part: str
    questions: str
    first: tuple[str, ...]


PARTS = {
    "S": ("start and finish", GREY),
    "M": ("models", BLUE),
    "R": ("right in spite of faults", ORANGE),
    "B": ("brokers", PINK),
    "D": ("design", GREEN),
    "P": ("practice", RED),
}

LESSONS = (
    Lesson("00", "start here", "S", "", ()),
    Lesson("01", "request-response\nvs events", "M", "Q1", ("00",)),
    Lesson("02", "pub/sub\nvs streaming", "M", "Q2", ("01",)),
    Lesson("03", "components", "M", "Q3", ("01",)),
    Lesson("04", "eventual\nconsistency", "R", "Q4", ("03",)),
    Lesson("05", "ordering", "R", "Q5", ("02",)),
    Lesson("06", "dead letters\nand retries", "R", "Q6", ("03",)),
    Lesson("07", "brokers\ncompared", "B", "Q7", ("05", "06")),
    Lesson("08", "idempotency", "R", "Q8", ("06",)),
    Lesson("09", "order\nprocessing", "D", "Q9", ("03",)),
    Lesson("10", "schema\nevolution", "D", "Q10", ("02",)),
    Lesson("11", "sagas", "D", "", ("08", "09")),
    Lesson("12", "event sourcing\nand CQRS", "D", "", ("04", "08")),
    Lesson("13", "use cases", "P", "", ("05",)),
    Lesson("14", "tracing\nand lag", "P", "", ("09",)),
    Lesson("15", "testing event\nsystems", "P", "", ("11",)),
    Lesson("16", "real brokers", "B", "", ("07",)),
    Lesson("17", "mock\ninterview", "S", "Q1-10", ("10", "11", "12", "16")),
)

HALF, HIGH, ROW = 50, 22, 66  # pixels


def course() -> Picture:
    """Draw the map of the notebooks: an arrow means "helps to know first", a badge the interview questions answered
    there.
    """
    place, height, ways = _places()
    canvas = Canvas(height=height)
    for way in ways:
        sides = [(x + side, y) for x, y in (place[name] for name in way) for side in (-HALF - 2, HALF)]
        points = sides[1:-1]
        canvas.line(points[:-1], GREY, 1.1, layer=1)
        canvas.arrow(points[-2], points[-1], GREY, 1.1, "solid", 6, layer=1)
    for lesson in LESSONS:
        _draw(canvas, lesson, place[lesson.number])
    x = 12.0
    for letter, (name, color) in PARTS.items():
        canvas.glyph("dot", x + 8, 16, color, 14)
        canvas.text(x + 8, 16, letter, "white", 8, ha="center", weight="bold")
        canvas.text(x + 20, 16, name)
        x += wide(name) + 36
    canvas.box((x, 10, x + 26, 22), SKY)
    canvas.text(x + 13, 16, "Q1", size=7.5, ha="center", weight="bold")
    canvas.text(x + 32, 16, "interview question")
    rows = [
        {
            "nr": each.number,
            "notebook": each.name.replace("\n", " "),
            "part": PARTS[each.part][0],
            "answers": each.questions,
            "know first": " ".join(each.first),
        }
        for each in LESSONS
    ]
    return canvas.picture(str(table(rows)))


def _places() -> tuple[dict[str, Point], int, list[list[str]]]:
    """Columns in which every arrow leads to the right, ordered so that arrows cross little; an arrow that skips a
    column gets a place of its own in it, so that it runs behind no box.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(lesson.number for lesson in LESSONS)
    graph.add_edges_from((before, lesson.number) for lesson in LESSONS for before in lesson.first)
    columns = [sorted(column) for column in nx.topological_generations(graph)]
    level = {name: n for n, column in enumerate(columns) for name in column}
    ways = []
    for start, end in list(graph.edges):
        bends = [f"{start}>{end}@{n}" for n in range(level[start] + 1, level[end])]
        ways.append([start, *bends, end])
        graph.remove_edge(start, end)
        nx.add_path(graph, ways[-1])
        for n, bend in enumerate(bends):
            columns[level[start] + 1 + n].append(bend)
    order = _order(graph, columns)
    height = 50 + ROW * max(map(len, columns))
    step = (WIDE - 2 * HALF - 20) / (len(columns) - 1)
    place = {
        name: (10 + HALF + step * n, 40 + (height - 50) * order[name]) for n, column in enumerate(columns) for name in column
    }
    return place, height, ways


def _order(graph: "nx.DiGraph[str]", columns: list[list[str]]) -> dict[str, float]:
    """Sort the columns by the middle of their neighbours, to and fro, and keep the order with the fewest crossings."""
    best: tuple[int, dict[str, float]] = (10**9, {})
    order = {name: (n + 0.5) / len(column) for column in columns for n, name in enumerate(column)}
    for turn in range(24):
        for column in columns if turn % 2 else reversed(columns):
            near = {name: list(graph.predecessors(name) if turn % 2 else graph.successors(name)) for name in column}
            pull = {
                name: sum(order[other] for other in near[name]) / len(near[name]) if near[name] else order[name]
                for name in column
            }
            column.sort(key=pull.__getitem__)
            order.update({name: (n + 0.5) / len(column) for n, name in enumerate(column)})
        best = min(best, (_crossings(graph, columns, order), dict(order)), key=lambda found: found[0])
    return best[1]


def _crossings(graph: "nx.DiGraph[str]", columns: list[list[str]], order: dict[str, float]) -> int:
    count = 0
    for column in columns:
        ways = [(order[start], order[end]) for start in column for end in graph.successors(start)]
        count += sum((a - c) * (b - d) < 0 for n, (a, b) in enumerate(ways) for c, d in ways[:n])
    return count


def _draw(canvas: Canvas, lesson: Lesson, at: Point) -> None:
    x, y = at
    color = PARTS[lesson.part][1]
    canvas.box((x - HALF, y - HIGH, x + HALF, y + HIGH), "white", color, "", 2)
    canvas.glyph("dot", x - HALF, y - HIGH, color, 14)
    canvas.text(x - HALF, y - HIGH, lesson.part, "white", 8, ha="center", weight="bold")
    canvas.text(x - HALF + 14, y - HIGH + 10, lesson.number, color if color != ORANGE else "#9a6a00", 9, weight="bold")
    lines = lesson.name.split("\n")
    for n, line in enumerate(lines):
        canvas.text(x, y + (7 if len(lines) == 1 else 1 + 12 * n), line, INK, 7.5, ha="center")
    if lesson.questions:
        across = wide(lesson.questions, 7.5) + 8
        canvas.box((x + HALF - across, y - HIGH, x + HALF, y - HIGH + 14), SKY, layer=3)
        canvas.text(x + HALF - across / 2, y - HIGH + 7, lesson.questions, size=7.5, ha="center", weight="bold")
