"""The film where no player runs: as a page of its own, a table, a sequence diagram. (Its picture: `edakit.player.still`.)

What comes from a trace (names, keys, payloads) is text in all of them, whatever it looks like.
"""

import html
import json
from base64 import b64encode
from hashlib import sha256

from edakit.player.film import Film
from edakit.player.words import sentence
from edakit.plot.scene import Arrow
from edakit.table import clean, number
from edakit.units import SECOND

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
    cells = [told(film, n) for n in (*range(head), *range(max(tail, head), count))]
    wide = [max(len(name), *(len(cell[n]) for cell in cells)) for n, name in enumerate(("row", "seconds"))]
    lines = [
        f"{row.rjust(wide[0])}  {time.rjust(wide[1])}  {text}" for row, time, text in (("row", "seconds", "what happens"), *cells)
    ]
    if tail > head:
        lines.insert(head + 1, f"{'...'.rjust(wide[0])}  {''.rjust(wide[1])}  {tail - head:,} rows more")
    return "\n".join(lines)


def told(film: Film, n: int) -> tuple[str, str, str]:
    """Number, time and sentence of a row."""
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
