"""In a real kernel: a hostile answer ends in a verdict, and the next cell runs."""

import os
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SET_UP = 'from edakit import Service, exercise, progress, quiz, predict\nex = exercise("00-1")\nex'
LOOP = """
notification = Service("notification")

@notification.on("payment.processed")
async def tell(event, ctx):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass

ex.check(notification)
"""
CHATTY = LOOP.replace("while True:\n        try", "for _ in range(1):\n        try").replace(
    "while True:\n                pass", 'print("x" * 1000)\n            await ctx.publish("mail.sent", event.data)'
)


def text(cell):
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)


@pytest.mark.slow
def test_a_hostile_answer_in_a_kernel(tmp_path, monkeypatch):
    monkeypatch.delenv("EDAKIT_CHECK", raising=False)
    monkeypatch.setenv("EDAKIT_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    cells = [
        SET_UP,
        "import time\nstart = time.perf_counter()",
        LOOP,
        "time.perf_counter() - start < 2",
        CHATTY,
        "print('alive')",
        "start = time.process_time(); time.sleep(0.3); time.process_time() - start < 0.15",
        "progress()",
        'q = quiz("00")\nq',
        "q.answer(2, 'c')",
    ]
    notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    began = time.monotonic()
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute(env=dict(os.environ))
    said = [text(cell) for cell in notebook.cells]
    assert "Mail only what is paid" in said[0]
    assert "it does not end" in said[2]
    assert said[3] == "True"
    assert "passed" in said[4]
    assert "Your code printed" in said[4]
    assert "xxx" not in said[4]
    assert said[5].strip() == "alive"
    assert said[6] == "True", "the answer that would not end still runs"
    assert "1 of 2" in said[7]
    assert said[9].startswith("Right.")
    assert time.monotonic() - began < 60
    nbformat.validate(notebook)
