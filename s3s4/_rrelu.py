"""The randomised rectifier in training, where every element left of zero has a slope of its own."""

from typing import Any

import numpy as np
from numpy import ndarray

from s3s4._activation import elementwise


def rrelu_training(
    x: Any, rng: np.random.Generator, lower: float = 1 / 8, upper: float = 1 / 3
) -> tuple[ndarray, ndarray]:
    """The randomised rectifier with slopes drawn uniformly from [lower, upper].

    Parameters
    ----------
    x : array_like
        Any shape; real numbers.
    rng : numpy.random.Generator
        Draws the slopes.
    lower, upper : float
        The range of the slopes, 0 <= lower <= upper unless you know better.

    Returns
    -------
    y, slopes : ndarray
        Of the shape of x: ``y = slopes * x``, where the slope is 1 for x > 0. The gradient by x is
        ``grad_output * slopes``.

    Raises
    ------
    TypeError
        If rng is not a generator, or x does not hold real numbers.
    ValueError
        If lower or upper is not finite, or lower > upper.

    See Also
    --------
    rrelu : The form for evaluation, with the slope (lower + upper) / 2.

    References
    ----------
    B. Xu, N. Wang, T. Chen, M. Li, "Empirical Evaluation of Rectified Activations in Convolutional
    Network", arXiv 1505.00853; ``torch.nn.functional.rrelu`` with ``training=True``.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, not {type(rng).__name__}")
    if not -np.inf < lower <= upper < np.inf:
        raise ValueError(f"lower and upper must be finite and in order, not {lower} and {upper}")
    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise TypeError(f"x must hold real numbers, not {x.dtype}")
    dtype = np.exp.resolve_dtypes((x.dtype, None))[1]
    drawn = rng.uniform(lower, upper, x.shape)
    slopes = np.where(x > 0, 1, drawn).astype(dtype, copy=False)
    return np.asarray(elementwise["prelu"](x.astype(dtype, copy=False), slopes)), slopes
