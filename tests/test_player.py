"""The player without a browser: its state is that of `state_at`, its twins tell the same run, and nothing in a trace is more than text."""

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from player_scenes import RUNS, wide

import edakit
import edakit.trace
from edakit import EdakitError, Lab, Trace, run
from edakit.player import play
from edakit.player.facts import facts
from edakit.player.film import Film, preview
from edakit.player.layout import Box, arrange, route
from edakit.player.words import MOMENTS, SAY, case, sentence
from edakit.state import State, fold
from edakit.trace import KINDS, Row

PLAYER = Path(edakit.__file__).parent / "player"
every_run = pytest.mark.parametrize("name", RUNS)


@cache
def lab_of(name):
    return RUNS[name]()


@cache
def player_of(name):
    return play(lab_of(name))


# the state


@every_run
def test_what_is_shown_after_every_row_is_the_fold_of_the_rows(name):
    ledger, state = Film(lab_of(name).trace).ledger, State()
    assert ledger.after(0) == {}
    for n, row in enumerate(lab_of(name).trace, 1):
        fold(state, row)
        assert ledger.after(n) == facts(state), f"after row {n}: {row}"


@every_run
def test_what_is_shown_at_a_time_is_state_at_that_time(name):
    trace = lab_of(name).trace
    ledger, end = Film(trace).ledger, trace[-1].time
    for t in [0, end, end + 1, *(end * n / 37 for n in range(1, 37))]:
        state = trace.state_at(t)
        shown = ledger.after(sum(row.ns <= round(t * 1e9) for row in trace))
        assert shown == facts(state)
        assert {fact[1]: value[:3] for fact, value in shown.items() if fact[0] == "queue"} == {
            place: [len(queue.ready), len(queue.unacked), len(queue.dead)] for place, queue in state.queues.items()
        }
        assert {fact[1] for fact in shown if fact[0] == "down"} == state.down


def test_the_browser_is_sent_these_steps_and_no_others():
    film = Film(lab_of("shop").trace)
    sent = json.loads(film.json())["facts"]
    assert [(entry[-2], entry[-1]) for entry in sent] == [(rows, values) for rows, values in film.ledger.steps.values()]


@every_run
def test_flights_and_work_are_those_of_the_timeline(name):
    film = Film(lab_of(name).trace, lab_of(name))
    sent, told = film.shown(), film.told
    assert len(sent["flights"]["left"]) == len([arrow for arrow in told.arrows if arrow.source != arrow.target])
    assert sent["flights"]["left"] == sorted(sent["flights"]["left"])
    for way in (*sent["flights"]["edge"], *(way for way in sent["rows"]["edge"] if way)):
        assert 1 <= abs(way) <= len(sent["edges"])
    assert sum(map(len, sent["work"].values())) == sum(bar.end > bar.start for bar in told.bars)


def test_a_message_flies_along_the_edge_between_its_ends():
    film = Film(lab_of("shop").trace)
    for way, arrow in film.flights:
        edge = film.edges[abs(way) - 1]
        ends = (edge.start, edge.end) if way > 0 else (edge.end, edge.start)
        assert ends == tuple(edakit.trace.service_of(name) for name in (arrow.source, arrow.target))


def test_rows_of_a_kind_that_the_player_does_not_know_do_not_exist():
    assert {said.split()[0] for said in SAY} == set(KINDS)
    assert set(MOMENTS) <= set(SAY)
    for kind in KINDS:
        row = Row(1, kind, "shop/mail", "mail", None, 2, 0, "begun run" if kind == "saga" else "x y z")
        assert "{" not in sentence(row)
        assert case(row) in SAY


# the wiring


@every_run
def test_no_card_covers_another_and_no_edge_runs_behind_a_card(name):
    check_plan(Film(lab_of(name).trace, lab_of(name)))


def test_a_wide_system_is_laid_out_without_crossings():
    film = Film(run(wide, seed=1, messages=60).trace)
    check_plan(film)
    assert film.plan.crossings() == 0


def check_plan(film):
    boxes = {name: film.plan.boxes[name] for name in film.nodes}
    for name, box in boxes.items():
        assert box.x >= 0
        assert box.x + box.wide <= film.plan.width
        assert box.y >= 0
        assert box.y + box.high <= film.plan.height
        for other, that in boxes.items():
            apart = box.x + box.wide <= that.x or that.x + that.wide <= box.x or box.y + box.high <= that.y
            assert other == name or apart or that.y + that.high <= box.y, f"{name} covers {other}"
    for edge in film.edges:
        for (ax, ay), (bx, by) in zip(edge.points, edge.points[1:], strict=False):
            for part in (0.25, 0.5, 0.75):
                x, y = ax + (bx - ax) * part, ay + (by - ay) * part
                for name, box in boxes.items():
                    inside = box.x + 1 < x < box.x + box.wide - 1 and box.y + 1 < y < box.y + box.high - 1
                    assert not inside, f"{edge.start}>{edge.end} runs behind {name}"


def test_barycentres_untangle_what_order_of_appearance_crosses():
    names = ["a", "b", "c", "x", "y", "z"]
    plan = arrange({name: Box(50, 20) for name in names}, [("a", "z"), ("b", "y"), ("c", "x")], ["a", "b", "c"])
    assert plan.crossings() == 0
    assert plan.layers == [["a", "b", "c"], ["z", "y", "x"]]


def test_an_edge_over_a_layer_bends_around_what_stands_there():
    boxes = {name: Box(50, 20) for name in ("a", "b", "c")}
    plan = arrange(boxes, [("a", "b"), ("b", "c"), ("c", "a")], ["a"])
    points = route(plan, "a", "c", (plan.boxes["a"].middle, plan.boxes["c"].middle), 0)
    b = plan.boxes["b"]
    assert b.x + b.wide < plan.boxes["c"].x
    assert len(plan.bends["a", "c"]) == 1
    assert not [1 for x, y in points if b.x <= x <= b.x + b.wide and b.y - 3 < y < b.y + b.high + 3]


def test_a_lab_shows_the_silent_parts_of_its_wiring_and_a_trace_does_not():
    lab, idle = Lab(), edakit.Service("idle")

    @idle.on("never")
    async def handle(event, ctx):
        """Never called."""

    shop = lab.broker("shop")
    lab.deploy(idle, on=shop, db=lab.database("store"))
    shop.publish("order.placed")
    lab.run()
    assert set(lab.play()._film.nodes) == {"client", "shop", "idle", "store"}
    assert set(lab.trace.play()._film.nodes) == {"client", "shop"}


# the door


def test_play_is_one_name_three_ways():
    lab = lab_of("web")
    assert repr(edakit.play(lab)) == repr(lab.play()) == repr(play(lab.trace)) == repr(lab.trace.play())
    again = Trace.from_json(lab.trace.to_json())
    assert again.play().film == lab.trace.play().film


@pytest.mark.parametrize(
    ("source", "options", "error", "words"),
    [
        (Lab(), {}, EdakitError, "call lab.run()"),
        ("shop", {}, TypeError, "not str"),
        (None, {}, TypeError, "not NoneType"),
        ("web", {"t": -1}, EdakitError, "t is -1"),
        ("web", {"t": "soon"}, EdakitError, "t is 'soon'"),
        ("web", {"t": float("nan")}, EdakitError, "t is nan"),
    ],
)
def test_what_cannot_be_played_is_said_in_a_line(source, options, error, words):
    source = lab_of(source) if source == "web" else source
    with pytest.raises(error, match=re.escape(words)):
        play(source, **options)


def test_a_part_of_a_trace_is_no_film():
    trace = lab_of("shop").trace
    with pytest.raises(EdakitError, match=re.escape("a film needs the whole trace")):
        trace.where("ack").play()
    assert "<player: " in repr(trace[:50].play())


def test_a_run_in_which_nothing_has_been_sent_is_a_film_too():
    lab = Lab()
    lab.broker("shop")
    lab.database("stock", {"tea": 1})
    lab.hold("shop", "stock")
    assert repr(lab.play()) == "<player: 2 nodes, 0 events, 2 rows, 0.000 virtual seconds>"
    assert lab.trace.where("hold").play().png()
    assert lab.trace.where("hold").play().mermaid() == "sequenceDiagram"


def test_a_notebook_gets_a_widget_a_picture_and_a_line():
    player = play(lab_of("shop"))
    data, _ = player._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
    assert data["text/plain"] == "<player: 7 nodes, 189 events, 869 rows, 61.209 virtual seconds>"
    assert base64.b64decode(data["image/png"]) == player.png()


@every_run
def test_the_picture_is_small_and_the_same_every_time(name):
    from PIL import Image

    png = player_of(name).png()
    assert png == play(lab_of(name)).png()
    assert len(png) < 80_000
    width, height = Image.open(io.BytesIO(png)).size
    assert width == 900
    assert height <= 720


def test_a_big_picture_is_small_too():
    assert len(play(run(wide, seed=1, messages=600)).png()) < 80_000


def test_everything_is_the_same_under_another_hash_seed():
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from player_scenes import RUNS; from edakit import play; import hashlib\n"
        "for name in ('shop', 'log', 'hostile'):\n"
        "    player = play(RUNS[name]())\n"
        "    said = (player.film, player.text().encode(), player.mermaid().encode(), player.html().encode())\n"
        "    print(repr(player), hashlib.sha256(b''.join(said)).hexdigest())"
    )
    said = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PLAYER.parent.parent,
                       env={"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": str(PLAYER.parent.parent)}).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert said[0] == said[1]
    assert said[0].count("<player") == 3


# the twins


def test_the_table_says_every_row_or_leaves_out_the_middle():
    player = player_of("web")
    lines = player.text(rows=1000).split("\n")
    assert len(lines) == 1 + len(lab_of("web").trace)
    assert "bank has crashed; its memory is gone" in player.text(rows=1000)
    short = player.text(rows=10).split("\n")
    assert len(short) == 12
    assert short[6].split(maxsplit=1)[1] == "108 rows more"
    assert str(player) == player.text()


def test_a_redelivery_is_told_as_one():
    said = player_of("shop").text(rows=10_000)
    again = sum(" again" in line for line in said.split("\n"))
    trace, state = lab_of("shop").trace, State()
    count = 0
    for row in trace:
        fold(state, row)
        count += row.kind == "deliver" and state.queues[row.place].unacked[row.tag][1] > 1
    assert count > 0
    assert again >= count


def test_the_diagram_names_everybody_and_every_message_once():
    player = player_of("web")
    lines = player.mermaid(messages=1000).split("\n    ")
    assert lines[0] == "sequenceDiagram"
    assert [line.split()[-1] for line in lines if line.startswith(("actor", "participant"))] == ["client", "api", "bank"]
    assert sum("-" in line and ">" in line for line in lines if not line.startswith("Note")) == len(player._film.told.arrows)
    assert "crash" in player.mermaid(messages=1000)
    assert "messages more" in player.mermaid(messages=5)


def test_the_page_needs_nothing_else():
    page = player_of("shop").html()
    assert re.findall(r"https?://[^\s\"'`]+", page) == ["http://www.w3.org/2000/svg"]
    assert "import " not in re.search(r'<script type="module">(.*?)</script>', page, re.DOTALL)[1].replace("important", "")
    policy = re.search(r'content="(default-src[^"]*)"', page)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag, body in re.findall(r"<(script|style)(?: type=\"module\")?>(.*?)</\1>", page, re.DOTALL):
        assert base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() in policy, tag


def test_save_writes_the_page(tmp_path):
    path = player_of("web").save(tmp_path / "film.html")
    assert path.read_text(encoding="utf-8") == player_of("web").html()


# what nobody should trust


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_hostile_text_adds_no_element_to_the_page():
    pages = [player_of(name).html() for name in ("hostile", "web")]
    hostile, harmless = ([tag for tag, _ in elements(page)] for page in pages)
    assert hostile == harmless
    for _, attributes in elements(pages[0]):
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "srcdoc")]


def elements(page):
    parser = Elements()
    parser.feed(page)
    return parser.found


def test_the_data_in_the_page_is_json_that_html_cannot_misread():
    page = player_of("hostile").html()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    assert not set(data) & set("<>&\u2028\u2029")
    assert json.loads(data)["film"] == json.loads(player_of("hostile").film)
    assert "window.hit" in data


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from (name, *strings(each))
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def test_every_text_for_the_browser_is_short_and_printable():
    for text in strings(json.loads(player_of("hostile").film)):
        assert len(text) <= 160
        assert text.isprintable()
    assert len(player_of("hostile").film) < 60_000


def test_hostile_text_moves_no_cursor_in_the_table():
    for line in player_of("hostile").text(rows=1000).split("\n"):
        assert line.isprintable()
        assert len(line) < 400


def test_hostile_text_means_nothing_in_the_diagram():
    diagram = player_of("hostile").mermaid(messages=1000)
    assert "#60;img src=x onerror=window.hit=1#62;" in diagram
    for line in diagram.split("\n")[1:]:
        assert re.fullmatch(r"    (actor|participant) n\d+ as [^<>;#%:{}\"`$&\\]*|    .*: .*", line)
        text = line.partition(": ")[2]
        assert not set(re.sub(r"#\d+;", "", text)) & set('<>;#%:{}"`$&\\[]|'), line


def test_templates_are_filled_once():
    row = Row(0, "log", "{who}", "{note}", None, 0, 0, "{place} {0} {who.__class__}")
    assert sentence(row) == "{note} says: {place} {0} {who.__class__}"


@pytest.mark.parametrize("data", ["x" * 10**6, {"a": ["y" * 10**6] * 50}, ["z"] * 10**5, {str(n): n for n in range(10**5)}])
def test_a_payload_is_not_written_out_to_be_cut(data):
    assert len(preview(data)) < 1_000


def test_a_deep_payload_is_cut():
    data = []
    for _ in range(5_000):
        data = [data]
    assert "..." in preview(data)


def test_a_short_payload_is_json():
    data = {"order": 42, "items": ["tea", {"n": 1.5}], "gift": None, "paid": True, "to": "Zoë"}
    assert json.loads(preview(data)) == data


def test_the_script_only_writes_text():
    script = (PLAYER / "player.js").read_text(encoding="utf-8")
    banned = ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("]
    banned += ["fetch(", "XMLHttp", "WebSocket", "import("]
    assert not [word for word in banned if word in script]


# what the eye needs


def colors(theme):
    """The colours of the style sheet by name, as (red, green, blue)."""
    css = (PLAYER / "player.css").read_text(encoding="utf-8")
    found = re.findall(r"--([\w-]+): (?:var\(--[\w-]+, )?light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", css)
    pick = {"light": 1, "dark": 2}[theme]
    return {entry[0]: tuple(int(entry[pick][n : n + 2], 16) for n in (1, 3, 5)) for entry in found}


def luminance(color):
    """Relative luminance, WCAG 2.2."""
    parts = [part / 255 for part in color]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


GROUNDS = {"light": ["#ffffff", "#f5f5f5"], "dark": ["#111111", "#212121"]}  # of the page, and of JupyterLab's themes
CARDS = ("client", "broker", "service", "server", "saga", "database")
WORKERS = ("service", "server", "saga")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_marks_stand_out_from_what_is_behind_them(theme):
    found = colors(theme)
    grounds = [tuple(int(ground[n : n + 2], 16) for n in (1, 3, 5)) for ground in GROUNDS[theme]]
    text = [(name, ground) for name in ("ink", "dim", "event", "call", "again", "bad", "good") for ground in grounds[:1]]
    text += [(name, found[card]) for name in ("ink", "dim") for card in CARDS]
    text += [(name, found[card]) for name in ("event", "bad") for card in WORKERS]
    text += [("bad", found["broker"]), ("ink", found["hover"])]
    marks = [
        (name, ground) for name in ("event", "call", "receipt", "again", "bad", "good", "line", "focus") for ground in grounds
    ]
    marks += [("edge-broker", grounds[0]), ("event", found["broker"])]
    low = {(name, back): round(contrast(found[name], back), 2) for name, back in text if contrast(found[name], back) < 4.5}
    low |= {(name, back): round(contrast(found[name], back), 2) for name, back in marks if contrast(found[name], back) < 3}
    assert not low


def test_contrast_is_computed_as_wcag_does():
    assert contrast((0, 0, 0), (255, 255, 255)) == 21
    assert round(contrast((0x76, 0x76, 0x76), (255, 255, 255)), 2) == 4.54


def test_no_two_marks_share_a_shape():
    script = (PLAYER / "player.js").read_text(encoding="utf-8")
    shapes = dict(re.findall(r"^  (\w+): \"(M[^\"]+)\"", script, re.MULTILINE))
    assert {"event", "again", "receipt", "refusal", "call", "reply", "lost", "crash", "dead"} <= set(shapes)
    assert len(set(shapes.values())) == len(shapes)
