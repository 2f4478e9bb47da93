"""Every ufunc, dtype and variant is as accurate as documented."""

import itertools

import numpy as np
import pytest

import accuracy
import oracle
from s3s4 import _cpu

# Points x for each parameter: the pages in docs are made with many more.
DENSE = {"s3": 32, "s4": 32}
SPARSE = 8

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("name", oracle.UFUNCS)
@pytest.mark.parametrize("dtype", accuracy.DTYPES, ids=str)
@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_error_is_within_its_bounds(name, dtype, times):
    for variant in _cpu.VARIANTS:
        assert_within_bounds(name, dtype, variant, times)


def assert_within_bounds(name, dtype, variant, times):
    ufunc = _cpu.load(variant).ufuncs[name]
    activation, _ = oracle.UFUNCS[name]
    dense = times * DENSE.get(activation, SPARSE)
    for wrt, found in accuracy.measure(ufunc, name, dtype, dense).items():
        shown = f"{accuracy.title(activation, wrt)} {dtype} {variant}"
        assert found.condition <= accuracy.CONDITION, f"{shown}: eps, at {found.condition_at}"
        bound, _ = accuracy.ULP.get((activation, wrt), (np.inf, np.inf))
        assert found.ulp <= bound, f"{shown}: ULP, at {found.ulp_at}"


@pytest.mark.parametrize("name", oracle.UFUNCS)
def test_float16_is_float32_rounded_once(name):
    activation, _ = oracle.UFUNCS[name]
    inputs = accuracy.columns(activation, np.dtype(np.float16), SPARSE)
    for variant in _cpu.VARIANTS:
        ufunc = _cpu.load(variant).ufuncs[name]
        narrow = np.atleast_2d(ufunc(*inputs))
        with np.errstate(over="ignore", under="ignore"):
            wide = np.atleast_2d(ufunc(*[column.astype(np.float32) for column in inputs]))
            np.testing.assert_array_equal(narrow, wide.astype(np.float16), err_msg=variant)


@pytest.mark.parametrize("variant", _cpu.VARIANTS)
@pytest.mark.parametrize("name", [n for n, (_, outputs) in oracle.UFUNCS.items() if "x" in outputs])
def test_slope_by_x_at_infinity_is_its_limit(name, variant):
    for dtype in accuracy.DTYPES:
        assert_slope_at_infinity(name, dtype, variant)


def assert_slope_at_infinity(name, dtype, variant):
    activation, _ = oracle.UFUNCS[name]
    x = np.array([np.inf, -np.inf], dtype)
    for values in itertools.product(*accuracy.parameters(activation, dtype)):
        slope = np.atleast_2d(_cpu.load(variant).ufuncs[name](x, *values))[-1]
        if not np.isnan(values).any():
            wanted = oracle.exact(activation, "x", x, *values).high.astype(dtype)
            eps = np.finfo(dtype).eps
            np.testing.assert_allclose(slope, wanted, rtol=eps, atol=0, err_msg=str(values))
