"""Cycles of the loops of a variant as llvm-mca predicts them, for a processor that is not there.

Usage: python tests/tools/predicted.py VARIANT PROCESSOR FUNCTION ...

For example avx512 icelake-server s4_uniform_f64. A loop over elements is printed with what a turn
takes; the model knows no memory and renames no copied register, so that it is a cycle or two high.
"""

import re
import subprocess
import sys

import instructions

TURNS = 200


def cycles(loop: instructions.Loop, processor: str) -> float:
    """Cycles a turn, in a stream of many."""
    kept = [text for text in loop.instructions if not re.match("j|call|ret", text)]
    command = [instructions.tool("llvm-mca"), f"-mcpu={processor}", f"-iterations={TURNS}"]
    report = subprocess.run(
        command, input="\n".join(kept), capture_output=True, text=True, check=True
    ).stdout
    return int(re.findall(r"Total Cycles:\s+(\d+)", report)[0]) / TURNS


def main(variant: str, processor: str, *functions: str) -> None:
    """Print a line for each loop."""
    found = instructions.loops(variant)
    for function in functions:
        for loop in found[function]:
            if loop.is_innermost:
                taken = cycles(loop, processor)
                print(f"{function}: {taken:.1f} cycles for {loop.elements} elements")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
