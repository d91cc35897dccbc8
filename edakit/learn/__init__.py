"""Learning by being wrong first. Rooms, in the order of use:

`prediction` (say what you expect, then see what the run says), `exercise` (a task, its check, hints), `quiz`, `progress`; behind
them `bank` (the files of exercises and quizzes), `attack` (hundreds of plans, the shortest story), `fresh` and `guard` (answers are
made anew, and whatever they do, the notebook lives on), `story` (a trace in sentences).
"""

from edakit.learn.attack import run_lab
from edakit.learn.exercise import Exercise, Verdict, exercise
from edakit.learn.prediction import Prediction, Reveal, predict
from edakit.learn.progress import Progress, progress
from edakit.learn.quiz import Question, Quiz, quiz

__all__ = [
    "Exercise",
    "Prediction",
    "Progress",
    "Question",
    "Quiz",
    "Reveal",
    "Verdict",
    "exercise",
    "predict",
    "progress",
    "quiz",
    "run_lab",
]
