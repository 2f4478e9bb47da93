"""Arrays with labels, masks and missing values: as plain arrays, and back again."""

# Design:
# - No library is imported: each is known by what its types can do.
# - A masked or missing element has a number under it that means nothing. Whoever computes with the
#   plain array puts a harmless one there, and gives what is missing to the way back.
# - Single elements of one argument are left to the container's own __array_ufunc__. Here is what
#   that cannot do: gradients and rows, which mix elements, and pandas' frames and polars' series,
#   which give up types or missing values when a ufunc has parameters.

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from s3s4._device_arrays import on_host
from s3s4._explain import real

Rebuild = Callable[[Any, ndarray | None], Any]


class Taken(NamedTuple):
    """A value as a plain array.

    Attributes
    ----------
    array : ndarray
        What it holds; a lazy array of dask's as it is.
    missing : ndarray of bool, optional
        Which of its elements are masked or missing, of its shape.
    labels : sequence
        What aligns it with others, axis by axis.
    rebuild : callable, optional
        Makes a container of its kind from an array of its shape and what is missing there.
    """

    array: Any
    missing: ndarray | None = None
    labels: Sequence[Any] = ()
    rebuild: Rebuild | None = None


def take(name: str, value: Any) -> Taken:
    """A value as a plain array of real numbers, with all that its container adds.

    Raises
    ------
    TypeError
        If it does not hold real numbers.
    """
    for is_one, take_one in CONTAINERS if type(value) is not ndarray else ():
        if is_one(value):
            return take_one(name, value)
    return Taken(real(name, on_host(name, value)))


def take_eager(name: str, value: Any) -> Taken:
    """The same for what needs all elements at once: a lazy array is refused.

    Raises
    ------
    TypeError
        If it is one, or does not hold real numbers.
    """
    taken = take(name, value)
    if is_lazy(taken.array):
        raise TypeError(f"{name} is a lazy array: compute() it first, or use map_blocks")
    return taken


def is_known(value: Any) -> bool:
    """Whether `take` knows the container: others are left to what they make of a ufunc."""
    return any(is_one(value) for is_one, _ in CONTAINERS)


def rebuilt(taken: Taken, array: Any, missing: ndarray | None) -> Any:
    """An array in the container that another one came in."""
    return array if taken.rebuild is None else taken.rebuild(array, missing)


def without(array: ndarray, missing: ndarray, masked: bool) -> Any:
    """An array of its own with some elements missing: masked, or NaN."""
    return as_masked(array, missing) if masked else _as_nan(array, missing)


def require_room(
    results: Sequence[Any], gaps: Sequence[ndarray | None], outs: Sequence[Any]
) -> None:
    """Nothing, if arrays have room for results, or for whatever has their shapes and types.

    Raises
    ------
    TypeError
        If an array cannot hold its result's type, or what is missing in it.
    ValueError
        If an array has another shape.
    """
    for result, gap, out in zip(results, gaps, outs, strict=True):
        if out is None or out is result:
            continue
        if not isinstance(out, ndarray):
            raise TypeError(f"out must be an array, not {type(out).__name__}")
        if gap is not None and not is_masked(out):
            raise TypeError("out must be a masked array: elements are masked or missing")
        if out.shape != result.shape:
            raise ValueError(f"out has shape {out.shape}, the result has {result.shape}")
        if not np.can_cast(result.dtype, out.dtype, "same_kind"):
            raise TypeError(f"out of {out.dtype} cannot hold {result.dtype}")


def put(
    containers: Sequence[Taken],
    results: Sequence[Any],
    gaps: Sequence[ndarray | None],
    outs: Sequence[Any],
) -> tuple[Any, ...]:
    """Results in containers, or in arrays that were given; nothing is written unless all fit.

    Parameters
    ----------
    containers : sequence of Taken
        What each result is put into where there is no array for it.
    results : sequence of array
    gaps : sequence of ndarray of bool or None
        Which elements of each are missing, of its shape.
    outs : sequence of ndarray or None

    Raises
    ------
    TypeError, ValueError
        As `require_room` does.
    """
    require_room(results, gaps, outs)
    done: list[Any] = []
    for one, result, gap, out in zip(containers, results, gaps, outs, strict=True):
        if out is not None and out is not result:
            with np.errstate(all="ignore"):
                out[...] = result if gap is None else np.ma.array(result, mask=gap)
        done.append(rebuilt(one, result, gap) if out is None else out)
    return tuple(done)


PLAIN = Taken(None)
"""The container of a plain array."""


def is_frame(value: Any) -> bool:
    """Whether a value is a table of pandas' kind, whose columns have types of their own."""
    return hasattr(type(value), "isetitem")


def is_polars(value: Any) -> bool:
    """Whether a value is a series of polars' kind, which knows ufuncs of one series alone."""
    return hasattr(type(value), "scatter") and hasattr(type(value), "null_count")


def is_lazy(value: Any) -> bool:
    """Whether a value is an array of dask's kind, computed when it is asked for."""
    return hasattr(type(value), "__dask_graph__") and not hasattr(type(value), "dims")


def takes_ufuncs(value: Any) -> bool:
    """Whether a value is no array of NumPy's and computes ufuncs itself."""
    return hasattr(type(value), "__array_ufunc__") and not isinstance(value, ndarray | np.generic)


def is_contained(value: Any) -> bool:
    """Whether a value carries labels, a mask or laziness that an array would lose."""
    return takes_ufuncs(value) or is_masked(value)


def is_masked(value: Any) -> bool:
    """Whether a value is an array with a mask: NumPy's or of astropy's kind."""
    return isinstance(value, np.ma.MaskedArray) or (
        isinstance(value, ndarray) and hasattr(type(value), "from_unmasked")
    )


def is_named(value: Any) -> bool:
    """Whether a value is an array of xarray's kind, whose axes have names."""
    return hasattr(type(value), "dims") and hasattr(type(value), "data")


def is_series(value: Any) -> bool:
    """Whether a value is a column of pandas' kind: a Series, an Index, an extension array."""
    return hasattr(type(value), "isna") and hasattr(type(value), "to_numpy")


def is_arrow(value: Any) -> bool:
    """Whether a value is an array of pyarrow's kind."""
    return hasattr(type(value), "fill_null") and hasattr(type(value), "type")


def rebuilt_from(taken: Sequence[Taken], result: Any) -> Any:
    """Results of single elements, in the first container among the arguments."""
    if isinstance(result, tuple):
        return tuple(rebuilt_from(taken, one) for one in result)
    missing = None
    for one in taken:
        if one.missing is not None:
            missing = one.missing if missing is None else missing | one.missing
    for one in taken:
        if one.rebuild is not None and one.array.shape == result.shape:
            return one.rebuild(result, missing)
    return result if missing is None else _as_nan(result, missing)


def by_columns(function: Callable[..., Any], values: Sequence[Any]) -> Any:
    """A function of values of which some are frames, column by column."""
    frames = [value for value in values if is_frame(value)]
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.align(frame)[0]
    rows, count = whole.shape
    columns = []
    for value in values:
        if is_frame(value):
            aligned = whole.align(value)[1]
            columns.append([column for _, column in aligned.items()])
        elif not np.ndim(value):
            columns.append([value] * count)
        elif takes_ufuncs(value):
            raise TypeError(
                f"a DataFrame goes with numbers, arrays and DataFrames, not {type(value).__name__}"
            )
        else:
            columns.append(list(np.broadcast_to(value, (rows, count)).T))
    results = [function(*column) for column in zip(*columns, strict=True)]
    if results and isinstance(results[0], tuple):
        return tuple(_frame_of(whole, parts) for parts in zip(*results, strict=True))
    return _frame_of(whole, results)


def require_equal_labels(taken: Mapping[str, Taken]) -> None:
    """Raise unless all values that have labels have the same: sums would mix what differs.

    Raises
    ------
    ValueError
        If two do not, with their names.
    """
    labelled = {name: one.labels for name, one in taken.items() if one.labels}
    for name, labels in labelled.items():
        first = next(iter(labelled))
        if len(labels) != len(labelled[first]) or not all(
            type(a) is type(b) and (a.equals(b) if hasattr(a, "equals") else a == b)
            for a, b in zip(labels, labelled[first], strict=True)
        ):
            raise ValueError(f"{first} and {name} have different labels: align them first")


def _frame_of(like: Any, columns: Sequence[Any]) -> Any:
    frame = like.copy()
    for index, column in enumerate(columns):
        frame.isetitem(index, column)
    return frame


def _take_masked(name: str, array: Any) -> Taken:
    if isinstance(array, np.ma.MaskedArray):
        return Taken(real(name, array.data), _any(np.ma.getmaskarray(array)), (), as_masked)
    mask = _any(np.asarray(array.mask))

    def rebuild(result: ndarray, missing: ndarray | None) -> Any:
        return type(array).from_unmasked(result, mask=False if missing is None else missing)

    return Taken(real(name, array.unmasked), mask, (), rebuild)


def _take_lazy(name: str, array: Any) -> Taken:
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    return Taken(array)


def _take_frame(name: str, frame: Any) -> Taken:
    taken = [take(name, column) for _, column in frame.items()]
    if not taken:
        return Taken(np.empty(frame.shape), None, tuple(frame.axes), lambda array, _: frame.copy())
    missing = None
    if any(one.missing is not None for one in taken):
        none = np.zeros(len(frame), bool)
        missing = np.stack([none if o.missing is None else o.missing for o in taken], axis=1)

    def rebuild(array: ndarray, missing: ndarray | None) -> Any:
        return _frame_of(
            frame,
            [
                rebuilt(one, array[:, i], None if missing is None else missing[:, i])
                for i, one in enumerate(taken)
            ],
        )

    whole = np.stack([one.array for one in taken], axis=1)
    return Taken(whole, missing, tuple(frame.axes), rebuild)


def _take_series(name: str, series: Any) -> Taken:
    """Pandas' Series, Index and extension arrays."""
    labels = tuple(series.axes) if hasattr(series, "axes") else ()
    narrow: Any = getattr(series.dtype, "numpy_dtype", None)
    extended = narrow is not None and not isinstance(series.dtype, np.dtype)
    if extended and narrow.kind in "fiub":
        missing = _any(np.asarray(series.isna()))
        array = real(name, series.to_numpy(dtype=narrow, na_value=narrow.type(0)))
    else:
        missing, array = None, real(name, series)

    def rebuild(array: ndarray, missing: ndarray | None) -> Any:
        if not labels:
            return _as_nan(array, missing)
        result = type(series)(array, index=series.index, name=series.name)
        if extended:
            result = result.astype(_nullable(series.dtype, array.dtype))
        return result if missing is None else result.mask(missing)

    return Taken(array, missing, labels, rebuild)


def _nullable(like: Any, dtype: np.dtype) -> str:
    """Pandas' name of a float dtype that can miss values, of the family of another one."""
    if hasattr(like, "pyarrow_dtype"):
        arrow = {"float16": "halffloat", "float32": "float"}.get(dtype.name, "double")
        return f"{arrow}[pyarrow]"
    return "Float64" if dtype.itemsize > 4 else "Float32"


def _take_named(name: str, array: Any) -> Taken:
    """Xarray's DataArray: its axes have names, and perhaps labels."""
    inner = take(name, array.data)
    labels = tuple((dim, array.indexes.get(dim)) for dim in array.dims)
    flat = tuple(part for pair in labels for part in pair if part is not None)

    def rebuild(result: Any, missing: ndarray | None) -> Any:
        return array.copy(data=rebuilt(inner, result, missing))

    return Taken(inner.array, inner.missing, flat, rebuild)


def _take_polars(name: str, series: Any) -> Taken:
    if not (series.dtype.is_numeric() or str(series.dtype) == "Boolean"):
        raise TypeError(f"{name} must hold real numbers, not {series.dtype}")
    missing = None
    if series.null_count():
        missing = series.is_null().to_numpy()
        series = series.fill_null(False if str(series.dtype) == "Boolean" else 0)

    def rebuild(array: ndarray, missing: ndarray | None) -> Any:
        result = type(series)(series.name, array)
        return result if missing is None else result.scatter(np.flatnonzero(missing), None)

    return Taken(real(name, series.to_numpy()), missing, (), rebuild)


def _take_arrow(name: str, array: Any) -> Taken:
    if not array.null_count:
        return Taken(real(name, array))
    missing = array.is_null().to_numpy(zero_copy_only=False)
    filled = array.fill_null(False if str(array.type) == "bool" else 0)
    return Taken(real(name, filled.to_numpy(zero_copy_only=False)), missing, (), _as_nan)


def _any(missing: ndarray) -> ndarray | None:
    return missing if missing.any() else None


def as_masked(array: ndarray, missing: ndarray | None) -> Any:
    """An array with a mask, of any shape."""
    return np.ma.array(array, mask=False if missing is None else missing)


def _as_nan(array: ndarray, missing: ndarray | None) -> ndarray:
    return array if missing is None else np.where(missing, array.dtype.type(np.nan), array)


CONTAINERS: tuple[tuple[Callable[[Any], bool], Callable[[str, Any], Taken]], ...] = (
    (is_masked, _take_masked),
    (is_frame, _take_frame),
    (is_lazy, _take_lazy),
    (is_named, _take_named),
    (is_series, _take_series),
    (is_polars, _take_polars),
    (is_arrow, _take_arrow),
)
"""Which container is taken how; the first that fits."""
