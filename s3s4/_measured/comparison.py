"""From which size on one way of computing is faster than another, found by timing both.

Given callables and a clock; knows no backend.
"""

# Design:
# - A time is the second least of several draws: what disturbs a computer adds time, and one draw
#   may be wrong in either direction. The two ways alternate, so that a slow second of the machine
#   falls on both.
# - Straight lines (latency + time per element) lead to the crossing and beyond the largest size.
#   Between measured sizes the measurements decide: caches and threads bend real curves.
# - "Never" is an answer like any other, and the one given when anything is in doubt.

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

DRAWS, FEWEST_DRAWS = 5, 3
TICKS = 20
"""A draw lasts at least this many steps of the clock."""
FASTER, SLOWER = 2.0, 4.0
"""How much faster or slower the second way must be, at two sizes, to leave larger ones out."""
WORTHWHILE = 0.95
"""A crossing beyond the measured sizes is believed if the second line is this much flatter."""
LARGEST = 1 << 62
"""No number of a comparison that was kept is larger."""

Way = Callable[[int], object]


@dataclass(frozen=True)
class Sample:
    """The times of both ways at one size, in seconds."""

    size: int
    first: float
    second: float

    def __str__(self) -> str:
        faster = self.first / self.second
        return (
            f"{self.size:>12,} {self.first * 1e3:12.4f} ms {self.second * 1e3:12.4f} ms"
            f" {faster:8.2f}x"
        )


@dataclass(frozen=True)
class Line:
    """Seconds as latency + size * per_element."""

    latency: float
    per_element: float

    def __call__(self, size: float) -> float:
        return self.latency + size * self.per_element

    def __str__(self) -> str:
        return f"{self.latency * 1e6:.2f} µs + {self.per_element * 1e9:.4f} ns an element"


@dataclass(frozen=True)
class Comparison:
    """What was measured of two ways of computing, and what follows.

    Attributes
    ----------
    names : tuple of str
        What the two ways are called.
    samples : tuple of Sample
        By size.
    lines : tuple of Line
        The fit of each way; empty if too little could be measured.
    cutover : int or None
        The size from which on the second way is faster; None is never.
    reason : str
        Why the measurement ended.
    """

    names: tuple[str, str]
    samples: tuple[Sample, ...]
    lines: tuple[Line, ...]
    cutover: int | None
    reason: str

    @property
    def is_conclusive(self) -> bool:
        """Whether more than one size was measured: a machine may be busy with other things."""
        return len(self.samples) > 1

    def __str__(self) -> str:
        first, second = self.names
        rows = [f"{'size':>12} {first:>15} {second:>15} {'faster':>9}", *map(str, self.samples)]
        rows += [f"{name}: {line}" for name, line in zip(self.names, self.lines, strict=False)]
        verdict = "never" if self.cutover is None else f"from {self.cutover:,} elements on"
        return "\n".join([*rows, f"{second} {verdict} ({self.reason})"])

    def to_json(self) -> dict[str, Any]:
        """The same as dictionaries, lists, strings and numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Comparison":
        """What `to_json` made, checked.

        Raises
        ------
        ValueError
            If it is anything else.
        """
        try:
            samples = tuple(Sample(**sample) for sample in data["samples"])
            lines = tuple(Line(**line) for line in data["lines"])
            first, second = data["names"]
            cutover, reason = data["cutover"], data["reason"]
            numbers = [n for s in samples for n in (s.size, s.first, s.second)]
            numbers += [n for line in lines for n in (line.latency, line.per_element)]
            sound = (
                all(type(n) in (int, float) and 0 <= n <= LARGEST for n in numbers)
                and all(s.size > 0 and s.first > 0 and s.second > 0 for s in samples)
                and (cutover is None or (type(cutover) is int and 0 <= cutover <= LARGEST))
                and all(type(text) is str for text in (first, second, reason))
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no comparison: {error}") from error
        if not sound:
            raise ValueError("no comparison: a value is out of range")
        return cls((first, second), samples, lines, cutover, reason)


class _Late(Exception):
    """The time is up."""


class _Broken(Exception):
    """The second way failed."""


def compare(
    first: Way,
    second: Way,
    sizes: Sequence[int],
    *,
    clock: Callable[[], float],
    resolution: float,
    budget: float,
    names: tuple[str, str] = ("first", "second"),
    progress: Callable[[Sample], object] = lambda sample: None,
) -> Comparison:
    """Find the size from which on the second way is faster.

    Parameters
    ----------
    first, second : callable
        Compute something of the size they are given, to the end. An exception of the second means
        never; one of the first ends the measurement.
    sizes : sequence of int
        To measure at, ascending.
    clock : callable
        Gives the time in seconds.
    resolution : float
        The clock's step in seconds.
    budget : float
        Seconds to spend. It is overstepped by no more than one call.
    names : tuple of str
        What to call the two.
    progress : callable
        Is told every sample.

    Returns
    -------
    Comparison
    """
    stopwatch = _Stopwatch(clock, resolution, clock() + budget)
    samples: list[Sample] = []

    def sample(size: int) -> None:
        samples.append(stopwatch.sample(first, second, size))
        progress(samples[-1])

    reason = "all sizes measured"
    try:
        for index, size in enumerate(sizes):
            if index and stopwatch.left() < _cost(samples[-1], size):
                raise _Late
            sample(size)
            if _clear(samples):
                reason = "clear before the largest size"
                break
        for _ in range(2):
            crossing = _decide(samples)
            for size in _around(crossing, samples):
                if stopwatch.left() < _cost(samples[0], size):
                    raise _Late
                sample(size)
            samples.sort(key=lambda s: s.size)
    except _Late:
        count = len(samples)
        reason = f"time was up after {count} size{'' if count == 1 else 's'}"
    except _Broken as error:
        samples.sort(key=lambda s: s.size)
        return Comparison(names, tuple(samples), (), None, f"{names[1]} failed: {error}")
    except Exception as error:  # whatever the first way raises, its caller will see it elsewhere
        reason = f"{names[0]} failed: {error!r}"
    samples.sort(key=lambda s: s.size)
    lines = _lines(samples) if len(samples) > 1 else ()
    return Comparison(names, tuple(samples), lines, _decide(samples), reason)


@dataclass
class _Stopwatch:
    clock: Callable[[], float]
    resolution: float
    deadline: float

    def left(self) -> float:
        return self.deadline - self.clock()

    def sample(self, first: Way, second: Way, size: int) -> Sample:
        """Both ways at one size: each warmed up, then in turns."""

        def guarded(size: int) -> object:
            try:
                return second(size)
            except Exception as error:
                raise _Broken(repr(error)) from error

        ways = (first, guarded)
        for way in ways:
            self._draw(way, size, 1)
        times: tuple[list[float], list[float]] = ([], [])
        calls = [1, 1]
        for draw in range(1, DRAWS + 1):
            for index, way in enumerate(ways):
                seconds = self._draw(way, size, calls[index])
                while seconds < TICKS * self.resolution:
                    calls[index] *= 4
                    seconds = self._draw(way, size, calls[index])
                times[index].append(max(seconds, 1e-9) / calls[index])
            # Few draws suffice where more would leave no time for the larger sizes.
            turn = sum(min(t) * c for t, c in zip(times, calls, strict=True))
            if draw >= FEWEST_DRAWS and self.left() < DRAWS * turn:
                break
        return Sample(size, *(sorted(t)[1] for t in times))

    def _draw(self, way: Way, size: int, calls: int) -> float:
        start = self.clock()
        for _ in range(calls):
            way(size)
            if self.clock() > self.deadline:
                raise _Late
        return self.clock() - start


def _cost(known: Sample, size: int) -> float:
    """About what a sample of another size takes, with the fewest draws."""
    return (1 + FEWEST_DRAWS) * (known.first + known.second) * max(1.0, size / known.size)


def _clear(samples: Sequence[Sample]) -> bool:
    """Whether larger sizes would tell nothing new."""
    ratios = [s.first / s.second for s in samples[-3:]]
    if len(ratios) < 3:
        return False
    won = all(a <= b for a, b in pairwise(ratios)) and ratios[1] > FASTER
    lost = max(ratios) < 1 / SLOWER and max(ratios) < 1.1 * min(ratios)
    return won or lost


def _around(crossing: int | None, samples: Sequence[Sample]) -> list[int]:
    """Sizes at and around a crossing that are neither known nor beyond what was measured."""
    if crossing is None:
        return []
    near = (round(crossing / 1.5), crossing, round(crossing * 1.5))
    inside = [n for n in near if samples[0].size < n < samples[-1].size]
    return [n for n in inside if all(abs(math.log(n / s.size)) > 0.1 for s in samples)]


def _decide(samples: Sequence[Sample]) -> int | None:
    """The cutover that loses least time over the measured sizes; None is never."""
    if len(samples) < 2:
        return None
    samples = sorted(samples, key=lambda s: s.size)
    # Sizes count by their logarithm, and so does what is lost at each of them.
    gains = [math.log(s.first / s.second) for s in samples]
    losses = [
        sum(max(0.0, g) for g in gains[:index]) + sum(max(0.0, -g) for g in gains[index:])
        for index in range(len(gains) + 1)
    ]
    # The last of the best: where both are the same, the first way stays.
    best = max(i for i, loss in enumerate(losses) if loss <= min(losses) + 1e-9)
    if best == 0:
        return samples[0].size
    if best == len(samples):
        return _beyond(samples)
    before, after = samples[best - 1], samples[best]
    low, high = -gains[best - 1], gains[best]
    share = min(max(low / (low + high), 0.0), 1.0) if low + high > 0 else 1.0
    return round(before.size * math.exp(share * math.log(after.size / before.size)))


def _beyond(samples: Sequence[Sample]) -> int | None:
    """Where the lines cross behind the largest size, if they do."""
    one, other = _lines(samples)
    if other.per_element >= WORTHWHILE * one.per_element:
        return None
    crossing = (other.latency - one.latency) / (one.per_element - other.per_element)
    return max(math.ceil(crossing), samples[-1].size + 1)


def _lines(samples: Sequence[Sample]) -> tuple[Line, Line]:
    sizes = [float(s.size) for s in samples]
    return _fit(sizes, [s.first for s in samples]), _fit(sizes, [s.second for s in samples])


def _fit(sizes: Sequence[float], times: Sequence[float]) -> Line:
    """Least squares of the relative error, with neither term below 0."""
    weights = [1 / (t * t) for t in times]
    w = sum(weights)
    wx = sum(a * x for a, x in zip(weights, sizes, strict=True))
    wy = sum(a * y for a, y in zip(weights, times, strict=True))
    wxx = sum(a * x * x for a, x in zip(weights, sizes, strict=True))
    wxy = sum(a * x * y for a, x, y in zip(weights, sizes, times, strict=True))
    determinant = w * wxx - wx * wx
    if determinant <= 0:
        return Line(0.0, wxy / wxx)
    slope = (w * wxy - wx * wy) / determinant
    latency = (wy - slope * wx) / w
    if slope < 0:
        return Line(wy / w, 0.0)
    return Line(latency, slope) if latency >= 0 else Line(0.0, wxy / wxx)
