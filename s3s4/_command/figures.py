"""The pictures that the commands draw."""

# Design:
# - Figures are made without pyplot, which would look for a display and keep a global state.
# - What is marked in a picture is computed by the functions in it, so that the two agree.

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

import s3s4
from s3s4._plot import LIGHT, MOST_WITHIN

Floats = NDArray[np.float64]

DEFAULT_K = s3s4.s4.parameters["k"]
# The default k stands out, as S3 does; the others go further from the ground with k. All stand out
# from it by 3 : 1 or more.
STEEPNESSES = (0.5, 1.0, 2.0, DEFAULT_K, 10.0)
LINES = (":", "--", "-.", "-", "-")
COLOURS = ("#4a98c9", "#2e7ebc", "#1764ab", "#d7301f", "#08306b")
COLOURS_ON_DARK = ("#4a98c9", "#79b4e0", "#a3cdee", "#ff7b5a", "#dcecfa")
DEFAULT = STEEPNESSES.index(DEFAULT_K)

DARK: Any = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "#0d1117"),
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), LIGHT
    ),
}


def curves(dark: bool = False) -> Figure:
    """Draw S3, S4 and their derivatives, with the truths about them marked.

    Parameters
    ----------
    dark : bool
        Light lines on a dark ground.

    Returns
    -------
    Figure
        Values above derivatives, S3 beside S4.
    """
    colours = COLOURS_ON_DARK if dark else COLOURS
    with rc_context(DARK if dark else {}):
        figure = Figure(figsize=(12, 8), layout="constrained", dpi=120)
        panels = figure.subplots(2, 2, sharex=True, sharey="row")
        (s3_value, s4_value), (s3_slope, s4_slope) = panels
        _draw_s3_value(s3_value, colours[DEFAULT])
        _draw_s3_slope(s3_slope, colours[DEFAULT])
        x = np.linspace(-5, 5, 2001)
        for k, colour, line in zip(STEEPNESSES, colours, LINES, strict=True):
            width, layer = (2.6, 3) if k == DEFAULT_K else (1.7, 2)
            look: Any = {"color": colour, "linestyle": line, "linewidth": width, "zorder": layer}
            for axes, y in ((s4_value, s3s4.s4(x, k)), (s4_slope, s3s4.s4.derivative(x, k))):
                axes.plot(x, y, **look, label=f"k = {k:g}")
            s4_slope.plot(0, s3s4.s4.derivative(0.0, k), "o", color=colour, markersize=5)
        _mark_s4(s4_value, s4_slope, colours[DEFAULT])
        for axes in panels.flat:
            axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
            axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in panels[1]:
            axes.set_xlabel("x")
    return figure


def _draw_s3_value(axes: Axes, colour: str) -> None:
    left, right = np.linspace(-5, 0, 500), np.linspace(1e-9, 5, 500)
    for x in (left, right):
        axes.plot(x, s3s4.s3(x), color=colour, linewidth=2.6)
    bottom, top = float(s3s4.s3(right[0])), float(s3s4.s3(0.0))
    _mark_jump(axes, top, bottom, colour)
    text = f"jumps at 0: S3(0) = {top:g},\njust right of it {bottom:.0f}"
    _note(axes, text, (0, 0.25), (0.9, 0.08))
    axes.set_title("S3")
    axes.set_ylabel("value")


def _draw_s3_slope(axes: Axes, colour: str) -> None:
    left, right = np.linspace(-5, 0, 500), np.linspace(1e-9, 5, 500)
    for x in (left, right):
        axes.plot(x, s3s4.s3.derivative(x), color=colour, linewidth=2.6)
    bottom, top = float(s3s4.s3.derivative(0.0)), float(s3s4.s3.derivative(right[0]))
    _mark_jump(axes, bottom, top, colour)
    text = f"S3'(0) = {bottom:g}, the slope on\nthe left; on the right it is {top:.0f}"
    _note(axes, text, (0, bottom), (-4.8, 0.62))
    axes.set_title("S3'")
    axes.set_ylabel("derivative by x")


def _mark_jump(axes: Axes, taken: float, left_out: float, colour: str) -> None:
    """Show which end at 0 belongs to the function, as textbooks do."""
    axes.plot([0, 0], [taken, left_out], ":", color=colour)
    axes.plot(0, taken, "o", color=colour)
    axes.plot(0, left_out, "o", color=colour, markerfacecolor=axes.get_facecolor())


def _mark_s4(value: Axes, slope: Axes, colour: str) -> None:
    x = np.linspace(-5, 0, 50_001)
    dx = s3s4.s4.derivative(x, DEFAULT_K)
    falling = x[dx < 0]
    start, steepest = float(falling[0]), int(dx.argmin())
    for axes in (value, slope):
        axes.axvspan(start, 0, color=colour, alpha=0.13, linewidth=0)

    middle = float(s3s4.s4(0.0))
    value.plot(0, middle, "o", color=rcParams["text.color"], zorder=4)
    _note(value, f"S4(0) = {middle:g} for every k", (0, middle), (1.2, 0.32))
    text = f"at k = {DEFAULT_K:g} it falls\nfrom x = {start:.3f} to 0"
    _note(value, text, (start / 2, 0.55), (-4.8, 0.62))
    smallest = s3s4.s4(x, STEEPNESSES[0])
    lowest = int(smallest.argmin())
    _note(value, "negative for k < 1", (x[lowest], smallest[lowest]), (0.3, -0.11))
    value.set_title("S4")
    value.legend(loc="lower right", frameon=False)

    slope.fill_between(falling, dx[dx < 0], color=colour, alpha=0.35, linewidth=0)
    text = f"slope down to {dx[steepest]:.2f} at k = {DEFAULT_K:g}"
    _note(slope, text, (x[steepest], dx[steepest]), (-4.8, -0.5))
    text = f"dots: S4'(0) = (5 - k) / 8,\nwhich is 0 at k = {DEFAULT_K:g}"
    _note(slope, text, (0, float(s3s4.s4.derivative(0.0, STEEPNESSES[-1]))), (1.2, -0.62))
    slope.set_title("S4'")


def _note(axes: Axes, text: str, at: tuple[float, float], place: tuple[float, float]) -> None:
    """Write a remark at `place` with an arrow to what it is about."""
    arrow = {"arrowstyle": "->", "color": "0.5"}
    axes.annotate(text, at, place, arrowprops=arrow, fontsize=9.5)


def compared(
    names: Sequence[str],
    parameters: Mapping[str, Sequence[float]],
    derivative: bool,
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
    dark: bool = False,
) -> Figure:
    """Draw several activations over each other.

    Parameters
    ----------
    names : sequence of str
    parameters : mapping of str to sequence of float
        Each holds for those activations that have it, which are drawn once for each number; the
        others keep their defaults.
    derivative : bool
        Whether to draw the derivatives by x too, below the values.
    xlim, ylim : (float, float), optional
        Where the axes begin and end.
    dark : bool
        Light lines on a dark ground.

    Returns
    -------
    Figure
    """
    with rc_context(DARK if dark else {}):
        figure = Figure(figsize=(9, 9 if derivative else 5), layout="constrained", dpi=120)
        panels = figure.subplots(2 if derivative else 1, 1, sharex=True, squeeze=False)[:, 0]
        given: Any = {**parameters, **({} if xlim is None else {"xlim": xlim})}
        for axes, is_slope in zip(panels, (False, True), strict=False):
            s3s4.plot(*names, derivative=is_slope, ax=axes, **given)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set(ylim=ylim)
            axes.label_outer()
        for axes in panels[1:]:
            axes.get_legend().remove()
        if len(panels[0].get_legend().get_texts()) > MOST_WITHIN:
            figure.set_figwidth(11)
    return figure


def terrain(height: Floats, x: Floats, direction: str) -> Figure:
    """Draw what a channel of the demo's layer and S4 make of a landscape.

    Parameters
    ----------
    height : array of shape (rows, columns)
        In metres, north at the top.
    x : array of shape (rows, columns)
        The output of that channel, the input of S4.
    direction : str
        Where the channel looks.

    Returns
    -------
    Figure
        Maps of the heights, of S4(x) and of S4'(x), and how x is spread under the curves.
    """
    value, slope = s3s4.s4.value_and_derivative(x)
    figure = Figure(figsize=(12, 9), layout="constrained", dpi=120)
    (top_left, top_right), (bottom_left, bottom_right) = figure.subplots(2, 2)
    pictures = [
        (top_left, "height in metres", height, "gist_earth", None),
        (bottom_left, f"S4(x), x = rise towards {direction}", value, "gray", None),
        (bottom_right, "S4'(x): red where S4 falls", slope, "RdBu", CenteredNorm()),
    ]
    for axes, title, picture, colours, norm in pictures:
        image = axes.imshow(picture, colours, norm)
        axes.set_title(title)
        axes.set_axis_off()
        figure.colorbar(image, ax=axes, shrink=0.85)
    _draw_spread(top_right, x)
    return figure


def _draw_spread(axes: Axes, x: Floats) -> None:
    """Draw S4 and S4' over a histogram of the values that they are applied to."""
    axes.hist(x.ravel(), 120, color="0.85")
    axes.set_yticks([])
    axes.set_xlabel("x")
    axes.set_title("how often each x occurs, and S4 and S4' there")
    curve = axes.twinx()
    grid = np.linspace(x.min(), x.max(), 1001)
    curve.plot(grid, s3s4.s4(grid), color="black", linewidth=2, label="S4")
    curve.plot(grid, s3s4.s4.derivative(grid), color=COLOURS[DEFAULT], linewidth=2, label="S4'")
    curve.axhline(0, color="0.6", linewidth=0.8)
    curve.legend(frameon=False)


def cutovers(calibration: s3s4.Calibration) -> Figure:
    """Draw the times of two ways of computing by size, and from where on the second is faster.

    Parameters
    ----------
    calibration : Calibration
        With at least one comparison.

    Returns
    -------
    Figure
        A panel for each comparison.
    """
    comparisons = calibration.comparisons
    rows = min(2, len(comparisons))
    columns = -(-len(comparisons) // rows)
    figure = Figure(figsize=(1 + 5 * columns, 4 * rows), layout="constrained", dpi=120)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in panels.flat[len(comparisons) :]:
        axes.remove()
    for axes, ((kind, dtype), found) in zip(panels.flat, comparisons.items(), strict=False):
        sizes = np.array([sample.size for sample in found.samples])
        for name, times, colour in (
            (found.names[0], [sample.first for sample in found.samples], "C0"),
            (found.names[1], [sample.second for sample in found.samples], "C1"),
        ):
            axes.loglog(sizes, times, "o", color=colour, label=name)
        for line, colour in zip(found.lines, ("C0", "C1"), strict=False):
            axes.loglog(sizes, [line(size) for size in sizes], color=colour)
        verdict = "never" if found.cutover is None else f"from {found.cutover:,} on"
        if found.cutover is not None:
            axes.axvline(found.cutover, color="0.4", linestyle=":")
        axes.set_title(f"{kind}, {dtype}: {found.names[1]} {verdict}")
        axes.set_xlabel("elements")
        axes.set_ylabel("seconds")
        axes.legend()
    return figure
