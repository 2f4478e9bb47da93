"""The pictures: time an element against size, and the family's ratios."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

import family_tables
from contenders import CONTENDERS, OURS
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


def draw(content: Grid, title: str, file: Path) -> None:
    """Draw the grid.

    Parameters
    ----------
    content : mapping
        dtype, quantity, size, contender: seconds and quartiles, as `results` keeps them.
    title : str
        What it shows, and what it was measured on.
    file : pathlib.Path
        Where to write it.
    """
    quantities = [q for q in QUANTITIES if any(q in content[dtype] for dtype in content)]
    figure, axes = plt.subplots(
        len(content),
        len(quantities),
        figsize=(3.4 * len(quantities) + 0.6, 3.6 * len(content) + 1.2),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for row, dtype in zip(axes, content, strict=True):
        for panel, quantity in zip(row, quantities, strict=True):
            lines(panel, content[dtype].get(quantity, {}))
            panel.set_title(f"{QUANTITIES[quantity]}, {dtype}", fontsize=10)
        row[0].set_ylabel("ns an element")
    for panel in axes[-1]:
        panel.set_xlabel("elements")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(title, fontsize=12)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def lines(panel: Axes, sizes: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Draw one panel."""
    for name in CONTENDERS:
        points = sorted((int(n), cell[name][0]) for n, cell in sizes.items() if name in cell)
        if not points or name not in COLOURS:
            continue
        panel.plot(
            [n for n, _ in points],
            [seconds / n * 1e9 for n, seconds in points],
            label=name,
            color=COLOURS[name],
            linestyle="--" if name in DASHED else "-",
            linewidth=2.6 if name == OURS else 1.3,
            marker="o",
            markersize=4 if name == OURS else 2.5,
            zorder=3 if name == OURS else 2,
        )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_minor_locator(NullLocator())
    panel.grid(color="#e5e5e5")
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
