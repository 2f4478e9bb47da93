"""Times callables against each other in one process.

# Design:
# - Machines drift, in frequency and in what else runs on them. So contenders take turns: a drift
#   meets all of them, and each gets as many tries at a quiet moment.
# - A time is the median of the draws, and a ratio that of the ratios within each turn, with their
#   quartiles beside it, which say how far to trust it. The best draw only tells when to stop.
# - Two OpenMP runtimes in a process (PyTorch brings its own) each keep workers that spin for some
#   milliseconds after a parallel region and take the processor from whoever comes next. So every
#   turn begins with a pause, until foreign workers sleep, and an untimed call, that wakes the own
#   ones: each contender is timed at its best, as in a program that uses it alone.
"""

import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

Call = Callable[[], object]

DRAW_SECONDS = 1e-3
"""A draw repeats calls until it lasts this long, far above the resolution of the clock."""

PAUSE_SECONDS = 0.01
"""Longer than an OpenMP worker spins by default."""

SELF_WARMING = 0.02
"""A call this long does not notice what waking its workers costs, and needs no untimed one."""

SETTLED = 0.005
"""A turn in which no best falls by more than this part is a sign that the bests are found."""

QUIET_TURNS = 4
"""So many such turns in a row end the measurement."""


@dataclass
class Timing:
    """Draws of one contender.

    Attributes
    ----------
    seconds : list of float
        Time of a call, one entry a turn.
    """

    seconds: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """Seconds of the fastest draw."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """Seconds of the draw in the middle."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Ratio:
    """How many times longer one contender takes than another.

    Attributes
    ----------
    median, low, high : float
        Quartiles of the ratios within one turn.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio(slow: Timing, fast: Timing) -> Ratio:
    """Compare two timings of one `race`; where one has fewer draws, the first ones make pairs."""
    pairs = [a / b for a, b in zip(slow.seconds, fast.seconds, strict=False)]
    low, middle, high = quartiles(pairs)
    return Ratio(middle, low, high)


def quartiles(values: Sequence[float]) -> Sequence[float]:
    """Return the quartiles of values, also of one."""
    if len(values) == 1:
        return [values[0]] * 3
    return statistics.quantiles(values, n=4, method="inclusive")


def draw(call: Call, calls: int) -> float:
    """Return the mean seconds of so many calls in a row."""
    start = time.perf_counter()
    for _ in repeat(None, calls):
        call()
    return (time.perf_counter() - start) / calls


def race(
    contenders: Mapping[str, Call],
    budget: float,
    *,
    min_turns: int = 3,
    max_turns: int = 40,
    pause: float = PAUSE_SECONDS,
) -> dict[str, Timing]:
    """Time contenders in turns until their bests settle or the time is spent.

    Parameters
    ----------
    contenders : mapping of str to callable
        What is timed; each callable returns when its result is complete.
    budget : float
        Seconds after which no further turn begins, once there were `min_turns`.
    min_turns, max_turns : int
        Bounds on the number of turns.
    pause : float
        Seconds of rest before each contender's turn.

    Returns
    -------
    dict
        A `Timing` for each contender, with as many draws as there were turns.
    """
    timings = {name: Timing() for name in contenders}
    estimates = {}
    shuffler = random.Random(0)
    deadline = time.perf_counter() + budget
    for name, call in contenders.items():
        estimates[name] = max(draw(call, 1), 1e-7)
        if estimates[name] < SELF_WARMING:
            estimates[name] = max(draw(call, 1), 1e-7)
    order = list(contenders)
    quiet = 0
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(max_turns):
            if quiet >= QUIET_TURNS or (turn >= min_turns and time.perf_counter() > deadline):
                break
            quiet += 1
            # A new order each turn, so that no one always follows whoever empties the cache.
            shuffler.shuffle(order)
            for name in order:
                time.sleep(pause)
                if estimates[name] < SELF_WARMING:
                    contenders[name]()
                seconds = draw(contenders[name], math.ceil(DRAW_SECONDS / estimates[name]))
                if not timings[name].seconds or seconds < timings[name].best * (1 - SETTLED):
                    quiet = 0
                timings[name].seconds.append(seconds)
    finally:
        if collecting:
            gc.enable()
    return timings
