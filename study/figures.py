"""The pictures of docs/study.md, light and dark.

Design: they are shown 838 pixels wide, and letters are 12 of those or more; colours stand out from
the ground by 3 : 1 or more. Nothing but results goes in.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from candidates import REFERENCE, STEEPNESSES, Candidate
from claims import SHORT, SWEEP
from intervals import Interval, of_seeds
from outcomes import Outcomes

WIDTH, DOTS, LETTERS = 8.38, 150, 9
FOREST = (
    ("mnist", SHORT, "MNIST: accuracy"),
    ("iris", None, "Iris: accuracy"),
    ("boston", None, "Boston: squared error"),
)
"""Where candidates are compared with ReLU, and after which epoch."""
CURVES = ("relu", "silu", "s3", "s4 k=5", "s4 k=5 per layer")
GRADIENTS = ("relu", "sigmoid", "silu", "s3", "s4 k=1", "s4 k=5")


TOGETHER = 6
"""Points of a curve."""


@dataclass(frozen=True)
class Theme:
    """Colours on one ground."""

    ground: str
    ink: str
    faint: str
    colours: dict[str, str]

    def of(self, name: str) -> str:
        """The colour of a candidate."""
        return self.colours.get(name, self.ink)


NAMED = ("relu", "s4 k=5", "silu", "s3", "sigmoid", "s4 k=1", "s4 k=5 per layer")
THEMES = {
    "light": Theme("#ffffff", "#24292f", "#8c959f", dict(zip(NAMED, (
        "#6e7781", "#c2410c", "#0969da", "#7c3aed", "#1a7f37", "#bf3989", "#9a6700"),
        strict=True))),
    "dark": Theme("#0d1117", "#e6edf3", "#7d8590", dict(zip(NAMED, (
        "#9aa4af", "#ff8c5a", "#58a6ff", "#b794f6", "#3fb950", "#f778ba", "#d29922"),
        strict=True))),
}  # fmt: skip


def panels(theme: Theme, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained", dpi=DOTS)
    axes = list(figure.subplots(1, columns, squeeze=False)[0])
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(color=theme.faint, alpha=0.25, linewidth=0.6)
        one.set_axisbelow(True)
    return figure, axes


def band(axes: Axes, x: np.ndarray, rows: np.ndarray, colour: str, label: str) -> None:
    """A mean over seeds with its interval, point by point."""
    found = [of_seeds(row) for row in rows]
    mean, half = (np.array([getattr(one, what) for one in found]) for what in ("mean", "half"))
    axes.plot(x, mean, color=colour, linewidth=1.6, label=label)
    axes.fill_between(x, mean - half, mean + half, color=colour, alpha=0.2, linewidth=0)


def forest(outcomes: Outcomes, theme: Theme) -> Figure:
    """Differences with ReLU."""
    most = max(len(outcomes.names(section)) for section, *_ in FOREST)
    figure, axes = panels(theme, len(FOREST), 1.3 + 0.2 * most)
    for one, (section, epoch, title) in zip(axes, FOREST, strict=True):
        names = [name for name in outcomes.names(section) if name != str(REFERENCE)]
        found = {name: outcomes.apart(section, name, REFERENCE, epoch) for name in names}
        better = -1 if section == "boston" else 1
        names.sort(key=lambda name: better * found[name].mean)
        for place, name in enumerate(names):
            ours = name.startswith(("s3", "s4"))
            colour = theme.of("s4 k=5") if ours else theme.of("silu")
            whisker(one, found[name], place, colour, "o" if ours else "s")
        one.axvline(0, color=theme.ink, linewidth=0.9)
        one.set_yticks(range(len(names)), names, fontsize=LETTERS - 1.5)
        one.tick_params("y", length=0)
        one.set_ylim(-0.7, len(names) - 0.3)
        one.set_title(title)
        one.set_xlabel("← better" if better < 0 else "better →")
    figure.suptitle("Less ReLU's, with intervals: S3 and S4 round, others square", fontsize=LETTERS)
    return figure


def whisker(axes: Axes, found: Interval, place: float, colour: str, mark: str) -> None:
    axes.errorbar(
        found.mean, place, xerr=found.half, fmt=mark, markersize=3.5, color=colour, linewidth=1.2,
        capsize=2,
    )  # fmt: skip


def steepness(outcomes: Outcomes, theme: Theme) -> Figure:
    """By k, beside what was published."""
    figure, axes = panels(theme, len(FOREST), 3.1)
    for one, (section, epoch, title) in zip(axes, FOREST, strict=True):
        known = [k for k in STEEPNESSES if str(Candidate("s4", k)) in outcomes.names(section)]
        found = [outcomes.score(section, Candidate("s4", k), epoch) for k in known]
        one.errorbar(
            known, [f.mean for f in found], [f.half for f in found], fmt="o-", markersize=4,
            capsize=2.5, linewidth=1.6, color=theme.of("s4 k=5"), label="S4, measured",
        )  # fmt: skip
        for name, dashes in (("relu", "-"), ("sigmoid", "-.")):
            if name in outcomes.names(section):
                level = outcomes.score(section, name, epoch).mean
                one.axhline(
                    level, color=theme.of(name), linestyle=dashes, linewidth=1.2, label=name
                )
        one.plot(
            SWEEP["k"], SWEEP[section], "x--", color=theme.faint, linewidth=1.2, markersize=5,
            label="published",
        )  # fmt: skip
        one.set_xscale("log")
        one.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        one.minorticks_off()
        one.set_xlabel("k")
        one.set_title(title)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def averaged(rows: np.ndarray) -> np.ndarray:
    """Some points together: from one to the next there is more noise than change."""
    whole = len(rows) // TOGETHER * TOGETHER
    means: np.ndarray = rows[:whole].reshape(-1, TOGETHER, rows.shape[1]).mean(1)
    return means


def curves(outcomes: Outcomes, theme: Theme) -> Figure:
    """Training on MNIST."""
    figure, (loss, accuracy) = panels(theme, 2, 3.4)
    for name in CURVES:
        if name not in outcomes.names("mnist"):
            continue
        found = outcomes.job("mnist", name)
        losses = np.asarray(found["loss"])
        right = 100 * np.asarray(found["accuracy"], float) / found["validated"]
        losses, right = averaged(losses), averaged(right)
        x = found["every"] * TOGETHER * np.arange(1, len(losses) + 1)
        band(loss, x, np.log10(losses), theme.of(name), name)
        band(accuracy, x, right, theme.of(name), name)
    ticks = np.array([0.01, 0.03, 0.1, 0.3, 1.0])
    loss.set_yticks(np.log10(ticks), [f"{tick:g}" for tick in ticks])
    loss.set_title("MNIST: training loss")
    accuracy.set_title("MNIST: accuracy on validation images, %")
    accuracy.set_ylim(90, 98.5)
    for one in (loss, accuracy):
        one.set_xlabel("steps of 128 images")
    handles, labels = loss.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    return figure


def learnt(outcomes: Outcomes, theme: Theme) -> Figure:
    """Trajectories of k on MNIST, by layer and by what they start from."""
    names = [name for name in outcomes.names("mnist") if name.endswith(" per layer")]
    figure, axes = panels(theme, 3, 3.2)
    for name, colour in zip(names, ("s4 k=5", "silu", "sigmoid"), strict=False):
        found = outcomes.job("mnist", name)
        path = np.asarray(found["k_path"])
        x = found["every"] * np.arange(1, len(path) + 1)
        for layer, one in enumerate(axes):
            one.plot(x, path[:, layer], color=theme.of(colour), linewidth=1.3)
            one.plot([], [], color=theme.of(colour), label=name.removesuffix(" per layer"))
    for layer, one in enumerate(axes, 1):
        one.set_title(f"k of layer {layer}, each seed")
        one.set_xlabel("steps of 128 images")
        one.set_yscale("log")
        one.set_ylim(0.4, 30)
        one.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
        one.minorticks_off()
    handles, labels = axes[0].get_legend_handles_labels()
    begun = dict(zip(labels, handles, strict=True))
    figure.legend(
        begun.values(), [f"begun as {label}" for label in begun], loc="outside lower center",
        ncols=3, frameon=False,
    )  # fmt: skip
    return figure


def gradients(outcomes: Outcomes, theme: Theme) -> Figure:
    """Through twenty layers."""
    figure, axes = panels(theme, 2, 3.5)
    for one, init in zip(axes, ("glorot", "critical"), strict=True):
        for name in GRADIENTS:
            found = outcomes.job(f"propagation_{init}", name)
            layers = np.arange(1, len(found["norms"]) + 1)
            one.plot(layers, found["norms"], color=theme.of(name), linewidth=1.8, label=name)
            one.plot(layers, found["predicted"], ":", color=theme.ink, linewidth=1.2)
        one.plot([], [], ":", color=theme.ink, label="predicted")
        one.set_yscale("log")
        one.set_xlabel("layer")
        one.set_xticks([1, 5, 10, 15, 20])
        one.set_title(f"{init.title()}: norm of the gradient, of layer 20's")
    axes[1].set_ylim(0.1, 10)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=7, frameon=False)
    return figure


DRAWN: dict[str, Callable[[Outcomes, Theme], Figure]] = {
    "forest": forest, "steepness": steepness, "curves": curves, "learnt": learnt,
    "gradients": gradients,
}  # fmt: skip


def drawn(outcomes: Outcomes, name: str) -> Iterator[tuple[str, Figure]]:
    """Yield a picture in both themes."""
    for title, theme in THEMES.items():
        with rc_context({
            "font.size": LETTERS, "axes.titlesize": LETTERS, "text.color": theme.ink,
            "axes.edgecolor": theme.faint, "axes.labelcolor": theme.ink,
            "axes.facecolor": theme.ground, "figure.facecolor": theme.ground,
            "xtick.color": theme.ink, "ytick.color": theme.ink,
        }):  # fmt: skip
            yield f"{name}-{title}.png", DRAWN[name](outcomes, theme)


def write(outcomes: Outcomes, folder: Path) -> None:
    """Write every picture, in few colours: they are kept in the repository."""
    folder.mkdir(exist_ok=True)
    for name in DRAWN:
        for file, figure in drawn(outcomes, name):
            whole = io.BytesIO()
            figure.savefig(whole)
            few = Image.open(whole).convert("RGB").quantize(96, Image.Quantize.MEDIANCUT)
            few.save(folder / file, optimize=True)
