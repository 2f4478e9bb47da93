"""Every ufunc, dtype and variant is as accurate as documented."""

import numpy as np
import pytest

import accuracy
import oracle
from s3s4 import _cpu

DENSE = 100

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("variant", _cpu.VARIANTS)
@pytest.mark.parametrize("name", oracle.UFUNCS)
@pytest.mark.parametrize("dtype", accuracy.DTYPES, ids=str)
def test_error_is_within_its_bounds(name, dtype, variant):
    ufunc = _cpu.load(variant).ufuncs[name]
    activation, _ = oracle.UFUNCS[name]
    for wrt, found in accuracy.measure(ufunc, name, dtype, variant, DENSE).items():
        shown = f"{accuracy.title(activation, wrt)} {dtype} {variant}"
        assert found.condition <= accuracy.CONDITION, f"{shown}: eps, at {found.condition_at}"
        bound, _ = accuracy.ULP.get((activation, wrt), (np.inf, np.inf))
        assert found.ulp <= bound, f"{shown}: ULP, at {found.ulp_at}"


@pytest.mark.parametrize("variant", _cpu.VARIANTS)
@pytest.mark.parametrize("name", oracle.UFUNCS)
def test_float16_is_float32_rounded_once(name, variant):
    ufunc = _cpu.load(variant).ufuncs[name]
    activation, _ = oracle.UFUNCS[name]
    inputs = accuracy.columns(activation, np.dtype(np.float16), DENSE)
    narrow = np.atleast_2d(ufunc(*inputs))
    with np.errstate(over="ignore", under="ignore"):
        wide = np.atleast_2d(ufunc(*[column.astype(np.float32) for column in inputs]))
        np.testing.assert_array_equal(narrow, wide.astype(np.float16))


@pytest.mark.parametrize("variant", _cpu.VARIANTS)
@pytest.mark.parametrize("name", [n for n, (_, outputs) in oracle.UFUNCS.items() if "x" in outputs])
@pytest.mark.parametrize("dtype", accuracy.DTYPES, ids=str)
def test_slope_by_x_is_exactly_zero_at_infinity(name, dtype, variant):
    activation, _ = oracle.UFUNCS[name]
    x = np.array([np.inf, -np.inf], dtype)
    with np.errstate(over="ignore"):
        values = np.array(accuracy.PARAMETERS)[:-1].astype(dtype)
    for parameter in values:
        parameters = [parameter] * (len(oracle.inputs(activation)) - 1)
        slope = np.atleast_2d(_cpu.load(variant).ufuncs[name](x, *parameters))[-1]
        assert (slope == 0).all(), parameters
