"""Try to break an answer: hundreds of seeded plans, each a small system in which things go wrong; then the shortest story that fails.

An exercise says what may happen (`plan`) and what must hold (`trial`). Here it is only run: every plan with the answer made anew.
"""

import functools
import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from edakit.errors import HERE, EdakitError, Livelock, Mistake
from edakit.learn.bank import Case, Task, folder
from edakit.learn.fresh import fresh
from edakit.learn.guard import LIBRARY
from edakit.service import Service
from edakit.sim.lab import Lab
from edakit.smaller import fewest
from edakit.table import clean
from edakit.trace import Trace

SHRINKING = 150  # runs spent on a shorter story
ENOUGH = 30  # failing plans after which there is nothing more to learn
HURRY = 1.0  # seconds of work, whatever else the machine does, after which one failing plan is enough
LONGEST = 8  # seconds of work that all plans may take; they take less than one
BUSY = 4  # so many times longer may they take on a machine that has other things to do


class Found(NamedTuple):
    """One thing that is wrong: its name, the keys it is wrong for, what that means."""

    anomaly: str
    keys: tuple[str, ...]
    says: str


class Trial(NamedTuple):
    """One run of an answer: the plan, what is wrong (empty: it held), the trace."""

    case: Case
    found: tuple[Found, ...]
    trace: Trace | None


class Report(NamedTuple):
    """An attack: how many plans were run, how many failed and with which anomalies, and the shortest failing run."""

    plans: int
    failed: int
    names: dict[str, int]
    worst: Trial | None


KINDS = {
    "service": "a service, made with Service(...)",
    "handler": "a handler, `async def name(event, ctx):`",
    "function": "a plain function, `def name(...):`",
    "mapping": "a mapping, {...}",
}


class Broken(EdakitError):
    """The answer could not be run: what it did instead."""


def check_kinds(task: Task, answers: tuple[Any, ...]) -> None:
    """Raise Broken for an answer that is not of the kind the task asks for."""
    for name, right, answer in zip(task.answer, task.built(task.solution), answers, strict=True):
        if kind_of(answer) != kind_of(right):
            what = KINDS.get(kind_of(answer), f"{clean(repr(answer), 40)} ({type(answer).__name__})")
            raise Broken(f"{name} must be {KINDS[kind_of(right)]}; this is {what}")


def kind_of(answer: Any) -> str:
    """Which of KINDS an answer is; empty if none."""
    if isinstance(answer, Service):
        return "service"
    if isinstance(answer, Mapping):
        return "mapping"
    if inspect.iscoroutinefunction(answer):
        return "handler"
    return "function" if callable(answer) and not isinstance(answer, type) else ""


def attack(task: Task, answers: tuple[Any, ...], beat: Callable[[], None]) -> Report:
    """Run every plan; shrink the shortest that fails. Raises Broken for an answer that cannot be run at all."""
    check_kinds(task, answers)
    failed: list[Trial] = []
    names: dict[str, int] = {}
    start, began, ran = time.monotonic(), time.thread_time(), 0
    for seed in range(task.plans):
        trial = run_case(task, answers, task.case(seed))
        beat()
        ran, took, worked = ran + 1, time.monotonic() - start, time.thread_time() - began
        if trial.found:
            failed.append(trial)
            for name in dict.fromkeys(each.anomaly for each in trial.found):
                names[name] = names.get(name, 0) + 1
        if len(failed) == ENOUGH or (failed and worked > HURRY):
            break
        if not failed and took > HURRY and max(worked, took / BUSY) / ran * task.plans > LONGEST:
            raise Broken(f"it takes {took / ran:.2f} s of real time for one plan: does it wait for something outside the lab?")
    if not failed:
        return Report(ran, 0, {}, None)
    main = max(names, key=lambda name: (name != "wrong value", names[name]))  # the most telling
    worst = min((_only(trial, main) for trial in failed if _has(trial, main)), key=_size)
    return Report(ran, len(failed), names, shrink(task, answers, worst, beat))


def run_case(task: Task, answers: tuple[Any, ...], case: Case) -> Trial:
    """One run, with the answers made anew."""
    try:
        found, trace = task.trial(tuple(map(fresh, answers)), case)
    except Livelock as livelock:
        raise Broken(f"it never comes to an end: {livelock}") from None
    except Mistake as mistake:
        raise Broken(str(mistake)) from None
    except Exception as error:
        raise Broken(said(error)) from error
    kept = [Found(name, tuple(map(str, keys)), says) for name, keys, says in found]
    return Trial(case, tuple(each for each in kept if each.keys), trace)


def run_lab(lab: Lab, case: Case, until: float) -> Lab:
    """Let the faults of a case happen to a lab, run it and close it: what an exercise's `trial` does with the lab it has built."""
    for fault in case.faults:
        lab.faults(fault)
    lab.run(until)
    lab.close()
    return lab


def shrink(task: Task, answers: tuple[Any, ...], worst: Trial, beat: Callable[[], None]) -> Trial:
    """Leave out events, then faults, as long as the same anomaly remains: halves first, then one by one."""
    name, left = worst.found[0].anomaly, SHRINKING

    def smaller(case: Case) -> Trial | None:
        nonlocal left
        left -= 1
        try:
            trial = run_case(task, answers, case)
        except Broken:
            return None
        finally:
            beat()
        return _only(trial, name) if _has(trial, name) else None

    def keeps(part: str, items: tuple[Any, ...]) -> bool:
        nonlocal worst
        shorter = worst.case._replace(events=items) if part == "events" else worst.case._replace(faults=items)
        trial = smaller(shorter) if shorter.events and left > 0 else None
        worst = trial or worst
        return trial is not None

    for part in ("events", "faults", "events"):
        fewest(tuple(getattr(worst.case, part)), functools.partial(keeps, part))
    return worst


def ours() -> tuple[str, ...]:
    """Folders whose code is not the learner's: the bank, and the shop beside it."""
    return str(folder()), str(folder().with_name("shop"))


def said(error: BaseException) -> str:
    """An error of the learner's code in one line."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SystemExit):
        text = "it ends the program (sys.exit)"
    where, step = "", error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if not code.co_filename.startswith((HERE, LIBRARY, *ours())):
            where = f" in {code.co_name}, line {step.tb_lineno - code.co_firstlineno}"
        step = step.tb_next
    return text + where


def _has(trial: Trial, name: str) -> bool:
    return any(each.anomaly == name for each in trial.found)


def _only(trial: Trial, name: str) -> Trial:
    """The trial with this anomaly first."""
    return trial._replace(found=tuple(sorted(trial.found, key=lambda each: each.anomaly != name)))


def _size(trial: Trial) -> tuple[int, int]:
    return len(trial.case.events), len(trial.case.faults)
