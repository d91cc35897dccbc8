"""What `import edakit` costs and brings along."""

import json
import statistics
import subprocess
import sys

import pytest

import edakit

COLD = """
import json, sys, time
start = time.process_time()
import edakit
print(json.dumps([time.process_time() - start, sorted(sys.modules)]))
"""
LAZY = ["plot", "measure", "table", "grid", "panel", "predict"]


def imported() -> tuple[float, set[str]]:
    """Processor seconds of an import in a new process (other programs do not count), and the modules there are then."""
    seconds, modules = json.loads(subprocess.check_output([sys.executable, "-c", COLD], timeout=60))
    return seconds, {name.partition(".")[0] for name in modules}


def test_it_takes_less_than_150_ms_and_loads_nothing_that_draws_or_shows():
    runs = [imported() for _ in range(5)]
    assert not runs[0][1] & {"matplotlib", "networkx", "ipywidgets", "anywidget", "IPython", "numpy", "asyncio"}
    assert statistics.median(seconds for seconds, _ in runs) < 0.150


def test_all_names_are_there_and_in_the_table_of_the_docstring():
    for name in edakit.__all__:
        assert getattr(edakit, name) is not None
        assert f"    {name:12} " in edakit.__doc__
    assert len(edakit.__all__) == len(set(edakit.__all__))
    assert len(edakit.__all__) < 40


def test_a_star_import_brings_those_names():
    names: dict = {}
    exec("from edakit import *", names)
    assert set(edakit.__all__) <= set(names)


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(AttributeError, match="edakit has no 'Labb'; it has: Lab, Service"):
        edakit.Labb  # noqa: B018


def test_an_old_python_is_told_which_it_needs(monkeypatch):
    import importlib

    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    monkeypatch.setattr(sys, "version", "3.10.13 (main)")
    source = edakit.__file__
    spec = importlib.util.spec_from_file_location("old_edakit", source)
    with pytest.raises(ImportError, match=r"edakit needs Python 3\.11 or later, this is 3\.10\.13"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
