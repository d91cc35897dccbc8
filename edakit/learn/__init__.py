"""Learning by being wrong first. Room: `prediction` (say what you expect, then see what the run says)."""

from edakit.learn.prediction import Prediction, Reveal, predict

__all__ = ["Prediction", "Reveal", "predict"]
