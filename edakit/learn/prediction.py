"""Say what you expect before the run, and see the gap after it.

    guess = predict("How often is Ada charged?", [0, 1, 2])
    guess                                                   # radio buttons; without widgets: guess.answer(1)
    ...
    guess.reveal(2, because={0: "the crash would have to lose the message", 1: "the broker would have to see the work"})

A notebook that is run from top to bottom without an answer goes through: the reveal then only says what the run says.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edakit.errors import ArgumentError
from edakit.learn.progress import notebook, store
from edakit.table import clean


@dataclass(frozen=True)
class Reveal:
    """A prediction beside what the run says; printed, it is the text for the learner."""

    said: Any  # None: no answer was given
    right: Any
    reason: str = ""  # what would have had to be true for a wrong answer

    def __str__(self) -> str:
        if self.said is None:
            return f"The run says: {clean(self.right)}."
        if self.said == self.right:
            return f"You said: {clean(self.said)}. So does the run."
        lines = [f"You said: {clean(self.said)}. The run says: {clean(self.right)}."]
        return "\n".join([*lines, *([f"For {clean(self.said)}: {self.reason}"] if self.reason else [])])

    __repr__ = __str__


class Prediction:
    """A question with options, asked before the run. Shown in a notebook it is a list to choose from."""

    def __init__(self, question: str, options: Sequence[Any]) -> None:
        self.question, self.options = question, tuple(options)
        self.said: Any = None
        self._radio: Any = None

    def answer(self, option: Any) -> "Prediction":
        """Choose in code. Raises ArgumentError for what is not among the options."""
        self.said = self._one(option)
        if self._radio is not None:
            self._radio.index = self.options.index(self.said)
        return self

    def reveal(self, right: Any, because: Mapping[Any, str] | None = None) -> Reveal:
        """Compare with what the run says; `because` tells, for a wrong option, what would have had to be true for it.

        Raises ArgumentError if `right`, or an option that `because` explains, was not offered.
        """
        right = self._one(right)
        reasons = {self._one(option): reason for option, reason in (because or {}).items()}
        if self.said is not None:
            store().change("predictions", clean(self.question, 300), notebook=notebook(), right=bool(self.said == right))
        return Reveal(self.said, right, reasons.get(self.said, "") if self.said is not None else "")

    def _one(self, option: Any) -> Any:
        """The option that equals it, or reads the same."""
        for each in self.options:
            if each == option or str(each) == str(option):
                return each
        raise ArgumentError(f"{option!r} is not among the options of {self.question!r}: {', '.join(map(str, self.options))}")

    def __repr__(self) -> str:
        marks = [
            f"  ({'x' if self.said == option and self.said is not None else ' '}) {clean(option, 100)}" for option in self.options
        ]
        return "\n".join([f"Predict: {clean(self.question, 300)}", *marks])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Radio buttons where there are widgets; the question and its options in words everywhere."""
        bundle: dict[str, Any] = {}
        try:
            import ipywidgets
        except ImportError:  # then guess.answer(option) is the way
            pass
        else:
            bundle.update(self._shown(ipywidgets)._repr_mimebundle_())  # how ipywidgets shows itself
        bundle["text/plain"] = repr(self)
        return bundle

    def _shown(self, widgets: Any) -> Any:
        """The question over its options, none chosen before the learner chooses."""
        chosen = self.options.index(self.said) if self.said is not None else None
        self._radio = widgets.RadioButtons(
            options=[(clean(option, 100), n) for n, option in enumerate(self.options)],
            index=chosen,
            layout={"width": "max-content"},
        )
        self._radio.observe(self._chose, names="index")
        return widgets.VBox([widgets.HTML(f"<b>Predict:</b> {html.escape(self.question)}"), self._radio])

    def _chose(self, change: Mapping[str, Any]) -> None:
        if change["new"] is not None:
            self.said = self.options[change["new"]]


def predict(question: str, options: Sequence[Any]) -> Prediction:
    """Ask before the run what will happen; make it the last line of a cell to show it. `reveal` compares after the run.

    Raises ArgumentError for fewer than two options, or two that read the same.
    """
    options = list(options)
    if len(options) < 2 or len(set(map(str, options))) < len(options):
        raise ArgumentError(f"options {options!r}: give at least two that differ")
    if any(option is None for option in options):
        raise ArgumentError("None means that nobody has answered: call that option 'nothing'")
    return Prediction(question, options)
