"""The film where no player runs: as a page of its own, a picture, a table, a sequence diagram.

What comes from a trace (names, keys, payloads) is text in all of them, whatever it looks like.
"""

import html
import io
import json
from base64 import b64encode
from hashlib import sha256
from typing import Any

from PIL import Image  # comes with matplotlib

from edakit.player.facts import Fact
from edakit.player.film import FOOT, HEAD, LINE, Film, Node
from edakit.player.words import MOMENTS, case, sentence
from edakit.plot.canvas import Canvas, fitting
from edakit.plot.scene import Arrow
from edakit.plot.spacetime import timeline
from edakit.plot.style import BLUE, GREY, INK, PALE, PINK, RED
from edakit.plot.wiring import EDGE, FILL
from edakit.table import clean, number
from edakit.units import SECOND

LANES, ARROWS = 12, 300  # that a timeline can carry and stay low, and quick
LINES = 12  # sentences under a map
COLORS = 96  # of a picture
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,-_/()=+*!?'")

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-{script_hash}'; \
style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'">
<title>{title}</title>
<style>{style}</style>
</head>
<body class="edakit-page">
<noscript>{title}: this film needs JavaScript.</noscript>
<main id="film"></main>
<script type="application/json" id="data">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""

START = """
const stored = JSON.parse(document.getElementById("data").textContent);
const model = { get: (name) => stored[name], set: (name, value) => { stored[name] = value; }, save_changes() {}, on() {}, off() {} };
render({ model, el: document.getElementById("film") });
"""


def page(film: str, title: str, script: str, style: str, t: float) -> str:
    """A page that needs nothing else. A browser is told to run this one script and to fetch nothing at all."""
    script = script.replace("export default", "const widget =") + START
    style = f"{style}\nbody.edakit-page {{ margin: 0; }}\n"
    data = f'{{"film":{film},"t":{json.dumps(t)}}}'
    for char in "<>&\u2028\u2029":
        data = data.replace(char, f"\\u{ord(char):04x}")
    return PAGE.format(
        title=html.escape(title),
        style=style,
        script=script,
        data=data,
        script_hash=_hash(script),
        style_hash=_hash(style),
    )


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def table(film: Film, rows: int) -> str:
    """Time and sentence of the rows; where there are more than `rows`, of the first and the last."""
    count = len(film.trace)
    head = count if count <= rows else rows // 2
    tail = count - (0 if count <= rows else rows - rows // 2)
    cells = [_told(film, n) for n in (*range(head), *range(max(tail, head), count))]
    wide = [max(len(name), *(len(cell[n]) for cell in cells)) for n, name in enumerate(("row", "seconds"))]
    lines = [
        f"{row.rjust(wide[0])}  {time.rjust(wide[1])}  {text}" for row, time, text in (("row", "seconds", "what happens"), *cells)
    ]
    if tail > head:
        lines.insert(head + 1, f"{'...'.rjust(wide[0])}  {''.rjust(wide[1])}  {tail - head:,} rows more")
    return "\n".join(lines)


def _told(film: Film, n: int) -> tuple[str, str, str]:
    row = film.trace[n]
    return number(n + 1), number(row.time, 3), sentence(row, again=n in film.ledger.again)


def mermaid(film: Film, most: int) -> str:
    """A sequence diagram: messages in the order in which they leave, solid, their receipts and answers dashed."""
    arrows = sorted(film.told.arrows, key=lambda arrow: (arrow.left, arrow.came))
    shown = arrows[:most]
    end = shown[-1].left if len(shown) < len(arrows) else film.trace[-1].ns
    there = {name for arrow in shown for name in (arrow.source, arrow.target)} | {mark.who for mark in film.told.marks}
    names = {name: f"n{n}" for n, name in enumerate(film.told.kinds) if name in there}
    lines: list[tuple[int, str]] = [(arrow.left, _message(arrow, names)) for arrow in shown]
    lines += [
        (mark.ns, f"Note over {names[mark.who]}: {number(mark.ns / SECOND, 3)} s {_literal(f'{mark.kind} {mark.note}'.strip())}")
        for mark in film.told.marks
        if mark.who in names and mark.ns <= end
    ]
    lines.sort(key=lambda line: line[0])  # stable
    rest = len(arrows) - len(shown)
    more = [f"Note over {next(iter(names.values()))}: {rest:,} messages more"] if rest else []
    actors = [
        f"{'actor' if film.told.kinds[name] == 'client' else 'participant'} {short} as {_literal(name)}"
        for name, short in names.items()
    ]
    return "\n    ".join(["sequenceDiagram", *actors, *(line for _, line in lines), *more])


def _message(arrow: Arrow, names: dict[str, str]) -> str:
    dashed = arrow.kind in ("receipt", "refusal", "gone", "reply")
    stroke = ("--" if dashed else "-") + ("x" if arrow.lost else ")" if arrow.kind == "event" else ">>")
    word = {"event": "", "receipt": "ack ", "refusal": "nack ", "gone": "connection lost ", "call": "asks ", "reply": "answers "}
    text = word[arrow.kind] + (arrow.event.id if arrow.event else "") + (" again" if arrow.again else "")
    text += " (lost)" if arrow.lost else ""
    return f"{names[arrow.source]}{stroke}{names[arrow.target]}: {number(arrow.left / SECOND, 3)} s {_literal(text)}"


def _literal(text: str) -> str:
    """Text that Mermaid shows as it is: what could mean something to it, or to HTML, goes by its number."""
    return "".join(char if char in SAFE else f"#{ord(char)};" for char in clean(text, 60))


def picture(film: Film) -> bytes:
    """The timeline of a short film; of a long one the map as it is at the end, and what happened on the way."""
    if film.told.kinds and len(film.told.kinds) <= LANES and 0 < len(film.told.arrows) <= ARROWS:
        return _packed(timeline(film.trace).png())
    return _packed(_map(film))


def _packed(png: bytes) -> bytes:
    """The same picture with at most so many colours: a third of the size, and no difference to the eye."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLORS).save(out, format="png", optimize=True)
    return out.getvalue()


def _map(film: Film) -> bytes:
    """The cards and edges of the player, with the state after the last row and the moments that stand out."""
    plan = film.plan
    told = _headlines(film)
    scale = min(1.0, 900 / plan.width)
    canvas = Canvas(900, round(plan.height * scale + 34 + 17 * len(told)))
    for edge in film.edges:
        color, dash = {"call": (PINK, (0, (1, 1.2))), "store": (GREY, (0, (4, 2)))}.get(edge.kind, (BLUE, "solid"))
        points = [(x * scale, y * scale) for x, y in edge.points]
        canvas.line(points, color, 0.9, dash)
        canvas.arrow(points[-2], points[-1], color, 0.9, dash, 4 if edge.kind != "store" else 0)
    last = film.ledger.after(len(film.trace))
    for node in film.nodes.values():
        box = plan.boxes[node.name]
        left, top, right = box.x * scale, box.y * scale, (box.x + box.wide) * scale
        canvas.box((left, top, right, top + box.high * scale), FILL[node.kind], EDGE[node.kind], "", 1.3, 4)
        if node.kind in ("service", "server", "saga") and not node.lines:
            state = "crashed" if ("down", node.name) in last else "up"
            canvas.text(right - 8, top + HEAD * scale / 2, state, RED if state == "crashed" else GREY, 7, ha="right")
        size = fitting(clean(node.name, 24), right - left - 50)
        canvas.text(left + 8, top + HEAD * scale / 2, node.name, size=size * max(scale, 0.8), weight="bold", most=24)
        for n, line in enumerate(node.lines):
            text = _line(film, node, line, n, last)
            at = top + (HEAD + LINE * (n + 0.5) - FOOT / 2) * scale
            color = RED if "dead" in text or "crashed" in text else INK
            canvas.text(left + 8, at, text, color, 7 * max(scale, 0.8), most=int((right - left) / 5.2))
    y = plan.height * scale + 14
    canvas.line([(14, y - 8), (886, y - 8)], PALE, 0.8)
    head = f"{repr_of(film)}; the state shown is that of the end"
    canvas.text(14, y + 2, head, GREY, 7.5, most=140)
    for n, (time, text) in enumerate(told, 1):
        canvas.text(14 + 60, y + 2 + 17 * n, time, GREY, 7.5, ha="right")
        canvas.text(14 + 70, y + 2 + 17 * n, text, INK, 7.5, most=130)
    return canvas.picture("").png()


def repr_of(film: Film) -> str:
    """How much there is."""
    return f"{len(film.events):,} events, {len(film.trace):,} rows, {number(film.trace[-1].time, 3)} virtual seconds"


def _headlines(film: Film) -> list[tuple[str, str]]:
    """The rows that stand out, the first of each sort first; of a run without any, its beginning."""
    seen: dict[str, list[int]] = {}
    for n, row in enumerate(film.trace):
        said = case(row, again=n in film.ledger.again)
        if said in MOMENTS:
            seen.setdefault(said, []).append(n)
    each = max(1, LINES // max(1, len(seen)))
    chosen = sorted(n for rows in seen.values() for n in rows[:each])[:LINES] or range(min(LINES, len(film.trace)))
    lines = []
    for n in chosen:
        _, time, text = _told(film, n)
        lines.append((time, text))
    rest = {MOMENTS[said]: len(rows) for said, rows in seen.items()}
    if rest:
        lines.append(("in all", ", ".join(f"{count:,} {name}" for name, count in rest.items())))
    return lines


def _line(film: Film, node: Node, line: str, n: int, facts: dict[Fact, Any]) -> str:
    """One line of a card, from the facts."""
    if node.kind == "broker" and ("queue", line) in facts:
        ready, out, dead, _ = facts["queue", line]
        name = clean(line.rpartition("/")[2], 16)
        return f"{name}: {ready:,} waiting, {out:,} out" + (f", {dead:,} dead" if dead else "")
    if node.kind == "stream":
        return f"{clean(line.rpartition('/')[2], 16)}: {facts.get(('log', line), 0):,} records"
    if node.kind == "database":
        _, shown = facts.get(("database", node.name), [0, []])
        return f"{shown[n][0]}: {shown[n][1]}" if n < len(shown) else ""
    if node.kind in ("service", "server", "saga"):
        state = "crashed" if ("down", line) in facts else "up"
        return f"{clean(line, 16)}: {state}"
    return clean(line, 24)
