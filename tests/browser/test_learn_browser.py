"""Predictions, exercises and quizzes in a real JupyterLab: with the keyboard alone, in both themes, hostile text as text."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
LOOPBACK = {"127.0.0.1", ""}
CELLS = [
    'from edakit import Service, exercise, predict, quiz\nguess = predict("How often is Ada charged?", [0, 1, "<b>2</b>"])\nguess',
    'q = quiz("00")\nq',
    'ex = exercise("00-1")\nex',
    """service = Service("notification")

@service.on("order.placed")
async def tell(event, ctx):
    await ctx.publish("mail.sent", event.data)

ex.check(service)""",
    "guess.said, q.questions[1].chosen, q.score",
]


@pytest.fixture
def notebook(open_notebook, server):
    nbformat = pytest.importorskip("nbformat")
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, server.folder / "learn.ipynb")
    opened = open_notebook("learn.ipynb")
    opened.run_all()
    return opened


def choose_by_keyboard(notebook, cell, radio):
    """From the button before it, Tab to a radio button and choose it with Space."""
    buttons = notebook.cell(cell).locator("input[type=radio]")
    buttons.nth(radio).wait_for(state="attached", timeout=20_000)
    buttons.nth(radio - 1).focus()
    notebook.page.keyboard.press("Tab")
    assert buttons.nth(radio).evaluate("button => button === document.activeElement")
    notebook.page.keyboard.press("Space")
    notebook.page.wait_for_timeout(500)
    assert buttons.nth(radio).is_checked()


def test_a_learner_answers_with_the_keyboard_alone(notebook, shots):
    page = notebook.page
    choose_by_keyboard(notebook, 0, 1)
    assert notebook.cell(0).locator(".jp-OutputArea").get_by_text("<b>2</b>").count() == 1

    choose_by_keyboard(notebook, 1, 4)
    said = notebook.cell(1).get_by_text("That chooses how the broker behaves; it draws nothing.")
    said.wait_for(state="visible", timeout=20_000)
    choose_by_keyboard(notebook, 1, 5)
    right = notebook.cell(1).get_by_text("All chance in a lab comes from its seed.")
    right.wait_for(state="visible", timeout=20_000)

    assert notebook.cell(2).locator("strong").first.inner_text() == "Exercise 00-1: Mail only what is paid"
    verdict = notebook.cell(3).locator(".jp-OutputArea-output").first.inner_text()
    assert "phantom: a mail for an order that nobody has paid (42)" in verdict
    assert "mail-42.sent.1 of notification" in verdict

    page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex = 4")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    page.wait_for_timeout(1500)
    assert "(1, 'seed=42', 1)" in notebook.cell(4).locator(".jp-OutputArea-output").first.inner_text()

    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.theme(theme)
        for index in (0, 1, 3):
            notebook.cell(index).screenshot(path=shots / f"learn-{index}-{theme.split()[-1].lower()}.png")
    assert notebook.hosts <= LOOPBACK
    assert not notebook.errors
