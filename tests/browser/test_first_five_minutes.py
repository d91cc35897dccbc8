"""What a learner does first: open a notebook, run it, look at the pictures, move a slider, see them change."""

import json
import os
from pathlib import Path

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"
NAMES = sorted(path.name for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
LOOPBACK = {"127.0.0.1", "localhost", ""}  # "" is a blob: or data: address
THEMES = ("JupyterLab Dark", "JupyterLab Light")  # the server keeps the last one for the next test
SLIDER = ".widget-slider .noUi-handle"
PICTURE = ".jp-OutputArea-output img"

# A run in a browser takes most of a minute: these show all that the others use, too. EDAKIT_BROWSER=all takes them all.
CHOSEN = ("00", "01", "02", "09", "12")
SHOWN = [name for name in NAMES if os.environ.get("EDAKIT_BROWSER") == "all" or name.startswith(CHOSEN)]

chosen_notebooks = pytest.mark.parametrize("name", SHOWN)


def code_cells(path: Path) -> list[tuple[int, str, list[str]]]:
    """Number, source and tags of the code cells."""
    cells = enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"])
    return [
        (index, "".join(cell["source"]), cell["metadata"].get("tags", [])) for index, cell in cells if cell["cell_type"] == "code"
    ]


def bytes_of(picture):
    """The picture as the browser has it: its address may stay while what is behind it changes."""
    return picture.evaluate("async image => Array.from(new Uint8Array(await (await fetch(image.src)).arrayBuffer()))")


def change_by_keyboard(notebook, cell):
    """Press an arrow on the first slider of a cell; return its picture before and after."""
    picture = cell.locator(PICTURE).first
    picture.wait_for(state="visible", timeout=20_000)
    handle = cell.locator(SLIDER).first
    before = bytes_of(picture)
    at_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    handle.focus()
    handle.press("ArrowLeft" if at_end else "ArrowRight")
    for _ in range(50):
        notebook.page.wait_for_timeout(200)
        if (after := bytes_of(picture)) != before:
            return before, after
    return before, before


def failed_cells(notebook):
    """The numbers of the cells whose output is an error, as the notebook's model has them."""
    return notebook.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets
            .map((cell, index) => [index, cell.model.type === "code" ? cell.model.outputs.toJSON() : []])
            .filter(([, outputs]) => outputs.some(output => output.output_type === "error"))
            .map(([index]) => index)"""
    )


def pictures(notebook):
    """How many outputs hold a PNG, or a widget."""
    return notebook.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets
            .flatMap(cell => cell.model.type === "code" ? cell.model.outputs.toJSON() : [])
            .filter(output => output.data && ("image/png" in output.data
                || "application/vnd.jupyter.widget-view+json" in output.data)).length"""
    )


def visible_pictures(notebook, indices):
    """Scroll through the cells; count those in which a picture with pixels is to be seen."""
    seen = 0
    for index in indices:
        image = notebook.cell(index).locator(PICTURE).first
        if image.count() and image.is_visible() and image.evaluate("image => image.naturalWidth > 50"):
            seen += 1
    return seen


def take_shots(notebook, index, folder, stem):
    for theme in THEMES:
        notebook.theme(theme)
        notebook.cell(index)
        notebook.page.wait_for_timeout(500)
        notebook.page.screenshot(path=folder / f"{stem}-{theme.split()[-1].lower()}.png")


def first_five_minutes(notebook, path, shots):
    cells = code_cells(path)
    notebook.run_all()
    may_raise = {index for index, _, tags in cells if "raises-exception" in tags}
    assert not set(failed_cells(notebook)) - may_raise
    assert pictures(notebook) >= 1
    assert visible_pictures(notebook, [index for index, *_ in cells]) >= 1
    sliders = [index for index, *_ in cells if notebook.cell(index).locator(SLIDER).count()]
    assert sliders, "no slider in this notebook"
    before, after = change_by_keyboard(notebook, notebook.cell(sliders[0]))
    assert before != after, f"the picture of cell {sliders[0]} did not follow its slider within 10 s"
    take_shots(notebook, sliders[0], shots, path.stem)
    assert notebook.hosts <= LOOPBACK, f"the page asked {sorted(notebook.hosts - LOOPBACK)}"
    assert not notebook.errors


@chosen_notebooks
def test_open_run_look_and_turn_a_knob(name, open_notebook, server, shots):
    first_five_minutes(open_notebook(name), server.folder / name, shots)


@chosen_notebooks
def test_what_was_saved_is_seen_before_anything_runs(name, open_notebook, server):
    notebook = open_notebook(name)
    saved = json.loads((server.folder / name).read_text(encoding="utf-8"))["cells"]
    drawn = [
        index
        for index, cell in enumerate(saved)
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    ]
    assert drawn, "no picture is saved in this notebook"
    assert visible_pictures(notebook, drawn) == len(drawn)
    assert notebook.page.get_by_text("Error displaying widget").count() == 0


SMALL = """
import io
import ipywidgets as W
import matplotlib.pyplot as plt
%%
def draw(height):
    figure, axes = plt.subplots(figsize=(4, 2))
    axes.bar(["a"], [height]), axes.set_ylim(0, 10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png"), plt.close(figure)
    return buffer.getvalue()
%%
slider, image = W.FloatSlider(value=2, min=0, max=10, step=1), W.Image(value=draw(2))
slider.observe(lambda change: setattr(image, "value", draw(CHANGE)), "value")
W.VBox([slider, image])
%%
LAST
"""


def small_notebook(folder, name, change, last):
    nbformat = pytest.importorskip("nbformat")
    blocks = SMALL.replace("CHANGE", change).replace("LAST", last).split("\n%%\n")
    cells = [nbformat.v4.new_code_cell(block.strip()) for block in blocks]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / name)
    return folder / name


def test_the_harness_passes_a_notebook_that_works(open_notebook, server, shots):
    path = small_notebook(server.folder, "works.ipynb", "change['new']", "1 + 1")
    first_five_minutes(open_notebook(path.name), path, shots)


@pytest.mark.parametrize(
    ("change", "last", "complaint"),
    [("2", "1 + 1", "did not follow its slider"), ("change['new']", "1 / 0", "set")],
    ids=["slider without effect", "cell that raises"],
)
def test_the_harness_fails_a_notebook_that_does_not(change, last, complaint, open_notebook, server, shots):
    path = small_notebook(server.folder, "broken.ipynb", change, last)
    with pytest.raises(AssertionError, match=complaint):
        first_five_minutes(open_notebook(path.name), path, shots)
