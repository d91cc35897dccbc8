"""What the README shows runs, and what it names is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LISTINGS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
FILES = sorted(set(re.findall(r"`((?:edakit|tools|notebooks|\.github)/[\w./]+\.(?:py|yml|ipynb))`", README)))


@pytest.mark.parametrize("listing", LISTINGS, ids=[f"listing {number}" for number in range(1, len(LISTINGS) + 1)])
def test_each_listing_runs_and_shows_something(listing):
    run = subprocess.run([sys.executable, "-W", "error", "-c", listing], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert "order.placed" in listing
    assert "placed" in run.stdout


@pytest.mark.parametrize("name", FILES)
def test_each_file_it_names_is_there(name):
    assert (ROOT / name).exists()


def test_there_is_a_listing_and_files_are_named():
    assert LISTINGS
    assert len(FILES) >= 4


def test_each_target_it_names_is_in_the_makefile():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert named
    assert not named - targets
