"""Write a page for every activation, their index, the gallery and the explorer, for the site.

# Design:
# - The prose of a page is the docstring in src/formulas, whose indented lines are the formulas;
#   the ends are computed and the errors are those of accuracy.md. Nothing is written twice.
# - What is written here is not kept in git: it follows from the formulas and accuracy.md.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from s3s4._activation import elementwise
from s3s4._table import TABLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parents[1]
SOURCE = DOCS.parent / "src"
DTYPES = ("float16", "float32", "float64", "long double")

SCRIPTS = ("primitives.js", "explorer.js")
"""Of the explorer, written by hand."""

STEEPNESSES = (0.5, 1.0, 2.0, 10.0)
"""Values of k with which the gallery shows S4 beside the default."""


def texts() -> dict[str, str]:
    """Return every page by its place in the documentation."""
    pages = {f"functions/{name}.md": page(name) for name in TABLE}
    others = {"functions/index.md": index(), "gallery.md": gallery(), "explorer.html": explorer()}
    return {**pages, **others}


def page(name: str) -> str:
    """Return the page of an activation."""
    entry = TABLE[name]
    parameters = list(entry.parameters)
    lines = [
        f"# {name}",
        "",
        entry.doc,
        "",
        f"![{name} and its derivative by x]({name}.png)",
        "",
        f"```{{py:function}} s3s4.{signature(name)}",
        "```",
        "",
        "```python",
        f"s3s4.{name}.value_and_derivative({', '.join(['x', *parameters])})",
        f"s3s4.{name}.backward({', '.join(['grad_output', 'x', *parameters])})",
        "```",
        "",
        "## Derivatives",
        "",
    ]
    for by, doc in entry.derivatives.items():
        formula, _, notes = doc.partition("\n\n")
        wrt = "" if by == "x" else f', wrt="{by}"'
        lines += [f"`s3s4.{name}.derivative({', '.join(['x', *parameters])}{wrt})`:", ""]
        lines += [f"    {line}" for line in formula.removesuffix(".").splitlines()]
        lines += ["", *([notes, ""] if notes else [])]
    lines += [f"## {'At' if not parameters else 'With the defaults, at'} ±∞ and 0", ""]
    lines += [*ends(name), "", "## Largest errors measured", "", *errors(name), ""]
    return "\n".join(lines)


def signature(name: str) -> str:
    """Return a call with the defaults of its parameters."""
    defaults = [f"{key}={value:.6g}" for key, value in TABLE[name].parameters.items()]
    return f"{name}({', '.join(['x', *defaults])})"


def label(wrt: str | None) -> str:
    """Return what is measured, as a row is headed."""
    return "value" if wrt is None else f"by {wrt}"


def ends(name: str) -> list[str]:
    """Return the table of values and derivatives at the ends of the line and in its middle."""
    activation = elementwise[name]
    x = np.array([-np.inf, 0.0, np.inf])
    rows = [(label(None), activation(x))]
    rows += [(label(by), activation.derivative(x, wrt=by)) for by in TABLE[name].derivatives]
    cells = [[head, *(f"{value + 0.0:.6g}" for value in values)] for head, values in rows]
    return table(["", "x = -∞", "x = 0", "x = +∞"], cells)


@cache
def measured() -> Mapping[tuple[str, str | None, str], tuple[float, float | None]]:
    """Return eps and ULP by function, derivative and dtype, the largest of all variants."""
    found: dict[tuple[str, str | None, str], tuple[float, float | None]] = {}
    for line in (DOCS / "accuracy.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        what = re.fullmatch(r"(?:∂)?(\w+)\(.*?\)(?:/∂(\w+))?", cells[0])
        if what is None:
            continue
        _, dtype, _, eps, _, ulp, *_ = cells
        key = (what[1].lower(), what[2], dtype)
        before = found.get(key, (0.0, None))
        ulps = [value for value in (before[1], float(ulp) if ulp else None) if value is not None]
        found[key] = (max(before[0], float(eps)), max(ulps, default=None))
    return found


def errors(name: str) -> list[str]:
    """Return the table of the largest errors of an activation."""
    rows = []
    for wrt in (None, *TABLE[name].derivatives):
        cells = [measured().get((name, wrt, dtype)) for dtype in DTYPES]
        rows.append([label(wrt), *(("not measured" if c is None else error(*c)) for c in cells)])
    return [
        "The largest of all variants, from [accuracy.md](../accuracy.md), which says what is"
        " measured and how.",
        "",
        *table(["", *DTYPES], rows),
    ]


def error(eps: float, ulp: float | None) -> str:
    """Return an error as a cell."""
    return f"{eps:.2f} eps" if ulp is None else f"{eps:.2f} eps, {ulp:.2f} ULP"


def index() -> str:
    """Return the list of all pages."""
    rows = [
        [f"[{name}]({name}.md)", f"`{signature(name)}`", entry.doc.partition("\n")[0]]
        for name, entry in TABLE.items()
    ]
    return "\n".join(
        [
            "# Activations",
            "",
            "All of them in one picture: [the gallery](../gallery.md). Functions of whole rows"
            " (softmax, softmin, log_softmax) have [a page of their own](../rows.md).",
            "",
            *table(["", "call", ""], rows),
            "",
            "```{toctree}",
            ":hidden:",
            "",
            "../gallery",
            *TABLE,
            "```",
            "",
        ]
    )


def gallery() -> str:
    """Return the page of the picture of all activations."""
    links = ", ".join(f"[{name}](functions/{name}.md)" for name in TABLE)
    return "\n".join(
        [
            "# Gallery",
            "",
            "Every activation (black) and its derivative by x (red) on one scale, with the default"
            " parameters, and S4 for several k. Any of them in one picture:"
            " `s3s4 plot gelu mish s4 --derivative`.",
            "",
            "![Every activation and its derivative](gallery.png)",
            "",
            links,
            "",
        ]
    )


def scripts() -> dict[str, str]:
    """Return the modules of the explorer, by name; that of the activations is generated."""
    sys.path.append(str(SOURCE))
    from codegen.family import family
    from codegen.targets import javascript

    kept = {name: (DOCS / "explorer" / name).read_text("utf-8") for name in SCRIPTS}
    module = javascript.module(family(SOURCE / "formulas"))
    return {
        **kept,
        "activations.js": f'import {{ primitives }} from "./primitives.js";\n\n{module}',
    }


def explorer() -> str:
    """Return the part of a page where parameters are moved by hand, with all that it needs."""
    modules = scripts()
    order = ("primitives.js", "activations.js", "explorer.js")
    text = "\n".join(modules[name] for name in order)
    text = re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    page = (DOCS / "explorer" / "explorer.html").read_text("utf-8")
    return page.replace("//SCRIPT\n", text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table; a bar in a cell would end it."""
    lines = [" | ".join(cell.replace("|", r"\|") for cell in line) for line in (head, *rows)]
    return [f"| {line} |" for line in (lines[0], " | ".join(["---"] * len(head)), *lines[1:])]


def draw(axes: "Axes", name: str, **parameters: Any) -> None:
    """Draw the value and the derivative of an activation."""
    from s3s4._command import figures as _figures

    x = _figures.DENSE
    value, slope = elementwise[name].value_and_derivative(x, **parameters)
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.plot(x, _figures.broken(slope), color="#d7301f", linewidth=1.4, label="derivative by x")
    axes.plot(x, _figures.broken(value), color="black", linewidth=1.6, label="value")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(x[0], x[-1])


def pictures() -> Iterator[tuple[str, "Figure"]]:
    """Yield every picture with its place in the documentation."""
    from matplotlib.figure import Figure

    for name in TABLE:
        figure = Figure(figsize=(4.8, 3), layout="constrained", dpi=100)
        axes = figure.subplots()
        draw(axes, name)
        axes.legend(frameon=False, fontsize=8)
        yield f"functions/{name}.png", figure
    shown: list[tuple[str, dict[str, float]]] = [(name, {}) for name in TABLE]
    after = [name for name, _ in shown].index("s4") + 1
    shown[after:after] = [("s4", {"k": k}) for k in STEEPNESSES]
    columns = 6
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(2 * columns, 1.75 * rows), layout="constrained", dpi=100)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True).ravel()
    for axes, (name, parameters) in zip(panels, shown, strict=False):
        draw(axes, name, **parameters)
        axes.set_ylim(-1.3, 3)
        axes.set_title(", ".join([name, *(f"{k} = {v:g}" for k, v in parameters.items())]))
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    yield "gallery.png", figure


def write(folder: Path) -> None:
    """Write everything."""
    (folder / "functions").mkdir()
    for place, text in texts().items():
        (folder / place).write_text(text, "utf-8")
    for place, figure in pictures():
        figure.savefig(folder / place)
