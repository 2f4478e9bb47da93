"""What is true of S3 and S4: one test for each sentence of the documentation."""

import numpy as np
import pytest

from s3s4 import _cpu, s3, s4

DTYPES = ("float32", "float64", "longdouble")
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softsign(x):
    return x / (1 + np.abs(x))


def close(actual, expected, dtype, terms=1.0):
    """Compare within a few eps of the size of the terms."""
    return np.all(np.abs(actual - expected) <= 8 * np.finfo(dtype).eps * terms)


@every_dtype
def test_s3_jumps_at_zero(dtype):
    zero, above = np.zeros((), dtype), np.nextafter(np.zeros((), dtype), np.ones((), dtype))
    assert s3(zero) == s3(-zero) == s3(-above) == 0.5
    assert s3(above) == above
    assert s3.derivative(zero) == s3.derivative(-above) == 0.25
    assert s3.derivative(above) == 1


@every_dtype
def test_s4_is_a_quarter_at_zero_for_every_k(dtype):
    k = np.array([0, 1e-3, 0.5, 1, 5, 10, 50, 1e6, np.inf], dtype)
    assert (s4(np.zeros((), dtype), np.concatenate([k, -k])) == 0.25).all()


@every_dtype
def test_slope_of_s4_at_zero(dtype):
    k = np.linspace(-50, 50, 401, dtype=dtype)
    slope = s4.derivative(np.zeros((), dtype), k)
    assert close(slope, (5 - k) / 8, dtype, (np.abs(k) + 5) / 8)
    assert s4.derivative(np.zeros((), dtype), 5) == 0
    assert s4.derivative(np.zeros((), dtype)) == 0


@pytest.mark.parametrize("k", [1.0, 1.25, 1.5, 2.0, 2.1])
def test_s4_increases_for_k_from_1_to_2_1(k):
    assert (s4.derivative(np.linspace(-30, 30, 200_001), k) >= 0).all()


@pytest.mark.parametrize("k", [0.5, 0.9, 0.99, 2.11, 2.5, 5.0])
def test_s4_falls_somewhere_for_other_k(k):
    assert (s4.derivative(np.linspace(-30, 30, 200_001), k) < 0).any()


@pytest.mark.parametrize(("k", "steepest"), [(5, -0.24), (10, -0.76)])
def test_steepest_fall(k, steepest):
    x = np.linspace(-2, 0, 20_001)
    assert round(float(s4.derivative(x, k).min()), 2) == steepest


def test_s4_falls_between_minus_0_498_and_0_at_the_default_k():
    x = np.linspace(-30, 30, 600_001)
    falling = x[s4.derivative(x) < 0]
    assert falling.min() == pytest.approx(-0.498, abs=5e-4)
    assert falling.max() == pytest.approx(0, abs=2e-4)
    assert np.ptp(falling) == pytest.approx(len(falling) * 1e-4, rel=1e-3)


def test_minimum_at_k_one_half():
    x = np.linspace(-20, 0, 200_001)
    value = s4(x, 0.5)
    assert value.min() == pytest.approx(-0.100, abs=5e-4)
    assert x[value.argmin()] == pytest.approx(-2.61, abs=5e-3)
    assert (s4(np.linspace(-700, -20, 1001), 0.5) < 0).all()


@every_dtype
def test_s4_is_the_mean_at_k_zero(dtype):
    x = np.linspace(-30, 30, 1001, dtype=dtype)
    assert close(s4(x, 0), (sigmoid(x) + softsign(x)) / 2, dtype)


def test_s4_is_once_but_not_twice_differentiable():
    step = 1e-6
    for k in (0.5, 5, 10):
        left, middle, right = s4.derivative(np.array([-step, 0, step]), k)
        assert left == pytest.approx(middle, abs=1e-4)
        assert right == pytest.approx(middle, abs=1e-4)
        # Softsign's second derivative falls by 4 at 0, and its weight there is 1/2.
        assert ((right - middle) - (middle - left)) / step == pytest.approx(-2, abs=1e-3)


@every_dtype
@pytest.mark.parametrize("k", [0.5, 1, 5, 10, 1e6])
def test_limits_for_positive_k(dtype, k):
    ends = np.array([-np.inf, np.inf], dtype)
    np.testing.assert_array_equal(s4(ends, k), [0, 1])
    np.testing.assert_array_equal(s4(ends, -k), [-1, 1])
    for slope in (s4.derivative(ends, k), s4.derivative(ends, -k), s3.derivative(ends)):
        np.testing.assert_array_equal(slope, [0, 0])
    np.testing.assert_array_equal(s4.derivative(ends, k, wrt="k"), [0, 0])
    np.testing.assert_array_equal(s3(ends), [0, 1])


@every_dtype
def test_infinite_k_is_a_hard_switch(dtype):
    x = np.linspace(-30, 30, 1001, dtype=dtype)
    x = x[x != 0]
    below, above = np.minimum(x, 0), np.maximum(x, 0)
    assert close(s4(x, np.inf), np.where(x < 0, sigmoid(below), softsign(above)), dtype)
    assert close(s4(x, -np.inf), np.where(x < 0, softsign(below), sigmoid(above)), dtype)
    assert s4(np.zeros((), dtype), np.inf) == s4(np.zeros((), dtype), -np.inf) == 0.25


@every_dtype
def test_negative_k_swaps_the_halves(dtype):
    x = np.linspace(-30, 30, 1001, dtype=dtype)
    for k in (0.5, 1, 5, 50):
        assert close(s4(x, k) + s4(x, -k), sigmoid(x) + softsign(x), dtype, 2)


@every_dtype
def test_nan_gives_nan(dtype):
    nan, numbers = np.array(np.nan, dtype), np.array([0, -0.0, 1, -1, np.inf, -np.inf], dtype)
    assert np.isnan(s3(nan))
    assert np.isnan(s3.derivative(nan))
    for slope in (s4, s4.derivative, lambda x, k: s4.derivative(x, k, wrt="k")):
        assert np.isnan(slope(nan, numbers)).all()
        assert np.isnan(slope(numbers, nan)).all()
        assert np.isnan(slope(nan, nan))


@every_dtype
def test_infinity_never_gives_nan(dtype):
    values = np.array([0, 1e-3, 1, 5, 1e6, np.inf], dtype)
    values = np.concatenate([values, -values])
    assert not np.isnan(s4(values[:, None], values)).any()
    assert not np.isnan(s4.derivative(values[:, None], values)).any()
    assert not np.isnan(s4.derivative(values[:, None], values, wrt="k")).any()


@every_dtype
def test_underflow_is_not_the_clamp_of_an_exp(dtype):
    info = np.finfo(dtype)
    start = np.log2(-np.log(info.tiny) * 1.01)
    x = -np.exp2(np.linspace(start, info.maxexp - 1, 1001, dtype=dtype))
    for value in (s3(x), s4(x, 5), s3.derivative(x), s4.derivative(x, 5)):
        assert (np.abs(value) < info.tiny).all()
    assert s3(-info.max) == s4(-info.max, 5) == 0


@pytest.mark.parametrize("variant", _cpu.VARIANTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_below_the_smallest_normal_number_are_zero(dtype, variant):
    """Subnormal numbers would take a processor a hundred times as long."""
    ufuncs = _cpu.load(variant).ufuncs
    smallest = float(np.finfo(dtype).smallest_normal)
    end = np.log(smallest)
    x = np.linspace(end - 40, end + 1, 20000).astype(dtype)
    for values in (ufuncs["s3"](x), ufuncs["s4"](x, 5.0), ufuncs["s4"](-x / 5, 5.0)):
        assert ((values == 0) | (np.abs(values) >= smallest)).all()
    clear = x < end - 0.01
    assert (ufuncs["s3"](x)[clear] == 0).all()
    assert (ufuncs["s3"](x)[x > end + 0.01] > 0).all()
