"""The interface that was published with the functions works as it did."""

import numpy as np
import pytest

import s3s4
from support import ACTIVATIONS, assert_same_bits

X = np.linspace(-8, 8, 1001).reshape(7, 143)


def test_published_signature():
    for device in ("auto", "cpu"):
        assert_same_bits(s3s4.s4(X, derivative=True, k=5.0, device=device), s3s4.s4.derivative(X))
        assert_same_bits(s3s4.s4(X, derivative=False, k=2.0, device=device), s3s4.s4(X, 2.0))
        assert_same_bits(s3s4.s3(X, derivative=True, device=device), s3s4.s3.derivative(X))
        assert_same_bits(s3s4.s3(X, device=device), s3s4.s3(X))


def test_s4_class():
    s4 = s3s4.S4Activation(device="auto", k=3.0, gpu_threshold=None)
    assert_same_bits(s4(X), s3s4.s4(X, 3.0))
    assert_same_bits(s4.forward(X), s3s4.s4(X, 3.0))
    slope = s3s4.s4.derivative(X, 3.0)
    assert_same_bits(s4(X, derivative=True), slope)
    assert_same_bits(s4(X, True), slope)
    assert_same_bits(s4.backward(X), slope)


def test_s4_class_has_the_default_k():
    assert_same_bits(s3s4.S4Activation()(X), s3s4.s4(X, 5.0))
    assert_same_bits(s3s4.S4Activation("cpu", 2.0, 10)(X), s3s4.s4(X, 2.0))


def test_s3_class():
    s3 = s3s4.S3Activation(device="cpu", gpu_threshold=1000)
    assert_same_bits(s3(X), s3s4.s3(X))
    assert_same_bits(s3.forward(X), s3s4.s3(X))
    assert_same_bits(s3(X, derivative=True), s3s4.s3.derivative(X))
    assert_same_bits(s3.backward(X), s3s4.s3.derivative(X))


@pytest.mark.parametrize("build", [s3s4.S3Activation, s3s4.S4Activation])
def test_backend_of_the_class(build):
    activation = build()
    assert activation.is_gpu_available is False
    assert "cpu" in str(activation.get_backend_info(X)).lower()


@pytest.mark.parametrize("build", [s3s4.S3Activation, s3s4.S4Activation])
def test_gpu_is_refused_with_the_reason(build):
    with pytest.raises(RuntimeError, match=r"(?i)gpu.*\w{4}"):
        build(device="gpu")(X)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)
def test_gpu_is_refused_by_the_function(activation):
    with pytest.raises(RuntimeError, match=r"(?i)gpu.*\w{4}"):
        activation(X, device="gpu")
