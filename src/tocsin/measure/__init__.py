"""Numbers about scores: how good, how well calibrated, which thresholds, and what follows from a score. It knows no
model, no feature and no database; everything here is a pure function of scores, labels, times and money."""

from tocsin.measure.policy import Policy, Ruling, decide

__all__ = ["Policy", "Ruling", "decide"]
