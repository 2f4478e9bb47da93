"""Make the tables of the documentation, and a picture, from the kept results.

Replaces what stands between <!-- begin: SECTION --> and <!-- end: SECTION --> in
docs/performance.md, docs/rows.md and README.md, and draws docs/performance-*.png from the section
"grid". --quick prints the sections instead. Results of this machine come first; what it has none of
is taken from those of others, which is said beside it.
"""

import json
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import answers
import machine
import picture
import results
import tables
from document import fill

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "performance.md"
DOCUMENTS = (DOCUMENT, ROOT / "docs" / "rows.md", ROOT / "README.md")

QUESTIONS = (
    "small",
    "in_cache",
    "large",
    "functions_in_cache",
    "functions",
    "gradients",
    "outputs",
    "halves",
    "rows",
)
"""Sections that are a table of `questions` each."""

WRITERS: dict[str, tuple[str, Callable[[Any], str]]] = {
    **{name: ("questions", partial(answers.answer, name=name)) for name in QUESTIONS},
    "speed": ("questions", answers.speed),
    "busy": ("sizes", answers.busy),
    "layouts": ("layouts", tables.layouts),
    "published": ("published", tables.published),
    "targets": ("targets", answers.targets),
}
"""Sections by name: which results each is of, and what writes it."""


def sections(kept: dict[str, Any], here: str) -> dict[str, str]:
    """Return the Markdown of each section that there are results for.

    Parameters
    ----------
    kept : dict
        Results by command.
    here : str
        The processor that the documents are about: others are named.
    """
    written = {}
    for name, (source, write) in WRITERS.items():
        if source in kept:
            described = kept[source]["machine"]
            elsewhere = "" if described["processor"] == here else f"\n{where(described)}\n"
            written[name] = write(kept[source]["content"]) + elsewhere
    if "questions" in kept:
        described, content = kept["questions"]["machine"], kept["questions"]["content"]
        lines = [
            *machine.lines(described),
            f"before the run: {content['before']}; during it: {content['during']}",
        ]
        written["machine"] = "".join(f"- {line}\n" for line in lines)
        written["speed"] = f"{brief(described, content['during'])}\n\n" + written["speed"]
    counts = json.loads((ROOT / "tests" / "instructions.json").read_text())
    written["instructions"] = tables.instructions(counts)
    return written


def where(described: dict[str, Any]) -> str:
    """Name a machine that a section alone was measured on."""
    return f"Measured elsewhere: {'; '.join(machine.lines(described)[:3])}."


def brief(described: dict[str, Any], during: str) -> str:
    """Name the machine in the README."""
    versions = described["versions"]
    text = (
        f"10^7 elements, {described['threads']} threads, {described['processor']} (a virtual"
        f" machine), variant {described['s3s4']['variant']}, {described['s3s4']['compiler']},"
        f" Python {described['python']}, NumPy {versions['numpy']}, torch {versions['torch']},"
        f" jax {versions['jax']}; {during} of {described['processors']} meanwhile; medians,"
        " output given where one is taken. SLEEF and Highway are their"
        " exponentials in one fused loop in C++, as whoever has them would write S4;"
        " torch.compile and jax.jit make a new output in every call; *copy* moves the same bytes"
        " and computes nothing. By `make bench ARGS=questions`, which says what it lacks:"
    )
    return textwrap.fill(text, 104, break_on_hyphens=False)


def run(quick: bool, names: Sequence[str]) -> None:
    """Read the results, write the documents and the picture."""
    own = results.path()
    files = [results.FOLDER / f"{name}.json" for name in names] or [
        *sorted(file for file in results.FOLDER.glob("*.json") if file != own),
        own,
    ]
    kept: dict[str, Any] = {}
    for file in files:
        if not file.exists():
            raise SystemExit(f"no results in {file}")
        kept |= results.load(file)
    here = kept.get("questions", {}).get("machine", {}).get("processor", "")
    written = sections(kept, here)
    if quick:
        print(*written.values(), sep="\n")
        return
    for document in DOCUMENTS:
        document.write_text(fill(document.read_text("utf-8"), written), "utf-8")
    if "grid" in kept:
        grid = kept["grid"]
        title = machine.title(grid["machine"], "S4 and S4': time an element")
        picture.draw(grid["content"], title, DOCUMENT.with_suffix(".png"))
