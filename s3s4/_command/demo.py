"""S3 and S4 on real data, beside plain NumPy written from their definitions."""

# Design:
# - The data are real, need no download and no further dependency: the elevation model of the
#   Jacksboro fault in Tennessee that Matplotlib ships for its own examples.
# - The definitions are the textbook's, and derivatives follow them term by term; they share
#   nothing with the formulas that the package is built from, so that a common mistake is unlikely.

from collections.abc import Callable
from functools import partial
from time import perf_counter
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.typing import NDArray

import s3s4
from s3s4 import _textbook

Floats = NDArray[np.float64]

K = s3s4.s4.parameters["k"]
# Both sides round some ten times, and no term of the sums is larger than 2.
TOLERANCE = 1e-14
# Every 45 degrees, clockwise.
DIRECTIONS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


class Comparison(NamedTuple):
    """A function of the package beside its definition in NumPy."""

    label: str
    difference: float
    """The largest absolute difference."""
    seconds: float
    numpy_seconds: float


def heights() -> Floats:
    """Give the heights in metres, north at the top."""
    path = get_sample_data("jacksboro_fault_dem.npz", asfileobj=False)
    with np.load(path) as archive:
        elevation: NDArray[np.int16] = archive["elevation"]
    return elevation.astype(np.float64)


def layer(height: Floats) -> Floats:
    """Send every height and its eight neighbours through a linear layer of eight channels.

    Parameters
    ----------
    height : array of shape (rows, columns)
        Heights.

    Returns
    -------
    array of shape (rows - 2, columns - 2, 8)
        How steeply the ground rises towards each of `DIRECTIONS`, with standard deviation 1.
    """
    features = np.lib.stride_tricks.sliding_window_view(height, (3, 3)).reshape(
        *(length - 2 for length in height.shape), 9
    )
    angle = np.arange(len(DIRECTIONS)) * (2 * np.pi / len(DIRECTIONS))
    north, east = np.meshgrid([1, 0, -1], [-1, 0, 1], indexing="ij")
    weights = np.outer(north, np.cos(angle)) + np.outer(east, np.sin(angle))
    rise: Floats = features @ weights
    rise /= rise.std()
    return rise


def compare(x: Floats) -> list[Comparison]:
    """Check and time each function and its derivative against the definition.

    Parameters
    ----------
    x : array
        Where.

    Returns
    -------
    list of Comparison
        S3, S3', S4 and S4'.
    """
    pairs: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "S3": (s3s4.s3, partial(_textbook.s3, _NUMPY)),
        "S3'": (s3s4.s3.derivative, _s3_dx),
        "S4": (s3s4.s4, partial(_textbook.s4, _NUMPY, k=K)),
        "S4'": (s3s4.s4.derivative, _s4_dx),
    }
    return [
        Comparison(label, float(abs(ours(x) - plain(x)).max()), _time(ours, x), _time(plain, x))
        for label, (ours, plain) in pairs.items()
    ]


def _time(function: Callable[..., Any], x: Floats) -> float:
    """Give the seconds of the best call; a busy machine needs many to let one through."""
    seconds: list[float] = []
    while len(seconds) < 3 or sum(seconds) < 0.2:
        start = perf_counter()
        function(x)
        seconds.append(perf_counter() - start)
    return min(seconds)


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


_NUMPY = SimpleNamespace(abs=np.abs, where=np.where, sigmoid=_sigmoid)


def _s3_dx(x: Floats) -> Floats:
    s = _sigmoid(x)
    return np.where(x <= 0, s * (1 - s), 1 / (1 + np.abs(x)) ** 2)


def _s4_dx(x: Floats) -> Floats:
    a, s = _sigmoid(K * x), _sigmoid(x)
    left = (1 - a) * s * (1 - s)
    right = a / (1 + np.abs(x)) ** 2
    y: Floats = K * a * (1 - a) * (_textbook.softsign(_NUMPY, x) - s) + right + left
    return y
