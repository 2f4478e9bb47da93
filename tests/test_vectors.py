"""Functions made of vectors of 512 bits are as accurate as the others, on any x86 processor.

Where the processor has no AVX-512, SIMDe emulates it: the same operations on the same numbers.
"""

import ctypes
import itertools
import platform
import re
import shutil
import subprocess
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

import accuracy
import oracle
import s3s4
from s3s4 import _isa

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="AVX-512 is x86-64's"),
]

INCLUDE = Path(s3s4.get_include())
EMULATION = Path(__file__).parent / "tools" / "emulated_avx512.h"
DTYPES = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}
BLOCK = re.compile(
    r"^static void S3S4_K\(s3s4_(\w+)_(block|ordinary|uniform)\)\([^{]*\{\n#if S3S4_VECTORS",
    re.MULTILINE,
)
FORMS = BLOCK.findall((INCLUDE / "functions.h").read_text())
NAMES = [name for name in oracle.UFUNCS if (name, "block") in FORMS]
ACTIVATIONS = list(dict.fromkeys(oracle.UFUNCS[name][0] for name in NAMES))
ORDINARY_MAX = {"f32": 2.0**60, "f64": 2.0**500}


@cache
def target() -> tuple[object, ...]:
    """Return the flags of AVX-512, or of what emulates it."""
    if "avx512" in _isa.supported():
        return ("-mavx512f",)
    asked = ["cc", "-E", "-include", "simde/x86/avx512.h", "-xc", "/dev/null"]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("no AVX-512 here, and no SIMDe to emulate it (libsimde-dev)")
    return "-mavx2", "-mfma", "-include", EMULATION


@pytest.fixture
def library(activation: str, tmp_path: Path) -> ctypes.CDLL:
    """Compile the functions of an activation, from vectors."""
    lines = ['#include "s3s4.h"']
    for name in of(activation):
        takes = ", ".join(f"in[{i}]" for i in range(len(oracle.inputs(activation))))
        for kind, ctype in (("f32", "float"), ("f64", "double")):
            for form in (form for other, form in FORMS if other == name):
                function = f"s3s4_{name}_{form}_{kind}"
                lines.append(f"void (*p_{function})() = (void (*)()){function};")
            if len(oracle.UFUNCS[name][1]) == 1:
                lines.append(f"{ctype} e_{name}_{kind}(const {ctype} *in) {{")
                lines.append(f"    return s3s4_{name}_{kind}({takes});\n}}")
    source, built = tmp_path / "vectors.c", tmp_path / "vectors.so"
    source.write_text("\n".join([*lines, ""]))
    command = ["cc", "-std=gnu11", "-w", "-O1", "-ffp-contract=off", "-shared", "-fPIC"]
    command += [f"-I{INCLUDE}", "-DS3S4_VECTORS=1", *map(str, target()), source, "-o", built, "-lm"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(built))


def of(activation: str) -> list[str]:
    """Return the functions of an activation that are made of vectors."""
    return [name for name in NAMES if oracle.UFUNCS[name][0] == activation]


def blocks(
    library: ctypes.CDLL, name: str, form: str, arrays: list[np.ndarray]
) -> list[np.ndarray]:
    """Call a block function; its arrays are padded to a multiple of 16."""
    kind = {dtype: kind for kind, dtype in DTYPES.items()}[arrays[0].dtype]
    count = len(arrays[0])
    padded = [np.resize(array, -(-count // 16) * 16) for array in arrays]
    outs = [np.empty_like(padded[0]) for _ in oracle.UFUNCS[name][1]]
    address = ctypes.c_void_p.in_dll(library, f"p_s3s4_{name}_{form}_{kind}").value
    pointers = [
        (ctypes.c_void_p * len(one))(*(array.ctypes.data for array in one))
        for one in (padded, outs)
    ]
    call = ctypes.CFUNCTYPE(None, ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p)(address)
    call(padded[0].size, *map(ctypes.addressof, pointers))
    return [out[:count] for out in outs]


def on_vectors(library: ctypes.CDLL, name: str, kind: str, *inputs: np.ndarray) -> np.ndarray:
    """Evaluate as a ufunc does: a parameter that is one number has a form of its own."""
    x, *parameters = map(np.asarray, inputs)
    arrays = [np.ascontiguousarray(array) for array in np.broadcast_arrays(x, *parameters)]
    usual = [p.ndim == 0 and abs(p) <= ORDINARY_MAX[kind] for p in parameters]
    form = "uniform" if parameters and all(usual) else "block"
    return np.array(blocks(library, name, form, arrays))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_errors_are_within_their_bounds(library: ctypes.CDLL, activation: str) -> None:
    """The bounds are those of every other variant."""
    for name, (kind, dtype) in itertools.product(of(activation), DTYPES.items()):
        call = partial(on_vectors, library, name, kind)
        for wrt, found in accuracy.measure(call, name, dtype, 32).items():
            assert found.condition <= accuracy.CONDITION, f"{name}: eps, at {found.condition_at}"
            bound, _ = accuracy.ULP.get((activation, wrt), (np.inf, np.inf))
            assert found.ulp <= bound, f"{name}: ULP, at {found.ulp_at}"


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_form_gives_the_same_bits(library: ctypes.CDLL, activation: str) -> None:
    """For arrays, for usual numbers, for one that a loop shares, and for one element."""
    for name, (kind, dtype) in itertools.product(of(activation), DTYPES.items()):
        columns = accuracy.columns(activation, dtype, 32)
        usual = np.full(columns[0].shape, True)
        for column in columns[1:]:
            usual &= (column >= 0) & (column <= ORDINARY_MAX[kind])
        arrays = [np.ascontiguousarray(column[usual]) for column in columns]
        expected = blocks(library, name, "block", arrays)
        if (name, "ordinary") in FORMS:
            np.testing.assert_array_equal(blocks(library, name, "ordinary", arrays), expected)
        shared = [arrays[0], *(np.full_like(a, a[0]) for a in arrays[1:])]
        expected = blocks(library, name, "block", shared)
        if (name, "uniform") in FORMS:
            np.testing.assert_array_equal(blocks(library, name, "uniform", shared), expected)
        if len(expected) == 1:
            function = library[f"e_{name}_{kind}"]
            function.restype = ctypes.c_float if kind == "f32" else ctypes.c_double
            rows = np.ascontiguousarray(np.array(shared).T)
            found = [function(row.ctypes.data_as(ctypes.c_void_p)) for row in rows]
            np.testing.assert_array_equal(np.array(found, dtype), expected[0])
