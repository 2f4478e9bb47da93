"""Gradients of whatever is no plain array of one dtype: cast, unmasked, lazy, each put back."""

# Design:
# - A masked or missing element has no weight and no gradient: its incoming gradient and its x are 0
#   in the sums, and it is missing in the results.

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy import ndarray

from s3s4 import _containers, _cpu, _explain
from s3s4._containers import Taken
from s3s4._sums import sum_to_shape

NUMBERS = (float, int)


def exp_dtype(x: Any, parameters: Sequence[Any]) -> np.dtype | None:
    """What np.exp makes of integers: a Python number beside them changes nothing."""
    dtype = getattr(x, "dtype", None)
    dtype = getattr(dtype, "numpy_dtype", dtype)
    integers = isinstance(dtype, np.dtype) and dtype.kind in "biu"
    if integers and all(type(parameter) in NUMBERS for parameter in parameters):
        return np.exp.resolve_dtypes((dtype, None))[1]
    return None


def outputs(out: Any, variables: Sequence[str]) -> tuple[Any, ...]:
    """The argument out as an array or None for each gradient.

    Raises
    ------
    TypeError
        If it is neither an array nor as many as there are gradients.
    ValueError
        If an array is read-only.
    """
    outs = out if isinstance(out, tuple) else (out,) + (None,) * (len(variables) - 1)
    if len(outs) != len(variables):
        names = ", ".join(variables)
        raise TypeError(f"out must hold {len(variables)} arrays ({names}), not {len(outs)}")
    for array in outs:
        if array is None:
            continue
        if not isinstance(array, ndarray):
            raise TypeError(f"out must be an array, not {type(array).__name__}")
        if not array.flags.writeable:
            raise ValueError("out is read-only")
    return outs


def gradients(
    name: str,
    defaults: Mapping[str, float],
    given: Mapping[str, Any],
    outs: Sequence[ndarray | None],
    backend: ModuleType,
) -> tuple[Any, ...]:
    """Gradients of x and of every parameter, in one pass.

    Parameters
    ----------
    name : str
        The activation.
    defaults : mapping of str to float
        Its parameters.
    given : mapping of str to array_like
        grad_output, x and the parameters.
    outs : sequence of ndarray or None
        Where to put the gradients.
    backend : module
        What sums arrays of one dtype: the CPU's or the GPU's.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes or labels do not fit.
    """
    taken = {key: _containers.take(key, value) for key, value in given.items()}
    _containers.require_equal_labels(taken)
    variables = [one for key, one in taken.items() if key != "grad_output"]
    found = {key: one.array for key, one in taken.items()}
    grad_shape = found["grad_output"].shape
    shape = _explain.shape_of({key: a for key, a in found.items() if key != "grad_output"})
    if not _broadcasts(grad_shape, shape):
        raise ValueError(f"grad_output of shape {grad_shape} does not fit the output's {shape}")
    if any(map(_containers.is_lazy, found.values())):
        dtype = exp_dtype(found["x"], ()) or found["x"].dtype
        weak = {key: dtype.type(v) for key, v in given.items() if type(v) in NUMBERS}
        results = _by_derivatives(name, {**found, **weak}, {})
        return _containers.put(variables, results, [None] * len(outs), outs)
    missing = _missing(list(taken.values()), shape)
    if missing is not None:
        for key in ("grad_output", "x"):
            found[key] = np.where(missing, found[key].dtype.type(0), found[key])
        for key, default in defaults.items():
            hidden = taken[key].missing
            if hidden is not None:
                found[key] = np.where(hidden, default, found[key])
    dtype = _dtype(name, given, found)
    work = np.dtype(np.float32) if _explain.is_narrow(dtype) else dtype
    if work.type in _cpu.FLOATS:
        _cpu.threads.follow_block()
        grad, x, *parameters = (a.astype(work, copy=False) for a in found.values())
        results = backend.backward(name, grad, x, parameters)
    else:
        results = _by_derivatives(name, found, {"dtype": work})
    variables[0] = _container(taken, shape)
    sums = [
        _summed(result, taken[key].array.shape).astype(dtype, copy=False)
        for key, result in zip(("x", *defaults), results, strict=True)
    ]
    gaps = [
        None if one.rebuild is None or missing is None else _gap(missing, gradient.shape)
        for one, gradient in zip(variables, sums, strict=True)
    ]
    return _containers.put(variables, sums, gaps, outs)


def _by_derivatives(
    name: str, found: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Product by product, for what the kernels' sums do not take: long double and lazy arrays."""
    grad, *inputs = found.values()
    with np.errstate(all="ignore"):
        return tuple(
            _summed(grad * _cpu.ufuncs[f"{name}_d{key}"](*inputs, **options), found[key].shape)
            for key in found
            if key != "grad_output"
        )


def _missing(taken: Sequence[Taken], shape: tuple[int, ...]) -> ndarray | None:
    """Which elements of the result are made of something missing."""
    missing = None
    for one in taken:
        if one.missing is not None:
            missing = one.missing if missing is None else missing | one.missing
    return None if missing is None else np.broadcast_to(missing, shape)


def _container(taken: Mapping[str, Taken], shape: tuple[int, ...]) -> Taken:
    """What the gradient of x comes in: as x, or as what is missing where x knows of nothing."""
    x = taken["x"]
    if x.rebuild is None and x.array.shape == shape:
        for one in taken.values():
            fits = one.array.shape == shape or one.rebuild is _containers.as_masked
            if one.missing is not None and fits:
                return one
    return x


def _gap(missing: ndarray, shape: tuple[int, ...]) -> ndarray:
    """What is missing of a gradient: an element of which all repetitions are."""
    return np.asarray(missing.all(axis=_repeated(shape, missing.shape))).reshape(shape)


def _dtype(name: str, given: Mapping[str, Any], found: Mapping[str, ndarray]) -> np.dtype:
    _, x, *parameters = given.values()
    kinds: list[Any] = [
        type(value) if type(value) in NUMBERS else found[key].dtype for key, value in given.items()
    ]
    narrow: set[np.dtype] = {kind for kind in kinds if _explain.is_narrow(kind)}
    if narrow:
        others = [kind for kind in kinds if kind not in NUMBERS and kind not in narrow]
        if len(narrow) == 1 and not others:
            return narrow.pop()
        kinds = [np.dtype(np.float32) if kind in narrow else kind for kind in kinds]
    dtype = exp_dtype(x, parameters)
    if dtype is None:
        dtype = _cpu.ufuncs[name].resolve_dtypes((*kinds[1:], None))[-1]
    if isinstance(kinds[0], np.dtype):
        dtype = np.result_type(dtype, kinds[0])
    return np.dtype(dtype)


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of a shape broadcasts to another one."""
    return len(shape) <= len(to) and all(
        a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False)
    )


def _repeated(shape: tuple[int, ...], whole: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of a whole along which an array of a shape is repeated."""
    leading = len(whole) - len(shape)
    return tuple(range(leading)) + tuple(
        leading + axis
        for axis, length in enumerate(shape)
        if length == 1 and whole[leading + axis] != 1
    )


def _summed(gradient: Any, shape: tuple[int, ...]) -> Any:
    """Summed over what shape is broadcast along."""
    if not _containers.is_lazy(gradient):
        return sum_to_shape(gradient, shape)
    axes = _repeated(shape, gradient.shape)
    return gradient.sum(axis=axes).reshape(shape) if axes else gradient
