"""Results as Markdown, for the terminal and for the documentation alike."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from contenders import CONTENDERS, OURS
from job import QUANTITIES

Grid = Mapping[str, Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """Return a table whose columns line up: the first to the left, numbers to the right."""
    # A bar in a cell would end it.
    head, *rows = [[cell.replace("|", r"\|") for cell in cells] for cells in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join([first, *rest])} |"

    rule = [":" + "-" * (width - 1) if i == 0 else "-" * (width - 1) + ":"
            for i, width in enumerate(widths)]  # fmt: skip
    text = "\n".join([line(head), line(rule), *map(line, rows)])
    return f"{caption}\n\n{text}\n" if caption else f"{text}\n"


def significant(value: float) -> str:
    """Return three significant digits without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def grid(content: Grid) -> str:
    """Return the one table: nanoseconds an element at each size, and how many times s3s4's."""
    sizes = sorted({int(n) for d in content.values() for q in d.values() for n in q})
    last = 10**7 if 10**7 in sizes else sizes[-1]
    head = ["ns an element", *(power(n) for n in sizes), f"times s3s4 at {power(last)}"]
    rows = []
    for dtype, quantities in content.items():
        for quantity, cells in quantities.items():
            rows.append([f"**{QUANTITIES[quantity]}, {dtype}**", *[""] * (len(sizes) + 1)])
            for name in CONTENDERS:
                found = [cells.get(str(n), {}).get(name) for n in sizes]
                if not any(found):
                    continue
                values = [
                    significant(f[0] / n * 1e9) if f else "-"
                    for n, f in zip(sizes, found, strict=True)
                ]
                rows.append([name, *values, times(cells.get(str(last), {}), name)])
    return markdown(head, rows)


def times(cell: Mapping[str, Sequence[float]], name: str) -> str:
    """Return how many times longer than s3s4 a contender takes."""
    if name not in cell or OURS not in cell:
        return "-"
    return f"{significant(cell[name][0] / cell[OURS][0])}x"


def power(n: int) -> str:
    """Return a power of ten as such."""
    exponent = len(str(n)) - 1
    return f"10^{exponent}" if n == 10**exponent else str(n)


def layouts(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of layouts, one line a layout and two columns a dtype."""
    names = dict.fromkeys(row["layout"] for row in rows)
    dtypes = dict.fromkeys(row["dtype"] for row in rows)
    found = {(row["layout"], row["dtype"]): row for row in rows}
    head = ["S4 at 10^7 elements"]
    for dtype in dtypes:
        head += [f"{dtype}, ns an element", "times contiguous"]
    body = []
    for name in names:
        cells = [name]
        for dtype in dtypes:
            row = found.get((name, dtype))
            cells += [significant(row["ns"]), times_contiguous(row)] if row else ["-", "-"]
        body.append(cells)
    return markdown(head, body)


def times_contiguous(row: Mapping[str, Any]) -> str:
    """Return how many times contiguous arrays' a layout takes, with the quartiles of that."""
    low, high = row["quartiles"]
    return f"{row['ratio']:.2f}x ({low:.2f} to {high:.2f})"


def published(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the published experiment, what was reported beside it."""
    head = ["calls", "numpy, s", "s3s4, s", "ratio here", "ratio reported, T4 against its CPU"]
    body = [
        [
            str(row["calls"]),
            significant(row["numpy"]),
            significant(row["s3s4"]),
            f"{row['ratio']:.1f}x",
            f"{row['reported']:.2f}x",
        ]
        for row in rows
    ]
    return markdown(head, body)


def instructions(counts: Mapping[str, Mapping[str, float]]) -> str:
    """Return instructions per element of S3 and S4, a line a kernel and a column a variant."""
    known = {kernel for variant in counts.values() for kernel in variant}
    kernels = sorted(k for k in known if re.match("s[34]_(?!smooth)", k))
    body = [
        [kernel, *(str(counts[variant].get(kernel, "-")) for variant in counts)]
        for kernel in kernels
    ]
    return markdown(["instructions per element", *counts], body)


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    unit, name = next(
        (u, n) for u, n in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (0.0, "ns")) if seconds >= u
    )
    return f"{significant(seconds / (unit or 1e-9))} {name}"


def sizes(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return all threads over one thread by size."""
    head = ["S4 of n elements", "one thread", "all threads, times that", "quartiles"]
    body = [
        [
            power(row["n"]),
            duration(row["serial"]),
            f"{row['ratio']['median']:.2f}x",
            f"{row['ratio']['low']:.2f} to {row['ratio']['high']:.2f}",
        ]
        for row in rows
    ]
    return markdown(head, body)


def ulp(error: float) -> str:
    """Return an error in units in the last place."""
    return f"{error:.1f} ulp" if error < 100 else f"{error:.0e} ulp".replace("e+0", "e")


def question(table: Mapping[str, Any], turned: bool = False) -> str:
    """Return the table of a question: medians with half the distance of their quartiles.

    Parameters
    ----------
    table : mapping
        As `questions` keeps it.
    turned : bool
        Whether its columns are to be rows.
    """
    columns = list(table["elements"])

    def cell(found: Mapping[str, Any] | None, n: int) -> str:
        if found is None:
            return "-"
        unit = 1e-9 * n if table["unit"] == "ns an element" else 1e-6
        text = significant(found["median"] / unit)
        percent = 100 * found["spread"] / found["median"]
        error = f", {found['error']}" if found["error"] else ""
        return f"{text} ± {percent:.0f}%{error}"

    body = {
        name: [cell(cells.get(column), table["elements"][column]) for column in columns]
        for name, cells in table["cells"].items()
    }
    if not turned:
        head = [table["caption"], *columns]
        return markdown(head, [[name, *cells] for name, cells in body.items()])
    head = [table["caption"], *body]
    turned_body = [[c, *(cells[i] for cells in body.values())] for i, c in enumerate(columns)]
    return markdown(head, turned_body)
