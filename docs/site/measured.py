"""The largest errors that docs/accuracy.md holds, by function."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ACCURACY = Path(__file__).resolve().parents[1] / "accuracy.md"
DTYPES = ("float16", "float32", "float64", "long double")


@cache
def measured() -> Mapping[tuple[str, str | None, str], tuple[float, float | None]]:
    """Return eps and ULP by function, derivative and dtype, the largest of all variants."""
    found: dict[tuple[str, str | None, str], tuple[float, float | None]] = {}
    for line in ACCURACY.read_text("utf-8").splitlines():
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
