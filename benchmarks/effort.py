"""What is spent on the targets, and the words that their lines have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import load
import threads
from job import Array
from tables import power
from timing import Call, Timing

IN_CACHE = 1 << 14
FLOATS = ("float64", "float32")


@dataclass(frozen=True)
class Effort:
    """What is spent.

    Attributes
    ----------
    seconds : float
        For each race.
    large : int
        Elements of arrays that fit no cache.
    largest : int
        Elements at which the sweep over sizes ends.
    calm : callable
        Runs a race and tells what others took of it.
    """

    seconds: float
    large: int
    largest: int
    calm: Callable[..., tuple[dict[str, Timing], float]] = load.calm_race

    def race(self, calls: dict[str, Call], **options: Any) -> tuple[dict[str, Timing], float]:
        """Race large arrays."""
        return self.calm(calls, self.seconds, min_turns=7, **options)

    def race_small(self, calls: dict[str, Call]) -> tuple[dict[str, Timing], float]:
        """Race what no foreign thread takes part in, and what needs many turns."""
        return self.calm(calls, self.seconds / 2, min_turns=30, max_turns=400, pause=0.0)


FULL = Effort(1.5, 10**7, 10**8)
QUICK = Effort(0.1, 10**6, 10**6)


def of_threads(count: int) -> str:
    """Say of how many threads a figure is."""
    return "1 thread" if count == 1 else f"{count} threads"


def on_threads() -> Sequence[int]:
    """Return the numbers of threads that are compared: one and all."""
    return sorted({1, threads.limit()})


def touched(*arrays: Array) -> tuple[Array, ...]:
    """Return outputs for arrays, whose pages are there already."""
    return tuple(np.full_like(array, 1, order="C") for array in arrays)


def size(n: int) -> str:
    """Say how large an array is."""
    return "in cache" if n == IN_CACHE else power(n)
