"""S3 and S4 under the interface they were published with: objects that hold the parameters."""

from typing import Any

import numpy as np

from s3s4 import _cpu, _devices, _route
from s3s4._activation import elementwise
from s3s4._device_arrays import lies_on_device


class _Published:
    """Calls, `forward` and `backward` of one activation with fixed parameters."""

    _name: str

    def __init__(self, device: str, gpu_threshold: int | None) -> None:
        if _route.wanted(device) == "gpu":
            _devices.gpu()
        if gpu_threshold is not None and (
            isinstance(gpu_threshold, bool)
            or not isinstance(gpu_threshold, int)
            or gpu_threshold < 0
        ):
            raise ValueError(f"gpu_threshold must be a size or None, not {gpu_threshold!r}")
        self.device = device
        self.gpu_threshold = gpu_threshold

    def __call__(self, x: Any, derivative: bool = False) -> Any:
        """The values at x, or the derivatives by x."""
        activation = elementwise[self._name]
        call = activation.derivative if derivative else activation
        return call(x, *self._parameters(), device=self.device, gpu_threshold=self.gpu_threshold)

    def forward(self, x: Any) -> Any:
        """The values at x.

        Examples
        --------
        >>> from s3s4 import S4Activation
        >>> float(S4Activation(k=2.0).forward(0.0))
        0.25
        """
        return self(x)

    def backward(self, x: Any) -> Any:
        """The derivatives by x, where `s3s4.s4.backward` is the vector-Jacobian product.

        Examples
        --------
        >>> from s3s4 import S4Activation
        >>> float(S4Activation(k=1.0).backward(0.0))
        0.5
        """
        return self(x, derivative=True)

    def _parameters(self) -> tuple[Any, ...]:
        return ()

    @property
    def is_gpu_available(self) -> bool:
        """Whether this object could compute on a GPU.

        Examples
        --------
        >>> from s3s4 import S3Activation
        >>> S3Activation().is_gpu_available in (True, False)
        True
        """
        return _devices.available()

    def get_backend_info(self, x: Any) -> dict[str, Any]:
        """Where a call with x computes, and why.

        Examples
        --------
        >>> from s3s4 import S3Activation
        >>> found = S3Activation(device="cpu").get_backend_info([1.0, 2.0])
        >>> found["device"], found["size"], found["dtype"]
        ('cpu', 2, 'float64')
        """
        array = x if lies_on_device(x) else np.asarray(x)
        road, _ = _route.of_call(
            self._name, array, self._parameters(), (None,), {}, self.device, self.gpu_threshold
        )
        return {
            "device": "gpu" if road is _route.GPU else "cpu",
            "reason": _devices.status(),
            "variant": _cpu.variant.name,
            "threads": _cpu.get_num_threads(),
            "size": array.size,
            "dtype": str(array.dtype),
        }


class S3Activation(_Published):
    """S3 as an object.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}
        Where to compute.
    gpu_threshold : int, optional
        The size from which "auto" takes a GPU, in place of the measured one.

    Raises
    ------
    GPUUnavailable
        If device is "gpu" and there is none.

    Examples
    --------
    >>> from s3s4 import S3Activation
    >>> float(S3Activation()(0.0))
    0.5
    """

    _name = "s3"

    def __init__(self, device: str = "auto", gpu_threshold: int | None = None) -> None:
        super().__init__(device, gpu_threshold)

    def __repr__(self) -> str:
        return f"S3Activation(device={self.device!r}, gpu_threshold={self.gpu_threshold})"


class S4Activation(_Published):
    """S4 with a fixed steepness, as an object.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}
        Where to compute.
    k : array_like, default 5.0
        The steepness.
    gpu_threshold : int, optional
        The size from which "auto" takes a GPU, in place of the measured one.

    Raises
    ------
    GPUUnavailable
        If device is "gpu" and there is none.

    Examples
    --------
    >>> from s3s4 import S4Activation
    >>> float(S4Activation(k=1.0)(0.0, derivative=True))
    0.5
    """

    _name = "s4"

    def __init__(
        self, device: str = "auto", k: Any = 5.0, gpu_threshold: int | None = None
    ) -> None:
        super().__init__(device, gpu_threshold)
        self.k = k

    def _parameters(self) -> tuple[Any, ...]:
        return (self.k,)

    def __repr__(self) -> str:
        return (
            f"S4Activation(device={self.device!r}, k={self.k}, gpu_threshold={self.gpu_threshold})"
        )
