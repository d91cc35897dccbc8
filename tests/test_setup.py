"""The set-up script finds a Python that is new enough, or says in one line what it found and what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("sh", "dirname", "cksum", "cat", "rm", "awk")
OLD = '#!/bin/sh\n[ "$1" = -c ] && echo 3.8.18\nexit 1\n'
NEW_WITHOUT_VENV = '#!/bin/sh\n[ "$1" = -c ] && echo 3.12.9 && exit 0\nexit 1\n'

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="make is not the way on Windows")


@pytest.fixture
def clone(tmp_path):
    (tmp_path / "tools").mkdir()
    for name in ("requirements.lock", "pyproject.toml", "tools/setup_env.sh"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    return tmp_path


def set_up(clone, chosen="", **commands):
    """Run the script where PATH holds nothing but the fake commands; return its status and error lines."""
    for name, script in commands.items():
        path = clone / "bin" / name.replace("_", ".")
        path.write_text(script)
        path.chmod(0o755)
    env = {"PATH": str(clone / "bin"), "PYTHON": chosen, "HOME": str(clone)}
    command = [str(clone / "bin" / "sh"), "tools/setup_env.sh"]
    run = subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, timeout=60, check=False)
    return run.returncode, run.stderr.splitlines()


def test_an_old_python_is_named_with_its_version_and_the_cure(clone):
    status, lines = set_up(clone, python3=OLD, python=OLD)
    assert status == 1
    assert len(lines) == 1
    assert "needs Python 3.11 or newer" in lines[0]
    assert "python3 is Python 3.8.18" in lines[0]
    assert "make PYTHON=" in lines[0]
    assert not (clone / ".venv").exists()


def test_no_python_at_all_is_said_in_one_line(clone):
    status, lines = set_up(clone)
    assert status == 1
    assert len(lines) == 1
    assert "no python3 was found" in lines[0]


def test_the_chosen_python_is_not_replaced_by_another(clone):
    status, lines = set_up(clone, chosen="python3", python3=OLD, python3_12=NEW_WITHOUT_VENV)
    assert status == 1
    assert "python3 is Python 3.8.18" in lines[0]


def test_a_newer_python_beside_an_old_one_is_found(clone):
    status, lines = set_up(clone, python3=OLD, python=OLD, python3_12=NEW_WITHOUT_VENV)
    assert status == 1
    assert len(lines) == 1
    assert lines[0].startswith("Python 3.12.9 has no working venv module")


def test_what_is_up_to_date_is_left_alone(clone):
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)
    sums = ["cksum", "requirements.lock", "pyproject.toml", "tools/setup_env.sh"]
    state = subprocess.check_output(sums, cwd=clone, text=True, env=os.environ, timeout=60)
    (clone / ".venv" / ".edakit-ready").write_text(state.rstrip("\n") + " ")
    assert set_up(clone) == (0, [])
    with (clone / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert set_up(clone)[0] == 1
