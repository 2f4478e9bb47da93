"""A program of a user, for `mypy --strict` and pyright: each line's type is what the stubs promise.

Not a test that runs. `assert_type` fails in the type checker, and so does a `type: ignore` that
hides no error.
"""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import s3s4
from s3s4 import Activation, RowActivation, S4Activation, ufuncs

half: NDArray[np.float16] = np.zeros(3, np.float16)
single: NDArray[np.float32] = np.zeros(3, np.float32)
double: NDArray[np.float64] = np.zeros(3)
k: NDArray[np.float32] = np.ones(3, np.float32)

# The dtype that goes in comes out.
assert_type(s3s4.s3(half), NDArray[np.float16])
assert_type(s3s4.s4(single), NDArray[np.float32])
assert_type(s3s4.s4(single, 2.0), NDArray[np.float32])
assert_type(s3s4.s4(single, k=k), NDArray[np.float32])
assert_type(s3s4.s4(double, k=2, order="C", device="cpu"), NDArray[np.float64])
assert_type(s3s4.s4(single, derivative=True), NDArray[np.float32])
assert_type(s3s4.s4.derivative(single, k, wrt="k"), NDArray[np.float32])
assert_type(s3s4.s4.second_derivative(single, wrt=("x", "k")), NDArray[np.float32])
assert_type(s3s4.s4.value_and_derivative(single), tuple[NDArray[np.float32], NDArray[np.float32]])

# Scalars give scalars.
assert_type(s3s4.s4(0.5), np.float64)
assert_type(s3s4.s3(np.float32(1)), np.float32)
assert_type(s3s4.s3.value_and_derivative(1.0), tuple[np.float64, np.float64])

# out is returned; dtype decides; what NumPy has to look at is Any.
assert_type(s3s4.s4([1.0, 2.0], out=double), NDArray[np.float64])
assert_type(s3s4.s4(single, dtype=np.float64), NDArray[np.float64])
assert_type(s3s4.s4([1.0, 2.0]), Any)
mixed: NDArray[np.floating[Any]] = s3s4.s4(single, k=double)

# Gradients: one without parameters, else a tuple, each of its variable's shape.
assert_type(s3s4.s3.backward(single, single), NDArray[np.float32])
assert_type(s3s4.s4.backward(single, single), tuple[NDArray[np.float32], np.float32])
assert_type(s3s4.s4.backward(single, single, k), tuple[NDArray[np.float32], NDArray[np.float32]])

# Each takes its own parameters.
s3s4.s3(single, k=2.0)  # type: ignore[call-overload]
s3s4.s4(single, alpha=2.0)  # type: ignore[call-overload]
s3s4.s3.derivative(single, wrt="k")  # type: ignore[call-overload]
s3s4.s4(single, device="tpu")  # type: ignore[call-overload]


def layer(activation: Activation | RowActivation, x: NDArray[np.float32]) -> Any:
    """Any activation will do."""
    return activation(x)


layer(s3s4.s3, single)
layer(s3s4.get("s4"), single)

# A name that stands in the text is known: no cast is needed for the methods of its kind.
assert_type(s3s4.get("mish").derivative(single), NDArray[np.float32])
assert_type(s3s4.get("s4").derivative(single, k, wrt="k"), NDArray[np.float32])
assert_type(s3s4.get("softmax").jacobian(half), NDArray[np.float16])
assert_type(s3s4.get(str(k)), Activation | RowActivation)
s3s4.get("mish")(single, k=2.0)  # type: ignore[call-overload]

# What an activation says of itself is read-only.
s3s4.s4.parameters["k"] = 2.0  # type: ignore[index]
s3s4.activations["s5"] = s3s4.s4  # type: ignore[index]
assert_type(s3s4.s4.parameters["k"], float)
assert_type(ufuncs.s4_dk, np.ufunc)
S4Activation(k=2.0).forward(single)
with s3s4.threads(2):
    assert_type(s3s4.get_num_threads(), int)

# Row activations take an axis and give the shape of x.
assert_type(s3s4.softmax(single, axis=0), NDArray[np.float32])
assert_type(s3s4.log_softmax(single, dtype=np.float64), NDArray[np.float64])
assert_type(s3s4.softmin([1.0, 2.0], out=double), NDArray[np.float64])
assert_type(s3s4.softmax.backward(single, single, 0), NDArray[np.float32])
assert_type(s3s4.softmax.jacobian(half), NDArray[np.float16])
s3s4.softmax(single, k=2)  # type: ignore[call-overload]
