"""Every public ufunc of single elements at a size in cache and at one that uses threads.

# Design: the list comes from the activations and their parameters, not from the module of ufuncs,
# so that a ufunc which no activation accounts for is noticed: importing this file then fails.
"""

from itertools import combinations_with_replacement
from typing import ClassVar

import numpy as np

import s3s4


def expected() -> dict[str, tuple[float, ...]]:
    """Return the names of all ufuncs, with the default values of their parameters."""
    ufuncs = {}
    for name, activation in s3s4.activations.items():
        if not isinstance(activation, s3s4.Activation):
            continue
        defaults = tuple(activation.parameters.values())
        inputs = ("x", *activation.parameters)
        pairs = map("".join, combinations_with_replacement(inputs, 2))
        for suffix in ("", "_value_dx", *(f"_d{by}" for by in (*inputs, *pairs))):
            ufuncs[name + suffix] = defaults
    return ufuncs


UFUNCS = expected()

PUBLIC = {
    name
    for name, value in vars(s3s4.ufuncs).items()
    if isinstance(value, np.ufunc) and value.signature is None
}

MISSING = PUBLIC ^ set(UFUNCS)

if MISSING:
    raise NotImplementedError(f"without a benchmark: {sorted(MISSING)}")


class Ufunc:
    """Time a ufunc with its output given."""

    params: ClassVar = [sorted(UFUNCS), ["float32", "float64"], [100, 10**6]]
    param_names: ClassVar = ["ufunc", "dtype", "n"]
    # Hundreds of kernels: enough draws to see a regression, and not a second for each.
    rounds, repeat, sample_time, warmup_time = 1, 5, 0.005, 0.01

    def setup(self, name: str, dtype: str, n: int) -> None:
        """Make the arguments and call once, which starts the threads."""
        self.ufunc = getattr(s3s4.ufuncs, name)
        self.arguments = (np.linspace(-12, 12, n).astype(dtype), *UFUNCS[name])
        self.out = tuple(np.zeros(n, dtype) for _ in range(self.ufunc.nout))
        self.ufunc(*self.arguments, out=self.out)

    def time_ufunc(self, name: str, dtype: str, n: int) -> None:
        """Call."""
        self.ufunc(*self.arguments, out=self.out)
