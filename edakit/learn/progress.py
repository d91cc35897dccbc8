"""Where a learner is: one JSON file beside the notebooks, written whole or not at all.

`progress()` shows it. EDAKIT_PROGRESS names another file. With EDAKIT_CHECK set nothing is read or written, and all is as for a
fresh learner. A file that cannot be read, or that a newer edakit has written, is kept as a copy and a new one begun.
"""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from edakit.errors import ArgumentError
from edakit.learn import bank
from edakit.table import table

VERSION = 1
KINDS = ("exercises", "quizzes", "predictions")


class Store:
    """The file. What is written by two notebooks at once is merged, entry by entry: the file is read again before each change."""

    def __init__(self, path: Path | None) -> None:
        self.path = path  # None: nothing is read or written
        self._unsaved: dict[str, Any] = {}  # what could not be written is remembered until the kernel ends

    def read(self) -> dict[str, dict[str, Any]]:
        """All entries, by kind. A file that is no progress file is kept as a copy, and said so once."""
        data: Any = {}
        if self.path is not None and not self._unsaved:
            try:
                data = json.loads(self.path.read_text("utf-8"))
            except FileNotFoundError:
                data = {}
            except (OSError, ValueError, RecursionError):
                data = self._keep("is empty" if self._size() == 0 else "cannot be read")
        elif self._unsaved:
            data = self._unsaved
        if data and (not isinstance(data, dict) or not isinstance(data.get("version"), int)):
            data = self._keep("is no progress file")
        elif data and data["version"] > VERSION:
            data = self._keep(f"is of a newer edakit (version {data['version']})")
        entries = {kind: data.get(kind) for kind in KINDS}
        return {
            kind: {name: entry for name, entry in found.items() if isinstance(entry, dict)} if isinstance(found, dict) else {}
            for kind, found in entries.items()
        }

    def change(self, kind: str, name: str, **values: Any) -> None:
        """Set some values of one entry."""
        if self.path is None:
            return
        entries = self.read()
        entries[kind].setdefault(name, {}).update(values)
        self.write(entries)

    def write(self, entries: dict[str, dict[str, Any]]) -> None:
        """Replace the file: the old one or the new one is there at every moment, never a half."""
        if self.path is None:
            return
        data, made = {"version": VERSION, **entries}, ""
        try:
            handle, made = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(data, indent=1, sort_keys=True) + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(made).replace(self.path)
            self._unsaved = {}
        except OSError as error:
            if not self._unsaved:
                print(f"Your progress cannot be saved ({error}); it is kept until this notebook is closed.")
            self._unsaved = data
            with contextlib.suppress(OSError):
                Path(made).unlink()

    def exercise(self, id: str, *, passed: bool, anomaly: str) -> None:
        """An exercise has been tried."""
        if self.path is not None:
            before = self.read()["exercises"].get(id, {})
            met = [*dict.fromkeys([*_list(before.get("met")), *([anomaly] if anomaly else [])])]
            self.change(
                "exercises", id, tries=_int(before.get("tries")) + 1, passed=passed or bool(before.get("passed")), met=met
            )

    def hint(self, id: str, level: int) -> None:
        """A hint has been read."""
        if self.path is not None:
            before = self.read()["exercises"].get(id, {})
            self.change("exercises", id, hints=max(level, _int(before.get("hints"))))

    def passed(self, id: str) -> bool:
        """Whether an exercise has been solved."""
        return bool(self.read()["exercises"].get(id, {}).get("passed"))

    def _size(self) -> int:
        with contextlib.suppress(OSError):
            return self.path.stat().st_size if self.path else 0
        return -1

    def _keep(self, why: str) -> dict[str, Any]:
        """Keep a copy of what cannot be used, and begin anew."""
        assert self.path is not None, "only a file that was read can be unusable"
        number = 1
        while (copy := self.path.with_name(f"{self.path.name}.bak-{number}")).exists():
            number += 1
        try:
            shutil.copyfile(self.path, copy)
        except OSError as error:
            print(f"{self.path.name} {why}, and cannot be copied ({error}): your progress begins anew.")
        else:
            print(f"{self.path.name} {why}: it is kept as {copy.name}, and your progress begins anew.")
        self.write({kind: {} for kind in KINDS})
        return {}


class Progress:
    """Where you are; printed, a table. `reset("00-1")` forgets an exercise, `reset("00")` a notebook, `reset()` everything."""

    def __init__(self, kept: Store) -> None:
        self._store = kept

    def rows(self) -> list[dict[str, Any]]:
        """A row for each notebook that has something to do."""
        entries = self._store.read()
        tasks, quizzes = bank.exercises(), bank.quizzes()
        rows = []
        for nr in sorted({*(id[:2] for id in tasks), *quizzes, *_guessed(entries)}):
            mine = [id for id in tasks if id.startswith(f"{nr}-")]
            tried = [entries["exercises"].get(id, {}) for id in mine]
            right = [each for each in entries["quizzes"].get(nr, {}).values() if each is True]
            guesses = [each for each in entries["predictions"].values() if each.get("notebook") == nr]
            rows.append(
                {
                    "notebook": nr,
                    "exercises": f"{sum(bool(each.get('passed')) for each in tried)} of {len(mine)}",
                    "hints": sum(_int(each.get("hints")) for each in tried),
                    "quiz": f"{len(right)} of 5" if nr in quizzes else "",
                    "predictions right": f"{sum(bool(each.get('right')) for each in guesses)} of {len(guesses)}",
                }
            )
        return rows

    def todo(self) -> list[str]:
        """The exercises that are not solved."""
        solved = self._store.read()["exercises"]
        return [id for id in bank.exercises() if not solved.get(id, {}).get("passed")]

    def reset(self, what: str | None = None) -> "Progress":
        """Forget one exercise, one notebook, or everything. Raises ArgumentError for what is not there."""
        entries = self._store.read()
        if what is None:
            entries = {kind: {} for kind in KINDS}
        elif what in bank.exercises() or what in entries["exercises"]:
            entries["exercises"].pop(what, None)
        elif what in {*(id[:2] for id in bank.exercises()), *bank.quizzes(), *_guessed(entries)}:
            entries["quizzes"].pop(what, None)
            entries["exercises"] = {id: each for id, each in entries["exercises"].items() if not id.startswith(f"{what}-")}
            entries["predictions"] = {q: each for q, each in entries["predictions"].items() if each.get("notebook") != what}
        else:
            raise ArgumentError(f"reset({what!r}): an exercise ({', '.join(bank.exercises())}), a notebook, or nothing for all")
        self._store.write(entries)
        return self

    def __repr__(self) -> str:
        rows, todo = self.rows(), self.todo()
        if not rows:
            return "nothing to do yet: there are no exercises beside this notebook"
        loose = [each for each in self._store.read()["predictions"].values() if not each.get("notebook")]
        lines = [str(table(rows)), f"next: exercise {todo[0]}" if todo else "every exercise is solved"]
        if loose:
            lines.insert(1, f"predictions elsewhere: {sum(bool(each.get('right')) for each in loose)} of {len(loose)} right")
        return "\n".join(lines)


def progress() -> Progress:
    """Where you are, over all notebooks."""
    return Progress(store())


def store() -> Store:
    """The progress file of this learner, as the environment says now."""
    path = None if os.environ.get("EDAKIT_CHECK") else Path(os.environ.get("EDAKIT_PROGRESS") or "progress.json").absolute()
    if path not in _stores:
        _stores[path] = Store(path)
    return _stores[path]


_stores: dict[Path | None, Store] = {}


def notebook() -> str:
    """The number of the notebook that runs here, empty where nobody says (Jupyter does)."""
    name = Path(os.environ.get("JPY_SESSION_NAME", "")).name
    return name[:2] if name[:2].isdigit() else ""


def _guessed(entries: dict[str, dict[str, Any]]) -> set[str]:
    return {each["notebook"] for each in entries["predictions"].values() if isinstance(each.get("notebook"), str)} - {""}


def _int(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _list(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
