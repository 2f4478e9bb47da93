"""Weights and biases to begin with.

Design: draws depend on the seed and the layer alone, so that every candidate and every
initialisation gets the same ones: differences between them are paired.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import s3s4
from candidates import Candidate

Init = Literal["glorot", "critical"]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Draws:
    """Of one layer, with an axis of seeds first.

    Attributes
    ----------
    uniform : numpy.ndarray
        (seeds, inputs, outputs), of variance 1.
    normal : numpy.ndarray
        (seeds, 1, outputs), of variance 1.
    """

    uniform: Floats
    normal: Floats


def draw(sizes: Sequence[int], seeds: Sequence[int]) -> list[Draws]:
    """Draw for all layers of networks of these sizes."""
    limit = 3**0.5
    layers = []
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        sources = [np.random.default_rng([seed, layer]) for seed in seeds]
        uniform = np.stack([s.uniform(-limit, limit, (inputs, outputs)) for s in sources])
        normal = np.stack([s.standard_normal((1, outputs)) for s in sources])
        layers.append(Draws(uniform, normal))
    return layers


def layers(draws: Sequence[Draws], init: Init, candidate: Candidate) -> list[tuple[Floats, Floats]]:
    """Weights and biases of each layer.

    "glorot" are Keras' defaults, which the published scripts take. "critical" is
    `s3s4.critical_init`; the first layer, whose inputs are standardised, and the last, which no
    activation follows, take gain 1.
    """
    gain, bias_mean, bias_variance = s3s4.critical_init(candidate.name, *candidate.parameters)
    last = len(draws) - 1
    found = []
    for place, one in enumerate(draws):
        inputs, outputs = one.uniform.shape[1:]
        if init == "glorot":
            weights = one.uniform * (2 / (inputs + outputs)) ** 0.5
            found.append((weights, np.zeros_like(one.normal)))
            continue
        weights = one.uniform * (gain if 0 < place < last else 1.0) / inputs**0.5
        bias = bias_mean * weights.sum(1, keepdims=True) if place else np.zeros_like(one.normal)
        if 0 < place < last:
            bias = bias + one.normal * bias_variance**0.5
        found.append((weights, bias))
    return found
