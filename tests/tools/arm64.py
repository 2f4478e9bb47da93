"""Cross-compile s3s4.h for arm64 and run it under qemu: python arm64.py [--dense N].

Prints the table of the largest errors of the block functions, as tests/tools/accuracy.py does for
the processors the package is built for, and fails above its bounds.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import accuracy
import oracle
import s3s4

EMULATOR = "qemu-aarch64-static"
COMPILER = ["aarch64-linux-gnu-gcc", "-static", "-std=c99", "-O3", "-fno-math-errno"]
COMPILER += ["-fno-trapping-math", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# Runs the function that its argument names: reads the length and then every array, one after the
# other; writes every output.
PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "s3s4.h"

#define RUN(type)                                                                       \\
    typedef void function_##type(ptrdiff_t, const type *const *, type *const *);        \\
    static int run_##type(function_##type *function, int inputs, int outputs) {         \\
        ptrdiff_t n, i;                                                                 \\
        type *in[8], *out[8];                                                           \\
        const type *from[8];                                                            \\
        if (fread(&n, sizeof n, 1, stdin) != 1) return 1;                               \\
        for (i = 0; i < inputs; i++) {                                                  \\
            from[i] = in[i] = malloc((size_t)n * sizeof(type));                         \\
            if (fread(in[i], sizeof(type), (size_t)n, stdin) != (size_t)n) return 1;    \\
        }                                                                               \\
        for (i = 0; i < outputs; i++) out[i] = malloc((size_t)n * sizeof(type));        \\
        function(n, from, out);                                                         \\
        for (i = 0; i < outputs; i++) fwrite(out[i], sizeof(type), (size_t)n, stdout);  \\
        return 0;                                                                       \\
    }
RUN(float)
RUN(double)

int main(int count, char **arguments) {
    if (count != 2) return 1;
ROWS
    return 1;
}
"""
ROW = """\
    if (!strcmp(arguments[1], "{name}")) return run_{type}(s3s4_{name}, {inputs}, {outputs});"""


def program(folder: Path) -> Path:
    """Compile a program with every block function of the header."""
    rows = [
        ROW.format(
            name=f"{name}_{form}_{kind}",
            type=ctype,
            inputs=len(oracle.inputs(activation)),
            outputs=len(wanted),
        )
        for name, (activation, wanted) in oracle.UFUNCS.items()
        for form in ("block", "uniform")[: len(oracle.inputs(activation))]
        for kind, ctype in (("f32", "float"), ("f64", "double"))
    ]
    source = folder / "functions.c"
    source.write_text(PROGRAM.replace("ROWS", "\n".join(rows)))
    binary = source.with_suffix("")
    command = [*COMPILER, f"-I{s3s4.get_include()}", source, "-o", binary, "-lm"]
    subprocess.run(command, check=True)
    return binary


class Crossed:
    """A function of the header on arm64, called like a ufunc."""

    def __init__(self, program: Path, name: str, dtype: np.dtype) -> None:
        self.program, self.name, self.dtype = program, name, dtype
        activation, wanted = oracle.UFUNCS[name]
        self.inputs, self.outputs = len(oracle.inputs(activation)), len(wanted)
        self.highest = {"f": 2.0**60, "d": 2.0**500}[dtype.char]

    def __call__(self, *arrays: np.ndarray) -> np.ndarray:
        """Run the function over arrays; parameters of one element go to the uniform form."""
        whole = all(np.ndim(a) for a in arrays) or any(
            not abs(a) <= self.highest for a in arrays[1:]
        )
        form = "block" if self.inputs == 1 or whole else "uniform"
        arrays = np.broadcast_arrays(*arrays)
        n, padded = len(arrays[0]), -(-len(arrays[0]) // 16) * 16
        data = [np.resize(a, padded).astype(self.dtype).tobytes() for a in arrays]
        done = subprocess.run(
            [
                EMULATOR,
                self.program,
                f"{self.name}_{form}_f{8 * self.dtype.itemsize}",
            ],
            input=np.int64(padded).tobytes() + b"".join(data),
            capture_output=True,
            check=True,
        )
        result = np.frombuffer(done.stdout, self.dtype).reshape(self.outputs, padded)[:, :n]
        return result if self.outputs > 1 else result[0]


def main() -> None:
    """Print the table; fail above the bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dense", type=int, default=100, help="points x for each parameter")
    arguments = parser.parse_args()
    for tool, package in ((COMPILER[0], "gcc-aarch64-linux-gnu"), (EMULATOR, "qemu-user-static")):
        if not shutil.which(tool):
            print(f"arm64 skipped: {package} is not on this machine")
            return
    failed = False
    print("| function | dtype | eps | at | ULP | at |\n| --- | --- | ---: | --- | ---: | --- |")
    with tempfile.TemporaryDirectory() as folder:
        binary = program(Path(folder))
        for name, (activation, _) in oracle.UFUNCS.items():
            for dtype in (np.dtype("f"), np.dtype("d")):
                function = Crossed(binary, name, dtype)
                found = accuracy.measure(function, name, dtype, arguments.dense)
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
