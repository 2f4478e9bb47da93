"""The callable objects of row functions: softmax and its kind, along an axis."""

# Design:
# - What lies in one piece of memory goes to the kernels as runs of rows, whatever the axis: they
#   see all axes at once and hand threads more than NumPy's iterator would. Everything else is the
#   generalised ufunc's.
# - NumPy makes an output whose axis of the rows is the last one in memory. Here it lies as x does.
# - A masked or missing element has no weight: it counts as the element of least weight, and is
#   missing in the result.

import inspect
import operator
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy import ndarray

from s3s4 import _containers, _cpu, _explain, _route
from s3s4._containers import Taken
from s3s4._cpu import outputs, threads
from s3s4._description import Described
from s3s4._device_arrays import lies_on_device
from s3s4._row_axes import over_axes, several
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

    Examples
    --------
    >>> from s3s4 import softmax
    >>> softmax([[0.0, 0.0], [0.0, -800.0]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """

    __module__ = "s3s4"

    def __init__(self, name: str, doc: str, doc_vjp: str) -> None:
        notes = f"Notes\n-----\n`backward` gives {doc_vjp}\n\n"
        doc = f"{doc}\n{PARAMETERS}\n{notes}{EXAMPLES.format(name)}"
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
        if type(out) is tuple and len(out) == 1:
            (out,) = out
        if device is None and not options:
            result = self._in_one_piece(self.name, (x,), axis, out)
            if result is not None:
                return result
        backend = _route.of_rows(("x",), (x,), device)
        if backend is not None:
            return self._on_gpu(backend, self.name, (x,), axis, out, options)
        unknown = options.keys() - OPTIONS
        if unknown:
            raise _explain.unknown(self.name, ("x", "axis"), unknown)
        if _containers.takes_ufuncs(x) and not _containers.is_known(x):
            return self._ufunc(x, axis=_index(axis), out=out, **options)
        taken = _containers.take("x", x)
        array = taken.array
        if _containers.is_lazy(array):
            lazy = (
                over_axes(partial(self._ufunc, **options), (array,), axis, None)
                if axis is None or isinstance(axis, tuple)
                else self._ufunc(array, axis=_index(axis), **options)
            )
            return _containers.put((taken,), (lazy,), (None,), (out,))[0]
        if not (axis is None or isinstance(axis, tuple)):
            axis = self._axis(axis, array.ndim)
        if taken.rebuild is not None or _explain.is_narrow(array.dtype):
            wide = self._without(array, taken.missing)
            result = self(wide, axis, **options)
            if "dtype" not in options:
                result = result.astype(self._dtype(array), copy=False)
            return _containers.put((taken,), (result,), (taken.missing,), (out,))[0]
        if axis is None or isinstance(axis, tuple):
            return over_axes(partial(self, **options), (array,), axis, out)
        if out is None and options.keys() <= {"dtype"}:
            dtype = options.get("dtype")
            dtype = self._dtype(array) if dtype is None else np.dtype(dtype)
            out = outputs.new(array.size * dtype.itemsize, np.empty_like, array, dtype)
        try:
            return self._ufunc(array, axis=axis, out=out, **options)
        except (TypeError, ValueError) as error:
            raise _explain.explained_out(error, out, array.shape) from None

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
        device : {None, "auto", "cpu", "gpu"}
            Where NumPy's arrays are computed; one on a GPU stays there.

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
        GPUUnavailable
            If the GPU was asked for and cannot be had.

        Examples
        --------
        >>> from s3s4 import softmax
        >>> softmax.backward([1.0, 0.0], [0.0, 0.0])
        array([ 0.25, -0.25])
        """
        if device is None:
            result = self._in_one_piece(f"{self.name}_vjp", (grad_output, x), axis, out)
            if result is not None:
                return result
        backend = _route.of_rows(("grad_output", "x"), (grad_output, x), device)
        if backend is not None:
            return self._on_gpu(backend, f"{self.name}_vjp", (grad_output, x), axis, out, {})
        given = {"grad_output": grad_output, "x": x}
        taken = {name: _containers.take(name, value) for name, value in given.items()}
        _containers.require_equal_labels(taken)
        grad, array = (one.array for one in taken.values())
        if _containers.is_lazy(array) or _containers.is_lazy(grad):
            lazy = (
                over_axes(self._vjp, (grad, array), axis, None)
                if axis is None or isinstance(axis, tuple)
                else self._vjp(grad, array, axis=_index(axis))
            )
            return _containers.put((taken["x"],), (lazy,), (None,), (out,))[0]
        if not (axis is None or isinstance(axis, tuple)):
            axis = self._axis(axis, array.ndim)
        _require_fitting(grad.shape, array.shape)
        grad = np.broadcast_to(grad, array.shape)
        dtype = self._dtype(array)
        if hasattr(grad_output, "dtype"):
            dtype = np.result_type(dtype, grad)
        contained = {name: one for name, one in taken.items() if one.rebuild is not None}
        if contained or _explain.is_narrow(dtype):
            return self._contained_backward(taken, grad, axis, dtype, out)
        if axis is None or isinstance(axis, tuple):
            return over_axes(partial(self._vjp, dtype=dtype), (grad, array), axis, out)
        if out is None:
            out = outputs.new(array.size * dtype.itemsize, np.empty_like, array, dtype)
        try:
            return self._vjp(grad, array, axis=axis, out=out, dtype=dtype)
        except (TypeError, ValueError) as error:
            raise _explain.explained_out(error, out, array.shape) from None

    def _on_gpu(
        self,
        backend: ModuleType,
        function: str,
        values: tuple[Any, ...],
        axis: Any,
        out: Any,
        options: Mapping[str, Any],
    ) -> Any:
        """Arrays on a GPU, or NumPy's for which the call names it."""
        if options:
            raise TypeError(f"on the GPU {min(options)}= is not supported")
        if lies_on_device(values[-1]):
            axes = partial(self._axes, axis)
            return backend.over_rows_on_device(function, values, axes, out)
        *grad, x = map(np.asarray, values)
        dtype = np.result_type(self._dtype(x), *grad)
        if dtype.type not in _cpu.FLOATS:
            raise TypeError(f"a GPU computes float16, float32 and float64, not {dtype}")
        for one in grad:
            _require_fitting(one.shape, x.shape)
        arrays = [one.astype(dtype, copy=False) for one in (*grad, x)]
        result = backend.over_rows(function, arrays, self._axes(axis, x.ndim))
        if out is None:
            return result
        return _containers.put((_containers.PLAIN,), (result,), (None,), (out,))[0]

    def _axes(self, axis: Any, ndim: int) -> tuple[int, ...]:
        """The axes of an array of so many that a row lies along."""
        if axis is None or isinstance(axis, tuple):
            return several(axis, ndim)
        return (self._axis(axis, ndim) % ndim,)

    def _in_one_piece(self, name: str, inputs: tuple[Any, ...], axis: Any, out: Any) -> Any:
        """The result where all is plain and in one piece, or None."""
        threads.follow_block()
        evaluate_rows = _cpu.kernels.evaluate_rows
        nbytes = getattr(inputs[-1], "nbytes", 0) if out is None else 0
        if outputs.is_reused(nbytes):
            return outputs.new(nbytes, evaluate_rows, name, inputs, axis, out)
        return evaluate_rows(name, inputs, axis, out)

    def _contained_backward(
        self, taken: Mapping[str, Taken], grad: ndarray, axis: Any, dtype: np.dtype, out: Any
    ) -> Any:
        """The gradient of x in its container; what is missing has none, and gives none."""
        x = taken["x"]
        missing = x.missing
        if taken["grad_output"].missing is not None:
            unknown = np.broadcast_to(taken["grad_output"].missing, x.array.shape)
            missing = unknown if missing is None else missing | unknown
        if missing is not None:
            grad = np.where(missing, grad.dtype.type(0), grad)
        work = np.dtype(np.float32) if _explain.is_narrow(dtype) else dtype
        array = self._without(x.array, x.missing).astype(work, copy=False)
        result = self.backward(grad.astype(work, copy=False), array, axis)
        container = x if x.rebuild is not None or missing is None else taken["grad_output"]
        result = result.astype(dtype, copy=False)
        return _containers.put((container,), (result,), (missing,), (out,))[0]

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

        Examples
        --------
        >>> from s3s4 import softmax
        >>> softmax.jacobian([0.0, 0.0])
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])
        """
        if _route.of_rows(("x",), (x,), None) is not None:
            raise NotImplementedError("jacobian has no GPU kernel: copy x to the CPU first")
        taken = _containers.take_eager("x", x)
        array = taken.array
        axis = self._axis(axis, array.ndim)
        rows = np.moveaxis(self._without(array, taken.missing), axis, -1)
        dtype = self._dtype(array)
        work = np.dtype(np.float32) if _explain.is_narrow(dtype) else dtype
        # Row i is the product with the i-th unit vector.
        unit = np.eye(rows.shape[-1], dtype=work)
        result = self._vjp(unit, rows[..., np.newaxis, :], dtype=work).astype(dtype, copy=False)
        if taken.missing is not None:
            missing = np.moveaxis(taken.missing, axis, -1)
            missing = missing[..., np.newaxis, :] | missing[..., np.newaxis]
            result = _containers.without(result, missing, _containers.is_masked(x))
        return result

    def _without(self, array: ndarray, missing: ndarray | None) -> ndarray:
        """An array whose missing elements have no weight, of the type it is computed in."""
        dtype = self._dtype(array)
        work = np.dtype(np.float32) if _explain.is_narrow(dtype) else dtype
        array = array.astype(work, copy=False)
        if missing is None:
            return array
        least = np.inf if self.name == "softmin" else -np.inf
        return np.where(missing, work.type(least), array)

    def _dtype(self, x: ndarray) -> np.dtype:
        """Of the values at x."""
        if _explain.is_narrow(x.dtype):
            return x.dtype
        return self._ufunc.resolve_dtypes((x.dtype, None))[-1]

    def _axis(self, axis: object, ndim: int) -> int:
        if not ndim:
            raise ValueError(f"x must have at least one axis: {self.name} is a function of rows")
        index = _index(axis)
        if not -ndim <= index < ndim:
            raise ValueError(f"axis must be from {-ndim} to {ndim - 1}, not {index}")
        return index


PARAMETERS = """
Parameters
----------
x : array_like
    float16, float32, float64, long double, or what casts to one of them.
axis : int, tuple of int or None, default -1
    The axis of the rows, or several that are one row together; None: all.
out : ndarray, optional
    Where to put the result; it may be x.
device : {None, "auto", "cpu", "gpu"}
    Where NumPy's arrays are computed; one on a GPU stays there.
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
GPUUnavailable
    If the GPU was asked for and cannot be had.
"""

EXAMPLES = """Examples
--------
>>> import numpy as np
>>> from s3s4 import {0}
>>> x = np.zeros((3, 2))
>>> {0}(x, axis=0, out=x) is x
True
"""


def _require_fitting(gradient: tuple[int, ...], shape: tuple[int, ...]) -> None:
    try:
        fits = np.broadcast_shapes(gradient, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"grad_output of shape {gradient} does not fit the output's {shape}")


def _index(axis: Any) -> int:
    try:
        return operator.index(axis)
    except TypeError:
        raise TypeError(f"axis must be an integer, not {type(axis).__name__}") from None


row_activations: dict[str, RowActivation] = {
    name: RowActivation(name, *docs) for name, docs in ROWS.items()
}
"""Every row activation, by name."""
