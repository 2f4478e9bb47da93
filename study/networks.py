"""Many small networks at once, on the forward and backward passes of s3s4.

Design:
- Every array has the leading axes (rate, split): the networks of all learning rates and of all
  seeds or folds are one array, so that a layer is one call of the activation.
- The optimizer is Adam with PyTorch's defaults, in PyTorch's order of operations, so that PyTorch's
  own can be compared with it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from candidates import Candidate
from initial import Draws, Floats, Init, layers

FIRST_DECAY, SECOND_DECAY, EPSILON = 0.9, 0.999, 1e-8


class Networks:
    """Fully connected networks of one candidate.

    Parameters
    ----------
    candidate : Candidate
        The activation of the hidden layers.
    draws : sequence of Draws
        From which the weights are made.
    rates : sequence of float
        Adam's learning rates: the first axis of every array.
    init : {"glorot", "critical"}
        How.
    dtype : dtype
        Of everything.
    """

    def __init__(
        self,
        candidate: Candidate,
        draws: Sequence[Draws],
        rates: Sequence[float],
        init: Init = "glorot",
        dtype: type[np.floating] = np.float32,
    ) -> None:
        self.candidate, self.activation = candidate, candidate.activation
        self.rates = np.asarray(rates, dtype)[:, None, None, None]
        self.hidden = len(draws) - 1

        def for_every_rate(array: Floats) -> Floats:
            return np.repeat(array[None].astype(dtype), len(rates), 0)

        made = layers(draws, init, candidate)
        self.weights = [for_every_rate(weights) for weights, _ in made]
        self.biases = [for_every_rate(bias) for _, bias in made]
        self.k = []
        if candidate.k is not None:
            for one in draws[: self.hidden]:
                splits, _, units = one.normal.shape
                width = units if candidate.learns == "channel" else 1
                self.k.append(for_every_rate(np.full((splits, 1, width), candidate.k)))
        learnt = self.k if candidate.learns else []
        self.parameters = [*self.weights, *self.biases, *learnt]
        self._means = [np.zeros_like(one) for one in self.parameters]
        self._squares = [np.zeros_like(one) for one in self.parameters]
        self._steps = 0

    def _given(self, layer: int) -> tuple[Floats, ...]:
        return (self.k[layer],) if self.k else ()

    def forward(self, x: Floats) -> Floats:
        """The outputs for x of shape (splits or 1, rows, inputs)."""
        h = x[None]
        self.inputs, self.sums = [h], []
        for layer in range(self.hidden):
            z = h @ self.weights[layer]
            z += self.biases[layer]
            h = self.activation(z, *self._given(layer))
            self.sums.append(z)
            self.inputs.append(h)
        outputs: Floats = h @ self.weights[-1] + self.biases[-1]
        return outputs

    def slopes(self) -> list[Floats]:
        """The derivatives by what the activations took in the last forward pass."""
        return [
            self.activation.derivative(z, *self._given(layer)) for layer, z in enumerate(self.sums)
        ]

    def backward(self, g: Floats) -> list[Floats]:
        """The gradients of all parameters, from the loss's by the outputs."""
        by_weights, by_biases, by_k = [], [], []
        for layer in range(self.hidden, -1, -1):
            if layer < self.hidden:
                z = self.sums[layer]
                if self.candidate.learns:
                    g, by_steepness = self.activation.backward(g, z, self.k[layer])
                    by_k.append(by_steepness)
                else:
                    g = g * self.activation.derivative(z, *self._given(layer))
            by_weights.append(self.inputs[layer].swapaxes(-1, -2) @ g)
            by_biases.append(g.sum(2, keepdims=True))
            if layer:
                g = g @ self.weights[layer].swapaxes(-1, -2)
        return [*by_weights[::-1], *by_biases[::-1], *by_k[::-1]]

    def step(self, gradients: Sequence[Floats]) -> None:
        """One step of Adam."""
        self._steps += 1
        rates = self.rates / (1 - FIRST_DECAY**self._steps)
        correction = (1 - SECOND_DECAY**self._steps) ** 0.5
        for place, gradient in enumerate(gradients):
            # One network after the other stays in the cache.
            for rate, rows in enumerate(gradient):
                _adam(
                    self.parameters[place][rate],
                    rows,
                    self._means[place][rate],
                    self._squares[place][rate],
                    rates[rate],
                    correction,
                )


def _adam(
    parameter: Floats, g: Floats, mean: Floats, square: Floats, rate: Floats, correction: float
) -> None:
    mean += (g - mean) * (1 - FIRST_DECAY)
    square *= SECOND_DECAY
    scratch = g * g
    scratch *= 1 - SECOND_DECAY
    square += scratch
    np.sqrt(square, out=scratch)
    scratch /= correction
    scratch += EPSILON
    np.divide(mean, scratch, out=scratch)
    scratch *= rate
    parameter -= scratch


def cross_entropy(outputs: Floats, labels: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """The mean loss of each network, and its gradient by the outputs."""
    shifted = outputs - outputs.max(-1, keepdims=True)
    g = np.exp(shifted)
    total = g.sum(-1, keepdims=True)
    places = np.broadcast_to(labels[None, :, :, None], (*outputs.shape[:-1], 1))
    loss = (np.log(total) - np.take_along_axis(shifted, places, -1))[..., 0].mean(2)
    g /= total
    np.put_along_axis(g, places, np.take_along_axis(g, places, -1) - 1, -1)
    g /= outputs.shape[2]
    return loss, g


def squared_error(outputs: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """The mean loss of each network, and its gradient by the outputs."""
    apart = outputs[..., 0] - targets[None]
    return (apart * apart).mean(2), (2 / apart.shape[2]) * apart[..., None]
