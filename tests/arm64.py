"""Cross-compile s3s4.h for arm64 and run it under qemu: python arm64.py [--dense N].

Prints the table of the largest errors of the block functions, as tests/accuracy.py does for the
processors the package is built for, and fails above its bounds.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import accuracy
import oracle
import s3s4

COMPILER = ["aarch64-linux-gnu-gcc", "-static", "-std=c99", "-O3", "-fno-math-errno"]
COMPILER += ["-fno-trapping-math", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# Reads the length and then every array, one after the other; writes every output.
PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include "s3s4.h"
int main(void) {{
    ptrdiff_t n, i;
    {type} *in[{inputs}], *out[{outputs}];
    const {type} *from[{inputs}];
    if (fread(&n, sizeof n, 1, stdin) != 1) return 1;
    for (i = 0; i < {inputs}; i++) {{
        from[i] = in[i] = malloc((size_t)n * sizeof **in);
        if (fread(in[i], sizeof **in, (size_t)n, stdin) != (size_t)n) return 1;
    }}
    for (i = 0; i < {outputs}; i++) out[i] = malloc((size_t)n * sizeof **out);
    s3s4_{function}(n, from, out);
    for (i = 0; i < {outputs}; i++) fwrite(out[i], sizeof **out, (size_t)n, stdout);
    return 0;
}}
"""


class Crossed:
    """A function of the header as a program for arm64, called like a ufunc."""

    def __init__(self, name: str, dtype: np.dtype, folder: Path) -> None:
        self.dtype = dtype
        activation, wanted = oracle.UFUNCS[name]
        self.inputs, self.outputs = len(oracle.inputs(activation)), len(wanted)
        self.highest = {"f": 2.0**60, "d": 2.0**500}[dtype.char]
        self.programs = {}
        for form in ("block", "uniform")[: self.inputs]:
            source = folder / f"{name}_{form}_{dtype}.c"
            source.write_text(
                PROGRAM.format(
                    type={"f": "float", "d": "double"}[dtype.char],
                    inputs=self.inputs,
                    outputs=self.outputs,
                    function=f"{name}_{form}_f{8 * dtype.itemsize}",
                )
            )
            self.programs[form] = source.with_suffix("")
            command = [
                *COMPILER,
                f"-I{s3s4.get_include()}",
                source,
                "-o",
                self.programs[form],
                "-lm",
            ]
            subprocess.run(command, check=True)

    def __call__(self, *arrays: np.ndarray) -> np.ndarray:
        """Run the program over arrays; parameters of one element go to the uniform form."""
        whole = all(np.ndim(a) for a in arrays) or any(abs(a) > self.highest for a in arrays[1:])
        program = self.programs["block" if self.inputs == 1 or whole else "uniform"]
        arrays = np.broadcast_arrays(*arrays)
        n, padded = len(arrays[0]), -(-len(arrays[0]) // 16) * 16
        data = [np.resize(a, padded).astype(self.dtype).tobytes() for a in arrays]
        stdin = np.int64(padded).tobytes() + b"".join(data)
        done = subprocess.run(
            ["qemu-aarch64-static", program], input=stdin, capture_output=True, check=True
        )
        result = np.frombuffer(done.stdout, self.dtype).reshape(self.outputs, padded)[:, :n]
        return result if self.outputs > 1 else result[0]


def main() -> None:
    """Print the table; fail above the bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dense", type=int, default=100, help="points x for each parameter")
    arguments = parser.parse_args()
    failed = False
    print("| function | dtype | eps | at | ULP | at |\n| --- | --- | ---: | --- | ---: | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, (activation, _) in oracle.UFUNCS.items():
            for dtype in (np.dtype("f"), np.dtype("d")):
                function = Crossed(name, dtype, Path(folder))
                # arm64 has fused operations: the bounds are those of the variants with FMA.
                found = accuracy.measure(function, name, dtype, "avx2", arguments.dense)
                for wrt, errors in found.items():
                    label = f"{name}: {accuracy.title(activation, wrt)}"
                    ulp, bound = "", accuracy.ULP.get((activation, wrt), (np.inf, 0))[0]
                    if bound < np.inf:
                        ulp = f"{errors.ulp:.2f} | {errors.ulp_at}"
                    print(
                        f"| {label} | {dtype} | {errors.condition:.2f} | {errors.condition_at} "
                        f"| {ulp or '| '} |",
                        flush=True,
                    )
                    failed |= errors.condition > accuracy.CONDITION or errors.ulp > bound
    raise SystemExit(f"above the bounds of {accuracy.__file__}" if failed else 0)


if __name__ == "__main__":
    main()
