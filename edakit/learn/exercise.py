"""Exercises: a task, a check that attacks the answer, hints in four levels, and what there is to say afterwards.

    ex = exercise("00-1")
    ex                              # the task
    ...
    ex.check(notification)          # hundreds of plans; a verdict that names the anomaly and tells the shortest story
    ex.last.play()                  # that story as a film
    ex.hint()                       # again for the next of four levels

An answer is a service, a handler, a plain function or a mapping of handlers, as the task says. It is made anew for every run.
"""

from importlib import import_module
from typing import Any

from edakit.errors import ArgumentError
from edakit.learn.attack import Broken, Report, Trial, attack, ours, said
from edakit.learn.bank import Task, load
from edakit.learn.fresh import empty
from edakit.learn.guard import PATIENCE, Endless, Escaped, guarded
from edakit.learn.progress import store
from edakit.learn.story import story
from edakit.table import clean
from edakit.trace import Trace

SHOWN = 5  # offending keys that a verdict names


class Verdict:
    """What a check has found. Printed, it is the text for the learner."""

    def __init__(
        self, task: Task, *, passed: bool = False, anomaly: str = "", text: str = "", worst: Trial | None = None
    ) -> None:
        self.passed, self.anomaly, self.text, self.worst = passed, anomaly, text, worst
        self.task = task

    @property
    def trace(self) -> Trace:
        """The trace of the shortest failing run. Raises ArgumentError if there is none."""
        if self.worst is None or self.worst.trace is None:
            raise ArgumentError("no run failed, so there is no trace to look at")
        return self.worst.trace

    def play(self) -> Any:
        """The shortest failing run as a film."""
        return import_module("edakit.player").play(self.trace)

    def story(self) -> list[str]:
        """The shortest failing run in sentences; empty if there is none."""
        return [] if self.worst is None or self.worst.trace is None else story(self.worst.trace, self.worst.found[0].keys)

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return self.text


class Hint:
    """One level of help; printed, it is the text."""

    def __init__(self, level: int, text: str) -> None:
        self.level, self.text = level, text

    def __repr__(self) -> str:
        return self.text


class Exercise:
    """A task. Shown in a notebook it is the text of the task. `last` is the verdict of the last check."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.last: Verdict | None = None
        self._level = 0

    def check(self, *answers: Any) -> Verdict:
        """Attack the answer, and say how that went. Nothing that the answer does ends the notebook; each check ends by itself.

        Raises ArgumentError if it is given another number of answers than the task asks for.
        """
        task = self.task
        if len(answers) != len(task.answer):
            raise ArgumentError(f"exercise {task.id} asks for {', '.join(task.answer)}: ex.check({', '.join(task.answer)})")
        if all(map(empty, answers)):
            return Verdict(task, anomaly="not answered", text=f"Exercise {task.id}: not answered yet.")
        try:
            report, heard = guarded(lambda beat: attack(task, answers, beat), ours=ours())
        except Endless as endless:
            where = str(endless) or "(your code lets the lab go on: does a service hear what it publishes itself?)"
            self.last = broken(task, f"it does not end: more than {PATIENCE} s of real time without a result {where}")
        except Broken as problem:
            self.last = broken(task, str(problem))
        except Escaped as escaped:
            self.last = broken(task, said(escaped.error))
        else:
            self.last = passed(task, report) if report.worst is None else failed(task, report, report.worst)
            self.last.text += heard
        store().exercise(task.id, passed=self.last.passed, anomaly=self.last.anomaly)
        return self.last

    def hint(self, level: int | None = None) -> Hint:
        """The next level of help (or this one): 1 a nudge from your own failing run, 2 the idea, 3 a skeleton, 4 the solution.

        Raises ArgumentError for a level that is not there.
        """
        if level is None:
            level = min(self._level + 1, 4)
        if level not in (1, 2, 3, 4):
            raise ArgumentError(f"hint({level!r}): levels are 1 (nudge), 2 (idea), 3 (skeleton), 4 (solution)")
        self._level = max(self._level, level)
        store().hint(self.task.id, level)
        task = self.task
        if level == 1:
            return Hint(1, f"Hint 1 of 4. {nudge(task, self.last)}")
        if level == 2:
            return Hint(2, f"Hint 2 of 4. {task.concept}")
        if level == 3:
            return Hint(3, f"Hint 3 of 4. Fill the blanks:\n\n{indented(task.skeleton)}")
        return Hint(4, f"Hint 4 of 4. One solution:\n\n{indented(task.solution)}\n\n{more(task)}")

    def __repr__(self) -> str:
        return f"Exercise {self.task.id}: {self.task.title}\n\n{self.task.task}\n\n{self._foot()}"

    def _repr_markdown_(self) -> str:
        return f"**Exercise {self.task.id}: {self.task.title}**\n\n{self.task.task}\n\n{self._foot()}"

    def _foot(self) -> str:
        call = f"`ex.check({', '.join(self.task.answer)})`"
        if store().passed(self.task.id):
            return f"Solved. {call} attacks it again."
        return f"{call} attacks your answer. `ex.hint()` helps, more each time, up to four times."


def exercise(id: str) -> Exercise:
    """An exercise by its id, such as "00-1". Raises ArgumentError for one that is not there."""
    return Exercise(load(id))


def passed(task: Task, report: Report) -> Verdict:
    """The verdict on a right answer."""
    lines = [f"Exercise {task.id}: passed. {report.plans} plans, and none of them broke it.", "", task.discussion]
    return Verdict(task, passed=True, text="\n".join([*lines, *([more(task)] if task.others else [])]))


def failed(task: Task, report: Report, worst: Trial) -> Verdict:
    """The verdict on an answer that a plan broke."""
    main = worst.found[0]
    verdict = Verdict(task, anomaly=main.anomaly, worst=worst)
    named = ", ".join(clean(key, 90) for key in main.keys[:SHOWN]) + (", ..." if len(main.keys) > SHOWN else "")
    sizes = [count(len(worst.case.events), "event")] + ([count(len(worst.case.faults), "fault")] if worst.case.faults else [])
    lines = [
        f"Exercise {task.id}: not yet. {main.anomaly}: {main.says} ({named}).",
        f"It broke in {report.failed} of {report.plans} plans tried. The shortest story found, {' and '.join(sizes)}:",
        "",
        *verdict.story(),
    ]
    also = [f"{name} in {times}" for name, times in report.names.items() if name != main.anomaly]
    if also:
        lines += ["", f"Other plans broke it otherwise: {', '.join(also)}."]
    if errors := raised(worst.trace):
        lines += ["", f"A handler raised: {errors}"]
    lines += ["", "ex.last.play() shows this run, ex.last.trace has it; ex.hint() helps."]
    verdict.text = "\n".join(lines)
    return verdict


def broken(task: Task, why: str) -> Verdict:
    """The verdict on an answer that could not be run."""
    return Verdict(task, anomaly="broken", text=f"Exercise {task.id}: not yet. Your answer could not be tried: {clean(why, 400)}")


def nudge(task: Task, verdict: Verdict | None) -> str:
    """A question about the learner's own failing run."""
    if verdict is None or verdict.worst is None:
        return "Check your answer first: `ex.check(...)` finds a run that breaks it, and this hint is about that run."
    main = verdict.worst.found[0]
    question = task.nudges.get(main.anomaly, "Which line of it would you not allow, and which of your lines let it happen?")
    lines = verdict.story()
    return f"In your failing run: {main.says} ({clean(main.keys[0], 90)}).\n{question}\n\n" + "\n".join(lines)


def raised(trace: Trace | None) -> str:
    """What handlers raised in a run: the first of it."""
    notes = list(dict.fromkeys(row.note for row in trace.where("fail"))) if trace is not None else []
    if not notes:
        return ""
    return clean(notes[0], 140) + (f", and {len(notes) - 1} more like it" if len(notes) > 1 else "")


def more(task: Task) -> str:
    """Other good answers."""
    return "\n".join(["Other good answers:", *(f"- {text}" for text in task.others)]) if task.others else ""


def indented(code: str) -> str:
    """Code as a text that Markdown and a terminal show alike."""
    return "\n".join(f"    {line}".rstrip() for line in code.splitlines())


def count(number: int, what: str) -> str:
    """1 event, 2 events."""
    return f"{number} {what}{'' if number == 1 else 's'}"
