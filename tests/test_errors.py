"""Bad input raises an exception of the right kind that names the argument; out stays as it was."""

import re

import numpy as np
import pytest

import s3s4
from support import ACTIVATION_KINDS, LARGE, outputs

of_each_kind = pytest.mark.parametrize("activation", ACTIVATION_KINDS, ids=lambda a: a.name)
with_parameters = pytest.mark.parametrize(
    ("activation", "parameter"),
    [pytest.param(a, p, id=f"{a.name} {p}") for a in ACTIVATION_KINDS for p in a.parameters],
)

NOT_NUMBERS = {
    "object": np.array([1.0, 2.0], object),
    "none": None,
    "complex": np.array([1j, 2j]),
    "complex scalar": 1j,
    "string": "1.0",
    "strings": np.array(["1.0", "2.0"]),
    "bytes": b"1.0",
    "dates": np.array(["2020-01-01"], "M8[D]"),
    "structured": np.zeros(2, [("a", float)]),
    "dict": {"a": 1.0},
}
not_numbers = pytest.mark.parametrize("wrong", NOT_NUMBERS.values(), ids=NOT_NUMBERS)


def calls(activation):
    """Return every way to call an activation."""
    yield activation
    yield activation.value_and_derivative
    for wrt in ("x", *activation.parameters):
        yield lambda *arguments, _wrt=wrt, **options: activation.derivative(
            *arguments, wrt=_wrt, **options
        )


def marked(call, shape, dtype=float):
    """Return as many arrays filled with a mark as a call has outputs."""
    return tuple(np.full(shape, 77, dtype) for _ in outputs(call(np.zeros(3))))


@of_each_kind
@not_numbers
def test_x_must_be_numbers(activation, wrong):
    for call in calls(activation):
        out = marked(call, 2)
        with pytest.raises(TypeError, match=r"\bx\b"):
            call(wrong)
        with pytest.raises(TypeError, match=r"\bx\b"):
            call(wrong, out=out)
        assert all((target == 77).all() for target in out)
    with pytest.raises(TypeError, match=r"\bx\b"):
        activation.backward(1.0, wrong)


@with_parameters
@not_numbers
def test_parameters_must_be_numbers(activation, parameter, wrong):
    for call in calls(activation):
        out = marked(call, 2)
        with pytest.raises(TypeError, match=rf"\b{parameter}\b"):
            call([1.0, 2.0], **{parameter: wrong})
        with pytest.raises(TypeError, match=rf"\b{parameter}\b"):
            call([1.0, 2.0], **{parameter: wrong}, out=out)
        assert all((target == 77).all() for target in out)
    with pytest.raises(TypeError, match=rf"\b{parameter}\b"):
        activation.backward(1.0, [1.0, 2.0], **{parameter: wrong})


@of_each_kind
@not_numbers
def test_incoming_gradient_must_be_numbers(activation, wrong):
    with pytest.raises(TypeError, match=r"\bgrad_output\b"):
        activation.backward(wrong, [1.0, 2.0])


@with_parameters
@pytest.mark.parametrize("shape", [4, (2, 1, 4), (2, 2, 2)])
def test_shapes_of_parameters(activation, parameter, shape):
    x, wrong = np.ones((3, 3)), {parameter: np.ones(shape)}
    for call in calls(activation):
        with pytest.raises(ValueError, match=rf"\b{parameter}\b"):
            call(x, **wrong)
    with pytest.raises(ValueError, match=rf"\b{parameter}\b"):
        activation.backward(x, x, **wrong)


@of_each_kind
@pytest.mark.parametrize("shape", [4, (2, 3), (3, 3, 3)])
def test_shape_of_the_incoming_gradient(activation, shape):
    with pytest.raises(ValueError, match=r"\bgrad_output\b"):
        activation.backward(np.ones(shape), np.ones((3, 3)))


@of_each_kind
@pytest.mark.parametrize("size", [3, LARGE])
def test_wrong_shape_of_out(activation, size):
    for call in calls(activation):
        for shape in (size + 1, (size, 2), 1, ()):
            out = marked(call, shape)
            with pytest.raises(ValueError, match=r"\bout"):
                call(np.ones(size), out=out)
            assert all((target == 77).all() for target in out)


@of_each_kind
@pytest.mark.parametrize("size", [3, LARGE])
def test_read_only_out(activation, size):
    for call in calls(activation):
        for x in (np.ones(size), np.ones((size, 2))[:, 0]):
            out = marked(call, size)
            out[-1].flags.writeable = False
            with pytest.raises(ValueError, match=r"(?i)\bout.*read-only"):
                call(x, out=out)
            assert all((target == 77).all() for target in out)


@of_each_kind
@pytest.mark.parametrize("size", [3, LARGE])
def test_out_of_a_dtype_that_cannot_hold_the_result(activation, size):
    for call in calls(activation):
        out = marked(call, size, int)
        with pytest.raises(TypeError, match=r"\bout"):
            call(np.ones(size), out=out)
        assert all((target == 77).all() for target in out)


@of_each_kind
@pytest.mark.parametrize("wrong", ["text", 1.0, [0.0, 0.0, 0.0]])
def test_out_must_be_an_array(activation, wrong):
    for call in calls(activation):
        with pytest.raises(TypeError, match=r"\bout|return arrays"):
            call(np.ones(3), out=wrong)


@of_each_kind
def test_wrong_number_of_outs(activation):
    for call in calls(activation):
        out = marked(call, 3)
        with pytest.raises((TypeError, ValueError), match=r"\bout"):
            call(np.ones(3), out=(*out, np.ones(3)))


@of_each_kind
@pytest.mark.parametrize("wrong", ["y", "", None, 0, "X"])
def test_wrt(activation, wrong):
    with pytest.raises(ValueError, match=r"\bwrt\b") as caught:
        activation.derivative(1.0, wrt=wrong)
    for choice in ("x", *activation.parameters):
        assert re.search(rf"\b{choice}\b", str(caught.value))


@of_each_kind
@pytest.mark.parametrize("wrong", ["tpu", "", 0, "CPU"])
def test_device(activation, wrong):
    with pytest.raises(ValueError, match=r"\bdevice\b"):
        activation(1.0, device=wrong)


@pytest.mark.parametrize("build", [s3s4.S3Activation, s3s4.S4Activation])
def test_device_of_the_classes(build):
    with pytest.raises(ValueError, match=r"\bdevice\b"):
        build(device="tpu")(1.0)


@pytest.mark.parametrize("wrong", [[1.0, "a"], "5", 1j, object()])
def test_k_of_the_class(wrong):
    with pytest.raises(TypeError, match=r"\bk\b"):
        s3s4.S4Activation(k=wrong)(1.0)


@of_each_kind
def test_unknown_arguments(activation):
    for call in calls(activation):
        with pytest.raises(TypeError, match="steepness"):
            call(1.0, steepness=2.0)
        with pytest.raises(TypeError):
            call()
        with pytest.raises(TypeError):
            call(*[1.0] * 5)


def test_an_unknown_parameter_names_the_right_ones():
    for call in (s3s4.leaky_relu, s3s4.leaky_relu.derivative, s3s4.leaky_relu.value_and_derivative):
        for x in (1.0, np.ones(3), np.ones(LARGE)):
            with pytest.raises(TypeError, match="leaky_relu takes a, not negative_slope"):
                call(x, negative_slope=0.1)
    with pytest.raises(TypeError, match="leaky_relu takes a, not negative_slope"):
        s3s4.leaky_relu.backward(1.0, 1.0, negative_slope=0.1)
    with pytest.raises(TypeError, match="softplus takes beta, threshold, not b"):
        s3s4.softplus(1.0, b=1)
    with pytest.raises(TypeError, match="relu takes no parameters, not a"):
        s3s4.relu(1.0, a=1)
    with pytest.raises(TypeError, match="softmax takes x, axis, not dim"):
        s3s4.softmax(np.ones(3), dim=0)
    with pytest.raises(TypeError, match="s4 got two values for 'k'"):
        s3s4.s4(np.ones(3), 2.0, k=3.0)


@of_each_kind
@pytest.mark.parametrize("option", ["casting", "order", "dtype"])
def test_options_of_numpy(activation, option):
    for call in calls(activation):
        with pytest.raises((TypeError, ValueError), match=f"{option}|data type|wrong"):
            call(1.0, **{option: "wrong"})


def test_unknown_activation():
    with pytest.raises(ValueError, match="not 'relux': did you mean relu"):
        s3s4.get("relux")
    with pytest.raises(ValueError, match="not 'zzz'") as caught:
        s3s4.get("zzz")
    assert all(name in str(caught.value) for name in s3s4.activations)


@of_each_kind
def test_known_activation(activation):
    assert s3s4.get(activation.name) is activation
    assert s3s4.activations[activation.name] is activation


def test_what_a_derivative_is_by_is_named():
    for wrt in (["x"], 3, None):
        with pytest.raises(ValueError, match="wrt must be one of x, k, not"):
            s3s4.s4.derivative(1.0, wrt=wrt)
    for wrt in (3, None, ("x", 3), [["x"], "k"]):
        with pytest.raises(ValueError, match="wrt must be one of x, k, or a pair of them, not"):
            s3s4.s4.second_derivative(1.0, wrt=wrt)
