"""A notebook in the wrong Python: one clear line, whatever the Python, and no stack."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
READ_BY_ANY = ("edakit/__init__.py", "notebooks/shop/__init__.py")

OLD = "import sys; sys.path[:0] = {path}; sys.version_info = (3, 8, 18); import shop"
MISSING = "import sys; sys.path[:0] = {path}; sys.modules['edakit'] = None; import shop"


def shown_in_a_notebook(cell: str, *path: str) -> list[str]:
    """The lines that IPython shows for a cell, run in a fresh process."""
    code = cell.format(path=[str(ROOT / part) for part in path])
    script = f"from IPython.core.interactiveshell import InteractiveShell; InteractiveShell().run_cell({code!r})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("path", READ_BY_ANY)
def test_what_an_old_python_reads_first_is_python_3_7(path):
    ast.parse((ROOT / path).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_the_version_is_looked_at_before_anything_of_ours_is_imported():
    body = ast.parse((ROOT / "edakit/__init__.py").read_text(encoding="utf-8")).body
    check = next(n for n, node in enumerate(body) if isinstance(node, ast.If) and "version_info" in ast.unparse(node.test))
    assert [ast.unparse(node) for node in body[1:check]] == ["import sys"]


def test_a_cell_in_an_old_python_shows_one_line():
    (line,) = shown_in_a_notebook(OLD, "", "notebooks")
    assert line.startswith("edakit needs Python 3.11 or later, this is ")
    assert line.endswith("start Jupyter from a newer one")


def test_a_cell_in_a_python_without_edakit_shows_one_line():
    (line,) = shown_in_a_notebook(MISSING, "notebooks")
    assert line.startswith("This notebook runs in Python {}.{}, which has no edakit".format(*sys.version_info))
    assert "make lab" in line
    assert "pip install" in line
