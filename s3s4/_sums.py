"""Compensated sums of arrays: the gradients of what is broadcast, where no kernel adds them up."""

import numpy as np


def sum_to_shape(terms: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum terms over the axes that a shape is broadcast along.

    Parameters
    ----------
    terms : ndarray
        Of floating type.
    shape : tuple of int
        It broadcasts to that of the terms.

    Returns
    -------
    ndarray
        Of the shape and of the terms' type. What the additions round off is added at the end.
    """
    leading = terms.ndim - len(shape)
    axes = [axis for axis in range(terms.ndim) if axis < leading or shape[axis - leading] == 1]
    if not axes:
        return terms
    if not terms.size:
        return np.zeros(shape, terms.dtype)
    kept = [length for axis, length in enumerate(terms.shape) if axis not in axes]
    totals = np.moveaxis(terms, axes, range(len(axes))).reshape(-1, *kept)
    rests = np.zeros_like(totals)
    with np.errstate(all="ignore"):
        while len(totals) > 1:
            half = len(totals) // 2
            a, b, odd = totals[:half], totals[half : 2 * half], slice(2 * half, None)
            total = a + b
            part = total - a
            lost = (a - (total - part)) + (b - part)  # Knuth's two-sum
            rest = rests[:half] + rests[half : 2 * half] + lost
            totals = np.concatenate([total, totals[odd]])
            rests = np.concatenate([rest, rests[odd]])
        # What overflowed has no rest.
        np.add(totals, rests, out=totals, where=np.isfinite(totals))
    return totals.reshape(shape)
