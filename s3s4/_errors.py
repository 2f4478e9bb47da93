"""The one error that is this package's own; all others are Python's."""


class GPUUnavailable(RuntimeError):
    """The GPU was asked for and cannot be had; says why, and what to install.

    Examples
    --------
    >>> import s3s4
    >>> try:
    ...     y = s3s4.s4(0.0, device="gpu")
    ... except s3s4.GPUUnavailable:
    ...     y = s3s4.s4(0.0)
    >>> float(y)
    0.25
    """

    __module__ = "s3s4"
