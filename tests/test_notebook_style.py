"""The house style of the notebooks, in figures. Each test names one figure and says the number it found."""

import json
import re
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
CLAIM_IDS = Path(__file__).parent / "notebooks" / "claim_ids.txt"
PATHS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
NEEDED = [
    "00_start_here", "01_request_response_vs_events", "02_pubsub_vs_streaming", "03_components",
    "04_eventual_consistency", "05_ordering",
    "06_dead_letters_and_retries", "07_brokers_compared", "08_idempotency", "09_order_processing",
    "10_schema_evolution", "11_sagas", "12_event_sourcing_and_cqrs",
]  # fmt: skip

every_notebook = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def practice(path: Path) -> list[dict[str, Any]]:
    """The cells of `## Your turn`, which ends at the next heading."""
    turn, mine = [], False
    for cell in read(path)["cells"]:
        headings = re.findall(r"^## .*", "".join(cell["source"]), flags=re.MULTILINE) if cell["cell_type"] == "markdown" else []
        mine = headings[-1] == "## Your turn" if headings else mine
        turn += [cell] if mine else []
    return turn


def sources(path: Path, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == kind]


def outputs(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(cell, output) for cell in read(path)["cells"] for output in cell.get("outputs", [])]


def words(prose: str) -> int:
    return len(re.findall(r"\w[\w'\u2019.-]*", re.sub(r"```.*?```", "", prose, flags=re.DOTALL)))


def lines(code: str) -> int:
    return sum(1 for line in code.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def lengths(path: Path) -> list[int]:
    return [lines(code) for code in sources(path, "code")]


def calls(path: Path, name: str) -> int:
    return sum(len(re.findall(rf"(?<![\w.]){name}\(", code)) for code in sources(path, "code"))


def text_of(output: dict[str, Any]) -> str:
    parts = [output.get("text", ""), output.get("evalue", ""), output.get("traceback", "")]
    parts += [value for kind, value in output.get("data", {}).items() if not kind.startswith(("image/png", "image/jpeg"))]
    return "\n".join(json.dumps(part) if isinstance(part, dict) else "".join(part) for part in parts)


@pytest.mark.parametrize("name", NEEDED)
def test_the_first_notebooks_are_there(name):
    assert (NOTEBOOKS / f"{name}.ipynb").exists()


@every_notebook
def test_40_to_70_cells(path):
    found = len(read(path)["cells"])
    assert 40 <= found <= 70, f"{found} cells"


@every_notebook
def test_1000_to_2000_words_of_prose(path):
    found = sum(words(prose) for prose in sources(path, "markdown"))
    assert 1_000 <= found <= 2_000, f"{found} words"


@every_notebook
def test_60_to_150_lines_of_code(path):
    found = sum(lengths(path))
    assert 60 <= found <= 150, f"{found} lines of code"


@every_notebook
def test_half_of_the_code_cells_have_at_most_3_lines(path):
    found = median(lengths(path))
    assert found <= 3, f"median of {found} lines"


@every_notebook
def test_nine_of_ten_code_cells_have_at_most_8_lines(path):
    found = quantiles(lengths(path), n=10, method="inclusive")[-1]
    assert found <= 8, f"nine in ten have up to {found:.1f} lines"


@every_notebook
def test_no_code_cell_has_more_than_15_lines(path):
    longest = max(sources(path, "code"), key=lines)
    assert lines(longest) <= 15, f"{lines(longest)} lines in the cell that starts {longest.splitlines()[0]!r}"


@every_notebook
def test_the_first_code_comes_within_120_words(path):
    before = 0
    for cell in read(path)["cells"]:
        if cell["cell_type"] == "code":
            break
        before += words("".join(cell["source"]))
    assert before <= 120, f"{before} words before the first code"


@every_notebook
def test_no_run_of_prose_is_longer_than_300_words(path):
    run = longest = 0
    for cell in read(path)["cells"]:
        run = run + words("".join(cell["source"])) if cell["cell_type"] == "markdown" else 0
        longest = max(longest, run)
    assert longest <= 300, f"{longest} words without a cell of code between them"


@every_notebook
def test_at_least_3_knobs_to_turn(path):
    found = calls(path, "panel")
    assert found >= 3, f"{found} calls of panel()"


@every_notebook
def test_no_widget_that_a_checked_notebook_cannot_hold(path):
    named = re.compile(r"\b(interact|interactive|interact_manual|interactive_output|Output)\s*\(")
    found = [hit[0] for code in sources(path, "code") for hit in named.finditer(code)]
    assert not found, f"{found}: nbval and nbclient trip over them; use panel()"


@every_notebook
def test_the_learners_turn_is_short_and_asks_for_what_the_bank_has(path):
    code = ["".join(cell["source"]) for cell in practice(path) if cell["cell_type"] == "code"]
    asked = re.findall(r'exercise\("(\d\d-\d)"\)', "\n".join(code))
    there = sorted(each.stem.replace("_", "-") for each in (NOTEBOOKS / "exercises").glob(f"{path.stem[:2]}_[0-9].py"))
    assert asked == there, "the exercises of the bank, in order"
    assert 2 <= len(asked) <= 4
    assert len(practice(path)) <= 6 + 2 * len(asked)
    assert max(map(lines, code)) <= 15
    said = [text_of(output) for cell in practice(path) for output in cell.get("outputs", [])]
    assert sum("not answered yet" in text for text in said) == len(asked), "each starts as a stub"
    assert any(f'quiz("{path.stem[:2]}"' in text for text in code)


@every_notebook
def test_one_heading_of_the_first_level(path):
    prose = [re.sub(r"```.*?```", "", text, flags=re.DOTALL) for text in sources(path, "markdown")]
    found = re.findall(r"^# .*", "\n".join(prose), flags=re.MULTILINE)
    assert len(found) == 1, f"{len(found)} headings: {found}"


@every_notebook
def test_outputs_are_saved(path):
    cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    found = sum(bool(cell["outputs"]) for cell in cells)
    assert found * 2 >= len(cells), f"{found} of {len(cells)} code cells have an output; run: make notebooks"


@every_notebook
def test_pictures_are_saved_as_png(path):
    found = sum("image/png" in output.get("data", {}) for _, output in outputs(path))
    assert found >= 3, f"{found} pictures; JupyterLab shows nothing else before the first run"


@every_notebook
def test_only_cells_tagged_for_it_raise(path):
    raising = [(cell, output["evalue"]) for cell, output in outputs(path) if output["output_type"] == "error"]
    found = [text for cell, text in raising if "raises-exception" not in cell["metadata"].get("tags", [])]
    assert not found, f"errors in untagged cells: {found}"


@every_notebook
def test_ids_and_counts_are_normalised(path):
    cells = read(path)["cells"]
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert [cell["id"] for cell in cells] == [f"c{number:03d}" for number in range(len(cells))]
    assert counts == list(range(1, len(counts) + 1)), "run: make notebooks"


@every_notebook
def test_no_widget_state_is_saved(path):
    assert set(read(path)["metadata"]) == {"kernelspec", "language_info"}
    found = [kind for _, output in outputs(path) for kind in output.get("data", {}) if "widget" in kind]
    assert not found, f"{found}: shown as a broken widget when the file is opened; run: make notebooks"


@every_notebook
def test_nothing_of_the_machine_it_ran_on_is_saved(path):
    place = re.compile(r"(/home/|/r[o]ot/|/Users/|/tmp/|/var/|[A-Z]:\\\\?Users|site-packages|\.venv|0x[0-9a-f]{6,}|np\.float64)")
    found = [hit[0] for _, output in outputs(path) for hit in place.finditer(text_of(output))]
    assert not found, f"{found[:5]}"


@every_notebook
def test_claims_it_names_exist(path):
    listed = [line for line in CLAIM_IDS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    known = set(" ".join(listed).split())
    named = re.findall(r"\b(?:[CQ]\d+(?:\.\d+)?|S\.\d+)\b", "\n".join(sources(path, "markdown") + sources(path, "code")))
    assert not set(named) - known, f"unknown claims: {sorted(set(named) - known)}"


@every_notebook
def test_nothing_is_left_unfinished(path):
    found = re.findall(r"TODO|FIXME|XXX|lorem ipsum", "\n".join(sources(path, "markdown") + sources(path, "code")))
    assert not found, f"{found}"
