"""Functions made of vectors of 512 bits are as accurate as the others, on any x86 processor.

Where the processor has no AVX-512, SIMDe emulates it: the same operations on the same numbers.
"""

import ctypes
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
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
ORDINARY_MAX = {"f32": 2.0**60, "f64": 2.0**500}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Compile the functions of NAMES, from vectors."""
    folder = tmp_path_factory.mktemp("vectors")
    found = [
        f"s3s4_{name}_{form}_{kind}" for name, form in FORMS if name in NAMES for kind in DTYPES
    ]
    text = ['#include "s3s4.h"', *(f"void (*p_{name})() = (void (*)()){name};" for name in found)]
    for kind, ctype in (("f32", "float"), ("f64", "double")):
        for name in NAMES:
            takes = len(oracle.inputs(oracle.UFUNCS[name][0]))
            if len(oracle.UFUNCS[name][1]) == 1:
                arguments = ", ".join(f"in[{i}]" for i in range(takes))
                text.append(
                    f"{ctype} e_{name}_{kind}(const {ctype} *in) "
                    f"{{ return s3s4_{name}_{kind}({arguments}); }}"
                )
    source = folder / "vectors.c"
    source.write_text("\n".join(text) + "\n")
    command = ["cc", "-std=gnu11", "-w", "-O1", "-ffp-contract=off", "-shared", "-fPIC"]
    command += ["-DS3S4_VECTORS=1", f"-I{INCLUDE}", source, "-o", folder / "vectors.so", "-lm"]
    if "avx512" in _isa.supported():
        command += ["-mavx512f"]
    elif subprocess.run(
        ["cc", "-E", "-include", "simde/x86/avx512.h", "-xc", "/dev/null"],
        capture_output=True,
        check=False,
    ).returncode:
        pytest.skip("no AVX-512 here, and no SIMDe to emulate it (libsimde-dev)")
    else:
        command += ["-mavx2", "-mfma", "-include", EMULATION]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(folder / "vectors.so"))


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


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_error_is_within_its_bounds(library: ctypes.CDLL, name: str, kind: str) -> None:
    """The bounds are those of every other variant."""
    activation, _ = oracle.UFUNCS[name]
    call = partial(on_vectors, library, name, kind)
    for wrt, found in accuracy.measure(call, name, DTYPES[kind], 32).items():
        assert found.condition <= accuracy.CONDITION, f"eps, at {found.condition_at}"
        bound, _ = accuracy.ULP.get((activation, wrt), (np.inf, np.inf))
        assert found.ulp <= bound, f"ULP, at {found.ulp_at}"


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_every_form_gives_the_same_bits(library: ctypes.CDLL, name: str, kind: str) -> None:
    """For arrays, for usual numbers, for one that a loop shares, and for one element."""
    activation, _ = oracle.UFUNCS[name]
    columns = accuracy.columns(activation, DTYPES[kind], 32)
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
        element = one(library, name, kind)
        found = [element(row) for row in np.array(shared).T]
        np.testing.assert_array_equal(np.array(found, DTYPES[kind]), expected[0])


@cache
def one(library: ctypes.CDLL, name: str, kind: str) -> Callable[[np.ndarray], float]:
    """Return the function of one element, of an array of its arguments."""
    function = library[f"e_{name}_{kind}"]
    function.restype = ctypes.c_float if kind == "f32" else ctypes.c_double
    return lambda row: function(np.ascontiguousarray(row).ctypes.data_as(ctypes.c_void_p))
