"""The page of an activation.

# Design:
# - Its prose is the docstring in src/formulas, whose indented lines are the formulas; the ends and
#   the example are computed, and the errors are those of accuracy.md. Nothing is written twice.
"""

import ast
import inspect
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import typeset
from markdown import directive, picture, table
from measured import DTYPES, measured

from s3s4._activation import elementwise
from s3s4._rows import row_activations
from s3s4._table import TABLE

FORMULAS = Path(__file__).resolve().parents[2] / "src" / "formulas"


def page(name: str) -> str:
    """Return the page of an activation of elements."""
    entry, activation = TABLE[name], elementwise[name]
    names = (name, *TABLE, *entry.parameters)
    lines = [f"# {name}", ""]
    for paragraph in entry.doc.split("\n\n"):
        lines += formulas(paragraph.splitlines(), names) if paragraph[:1] == " " else [paragraph]
        lines.append("")
    about = [f"`{key}`: {default:.6g} unless given." for key, default in entry.parameters.items()]
    lines += [
        *picture(f"{name}.svg", f"{name} and its derivative by x"),
        f'<a href="../index.html?f={name}#explorer">In the explorer</a>',
        "",
        *directive("py:function", f"s3s4.{name}{inspect.signature(activation)}", about),
        "Its derivatives and gradients are methods of {py:class}`s3s4.Activation`; the options are"
        " those of {py:class}`numpy.ufunc`. "
        + elsewhere([name, f"{name}_value_dx", *(f"{name}_d{by}" for by in entry.derivatives)]),
        "",
        "## Derivatives",
        "",
    ]
    for by, doc in entry.derivatives.items():
        formula, _, notes = doc.partition("\n\n")
        wrt = "" if by == "x" else f', wrt="{by}"'
        lines += [f"`s3s4.{name}.derivative({', '.join(['x', *entry.parameters])}{wrt})`:", ""]
        shown = typeset.sentence(" ".join(formula.split()), names)
        lines += directive("raw", "html", [f'<p class="formula">{shown}</p>'])
        lines += [notes, ""] if notes else []
    lines += ["## Example", "", "```python", *example(name), "```", ""]
    lines += [f"## {'Limits' if not entry.parameters else 'Limits, with the defaults'}", ""]
    lines += [*ends(name), "", "## Largest errors measured", "", *errors(name), ""]
    return "\n".join([*lines, *source(name)])


def row_page(name: str) -> str:
    """Return the page of an activation of rows."""
    doc = str(row_activations[name].__doc__)
    title, about, _ = doc.split("\n\n", 2)
    formula, _, notes = about.partition(". ")
    vector = doc.partition("`backward` gives ")[2].partition("\n\n")[0]
    lines = [
        *[f"# {name}", "", title, ""],
        *formulas([formula], (name,)),
        *[" ".join(notes.split()), ""],
        *directive("py:function", f"s3s4.{name}(x, axis=-1, *, out=None, device=None, **options)"),
        "Rows of any axis, masked elements, speed: [rows](../rows.md). Gradients and Jacobians are"
        " methods of {py:class}`s3s4.RowActivation`.",
        "",
        "## Gradient",
        "",
        f"`s3s4.{name}.backward(g, x)`:",
        "",
        *directive("raw", "html", [f"<p>{typeset.sentence(vector, (name, 'softmax'))}</p>"]),
        "## Example",
        "",
        "```python",
        *session(
            "x = np.array([1.0, 2.0, 3.0])",
            f"s3s4.{name}(x).round(4)",
            f"s3s4.{name}.backward(np.array([1.0, 0.0, 0.0]), x).round(4)",
            f"s3s4.{name}.jacobian(x).round(4)",
        ),
        "```",
        "",
    ]
    return "\n".join([*lines, *source(name)])


def formulas(lines: Sequence[str], names: tuple[str, ...]) -> list[str]:
    """Return a formula with its cases, or several, each in a line of its own."""
    several = [[line] for line in lines] if all(" = " in line for line in lines) else [[*lines]]
    shown = [f'<div class="formula">{typeset.block(one, names)}</div>' for one in several]
    return directive("raw", "html", shown)


def elsewhere(ufuncs: Sequence[str]) -> str:
    """Return what an activation is called in other places."""
    return f"The ufuncs are {', '.join(f'`s3s4.ufuncs.{name}`' for name in ufuncs)}."


def signature(name: str) -> str:
    """Return a call with the defaults of its parameters."""
    defaults = [f"{key}={value:.6g}" for key, value in TABLE[name].parameters.items()]
    return f"{name}({', '.join(['x', *defaults])})"


def example(name: str) -> list[str]:
    """Return an example with what it gives."""
    calls = [f"s3s4.{name}(x).round(4)", f"s3s4.{name}.derivative(x).round(4)"]
    for parameter, default in TABLE[name].parameters.items():
        calls.append(f"s3s4.{name}(x, {parameter}={2 * default or 1:.4g}).round(4)")
    return session("x = np.array([-2.0, -0.5, 0.0, 1.0])", *calls)


def session(*lines: str) -> list[str]:
    """Return statements with their results, as Python shows them."""
    shown, known = [], {}
    for line in ("import numpy as np", "import s3s4", *lines):
        shown.append(f">>> {line}")
        try:
            value: Any = eval(line, known)
        except SyntaxError:
            exec(line, known)
        else:
            shown += repr(value).splitlines()
    return shown


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


def errors(name: str) -> list[str]:
    """Return the table of the largest errors of an activation."""
    rows = []
    for wrt in (None, *TABLE[name].derivatives):
        cells = [measured().get((name, wrt, dtype)) for dtype in DTYPES]
        rows.append([label(wrt), *(("not measured" if c is None else error(*c)) for c in cells)])
    return [
        "The largest of all variants, by [the measured errors](../accuracy.md), which say what is"
        " measured and how.",
        "",
        *table(["", *DTYPES], rows),
    ]


def error(eps: float, ulp: float | None) -> str:
    """Return an error as a cell."""
    return f"{eps:.2f} eps" if ulp is None else f"{eps:.2f} eps, {ulp:.2f} ULP"


def source(name: str) -> list[str]:
    """Return the definition that tests compare with, and the form that is compiled."""
    lines = ["## Source", ""]
    for file, about in (
        ("textbook.py", "The definition, which everything is compared with"),
        ("activations.py", "What is compiled for every processor"),
        ("rows.py", "What is compiled for every processor"),
    ):
        found = list(functions(file, name))
        if found:
            text = "\n\n\n".join(found).splitlines()
            where = f"{about}: `src/formulas/{file}`"
            lines += directive("dropdown", where, ["", "```python", *text, "```"])
    return lines


def functions(file: str, name: str) -> Iterator[str]:
    """Yield the functions of an activation and those that they share, without documentation."""
    known = parsed(file)
    derived = [f"{name}_vjp", *(f"{name}_d{by}" for by in ("x", *elementwise_parameters(name)))]
    wanted = [one for one in (name, *derived) if one in known]
    for one in wanted:
        node = known[one]
        called = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        wanted += [other for other in sorted(called & known.keys()) if other not in wanted]
        yield ast.unparse(node)


@cache
def parsed(file: str) -> dict[str, ast.FunctionDef]:
    """Return the functions of a file of formulas, without their documentation."""
    tree = ast.parse((FORMULAS / file).read_text("utf-8"))
    known = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in known.values():
        if ast.get_docstring(node) is not None:
            del node.body[0]
    return known


def elementwise_parameters(name: str) -> Sequence[str]:
    """Return the parameters of an activation; one of rows has none."""
    return [*TABLE[name].parameters] if name in TABLE else []
