"""The results of one machine, kept as JSON beside the benchmarks; each command has a section."""

import json
from pathlib import Path
from typing import Any

import machine
from load import is_busy

FOLDER = Path(__file__).parent / "results"


def path() -> Path:
    """Return the file of this machine's processor."""
    return FOLDER / f"{machine.slug(machine.processor())}.json"


def load(file: Path) -> dict[str, Any]:
    """Return what is known, or nothing yet."""
    results: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return results


def store(section: str, content: Any) -> None:
    """Replace one section of this machine's results, with the software that it was taken with.

    What a machine that was made busy has measured is a section of its own.
    """
    file = path()
    section += "_busy" if is_busy() else ""
    results = load(file)
    results[section] = {"machine": machine.describe(), "content": content}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
    print(f"written: {file}")
