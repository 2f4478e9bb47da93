"""The norm of gradients through a random network, measured and predicted."""

from typing import Any

import numpy as np

import s3s4
from candidates import Candidate
from images import rounded
from initial import Floats, Init

WIDTH, DEPTH, EXAMPLES, SEEDS = 400, 20, 16, 5
MIDDLE = (2, 17)
"""Layers away from the inputs and from the loss, where the factor has settled."""


def predicted(candidate: Candidate, init: Init) -> list[float]:
    """The norms that follow from the variance of what each layer's activation takes.

    It is 1 in the first layer, and the next one's is what the activation makes of it.
    """
    gain, bias_mean, bias_variance = (
        s3s4.critical_init(candidate.name, *candidate.parameters)
        if init == "critical"
        else s3s4.CriticalInit(1.0, 0.0, 0.0)
    )
    variance, slopes = 1.0, []
    for _ in range(DEPTH):
        found = s3s4.moments(candidate.name, *candidate.parameters, q=variance)
        slopes.append(found.slope**0.5)
        centred = found.variance + (found.mean + bias_mean) ** 2
        variance = max(gain**2 * centred + bias_variance, 1e-12)
    factors = [*(gain * slope for slope in slopes[:-1]), 1.0]
    return [float(norm) for norm in np.cumprod(factors[::-1])[::-1]]


def norms(candidate: Candidate, init: Init, seed: int) -> Floats:
    """The root mean square of the gradient by what each layer's activation takes."""
    source = np.random.default_rng(seed)
    gain, bias_mean, bias_variance = s3s4.critical_init(candidate.name, *candidate.parameters)
    critical = init == "critical"
    h = source.standard_normal((EXAMPLES, WIDTH))
    layers = []
    for layer in range(DEPTH):
        scale = gain if critical and layer else 1.0
        weights = source.standard_normal((WIDTH, WIDTH)) * scale / WIDTH**0.5
        bias = source.standard_normal(WIDTH) * bias_variance**0.5 + bias_mean * weights.sum(0)
        z = h @ weights + (bias if critical and layer else 0.0)
        h, slopes = candidate.activation.value_and_derivative(z, *candidate.parameters)
        layers.append((weights, slopes))
    gradient = source.standard_normal((EXAMPLES, WIDTH))
    found = []
    for weights, slopes in reversed(layers):
        gradient = gradient * slopes
        found.append(np.sqrt(np.mean(gradient**2)))
        gradient = gradient @ weights.T
    return np.array(found[::-1])


def measure(candidate: Candidate, init: Init) -> dict[str, Any]:
    """The factor of the layers in the middle, as measured and as predicted, and every norm."""
    logarithms = np.log([norms(candidate, init, seed) for seed in range(SEEDS)])
    mean, expected = logarithms.mean(0), predicted(candidate, init)
    return {
        "factor": rounded(factor(mean)),
        "seeds": [rounded(factor(one)) for one in logarithms],
        "predicted_factor": rounded(factor(np.log(expected))),
        "norms": rounded(np.exp(mean - mean[-1]).tolist()),
        "predicted": rounded(expected),
    }


def factor(logarithms: Floats) -> float:
    """By what a layer in the middle multiplies the norm of a gradient."""
    first, last = MIDDLE
    return float(np.exp((logarithms[first] - logarithms[last]) / (last - first)))
