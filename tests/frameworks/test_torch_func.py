"""s3s4.torch within torch.func: limits at infinity, and derivatives of every order in every way."""

import itertools

import mpmath as mp
import numpy as np
import pytest

import oracle
from support import ELEMENTWISE

torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is in [frameworks]")

import s3s4.torch as st

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore:.torch.jit.* is deprecated:FutureWarning"),
]
func = torch.func
FAR = [-np.inf, np.inf, np.nan, 0.5]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_limits_at_infinity(name):
    values = list(ELEMENTWISE[name].parameters.values())
    x, *parameters = (torch.tensor(v, dtype=torch.float64) for v in (FAR, *values))
    function = getattr(st, name)
    expected = oracle.exact(name, "x", FAR, *values).high.astype(float)
    for slopes in (
        func.grad(lambda x: function(x, *parameters).sum())(x),
        func.vmap(func.grad(lambda x: function(x, *parameters)))(x),
        func.jvp(lambda x: function(x, *parameters), (x,), (torch.ones_like(x),))[1],
    ):
        np.testing.assert_allclose(slopes, expected, 1e-12, 1e-12)
    for i, parameter in enumerate(oracle.inputs(name)[1:], 1):
        each = func.vmap(func.grad(function, i), (0, *(None for _ in values)))(x, *parameters)
        wanted = oracle.exact(name, parameter, FAR, *values).high.astype(float)
        np.testing.assert_allclose(each, wanted, 1e-12, 1e-12)


WAYS = {"grad": func.grad, "jacfwd": func.jacfwd, "jacrev": func.jacrev}


def s4_of_mpmath(t):
    a, s = (1 / (1 + mp.exp(-u)) for u in (2 * t, t))
    return a * t / (1 + abs(t)) + (1 - a) * s


@pytest.mark.parametrize(
    "ways", [*itertools.product(WAYS, repeat=2), *itertools.product(WAYS, repeat=3)]
)
def test_ways_within_ways(ways):
    def nested(function):
        for way in ways:
            function = WAYS[way](function)
        return function

    t = torch.tensor(0.5, dtype=torch.float64)
    with mp.workdps(50):
        expected = float(mp.diff(s4_of_mpmath, 0.5, len(ways)))
    near = pytest.approx(expected, rel=1e-9)
    assert nested(lambda t: st.s4(t, 2.0))(t).item() == near
    assert nested(lambda t: func.vmap(lambda t: st.s4(t, 2.0))(t.expand(2)).sum() / 2)(t) == near
    assert func.vmap(nested(lambda t: st.s4(t, 2.0)))(t.expand(2))[1].item() == near


def test_plain_autograd_around_it():
    with mp.workdps(50):
        expected = float(mp.diff(s4_of_mpmath, 0.5, 2))
    for slope in (
        func.grad(lambda t: st.s4(t, 2.0)),
        lambda t: func.jvp(lambda t: st.s4(t, 2.0), (t,), (torch.ones_like(t),))[1],
    ):
        t = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
        (bend,) = torch.autograd.grad(slope(t), t)
        assert bend.item() == pytest.approx(expected, rel=1e-9)


def test_vmap_runs_the_kernels():
    """The same bits; the expressions have others."""
    x, k = torch.randn(4, 300), torch.tensor([1.0, 2.0, 3.0, 4.0])
    together = func.vmap(st.s4)(x, k)
    assert torch.equal(together, st.s4(x, k[:, None]))
    inner = func.vmap(func.vmap(st.s4, (0, None)), (1, None))(x, k[0])
    assert torch.equal(inner, st.s4(x, k[0]).T)
