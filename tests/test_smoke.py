"""Is this installation sound? The first file to run: it needs NumPy and pytest alone."""

import math

import numpy as np
import pytest

import s3s4


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def softsign(x):
    return x / (1 + abs(x))


def s3(x):
    return sigmoid(x) if x <= 0 else softsign(x)


def s4(x, k=5.0):
    return sigmoid(k * x) * softsign(x) + sigmoid(-k * x) * sigmoid(x)


X = [-30.0, -5.0, -1.0, -0.25, 0.0, 0.25, 1.0, 5.0, 30.0]


@pytest.mark.parametrize(("activation", "defined"), [(s3s4.s3, s3), (s3s4.s4, s4)])
def test_values_and_slopes(activation, defined):
    step = 1e-6
    for x in X:
        value, slope = activation.value_and_derivative(x)
        assert value == activation(x) == pytest.approx(defined(x), rel=1e-14)
        assert slope == activation.derivative(x)
        if x:
            difference = (defined(x + step) - defined(x - step)) / (2 * step)
            assert slope == pytest.approx(difference, abs=1e-8)


@pytest.mark.parametrize("n", [1, 7, 1000, 200_003])
def test_arrays(n):
    x = np.linspace(-9, 9, n)
    for dtype in (np.float16, np.float32, np.float64, np.longdouble):
        for activation in s3s4.activations.values():
            if not isinstance(activation, s3s4.Activation):
                continue  # of rows: an element depends on the others
            result = activation(x.astype(dtype))
            assert result.dtype == dtype
            assert result.shape == (n,)
            assert result[-1] == activation(x.astype(dtype)[-1])
            assert np.isfinite(result).all()


def test_parameter():
    for k in (-2.0, 0.0, 1.0, 10.0):
        np.testing.assert_allclose(s3s4.s4(X, k), [s4(x, k) for x in X], rtol=1e-13, atol=1e-16)


def test_backward():
    grad_x, grad_k = s3s4.s4.backward(np.ones(9), np.array(X), 5.0)
    np.testing.assert_allclose(grad_x, s3s4.s4.derivative(X), rtol=1e-13)
    assert grad_k == pytest.approx(s3s4.s4.derivative(X, wrt="k").sum())


def test_configuration():
    config = s3s4.build_config()
    assert config["variant"]
    assert config["threads"] == s3s4.get_num_threads() >= 1
