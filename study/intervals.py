"""Intervals of 95 %, and probabilities of what was found if there were no difference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with the half width of its interval, of how many values, and the p of being 0."""

    mean: float
    half: float
    count: int
    p: float

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half


def of_seeds(values: Sequence[float] | NDArray[np.floating]) -> Interval:
    """Student's t of independent values: of seeds, on one set of test examples."""
    return _t(np.asarray(values, float), 1 / len(values))


def of_splits(values: Sequence[float] | NDArray[np.floating], folds: int) -> Interval:
    """Nadeau and Bengio's corrected t of repeated cross-validation.

    Splits share what they are fitted on; the share of what is tested on, 1 / (folds - 1) of what
    is fitted on, is added to the variance of the mean.
    """
    return _t(np.asarray(values, float), 1 / len(values) + 1 / (folds - 1))


def _t(values: NDArray[np.float64], share: float) -> Interval:
    from scipy import stats

    mean, freedom = float(values.mean()), len(values) - 1
    error = float(values.std(ddof=1) * share**0.5)
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, freedom)) if error else float(mean == 0)
    return Interval(mean, half, len(values), p)


def holm(probabilities: Sequence[float]) -> list[float]:
    """Holm's adjustment of several probabilities."""
    order = np.argsort(probabilities, kind="stable")
    adjusted, least = np.empty(len(order)), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(order) - place) * probabilities[index]))
        adjusted[index] = least
    return [float(value) for value in adjusted]
