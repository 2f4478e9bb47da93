"""What the Python front adds, and what no single ufunc does."""

import subprocess
import sys
from typing import ClassVar

import numpy as np

import s3s4

ELEMENTWISE = sorted(name for name, a in s3s4.activations.items() if isinstance(a, s3s4.Activation))


class Front:
    """Time the public objects on tiny and on large arrays."""

    params: ClassVar = [ELEMENTWISE, [10, 10**6]]
    param_names: ClassVar = ["activation", "n"]
    rounds, repeat, sample_time, warmup_time = 1, 5, 0.005, 0.01

    def setup(self, name: str, n: int) -> None:
        """Make the input."""
        self.activation = s3s4.activations[name]
        self.x = np.linspace(-12, 12, n)
        self.grad = np.ones(n)

    def time_call(self, name: str, n: int) -> None:
        """Call into a new output."""
        self.activation(self.x)

    def time_value_and_derivative(self, name: str, n: int) -> None:
        """Compute both in one pass."""
        self.activation.value_and_derivative(self.x)

    def time_backward(self, name: str, n: int) -> None:
        """Compute every gradient in one pass."""
        self.activation.backward(self.grad, self.x)


class Layout:
    """Time what is not contiguous: one activation that computes and one that only moves bytes."""

    params: ClassVar = [["s4", "relu"], ["float32", "float64"]]
    param_names: ClassVar = ["activation", "dtype"]

    def setup(self, name: str, dtype: str) -> None:
        """Make the inputs."""
        self.activation = s3s4.activations[name]
        self.table = np.linspace(-12, 12, 10**6).reshape(1000, 1000).astype(dtype)
        self.swapped = self.table.astype(self.table.dtype.newbyteorder())

    def time_transposed_into_c_order(self, name: str, dtype: str) -> None:
        """Read along columns, write along rows."""
        self.activation(self.table.T, order="C")

    def time_strided(self, name: str, dtype: str) -> None:
        """Read every other column."""
        self.activation(self.table[:, ::2])

    def time_foreign_byte_order(self, name: str, dtype: str) -> None:
        """Read the other byte order."""
        self.activation(self.swapped)


class Start:
    """Time a fresh process."""

    def time_import(self) -> None:
        """Import, with NumPy."""
        subprocess.run([sys.executable, "-c", "import s3s4"], check=True)
