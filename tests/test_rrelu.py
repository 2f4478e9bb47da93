"""The randomised rectifier in training: its slopes are what was asked for, and what it used."""

import numpy as np
import pytest

import s3s4
from support import assert_same_bits


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_values_are_the_slopes_times_x(dtype):
    x = np.random.default_rng(1).uniform(-12, 12, (40, 50)).astype(dtype)
    y, slopes = s3s4.rrelu_training(x, np.random.default_rng(2), 0.25, 0.5)
    assert y.dtype == slopes.dtype == dtype
    assert (slopes[x > 0] == 1).all()
    drawn = slopes[x <= 0]
    assert 0.25 <= drawn.min() < 0.26 < 0.49 < drawn.max() <= 0.5
    assert len(np.unique(drawn)) > 100
    np.testing.assert_array_equal(y, x * slopes)


def test_evaluation_is_the_mean_of_training():
    x = np.full(100_000, -2.0)
    y, _ = s3s4.rrelu_training(x, np.random.default_rng(3))
    # The mean of n uniform slopes is off by about their width / sqrt(12 n).
    assert y.mean() == pytest.approx(float(s3s4.rrelu(-2.0)), abs=5 * 2 * (5 / 24) / np.sqrt(12e5))


def test_the_generator_alone_decides():
    x = np.linspace(-3, 3, 31)
    first, again = (s3s4.rrelu_training(x, np.random.default_rng(7)) for _ in range(2))
    assert_same_bits(first, again)


def test_special_values_and_types():
    y, slopes = s3s4.rrelu_training([-np.inf, np.inf, np.nan, -0.0], np.random.default_rng(4))
    assert y[0] == -np.inf
    assert y[1] == np.inf
    assert np.isnan(y[2])
    assert y[3] == 0
    assert slopes[1] == 1
    assert s3s4.rrelu_training(np.arange(-3, 3), np.random.default_rng(5))[0].dtype == float
    assert s3s4.rrelu_training(np.empty((0, 3)), np.random.default_rng(6))[0].shape == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ((1.0, 5), TypeError, "rng"),
        ((1.0, np.random), TypeError, "rng"),
        ((1.0, np.random.default_rng(), 0.5, 0.25), ValueError, "lower and upper"),
        ((1.0, np.random.default_rng(), np.zeros(2)), TypeError, "lower must be a number"),
        ((1.0, np.random.default_rng(), 0.0, [0.5]), TypeError, "upper must be a number"),
        ((1.0, np.random.default_rng(), np.nan), ValueError, "lower and upper"),
        ((1.0, np.random.default_rng(), 0.0, np.inf), ValueError, "lower and upper"),
        ((1j, np.random.default_rng()), TypeError, "x must hold real"),
        (("text", np.random.default_rng()), TypeError, "x must hold real"),
    ],
)
def test_bad_arguments_are_named(arguments, error, named):
    with pytest.raises(error, match=named):
        s3s4.rrelu_training(*arguments)
