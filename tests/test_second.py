"""Second derivatives: against the definitions, at kinks, far out, and in every form of a call."""

import itertools

import numpy as np
import pytest

import s3s4
import second
from s3s4 import _cpu
from s3s4._table import TABLE
from support import SECOND_DERIVATIVES, assert_same_bits, inputs

EPS = 16
PARAMETERS = {
    "k": (5.0, 1.0, 0.375, -2.0),
    "eps": (0.5, 2.0),
    "beta": (1.0, 3.0, -0.75),
    "alpha": (1.0, 0.375),
    "a": (0.25, 2.0),
    "b": (1.0, 3.0),
}
PAIRS = {
    f"{name}_d{a}{b}": (name, (a, b))
    for name, entry in TABLE.items()
    for a, b in entry.second_derivatives
}
every_second = pytest.mark.parametrize("ufunc", SECOND_DERIVATIVES.values(), ids=SECOND_DERIVATIVES)


def exponent(name: str, x: float, parameters: tuple[float, ...]) -> float:
    """Of e^-t with a rounded t, which may be off by t eps: that t, and else 0."""
    if name == "gelu_tanh":
        return abs(1.5957691 * x + 0.0713548 * x**3)
    if name == "quick_gelu":
        return abs(1.702 * x)
    return abs(x / parameters[0]) if name == "celu" else 0.0


def points(name: str) -> list[tuple[float, ...]]:
    """Values of x near 0, around it and as far as e^-x goes in float32; the parameters."""
    rng = np.random.default_rng(7)
    near = [0.0, 1e-3, -1e-6, 0.5, -1.0, 3.0, *rng.uniform(-3, 3, 8), *rng.uniform(-40, 40, 5)]
    chosen = [PARAMETERS.get(p, (v,)) for p, v in TABLE[name].parameters.items()]
    every = itertools.product(near, *chosen)
    return [tuple(float(np.float32(value)) for value in point) for point in every]


@pytest.mark.parametrize("name", PAIRS)
def test_error_is_within_16_eps_of_the_sum_of_terms(name):
    activation, by = PAIRS[name]
    chosen = points(activation)
    exact = [second.second_derivative(activation, by, *point) for point in chosen]
    for variant, dtype in itertools.product(_cpu.VARIANTS, ("float32", "float64", "longdouble")):
        columns = np.array(chosen).T.astype(dtype)
        found = _cpu.load(variant).ufuncs[name](*columns)
        eps, tiny = (second.mp.mpf(str(v)) for v in (np.finfo(dtype).eps, np.finfo(dtype).tiny))
        for point, value, wanted in zip(chosen, found, exact, strict=True):
            error = abs(second.mp.mpf(str(value)) - wanted.total)
            rounded = exponent(activation, point[0], point[1:])
            allowed = EPS * wanted.size + 2 * rounded * abs(wanted.total)
            assert error <= eps * allowed + tiny, (variant, dtype, point, value, wanted.total)


@pytest.mark.parametrize("name", [name for name in PAIRS if not name.startswith("snake")])
def test_at_infinity_it_is_its_limit(name):
    """Where there is one: snake turns for ever."""
    activation, by = PAIRS[name]
    far = np.array([np.inf, -np.inf])
    for parameters in itertools.product(
        *(PARAMETERS.get(p, (v,)) for p, v in TABLE[activation].parameters.items())
    ):
        found = SECOND_DERIVATIVES[name](far, *parameters)
        for x, value in zip((1e100, -1e100), found, strict=True):
            limit = second.second_derivative(activation, by, x, *parameters).total
            if abs(limit) < 1e-90:
                assert value == 0, (x, parameters)
            elif abs(limit) > 1e90:
                assert abs(value) > 1e90, (x, parameters)
            else:
                assert value == pytest.approx(float(limit), rel=1e-12), (x, parameters)


@every_second
def test_nan_in_any_input_gives_nan(ufunc):
    for place, dtype in itertools.product(range(ufunc.nin), "efdg"):
        for n in (1, 40):
            columns = [np.full(n, 0.75, dtype) for _ in range(ufunc.nin)]
            columns[place][:] = np.nan
            assert np.isnan(ufunc(*columns)).all()
            scalars = [columns[0], *(column[0] for column in columns[1:])]
            assert np.isnan(ufunc(*scalars)).all()


@pytest.mark.parametrize(
    "ufunc",
    [u for u in SECOND_DERIVATIVES.values() if u.nin == 2],
    ids=lambda u: u.__name__,
)
@pytest.mark.parametrize("n", [5, 3000])
def test_scalar_and_array_parameters_give_equal_bits(ufunc, n):
    for dtype in ("float32", "float64"):
        x = np.concatenate([inputs(1, n, dtype)[0], np.array([0, np.inf, -np.inf, -60], dtype)])
        for k in map(np.dtype(dtype).type, (0, 0.5, 5, 6e4, np.inf, -1, -np.inf, np.nan)):
            assert_same_bits(ufunc(x, k), ufunc(x, np.full(len(x), k)))


def test_at_a_kink_it_is_that_of_the_side_to_which_the_activation_belongs():
    assert s3s4.s4.second_derivative([0.0, -0.0]).tolist() == [0.875, 0.875]
    # The sigmoid, which s3 is at 0, turns there.
    assert s3s4.s3.second_derivative([0.0, -0.0]).tolist() == [0, 0]
    assert s3s4.softsign.second_derivative([0.0, -0.0]).tolist() == [-2, -2]
    # e^x left of 0 and at it.
    assert s3s4.elu.second_derivative([0.0, -0.0, 0.5]).tolist() == [1, 1, 0]
    assert s3s4.softplus.second_derivative([0.0, 30.0]).tolist() == [0.25, 0]


def test_by_is_a_name_or_two_in_any_order():
    x = np.linspace(-4, 4, 99)
    mixed = s3s4.s4.second_derivative(x, 2.0, wrt=("x", "k"))
    assert_same_bits(mixed, s3s4.s4.second_derivative(x, k=2.0, wrt=("k", "x")))
    assert_same_bits(mixed, s3s4.ufuncs.s4_dxk(x, 2.0))
    twice = s3s4.s4.second_derivative(x, wrt="k")
    assert_same_bits(twice, s3s4.s4.second_derivative(x, wrt=("k", "k")))
    for wrong in ("q", ("x", "q"), ("x",), ("x", "x", "k"), ()):
        with pytest.raises(ValueError, match=r"wrt must be one of x, k, or a pair of them"):
            s3s4.s4.second_derivative(x, wrt=wrong)


def test_options_are_those_of_a_derivative():
    x = np.linspace(-4, 4, 20_000)
    out = np.empty_like(x)
    assert s3s4.s4.second_derivative(x, out=out) is out
    strided = np.empty((20_000, 2))
    s3s4.s4.second_derivative(x, out=strided[:, 1])
    assert_same_bits(strided[:, 1].copy(), out)
    assert s3s4.s4.second_derivative(x.astype(np.float32)).dtype == np.float32
    assert s3s4.s4.second_derivative(np.ma.array([0.0, 1.0], mask=[1, 0])).mask.tolist() == [1, 0]
