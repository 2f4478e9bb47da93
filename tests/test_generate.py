"""The generator refuses what it does not understand, with the line, and needs one entry a function.

The header's polynomials are those that src/formulas/remez.py prints.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SRC = Path(__file__).parents[1] / "src"

ENTRY = '''"""Formulas."""


def bump(x, a=1.0):
    """A bump."""
    E = exp_neg(abs(x))
    return a * E / (1 + E)


def bump_dx(x, a=1.0):
    """By x."""
    E = exp_neg(abs(x))
    return (a if x < 0 else -a) * E / ((1 + E) * (1 + E))


def bump_da(x, a=1.0):
    """By a."""
    E = exp_neg(abs(x))
    return E / (1 + E)
'''


def generate(
    tmp_path: Path, text: str, kind: str = "s3s4.h", script: str = "generate.py"
) -> subprocess.CompletedProcess[str]:
    source = tmp_path / "formulas.py"
    source.write_text(text)
    command = [sys.executable, SRC / script, source, kind, tmp_path / kind]
    neighbours = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=neighbours)


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("    return a * E / (1 + E)", "    return [E]", 7, "List"),
        ("    return a * E / (1 + E)", "    return sin(E)", 7, "sin"),
        ("    return a * E / (1 + E)", "    return E ** 2", 7, "Pow"),
        ("    return a * E / (1 + E)", "    return 0 < x < 1", 7, "one comparison"),
        ("    return a * E / (1 + E)", "    return a * exp_neg(x)", 7, "name of its own"),
        ("    return a * E / (1 + E)", "    return 1j * E", 7, "1j"),
        ("    return a * E / (1 + E)", "    return missing * E", 7, "missing"),
        ("    return a * E / (1 + E)", "    E = 1 + x\n    return E", 7, "assigned twice"),
        (
            "    E = exp_neg(abs(x))\n    return a",
            "    while x:\n        pass\n    return a",
            6,
            "While",
        ),
        ("def bump(x, a=1.0)", "def bump(x, a)", 4, "defaults"),
        ("def bump_da", "def other_da", 4, "bump_da"),
        ('    """A bump."""\n', "", 4, "docstring"),
        ('"""Formulas."""', "import math", 1, "Import"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(tmp_path, old, new, line, reason):
    assert old in ENTRY
    done = generate(tmp_path, ENTRY.replace(old, new, 1))
    assert done.returncode != 0
    assert re.match(rf"formulas\.py:{line}: .*{re.escape(reason)}", done.stderr), done.stderr
    assert not (tmp_path / "s3s4.h").exists()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_an_entry_in_formulas_is_all_a_function_needs(tmp_path):
    assert generate(tmp_path, ENTRY).returncode == 0
    assert generate(tmp_path, ENTRY, "rows.h", "generate_rows.py").returncode == 0
    for header in ("arithmetic.h", "vecmath.h"):
        shutil.copy(SRC / "kernels" / header, tmp_path)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "s3s4.h"\n'
        "int main(void) {\n"
        "    double both[2];\n"
        "    s3s4_bump_value_dx_f64(-0.5, 3.0, both, both + 1);\n"
        '    printf("%.17g %.17g %.17g", both[0], both[1], s3s4_bump_da_f64(-0.5, 3.0));\n'
        "}\n"
    )
    program = tmp_path / "program"
    command = ["cc", "-std=c99", "-o", program, tmp_path / "main.c", "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    half = np.exp(-0.5)
    expected = [3 * half / (1 + half), 3 * half / (1 + half) ** 2, half / (1 + half)]
    assert np.allclose([float(v) for v in printed.split()], expected, rtol=1e-15, atol=0)


@pytest.mark.slow
def test_the_polynomials_are_those_of_the_remez_exchange():
    command = [sys.executable, SRC / "formulas" / "remez.py"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    literals = re.findall(r"^  (-?\d\S+)$", printed, re.MULTILINE)
    announced = re.findall(r": c(\d+) to c(\d+)$", printed, re.MULTILINE)
    header = re.sub(r"\s", "", (SRC / "kernels" / "vecmath.h").read_text())
    assert len(literals) == sum(int(last) - int(first) + 1 for first, last in announced) > 0
    assert not [text for text in literals if not re.search(rf"{re.escape(text)}[;,)]", header)]
