"""The bits of every function of s3s4.h, by a digest each: a change of the generator changes none.

The expected digests are in bits.json, which ``python tests/test_bits.py`` rewrites: after a change
of a formula or a primitive, and never to make this pass. They are the same on every machine, with
fused operations and without: the header's float and double use no library.
"""

import ctypes
import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import s3s4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="-mfma is a flag of x86-64"),
]

TABLE = Path(__file__).parent / "bits.json"
DTYPES = {"f32": np.float32, "f64": np.float64}
BUILDS = {"fused": ["-mfma"], "rounded": []}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 1e30, -1e30, 88, -88, 700, -700, 1e-8]
SYMBOL = re.compile(r"^static void S3S4_K\(s3s4_(\w+)_(block|ordinary|uniform)\)", re.MULTILINE)


def inputs(name: str, form: str, dtype: type[np.generic], count: int) -> list[np.ndarray]:
    """The same numbers everywhere; parameters as the form takes them."""
    rng = np.random.Generator(np.random.MT19937(len(name)))
    arrays = []
    for i in range(count):
        values = np.concatenate([np.resize(SPECIAL, 128), rng.uniform(-30, 30, 384)])
        rng.shuffle(values)
        is_parameter = i > ("backward" in name)
        if is_parameter and form != "block":
            values = rng.uniform(0.25, 4, 512)
        if is_parameter and form == "uniform":
            values = np.full(512, values[0])
        with np.errstate(over="ignore", invalid="ignore"):
            arrays.append(values.astype(dtype))
    return arrays


def digests(flags: list[str]) -> dict[str, str]:
    """Of the results of each function, in all forms and types; NaN is NaN."""
    include = Path(s3s4.get_include())
    text = (include / "functions.h").read_text()
    found = [(*one, kind) for one in SYMBOL.findall(text) for kind in DTYPES]
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "all.c"), Path(folder, "all.so")
        names = ["_".join(("s3s4", *one)) for one in found]
        pointers = [f"void (*p_{name})() = (void (*)()){name};" for name in names]
        source.write_text("\n".join(['#include "s3s4.h"', *pointers]))
        command = ["cc", "-std=gnu11", "-w", "-shared", "-fPIC", "-ffp-contract=off", *flags]
        command += [f"-I{include}", source, "-o", library, "-lm"]
        subprocess.run(command, check=True)
        loaded = ctypes.CDLL(str(library))
    hashes: dict[str, object] = {}
    for function, form, kind in sorted(found):
        address = ctypes.c_void_p.in_dll(loaded, f"p_s3s4_{function}_{form}_{kind}").value
        hashes.setdefault(function, hashlib.sha256()).update(
            computed(address, function, form, DTYPES[kind])
        )
    return {function: digest.hexdigest()[:16] for function, digest in hashes.items()}


def operands(function: str) -> tuple[int, int]:
    """How many inputs and outputs a function has."""
    name = next(
        name
        for name in sorted(s3s4._table.TABLE, key=len, reverse=True)
        if f"{function}_".startswith(f"{name}_")
    )
    parameters = len(s3s4._table.TABLE[name].parameters)
    if function == f"{name}_backward":
        return 2 + parameters, 1 + parameters
    return 1 + parameters, 2 if function == f"{name}_value_dx" else 1


def computed(address: int, function: str, form: str, dtype: type[np.generic]) -> bytes:
    """The bytes of all outputs."""
    takes, gives = operands(function)
    arrays = inputs(function, form, dtype, takes)
    outs = [np.empty_like(arrays[0]) for _ in range(gives)]
    pointers = [
        (ctypes.c_void_p * len(one))(*(array.ctypes.data for array in one))
        for one in (arrays, outs)
    ]
    call = ctypes.CFUNCTYPE(None, ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p)(address)
    call(arrays[0].size, *map(ctypes.addressof, pointers))
    return b"".join(np.where(np.isnan(out), dtype(np.nan), out).tobytes() for out in outs)


@pytest.mark.parametrize("build", BUILDS)
def test_the_bits_are_what_they_were(build: str) -> None:
    """A change of the generator must not change a single one."""
    expected = json.loads(TABLE.read_text())[build]
    found = digests(BUILDS[build])
    assert found.keys() == expected.keys()
    assert not [name for name in found if found[name] != expected[name]]


if __name__ == "__main__":
    TABLE.write_text(
        json.dumps({b: digests(flags) for b, flags in BUILDS.items()}, indent=1) + "\n"
    )
    sys.stdout.write(f"written: {TABLE}\n")
