"""Make the documentation's tables and picture from the kept results.

Fills docs/performance.md: replaces what stands between <!-- begin: SECTION --> and
<!-- end: SECTION -->, for each section that the document has (machine, summary, grid, layouts,
published, targets, family, instructions), and draws its picture beside it.
--quick prints the sections instead.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import family_tables
import machine
import picture
import results
import tables
from document import fill

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "performance.md"


def sections(kept: dict[str, Any]) -> dict[str, str]:
    """Return the Markdown of each section that there are results for."""
    writers: dict[str, tuple[str, Callable[[Any], str]]] = {
        "summary": ("grid", tables.summary),
        "grid": ("grid", tables.grid),
        "layouts": ("layouts", tables.layouts),
        "published": ("published", tables.published),
        "targets": ("targets", tables.targets),
        "family": ("family", family_tables.family),
    }
    written = {
        name: write(kept[source]["content"])
        for name, (source, write) in writers.items()
        if source in kept
    }
    if "grid" in kept:
        lines = machine.lines(kept["grid"]["machine"])
        written["machine"] = "\n".join(f"- {line}" for line in lines) + "\n"
    counts = json.loads((ROOT / "tests" / "instructions.json").read_text())
    written["instructions"] = tables.instructions(counts)
    return written


def run(quick: bool, names: Sequence[str]) -> None:
    """Read the results, write the document and its picture."""
    kept: dict[str, Any] = {}
    for file in [results.FOLDER / f"{name}.json" for name in names] or [results.path()]:
        if not file.exists():
            raise SystemExit(f"no results in {file}")
        kept |= results.load(file)
    written = sections(kept)
    if quick:
        print(*written.values(), sep="\n")
        return
    DOCUMENT.write_text(fill(DOCUMENT.read_text("utf-8"), written), "utf-8")
    if "grid" in kept:
        grid = kept["grid"]
        title = machine.title(grid["machine"], "S3 and S4: time an element")
        picture.draw(grid["content"], title, DOCUMENT.with_suffix(".png"))
