"""The pictures of activations on the site, in the colours of the explorer, light and dark."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from s3s4._activation import elementwise
from s3s4._command.figures import curves
from s3s4._plot import POINTS, broken
from s3s4._table import TABLE

WIDTH = 8.38
"""Inches: what is shown 838 pixels wide has 100 of them for each."""
STEEPNESSES = (0.5, 1.0, 2.0, 10.0)
"""Values of k with which the gallery shows S4 beside the default."""
COLUMNS = 5
DENSE = np.linspace(-7, 7, POINTS)


@dataclass(frozen=True)
class Theme:
    """Colours on one ground."""

    ground: str
    ink: str
    faint: str
    value: str
    slope: str

    def settings(self) -> dict[str, Any]:
        """Return Matplotlib's."""
        ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
        return {
            "figure.facecolor": self.ground,
            "axes.facecolor": self.ground,
            "savefig.facecolor": self.ground,
            "font.size": 9,
            "axes.titlesize": 9,
            "svg.fonttype": "none",
            **dict.fromkeys(ink, self.ink),
        }


THEMES = {
    "light": Theme("#ffffff", "#1b1f24", "#8c959f", "#0072b2", "#c14a00"),
    "dark": Theme("#14181e", "#e6edf3", "#7d8590", "#56b4e9", "#f0a35c"),
}


def draw(axes: Axes, theme: Theme, name: str, **parameters: Any) -> None:
    """Draw the value and the derivative of an activation."""
    value, slope = elementwise[name].value_and_derivative(DENSE, **parameters)
    axes.axhline(0, color=theme.faint, linewidth=0.8, zorder=0)
    axes.axvline(0, color=theme.faint, linewidth=0.8, zorder=0)
    axes.plot(
        DENSE, broken(slope, DENSE), "--", color=theme.slope, linewidth=1.5, label="derivative by x"
    )
    axes.plot(DENSE, broken(value, DENSE), color=theme.value, linewidth=2, label="value")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(DENSE[0], DENSE[-1])


def drawn() -> Iterator[tuple[str, Figure]]:
    """Yield every picture with its place in the site."""
    for title, theme in THEMES.items():
        yield f"functions-{title}.svg", curves(dark=title == "dark")
        with rc_context(theme.settings()):
            for name in TABLE:
                yield f"functions/{name}-{title}.svg", single(theme, name)
            yield f"gallery-{title}.svg", gallery(theme)


def single(theme: Theme, name: str) -> Figure:
    """Return the picture of one activation."""
    figure = Figure(figsize=(0.7 * WIDTH, 3.2))
    axes = figure.add_axes((0.08, 0.14, 0.91, 0.84))
    draw(axes, theme, name)
    axes.legend(frameon=False)
    axes.set_xlabel("x")
    return figure


def gallery(theme: Theme) -> Figure:
    """Return the picture of all."""
    shown: list[tuple[str, dict[str, float]]] = [(name, {}) for name in TABLE]
    after = [name for name, _ in shown].index("s4") + 1
    shown[after:after] = [("s4", {"k": k}) for k in STEEPNESSES]
    rows = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 1.45 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True).ravel()
    for axes, (name, parameters) in zip(panels, shown, strict=False):
        draw(axes, theme, name, **parameters)
        axes.set_ylim(-1.3, 3)
        axes.set_title(", ".join([name, *(f"{k} = {v:g}" for k, v in parameters.items())]))
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    return figure
