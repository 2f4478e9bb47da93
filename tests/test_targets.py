"""Systems that are not this one: their compilers take what the package gives them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import s3s4

KERNELS = Path(__file__).resolve().parent.parent / "src" / "kernels"
COMPILERS = {
    "x86_64-w64-mingw32-gcc": "Windows",
    "musl-gcc": "Linux without glibc",
    "aarch64-linux-gnu-gcc": "Linux on arm64",
}
# _GNU_SOURCE: as Python.h has it.
STRICT = ["-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
PROGRAMS = {
    "s3s4.h": ["-std=c99", "-Wpedantic"],
    "windows.h, then s3s4.h": ["-std=c99"],
    "runtime.h": ["-std=gnu11"],
    "memory.h": ["-std=gnu11"],
    "pool.h": ["-std=gnu11"],
    "threads.h": ["-std=gnu11"],
    "threads.h with OpenMP": ["-std=gnu11", "-fopenmp"],
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not KERNELS.exists(), reason="the source of the kernels is not here"),
]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_header_compiles(compiler, program, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not on this machine: {COMPILERS[compiler]} is not tried")
    if compiler == "musl-gcc" and "OpenMP" in program:
        pytest.skip("musl-gcc finds no omp.h")
    if "windows" in program and "w64" not in compiler:
        pytest.skip("windows.h is MinGW's")
    # As Cython begins each of its files.
    unused = "#define CYTHON_UNUSED __attribute__((__unused__))\n"
    headers = re.findall(r"\w+\.h", program)
    text = unused + "".join(f'#include "{header}"\n' for header in headers)
    (tmp_path / "program.c").write_text(text)
    command = [compiler, "-fsyntax-only", *STRICT, *PROGRAMS[program]]
    command += [f"-I{KERNELS}", f"-I{s3s4.get_include()}", "program.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
