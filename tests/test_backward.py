"""The gradients: derivatives, their sums to every shape of a parameter, equal for all threads."""

import math

import numpy as np
import pytest

import accuracy
import oracle
import s3s4
from support import (
    ACTIVATION_KINDS,
    ACTIVATIONS,
    LARGE,
    UFUNCS,
    assert_same_bits,
    inputs,
    outputs,
    summed,
)

mp = oracle.mp
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)
of_each_kind = pytest.mark.parametrize("activation", ACTIVATION_KINDS, ids=lambda a: a.name)
of_each_kind_with_parameters = pytest.mark.parametrize(
    "activation", [a for a in ACTIVATION_KINDS if a.parameters], ids=lambda a: a.name
)
with_parameters = pytest.mark.parametrize(
    "activation", [a for a in ACTIVATIONS if a.parameters], ids=lambda a: a.name
)
every_dtype = pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])

SHAPE = (6, 5, 4)
PARTS = {
    "python float": lambda p: float(p[0, 0, 0]),
    "scalar": lambda p: p[0, 0, 0],
    "0-d": lambda p: np.array(p[0, 0, 0]),
    "one": lambda p: p[0, 0, :1].copy(),
    "last axis": lambda p: p[0, 0].copy(),
    "middle axis": lambda p: p[:1, :, :1].copy(),
    "middle axis, short": lambda p: p[0, :, :1].copy(),
    "first axis": lambda p: p[:, :1, :1].copy(),
    "two axes": lambda p: p[:, :1].copy(),
    "full": lambda p: p.copy(),
    "transposed": lambda p: p.transpose(2, 1, 0).copy().T,
}


def eps(dtype):
    """Return eps of the type a dtype is computed in."""
    return np.finfo(np.promote_types(dtype, np.float32)).eps


@of_each_kind
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@every_dtype
def test_gradients_have_the_shapes_and_sums_of_the_operands(activation, part, dtype):
    grad_output, x, *parameters = inputs(2 + len(activation.parameters), SHAPE, dtype)
    parameters = [part(parameter) for parameter in parameters]
    grads = outputs(activation.backward(grad_output, x, *parameters))
    operands, work = [x, *parameters], np.promote_types(dtype, np.float32)
    assert len(grads) == len(operands)
    for wrt, operand, grad in zip(oracle.inputs(activation.name), operands, grads, strict=True):
        exact = oracle.exact(activation.name, wrt, *operands)
        error = np.abs(grad_output) * accuracy.tolerance(exact, work)
        total = summed(grad_output * exact.high, np.shape(operand))
        bound = 2 * summed(error, np.shape(operand)) + accuracy.spacing(total, np.dtype(dtype))
        assert np.shape(grad) == np.shape(operand)
        assert grad.dtype == dtype
        assert (np.abs(grad - total) <= bound).all()


@with_parameters
def test_scalar_parameters_have_scalar_gradients(activation):
    grad_output, x = inputs(2, SHAPE, "float32")
    for parameters in ({}, activation.parameters):
        _, *grads = activation.backward(grad_output, x, **parameters)
        assert [type(grad) for grad in grads] == [np.float32] * len(activation.parameters)


@every_activation
def test_gradient_by_x_alone_is_an_array_or_a_scalar(activation):
    for scalar in (0.5, np.float64(0.5), np.array(0.5)):
        grads = outputs(activation.backward(2.0, scalar))
        assert grads[0] == 2 * activation.derivative(0.5)
        assert all(np.shape(grad) == () for grad in grads)


@every_activation
@every_dtype
def test_gradient_by_x_is_the_derivative_times_the_incoming_one(activation, dtype):
    grad_output, x = inputs(2, (40, 50), dtype)
    grad_x = outputs(activation.backward(grad_output, x))[0]
    wide = np.promote_types(dtype, np.float32)
    slope = activation.derivative(x.astype(wide))
    np.testing.assert_allclose(
        grad_x, (grad_output * slope).astype(dtype), rtol=4 * np.finfo(dtype).eps, atol=1e-7
    )


@of_each_kind
def test_incoming_gradient_broadcasts(activation):
    x = inputs(1, (7, 9))[0]
    for grad_output in (2.0, np.full(9, 2.0), np.full((7, 1), 2.0)):
        whole = np.broadcast_to(grad_output, x.shape).copy()
        assert_same_bits(activation.backward(grad_output, x), activation.backward(whole, x))


@of_each_kind
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3)])
def test_empty(activation, shape):
    grad_x, *grads = outputs(activation.backward(np.ones(shape), np.ones(shape)))
    assert grad_x.shape == shape
    assert [float(grad) for grad in grads] == [0.0] * len(activation.parameters)


@of_each_kind_with_parameters
@pytest.mark.parametrize(
    ("shape", "narrow"), [((3, 0), (1, 0)), ((3, 0), (1,)), ((0, 3), (3,)), ((2, 3, 0), (3, 1))]
)
@pytest.mark.parametrize("dtype", ["float16", "float64", "longdouble"])
def test_parameters_of_empty_arrays(activation, shape, narrow, dtype):
    grad_output, x, parameter = (np.ones(s, dtype) for s in (shape, shape, narrow))
    parameters = [parameter] * len(activation.parameters)
    _, *grads = activation.backward(grad_output, x, *parameters)
    for grad in grads:
        np.testing.assert_array_equal(grad, np.zeros(narrow))
        assert grad.shape == narrow


@of_each_kind_with_parameters
@pytest.mark.parametrize(("dtype", "parameter"), [("float32", -1.5), ("float64", 5.0)])
def test_a_million_terms_are_added_accurately(activation, dtype, parameter):
    n = 1_000_000
    x = np.random.default_rng(5).normal(0, 2, n).astype(dtype)
    grad_output = np.random.default_rng(6).normal(0.1, 1, n).astype(dtype)
    parameters = [parameter] * len(activation.parameters)
    _, *grads = activation.backward(grad_output, x, *parameters)
    for name, grad in zip(activation.parameters, grads, strict=True):
        slope = UFUNCS[f"{activation.name}_d{name}"](x.astype(np.longdouble), *parameters)
        terms = grad_output.astype(np.longdouble) * slope
        high = terms.astype(float)
        total = math.fsum(np.concatenate([high, (terms - high).astype(float)]))
        # Each term may be off by 4 eps with either sign; a naive sum would lose 1e4 eps more.
        bound = eps(dtype) * (abs(total) + 8 * float(np.sqrt((terms**2).sum())))
        assert abs(float(grad) - total) <= bound


@of_each_kind_with_parameters
def test_sum_of_equal_terms_is_as_good_as_one_term(activation):
    x = np.full(LARGE, 0.7, np.float32)
    _, *grads = activation.backward(np.ones_like(x), x)
    _, *single = activation.backward(np.float32(1), x[:1])
    for grad, one in zip(grads, single, strict=True):
        assert float(grad) == pytest.approx(float(one) * LARGE, rel=4 * float(eps("float32")))


def hard_to_add(count, dtype, seed):
    """Return terms of which a plain sum loses much: a large one, and many of about half its ULP."""
    rng = np.random.default_rng(seed)
    terms = rng.uniform(0.5, 1, count).astype(dtype) * np.finfo(dtype).eps
    terms[rng.integers(min(count, 16))] = 1
    return terms


@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])
@pytest.mark.parametrize("count", [1, 2, 15, 33, 1000, 1024, 5000, 40_000])
@pytest.mark.parametrize(
    ("shape", "of_parameter"),
    [((-1,), ()), ((-1, 3), (3,)), ((3, -1), (3, 1)), ((2, -1, 5), (2, 1, 5)), ((-1, 1, 2), (1,))],
)
def test_sums_round_once(shape, of_parameter, count, dtype):
    # By leaky_relu's definition the gradient of a is the sum of g x, and that of x of g a.
    shape = tuple(count if length == -1 else length for length in shape)
    terms = hard_to_add(math.prod(shape), dtype, seed=count).reshape(shape)
    ones = np.ones(shape, dtype)
    parameter = np.full(of_parameter, 0.5, dtype)
    _, by_parameter = s3s4.leaky_relu.backward(ones, -terms, parameter)
    by_x, _ = s3s4.leaky_relu.backward(ones, -np.ones_like(parameter), terms)
    slots = np.broadcast_to(np.arange(parameter.size).reshape(of_parameter), shape)
    for slot in range(parameter.size):
        high = terms[slots == slot].astype(float)
        parts = [*high, *(terms[slots == slot] - high).astype(float)]
        total = math.fsum(parts)
        rest = math.fsum([*parts, -total])
        for sign, sums in ((-1, by_parameter), (1, by_x)):
            error = sign * np.ravel(sums)[slot].astype(np.longdouble) - total - rest
            assert abs(error) <= 0.501 * np.finfo(dtype).eps * total


@of_each_kind_with_parameters
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@every_dtype
def test_gradients_are_silent(activation, part, dtype):
    limits = np.finfo(dtype)
    grad_output, x, *parameters = inputs(2 + len(activation.parameters), SHAPE, dtype)
    parameters = [part(parameter) for parameter in parameters]
    for scale in (limits.smallest_subnormal, limits.smallest_normal, 1, limits.max):
        with np.errstate(all="ignore"):
            scaled = grad_output * scale
        with np.errstate(all="raise"):
            activation.backward(scaled, x, *parameters)


@of_each_kind
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("n", [7, 20_000])
def test_gradients_go_where_they_are_told(activation, dtype, n):
    arrays = inputs(2 + len(activation.parameters), n, dtype)
    count = 1 + len(activation.parameters)
    for part in ("python float", "full"):
        grad_output, x, *parameters = arrays
        if part == "python float":
            parameters = [float(parameter[0]) for parameter in parameters]
        expected = outputs(activation.backward(grad_output, x, *parameters))
        many = [np.ndim(gradient) > 0 for gradient in expected]

        def check(x, given, out, expected=expected, parameters=parameters):
            """Put the gradients there, and compare them and what comes back."""
            results = outputs(activation.backward(given, x, *parameters, out=out))
            assert_same_bits(results, expected)
            rooms = out if isinstance(out, tuple) else (out,)
            for result, room in zip(results, rooms, strict=False):
                assert room is None or result is room

        check(x, grad_output, np.empty(n, dtype))
        check(x, grad_output, np.empty((n, 3), dtype)[:, 1])
        check(x, grad_output, (None,) * count)
        check(x, grad_output, tuple(np.empty(n, dtype) if one else None for one in many))
        same = grad_output.copy()
        check(x, same, same)
        same = x.copy()
        check(same, grad_output, same)
        memory = np.empty(n + 1, dtype)
        memory[1:] = x
        check(memory[1:], grad_output, memory[:-1])


@of_each_kind
@pytest.mark.parametrize("n", [7, 20_000])
def test_gradients_that_do_not_fit_are_written_nowhere(activation, n):
    grad_output, x, *parameters = inputs(2 + len(activation.parameters), n, np.float32)
    few = [parameter[:1] for parameter in parameters]

    def refused(error, match, out, x=x):
        before = [None if one is None else one.copy() for one in outputs(out)]
        with pytest.raises(error, match=match):
            activation.backward(grad_output, x, *few, out=out)
        for one, old in zip(outputs(out), before, strict=True):
            if isinstance(one, np.ndarray):
                assert_same_bits(one, old)

    rest = (None,) * len(parameters)
    refused(ValueError, "out has shape", np.zeros(n + 1, np.float32))
    refused(TypeError, "out of int64 cannot hold float32", np.zeros(n, np.int64))
    refused(TypeError, "out must hold", (np.zeros(n, np.float32), *rest, None))
    read_only = np.zeros(n, np.float32)
    read_only.flags.writeable = False
    refused(ValueError, "read-only", read_only)
    masked = np.ma.masked_less(x, 0)
    refused(TypeError, "masked", (np.zeros(n, np.float32), *rest), masked)
    with pytest.raises(TypeError, match="out must be an array, not list"):
        activation.backward(grad_output, x, *few, out=[0.0] * n)
    if parameters:
        refused(ValueError, "out has shape", (np.zeros(n, np.float32), np.zeros(n), *rest[1:]))
    wide = np.empty(n)
    results = outputs(activation.backward(grad_output, x, *few, out=wide))
    assert results[0] is wide
    assert_same_bits(wide.astype(np.float32), outputs(activation.backward(grad_output, x, *few))[0])


@of_each_kind
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_short_road_gives_the_bits_of_the_long_one(activation, dtype):
    """Arrays in one piece with parameters that are numbers, beside the same as views and arrays."""
    for n in (1, 10, 1000, 5000):
        grad_output, x, *parameters = inputs(2 + len(activation.parameters), n, dtype)
        apart = [np.repeat(array, 2)[::2] for array in (grad_output, x)]
        numbers = [float(parameter[0]) for parameter in parameters]
        long = activation.backward(*apart, *[np.array(p, dtype) for p in numbers])
        assert_same_bits(activation.backward(grad_output, x, *numbers), long)
        scalars = [np.dtype(dtype).type(p) for p in numbers]
        assert_same_bits(activation.backward(grad_output, x, *scalars), long)


@of_each_kind
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("part", ["scalar", "last axis", "middle axis", "first axis", "full"])
def test_bits_are_equal_for_every_number_of_threads(activation, dtype, part):
    shape = (53, 31, 257)
    grad_output, x, *parameters = inputs(2 + len(activation.parameters), shape, dtype)
    parameters = [PARTS[part](parameter) for parameter in parameters]
    for order in (np.ascontiguousarray, np.asfortranarray):
        arrays = [order(array) for array in (grad_output, x)]
        with s3s4.threads(1):
            expected = activation.backward(*arrays, *parameters)
        for threads in (2, 5):
            with s3s4.threads(threads):
                assert_same_bits(activation.backward(*arrays, *parameters), expected)


@with_parameters
def test_nan_and_infinity_go_through(activation):
    values = dict.fromkeys(activation.parameters, 5.0)
    x = np.array([0.5, np.nan, np.inf, -np.inf])
    with np.errstate(all="raise"):
        grad_x, *grads = activation.backward(np.ones(4), x, **values)
    np.testing.assert_array_equal(np.isnan(grad_x), np.isnan(x))
    limits = oracle.exact(activation.name, "x", x[2:], *values.values()).high
    np.testing.assert_array_equal(grad_x[2:], limits.astype(float))
    assert np.isnan(grads).all()


@every_activation
@pytest.mark.parametrize("parameter", [-5.0, -0.25, 0.25, 1.0, 5.0, 50.0])
def test_derivatives_are_differences_of_the_value(activation, parameter):
    """Neither the formulas of the derivatives nor their oracle is used: only the value's line."""
    if activation.name != "s4":  # of the others some are meant for positive parameters alone
        parameter = abs(parameter) + 0.01
    for x in (-700.0, -30.0, -3.25, -0.5, -1e-3, 1e-3, 0.5, 3.25, 30.0, 700.0):
        assert_slopes_are_differences(activation, x, parameter)


def assert_slopes_are_differences(activation, x, parameter):
    names = oracle.inputs(activation.name)
    values = [parameter * (1 + i) for i in range(len(names) - 1)]
    for place, wrt in enumerate(names):
        step = mp.mpf(10) ** -16
        ends = [[mp.mpf(value) for value in (x, *values)] for _ in range(2)]
        ends[0][place] -= step
        ends[1][place] += step
        below, above = (oracle.evaluate(activation.name, None, *end).total for end in ends)
        slope = (above - below) / (2 * step)
        size = oracle.evaluate(activation.name, wrt, *map(mp.mpf, (x, *values))).size
        computed = activation.derivative(x, *values, wrt=wrt)
        # The difference is good to 1e-30: 32 digits of a value near 1, and the step squared.
        assert abs(mp.convert(computed) - slope) <= 8 * eps(float) * size + mp.mpf("1e-29")
