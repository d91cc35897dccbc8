"""Five questions on a notebook, with a word on each wrong option. One at least is made from the run that was just made.

q = quiz("00", lab)
q                           # buttons; without widgets: q.answer(1, "b")
"""

import html
from collections.abc import Mapping, Sequence
from functools import partial
from string import ascii_lowercase
from typing import Any

from edakit.errors import ArgumentError
from edakit.learn.bank import load_quiz
from edakit.learn.progress import store
from edakit.table import clean

FIVE = 5
SAID = {True: "Right.", False: "Not so."}


class Question:
    """A question with options; what is said to who chooses each; the right one. `run` marks one that is made from a run.

    Raises ArgumentError if the right option is not among them, or two read the same.
    """

    def __init__(self, text: str, options: Mapping[Any, str], right: Any, *, run: bool = False) -> None:
        self.text, self.options, self.right, self.run = text, dict(options), right, run
        if right not in self.options or len(set(map(str, self.options))) < max(2, len(self.options)):
            raise ArgumentError(
                f"question {text!r}: {right!r} must be one of at least two different options, {list(self.options)}"
            )
        self.chosen: Any = None

    def feedback(self) -> str:
        """What to say about the option that was chosen; empty before."""
        if self.chosen is None:
            return ""
        return f"{SAID[self.chosen == self.right]} {self.options[self.chosen]}".rstrip()


class Feedback:
    """What is said about an answer; printed, it is the text."""

    def __init__(self, text: str, *, right: bool) -> None:
        self.text, self.right = text, right

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.text


class Quiz:
    """Five questions. Shown in a notebook they are lists to choose from."""

    def __init__(self, nr: str, questions: Sequence[Question]) -> None:
        self.nr, self.questions = nr, list(questions)
        self._radios: list[Any] = []
        self._lines: list[Any] = []

    def answer(self, n: int, option: Any) -> Feedback:
        """Answer question n (from 1) by its letter or its words; answer again as often as you like.

        Raises ArgumentError for a question or an option that is not there.
        """
        if not isinstance(n, int) or not 1 <= n <= len(self.questions):
            raise ArgumentError(f"question {n!r}: there are 1 to {len(self.questions)}")
        question = self.questions[n - 1]
        options = list(question.options)
        letters = dict(zip(ascii_lowercase, options, strict=False))
        found = [each for each in options if str(each) == str(option)] or [letters.get(str(option).lower())]
        if found[0] is None:
            raise ArgumentError(f"{option!r} is no option of question {n}: {', '.join(f'{k} ({v})' for k, v in letters.items())}")
        self._choose(n - 1, found[0])
        return Feedback(question.feedback(), right=question.chosen == question.right)

    @property
    def score(self) -> int:
        """How many of the answers so far are right."""
        return sum(each.chosen == each.right for each in self.questions if each.chosen is not None)

    def _choose(self, at: int, option: Any) -> None:
        question = self.questions[at]
        question.chosen = option
        store().change("quizzes", self.nr, **{str(at + 1): bool(option == question.right)})
        if self._radios:
            self._radios[at].index = list(question.options).index(option)
            self._lines[at].value = html.escape(question.feedback())

    def _chose(self, at: int, change: Mapping[str, Any]) -> None:
        if change["new"] is not None:
            self._choose(at, list(self.questions[at].options)[change["new"]])

    def __repr__(self) -> str:
        lines = [f'Quiz {self.nr}. Answer with the buttons, or in code: q.answer(1, "a")']
        for n, question in enumerate(self.questions, 1):
            lines += ["", f"{n}. {'(from your run) ' if question.run else ''}{clean(question.text, 300)}"]
            for letter, option in zip(ascii_lowercase, question.options, strict=False):
                mark = "x" if question.chosen is not None and question.chosen == option else " "
                lines.append(f"   ({mark}) {letter}) {clean(option, 120)}")
            if question.chosen is not None:
                lines.append(f"   {question.feedback()}")
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Radio buttons where there are widgets; the questions in words everywhere."""
        bundle: dict[str, Any] = {}
        try:
            import ipywidgets
        except ImportError:  # then q.answer(n, option) is the way
            pass
        else:
            bundle.update(self._shown(ipywidgets)._repr_mimebundle_())  # how ipywidgets shows itself
        bundle["text/plain"] = repr(self)
        return bundle

    def _shown(self, widgets: Any) -> Any:
        """Each question over its options, and under them a line for what is said to the choice."""
        rows: list[Any] = []
        self._radios, self._lines = [], []
        for at, question in enumerate(self.questions):
            options = list(question.options)
            radio = widgets.RadioButtons(
                options=[(clean(option, 120), n) for n, option in enumerate(options)],
                index=None if question.chosen is None else options.index(question.chosen),
                layout={"width": "max-content"},
            )
            line = widgets.HTML(html.escape(question.feedback()))
            radio.observe(partial(self._chose, at), names="index")
            run = "(from your run) " if question.run else ""
            rows += [widgets.HTML(f"<b>{at + 1}.</b> {run}{html.escape(clean(question.text, 300))}"), radio, line]
            self._radios.append(radio)
            self._lines.append(line)
        return widgets.VBox(rows)


def quiz(nr: str, lab: Any = None) -> Quiz:
    """The quiz of a notebook, such as "00". lab: the run just made, from which a question is asked; else the quiz runs its own.

    Raises ArgumentError for a notebook without a quiz, or a run that the quiz cannot ask about.
    """
    questions = list(load_quiz(nr)(lab))
    if len(questions) != FIVE or not any(question.run for question in questions):
        raise ArgumentError(f"quiz {nr} has {len(questions)} questions: it needs five, one of them from a run")
    return Quiz(nr, questions)
