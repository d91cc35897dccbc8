"""The exercises and quizzes: small Python files beside the notebooks, `exercises/NN_k.py` and `exercises/NN_quiz.py`.

Adding one touches no code of the package. An exercise file holds these names:

{names}

A solution in which some words are replaced is a wrong answer in short: WRONG may give a dict {{old: new}} in place of code.
"""

import ast
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from edakit.chance import Random
from edakit.errors import ArgumentError
from edakit.sim.faults import Fault

ANOMALIES = (
    "lost",  # something that had to happen did not
    "duplicate",  # it happened more than once
    "reordered",  # it happened in an order that it must not
    "stale",  # something old was taken for the present state
    "phantom",  # it happened without its cause
    "oversold",  # more was given away than there is
    "orphan saga",  # a flow that nobody will end
    "stuck",  # something waits for ever
    "wrong value",  # anything else: the text says what was found and what is right
)
NAMES = {
    "TITLE": "a few words",
    "TASK": "Markdown: what to write, and what the check does to it",
    "ANSWER": "the names that the learner defines, separated by commas: what `check` is given, in this order",
    "STUB": "the code that the learner starts from",
    "SOLUTION": "the code of a right answer",
    "WRONG": "{what is wrong with it: (anomaly, code or {old: new})}, three or more",
    "NUDGES": "{anomaly: a question that points at the mistake}",
    "CONCEPT": "the idea that is missing",
    "SKELETON": "code with blanks",
    "DISCUSSION": "what there is to say once it is solved",
    "OTHERS": "other good answers, each in a sentence",
    "plan": "plan(random) -> (events, faults): one attack, drawn anew for each seed",
    "trial": "trial(answers, case) -> (findings, trace): run it and judge; findings are (anomaly, keys, what that means)",
}
OPTIONAL: dict[str, Any] = {"PLANS": 300, "OTHERS": ()}
__doc__ = __doc__.format(names="\n".join(f"    {name:10} {text}" for name, text in NAMES.items()))

Finding = tuple[str, Iterable[Any], str]


class Case(NamedTuple):
    """One attack: the seed of the lab, what happens in it, what goes wrong."""

    seed: int
    events: tuple[Any, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Task:
    """An exercise as its file says it."""

    id: str
    title: str
    task: str
    answer: tuple[str, ...]
    stub: str
    solution: str
    wrong: Mapping[str, tuple[str, Any]]
    nudges: Mapping[str, str]
    concept: str
    skeleton: str
    discussion: str
    others: Sequence[str]
    plans: int
    plan: Callable[[Random], tuple[Iterable[Any], Iterable[Fault]]]
    trial: Callable[[tuple[Any, ...], Case], tuple[Iterable[Finding], Any]]

    def case(self, seed: int) -> Case:
        """The attack of a seed."""
        events, faults = self.plan(Random(f"{self.id}/{seed}"))
        return Case(seed, tuple(events), tuple(faults))

    def wrong_code(self, what: str) -> str:
        """The code of a known wrong answer. Raises ArgumentError if it replaces what is not there."""
        code = self.wrong[what][1]
        if isinstance(code, str):
            return code
        text = self.solution
        for old, new in code.items():
            if old not in text:
                raise ArgumentError(f"exercise {self.id}, {what!r}: {old!r} is not in the solution")
            text = text.replace(old, new)
        return text

    def built(self, code: str) -> tuple[Any, ...]:
        """The answers that code defines."""
        space: dict[str, Any] = {"__name__": "__answer__"}
        exec(compile(ast.parse(code), f"<answer to {self.id}>", "exec"), space)  # noqa: S102  code of the exercise file itself
        return tuple(space[name] for name in self.answer)


def folder() -> Path:
    """Where the exercises are: EDAKIT_EXERCISES, or `exercises` beside the notebook, or below `notebooks`.

    Raises ArgumentError if there are none.
    """
    named = os.environ.get("EDAKIT_EXERCISES")
    places = [Path(named)] if named else [Path("exercises"), Path("notebooks/exercises")]
    for place in places:
        if place.is_dir():
            return place.resolve()
    raise ArgumentError(f"no folder {' or '.join(map(str, places))}: start Jupyter in the folder of the notebooks")


def exercises() -> list[str]:
    """The ids of all exercises, in order."""
    found = [path.stem.split("_") for path in folder().glob("[0-9][0-9]_*.py")]
    numbers = sorted((nr, int(k)) for nr, k in (stem for stem in found if len(stem) == 2) if k.isdigit())
    return [f"{nr}-{k}" for nr, k in numbers]


def quizzes() -> list[str]:
    """The numbers of the notebooks that have a quiz, in order."""
    return sorted(path.stem[:2] for path in folder().glob("[0-9][0-9]_quiz.py"))


def load(id: str) -> Task:
    """Read an exercise. Raises ArgumentError for one that is not there or is not complete."""
    if id not in exercises():
        raise ArgumentError(f"no exercise {id!r}; there are: {', '.join(exercises()) or 'none yet'}")
    module = _module(id.replace("-", "_"))
    missing = [name for name in NAMES if not hasattr(module, name) and name not in OPTIONAL]
    if missing:
        raise ArgumentError(f"exercise {id} lacks {', '.join(missing)}; see edakit.learn.bank")
    value: dict[str, Any] = {name: getattr(module, name, OPTIONAL.get(name)) for name in (*NAMES, "PLANS")}
    unknown = {name for name, _ in value["WRONG"].values()} | set(value["NUDGES"])
    if unknown - set(ANOMALIES):
        raise ArgumentError(f"exercise {id}: no anomaly {unknown - set(ANOMALIES)}; there are: {', '.join(ANOMALIES)}")
    answer = tuple(name.strip() for name in value["ANSWER"].split(","))
    texts = {name.lower(): value[name].strip("\n") for name in ("TASK", "STUB", "SOLUTION", "SKELETON", "CONCEPT", "DISCUSSION")}
    return Task(
        id=id,
        title=value["TITLE"],
        answer=answer,
        wrong=value["WRONG"],
        nudges=value["NUDGES"],
        others=value["OTHERS"],
        plans=value["PLANS"],
        plan=value["plan"],
        trial=value["trial"],
        **texts,
    )


def load_quiz(nr: str) -> Callable[[Any], Sequence[Any]]:
    """The function `questions(lab)` of a quiz. Raises ArgumentError if there is none."""
    if nr not in quizzes():
        raise ArgumentError(f"no quiz {nr!r}; there are: {', '.join(quizzes()) or 'none yet'}")
    module = _module(f"{nr}_quiz")
    if not hasattr(module, "questions"):
        raise ArgumentError(f"quiz {nr} lacks a function questions(lab)")
    found: Callable[[Any], Sequence[Any]] = module.questions
    return found


def _module(stem: str) -> ModuleType:
    """Read a file of the bank anew; it may import what lies beside its folder, as a notebook does."""
    path = folder() / f"{stem}.py"
    if (home := str(path.parent.parent)) not in sys.path:
        sys.path.append(home)
    spec = importlib.util.spec_from_file_location(f"exercise_{stem}", path)
    assert spec is not None, "a .py file has a loader"
    assert spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
