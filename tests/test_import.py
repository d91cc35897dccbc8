"""What `import edakit` costs and brings along."""

import json
import subprocess
import sys

import pytest

import edakit

COLD = "import json, sys; import edakit; print(json.dumps(sorted(sys.modules)))"
HEAVY = {"matplotlib", "networkx", "ipywidgets", "anywidget", "IPython", "numpy", "asyncio", "sqlite3", "fastavro", "jsonschema"}
LAZY = ["plot", "measure", "table", "grid", "panel", "predict"]


def test_it_loads_nothing_that_draws_shows_or_stores():
    """How long it takes: `make bench`."""
    modules = set(json.loads(subprocess.check_output([sys.executable, "-c", COLD], timeout=60)))
    assert not HEAVY & {name.partition(".")[0] for name in modules}
    assert not {"edakit.plot", "edakit.player", "edakit.learn", "edakit.explorer", "edakit.store", "edakit.schema"} & modules
    assert len(modules) < 250, "each module costs about half a millisecond"


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
