"""s3s4 beside its peers: one table, one picture, and the layouts.

Usage: python benchmarks/bench.py [--quick] [--threads N]

The full run takes up to ten minutes and writes benchmarks/results/<processor>.json, from which
benchmarks/report.py makes the documentation. The quick one takes a minute and only prints. Both
draw benchmarks/results/bench.png. What the time does not suffice for is left out and named.
"""

import argparse
import time
from collections import defaultdict
from typing import Any

import threads

FULL_SECONDS = 560
QUICK_SECONDS = 45


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="S4 and S4' at a few sizes only")
    parser.add_argument(
        "--threads", type=int, default=threads.limit(), help="threads of every contender"
    )
    return parser.parse_args()


def main() -> None:
    """Measure, print and keep."""
    options = arguments()
    threads.hold(options.threads)
    # The libraries size their thread pools when they are imported.
    import grid
    import layouts
    import machine
    import picture
    import results
    import tables
    from contenders import CONTENDERS
    from job import QUANTITIES
    from progress import progress

    print(*machine.lines(machine.describe()), sep="\n")
    for contender in CONTENDERS.values():
        print(f"  {contender.name}: {contender.missing or contender.note}")
    quantities = ["s4", "s4_dx"] if options.quick else list(QUANTITIES)
    sizes = [10**e for e in ((6, 4, 2) if options.quick else range(1, 9))]
    start = time.monotonic()
    content: dict[str, Any] = defaultdict(lambda: defaultdict(dict))
    cells = len(grid.DTYPES) * len(sizes) * len(quantities)
    with progress() as bar:
        task = bar.add_task("contenders", total=cells)
        present = grid.present()
        allowance = QUICK_SECONDS if options.quick else FULL_SECONDS
        seconds = 1.0 if options.quick else None
        for cell in grid.measure(quantities, sizes, present, allowance, seconds):
            bar.advance(task)
            if isinstance(cell, str):
                bar.console.print(f"left out: {cell}")
                continue
            for name, wrong in cell.complaints.items():
                bar.console.print(f"wrong: {name}, {cell.quantity}, {cell.dtype}: {wrong}")
            content[cell.dtype][cell.quantity][str(cell.n)] = cell.rows()
        task = bar.add_task("layouts", total=None)
        layout_rows = layouts.measure()
        bar.update(task, total=1, completed=1)
    print(f"{time.monotonic() - start:.0f} s in all\n")
    print(tables.grid(content))
    print(tables.layouts(layout_rows))
    if not options.quick:
        results.store("grid", content)
        print(f"written: {results.store('layouts', layout_rows)}")
    target = results.FOLDER / "bench.png"
    picture.draw(content, machine.title(machine.describe(), "S3 and S4: time an element"), target)
    print(f"written: {target}")


if __name__ == "__main__":
    main()
