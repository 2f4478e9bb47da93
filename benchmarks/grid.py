"""s3s4 beside its peers at every size: S4 and its derivative, or the quantities that are named.

The full run takes four minutes. What the time does not suffice for is left out and named. It
draws benchmarks/results/grid-light.png and -dark.png.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import cells
import machine
import picture
import results
import tables
from job import QUANTITIES

FULL_SECONDS = 230
QUICK_SECONDS = 45
USUAL = ("s4", "s4_dx")


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, print and keep."""
    unknown = {*names} - QUANTITIES.keys()
    if unknown:
        raise SystemExit(f"no quantity {', '.join(sorted(unknown))}: {', '.join(QUANTITIES)}")
    quantities = names or USUAL
    measured, _ = cells.collect(
        quantities,
        sizes=[10**e for e in ((6, 4, 2) if quick else range(1, 9))],
        names=list(picture.SHOWN),
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
    picture.draw(content, machine.title(machine.describe(), "S4 and S4': time an element"), target)
    print(f"written: {target.stem}-*{target.suffix} in {target.parent}")
