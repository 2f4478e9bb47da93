"""Every activation and its derivative by x beside its peers: one table, one picture.

Usage: python benchmarks/family.py [--quick] [--threads N] [NAME]...

10^7 elements in up to ten minutes; the result is kept in benchmarks/results/<processor>.json, from
which benchmarks/report.py makes the documentation. --quick takes 10^6 elements and about two
minutes, and only prints. Either draws benchmarks/results/family.png. Compiling for torch.compile is
in these times when it was done here before; the first time it takes some minutes more. Exit code 1
if an activation is missing.
"""

import argparse
import time
from collections import defaultdict
from typing import Any

import threads

ALLOWANCE = 590
RACE, QUICK_RACE = 1.0, 0.3
"""Seconds: for all of it, and for each race."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these; nothing is kept")
    parser.add_argument("--quick", action="store_true", help="10^6 elements; nothing is kept")
    parser.add_argument(
        "--threads", type=int, default=threads.limit(), help="threads of every contender"
    )
    return parser.parse_args()


def main() -> None:
    """Measure, print and keep."""
    options = arguments()
    threads.hold(options.threads)
    # The libraries size their thread pools when they are imported.
    import family_tables
    import grid
    import machine
    import picture
    import results
    import s3s4
    from contenders import CONTENDERS
    from definitions import undefined
    from progress import progress

    # Of single elements; asv has those of rows, and docs/rows.md their table.
    family = [n for n, a in s3s4.activations.items() if isinstance(a, s3s4.Activation)]
    missing = undefined(family)
    if missing:
        raise SystemExit(f"benchmarks/definitions.py lacks {', '.join(missing)}")
    activations = [s3s4.get(name).name for name in options.names] or family
    quantities = [q for name in activations for q in (name, f"{name}_dx")]
    present = [name for name in family_tables.CONTENDERS if not CONTENDERS[name].missing]
    print(*machine.lines(machine.describe()), sep="\n")
    for name in family_tables.CONTENDERS:
        print(f"  {name}: {CONTENDERS[name].missing or CONTENDERS[name].note}")
    n = 10**6 if options.quick else 10**7
    start = time.monotonic()
    cells: dict[str, Any] = defaultdict(dict)
    reasons: dict[str, Any] = defaultdict(dict)
    left_out = []
    with progress() as bar:
        task = bar.add_task("activations", total=len(grid.DTYPES) * len(quantities))
        seconds = QUICK_RACE if options.quick else RACE
        for cell in grid.measure(quantities, [n], present, ALLOWANCE, seconds):
            bar.advance(task)
            if isinstance(cell, str):
                left_out.append(cell)
                continue
            cells[cell.dtype][cell.quantity] = cell.rows()
            reasons[cell.dtype][cell.quantity] = cell.complaints
    content = {"n": n, "cells": cells, "reasons": reasons}
    print(f"{time.monotonic() - start:.0f} s in all\n")
    print(family_tables.family(content))
    if not options.quick and not options.names and not left_out:
        print(f"written: {results.store('family', content)}")
    target = results.FOLDER / "family.png"
    picture.draw_family(content, machine.title(machine.describe(), "Times s3s4"), target)
    print(f"written: {target}")
    if left_out:
        raise SystemExit("left out: " + "; ".join(left_out))


if __name__ == "__main__":
    main()
