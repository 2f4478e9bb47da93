"""Which road a call takes, and how few steps it takes to get there."""

import gc
import sys

import numpy as np
import pytest

import s3s4
from s3s4 import _devices, _route
from support import ACTIVATIONS, assert_same_bits, inputs, outputs


def walk(call):
    """Return how many Python functions a call enters, its own included."""
    count = 0

    def watch(frame, event, argument):
        nonlocal count
        count += event == "call"

    call()
    gc.disable()  # other libraries' callbacks on a collection would count as well
    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count - 1  # `call` itself


@pytest.fixture
def no_gpu(monkeypatch):
    state = _devices._State()
    state.known, state.reason = True, "no driver"
    monkeypatch.setattr(_devices, "_state", state)


SMALL, LONG = np.linspace(-5, 5, 10), np.linspace(-5, 5, 10_000_000, dtype=np.float32)
SQUARE = np.ones((400, 300))
STRIDED = {
    "every second": SQUARE[:, ::2],
    "transposed": SQUARE.T[:, ::3],
    "reversed": SQUARE[::-1],
    "three axes": SQUARE.reshape(20, 20, 300)[:, ::2, 1:],
    "repeated": np.broadcast_to(SQUARE[:, :1], SQUARE.shape),
    "big endian": SQUARE.astype(">f8"),
    "half": SQUARE.astype(np.float16)[:, ::2],
}


@pytest.mark.parametrize("k", [{}, {"k": 2.0}], ids=["default", "keyword"])
def test_steps_of_small_and_long_calls(no_gpu, k):
    assert walk(lambda: s3s4.s4(SMALL, **k)) == 0
    assert walk(lambda: s3s4.s4.derivative(SMALL, **k)) <= 1
    out = np.empty_like(LONG)
    assert walk(lambda: s3s4.s4(LONG, **k)) <= 1
    assert walk(lambda: s3s4.s4(LONG, out=out, **k)) <= 1


@pytest.mark.parametrize("x", STRIDED.values(), ids=STRIDED)
def test_steps_of_strided_calls(no_gpu, x):
    k = np.ones(x.shape[-1], x.dtype)
    for parameters in ((), (2.0,), (k,)):
        assert walk(lambda p=parameters: s3s4.s4(x, *p)) <= 8
    assert walk(lambda: s3s4.s4(x, k=2.0)) <= 8


def test_steps_of_backward(no_gpu):
    grad, x = inputs(2, (300, 64), np.float32)
    k = np.full(64, 2, np.float32)
    assert walk(lambda: s3s4.s4.backward(grad, x, k)) <= 20
    assert walk(lambda: s3s4.s4.backward(grad, x, k=k)) <= 20
    assert walk(lambda: s3s4.s4.backward(grad, x)) <= 20


def road(x, *parameters, out=None, **given):
    outs = out if isinstance(out, tuple) else (out,)
    return _route.of_call("s4", x, parameters or (5.0,), outs, {}, **given)[0]


def test_roads(no_gpu):
    big = np.ones((300, 200))
    assert road(big) == road(big.ravel()[::2]) == road(np.asfortranarray(big)) == _route.UFUNC
    assert road(big[:, ::2]) == road(big.astype(">f8")) == _route.KERNELS
    assert road(big, np.ones(200)) == road(big, np.ones((300, 1))) == _route.KERNELS
    assert road(big, np.ones((300, 200))) == road(big, np.float64(2)) == _route.UFUNC
    assert road(big, np.asfortranarray(big)) == road(big, out=np.asfortranarray(big))
    # What NumPy casts, explains, or does in order is its own.
    for parameter in (np.ones(200, np.float32), np.ones(3), np.ones(200, int), "text", 10**400):
        assert road(big, parameter) == _route.UFUNC
    strided = big[:, ::2]
    for out in (strided[::-1], np.ones(3), np.ones((300, 100), int), [0.0], object()):
        assert road(strided, out=out) == _route.UFUNC
    assert road(strided, out=strided) == _route.KERNELS
    for x in (big.astype(int), big.astype(np.longdouble), np.ma.array(big), [1.0], 1.0, big[:9]):
        assert road(x) == _route.UFUNC


@pytest.mark.parametrize("axes", [32, 33, 40, 60, 64])
def test_as_many_axes_as_numpy_has(axes):
    shape = (1,) * (axes - 3) + (3, 200, 50)
    x, k = np.linspace(-4, 4, 30_000).reshape(shape), np.linspace(1, 2, 50)
    flat = x.reshape(3, 200, 50)
    for parameter in (k, k.reshape((1,) * (axes - 1) + (50,)), np.float64(2)):
        narrow = np.reshape(parameter, np.shape(parameter)[-1:])
        for call in (s3s4.s4, s3s4.s4.derivative, s3s4.s4.value_and_derivative):
            results, expected = outputs(call(x, parameter)), outputs(call(flat, narrow))
            for result, right in zip(results, expected, strict=True):
                assert_same_bits(result, right.reshape(shape))
        grad_x, grad_k = s3s4.s4.backward(x, x, parameter)
        expected_x, expected_k = s3s4.s4.backward(flat, flat, narrow)
        assert grad_k.shape == np.shape(parameter)
        assert_same_bits(grad_x, expected_x.reshape(shape))
        assert_same_bits(np.ravel(grad_k), np.ravel(expected_k))
    with pytest.raises(ValueError, match=r"\bk\b"):
        s3s4.s4(x, np.ones(49))


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a.parameters], ids=repr)
@pytest.mark.parametrize("n", [10, 10_000])
def test_names_and_places_are_the_same_call(activation, n):
    x = np.linspace(-3, 3, n, dtype=np.float32)
    values = {name: 0.5 + i for i, name in enumerate(activation.parameters)}
    for call in (activation, activation.derivative, activation.value_and_derivative):
        expected = call(x, *values.values())
        assert_same_bits(call(x, **values), expected)
        first, *rest = values
        assert_same_bits(call(x, values[first], **{name: values[name] for name in rest}), expected)
        # A default is as exact as the computation: not rounded to the type of x.
        wide = call(x, dtype="float64")
        assert_same_bits(wide, call(x.astype(float), **activation.parameters))
    assert_same_bits(
        activation.backward(x, x, **values), activation.backward(x, x, *values.values())
    )
