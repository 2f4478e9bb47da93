"""float16 on a GPU: every number there is, with the card's approximations as bad as they may be.

The kernels' own PTX, on the GPU that is not there: `make gpu`.
"""

import platform
import shutil
import sys

import numpy as np
import pytest

import gpu_offline
import s3s4
from s3s4._table import TABLE

if sys.platform != "linux" or platform.machine() != "x86_64" or not shutil.which("cc"):
    pytest.skip("fakecuda is for Linux on x86-64 with a C compiler", allow_module_level=True)
if gpu_offline.missing():
    pytest.skip(gpu_offline.missing(), allow_module_level=True)

from fakecuda import device
from support import outputs

pytestmark = pytest.mark.slow
EVERY = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
STEEPNESS = (0.5, 1.0, 5.0, -2.0)
FUNCTIONS = [
    function
    for name, entry in TABLE.items()
    for function in (name, *(f"{name}_d{by}" for by in entry.derivatives))
]
CANCELLED = 2.0**-20
"""What may be lost of terms of about 1 (or of k) that cancel: float16 has 2^-11 of each number."""


def excess(found, exact, k):
    """How often the allowed error results have at most: a unit in the last place, or that."""
    exact = np.asarray(exact)
    with np.errstate(over="ignore", invalid="ignore"):
        unit = np.spacing(np.abs(exact).astype(np.float16)).astype(float)
        off = np.abs(found.astype(float) - exact)
        rounded = exact.astype(np.float16)
    same = (found == rounded) | (np.isnan(found) & np.isnan(exact))
    off = np.nan_to_num(off / np.fmax(unit, CANCELLED * max(1, abs(k))), nan=np.inf)
    return np.where(same, 0, off)


def kernel(function):
    """The flat kernel for parameters that are numbers, and what the CPU makes in float64."""
    gpu_offline.pretend_device(gpu_offline.CAPABILITIES[0])
    return gpu_offline.compiled(function, gpu_offline.forms(function)[0], "float16").ptx


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_float16(function):
    ufunc, ptx = getattr(s3s4.ufuncs, function), kernel(function)
    x = device.Array.of(EVERY)
    for k in STEEPNESS if ufunc.nin > 1 else (1.0,):
        numbers = [np.float32(k)] * (ufunc.nin - 1)
        with np.errstate(all="ignore"):
            expected = outputs(ufunc(EVERY.astype(float), *map(float, numbers)))
        for off in (-1, 1):
            outs = [device.Array.room(EVERY.size, np.float16) for _ in expected]
            arguments = [np.int64(EVERY.size), x.as_numba_passes_it(), *numbers]
            arguments += [out.as_numba_passes_it() for out in outs]
            device.launch(ptx, (32,), (256,), arguments, off)
            assert not device.complaints()
            for out, exact in zip(outs, expected, strict=True):
                found = excess(out.to_host(), exact, k)
                at = int(np.argmax(found))
                assert found[at] <= 1, (k, off, EVERY[at], out.to_host()[at], exact[at])


def test_errors_that_are_too_large_are_seen():
    x, out = device.Array.of(EVERY), device.Array.room(EVERY.size, np.float16)
    arguments = [np.int64(EVERY.size), x.as_numba_passes_it(), out.as_numba_passes_it()]
    device.launch(kernel("sigmoid"), (32,), (256,), arguments, 20_000)
    with np.errstate(all="ignore"):
        exact = s3s4.ufuncs.sigmoid(EVERY.astype(float))
    assert excess(out.to_host(), exact, 1).max() > 1
