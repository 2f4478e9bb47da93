"""The CPU: which variant of the kernels runs, on how many threads, over which memory.

The only importer of a kernels module.
"""

# Design:
# - A variant is one shared object for one instruction set. It is picked here, once, at import;
#   nothing public lives in it, so that a pickle made under one variant loads under another.
# - The default number of threads is what OpenMP would take, cut to the processors this process may
#   use and to its cgroup's quota: OpenMP knows nothing of quotas and would be throttled.
# - A ufunc's inner loop sees one axis at a time. Large arrays of any other layout are handed to the
#   kernels whole; what is left to NumPy is what it does in one piece anyway, and all odd cases.

import importlib
import math
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

try:
    from s3s4 import _isa
except ImportError as error:
    raise ImportError(
        f"the compiled part of s3s4 is missing beside {__file__}: install the package "
        "(pip install .) and do not import it from its source folder"
    ) from error

version: str = _isa.version
FIRST_SLOT = np.zeros((), np.intp)
FLOATS = (np.float16, np.float32, np.float64)
PLAIN = {"baseline", "generic", "serial"}
VARIANTS = tuple(v for v in _isa.built() if v in PLAIN | _isa.supported())
"""The variants this processor can run, best first."""


def load(variant: str) -> ModuleType:
    """Import the kernels module of a variant.

    Raises
    ------
    ImportError
        If this build has no such variant or this processor cannot run it.
    """
    if variant not in VARIANTS:
        reason = (
            f"this processor cannot run it, only {', '.join(VARIANTS)}"
            if variant in _isa.built()
            else f"this build has {', '.join(_isa.built())}"
        )
        raise ImportError(f"no variant {variant!r} of the s3s4 kernels: {reason}")
    return importlib.import_module(f"s3s4._kernels_{variant}")


def _choose() -> tuple[str, ModuleType]:
    forced = os.environ.get("S3S4_ISA")
    if forced:
        try:
            return forced, load(forced)
        except ImportError as error:
            raise ImportError(f"S3S4_ISA={forced}: {error}") from error
    try:
        return VARIANTS[0], load(VARIANTS[0])
    except ImportError as error:
        # Late in a large process the loader has no thread-local storage left for OpenMP.
        if "static TLS" not in str(error):
            raise
        warnings.warn(f"s3s4 runs on one thread: {error}", RuntimeWarning, stacklevel=3)
        return "serial", load("serial")


variant, kernels = _choose()
ufuncs: dict[str, np.ufunc] = kernels.ufuncs


# --- Threads ---


def set_num_threads(n: int) -> None:
    """Set the number of threads that large calls use, in the whole process.

    Parameters
    ----------
    n : int
        At least 1. It may exceed the number of processors.

    Raises
    ------
    TypeError, ValueError
        If n is not an integer of at least 1.
    """
    kernels.set_process_threads(_checked_threads("n", n))


def get_num_threads() -> int:
    """The number of threads a large call made here and now may use.

    It is 1 in a forked child, inside another OpenMP parallel region, and wherever a library has
    limited OpenMP's threads (as threadpoolctl does) to 1.
    """
    return int(kernels.threads_now())


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Use n threads within a `with` block, for calls from this Python thread alone.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If n is not an integer of at least 1.
    """
    before = kernels.get_local_threads()
    kernels.set_local_threads(_checked_threads("n", n))
    try:
        yield
    finally:
        kernels.set_local_threads(before)


def parallel_size(name: str, dtype: np.dtype) -> int:
    """The number of elements from which on a function of the table uses threads."""
    return int(kernels.parallel_size(name, dtype == np.float64, False))


def usual_parallel_size(name: str, dtype: np.dtype) -> int:
    """The same by the kernels' constant, before anything was measured."""
    return int(kernels.parallel_size(name, dtype == np.float64, True))


def set_parallel_size(name: str, dtype: np.dtype, n: int) -> None:
    """Set it for one function; all others of the dtype follow by the work they do."""
    kernels.set_parallel_size(name, dtype == np.float64, n)


def _checked_threads(name: str, n: object) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"{name} must be an integer, not {type(n).__name__}")
    number = n.__index__()
    if not 1 <= number < 2**31:
        raise ValueError(f"{name} must be at least 1, not {number}")
    return int(number)


def default_threads(root: Path = Path("/")) -> int:
    """The number of threads to start with; `root` is where /proc and /sys are found."""
    wanted = os.environ.get("S3S4_NUM_THREADS")
    if wanted:
        try:
            return _checked_threads("S3S4_NUM_THREADS", int(wanted))
        except ValueError:
            raise ValueError(
                f"S3S4_NUM_THREADS must be an integer of at least 1, not {wanted!r}"
            ) from None
    limits = [int(kernels.openmp_max_threads())]
    if not os.environ.get("OMP_NUM_THREADS"):
        if hasattr(os, "sched_getaffinity"):
            limits.append(len(os.sched_getaffinity(0)))
        if sys.platform == "linux":
            limits += _quotas(root)
    return max(1, min(limits))


def _quotas(root: Path) -> Iterator[int]:
    """Processors' worth of time that the cgroups of this process allow, version 2 and 1."""
    folders = [root / "sys/fs/cgroup"]
    try:
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or "cpu" in controllers.split(","):
                base = folders[0] / controllers
                own = base / path.lstrip("/")
                folders += [own, *(p for p in own.parents if p.is_relative_to(base))]
    except (OSError, ValueError):
        pass
    for folder in dict.fromkeys([*folders, folders[0] / "cpu"]):
        try:
            if (folder / "cpu.max").exists():
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota = (folder / "cpu.cfs_quota_us").read_text()
                period = (folder / "cpu.cfs_period_us").read_text()
            if quota != "max" and int(quota) > 0:
                yield math.ceil(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue


kernels.set_process_threads(default_threads())


def openmp_runtime() -> str | None:
    """The OpenMP runtime in this process, if the kernels were built with it."""
    if not kernels.openmp_version:
        return None
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return f"OpenMP {kernels.openmp_version}"
    loaded = {Path(line.split()[-1]).name for line in maps.splitlines() if "omp" in line}
    return ", ".join(sorted(n for n in loaded if n.startswith(("libgomp", "libomp", "libiomp"))))


# --- Memory ---


def evaluate(
    name: str, x: Any, parameters: Sequence[Any], outs: Sequence[Any]
) -> tuple[np.ndarray, ...] | None:
    """Values of a function of the table over large arrays, in threads whatever their layout.

    Parameters
    ----------
    name : str
        The function.
    x : ndarray
        Its first argument.
    parameters : sequence of array_like
        The others.
    outs : sequence of ndarray or None
        Where to put the results; None allocates.

    Returns
    -------
    tuple of ndarray or None
        None where NumPy should do it: in one piece, or with casting, temporaries or an error.
    """
    dtype = x.dtype
    if dtype.type not in FLOATS:
        return None
    arrays = [a for p in parameters if (a := _operand(p, dtype.type)) is not None]
    if len(arrays) != len(parameters):
        return None
    given = [out for out in outs if out is not None]
    operands = [a for a in arrays if a.ndim] + given
    if dtype.isnative and _one_piece(x, operands):
        return None
    try:
        shape = _shape(x, arrays)
    except ValueError:
        return None
    for out in given:
        if type(out) is not np.ndarray or out.shape != shape or out.dtype.type is not dtype.type:
            return None
        if not out.flags.writeable:
            return None
        others = [x, *arrays, *(o for o in given if o is not out)]
        if not all(apart(out, other) for other in others):
            return None
    native = dtype.newbyteorder("=")
    results = tuple(
        out
        if out is not None
        else np.empty_like(x, native)
        if x.shape == shape
        else np.empty(shape, native)
        for out in outs
    )
    kernels.evaluate(name, _broadcast((x, *arrays), shape), results, len(arrays))
    return results


evaluate_rows = kernels.evaluate_rows


def _operand(value: Any, scalar: type[np.generic]) -> np.ndarray | None:
    """A parameter as an array of the loop's type, if that is the type NumPy would choose."""
    if type(value) is float or type(value) is int:
        return np.asarray(value, scalar)
    if (type(value) is np.ndarray or isinstance(value, np.generic)) and value.dtype.type is scalar:
        return np.asarray(value)
    return None


def _shape(x: np.ndarray, parameters: Sequence[np.ndarray]) -> tuple[int, ...]:
    """The shape they have together; to ask NumPy takes longer than to see that it is that of x."""
    if any(p.ndim for p in parameters):
        return np.broadcast_shapes(x.shape, *(p.shape for p in parameters))
    return x.shape


def _broadcast(arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Arrays of a shape; the kernels do it themselves for one without axes."""
    return tuple(a if a.shape == shape or not a.ndim else np.broadcast_to(a, shape) for a in arrays)


def _one_piece(x: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    """Whether NumPy's iterator would join all axes into one."""
    if not x.flags.forc:
        return False
    c_order, f_order = x.flags.c_contiguous, x.flags.f_contiguous
    return all(
        o.shape == x.shape
        and o.dtype == x.dtype
        and ((c_order and o.flags.c_contiguous) or (f_order and o.flags.f_contiguous))
        for o in others
    )


def apart(out: np.ndarray, other: np.ndarray) -> bool:
    """Whether out overlaps another array nowhere, or is exactly the same memory."""
    return not np.may_share_memory(out, other) or (
        out.ctypes.data == other.ctypes.data
        and out.strides == other.strides
        and out.shape == other.shape
    )


def backward(
    name: str, grad_output: np.ndarray, x: np.ndarray, parameters: Sequence[np.ndarray]
) -> tuple[np.ndarray, ...]:
    """Gradients of x and of every parameter, each summed to its shape, in one pass.

    Parameters
    ----------
    name : str
        The activation.
    grad_output, x : ndarray
    parameters : sequence of ndarray
        All of one dtype: float16, float32 or float64. grad_output broadcasts to the shape that
        x and the parameters have together.

    Returns
    -------
    tuple of ndarray
    """
    shape = _shape(x, parameters)
    variables = (x, *parameters)
    outputs = tuple(
        np.empty_like(v, v.dtype.newbyteorder("=")) if v.shape == shape else _sums(v, shape)
        for v in variables
    )
    inputs = (
        grad_output if grad_output.shape == shape else np.broadcast_to(grad_output, shape),
        *_broadcast(variables, shape),
    )
    kernels.evaluate(f"{name}_backward", inputs, outputs, len(parameters))
    return tuple(
        _total(output[0], v) if isinstance(output, tuple) else output
        for output, v in zip(outputs, variables, strict=True)
    )


def _sums(variable: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Room for compensated sums, and for each element of shape the sum it belongs to."""
    if not variable.ndim:
        return np.zeros((2, 1)), FIRST_SLOT
    slots = np.arange(variable.size, dtype=np.intp).reshape(variable.shape)
    return np.zeros((2, variable.size)), np.broadcast_to(slots, shape)


def _total(sums: np.ndarray, variable: np.ndarray) -> np.ndarray:
    totals, rests = sums
    np.add(totals, rests, out=totals, where=np.isfinite(totals))
    with np.errstate(over="ignore"):
        total: np.ndarray = totals.astype(variable.dtype.newbyteorder("="))
    return total.reshape(variable.shape)
