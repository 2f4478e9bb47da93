"""Every public ufunc of rows, over long and short rows along either axis.

# Design: as in bench_ufuncs.py, importing this file fails when one of them has no benchmark.
"""

from typing import ClassVar

import numpy as np

import s3s4

ROWS = [name for name, a in s3s4.activations.items() if isinstance(a, s3s4.RowActivation)]

PUBLIC = {
    name
    for name, value in vars(s3s4.ufuncs).items()
    if isinstance(value, np.ufunc) and value.signature is not None
}

MISSING = PUBLIC ^ {f"{name}{suffix}" for name in ROWS for suffix in ("", "_vjp")}

if MISSING:
    raise NotImplementedError(f"without a benchmark: {sorted(MISSING)}")


class Rows:
    """Time a row activation with its output given, which is its ufunc's work and little more."""

    params: ClassVar = [
        ROWS,
        ["float16", "float32", "float64"],
        [(1000, 1000), (100_000, 10), (1, 1_000_000)],
        [0, 1],
    ]
    param_names: ClassVar = ["activation", "dtype", "shape", "axis"]

    def setup(self, name: str, dtype: str, shape: tuple[int, int], axis: int) -> None:
        """Make the arguments and call once, which starts the threads."""
        self.activation = s3s4.activations[name]
        self.x = np.linspace(-12, 12, shape[0] * shape[1]).astype(dtype).reshape(shape)
        self.grad = self.x[::-1].copy()
        self.out = np.zeros_like(self.x)
        self.activation(self.x, axis, out=self.out)

    def time_call(self, name: str, dtype: str, shape: tuple[int, int], axis: int) -> None:
        """Compute the values."""
        self.activation(self.x, axis, out=self.out)

    def time_backward(self, name: str, dtype: str, shape: tuple[int, int], axis: int) -> None:
        """Compute the vector-Jacobian product."""
        self.activation.backward(self.grad, self.x, axis, out=self.out)
