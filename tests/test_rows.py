"""Row functions against their definitions: 50 digits, long double, SciPy, and torch if here."""

import ctypes
import pickle
import shutil
import subprocess
import sys
import sysconfig
from functools import cache

import mpmath
import numpy as np
import pytest
from scipy import special

import s3s4
from row_reference import PRODUCT_EPS, VALUE_EPS, errors, exact, sample
from s3s4 import _cpu
from support import LARGE, assert_same_bits, python

NAMES = list(s3s4._rows.row_activations)
ROWS = [s3s4.get(name) for name in NAMES]
DTYPES = ("float16", "float32", "float64")
# Shapes and axes of every form: short rows, long ones, columns, runs of columns, one row.
SHAPES = [
    ((7, 10), 1), ((300, 10), 0), ((5, 1000), 1), ((1000, 33), 0), ((1000, 1), 0),
    ((2, 300, 20), 1), ((3, 191), 1), ((3, 193), 1), ((4097,), 0), ((1,), 0), ((40, 1), 1),
    ((2, 3, 4, 5), 2),
    ((20, 700), 0), ((2, 100_003), 1), ((100_003, 3), 0),
]  # fmt: skip

each_row = pytest.mark.parametrize("activation", ROWS, ids=NAMES)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


@cache
def case(name, shape, axis, dtype):
    """Return a sample, gradients, and what is exact of them with the axis last."""
    x, grad = sample(shape, dtype), sample(shape, dtype, seed=1)
    return x, grad, exact(name, np.moveaxis(x, axis, -1), np.moveaxis(grad, axis, -1))


@each_dtype
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@each_row
def test_values_and_products(activation, shape, axis, dtype):
    x, grad, ((value, size), (product, product_size)) = case(activation.name, shape, axis, dtype)
    result = activation(x, axis)
    assert result.dtype == dtype
    assert result.shape == x.shape
    assert result.flags.c_contiguous
    assert errors(np.moveaxis(result, axis, -1), value, size).max() <= VALUE_EPS
    result = activation.backward(grad, x, axis)
    assert result.dtype == dtype
    assert errors(np.moveaxis(result, axis, -1), product, product_size).max() <= PRODUCT_EPS


@pytest.mark.parametrize("name", ["softmax", "softmin"])
@pytest.mark.parametrize(("dtype", "lowest"), [("float32", -120), ("float64", -800)])
def test_weights_are_normal_numbers_or_zero(name, dtype, lowest):
    tiny, eps = np.finfo(dtype).tiny, np.finfo(dtype).eps
    exponents = np.linspace(lowest, 0, 4001).astype(dtype)
    powers = np.exp(exponents.astype(np.longdouble))
    weights = s3s4.get(name)(exponents if name == "softmax" else -exponents)
    assert set(weights[weights < tiny]) == {0}
    np.testing.assert_allclose(weights, powers / powers.sum(), rtol=8 * eps, atol=1.001 * tiny)


@each_row
def test_long_double(activation):
    x, grad = sample((3, 40), np.longdouble), sample((3, 40), np.longdouble, seed=1)
    (value, size), (product, product_size) = exact(activation.name, x, grad)
    # The reference is no more precise than this: the differences are rounded, up to 24 eps of e^d.
    assert errors(activation(x), value, size).max() <= 30
    assert errors(activation.backward(grad, x), product, product_size).max() <= 30
    assert activation(x).dtype == np.longdouble


@pytest.mark.parametrize(
    "row",
    [
        [0.5, -0.25, 3.0],
        [700.0, -700.0, 0.0, 1e-300],
        [0.7e308, 0.7e308 * (1 - 2**-52), -1e308, 0.69e308],
        [-1e308, -1.1e308],
        [88.3, -14.1, 37.77, -55.123456789, 12.3],
        [0.0, -50.0],
        [3.0] * 5,
        [1e5 + 0.1, 1e5, 1e5 - 3.7],
    ],
)
def test_against_50_digits(row):
    with mpmath.workdps(400):
        powers = [mpmath.exp(mpmath.mpf(v) - mpmath.mpf(max(row))) for v in row]
        weights = [p / mpmath.fsum(powers) for p in powers]
        logs = [mpmath.mpf(v) - mpmath.mpf(max(row)) - mpmath.log(mpmath.fsum(powers)) for v in row]
        for result, expected in ((s3s4.softmax(row), weights), (s3s4.log_softmax(row), logs)):
            for one, other in zip(result, expected, strict=True):
                assert abs(mpmath.mpf(one) - other) <= VALUE_EPS * 2.0**-52 * abs(other) + 2.3e-308


def test_softmin_is_softmax_of_minus_x():
    x, grad = sample((30, 70)), sample((30, 70), seed=1)
    assert_same_bits(s3s4.softmin(x), s3s4.softmax(-x))
    assert_same_bits(s3s4.softmin.backward(grad, x), -s3s4.softmax.backward(grad, -x))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_scipy(axis):
    x = sample((60, 800))
    np.testing.assert_allclose(s3s4.softmax(x, axis), special.softmax(x, axis=axis), rtol=1e-14)
    np.testing.assert_allclose(
        s3s4.log_softmax(x, axis), special.log_softmax(x, axis=axis), rtol=1e-14, atol=1e-14
    )


@pytest.mark.parametrize("axis", [None, (0,), (2, 0), (0, 1), (-1, -2), (1, 2, 0), ()])
@pytest.mark.parametrize("order", ["C", "F"])
def test_several_axes_as_scipy(axis, order):
    x, grad = np.asarray(sample((4, 5, 6)), order=order), sample((4, 5, 6), seed=1)
    expected = special.softmax(x, axis=axis)
    np.testing.assert_allclose(s3s4.softmax(x, axis), expected, rtol=1e-14)
    np.testing.assert_allclose(s3s4.softmin(-x, axis=axis), expected, rtol=1e-14)
    np.testing.assert_allclose(
        s3s4.log_softmax(x, axis), special.log_softmax(x, axis=axis), rtol=1e-13, atol=1e-14
    )
    mean, size = ((g * expected).sum(axis=axis, keepdims=True) for g in (grad, abs(grad)))
    error = abs(s3s4.softmax.backward(grad, x, axis) - expected * (grad - mean))
    assert (error <= 2 * PRODUCT_EPS * 2.0**-52 * expected * (abs(grad) + size)).all()
    out = x.copy()
    assert s3s4.softmax(out, axis, out=out) is out
    np.testing.assert_allclose(out, expected, rtol=1e-14)
    masked = np.ma.array(x, mask=x > 20)
    assert not np.ma.getmaskarray(s3s4.softmax(masked, axis)).any()


def test_all_axes_of_what_is_no_array():
    assert s3s4.softmax(3.0, axis=None) == 1
    result = s3s4.softmax([[1, 2], [3, 4]], axis=None)
    np.testing.assert_allclose(result, special.softmax([[1, 2], [3, 4]]), rtol=1e-15)
    x = sample((4, 5), "float32")
    assert s3s4.softmax(x, None, dtype="float64").dtype == np.float64
    assert s3s4.softmax.backward(2.0, x, (0, 1)).dtype == np.float32
    for axis, kind, message in (
        ((0, 0), ValueError, "axis must name each axis once"),
        ((0, 2), ValueError, "axis must be from -2 to 1"),
        ((0, "1"), TypeError, "axis must hold integers"),
    ):
        with pytest.raises(kind, match=message):
            s3s4.softmax(x, axis)
    with pytest.raises(ValueError, match="out has shape"):
        s3s4.softmax(x, None, out=np.empty(20, "float32"))


@each_dtype
@pytest.mark.parametrize("count", [10, 1000, LARGE])
def test_the_sum_does_not_lose_with_length(count, dtype):
    if dtype == "float16":
        count = min(count, 1000)  # the weights of longer rows are subnormal
    x = sample((2, count), dtype, spread=4)
    sums = s3s4.softmax(x).astype(np.longdouble).sum(axis=-1)
    assert abs(sums - 1).max() <= 3 * np.finfo(dtype).eps


@pytest.mark.slow
def test_ten_million_elements():
    x = sample(10**7, "float32", spread=4)
    value, size = exact("softmax", x, x)[0]
    assert errors(s3s4.softmax(x), value, size).max() <= VALUE_EPS


@each_row
@each_dtype
@pytest.mark.parametrize("shift", [-5000.0, -700.0, -90.0, 90.0, 180.0, 300.0, 1400.0, 5000.0])
def test_a_shift_changes_nothing_but_roundings(activation, dtype, shift):
    # x + shift is exact. Shifts lie around where differences begin to be exact, in each type.
    bits = {"float16": 2.0**3, "float32": 2.0**-8, "float64": 2.0**-20}[dtype]
    x = (np.round(sample((6, 300), "float64") / bits) * bits).astype(dtype)
    grad = sample(x.shape, dtype, seed=1)
    (value, size), (product, product_size) = exact(activation.name, x, grad)
    shifted = (x + np.dtype(dtype).type(np.round(shift / bits) * bits)).astype(dtype)
    assert_same_bits(shifted.astype(float), x.astype(float) + np.round(shift / bits) * bits)
    assert errors(activation(shifted), value, size).max() <= VALUE_EPS
    assert errors(activation.backward(grad, shifted), product, product_size).max() <= PRODUCT_EPS


@each_dtype
@pytest.mark.parametrize("shape", [(3, 5), (3, 400), (400, 3)])
@pytest.mark.parametrize("axis", [0, 1])
def test_limits(shape, axis, dtype):
    n = shape[axis]
    x = np.moveaxis(sample(shape, dtype, spread=3), axis, -1).copy()
    x[0, 1] = -np.inf
    x[1, 0], x[2, n - 1] = np.nan, np.inf
    x = np.moveaxis(x, -1, axis)
    value = np.moveaxis(s3s4.softmax(x, axis), axis, -1)
    log = np.moveaxis(s3s4.log_softmax(x, axis), axis, -1)
    assert value[0, 1] == 0
    assert log[0, 1] == -np.inf
    assert np.isfinite(np.delete(log[0], 1)).all()
    assert value[0].astype(float).sum() == pytest.approx(1, abs=1e-2)
    assert np.isnan(value[1:3]).all()
    assert np.isnan(log[1:3]).all()
    assert np.isnan(s3s4.softmax(np.full(shape, -np.inf, dtype), axis)).all()
    assert np.isnan(s3s4.log_softmax(np.full(shape, -np.inf, dtype), axis)).all()
    assert np.isnan(s3s4.softmin(np.full(shape, np.inf, dtype), axis)).all()


@each_dtype
def test_no_overflow(dtype):
    most = np.finfo(dtype).max
    x = np.array([[most, -most, 0], [-most, -most, -most], [most, most, most]], dtype)
    expected = [[1, 0, 0], [1 / 3] * 3, [1 / 3] * 3]
    np.testing.assert_allclose(s3s4.softmax(x), expected, rtol=1e-3)


def test_log_softmax_keeps_what_little_the_others_are():
    result = s3s4.log_softmax(np.array([0.0, -50.0]))
    assert result[0] == pytest.approx(-np.exp(-50.0), rel=1e-15)


@each_row
def test_no_warning_and_no_flag(activation):
    x = np.array([[np.nan, 1, 2], [np.inf, -np.inf, 0], [1e300, -1e300, 1e-310]])
    with np.errstate(all="raise"):
        activation(x)
        activation(x, 0)
        activation.backward(x, x)
        s3s4.ufuncs.softmax(np.tile(x, (1, 100)))


@each_row
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 3)])
def test_empty(activation, shape):
    x = np.zeros(shape)
    for axis in range(x.ndim):
        assert activation(x, axis).shape == shape
        assert activation.backward(x, x, axis).shape == shape
    assert getattr(s3s4.ufuncs, activation.name)(x).shape == shape


@pytest.mark.parametrize(
    "shape", [(3, 200_003), (200_003, 3), (500, 1003), (50_000, 10), (50, 90, 70)]
)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_threads_give_equal_bits(name, shape, axis):
    x, grad = sample(shape, "float32"), sample(shape, "float32", seed=1)
    activation = s3s4.get(name)
    results = []
    for count in (1, 2, 3, 7):
        with s3s4.threads(count):
            results.append((activation(x, axis), activation.backward(grad, x, axis)))
    for result in results[1:]:
        assert_same_bits(result, results[0])


@each_dtype
@each_row
def test_layouts(activation, dtype):
    x, grad = sample((40, 6, 90), dtype), sample((40, 6, 90), dtype, seed=1)
    wide = np.empty((40, 6, 180), dtype)
    wide[..., ::2] = x
    layouts = {
        "fortran": np.asfortranarray(x),
        "transposed": x.transpose(2, 0, 1).copy().transpose(1, 2, 0),
        "every second": wide[..., ::2],
        "backwards": x[::-1, :, ::-1].copy()[::-1, :, ::-1],
        "read-only": np.frombuffer(x.tobytes(), dtype).reshape(x.shape),
        "foreign": x.astype(x.dtype.newbyteorder()),
        "unaligned": np.frombuffer(b"?" + x.tobytes(), dtype, offset=1).reshape(x.shape),
    }
    for axis in range(3):
        value, product = activation(x, axis), activation.backward(grad, x, axis)
        for layout in layouts.values():
            assert np.array_equal(layout, x)
            for one, other in (
                (activation(layout, axis), value),
                (activation.backward(grad, layout, axis), product),
            ):
                assert_same_bits(one.astype(dtype), other)


@each_row
@pytest.mark.parametrize("shape", [(50, 10), (50, 400), (400, 50)])
@pytest.mark.parametrize("axis", [0, 1])
def test_out(activation, shape, axis):
    x = sample(shape)
    expected = activation(x, axis)
    out = np.empty_like(x)
    assert activation(x, axis, out=out) is out
    assert_same_bits(out, expected)
    inside = np.zeros((shape[0], 2 * shape[1]))
    assert_same_bits(activation(x, axis, out=inside[:, ::2]), expected)
    assert not inside[:, 1::2].any()
    in_place = x.copy()
    activation(in_place, axis, out=in_place)
    assert_same_bits(in_place, expected)
    shifted = np.concatenate([x.ravel(), np.zeros(1)])
    activation(shifted[:-1].reshape(shape), axis, out=shifted[1:].reshape(shape))
    assert_same_bits(shifted[1:].reshape(shape), expected)
    grad = sample(shape, seed=1)
    product = activation.backward(grad, x, axis)
    for overlapping in (grad.copy(), x.copy()):
        arguments = (overlapping, x) if overlapping[0, 0] == grad[0, 0] else (grad, overlapping)
        activation.backward(*arguments, axis, out=overlapping)
        assert_same_bits(overlapping, product)


@each_row
def test_generalised_ufunc(activation):
    ufunc = getattr(s3s4.ufuncs, activation.name)
    product = getattr(s3s4.ufuncs, f"{activation.name}_vjp")
    assert (ufunc.signature, product.signature) == ("(n)->(n)", "(n),(n)->(n)")
    assert [types[0] for types in ufunc.types] == ["e", "f", "d", "g"]
    x = sample((4, 5, 6))
    for axis in range(-3, 3):
        assert_same_bits(ufunc(x, axis=axis), activation(x, axis))
        assert_same_bits(ufunc(x, axes=[axis, -1]), np.moveaxis(ufunc(x, axis=axis), axis, -1))
    # Loop dimensions broadcast.
    grad = sample((7, 1, 1, 6), seed=1)
    assert_same_bits(product(grad, x), activation.backward(*np.broadcast_arrays(grad, x)))


@each_row
def test_jacobian(activation):
    x = sample((3, 4, 5), spread=2)
    for axis in range(3):
        jacobian = activation.jacobian(x, axis)
        rows = np.moveaxis(x, axis, -1)
        assert jacobian.shape == (*rows.shape, rows.shape[-1])
        grad = sample(x.shape, seed=1)
        product = np.einsum("...i,...ij->...j", np.moveaxis(grad, axis, -1), jacobian)
        np.testing.assert_allclose(
            np.moveaxis(activation.backward(grad, x, axis), axis, -1), product, atol=1e-14
        )


@each_row
def test_jacobian_against_differences(activation):
    row = [0.3, -1.2, 2.0, 0.5]

    def value(i, values):
        y = [-v for v in values] if activation.name == "softmin" else values
        weight = mpmath.exp(y[i]) / mpmath.fsum(map(mpmath.exp, y))
        return mpmath.log(weight) if activation.name == "log_softmax" else weight

    with mpmath.workdps(50):
        for i in range(4):
            for j in range(4):
                slope = mpmath.diff(
                    lambda t, i=i, j=j: value(i, [*row[:j], t, *row[j + 1 :]]), row[j]
                )
                assert activation.jacobian(row)[i, j] == pytest.approx(
                    float(slope), abs=2e-16, rel=1e-15
                )


def test_grad_output_broadcasts():
    x = sample((4, 6))
    for grad in (2.0, sample(6, seed=1), sample((4, 1), seed=2)):
        assert_same_bits(
            s3s4.softmax.backward(grad, x),
            s3s4.softmax.backward(np.broadcast_to(grad, x.shape).copy(), x),
        )


def test_types():
    x = np.arange(-3, 4)
    assert s3s4.softmax(x).dtype == np.float64
    assert s3s4.softmax(x.astype(np.int8)).dtype == np.float16
    assert s3s4.softmax(x, dtype=np.float32).dtype == np.float32
    assert s3s4.softmax([1, 2, 3]).dtype == np.float64
    assert s3s4.softmax.backward(x.astype("f"), x.astype("f")).dtype == np.float32
    assert s3s4.softmax.backward(x.astype("d"), x.astype("f")).dtype == np.float64
    assert s3s4.softmax.backward(1.0, x.astype("f")).dtype == np.float32


class OnDevice:
    @property
    def __cuda_array_interface__(self):
        return {"shape": (3,), "typestr": "<f4", "data": (0, False), "version": 3}


@each_row
def test_errors(activation):
    x = np.zeros((2, 3))
    cases = [
        (lambda: activation(1.0), ValueError, f"x must have.*{activation.name}"),
        (lambda: activation(x, 2), ValueError, "axis must be from -2 to 1"),
        (lambda: activation(x, "0"), TypeError, "axis must be an integer"),
        (lambda: activation(x * 1j), TypeError, "x must hold real numbers"),
        (lambda: activation(x, out=np.zeros((3, 2))), ValueError, "out has shape"),
        (lambda: activation(x, out=[1]), TypeError, "out must be an array"),
        (
            lambda: activation(x, out=np.frombuffer(bytes(48)).reshape(2, 3)),
            ValueError,
            "read-only",
        ),
        (lambda: activation(x, k=2), TypeError, "takes x, axis, not k"),
        (lambda: activation(x, device="moon"), ValueError, "device must be"),
        (lambda: activation.backward(OnDevice(), x), TypeError, "grad_output is on the GPU"),
        (lambda: activation.backward(np.zeros(4), x), ValueError, "grad_output of shape"),
        (lambda: activation.backward(x, x, 5), ValueError, "axis must be"),
        (lambda: activation.backward("a", x), TypeError, "grad_output must hold"),
        (lambda: activation.jacobian(0.0), ValueError, "x must have"),
    ]
    for call, kind, message in cases:
        with pytest.raises(kind, match=message):
            call()


@each_row
def test_public_objects(activation):
    assert s3s4.activations[activation.name] is s3s4.get(activation.name) is activation
    assert getattr(s3s4, activation.name) is activation
    assert activation.name in s3s4.__all__
    assert pickle.loads(pickle.dumps(activation)) is activation
    ufunc = getattr(s3s4.ufuncs, activation.name)
    assert pickle.loads(pickle.dumps(ufunc)) is ufunc
    assert activation.name in repr(activation)
    for section in ("Parameters", "Returns", "Raises"):
        assert f"{section}\n---" in activation.__doc__


@pytest.mark.parametrize(("kind", "ctype"), [("f32", ctypes.c_float), ("f64", ctypes.c_double)])
@each_row
def test_c_functions(activation, kind, ctype):
    pointer, size = ctypes.POINTER(ctype), ctypes.c_ssize_t
    x, grad = sample((6, 2 * 30), ctype)[:, ::2], sample((6, 30), ctype, seed=1)
    for suffix, inputs in (("", (x,)), ("_vjp", (grad, x))):
        out = np.empty((30, 6), ctype).T
        function = s3s4.c_functions[f"{activation.name}{suffix}_rows_{kind}"]
        operands = (*inputs, out)
        call = ctypes.CFUNCTYPE(None, size, size, *[pointer, size, size] * len(operands))
        parts = [(a.ctypes.data_as(pointer), *a.strides) for a in operands]
        call(function.address)(6, 30, *[part for operand in parts for part in operand])
        assert_same_bits(out, getattr(s3s4.ufuncs, activation.name + suffix)(*inputs))
        call(function.address)(0, 30, *[part for operand in parts for part in operand])


# Every row function and its product, each on a line.
PROGRAM = """
#include <stdio.h>
#include "s3s4.h"
enum { N = 1003 };
static double x[N], g[N], out[N];
static void show(void) {
    for (int i = 0; i < N; i++) printf("%.17g ", out[i]);
    puts("");
}
int main(void) {
    for (int i = 0; i < N; i++) x[i] = i % 31 - 0.125 * (i % 17), g[i] = i % 5;
"""
PROGRAM += "".join(
    f"    s3s4_{name}_row_f64(N, x, out), show(), s3s4_{name}_vjp_row_f64(N, g, x, out), show();\n"
    for name in NAMES
)
PROGRAM += "}\n"


@pytest.mark.parametrize("compiler", ["cc", "c++", pytest.param("clang", marks=pytest.mark.slow)])
def test_c_program(compiler, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not on this machine")
    language = ["-xc++", "-std=c++17"] if compiler == "c++" else ["-xc", "-std=c99"]
    flags = [*language, "-O1", "-Wall", "-Wextra", "-Werror", f"-I{s3s4.get_include()}"]
    source, program = tmp_path / "row.c", tmp_path / "row"
    source.write_text(PROGRAM)
    subprocess.run([compiler, *flags, source, "-o", program, "-xnone", "-lm"], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    x = np.array([i % 31 - 0.125 * (i % 17) for i in range(1003)])
    grad = np.array([i % 5.0 for i in range(1003)])
    results = np.array(printed.split(), float).reshape(len(NAMES), 2, 1003)
    for activation, (value, product) in zip(ROWS, results, strict=True):
        np.testing.assert_allclose(value, activation(x), rtol=2 * VALUE_EPS * 2.0**-52)
        # No term is larger than 4.
        size = 4 * 2 * PRODUCT_EPS * 2.0**-52
        np.testing.assert_allclose(product, activation.backward(grad, x), rtol=0, atol=size)


CYTHON = """
from s3s4 cimport softmax_rows, softmax_vjp_rows
def both(const double[:, :] g, const double[:, :] x, double[:, :] value, double[:, :] product):
    softmax_rows(x, value)
    softmax_vjp_rows(g, x, product)
"""


@pytest.mark.slow
def test_cython(tmp_path):
    (tmp_path / "both.pyx").write_text(CYTHON)
    include = ["-I" + sysconfig.get_path("include"), f"-I{s3s4.get_include()}"]
    for command in (
        [sys.executable, "-m", "cython", "-3", "both.pyx"],
        ["cc", "-shared", "-fPIC", "-O1", *include, "both.c", "-o", "both.so", "-lm"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    python(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import both, numpy as np, s3s4\n"
        "x, g = np.random.default_rng(0).normal(size=(2, 9, 40)); out = np.zeros((2, 9, 40))\n"
        "both.both(g, x[:, ::-1], *out)\n"
        "np.testing.assert_allclose(out[0][:, ::-1], s3s4.softmax(x), rtol=1e-14)\n"
        "product = s3s4.softmax.backward(g, x[:, ::-1])\n"
        "np.testing.assert_allclose(out[1], product, rtol=1e-13, atol=1e-17)"
    )


def test_after_a_fork_and_in_threads():
    python(
        "import os, threading, numpy as np, s3s4\n"
        "x = np.random.default_rng(0).normal(size=(2000, 1000)); here = s3s4.softmax(x)\n"
        "pid = os.fork()\n"
        "if pid == 0: os._exit(not np.array_equal(s3s4.softmax(x), here))\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "results = []\n"
        "work = lambda: results.append(np.array_equal(s3s4.softmax(x, 0), columns))\n"
        "columns = s3s4.softmax(x, 0)\n"
        "workers = [threading.Thread(target=work) for _ in range(4)]\n"
        "[w.start() for w in workers]; [w.join() for w in workers]; assert all(results)",
        OMP_NUM_THREADS="2",
    )


@pytest.mark.parametrize("variant", _cpu.VARIANTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_variants(variant, dtype):
    ufuncs = _cpu.load(variant).ufuncs
    for shape, axis in SHAPES:
        for name in NAMES:
            x, grad, ((value, size), (product, product_size)) = case(name, shape, axis, dtype)
            result = np.moveaxis(ufuncs[name](x, axis=axis), axis, -1)
            assert errors(result, value, size).max() <= VALUE_EPS
            result = np.moveaxis(ufuncs[f"{name}_vjp"](grad, x, axis=axis), axis, -1)
            assert errors(result, product, product_size).max() <= PRODUCT_EPS


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@each_row
def test_torch(activation, shape, axis, dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x, grad = sample(shape, dtype), sample(shape, dtype, seed=1)
    x.flat[::7] = np.round(x.flat[::7])
    tensor = torch.from_numpy(x).requires_grad_()
    function = getattr(torch.nn.functional, activation.name)
    value = function(tensor, dim=axis)
    value.backward(torch.from_numpy(grad))
    # torch rounds x - max, and sums naively.
    tolerance = {"rtol": 100 * np.finfo(dtype).eps, "atol": 1e3 * np.finfo(dtype).eps}
    np.testing.assert_allclose(activation(x, axis), value.detach().numpy(), **tolerance)
    np.testing.assert_allclose(activation.backward(grad, x, axis), tensor.grad.numpy(), **tolerance)


@pytest.mark.torch
@each_dtype
def test_torch_agrees_on_limits(dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    rows = [[np.inf, 0, 1], [-np.inf] * 3, [np.nan, 0, 1], [-np.inf, 0, 1], [np.inf, np.inf, 0]]
    x = np.array(rows, dtype)
    for name in NAMES:
        expected = getattr(torch.nn.functional, name)(torch.from_numpy(x), dim=-1).numpy()
        np.testing.assert_allclose(s3s4.get(name)(x), expected, rtol=1e-2)
