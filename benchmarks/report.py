"""Make the documentation's tables and picture from the kept results.

Usage: python benchmarks/report.py RESULTS.json docs/performance.md

Replaces what stands between ``<!-- begin: SECTION -->`` and ``<!-- end: SECTION -->``, for each
section that the document has (machine, summary, grid, layouts, published, targets, family,
instructions), and draws ``performance.png`` and ``family.png`` beside it.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import family_tables
import machine
import picture
import tables
from document import fill

FAMILY_PICTURE = "![Every activation: each contender's time over that of s3s4](family.png)\n\n"


def sections(results: dict[str, Any]) -> dict[str, str]:
    """Return the Markdown of each section that there are results for."""
    writers: dict[str, tuple[str, Callable[[Any], str]]] = {
        "summary": ("grid", tables.summary),
        "grid": ("grid", tables.grid),
        "layouts": ("layouts", tables.layouts),
        "published": ("published", tables.published),
        "targets": ("targets", tables.targets),
        "family": ("family", lambda content: FAMILY_PICTURE + family_tables.family(content)),
    }
    written = {
        name: write(results[source]["content"])
        for name, (source, write) in writers.items()
        if source in results
    }
    if "grid" in results:
        lines = machine.lines(results["grid"]["machine"])
        written["machine"] = "\n".join(f"- {line}" for line in lines) + "\n"
    counts = json.loads((Path(__file__).parents[1] / "tests" / "instructions.json").read_text())
    written["instructions"] = tables.instructions(counts)
    return written


def main() -> None:
    """Read the results, write the document and its picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("document", type=Path)
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    options.document.write_text(fill(options.document.read_text(), sections(results)))
    if "grid" in results:
        file = options.document.with_suffix(".png")
        grid = results["grid"]
        picture.draw(
            grid["content"], machine.title(grid["machine"], "S3 and S4: time an element"), file
        )
    if "family" in results:
        family = results["family"]
        title = machine.title(family["machine"], "Times s3s4")
        picture.draw_family(family["content"], title, options.document.with_name("family.png"))


if __name__ == "__main__":
    main()
