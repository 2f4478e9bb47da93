"""The randomised rectifier in training, where every element left of zero has a slope of its own."""

from typing import Any

import numpy as np

from s3s4 import _containers
from s3s4._activation import elementwise


def rrelu_training(
    x: Any, rng: np.random.Generator, lower: float = 1 / 8, upper: float = 1 / 3
) -> tuple[Any, Any]:
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
        Of the shape of x, and masked or missing where x is: ``y = slopes * x``, where the slope
        is 1 for x > 0. The gradient by x is ``grad_output * slopes``.

    Raises
    ------
    TypeError
        If rng is not a generator, x does not hold real numbers, or lower or upper is no number.
    ValueError
        If lower or upper is not finite, or lower > upper.

    See Also
    --------
    rrelu : The form for evaluation, with the slope (lower + upper) / 2.

    Examples
    --------
    >>> import numpy as np
    >>> from s3s4 import rrelu_training
    >>> y, slopes = rrelu_training(np.array([-1.0, 2.0]), np.random.default_rng(0))
    >>> bool(y[0] == -slopes[0]), float(y[1]), float(slopes[1])
    (True, 2.0, 1.0)

    References
    ----------
    B. Xu, N. Wang, T. Chen, M. Li, "Empirical Evaluation of Rectified Activations in Convolutional
    Network", arXiv 1505.00853; ``torch.nn.functional.rrelu`` with ``training=True``.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, not {type(rng).__name__}")
    for name, value in (("lower", lower), ("upper", upper)):
        if np.ndim(value):
            raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not -np.inf < lower <= upper < np.inf:
        raise ValueError(f"lower and upper must be finite and in order, not {lower} and {upper}")
    taken = _containers.take_eager("x", x)
    array = taken.array
    dtype = elementwise["relu"](array[:0] if array.ndim else array).dtype
    drawn = rng.uniform(lower, upper, array.shape)
    slopes = np.where(array > 0, 1, drawn).astype(dtype, copy=False)
    y = elementwise["prelu"](array.astype(dtype, copy=False), slopes)
    return tuple(
        _containers.rebuilt(taken, part, taken.missing) for part in (np.asarray(y), slopes)
    )
