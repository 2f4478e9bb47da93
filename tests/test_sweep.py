"""x and parameters of all exponents and signs: the bound of the documentation holds there too."""

import numpy as np
import pytest

import oracle
import sweep
from s3s4 import _cpu, celu, elu, hardshrink, rational_softsign, s4, selu, softshrink
from support import UFUNCS

every_ufunc = pytest.mark.parametrize("name", UFUNCS)
every_dtype = pytest.mark.parametrize("dtype", sweep.DTYPES, ids=str)


def assert_right(found):
    shown = [
        f"{p.name} {p.dtype} {p.variant} at {p.at}: {p.computed}, not {p.exact}" for p in found
    ]
    assert not shown, "\n".join(shown[:5])


@every_ufunc
@every_dtype
def test_some_of_all_exponents(name, dtype):
    with np.errstate(all="ignore"):
        for variant in _cpu.VARIANTS:
            assert_right(sweep.wrong(name, dtype, variant, 8, sample=80))


@pytest.mark.slow
@every_ufunc
@every_dtype
def test_all_exponents(name, dtype):
    with np.errstate(all="ignore"):
        for variant in _cpu.VARIANTS:
            assert_right(sweep.wrong(name, dtype, variant, 24))


@every_dtype
def test_what_was_wrong_before(dtype):
    smallest = np.finfo(dtype).tiny
    x = np.array([-np.inf, -1.0, -smallest, -0.0, 0.0, 2.0, np.inf], dtype)
    assert s4(x[:1], smallest) == 0
    assert rational_softsign(dtype.type(0), 1, dtype.type(np.inf)) == 0
    large = dtype.type(np.finfo(dtype).max / 16)
    slope = elu.derivative(dtype.type(-1), large)
    np.testing.assert_allclose(slope, large * np.exp(dtype.type(-1)), rtol=1e-6)
    np.testing.assert_array_equal(celu(x, dtype.type(np.inf)), x)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_celu_of_any_alpha(dtype):
    """Its limit at 0, and no number below, whether alpha is an array or not."""
    x = np.linspace(-8, 8, 40).astype(dtype)
    zero = np.zeros((), dtype)
    for method in (celu, celu.derivative, lambda x, a: celu.derivative(x, a, wrt="alpha")):
        assert np.isnan(method(x, zero - 1)).all()
        assert np.isnan(method(x, np.full_like(x, -1))).all()
    np.testing.assert_array_equal(celu(x, zero), np.maximum(x, 0))
    np.testing.assert_array_equal(celu(x, np.zeros_like(x)), np.maximum(x, 0))


@pytest.mark.parametrize("function", [elu, celu, selu])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_the_sign_of_zero_is_kept(function, dtype):
    """As in NumPy: expm1(-0.0) is -0.0."""
    zeros = np.array([0.0, -0.0] * 20, dtype)
    given = {name: np.ones_like(zeros) for name in function.parameters}
    for value in (function(zeros), function(zeros, **given), function(zeros[1])[None]):
        expected = np.expm1(zeros if value.size > 1 else zeros[1:2])
        np.testing.assert_array_equal(np.signbit(value), np.signbit(expected))


@pytest.mark.parametrize("function", [softshrink, hardshrink])
def test_shrinking_by_nothing_has_no_slope_at_zero(function):
    """As in PyTorch, which tests/test_torch.py asks."""
    slope = function.derivative(np.array([-1.0, -0.0, 0.0, 1.0]), 0.0)
    np.testing.assert_array_equal(slope, [1, 0, 0, 1])


def nan_in(place, count, dtype):
    """Return inputs of both signs with NaN in one of them, long enough for every loop."""
    x = np.concatenate([np.linspace(-9, 9, 37), [0.0, -0.0, np.inf, -np.inf]]).astype(dtype)
    columns = [x, *[np.full_like(x, value) for value in (0.5, 2.0)[: count - 1]]]
    columns[place] = np.full_like(x, np.nan)
    return columns


@every_ufunc
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_nan_in_any_input_gives_nan(name, dtype):
    """As arrays, as numbers, one by one; in `x` and in every parameter."""
    inputs = oracle.inputs(oracle.UFUNCS[name][0])
    for variant in _cpu.VARIANTS:
        ufunc = _cpu.load(variant).ufuncs[name]
        for place in range(len(inputs)):
            columns = nan_in(place, len(inputs), dtype)
            numbers = [column[0] for column in columns[1:]]
            negative = [columns[0], *[-column for column in columns[1:]]]
            for given in (columns, [columns[0], *numbers], negative):
                result = np.atleast_2d(ufunc(*given))
                assert np.isnan(result).all(), (variant, inputs[place])
            single = np.atleast_1d(ufunc(*[column[5] for column in columns]))
            assert np.isnan(single).all(), (variant, inputs[place])
