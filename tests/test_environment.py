"""environment.yml and pyproject.toml name the same packages in the same versions, in the words of conda."""

import re
import tomllib
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"matplotlib": "matplotlib-base"}  # conda-forge's matplotlib also brings Qt
CONDA_ONLY = {"python", "pip"}
PIP_ONLY = {"proto-schema-parser"}  # conda-forge does not have it: `pip: -e .` brings it


def conda_file() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def conda_specs() -> dict[str, str]:
    lines = [line for line in conda_file()["dependencies"] if isinstance(line, str)]
    pairs = [(line.split()[0], " ".join(line.split()[1:])) for line in lines]
    assert len(dict(pairs)) == len(pairs), "environment.yml names a package twice"
    return dict(pairs)


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def project_specs() -> dict[str, str]:
    needed = project()["dependencies"] + project()["optional-dependencies"]["lab"]
    parts = [re.fullmatch(r"([\w.-]+)\s*([^;\[\]]*)", line) for line in needed]
    assert all(parts), f"a requirement that this test cannot read: {needed}"
    return {CONDA_NAMES.get(part[1], part[1]): part[2].strip() for part in parts if part}


def locked_versions() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE):
        found.setdefault(CONDA_NAMES.get(name, name), []).append(version)
    return found


def test_conda_and_pip_install_the_same_packages_in_the_same_versions():
    conda = {name: spec for name, spec in conda_specs().items() if name not in CONDA_ONLY}
    assert conda == {name: spec for name, spec in project_specs().items() if name not in PIP_ONLY}


def test_conda_asks_for_the_python_of_the_project():
    assert conda_specs()["python"] == project()["requires-python"]


def test_the_environment_is_called_edakit_and_installs_this_package():
    environment = conda_file()
    assert environment["name"] == "edakit"
    assert environment["channels"][0] == "conda-forge"
    assert {"pip": ["-e ."]} in environment["dependencies"]
    assert "pip" in conda_specs(), "conda warns when pip is used and not named"


@pytest.mark.parametrize("name", sorted(conda_specs()))
def test_conda_can_read_each_line_and_the_locked_version_fits(name):
    rattler = pytest.importorskip("rattler")
    spec = rattler.MatchSpec(f"{name} {conda_specs()[name]}".strip(), strict=True)
    assert spec.name.normalized == name
    if name in CONDA_ONLY:
        return
    versions = locked_versions()[name]
    assert versions
    for version in versions:
        assert rattler.VersionSpec(str(spec.version)).matches(rattler.Version(version)), version


def test_the_lock_covers_every_dependency_and_names_no_address():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    extras = project()["optional-dependencies"]
    named = [re.split(r"[<>=\s]", line)[0] for line in project()["dependencies"] + extras["lab"] + extras["dev"]]
    locked = set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))
    assert not {name for name in named if name not in locked}
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
