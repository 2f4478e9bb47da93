"""The compiler's flags are the user's: what the header and a build of the package make of them."""

import json
import math
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import s3s4

ROOT = Path(__file__).resolve().parent.parent
X86 = platform.machine() in ("x86_64", "i686")

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

# Flags that are refused, and what the message advises. gcc ignores -fassociative-math without its
# two companions.
PARTS = "-fno-associative-math -fno-reciprocal-math -fsigned-zeros"
REFUSED = {
    "-ffast-math": "-fno-fast-math",
    "-Ofast": "-fno-fast-math",
    "-ffinite-math-only": "-fno-finite-math-only",
    "-funsafe-math-optimizations": PARTS,
    "-fassociative-math -fno-signed-zeros -fno-trapping-math": PARTS,
    "-freciprocal-math": PARTS,
    "-mfpmath=387": "-msse2 -mfpmath=sse",
}
SEEN_BY_CLANG = ("-ffast-math", "-Ofast", "-ffinite-math-only")


def compiled(compiler, flags, program, folder):
    """Compile a program that includes the header; return the finished process."""
    (folder / "program.c").write_text(program)
    command = [compiler, "-std=c99", "-O2", "-Wall", "-Werror", *flags.split()]
    return subprocess.run(
        [*command, f"-I{s3s4.get_include()}", "program.c", "-o", "program", "-lm"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def is_gcc():
    version = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True)
    return "Free Software Foundation" in version.stdout


@pytest.mark.parametrize("flags", REFUSED)
def test_the_header_refuses_flags_that_change_its_results(flags, tmp_path):
    if not is_gcc() and flags not in SEEN_BY_CLANG:
        pytest.skip("clang does not tell a program of this flag")
    if "387" in flags and not X86:
        pytest.skip("flags for x86")
    program = '#include "s3s4.h"\n'
    done = compiled("cc", f"-E {flags}", program, tmp_path)
    assert done.returncode != 0
    assert "#error" in done.stderr
    assert REFUSED[flags] in done.stderr
    done = compiled("cc", f"-E {flags} {REFUSED[flags]}", program, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_header_takes_back_what_clang_does_not_tell(tmp_path):
    if shutil.which("clang") is None:
        pytest.skip("clang is not on this machine")
    program = (
        '#include <stdio.h>\n#include "s3s4.h"\n'
        "int main(void) {\n    volatile double x;\n"
        '    for (x = -30; x <= 30; x += 0.75) printf("%.17g\\n", s3s4_s4_f64(x, 2.0));\n'
        "    return 0;\n}\n"
    )
    for flags in ("-funsafe-math-optimizations", "-fassociative-math -fno-signed-zeros"):
        done = compiled("clang", flags, program, tmp_path)
        assert done.returncode == 0, done.stderr
        printed = subprocess.run(["./program"], cwd=tmp_path, capture_output=True, check=True)
        found = [float(line) for line in printed.stdout.split()]
        wanted = [s4(-30 + 0.75 * i, 2.0) for i in range(81)]
        assert found == pytest.approx(wanted, rel=1e-14, abs=1e-300)


def s4(x, k):
    """Return S4 by its definition."""
    a = 1 / (1 + math.exp(-k * x))
    return a * x / (1 + abs(x)) + (1 - a) / (1 + math.exp(-x))


@pytest.mark.slow
def test_a_build_of_the_package_takes_back_its_users_flags(tmp_path):
    """What the preprocessor sees, and what is linked, with the very commands of the build."""
    if not (ROOT / "meson.build").exists():
        pytest.skip("the source is not here")
    flags = " ".join(name for name in REFUSED if is_gcc() or name in SEEN_BY_CLANG)
    scripts = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([scripts, os.environ["PATH"]]),
        "CFLAGS": flags if X86 else flags.replace(" -mfpmath=387", ""),
    }

    def run(*command):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    run("meson", "setup", "build", str(ROOT))
    commands = json.loads((tmp_path / "build" / "compile_commands.json").read_text())
    kernels = [c["command"] for c in commands if c["output"].endswith(".c.o")]
    kernels = [shlex.split(command) for command in kernels if "_kernels_" in command]
    assert len(kernels) > 1
    header = str(ROOT / "src" / "kernels" / "arithmetic.h")
    for words in kernels:
        assert "-ffast-math" in words
        run(*words[: words.index("-MD")], "-fsyntax-only", "-x", "c", header)
    linked = run("ninja", "-C", "build", "-t", "commands").stdout.splitlines()
    linked = [shlex.split(line.partition(" && ")[0]) for line in linked if " -shared " in line]
    assert len(linked) == len(kernels) + 1
    for words in linked:
        assert "crtfastmath" not in run(*words, "-###").stderr
