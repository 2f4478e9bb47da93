"""The oracle covers the package, and agrees with itself and with hand-worked values."""

import numpy as np
import pytest

import accuracy
import oracle
import s3s4
from s3s4 import _cpu
from support import ELEMENTWISE, UFUNCS

mp = oracle.mp


def test_every_activation_has_its_line():
    assert set(oracle.ACTIVATIONS) == set(ELEMENTWISE)
    for name, activation in ELEMENTWISE.items():
        assert oracle.inputs(name) == ("x", *activation.parameters)


def test_every_ufunc_is_measured():
    assert set(UFUNCS) == set(oracle.UFUNCS)
    public = {name for name, ufunc in vars(s3s4.ufuncs).items() if isinstance(ufunc, np.ufunc)}
    for variant in _cpu.VARIANTS:
        assert set(_cpu.load(variant).ufuncs) == public


@pytest.mark.parametrize("name", oracle.ACTIVATIONS)
@pytest.mark.parametrize("parameter", [-7.0, 0.0, 0.5, 5.0])
def test_slope_is_the_difference_quotient_of_the_value(name, parameter):
    if parameter <= 0 and name != "s4":
        parameter = 1.75 - parameter
    for x in (-40.5, -2.0, -0.25, 0.25, 0.75, 3.25, 40.5):
        assert_slopes_are_quotients(name, x, parameter)


def assert_slopes_are_quotients(name, x, parameter):
    count = len(oracle.inputs(name))
    point = [mp.mpf(x), *[mp.mpf(parameter * (1 + i)) for i in range(count - 1)]]
    for wrt, direction in zip(oracle.inputs(name), np.eye(count, dtype=int), strict=True):
        with mp.workdps(120):
            oracle._logistic.cache_clear()
            oracle._softsign.cache_clear()
            step = mp.mpf(10) ** -40
            ends = [
                oracle.evaluate(name, None, *[p + sign * step * int(d) for p, d in moved]).total
                for sign in (1, -1)
                for moved in [list(zip(point, direction, strict=True))]
            ]
            quotient = (ends[0] - ends[1]) / (2 * step)
        slope = oracle.evaluate(name, wrt, *point).total
        assert mp.almosteq(slope, quotient, rel_eps=mp.mpf("1e-30"), abs_eps=mp.mpf("1e-60"))


@pytest.mark.parametrize(
    ("name", "wrt", "point", "size"),
    [
        ("s4", None, (-1, 0), mp.mpf(1) / 4 + 1 / (1 + mp.e) / 2),
        ("s4", "x", (0, 5), mp.mpf(5) / 8 + mp.mpf(1) / 2 + mp.mpf(1) / 8),
        ("s4", "k", (-1, 0), (mp.mpf(1) / 2 + 1 / (1 + mp.e)) / 4),
    ],
)
def test_size_is_the_sum_of_the_absolute_terms(name, wrt, point, size):
    assert mp.almosteq(oracle.evaluate(name, wrt, *map(mp.mpf, point)).size, size)


def test_spacing_is_numpys():
    for dtype in accuracy.DTYPES:
        x = np.abs(accuracy.exponents(dtype, 500))
        np.testing.assert_array_equal(
            accuracy.spacing(x.astype(np.longdouble), dtype), np.spacing(x)
        )


def test_deviation_sees_a_wrong_infinity_and_a_missing_nan():
    high = np.array([np.nan, np.inf, 1, 1], np.longdouble)
    exact = oracle.Exact(high, np.zeros(4, np.longdouble), high)
    computed = np.array([0, -np.inf, np.nan, np.inf])
    assert np.isinf(accuracy.deviation(computed, exact)).all()
    assert (accuracy.deviation(high, exact) == 0).all()
