"""The pictures: time an element against size, and the family's ratios."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

import family_tables
from contenders import OURS
from job import QUANTITIES, split
from tables import Grid

# Okabe and Ito's palette, which colour-blind readers can tell apart; s3s4 has the strongest.
COLOURS = {
    OURS: "#d55e00",
    "s3s4, new output": "#d55e00",
    "copy": "#000000",
    "numpy": "#999999",
    "scipy": "#f0e442",
    "numexpr": "#cc79a7",
    "numba": "#e69f00",
    "torch": "#56b4e9",
    "torch.compile": "#0072b2",
    "jax.jit": "#009e73",
    "SLEEF": "#8c564b",
    "Highway": "#17becf",
}
DASHED = {"s3s4, new output", "copy"}


THEMES = {"light": ("#ffffff", "#24292f", "#8c959f"), "dark": ("#0d1117", "#e6edf3", "#7d8590")}
"""Ground, letters, lines of the grid."""
SHOWN = {
    OURS: ("#c2410c", "#ff8c5a"),
    "copy": ("#24292f", "#e6edf3"),
    "torch.compile": ("#0969da", "#58a6ff"),
    "jax.jit": ("#1a7f37", "#3fb950"),
    "Highway": ("#8250df", "#a371f7"),
    "numexpr": ("#9a6700", "#d29922"),
    "numpy": ("#6e7781", "#9aa4af"),
}
"""Colours of the few contenders that the grid's picture has, on a light and on a dark ground."""
PANELS = ("s4", "s4_dx")
WIDTH, LETTERS = 8.38, 9
"""Inches of what is shown 838 pixels wide, and points."""


def draw(content: Grid, title: str, file: Path) -> None:
    """Draw the grid, twice: FILE-light and FILE-dark.

    Parameters
    ----------
    content : mapping
        dtype, quantity, size, contender: seconds and quartiles, as `results` keeps them.
    title : str
        What it shows, and what it was measured on.
    file : pathlib.Path
        Where to write it, but for the theme.
    """
    for theme in THEMES:
        figure = panels(content, title, theme)
        figure.savefig(file.with_stem(f"{file.stem}-{theme}"))


def panels(content: Grid, title: str, theme: str) -> Figure:
    """Return a panel for each function and dtype, with a line for each contender."""
    ground, ink, faint = THEMES[theme]
    inks = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    grounds = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    settings = {**dict.fromkeys(inks, ink), **dict.fromkeys(grounds, ground), "font.size": LETTERS}
    with plt.rc_context({**settings, "axes.titlesize": LETTERS}):
        figure = Figure(figsize=(WIDTH, 6.6), layout="constrained", dpi=120)
        axes = figure.subplots(len(PANELS), len(content), sharex=True, sharey=True, squeeze=False)
        for row, quantity in zip(axes, PANELS, strict=True):
            for panel, dtype in zip(row, content, strict=True):
                lines(panel, content[dtype].get(quantity, {}), list(THEMES).index(theme), faint)
                panel.set_title(f"{QUANTITIES[quantity]}, {dtype}")
            row[0].set_ylabel("ns an element")
        for panel in axes[-1]:
            panel.set_xlabel("elements")
        figure.suptitle(title, fontsize=LETTERS)
    return figure


def lines(
    panel: Axes, sizes: Mapping[str, Mapping[str, Sequence[float]]], theme: int, faint: str
) -> None:
    """Draw one panel, each line with its name at its end."""
    panel.set_xscale("log")
    panel.set_yscale("log")
    ends = {}
    for name, colours in SHOWN.items():
        points = sorted(
            (int(n), cell[name][0] / int(n)) for n, cell in sizes.items() if name in cell
        )
        if points:
            x, y = [n for n, _ in points], [seconds * 1e9 for _, seconds in points]
            panel.plot(
                x,
                y,
                label=name,
                color=colours[theme],
                linestyle="--" if name in DASHED else "-",
                linewidth=2.6 if name == OURS else 1.4,
                zorder=3 if name == OURS else 2,
            )
            ends[name] = (x[-1], y[-1])
    before = 0.0
    for name, (x_end, y_end) in sorted(ends.items(), key=lambda item: item[1][1]):
        # Names stand apart by a line of their height, however close their lines end.
        place = max(y_end, before * 2.1)
        style = {"color": SHOWN[name][theme], "weight": "bold" if name == OURS else "normal"}
        panel.annotate(
            name, (x_end, place), (4, 0), textcoords="offset points", va="center", **style
        )
        before = place
    numbers = [int(n) for n in sizes]
    panel.set_xlim(min(numbers) / 1.5, max(numbers) * 60)
    panel.set_xticks([n for n in numbers if n >= 100 and len(str(n)) % 2])
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_minor_locator(NullLocator())
    panel.grid(color=faint, alpha=0.25, linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)


def draw_family(content: Mapping[str, Any], title: str, file: Path) -> None:
    """Draw how many times s3s4's time each contender takes, a line a function.

    Parameters
    ----------
    content : mapping
        As `family_tables.family` takes it.
    title : str
        What it shows, and what it was measured on.
    file : pathlib.Path
        Where to write it.
    """
    panels = [(dtype, what) for what in ("", "dx") for dtype in content["cells"]]
    names = list(dict.fromkeys(split(q)[0] for cells in content["cells"].values() for q in cells))
    figure, axes = plt.subplots(
        1,
        len(panels),
        figsize=(4 * len(panels), 0.28 * len(names) + 2),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for panel, (dtype, what) in zip(axes[0], panels, strict=True):
        rows = [content["cells"][dtype].get(f"{name}_{what}" if what else name) for name in names]
        for name in family_tables.CONTENDERS:
            colour = COLOURS[name]
            points = [(i, row) for i, row in enumerate(rows) if row and name in row]
            panel.plot(
                [family_tables.ratio(row, name) for _, row in points],
                [i for i, _ in points],
                "|" if name in DASHED else "o",
                markersize=9 if name in DASHED else 5,
                markeredgewidth=2 if name in DASHED else 1,
                color=colour,
                label=name,
            )
        panel.set_title(f"{'derivative by x' if what else 'value'}, {dtype}", fontsize=10)
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.set_xlabel("times the time of s3s4")
        panel.set_yticks(range(len(names)), names)
        panel.grid(color="#e5e5e5")
        panel.spines[["top", "right"]].set_visible(False)
    axes[0][0].invert_yaxis()
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=9, frameon=False)
    figure.suptitle(title, fontsize=12)
    figure.savefig(file, dpi=90)
    plt.close(figure)
