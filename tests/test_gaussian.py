"""Moments of Gaussian numbers, and what initialisations made of them do in a network."""

import math

import numpy as np
import pytest

import oracle
import s3s4
from support import ELEMENTWISE

PANELS = [-12, -6, -3, -2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2, 3, 6, 12]
SOME = ("s3", "gelu", "hardswish")


def expected(name, *parameters):
    """E f, E f^2 and E f'^2, from the definition, in 30 digits."""
    mp = oracle.mp
    panels = sorted({*PANELS, *(s * abs(p) for p in parameters for s in (-1, 1) if abs(p) < 12)})

    def integral(wrt, power):
        def weighted(z):
            return oracle.evaluate(name, wrt, z, *map(mp.mpf, parameters)).total ** power * mp.npdf(
                z
            )

        return mp.quad(weighted, panels, maxdegree=5)

    with mp.workdps(30):
        return float(integral(None, 1)), float(integral(None, 2)), float(integral("x", 2))


@pytest.mark.parametrize(
    "name", [n if n in SOME else pytest.param(n, marks=pytest.mark.slow) for n in ELEMENTWISE]
)
def test_moments_are_those_of_the_definition(name):
    parameters = tuple(ELEMENTWISE[name].parameters.values())
    mean, second, slope = expected(name, *parameters)
    found = s3s4.moments(name)
    wanted = (mean, second, second - mean * mean, slope)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("k", [1.0, 20.0])
def test_moments_of_other_parameters(k):
    mean, second, slope = expected("s4", k)
    found = s3s4.moments(s3s4.s4, k)
    np.testing.assert_allclose(
        found, (mean, second, second - mean * mean, slope), rtol=0, atol=1e-14
    )


def test_what_is_known_in_closed_form():
    assert s3s4.gain("relu") == pytest.approx(math.sqrt(2), rel=1e-15)
    half = s3s4.critical_init("relu")
    assert half == pytest.approx(
        (math.sqrt(2), -1 / math.sqrt(2 * math.pi), 1 / math.pi), rel=1e-14
    )
    # relu of numbers of variance q.
    wide = s3s4.moments("relu", q=9.0)
    assert wide.mean == pytest.approx(3 / math.sqrt(2 * math.pi), rel=1e-14)
    assert wide.second == pytest.approx(4.5, rel=1e-14)
    assert s3s4.gain("relu", q=9.0) == pytest.approx(math.sqrt(2), rel=1e-14)
    # The identity keeps everything.
    for keep in ("signal", "gradient", "variance"):
        assert s3s4.gain("leaky_relu", 1.0, keep=keep) == pytest.approx(1, rel=1e-14)


@pytest.mark.parametrize(
    "name", ["s4", *(pytest.param(n, marks=pytest.mark.slow) for n in ("s3", "relu", "sigmoid"))]
)
def test_gradients_keep_their_norm(name):
    """Through twenty layers of 400 units: within 2 % a layer, where Glorot's lose most of it."""
    activation = ELEMENTWISE[name]
    critical, glorot = s3s4.critical_init(name), s3s4.CriticalInit(1.0, 0.0, 0.0)
    assert factor(activation, critical) == pytest.approx(1, abs=0.02)
    if name == "s4":
        assert factor(activation, glorot) == pytest.approx(0.193, rel=0.02)


def factor(activation, initial, width=400, depth=20, examples=16):
    """What a layer multiplies the norm of a gradient by, in the middle of a network."""
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        h = rng.standard_normal((examples, width))
        layers = []
        for layer in range(depth):
            # Inputs have variance 1 and mean 0, unlike what an activation hands on.
            scale = initial.gain if layer else 1.0
            weights = rng.standard_normal((width, width)) * scale / math.sqrt(width)
            bias = initial.bias_mean * weights.sum(0) if layer else 0.0
            if layer:
                bias = bias + rng.standard_normal(width) * math.sqrt(initial.bias_variance)
            h, slope = activation.value_and_derivative(h @ weights + bias)
            layers.append((weights, slope))
        gradient = rng.standard_normal((examples, width))
        norms = []
        for weights, slope in reversed(layers):
            gradient = gradient * slope
            norms.append(np.linalg.norm(gradient))
            gradient = gradient @ weights.T
        found.append((norms[17] / norms[2]) ** (1 / 15))
    return math.exp(np.mean(np.log(found)))


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="name must be that of an activation"):
        s3s4.gain("no_such")
    with pytest.raises(TypeError, match="f must be an activation of single elements"):
        s3s4.moments("softmax")
    with pytest.raises(ValueError, match="keep must be one of signal, gradient, variance, not"):
        s3s4.gain("relu", keep="loss")
    for q in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="q must be positive and finite"):
            s3s4.moments("relu", q=q)
    with pytest.raises(ValueError, match="no weight makes up for what threshold loses"):
        s3s4.critical_init("threshold")
    with pytest.raises(TypeError, match="s4 takes x and 1 parameters"):
        s3s4.gain("s4", 1.0, 2.0)
