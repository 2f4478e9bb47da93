"""What an activation makes of Gaussian numbers, and how to initialise weights by that."""

# Design:
# - Panels that grow away from 0 take steep functions and heavy kinks alike; a kink lies between two
#   panels: at a parameter of the activation, or at one of the numbers that formulas contain.
# - A wide layer's inputs are Gaussian, whatever its weights are, which is why integrals over one
#   number say what happens in a network.

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from s3s4._activation import Activation
from s3s4._family import get

NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
REACH = 12.0
"""In standard deviations: e^-72 is less than an eps of anything that grows like a power."""
KINKS = (1.0, 2.0, 3.0, 6.0)


class Moments(NamedTuple):
    """Expected values for z ~ N(0, q).

    Attributes
    ----------
    mean : float
        E f(z).
    second : float
        E f(z)^2.
    variance : float
        Var f(z).
    slope : float
        E f'(z)^2.

    Examples
    --------
    >>> from s3s4 import moments
    >>> round(moments("relu").second, 6)
    0.5
    """

    mean: float
    second: float
    variance: float
    slope: float


class CriticalInit(NamedTuple):
    """Weights of standard deviation gain / sqrt(fan_in), and biases.

    Attributes
    ----------
    gain : float
    bias_mean : float
        Times the sum of a unit's weights: the mean of its bias.
    bias_variance : float
        What a random part of the bias adds.

    Examples
    --------
    >>> from s3s4 import critical_init
    >>> gain, bias_mean, bias_variance = critical_init("relu")
    >>> round(gain**2, 6)
    2.0
    """

    gain: float
    bias_mean: float
    bias_variance: float


def moments(f: str | Activation, *parameters: float, q: float = 1.0) -> Moments:
    """The moments of an activation of Gaussian numbers.

    Parameters
    ----------
    f : str or Activation
        Of single elements.
    *parameters : float
        Of the activation, by position; the others have their defaults.
    q : float
        The variance of the numbers that go in.

    Returns
    -------
    Moments
        With an absolute error of 1e-14 for q = 1, and as much relative to what grows with q.

    Raises
    ------
    ValueError
        If there is no such activation, or q is not positive and finite.
    TypeError
        If f acts on rows, or there are too many parameters.

    Examples
    --------
    >>> import s3s4
    >>> round(s3s4.moments("relu").second, 12)
    0.5
    """
    activation = get(f) if isinstance(f, str) else f
    if not isinstance(activation, Activation):
        raise TypeError(f"f must be an activation of single elements, not {f!r}")
    if not 0 < q < np.inf:
        raise ValueError(f"q must be positive and finite, not {q}")
    deviation = float(np.sqrt(q))
    defaults = list(activation.parameters.values())
    z, weights = _grid(deviation, (*map(float, parameters), *defaults[len(parameters) :]))
    value, slope = activation.value_and_derivative(z, *parameters)
    mean = float(weights @ value)
    centred = value - mean
    return Moments(
        mean, float(weights @ value**2), float(weights @ centred**2), float(weights @ slope**2)
    )


def gain(
    f: str | Activation,
    *parameters: float,
    keep: Literal["signal", "gradient", "variance"] = "signal",
    q: float = 1.0,
) -> float:
    """The gain of an activation's weights, as that of `torch.nn.init.calculate_gain`.

    Weights of standard deviation gain / sqrt(fan_in) keep, from layer to layer of a wide network,
    the second moment of what activations take ("signal", He's sqrt 2 for relu), the norm of
    gradients ("gradient"), or the variance, where the mean is taken off by the bias ("variance").

    Parameters
    ----------
    f : str or Activation
        Of single elements.
    *parameters : float
        Of the activation, by position; the others have their defaults.
    keep : {"signal", "gradient", "variance"}
    q : float
        The variance of what the activation takes.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If keep is another, no gain keeps it (what f makes of all numbers is 0), or as in `moments`.
    TypeError
        As in `moments`.

    Examples
    --------
    >>> import s3s4
    >>> round(s3s4.gain("relu") ** 2, 12)
    2.0
    """
    found = moments(f, *parameters, q=q)
    kept = {"signal": found.second, "gradient": found.slope, "variance": found.variance}
    if keep not in kept:
        raise ValueError(f"keep must be one of {', '.join(kept)}, not {keep!r}")
    if not kept[keep] > 0:
        name = f if isinstance(f, str) else f.name
        raise ValueError(f"keep={keep!r} is impossible: no weight makes up for what {name} loses")
    return float((q / kept[keep]) ** 0.5 if keep != "gradient" else kept[keep] ** -0.5)


def critical_init(f: str | Activation, *parameters: float) -> CriticalInit:
    """Weights and biases with which gradients keep their norm through many layers.

    The weights W of a unit with fan_in inputs are N(0, gain^2 / fan_in), its bias is bias_mean
    times their sum and N(0, bias_variance): the mean of the activations is taken off, and what
    weights that keep gradients lack of the signal's variance 1 is added.

    Parameters
    ----------
    f : str or Activation
        Of single elements.
    *parameters : float
        Of the activation, by position; the others have their defaults.

    Returns
    -------
    CriticalInit

    Raises
    ------
    ValueError, TypeError
        As in `gain`.

    Examples
    --------
    >>> import s3s4
    >>> round(s3s4.critical_init("relu").bias_variance, 4)
    0.3183
    """
    found = moments(f, *parameters)
    weight = gain(f, *parameters, keep="gradient")
    return CriticalInit(weight, -found.mean, max(0.0, 1 - found.variance / found.slope))


@lru_cache(maxsize=32)
def _grid(deviation: float, parameters: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of this standard deviation, and the weights of an expected value."""
    kinks = np.abs([*KINKS, *parameters]) / deviation
    edges = np.concatenate([[0.0], np.geomspace(1e-4, REACH, 60), kinks])
    edges = np.unique(edges[np.isfinite(edges) & (edges <= REACH)])
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    z = (middle[:, None] + half[:, None] * NODES).ravel()
    weights = (half[:, None] * WEIGHTS).ravel() * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    return deviation * np.concatenate([-z[::-1], z]), np.concatenate([weights[::-1], weights])
