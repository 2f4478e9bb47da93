"""s3s4 beside its peers: S3, S4 and S4's derivatives at every size.

The full run takes up to ten minutes. What the time does not suffice for is left out and named. It
draws benchmarks/results/grid.png.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import cells
import machine
import picture
import results
import tables
from contenders import CONTENDERS
from job import QUANTITIES

FULL_SECONDS = 560
QUICK_SECONDS = 45


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, print and keep."""
    unknown = {*names} - QUANTITIES.keys()
    if unknown:
        raise SystemExit(f"no quantity {', '.join(sorted(unknown))}: {', '.join(QUANTITIES)}")
    quantities = list(names) or (["s4", "s4_dx"] if quick else list(QUANTITIES))
    measured, _ = cells.collect(
        quantities,
        sizes=[10**e for e in ((6, 4, 2) if quick else range(1, 9))],
        names=list(CONTENDERS),
        allowance=QUICK_SECONDS if quick else FULL_SECONDS,
        seconds=1.0 if quick else None,
    )
    content: dict[str, Any] = defaultdict(lambda: defaultdict(dict))
    for cell in measured:
        content[cell.dtype][cell.quantity][str(cell.n)] = cell.rows()
    print(tables.grid(content))
    if not quick and not names:
        results.store("grid", content)
    target = results.FOLDER / "grid.png"
    picture.draw(content, machine.title(machine.describe(), "S3 and S4: time an element"), target)
    print(f"written: {target}")
