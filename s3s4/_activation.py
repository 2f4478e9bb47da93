"""The callable objects: an activation with its derivatives."""

# Design:
# - A call on a small ndarray is the common case of a network's inner loop: it reaches the ufunc
#   after one look at the type and the size, and a large one in one piece of memory after a few
#   more. Everything else waits behind them.
# - What NumPy can tell (types, shapes, casting) NumPy tells: its errors are only explained, after
#   the fact, so that they name the argument.

import inspect
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy import ndarray

from s3s4 import _cpu, _devices, _dispatch
from s3s4._description import Described
from s3s4._device_arrays import lies_on_device, on_host
from s3s4._sums import sum_to_shape
from s3s4._table import TABLE, Entry

LARGE = 1 << 13
"""Below this many elements a call is the ufunc's, whatever the layout: no thread is worth it."""

UFUNC_OPTIONS = {"out", "where", "dtype", "casting", "order", "subok", "signature"}


class Activation(Described):
    """An activation function with its derivatives, called like a NumPy ufunc.

    Calling it gives the values: ``activation(x, *parameters, out=None, **options)``. Parameters
    broadcast against x; ``out``, ``where``, ``dtype``, ``casting``, ``order`` and ``subok`` are
    those of `numpy.ufunc`. Whatever implements ``__array_ufunc__`` or ``__array__`` may be given.

    Attributes
    ----------
    name : str
        The name of the activation, and of its ufunc in `s3s4.ufuncs`.
    parameters : mapping of str to float
        The parameters with their defaults; read-only, as the name is.
    """

    __module__ = "s3s4"

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, entry.parameters, _documentation(name, entry))
        vars(self)["__signature__"] = _signature(entry)
        self._derivatives = entry.derivatives
        # NumPy takes an array of the right type faster than a Python number.
        self._defaults = {
            np.dtype(kind): tuple(np.array(v, kind) for v in entry.parameters.values())
            for kind in "efdg"
        }
        self._ufunc = _cpu.ufuncs[name]

    def __repr__(self) -> str:
        return f"<activation {self.name}{inspect.signature(self)}>"

    def __call__(self, x: Any, *parameters: Any, **options: Any) -> Any:
        if options and options.pop("derivative", False):
            return self.derivative(x, *parameters, **options)
        return self._run(self._ufunc, x, parameters, options)

    def derivative(self, x: Any, *parameters: Any, wrt: str = "x", **options: Any) -> Any:
        """The derivative by x or by a parameter, at each element.

        Parameters
        ----------
        x : array_like
            Any shape; float16, float32, float64 or long double, or what casts to one of them.
        *parameters : array_like
            The parameters of the activation, by position or name; they broadcast against x.
        wrt : str
            "x" or the name of a parameter.
        **options
            `out`, `where`, `dtype`, `casting`, `order`, `subok` as for a ufunc, and `device`.

        Returns
        -------
        ndarray or scalar
            Of the broadcast shape.

        Raises
        ------
        ValueError
            If wrt is neither "x" nor a parameter, or shapes do not fit.
        TypeError
            If a type does not fit.
        """
        if wrt not in self._derivatives:
            raise ValueError(f"wrt must be one of {', '.join(self._derivatives)}, not {wrt!r}")
        return self._run(_cpu.ufuncs[f"{self.name}_d{wrt}"], x, parameters, options)

    def value_and_derivative(self, x: Any, *parameters: Any, **options: Any) -> tuple[Any, Any]:
        """The value and the derivative by x, in one pass that shares their exponentials.

        Parameters
        ----------
        x : array_like
        *parameters : array_like
            The parameters of the activation, by position or name; they broadcast against x.
        **options
            As for `derivative`; `out` is a pair.

        Returns
        -------
        value, derivative : ndarray or scalar
            Each of the broadcast shape.
        """
        ufunc = _cpu.ufuncs[f"{self.name}_value_dx"]
        value, derivative = self._run(ufunc, x, parameters, options)
        return value, derivative

    def backward(self, grad_output: Any, x: Any, *parameters: Any, **named: Any) -> Any:
        """The vector-Jacobian product: gradients of x and of each parameter, in one pass.

        Parameters
        ----------
        grad_output : array_like
            The gradient by the activation's output; broadcasts to its shape.
        x : array_like
        *parameters : array_like
            The parameters of the activation, by position or name.

        Returns
        -------
        grad_x : ndarray or scalar
            Of the shape of x: the sum of grad_output * derivative over what x is broadcast along.
        grad_parameter : ndarray or scalar
            For each parameter, in order, of its shape. The sums are compensated, and the same for
            every number of threads. An activation without parameters returns grad_x alone.
        """
        values = self._bind(parameters, named)
        device = named.pop("device", None)
        if named:
            raise TypeError(f"backward got an unexpected argument {next(iter(named))!r}")
        if lies_on_device(x):
            gradients = _devices.gpu().backward_on_device(self.name, grad_output, x, values)
        else:
            backend = _devices.gpu() if _dispatch.wanted(device) == "gpu" else _cpu
            if self._is_of_one_dtype(grad_output, x, values):
                floats = [np.asarray(value).astype(x.dtype) for value in values]
                gradients = backend.backward(self.name, grad_output, x, floats)
            else:
                gradients = self._gradients(grad_output, x, values, backend)
            gradients = tuple(g if g.ndim else g[()] for g in gradients)
        return gradients if len(gradients) > 1 else gradients[0]

    def _gradients(
        self, grad_output: Any, x: Any, parameters: list[Any], backend: ModuleType
    ) -> tuple[Any, ...]:
        named = zip(self.parameters, parameters, strict=True)
        arguments = {"grad_output": grad_output, "x": x, **dict(named)}
        arrays = {name: real(name, value) for name, value in arguments.items()}
        shape = _shape({name: array for name, array in arrays.items() if name != "grad_output"})
        grad_shape = arrays["grad_output"].shape
        if not _broadcasts(grad_shape, shape):
            raise ValueError(f"grad_output of shape {grad_shape} does not fit the output's {shape}")
        kinds = [
            type(value) if type(value) in (float, int) else arrays[name].dtype
            for name, value in arguments.items()
        ]
        dtype = _exp_dtype(x, parameters) or self._ufunc.resolve_dtypes((*kinds[1:], None))[-1]
        if isinstance(kinds[0], np.dtype):
            dtype = np.result_type(dtype, kinds[0])
        if dtype.type in _cpu.FLOATS:
            cast = [a if a.dtype.type is dtype.type else a.astype(dtype) for a in arrays.values()]
            gradients: tuple[Any, ...] = backend.backward(self.name, cast[0], cast[1], cast[2:])
        else:
            with np.errstate(all="ignore"):
                gradients = tuple(
                    sum_to_shape(
                        arrays["grad_output"]
                        * _cpu.ufuncs[f"{self.name}_d{by}"](
                            *list(arrays.values())[1:], dtype=dtype
                        ),
                        arrays[by].shape,
                    )
                    for by in self._derivatives
                )
        return gradients

    def _is_of_one_dtype(self, grad_output: Any, x: Any, parameters: Sequence[Any]) -> bool:
        """Whether `backward` has what nearly all calls give it, with nothing to cast or explain."""
        return (
            type(x) is type(grad_output) is ndarray
            and x.dtype == grad_output.dtype
            and x.shape == grad_output.shape
            and x.dtype in self._defaults
            and x.dtype.type in _cpu.FLOATS
            and all(type(parameter) is float for parameter in parameters)
        )

    def _bind(self, parameters: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """Parameters by position, name or default; their names are taken out of `named`."""
        if len(parameters) > len(self.parameters):
            raise TypeError(
                f"{self.name} takes x and {len(self.parameters)} parameters, "
                f"{len(parameters) + 1} values were given"
            )
        values = list(parameters)
        for index, (name, default) in enumerate(self.parameters.items()):
            if index < len(parameters):
                if name in named:
                    raise TypeError(f"{self.name} got two values for {name!r}")
            else:
                values.append(named.pop(name, default))
        return values

    def _run(self, ufunc: np.ufunc, x: Any, parameters: tuple[Any, ...], options: Any) -> Any:
        if (
            type(x) is ndarray
            and (not options or (len(options) == 1 and "out" in options))
            and (x.size < LARGE or _is_one_axis(x, parameters, options.get("out")))
        ):
            defaults = self._defaults.get(x.dtype)
            if defaults is not None and len(parameters) <= len(defaults):
                rest = defaults[len(parameters) :] if parameters else defaults
                try:
                    return ufunc(x, *parameters, *rest, **options)
                except (TypeError, ValueError) as error:
                    raise self._explained(error, (x, *parameters), options) from None
        x, *values = map(on_host, (x, *self._bind(parameters, options)))
        device = options.pop("device", None)
        threshold = options.pop("gpu_threshold", None)
        unknown = options.keys() - UFUNC_OPTIONS
        if unknown:
            raise TypeError(f"{self.name} got an unexpected argument {min(unknown)!r}")
        if options.keys().isdisjoint(("dtype", "signature")):
            exp_dtype = _exp_dtype(x, values)
            if exp_dtype is not None:
                options["dtype"] = exp_dtype
        computed = _dispatch.evaluate(ufunc.__name__, x, values, options, device, threshold)
        if computed is not None:
            return computed if len(computed) > 1 else computed[0]
        if type(x) is np.ndarray and x.size >= LARGE and options.keys() <= {"out"}:
            count = ufunc.nout
            out = options.get("out")
            outs = out if isinstance(out, tuple) else (out,) * (count if out is None else 1)
            if len(outs) == count:
                results = _cpu.evaluate(ufunc.__name__, x, values, outs)
                if results is not None:
                    return results if count > 1 else results[0]
        try:
            return ufunc(x, *values, **options)
        except (TypeError, ValueError) as error:
            raise self._explained(error, (x, *values), options) from None

    def _explained(
        self, error: Exception, values: tuple[Any, ...], options: Mapping[str, Any]
    ) -> Exception:
        """The same error with the argument it is about, where that can be told."""
        arguments = dict(zip(("x", *self.parameters), values, strict=False))
        try:
            for name, value in arguments.items():
                real(name, value)
            shape = _shape({name: np.asarray(value) for name, value in arguments.items()})
            out = options.get("out")
            for array in out if isinstance(out, tuple) else (out,):
                if isinstance(array, np.ndarray):
                    if not array.flags.writeable:
                        return ValueError("out is read-only")
                    if array.shape != shape:
                        return ValueError(f"out has shape {array.shape}, the result has {shape}")
                elif array is not None:
                    return TypeError(f"out must be an array, not {type(array).__name__}")
        except (TypeError, ValueError) as explanation:
            return explanation
        return error


def _is_one_axis(x: np.ndarray, parameters: Sequence[Any], out: Any) -> bool:
    """Whether a large call is the ufunc's at once: NumPy sees one axis, and it is the CPU's."""
    outs = out if type(out) is tuple else (out,)
    return (
        (x.flags.c_contiguous or x.ndim == 1)
        and all(
            o is None or (type(o) is ndarray and (o.flags.c_contiguous or o.ndim == 1))
            for o in outs
        )
        and all(type(p) is float or type(p) is int for p in parameters)
        and _dispatch.is_left_to_cpu(x.size)
    )


def real(name: str, value: Any) -> np.ndarray:
    """The value as an array of real numbers, or an error that names it."""
    array = np.asarray(on_host(value))
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    return array


def _exp_dtype(x: Any, parameters: Sequence[Any]) -> np.dtype | None:
    """What np.exp makes of integers: a Python number beside them changes nothing."""
    integers = isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "biu"
    if integers and all(type(parameter) in (float, int) for parameter in parameters):
        return np.exp.resolve_dtypes((x.dtype, None))[1]
    return None


def _shape(arrays: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"shapes do not broadcast: {shapes}") from None


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of a shape broadcasts to another one."""
    return len(shape) <= len(to) and all(
        a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False)
    )


def _signature(entry: Entry) -> inspect.Signature:
    kinds = inspect.Parameter
    positional = [kinds("x", kinds.POSITIONAL_OR_KEYWORD)] + [
        kinds(name, kinds.POSITIONAL_OR_KEYWORD, default=default)
        for name, default in entry.parameters.items()
    ]
    options = [
        kinds("derivative", kinds.KEYWORD_ONLY, default=False),
        kinds("device", kinds.KEYWORD_ONLY, default=None),
        kinds("gpu_threshold", kinds.KEYWORD_ONLY, default=None),
        kinds("out", kinds.KEYWORD_ONLY, default=None),
        kinds("options", kinds.VAR_KEYWORD),
    ]
    return inspect.Signature(positional + options)


def _documentation(name: str, entry: Entry) -> str:
    lines = [entry.doc, "", "Parameters", "----------", "x : array_like"]
    lines += ["    float16, float32, float64, long double, or what casts to one of them."]
    for parameter, default in entry.parameters.items():
        lines += [f"{parameter} : array_like, default {default:g}", "    Broadcasts against x."]
    lines += [
        "derivative : bool, default False",
        "    The derivative by x instead of the value.",
        'device : {"auto", "cpu", "gpu"}, optional',
        "    Where to compute. An array on a GPU stays there.",
        "gpu_threshold : int, optional",
        '    The size from which "auto" takes a GPU, in place of the measured one.',
        "out, where, dtype, casting, order, subok",
        "    As for any `numpy.ufunc`.",
        "",
        "Returns",
        "-------",
        "ndarray or scalar",
        "    Of the broadcast shape.",
        "",
        "Raises",
        "------",
        "TypeError",
        "    If an argument does not hold real numbers.",
        "ValueError",
        "    If shapes do not fit, or out is read-only.",
        "",
        "Notes",
        "-----",
    ]
    lines += [f"By {by}: {doc}" for by, doc in entry.derivatives.items()]
    return "\n".join(lines)


elementwise: dict[str, Activation] = {n: Activation(n, entry) for n, entry in TABLE.items()}
"""Every activation of single elements, by name."""
