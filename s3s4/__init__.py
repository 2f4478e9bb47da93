"""S3 and S4 activation functions and their derivatives, as ufunc-like calls on NumPy arrays."""

from s3s4 import ufuncs
from s3s4._activation import Activation, activations, get
from s3s4._cpu import get_num_threads, set_num_threads, threads

globals().update(activations)

__all__ = [
    "Activation", "activations", "get", "get_num_threads", "set_num_threads", "threads", "ufuncs",
    *activations,
]  # fmt: skip
