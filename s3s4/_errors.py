"""The one error that is this package's own; all others are Python's."""


class GPUUnavailable(RuntimeError):
    """The GPU was asked for and cannot be had; says why, and what to install."""

    __module__ = "s3s4"
