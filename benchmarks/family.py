"""Every activation and its derivative by x beside its peers.

10^7 elements in up to ten minutes, with --quick 10^6 in about two. It draws
benchmarks/results/family.png. Compiling for torch.compile is in these times when it was done here
before; the first time it takes some minutes more. Exit code 1 if an activation is missing.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import cells
import family_tables
import machine
import picture
import results
import s3s4
from definitions import undefined

ALLOWANCE = 590
RACE, QUICK_RACE = 1.0, 0.3
"""Seconds: for all of it, and for each race."""


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure, print and keep."""
    # Of single elements; rows have a command of their own.
    family = [n for n, a in s3s4.activations.items() if isinstance(a, s3s4.Activation)]
    missing = undefined(family)
    if missing:
        raise SystemExit(f"benchmarks/definitions.py lacks {', '.join(missing)}")
    unknown = {*names} - {*family}
    if unknown:
        raise SystemExit(f"no activation {', '.join(sorted(unknown))}: {', '.join(family)}")
    n = 10**6 if quick else 10**7
    measured, left_out = cells.collect(
        [q for name in names or family for q in (name, f"{name}_dx")],
        sizes=[n],
        names=family_tables.CONTENDERS,
        allowance=ALLOWANCE,
        seconds=QUICK_RACE if quick else RACE,
    )
    times: dict[str, Any] = defaultdict(dict)
    reasons: dict[str, Any] = defaultdict(dict)
    for cell in measured:
        times[cell.dtype][cell.quantity] = cell.rows()
        reasons[cell.dtype][cell.quantity] = cell.complaints
    content = {"n": n, "cells": times, "reasons": reasons}
    print(family_tables.family(content))
    if not quick and not names and not left_out:
        results.store("family", content)
    target = results.FOLDER / "family.png"
    picture.draw_family(content, machine.title(machine.describe(), "Times s3s4"), target)
    print(f"written: {target}")
    if left_out:
        raise SystemExit("left out: " + "; ".join(left_out))
