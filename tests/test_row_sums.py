"""Sums of rows: one order for each length, and the bounds of docs/rows.md where a sum is hard."""

# Design:
# - What is hard to add up: many equal small weights beside a large one, which plain sums round
#   away one by one; and weights from large to small, or to and fro.
# - The reference is long double, which is exact enough: a thousandth of float64's eps.

import mpmath
import numpy as np
import pytest

import s3s4
from row_reference import PRODUCT_EPS, VALUE_EPS, errors, exact, sample
from support import assert_same_bits

NAMES = list(s3s4._rows.row_activations)
DTYPES = ("float32", "float64")
each_row = pytest.mark.parametrize("name", NAMES)
# Around every change of the number of lanes and pieces, and of how rows are reached.
LENGTHS = [1, 2, 7, 16, 23, 24, 33, 48, 95, 96, 150, 191, 192, 257, 1000, 4099]
ROWS = 21


def forms(x):
    """Return rows laid out in every way: the array, its axis, and how to get the rows back."""
    n = x.shape[1]
    wide = np.full((ROWS, 2 * n), 7, x.dtype)
    wide[:, ::2] = x
    blocks = x.reshape(3, 7, n).transpose(0, 2, 1).copy()
    narrow = x.reshape(7, 3, n).transpose(0, 2, 1).copy()
    return {
        "reversed": (x[::-1].copy(), 1, lambda y: y[::-1]),
        "columns": (x.T.copy(), 0, lambda y: y.T),
        "many columns": (np.tile(x.T, (1, 15)), 0, lambda y: y.T[-ROWS:]),
        "some columns": (np.tile(x.T, (1, 4))[:, 30 : 30 + ROWS], 0, lambda y: np.roll(y.T, 9, 0)),
        "middle axis": (blocks, 1, lambda y: y.transpose(0, 2, 1).reshape(x.shape)),
        "narrow middle axis": (narrow, 1, lambda y: y.transpose(0, 2, 1).reshape(x.shape)),
        "strided": (wide[:, ::2], 1, lambda y: y),
        "backwards": (x[:, ::-1].copy()[:, ::-1], 1, lambda y: y),
        "Fortran": (np.asfortranarray(x), 1, lambda y: y),
        "other byte order": (x.astype(x.dtype.newbyteorder()), 1, lambda y: y.astype(x.dtype)),
        "unaligned": (np.frombuffer(b"?" + x.tobytes(), x.dtype, offset=1).reshape(x.shape), 1,
                      lambda y: y),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", [*DTYPES, "float16", "longdouble"])
@each_row
def test_bits_depend_on_nothing_but_the_row(name, dtype):
    activation = s3s4.get(name)
    for n in LENGTHS if dtype in DTYPES else LENGTHS[:-1]:
        x, grad = sample((ROWS, n), dtype), sample((ROWS, n), dtype, seed=1)
        values = np.stack([activation(row) for row in x])
        products = np.stack([activation.backward(*rows) for rows in zip(grad, x, strict=True)])
        for (laid, axis, back), (laid_grad, _, _) in zip(
            forms(x).values(), forms(grad).values(), strict=True
        ):
            assert_same_bits(back(activation(laid, axis)), values)
            assert_same_bits(back(activation.backward(laid_grad, laid, axis)), products)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [500, 70_000])
@each_row
def test_threads_and_neighbours_change_no_bit(name, n, dtype):
    activation = s3s4.get(name)
    x, grad = sample((5, n), dtype), sample((5, n), dtype, seed=1)
    with s3s4.threads(1):
        values = np.stack([activation(row) for row in x])
        products = np.stack([activation.backward(*rows) for rows in zip(grad, x, strict=True)])
    times = 1 + 300_000 // x.size
    for threads in (1, 2, 5):
        with s3s4.threads(threads):
            many, grads = np.tile(x, (times, 1)), np.tile(grad, (times, 1))
            for axis, rows, by in ((1, many, grads), (0, many.T.copy(), grads.T.copy())):
                value = np.moveaxis(activation(rows, axis), axis, 1)
                product = np.moveaxis(activation.backward(by, rows, axis), axis, 1)
                assert_same_bits(value, np.tile(values, (times, 1)))
                assert_same_bits(product, np.tile(products, (times, 1)))


def hard_rows(n, dtype, rng, count=40):
    """Return rows whose weights are hard to add up."""
    low = np.log(np.finfo(dtype).eps)
    size = (count, 1)
    kinds = [
        np.broadcast_to(low + rng.uniform(-3, 1, size), (count, n)),
        low + rng.uniform(-1, 1, size) + rng.uniform(-0.3, 0.3, (count, n)),
        np.linspace(0, 1, n) * rng.uniform(1.1, 2, size) * low,
        np.linspace(1, 0, n) * rng.uniform(1.1, 2, size) * low,
        rng.uniform(low, 0, (count, n)),
        np.broadcast_to(rng.uniform(-1, 1, size), (count, n)),
    ]
    rows = np.concatenate(kinds)
    large = np.arange(len(rows)) % n
    rows[np.arange(len(rows)), large] = 0
    return (rows + np.where(rng.random((len(rows), 1)) < 0.5, 0, rng.uniform(-9, 9))).astype(dtype)


def hard_gradients(shape, dtype, rng):
    """Return gradients that are of one sign, of alternating signs, or of both by chance."""
    grads = rng.uniform(0.5, 1, shape)
    grads[::3] *= np.where(np.arange(shape[1]) % 2, 1, -1)
    grads[1::3] *= np.sign(rng.normal(size=grads[1::3].shape))
    return grads.astype(dtype)


def worst(name, n, dtype, rng):
    """Return the largest errors of value and product over hard rows along either axis."""
    activation = s3s4.get(name)
    x = hard_rows(n, dtype, rng)
    if name == "softmin":
        x = -x
    grad = hard_gradients(x.shape, dtype, rng)
    (value, size), (product, product_size) = exact(name, x, grad)
    by_value = errors(activation(x), value, size)
    by_product = errors(activation.backward(grad, x), product, product_size)
    return by_value.max(), by_product.max()


@pytest.mark.parametrize("dtype", DTYPES)
@each_row
def test_bounds_of_sums_that_are_hard(name, dtype):
    rng = np.random.default_rng(11)
    for n in (2, 5, 15, 31, 40, 64, 90, 128, 180, 250, 300, 900):
        of_value, of_product = worst(name, n, dtype, rng)
        assert of_value <= VALUE_EPS
        assert of_product <= PRODUCT_EPS


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_of_weights_that_underflow(dtype):
    """Nothing but the smallest normal weight is missing, also where it meets a huge gradient."""
    limits = np.finfo(dtype)
    rng = np.random.default_rng(13)
    for spread in (10, 90, 800, 1e5, float(limits.max) / 4):
        x = (rng.uniform(-1, 1, (20, 5)) * spread).astype(dtype)
        grad = (rng.uniform(-1, 1, x.shape) * float(limits.max) / 8).astype(dtype)
        for row, by, product in zip(x, grad, s3s4.softmax.backward(grad, x), strict=True):
            with mpmath.workdps(60):
                row, by = ([mpmath.mpf(float(v)) for v in values] for values in (row, by))
                powers = [mpmath.exp(v - max(row)) for v in row]
                weights = [power / mpmath.fsum(powers) for power in powers]
                mean = mpmath.fdot(by, weights)
                size = mpmath.fdot(map(abs, by), weights)
                lost = float(limits.tiny) * mpmath.fsum(map(abs, by))
                for weight, g, result in zip(weights, by, product, strict=True):
                    bound = PRODUCT_EPS * float(limits.eps) * weight * (abs(g) + size) + lost
                    assert abs(float(result) - weight * (g - mean)) <= bound


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@each_row
def test_search_for_the_worst_sum(name, dtype):
    rng = np.random.default_rng(12)
    found = np.max([worst(name, n, dtype, rng) for n in [*range(1, 301), 4_097, 50_000]], axis=0)
    print(f"{name} {dtype}: value {found[0]:.2f} eps, product {found[1]:.2f} eps")
    assert found[0] <= VALUE_EPS
    assert found[1] <= PRODUCT_EPS
