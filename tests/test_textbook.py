"""The textbook's functions are what their names say, by independent sources.

# Design:
# - SciPy and mpmath, where they have the function or its parts; else the formula of the public
#   docstring, written out once more and by cases. Arrays of NumPy and numbers of 50 digits alike.
"""

import inspect
import math
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from scipy import special, stats

from s3s4 import _textbook as textbook
from support import ELEMENTWISE

mp = mpmath.mp.clone()
mp.dps = 50
DEFINITIONS = {name: f for name, f in vars(textbook).items() if inspect.isfunction(f)}
VERBATIM = ("abs", "e", "expm1", "ones_like", "pi", "sin", "sqrt", "tanh")
NUMPY = SimpleNamespace(
    **{name: getattr(np, name) for name in VERBATIM},
    where=np.where,
    sigmoid=special.expit,
    softplus=lambda x: np.logaddexp(x, 0),
    ndtr=special.ndtr,
)
MPMATH = SimpleNamespace(
    abs=abs,
    e=mp.e,
    expm1=mp.expm1,
    ones_like=lambda x: mp.one,
    pi=mp.pi,
    sin=mp.sin,
    sqrt=mp.sqrt,
    tanh=mp.tanh,
    where=lambda test, yes, no: mp.mpf(yes if test else no),
    sigmoid=lambda x: 1 / (1 + mp.exp(-x)),
    softplus=lambda x: mp.log1p(mp.exp(x)),
    ndtr=mp.ncdf,
)


def softsign(x):
    return x / (1 + x) if x > 0 else x / (1 - x)


def logistic(x):
    return (math.tanh(x / 2) + 1) / 2


def cubic(x, eps):
    """The Hermite polynomial from the slopes and values at its ends, by a linear system."""
    rows = [[(-eps) ** i for i in range(4)], [eps**i for i in range(4)]]
    rows += [[i * e ** (i - 1) if i else 0 for i in range(4)] for e in (-eps, eps)]
    p = logistic(-eps)
    ends = [p, eps / (1 + eps), p * (1 - p), 1 / (1 + eps) ** 2]
    return float(np.polyval(np.linalg.solve(rows, ends)[::-1], x))


def s3(x):
    return logistic(x) if x <= 0 else softsign(x)


def shrunk(x, lambd):
    return math.copysign(max(abs(x) - lambd, 0), x)


EXPECTED = {
    "s3": s3,
    "s4": lambda x, k: logistic(k * x) * softsign(x) + logistic(-k * x) * logistic(x),
    "s3_smooth": lambda x, eps: cubic(x, eps) if abs(x) < eps else s3(x),
    "sigmoid": special.expit,
    "softsign": softsign,
    "tanh": lambda x: (math.exp(x) - math.exp(-x)) / (math.exp(x) + math.exp(-x)),
    "relu6": lambda x: sorted([0, x, 6])[1],
    "hardtanh": lambda x, low, high: sorted([low, x, high])[1],
    "threshold": lambda x, at: np.heaviside(x - at, 0),
    "logsigmoid": special.log_expit,
    "hardsigmoid": lambda x: float(np.interp(x, [-3, 3], [0, 1])),
    "hardswish": lambda x: x * float(np.interp(x, [-3, 3], [0, 1])),
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x, a: max(x, 0) + a * min(x, 0),
    "prelu": lambda x, a: max(x, 0) + a * min(x, 0),
    "rrelu": lambda x, lower, upper: max(x, 0) + np.mean([lower, upper]) * min(x, 0),
    "elu": lambda x, alpha: x if x > 0 else alpha * (math.exp(x) - 1),
    "celu": lambda x, alpha: max(x, 0) + min(0, alpha * (math.exp(x / alpha) - 1)),
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "softplus": lambda x, beta, at: x if beta * x > at else math.log(1 + math.exp(beta * x)) / beta,
    "squareplus": lambda x, b: x / 2 + math.hypot(x, math.sqrt(b)) / 2,
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x / (1 + math.exp(-1.702 * x)),
    "silu": lambda x: x * stats.logistic.cdf(x),
    "swish": lambda x, beta: x * stats.logistic.cdf(beta * x),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "snake": lambda x, a: x + (1 - math.cos(2 * a * x)) / (2 * a),
    "tanhshrink": lambda x: x - math.sinh(x) / math.cosh(x),
    "softshrink": shrunk,
    "hardshrink": lambda x, lambd: x if abs(x) > lambd else 0,
    "pss": lambda x, alpha: stats.logistic.cdf(alpha * x),
    "rational_softsign": lambda x, a, b: a * x / (1 + b * abs(x)),
}
PARAMETERS = ((), (0.4, 2.5), (1.7, 3.0))
X = [-30.0, -6.5, -3.0, -1.0, -0.4, -0.1, 0.0, 0.3, 0.4, 0.9, 2.5, 3.0, 4.25, 6.0, 25.0]


def test_every_activation_has_its_definition():
    """And no other stands there; names and defaults of parameters are the public ones."""
    assert DEFINITIONS.keys() == ELEMENTWISE.keys() == EXPECTED.keys()
    for name, definition in DEFINITIONS.items():
        m, x, *others = inspect.signature(definition).parameters.values()
        public = [one for one in others if one.kind is not one.KEYWORD_ONLY]
        assert (m.name, x.name) == ("m", "x")
        assert {one.name: one.default for one in public} == dict(ELEMENTWISE[name].parameters)
        assert len(inspect.getsource(definition).split(":\n", 1)[1].strip().splitlines()) <= 3


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("values", PARAMETERS, ids=str)
def test_values(name, values):
    parameters = (values or tuple(ELEMENTWISE[name].parameters.values()))[
        : len(ELEMENTWISE[name].parameters)
    ]
    wanted = np.array([EXPECTED[name](x, *parameters) for x in X])
    definition = DEFINITIONS[name]
    # expm1 and tails of mpmath have more digits than the doubles of the sources.
    exact = [definition(MPMATH, mp.mpf(x), *map(mp.mpf, parameters)) for x in X]
    np.testing.assert_allclose(np.array(exact, float), wanted, rtol=2e-15, atol=2e-15)
    for dtype in (np.float32, np.float64):
        for given in (parameters, [np.full(len(X), at, dtype) for at in parameters]):
            found = definition(NUMPY, np.array(X, dtype), *given)
            assert found.dtype == dtype
            eps = 8 * np.finfo(dtype).eps
            np.testing.assert_allclose(found, wanted, rtol=eps, atol=eps * np.abs(wanted).max())


@pytest.mark.parametrize("name", EXPECTED)
def test_nan_and_what_is_large(name):
    """NaN gives NaN; nothing overflows anywhere that is not the result."""
    definition = DEFINITIONS[name]
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert np.isfinite(definition(NUMPY, np.float64([-1e9, 1e9]))).all()
    with np.errstate(invalid="ignore"):
        assert np.isnan(definition(NUMPY, np.float64([np.nan]))).all()
