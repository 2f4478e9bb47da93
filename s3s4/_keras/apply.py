"""One call of an activation: its arguments, its form, and its gradients."""

# Design:
# - Gradients are the formulas' own, by keras.ops.custom_gradient, which takes all three backends.
#   What it hands back is differentiated by the backend where it is asked for more.
# - On an input of a functional model a call is one operation, which is saved by its name.

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import keras
from keras import ops

from s3s4 import _array_forms
from s3s4._array_primitives import Primitives

PACKAGE = "s3s4"
HALF = ("float16", "bfloat16")
PRIMITIVES = Primitives(ops, lambda value, like: ops.convert_to_tensor(value, like.dtype))
Thing = TypeVar("Thing")
# Keras ships no types: these are its decorator's.
custom_gradient: Callable[[Callable[..., Any]], Callable[..., Any]] = ops.custom_gradient


def registered(thing: Thing) -> Thing:
    """Known to Keras when a model is loaded."""
    saved: Thing = keras.saving.register_keras_serializable(package=PACKAGE)(thing)
    return saved


def apply(name: str, *given: Any) -> Any:
    """The activation of a tensor, or of an input of a functional model."""
    if any(isinstance(one, keras.KerasTensor) for one in given):
        return Activation(name)(*given)
    return evaluate(name, *given)


@registered
class Activation(keras.Operation):
    """A call within a functional model."""

    def __init__(self, activation: str, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.activation = activation

    def call(self, x: Any, *parameters: Any) -> Any:
        """The values."""
        return evaluate(self.activation, x, *parameters)

    def compute_output_spec(self, x: Any, *parameters: Any) -> Any:
        """Of the broadcast shape."""
        spec = ops.sigmoid(x)
        dtype = spec.dtype
        for one in parameters:
            spec = ops.add(spec, one)
        return keras.KerasTensor(spec.shape, dtype)

    def get_config(self) -> dict[str, Any]:
        """What the operation is made again from."""
        return {"activation": self.activation, "name": self.name}


def evaluate(name: str, *given: Any) -> Any:
    """The activation of tensors: in the dtype of x, half precision computed in single."""
    x, *parameters = given
    x = ops.convert_to_tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    if not keras.backend.is_float_dtype(dtype):
        if dtype.startswith("complex"):
            raise TypeError(f"x must be real, not {dtype}")
        dtype = keras.config.floatx()
    computed = "float32" if dtype in HALF else dtype
    # TensorFlow differentiates variables otherwise, and to read one makes no tensor of it.
    variables = (
        ops.convert_to_tensor(one * 1.0 if isinstance(one, keras.Variable) else one, computed)
        for one in (x, *parameters)
    )
    return ops.cast(ruled(name)(*variables), dtype)


@cache
def ruled(name: str) -> Callable[..., Any]:
    """The activation of tensors of one dtype."""
    of_value = getattr(_array_forms, name)
    of_products = getattr(_array_forms, f"{name}_backward")

    @custom_gradient
    def activation(*variables: Any) -> Any:
        def gradients(*given: Any, upstream: Any = None) -> Any:
            # PyTorch hands the variables in, which are then known to a second derivative.
            inputs, g = (given, upstream) if upstream is not None else (variables, given[0])
            found = of_products(PRIMITIVES, g, *inputs)
            products = found if isinstance(found, tuple) else (found,)
            summed = tuple(map(sum_to, products, inputs))
            return summed if len(summed) > 1 else summed[0]

        return of_value(PRIMITIVES, *variables), gradients

    return activation


def sum_to(product: Any, like: Any) -> Any:
    """The sum over what a variable was broadcast along."""
    shape, wanted = tuple(product.shape), tuple(like.shape)
    leading = len(shape) - len(wanted)
    axes = [axis for axis in range(len(shape)) if axis < leading]
    axes += [
        axis + leading
        for axis, size in enumerate(wanted)
        if size == 1 and shape[axis + leading] != 1
    ]
    return ops.reshape(ops.sum(product, axes), ops.shape(like)) if axes else product
