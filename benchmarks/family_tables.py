"""The results of the family as Markdown, and whether they meet their targets."""

from collections.abc import Mapping, Sequence
from typing import Any

from contenders import OURS
from contenders.from_numpy import used
from job import split
from tables import markdown, power, significant, times

CONTENDERS = (
    OURS,
    "s3s4, new output",
    "copy",
    "numpy",
    "scipy",
    "numexpr",
    "torch",
    "torch.compile",
    "jax.jit",
)
"""Who takes part: those that have every activation; the others are in `questions`."""

TRANSCENDENTAL = {"exp", "expm1", "log1p", "ndtr", "sigmoid", "sin", "tanh"}
"""Functions of a library that make an activation one that computes, and does not only move."""

SPEEDUPS = {"torch": 3.0, "torch.compile": 1.5}
"""How many times s3s4's time these must take, where there is a transcendental function."""

SHARE = 0.9
"""Of the speed of a copy, where there is none."""

Row = Mapping[str, Sequence[float]]


def ratio(row: Row, name: str) -> float:
    """Return how many times s3s4's time a contender takes."""
    return row[name][0] / row[OURS][0]


def targets(quantity: str) -> Mapping[str, float]:
    """Return how many times s3s4's time contenders must take."""
    return SPEEDUPS if used(quantity) & TRANSCENDENTAL else {"copy": SHARE}


def verdict(quantity: str, row: Row) -> str:
    """Return "yes" where the targets are met, otherwise which are not and by how much."""
    bounds = targets(quantity)
    missed = [
        f"{name} {ratio(row, name):.2f} < {bound:g}"
        for name, bound in bounds.items()
        if name in row and ratio(row, name) < bound
    ]
    absent = [f"{name} not timed" for name in bounds if name not in row]
    return ", ".join(missed + absent) or "yes"


def shown(quantity: str) -> str:
    """Return a quantity as it is printed."""
    name, what = split(quantity)
    return f"{name}'" if what else name


def family(content: Mapping[str, Any]) -> str:
    """Return a table for each dtype, and the reasons for what is missing in it."""
    parts = []
    for dtype, quantities in content["cells"].items():
        head = [f"{dtype}, {power(content['n'])}", "ns", *CONTENDERS[1:], "targets met"]
        body = [
            [
                shown(quantity),
                significant(row[OURS][0] / content["n"] * 1e9),
                *(times(row, name) for name in CONTENDERS[1:]),
                verdict(quantity, row),
            ]
            for quantity, row in quantities.items()
        ]
        parts.append(markdown(head, body))
    parts.append("\n".join(f"- {line}" for line in missing(content["reasons"])) + "\n")
    return "\n".join(parts)


def missing(reasons: Mapping[str, Mapping[str, Mapping[str, str]]]) -> list[str]:
    """Return why cells are empty: each reason with whom and what it is about."""
    about: dict[tuple[str, str], list[str]] = {}
    for dtype, quantities in reasons.items():
        for quantity, complaints in quantities.items():
            for name, reason in complaints.items():
                about.setdefault((name, reason), []).append(f"{shown(quantity)} ({dtype})")
    lines = []
    for (name, reason), cells in about.items():
        both = dict.fromkeys(cell.partition(" (")[0] for cell in cells)
        whole = len(cells) == len(both) * len(reasons)
        lines.append(f"{name}, {', '.join(both if whole else cells)}: {reason}")
    return lines
