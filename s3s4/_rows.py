"""The callable objects of row functions: softmax and its kind, along an axis."""

# Design:
# - What lies in one piece of memory goes to the kernels as runs of rows, whatever the axis: they
#   see all axes at once and hand threads more than NumPy's iterator would. Everything else is the
#   generalised ufunc's.
# - NumPy makes an output whose axis of the rows is the last one in memory. Here it lies as x does.

import inspect
import math
import operator
from functools import partial
from typing import Any

import numpy as np

from s3s4 import _cpu, _dispatch
from s3s4._activation import real
from s3s4._description import Described
from s3s4._device_arrays import lies_on_device, on_host
from s3s4._row_axes import over_axes
from s3s4._row_table import ROWS

OPTIONS = {"out", "dtype", "casting", "order", "subok", "signature"}


class RowActivation(Described):
    """An activation function of whole rows: what it makes of an element depends on all others.

    Calling it gives the values: ``activation(x, axis=-1, *, out=None, **options)``. Whatever
    implements ``__array_ufunc__`` or ``__array__`` may be given.

    Attributes
    ----------
    name : str
        The name of the activation, and of its generalised ufunc in `s3s4.ufuncs`.
    parameters : mapping of str to float
        Empty: row activations have none.
    """

    __module__ = "s3s4"

    def __init__(self, name: str, doc: str, doc_vjp: str) -> None:
        doc = f"{doc}\n{PARAMETERS}\nNotes\n-----\n`backward` gives {doc_vjp}\n"
        super().__init__(name, {}, doc)
        self._ufunc = _cpu.ufuncs[name]
        self._vjp = _cpu.ufuncs[f"{name}_vjp"]

    def __repr__(self) -> str:
        return f"<row activation {self.name}{inspect.signature(self)}>"

    def __call__(
        self,
        x: Any,
        axis: int | tuple[int, ...] | None = -1,
        *,
        out: Any = None,
        device: Any = None,
        **options: Any,
    ) -> Any:
        self._on_cpu(device, x)
        unknown = options.keys() - OPTIONS
        if unknown:
            raise TypeError(f"{self.name} got an unexpected argument {min(unknown)!r}")
        if axis is None or isinstance(axis, tuple):
            array = x if hasattr(x, "reshape") else real("x", on_host(x))
            return over_axes(partial(self, **options), (array,), axis, out)
        if type(x) is np.ndarray and not options:
            result = self._in_runs(self._ufunc, (x,), axis, out)
            if result is not None:
                return result
        if hasattr(type(x), "__array_ufunc__") and not isinstance(x, np.ndarray | np.generic):
            return self._ufunc(x, axis=_index(axis), out=out, **options)
        array = real("x", on_host(x))
        axis = self._axis(axis, array.ndim)
        if out is None and options.keys() <= {"dtype"}:
            dtype = options.get("dtype")
            out = np.empty_like(array, self._dtype(array) if dtype is None else dtype)
        try:
            return self._ufunc(array, axis=axis, out=out, **options)
        except (TypeError, ValueError) as error:
            raise _explained(error, out, array.shape) from None

    def backward(
        self,
        grad_output: Any,
        x: Any,
        axis: int | tuple[int, ...] | None = -1,
        *,
        out: Any = None,
        device: Any = None,
    ) -> Any:
        """The vector-Jacobian product: the gradient of x, without the Jacobian.

        Parameters
        ----------
        grad_output : array_like
            The gradient by the activation's output; broadcasts to the shape of x.
        x : array_like
            What the activation was applied to.
        axis : int, tuple of int or None, default -1
            The axis of the rows, or several that are one row together; None: all.
        out : ndarray, optional
            Where to put the result.
        device : {None, "auto", "cpu"}
            Row activations have no GPU kernels.

        Returns
        -------
        ndarray
            Of the shape of x.

        Raises
        ------
        TypeError
            If an argument does not hold real numbers.
        ValueError
            If shapes do not fit, or there is no such axis.
        NotImplementedError
            If a GPU or an array on one is asked for.
        """
        self._on_cpu(device, grad_output, x)
        grad, array = real("grad_output", on_host(grad_output)), real("x", on_host(x))
        result = self._in_runs(self._vjp, (grad, array), axis, out)
        if result is not None:
            return result
        index = -1 if axis is None or isinstance(axis, tuple) else self._axis(axis, array.ndim)
        try:
            grad = np.broadcast_to(grad, array.shape)
        except ValueError:
            raise ValueError(
                f"grad_output of shape {grad.shape} does not fit the output's {array.shape}"
            ) from None
        dtype = self._dtype(array)
        if isinstance(grad_output, np.ndarray | np.generic):
            dtype = np.result_type(dtype, grad)
        if axis is None or isinstance(axis, tuple):
            return over_axes(partial(self._vjp, dtype=dtype), (grad, array), axis, out)
        if out is None:
            out = np.empty_like(array, dtype)
        try:
            return self._vjp(grad, array, axis=index, out=out, dtype=dtype)
        except (TypeError, ValueError) as error:
            raise _explained(error, out, array.shape) from None

    def jacobian(self, x: Any, axis: int = -1) -> Any:
        """The full Jacobian of every row.

        Parameters
        ----------
        x : array_like
        axis : int, default -1
            The axis of the rows, of length n.

        Returns
        -------
        ndarray
            The shape of x without `axis`, then (n, n): at [..., i, j] the derivative of the
            output's element i by the input's element j.

        Raises
        ------
        TypeError
            If x does not hold real numbers.
        ValueError
            If there is no such axis.
        NotImplementedError
            If x is an array on a GPU.
        """
        self._on_cpu(None, x)
        array = real("x", on_host(x))
        rows = np.moveaxis(array, self._axis(axis, array.ndim), -1)
        dtype = self._dtype(array)
        # Row i is the product with the i-th unit vector.
        return self._vjp(np.eye(rows.shape[-1], dtype=dtype), rows[..., np.newaxis, :], dtype=dtype)

    def _in_runs(
        self, ufunc: np.ufunc, inputs: tuple[np.ndarray, ...], axis: object, out: Any
    ) -> np.ndarray | None:
        """The result, or None where it is NumPy's to compute, or to explain what is wrong."""
        x = inputs[-1]
        for array in inputs if out is None else (*inputs, out):
            if (
                type(array) is not np.ndarray
                or array.shape != x.shape
                or array.dtype != x.dtype
                or not array.flags.c_contiguous
            ):
                return None
        ndim = x.ndim
        if type(axis) is not int or not -ndim <= axis < ndim:
            return None
        if x.dtype.type not in _cpu.FLOATS or not x.dtype.isnative:
            return None
        result: np.ndarray = np.empty_like(x) if out is None else out
        if out is not None and not (
            out.flags.writeable and all(_cpu.apart(out, other) for other in inputs)
        ):
            return None
        axis %= ndim
        shape = (math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :]))
        _cpu.evaluate_rows(ufunc.__name__, tuple(a.reshape(shape) for a in (*inputs, result)))
        return result

    def _dtype(self, x: np.ndarray) -> np.dtype:
        """Of the values at x."""
        return self._ufunc.resolve_dtypes((x.dtype, None))[-1]

    def _axis(self, axis: object, ndim: int) -> int:
        if not ndim:
            raise ValueError(f"x must have at least one axis: {self.name} is a function of rows")
        index = _index(axis)
        if not -ndim <= index < ndim:
            raise ValueError(f"axis must be from {-ndim} to {ndim - 1}, not {index}")
        return index

    def _on_cpu(self, device: object, *values: Any) -> None:
        _cpu.threads.follow_block()
        if device is not None and _dispatch.wanted(device) == "gpu":
            raise NotImplementedError(f"{self.name} has no GPU kernel: device cannot be 'gpu'")
        if any(map(lies_on_device, values)):
            raise NotImplementedError(
                f"{self.name} has no GPU kernel: copy the array to the CPU first"
            )


PARAMETERS = """
Parameters
----------
x : array_like
    float16, float32, float64, long double, or what casts to one of them.
axis : int, tuple of int or None, default -1
    The axis of the rows, or several that are one row together; None: all.
out : ndarray, optional
    Where to put the result; it may be x.
device : {None, "auto", "cpu"}
    Row activations have no GPU kernels.
dtype, casting, order, subok
    As for any `numpy.ufunc`.

Returns
-------
ndarray
    Of the shape of x.

Raises
------
TypeError
    If x does not hold real numbers.
ValueError
    If there is no such axis, or out does not fit.
NotImplementedError
    If a GPU or an array on one is asked for.
"""


def _index(axis: object) -> int:
    try:
        return operator.index(axis)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"axis must be an integer, not {type(axis).__name__}") from None


def _explained(error: Exception, out: Any, shape: tuple[int, ...]) -> Exception:
    """The same error with what is wrong with out, where that can be told."""
    array = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    if isinstance(array, np.ndarray):
        if not array.flags.writeable:
            return ValueError("out is read-only")
        if array.shape != shape:
            return ValueError(f"out has shape {array.shape}, the result has {shape}")
    elif array is not None:
        return TypeError(f"out must be an array, not {type(array).__name__}")
    return error


row_activations: dict[str, RowActivation] = {
    name: RowActivation(name, *docs) for name, docs in ROWS.items()
}
"""Every row activation, by name."""
