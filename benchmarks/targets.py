"""The speed targets of the project, each measured and judged.

Ratios within one process, contenders in turns, best of several. A target that this machine cannot
be asked about (a missing variant, a missing peer, one processor) says so and counts as not met.
"""

from collections.abc import Sequence
from dataclasses import asdict

import results
import tables
import verdicts


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, print and keep."""
    unknown = {*names} - verdicts.GROUPS.keys()
    if unknown:
        known = ", ".join(verdicts.GROUPS)
        raise SystemExit(f"no group of targets {', '.join(sorted(unknown))}: {known}")
    rows = []
    for verdict in verdicts.of(
        names or verdicts.GROUPS, verdicts.QUICK if quick else verdicts.FULL
    ):
        rows.append(asdict(verdict))
        word = "met    " if verdict.met else "NOT MET"
        print(f"{word} {verdict.target}: {verdict.measured}, {verdict.bound}", flush=True)
    print()
    print(tables.targets(rows))
    if not quick and not names:
        results.store("targets", rows)
