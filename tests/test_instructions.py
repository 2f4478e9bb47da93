"""No kernel may take more instructions than it did: caught on any machine, however noisy.

The expected counts are in instructions.json, which ``python tests/tools/instructions.py`` rewrites.
"""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import instructions
import s3s4

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
FORMULAS = ROOT / "src" / "formulas" / "activations.py"
KERNELS = ROOT / "src" / "kernels"
EXPECTED = json.loads((Path(__file__).parent / "instructions.json").read_text())

MARGIN = 1.25
"""Compilers differ by a few instructions; a loop that is no longer vectorised takes twice as many
and more."""

COUNTED = [(variant, kernel) for variant, kernels in EXPECTED.items() for kernel in kernels]


@cache
def counts(variant: str) -> dict[str, float]:
    """Count once for all tests of a variant."""
    compiler = s3s4.build_config()["compiler"]
    if "clang" in str(compiler).lower():
        pytest.skip("the expected counts are gcc's; clang keeps scalar remainders")
    try:
        return instructions.count(variant)
    except instructions.UnavailableError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(("variant", "kernel"), COUNTED)
def test_no_more_instructions_than_before(variant: str, kernel: str) -> None:
    """Each block function stays within the margin of its expected count."""
    expected = EXPECTED[variant][kernel]
    if expected == 0:
        pytest.skip("its machine code is that of another kernel, and was counted there")
    assert counts(variant)[kernel] <= MARGIN * expected


@pytest.mark.parametrize("variant", EXPECTED)
def test_every_kernel_has_an_expected_count(variant: str) -> None:
    """A new activation needs new counts: python tests/tools/instructions.py."""
    assert set(counts(variant)) == set(EXPECTED[variant])


@pytest.mark.parametrize("variant", instructions.EXECUTED)
def test_reading_agrees_with_counting(variant: str) -> None:
    """What is read is what is executed, but for loops split by the sign of k: one half is run.

    That half may be the shorter one. For S3 and S4 only: where kernels of several activations have
    the same machine code, the compiler keeps it once, and what they execute is counted together.
    """
    executed = counts(variant)
    read = instructions.read(variant)
    for kernel, count in executed.items():
        if not re.match(r"s[34]_(?!smooth)", kernel):
            continue
        assert 0.45 * read[kernel] <= count <= 1.01 * read[kernel], kernel


@pytest.mark.parametrize("variant", EXPECTED)
def test_no_loop_computes_single_elements(variant: str) -> None:
    """The machine code of every loop over elements is vector code."""
    counts(variant)
    scalar = {
        kernel: loop.instructions
        for kernel, loops in instructions.loops(variant).items()
        for loop in loops
        if loop.is_innermost and not loop.is_vectorised
    }
    assert not scalar


@pytest.mark.parametrize("variant", EXPECTED)
def test_float32_loops_hold_no_double(variant: str) -> None:
    """An untyped constant would widen a float32 formula, at twice the time."""
    counts(variant)
    widening = {
        kernel: text
        for kernel, loops in instructions.loops(variant).items()
        for loop in loops
        for text in loop.instructions
        if kernel.endswith("f32") and re.match(r"v?cvt(ps2pd|ss2sd)", text)
    }
    assert not widening


# gcc keeps functions of equal code once, and reports on that one alone.
REPORTS = {
    "gcc": (
        ["-fno-ipa-icf", "-fopt-info-vec-optimized"],
        r"loops\.i:(\d+):\d+: optimized: +loop vectorized",
    ),
    "clang": (["-Rpass=loop-vectorize"], r"loops\.i:(\d+):\d+: remark: vectorized loop"),
}


@pytest.mark.parametrize("variant", EXPECTED)
@pytest.mark.parametrize("compiler", REPORTS)
def test_compiler_reports_every_loop_vectorised(
    compiler: str, variant: str, tmp_path: Path
) -> None:
    """Compile the generated header as the variant is built and read what was vectorised."""
    try:
        program = instructions.tool(compiler)
    except instructions.UnavailableError as reason:
        pytest.skip(str(reason))
    if variant not in s3s4._cpu.VARIANTS:
        pytest.skip(f"no variant {variant} on this machine")
    neighbours = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    generate = [sys.executable, "-m", "codegen", tmp_path, tmp_path / "depfile"]
    subprocess.run(generate, env=neighbours, check=True)
    text = (tmp_path / "functions.h").read_text()
    form = r"(?:block|ordinary|uniform)"
    found = re.findall(rf"^static void S3S4_K\((s3s4_\w+_{form})\)", text, re.M)
    functions = [f"{name}_{kind}" for name in found for kind in ("f32", "f64")]
    source = tmp_path / "all.c"
    # Static functions must be used to be compiled.
    source.write_text(f'#include "s3s4.h"\nvoid (*const used[])() = {{{", ".join(functions)}}};\n')
    report, pattern = REPORTS[compiler]
    flags = s3s4._cpu.load(variant).flags.split()
    known = [flag for flag in flags if understood(program, flag, tmp_path)]
    # Preprocessed first: which of the loops there are depends on the variant.
    preprocessed = tmp_path / "loops.i"
    command = [
        program,
        "-E",
        "-P",
        f"-I{KERNELS}",
        f"-I{tmp_path}",
        source,
        "-o",
        preprocessed,
        *known,
    ]
    subprocess.run(command, check=True)
    command = [program, "-c", preprocessed, "-o", tmp_path / "loops.o", *known, *report]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loops = {
        number
        for number, line in enumerate(preprocessed.read_text().splitlines(), 1)
        if re.match(r"\s+for \(ptrdiff_t i = 0; i < m; i\+\+\)", line)
    }
    vectorised = {int(number) for number in re.findall(pattern, done.stderr)}
    written = re.findall(
        r"^\s+for \(ptrdiff_t i = 0; i < m; i \+= ", preprocessed.read_text(), re.M
    )
    assert len(loops) + len(written) >= len(functions)
    assert loops <= vectorised


def understood(program: str, flag: str, folder: Path) -> bool:
    """Whether the compiler has this flag: the build asks each compiler the same."""
    source = folder / "empty.c"
    source.write_text("int nothing;\n")
    command = [program, "-Werror", flag, "-c", source, "-o", folder / "empty.o"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
