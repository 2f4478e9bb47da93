"""Where the memory of large new outputs comes from."""

import operator

from s3s4 import _outputs
from s3s4._outputs import is_reused, new

__all__ = ["is_reused", "new", "reuse_outputs"]


def reuse_outputs(max_bytes: int) -> None:
    """Keep the memory of large outputs that nobody uses any longer for the next ones.

    More than half of the time of a large call without `out` goes into memory that is fresh from
    the system. This spares it: what NumPy frees of the arrays that the package has made, of a
    mebibyte or more each, is kept for its next ones. Other arrays are never concerned. A child of
    fork() begins with nothing kept.

    Parameters
    ----------
    max_bytes : int
        Never more is kept, beside the arrays in use. 0, as it is at the beginning: nothing is.
        Every call gives back to the system what is kept.

    Raises
    ------
    TypeError, ValueError
        If max_bytes is no integer of at least 0.

    Notes
    -----
    Kept memory counts as this process's. Code that keeps the address of an array without a
    reference to it will see the numbers of another one there.

    Examples
    --------
    >>> import numpy as np
    >>> import s3s4
    >>> s3s4.reuse_outputs(256 << 20)
    >>> x = np.ones(1 << 20)
    >>> y = s3s4.s4(x)
    >>> address = y.ctypes.data
    >>> del y
    >>> s3s4.s3(x).ctypes.data == address
    True
    >>> s3s4.reuse_outputs(0)
    """
    if isinstance(max_bytes, bool) or not hasattr(max_bytes, "__index__"):
        raise TypeError(f"max_bytes must be an integer, not {type(max_bytes).__name__}")
    number = operator.index(max_bytes)
    if not 0 <= number < 1 << 62:
        raise ValueError(f"max_bytes must be from 0 to 2**62, not {number}")
    _outputs.reuse(number)
