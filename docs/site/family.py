"""Write family.md: every activation, how it was checked here, and how fast it is: `make family`.

Runs the comparison with PyTorch and the one of the GPU simulator with the CPU, which takes some
minutes; takes errors from accuracy.md, and speeds from the results that the benchmarks kept.

# Design: a cell is what a check found, or the reason why there is nothing; never empty.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from markdown import table
from measured import DTYPES, measured

from s3s4._rows import row_activations
from s3s4._table import TABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "family.md"
sys.path += [str(ROOT / folder) for folder in ("tests", "tests/tools", "benchmarks")]

HEAD = (
    "", "value", "d/dx", "parameters", "float16", "float32", "float64", "GPU simulator",
    "PyTorch", "max ULP", "speed",
)  # fmt: skip


def simulated() -> Mapping[str, str]:
    """Return for each activation how far the simulated GPU is from the CPU."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "s3s4", "doctor"],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    owners = {
        ufunc: name
        for name, entry in TABLE.items()
        for ufunc in (name, f"{name}_value_dx", *(f"{name}_d{by}" for by in entry.derivatives))
    }
    worst: dict[str, float] = defaultdict(float)
    for line in done.stdout.splitlines():
        found = re.fullmatch(r"(\w+) +float\d+ +(\S+)( +WRONG)?", line)
        if found:
            apart = float("inf") if found[3] else float(found[2])
            worst[owners[found[1]]] = max(worst[owners[found[1]]], apart)
    if worst.keys() != TABLE.keys():
        raise SystemExit(f"s3s4 doctor stopped in the simulator: {done.stderr[-1000:]}")
    return {name: f"{apart:.1f} eps" if apart < 1e9 else "WRONG" for name, apart in worst.items()}


def beside_torch() -> Mapping[str, str]:
    """Return for each activation what of it agrees with PyTorch."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        command = ["-m", "pytest", "-q", "-m", "torch", f"--junitxml={file.name}"]
        command = [sys.executable, "-P", *command, ROOT / "tests/test_torch.py"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        cases = ElementTree.parse(file.name).iter("testcase")
        agreed: dict[str, dict[str, bool]] = defaultdict(dict)
        for case in cases:
            found = re.fullmatch(r"test_(value|backward)\[(\w+)-float\d+\]", case.attrib["name"])
            if found:
                right = case.find("failure") is None and case.find("error") is None
                agreed[found[2]][found[1]] = agreed[found[2]].get(found[1], True) and right
    return {
        name: ", ".join(what if right else f"{what} DIFFERS" for what, right in whats.items())
        for name, whats in agreed.items()
    }


def errors(name: str, dtype: str) -> str:
    """Return the largest error of the value and of every derivative in a dtype."""
    found = [measured().get((name, wrt, dtype)) for wrt in (None, *TABLE[name].derivatives)]
    if None in found:
        return "not measured"
    return f"{max(error[0] for error in found if error):.1f} eps"


def ulps(name: str) -> str:
    """Return the largest error of the value in units of the last place."""
    found = [measured().get((name, None, dtype)) for dtype in DTYPES]
    if None in found:
        return "not measured"
    known = [error[1] for error in found if error and error[1] is not None]
    return f"{max(known):.1f}" if known else "no bound in ULP: see eps"


def speeds() -> tuple[dict[str, str], str]:
    """Return for each activation the least of its ratios, and what they were measured on."""
    kept: list[dict[str, Any]] = [
        json.loads(file.read_text())["family"]
        for file in sorted((ROOT / "benchmarks" / "results").glob("*.json"))
        if "family" in json.loads(file.read_text())
    ]
    if not kept:
        return {}, "not timed yet"
    import family_tables
    import machine

    content, described = kept[0]["content"], kept[0]["machine"]
    least: dict[str, dict[str, float]] = defaultdict(dict)
    for quantities in content["cells"].values():
        for quantity, row in quantities.items():
            name = quantity.removesuffix("_dx")
            for contender in family_tables.targets(quantity):
                if contender in row:
                    ratio = family_tables.ratio(row, contender)
                    least[name][contender] = min(ratio, least[name].get(contender, ratio))
    texts = {
        name: ", ".join(
            f"{ratio:.2f} of a copy" if contender == "copy" else f"{ratio:.1f}x {contender}"
            for contender, ratio in ratios.items()
        )
        for name, ratios in least.items()
    }
    return texts, "; ".join(machine.lines(described))


def rows() -> Iterator[list[str]]:
    """Yield the row of each activation."""
    gpu, torch, (speed, _) = simulated(), beside_torch(), speeds()
    for name, entry in TABLE.items():
        yield [
            name,
            "yes",
            "yes",
            ", ".join(f"{p}, d/d{p}" for p in entry.parameters) or "none",
            *(errors(name, dtype) for dtype in DTYPES[:3]),
            gpu[name],
            torch[name],
            ulps(name),
            speed.get(name, "not timed"),
        ]
    # What a column asks of single elements has other names for rows, and tests of its own.
    for name in row_activations:
        yield [
            f"[{name}](rows.md)",
            "yes",
            "backward, jacobian",
            "axis",
            *(["bounded: tests/test_rows.py"] * 3),
            "no kernel: rows are computed on the CPU",
            "tests/test_rows.py",
            "in eps: [rows](rows.md)",
            "[rows](rows.md#speed)",
        ]


def text() -> str:
    """Return the page."""
    lines = [
        "# The family",
        "",
        "Written by `make family`.",
        "",
        "- *float16, float32, float64*: the largest error of the value and of every derivative, as"
        " in [accuracy.md](accuracy.md): eps of the dtype times the size of the sum, in every"
        " variant. *max ULP*: that of the value, in any dtype.",
        "- *GPU simulator*: the largest difference between the GPU's kernels, run in Numba's"
        " simulator, and the CPU's, for the value and every derivative (`s3s4 doctor`).",
        "- *PyTorch*: what agrees with it in float64 and float32 (`tests/test_torch.py`).",
        "- *speed*: the least of value and derivative, float64 and float32, at 10^7 elements: how"
        " many times as fast as PyTorch, or which part of the speed of a copy where there is no"
        " transcendental function. An output is given where one is taken, which most of PyTorch's",
        " functions do not ([all figures](performance.md#the-family), with new outputs too).",
        "",
        "*Not measured* waits for `python tests/tools/accuracy.py`, *not timed* for"
        " `make bench ARGS=family`.",
        "",
        *table(HEAD, list(rows())),
        "",
        f"Timed on: {speeds()[1]}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(text(), "utf-8")
    print(f"written: {PAGE}")
