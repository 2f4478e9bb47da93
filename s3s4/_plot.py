"""Activations over each other, in axes of Matplotlib."""

# Design:
# - Matplotlib is imported when something is to be drawn, as the package does not need it.
# - An activation of rows is drawn for the row (x, 0): its first element, and that one's derivative.

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from s3s4._activation import Activation
from s3s4._extras import to_install
from s3s4._family import get
from s3s4._rows import RowActivation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

POINTS, JUMP = 4001, 0.1
"""So dense that a tenth from one point to the next of 14 can only be a jump."""
# Okabe and Ito's colours, which nearly everyone can tell apart, without the yellow, that is too
# light for a line.
PALETTE = ("black", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7")
LIGHT = "#e6edf3"
"""In place of black, on a dark ground."""
STYLES = ("-", "--", "-.", ":")
MOST_WITHIN = 6
"""More curves have their names beside the axes, and differ in the style of the line as well."""


def plot(
    *activations: str | Activation | RowActivation,
    derivative: bool = False,
    xlim: tuple[float, float] = (-7, 7),
    ax: "Axes | None" = None,
    **parameters: float | Sequence[float],
) -> "Axes":
    """Draw activations over each other; needs Matplotlib.

    Parameters
    ----------
    *activations : str or Activation or RowActivation
        Of one of rows, such as softmax, it is the first element for the row (x, 0).
    derivative : bool, default False
        The derivatives by x instead of the values.
    xlim : (float, float), default (-7, 7)
        Where to draw them.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given.
    **parameters : float or sequence of float
        Each holds for those activations that have it, which are drawn once for each number; the
        others keep their defaults.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    ValueError
        If there is no activation of a name, none is given, or xlim is no interval.
    TypeError
        If no activation has a parameter, or it is no number.

    Examples
    --------
    >>> import s3s4
    >>> from matplotlib.figure import Figure
    >>> ax = s3s4.plot("gelu", s3s4.s4, k=[1, 5], ax=Figure().subplots())
    >>> [line.get_label() for line in ax.lines[:3]]
    ['gelu', 's4, k = 1', 's4, k = 5']
    """
    if not activations:
        raise ValueError("activations must name at least one")
    found = [get(one) if isinstance(one, str) else one for one in activations]
    for one in found:
        if not isinstance(one, Activation | RowActivation):
            raise TypeError(f"activations must be names or activations, not {type(one).__name__}")
    low, high = xlim
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"xlim must be two finite numbers in order, not {xlim!r}")
    shown = list(_with_parameters(found, _numbers(found, parameters)))
    if ax is None:
        ax = _current_axes()
    x = np.linspace(low, high, POINTS)
    outside = len(shown) > MOST_WITHIN
    from matplotlib.colors import to_rgb

    is_dark = np.mean(to_rgb(ax.get_facecolor())) < 0.5
    colours = [LIGHT if is_dark else PALETTE[0], *PALETTE[1:]]
    for index, (activation, own) in enumerate(shown):
        label = ", ".join([_title(activation), *(f"{key} = {v:g}" for key, v in own.items())])
        ax.plot(
            x,
            broken(_values(activation, x, own, derivative), x),
            color=colours[index % len(colours)],
            linestyle=STYLES[index % len(STYLES)] if outside else "-",
            label=label,
        )
    ax.axhline(0, color="0.5", linewidth=0.8, zorder=0)
    ax.axvline(0, color="0.5", linewidth=0.8, zorder=0)
    ax.set(xlim=xlim, xlabel="x", ylabel="derivative by x" if derivative else "value")
    beside: Any = {"loc": "upper left", "bbox_to_anchor": (1, 1)} if outside else {}
    ax.legend(frameon=False, **beside)
    return ax


def _current_axes() -> "Axes":
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(f"s3s4.plot needs Matplotlib: {to_install('cli')}") from error
    return pyplot.gca()


def _numbers(
    activations: Sequence[Activation | RowActivation], parameters: Mapping[str, Any]
) -> dict[str, list[float]]:
    """The numbers of each parameter."""
    found = {}
    for name, value in parameters.items():
        if not any(name in one.parameters for one in activations):
            names = ", ".join(one.name for one in activations)
            raise TypeError(f"{name} is no parameter of {names}")
        try:
            found[name] = np.atleast_1d(np.asarray(value, np.float64)).ravel().tolist()
        except (TypeError, ValueError):
            raise TypeError(f"{name} must be a number or several, not {value!r}") from None
    return found


def _with_parameters(
    activations: Sequence[Activation | RowActivation], numbers: Mapping[str, Sequence[float]]
) -> Any:
    """Each activation with every combination of the numbers that are its own."""
    for one in activations:
        own = [name for name in numbers if name in one.parameters]
        for values in product(*(numbers[name] for name in own)):
            yield one, dict(zip(own, values, strict=True))


def _title(activation: Activation | RowActivation) -> str:
    return (
        f"{activation.name} of (x, 0)" if isinstance(activation, RowActivation) else activation.name
    )


def _values(
    activation: Activation | RowActivation, x: Floats, own: Mapping[str, float], derivative: bool
) -> Floats:
    """The values to draw, or the derivatives."""
    found: Floats
    if isinstance(activation, RowActivation):
        rows = np.stack([x, np.zeros_like(x)], axis=1)
        found = activation.backward([1.0, 0.0], rows) if derivative else activation(rows)
        return found[:, 0]
    found = activation(x, derivative=derivative, **own)
    return found


def broken(y: Floats, x: Floats) -> Floats:
    """The values of a function with a gap where it jumps, and no line there."""
    y = y.copy()
    y[1:][np.abs(np.diff(y)) > JUMP * max(1, (x[1] - x[0]) * (POINTS - 1) / 14)] = np.nan
    return y
