"""Initial weights and biases of Keras' layers, by what stands before them."""

# Design:
# - Keras makes a kernel and a bias without telling one of the other, so that no bias can take off
#   the mean of what comes in. Weights of a unit that sum to 0 do so themselves.

import math
import random
from typing import Any

import keras
from keras import ops

from s3s4 import _gaussian
from s3s4._keras.apply import registered


@registered
class Critical(keras.initializers.Initializer):
    """Gradients keep their norm through many layers, as with `s3s4.critical_init`.

    Give it to a layer as kernel_initializer and as bias_initializer: what has one axis is a bias.

    Parameters
    ----------
    activation : str
        Of s3s4: what stands before the layer.
    *parameters : float
        Of the activation.
    seed : int, optional
        One is drawn if it is not given, as by Keras' own: each call gives the same numbers.

    Raises
    ------
    ValueError, TypeError
        As in `s3s4.critical_init`.
    """

    def __init__(self, activation: str, *parameters: float, seed: int | None = None) -> None:
        # From where keras.utils.set_random_seed reaches.
        self.given, self.seed = seed, random.randint(1, 10**9) if seed is None else seed
        self.activation, self.parameters = activation, [*map(float, parameters)]
        self.gain, _, self.bias_variance = _gaussian.critical_init(activation, *parameters)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """A kernel, or a bias."""
        if len(shape) == 1:
            # The kernel's numbers are no others where a backend counts them from the seed.
            deviation, seed = math.sqrt(self.bias_variance), self.seed + 1
            return keras.random.normal(shape, stddev=deviation, dtype=dtype, seed=seed)
        fan_in = math.prod(shape[:-1])
        if fan_in == 1:
            raise ValueError("weights of a unit with one input cannot sum to 0")
        drawn = keras.random.normal(shape, dtype=dtype, seed=self.seed)
        centred = drawn - ops.mean(drawn, axis=tuple(range(len(shape) - 1)), keepdims=True)
        return centred * (self.gain / math.sqrt(fan_in - 1))

    def get_config(self) -> dict[str, Any]:
        """What it is made again from."""
        return {"activation": self.activation, "parameters": self.parameters, "seed": self.given}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Critical":
        """Made again."""
        return cls(config["activation"], *config["parameters"], seed=config["seed"])
