"""s3s4.jax: values and derivatives of every order, in every way that JAX transforms them.

# Design:
# - What is right is the oracle's, in 50 digits from the definitions; in float32 it is s3s4's
#   kernels, which other tests compare with it.
# - WAYS and SECOND are the ways to derivatives by x; each is right at 0, too, with the slope of the
#   side that the formula takes.
# - XLA optimises little here: to compile is what takes the time.
"""

import numpy as np
import pytest

import oracle
import s3s4
from slopes import CASES, X, exact, exact_second
from support import ELEMENTWISE, python

jax = pytest.importorskip("jax", reason="JAX is not installed: it is in [frameworks]")

import jax.numpy as jnp
from jax import export

import s3s4.jax as sj

pytestmark = [pytest.mark.frameworks, pytest.mark.usefixtures("_jax_in_double")]
ENDS = [np.inf, -np.inf, np.nan, 1e10, -1e10]


def arrays(values):
    return [jnp.asarray(value, float) for value in values]


def assert_close(found, expected, rtol=1e-11, atol=1e-13):
    np.testing.assert_allclose(np.asarray(found), expected, rtol=rtol, atol=atol)


# --- Derivatives ----------------------------------------------------------------------------------


def grad(f, x):
    return jax.grad(lambda x: f(x).sum())(x)


def vmap_grad(f, x):
    return jax.vmap(jax.grad(f))(x)


def jvp(f, x):
    return jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def remat(f, x):
    return grad(jax.checkpoint(f), x)


def scan(f, x):
    return grad(lambda x: jax.lax.scan(lambda carry, one: (carry, f(one)), 0.0, x)[1], x)


WAYS = (grad, vmap_grad, jvp, remat, scan)


def grad_of_grad(f, x):
    return vmap_grad(jax.grad(f), x)


def grad_of_jvp(f, x):
    return grad(lambda x: jvp(f, x), x)


def jvp_of_jvp(f, x):
    return jvp(lambda x: jvp(f, x), x)


def hessian(f, x):
    return jax.hessian(lambda x: f(x).sum())(x).diagonal()


SECOND = (grad_of_grad, grad_of_jvp, jvp_of_jvp, hessian)


@pytest.mark.parametrize(("name", "values"), CASES)
def test_values_and_derivatives(name, values):
    function, x, parameters = getattr(sj, name), jnp.asarray(X), arrays(values)
    slopes = [exact(name, wrt, values) for wrt in oracle.inputs(name)]
    bends = exact_second(name, values)

    @jax.jit
    def everything(x, *parameters):
        def of_x(x):
            return function(x, *parameters)

        by_all = jax.grad(lambda *given: function(*given).sum(), tuple(range(len(slopes))))
        firsts, seconds = ([way(of_x, x) for way in ways] for ways in (WAYS, SECOND))
        return of_x(x), firsts, by_all(x, *parameters), seconds

    value, firsts, by_all, seconds = everything(x, *parameters)
    assert_close(value, exact(name, None, values))
    for first in firsts:
        assert_close(first, slopes[0])
    for found, slope in zip(by_all[1:], slopes[1:], strict=True):
        assert_close(found, slope.sum())
    for second in seconds:
        assert_close(second, bends, atol=1e-12)


@pytest.mark.parametrize("name", ["s4", "gelu", "softplus", "rational_softsign"])
def test_eager_is_the_same_as_jitted(name):
    function, x = getattr(sj, name), jnp.asarray(X)
    slope = exact(name, "x", tuple(ELEMENTWISE[name].parameters.values()))
    for way in WAYS:
        assert_close(way(function, x), slope)


def test_third_derivative_of_s4():
    def textbook(x):
        a = jax.nn.sigmoid(2.0 * x)
        return a * x / (1 + x) + (1 - a) * jax.nn.sigmoid(x)

    def third(f):
        return jax.jit(jax.jacfwd(jax.grad(jax.jacrev(f))))(0.75)

    assert_close(third(lambda x: sj.s4(x, 2.0)), third(textbook))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_kernels_in_both_precisions_with_infinities_and_nan(name):
    activation, function = ELEMENTWISE[name], getattr(sj, name)
    count = len(activation.parameters)
    for dtype in (np.float32, np.float64):
        x = np.array([*np.linspace(-40, 40, 1001), *np.linspace(-1, 1, 101), *ENDS], dtype)
        values = [dtype(value) for value in activation.parameters.values()]
        kinds = [(function(x), activation(x, *values))]
        for index, wrt in enumerate(("x", *activation.parameters)):
            slope = jax.vmap(jax.grad(function, index), (0, *[None] * count))(x, *values)
            kinds.append((slope, activation.derivative(x, *values, wrt=wrt)))
        for found, expected in kinds:
            assert found.dtype == dtype
            eps = np.finfo(dtype).eps
            if name == "snake":  # far out the turns of its sine cannot be counted
                found, expected = found[: -len(ENDS)], expected[: -len(ENDS)]
            np.testing.assert_allclose(found, expected, rtol=4 * eps, atol=4 * eps)


# --- Arguments ------------------------------------------------------------------------------------


def test_parameters_broadcast_and_have_gradients_of_their_shape():
    rng = np.random.default_rng(0)
    x, k = rng.normal(size=(2, 3, 4)) * 3, rng.uniform(0.5, 5, (3, 1))
    np.testing.assert_allclose(sj.s4(x, k), s3s4.s4(x, k), rtol=1e-13)
    by_x, by_k = jax.grad(lambda x, k: sj.s4(x, k).sum(), (0, 1))(x, k)
    expected = s3s4.s4.backward(np.ones(x.shape), x, k)
    np.testing.assert_allclose(by_x, expected[0], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(by_k, expected[1], rtol=1e-12, atol=1e-15)
    assert sj.s4(1.0, np.ones((2, 1))).shape == (2, 1)
    assert sj.threshold(np.ones((2, 1)), np.zeros(3)).shape == (2, 3)
    mapped = jax.vmap(sj.s4)(x, jnp.arange(2.0))
    np.testing.assert_allclose(mapped[1], s3s4.s4(x[1], 1.0), rtol=1e-13)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_computed_in_single(dtype):
    x = jnp.linspace(-9, 9, 257, dtype=dtype)
    for name, activation in ELEMENTWISE.items():
        y = getattr(sj, name)(x)
        assert y.dtype == dtype
        expected = jnp.asarray(activation(np.asarray(x, np.float32)), dtype)
        assert float(abs(y - expected).max()) <= float(jnp.finfo(dtype).eps), name
    slope = jax.grad(lambda x: sj.s4(x).astype(float).sum())(x)
    assert slope.dtype == dtype
    expected = s3s4.s4.derivative(np.asarray(x, np.float32))
    np.testing.assert_allclose(np.asarray(slope, float), expected, atol=float(jnp.finfo(dtype).eps))


def test_types_are_promoted_as_in_jax_numpy():
    single = jnp.ones(3, jnp.float32)
    assert sj.s4(single, 2.0).dtype == jnp.float32
    assert sj.s4(single, np.float64(2.0)).dtype == jnp.float64
    assert sj.s4(single.astype(jnp.bfloat16), single).dtype == jnp.float32
    assert sj.s4(jnp.arange(3)).dtype == jnp.float64
    assert float(sj.s4(True)) == float(sj.s4(1.0))
    jax.config.update("jax_enable_x64", False)
    assert sj.s4(jnp.arange(3)).dtype == sj.s4(1.0).dtype == jnp.float32


def test_what_is_no_array_of_numbers():
    with pytest.raises(TypeError, match="x must be an array or a number, not list"):
        sj.s4([1.0])
    with pytest.raises(TypeError, match="k must be an array or a number, not str"):
        sj.s4(1.0, "5")
    with pytest.raises(TypeError, match="x must be real, not complex128"):
        sj.s4(1j * jnp.ones(3))
    with pytest.raises(ValueError, match="shapes"):
        sj.s4(jnp.ones(3), jnp.ones(2))


# --- Beside the rest of JAX -----------------------------------------------------------------------


def test_it_can_be_exported_and_called_again():
    given = jax.ShapeDtypeStruct(export.symbolic_shape("n"), np.float64)
    stored = export.export(jax.jit(jax.grad(lambda x: sj.s4(x, 2.0).sum())))(given).serialize()
    again = export.deserialize(stored).call(jnp.asarray(X))
    assert_close(again, exact("s4", "x", (2.0,)))


def test_a_module_of_equinox_learns_k():
    eqx = pytest.importorskip("equinox", reason="equinox is not installed")

    class S4(eqx.Module):
        k: jax.Array

        def __call__(self, x, *, key=None):
            return sj.s4(x, self.k)

    x = jnp.asarray(X)
    slope = eqx.filter_grad(lambda layer: layer(x).sum())(S4(jnp.asarray(2.0))).k
    assert_close(slope, exact("s4", "k", (2.0,)).sum())
    net = eqx.nn.MLP(3, 2, 8, 2, activation=sj.s4, key=jax.random.key(0))
    assert eqx.filter_jit(net)(jnp.ones(3)).shape == (2,)


def test_a_module_of_flax_learns_k():
    nnx = pytest.importorskip("flax.nnx", reason="flax is not installed")

    class S4(nnx.Module):
        def __init__(self, k=5.0):
            self.k = nnx.Param(jnp.asarray(k))

        def __call__(self, x):
            return sj.s4(x, self.k)

    x = jnp.asarray(X)
    slope = nnx.grad(lambda layer: layer(x).sum())(S4(2.0)).k[...]
    assert_close(slope, exact("s4", "k", (2.0,)).sum())


def test_every_activation_is_there_with_its_parameters():
    assert sj.__all__ == list(ELEMENTWISE)
    for name, activation in ELEMENTWISE.items():
        function = getattr(sj, name)
        assert list(function.__annotations__) == ["x", *activation.parameters, "return"]
        assert list(function.__defaults__ or ()) == list(activation.parameters.values())
        assert function.__doc__


def test_jax_is_loaded_by_its_module_alone():
    python("import sys, s3s4; assert 'jax' not in sys.modules")
    old = "import jax; jax.__version_info__ = (0, 4, 30); jax.__version__ = '0.4.30'"
    missing = "import sys; sys.modules['jax'] = None"
    for module in ("s3s4.jax", "s3s4.jax_kernels"):
        for before, reason in (
            (missing, "which is not installed: pip install '.[jax]' (in a clone of s3s4)"),
            (old, "not 0.4.30"),
        ):
            done = python(f"{before}; import {module}", check=False)
            last = done.stderr.strip().splitlines()[-1]
            assert last.removesuffix(reason) == "ImportError: s3s4.jax needs JAX >= 0.7, "


@pytest.mark.parametrize("dtype", [jnp.float8_e4m3fn, jnp.float8_e5m2])
def test_eight_bits_are_computed_in_single(dtype):
    x = jnp.linspace(-2, 2, 9).astype(dtype)
    for name in ("s4", "silu", "gelu", "softplus"):
        function = getattr(sj, name)
        result = function(x)
        assert result.dtype == dtype
        np.testing.assert_array_equal(
            result.astype(jnp.float32),
            function(x.astype(jnp.float32)).astype(dtype).astype(jnp.float32),
        )
