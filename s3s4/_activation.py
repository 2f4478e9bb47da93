"""The callable objects: an activation with its derivatives."""

# Design:
# - A call on a small ndarray is the common case of a network's inner loop: it reaches the ufunc
#   after one look at the type and the size. Everything else waits behind it.
# - What NumPy can tell (types, shapes, casting) NumPy tells: its errors are only explained, after
#   the fact, so that they name the argument.

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from s3s4 import _containers, _cpu, _explain, _gradients, _offload, _route
from s3s4._cpu import arrays, outputs
from s3s4._description import Described, documentation, signature
from s3s4._device_arrays import lies_on_device, on_host, require_beside
from s3s4._route import GPU, KERNELS, SMALL
from s3s4._small import SIMPLE, SmallCalls
from s3s4._table import TABLE, Entry

UFUNC_OPTIONS = {"out", "where", "dtype", "casting", "order", "subok", "signature"}


class Activation(Described, SmallCalls):
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
    ufunc : numpy.ufunc
        The values alone, with every parameter given: the one in `s3s4.ufuncs`.

    Examples
    --------
    >>> from s3s4 import leaky_relu
    >>> leaky_relu([-1.0, 2.0], a=0.5)
    array([-0.5,  2. ])
    >>> leaky_relu.name, dict(leaky_relu.parameters)
    ('leaky_relu', {'a': 0.01})
    """

    __module__ = "s3s4"

    def __init__(self, name: str, entry: Entry) -> None:
        Described.__init__(self, name, entry.parameters, documentation(name, entry))
        SmallCalls.__init__(
            self, _cpu.ufuncs[name], entry.parameters, SMALL, _route.is_left_to_ufunc
        )
        vars(self)["__signature__"] = signature(entry)
        self._derivatives = entry.derivatives
        self._second_derivatives: dict[tuple[str, ...], str] = {
            by: f"{name}_d{''.join(by)}" for by in entry.second_derivatives
        }
        self._names = tuple(entry.parameters)
        self._value_dx = _cpu.ufuncs[f"{name}_value_dx"]
        self._backward = f"{name}_backward"

    def __repr__(self) -> str:
        return f"<activation {self.name}{inspect.signature(self)}>"

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

        Examples
        --------
        >>> from s3s4 import s4
        >>> [float(s4.derivative(0.0, k=k)) for k in (1, 5)]
        [0.5, 0.0]
        """
        if not isinstance(wrt, str) or wrt not in self._derivatives:
            raise ValueError(f"wrt must be one of {', '.join(self._derivatives)}, not {wrt!r}")
        return self._call(_cpu.ufuncs[f"{self.name}_d{wrt}"], x, parameters, options)

    def second_derivative(
        self, x: Any, *parameters: Any, wrt: str | tuple[str, str] = "x", **options: Any
    ) -> Any:
        """The second derivative by one input, or by two of them, at each element.

        Its error is at most 16 eps of the sum of its terms. At a kink it is that of the side to
        which the activation belongs there.

        Parameters
        ----------
        x : array_like
        *parameters : array_like
            The parameters of the activation, by position or name; they broadcast against x.
        wrt : str or pair of str
            "x" or the name of a parameter, for twice the same, or two of them in any order.
        **options
            As for `derivative`.

        Returns
        -------
        ndarray or scalar
            Of the broadcast shape.

        Raises
        ------
        ValueError
            If wrt names neither "x" nor parameters, or shapes do not fit.
        TypeError
            If a type does not fit.

        Examples
        --------
        >>> from s3s4 import s4
        >>> float(s4.second_derivative(0.0))
        0.875
        >>> round(float(s4.second_derivative(1.0, k=2.0, wrt=("k", "x"))), 4)
        0.0183
        """
        pair = (wrt, wrt) if isinstance(wrt, str) else wrt
        found = None
        if isinstance(pair, tuple | list) and all(isinstance(by, str) for by in pair):
            known = self._second_derivatives
            found = known.get(tuple(pair)) or known.get(tuple(pair)[::-1])
        if found is None:
            choice = ", ".join(self._derivatives)
            raise ValueError(f"wrt must be one of {choice}, or a pair of them, not {wrt!r}")
        return self._call(_cpu.ufuncs[found], x, parameters, options)

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

        Examples
        --------
        >>> from s3s4 import relu
        >>> relu.value_and_derivative([-1.0, 2.0])
        (array([0., 2.]), array([0., 1.]))
        """
        value, derivative = self._call(self._value_dx, x, parameters, options)
        return value, derivative

    def backward(
        self, grad_output: Any, x: Any, *parameters: Any, out: Any = None, **named: Any
    ) -> Any:
        """The vector-Jacobian product: gradients of x and of each parameter, in one pass.

        Parameters
        ----------
        grad_output : array_like
            The gradient by the activation's output; broadcasts to its shape.
        x : array_like
        *parameters : array_like
            The parameters of the activation, by position or name.
        out : ndarray or tuple of ndarray and None, optional
            Where to put the gradient of x, or every gradient in order, None where it is to be
            made. It may be grad_output or x.

        Returns
        -------
        grad_x : ndarray or scalar
            Of the shape of x: the sum of grad_output * derivative over what x is broadcast along.
        grad_parameter : ndarray or scalar
            For each parameter, in order, of its shape. The sums are compensated, and the same for
            every number of threads. An activation without parameters returns grad_x alone.

        Raises
        ------
        TypeError
            If an argument does not hold real numbers, or out cannot hold the gradient.
        ValueError
            If shapes do not fit, or out is read-only.

        Examples
        --------
        >>> import numpy as np
        >>> from s3s4 import relu
        >>> gradient = np.ones(3)
        >>> relu.backward(gradient, np.array([-1.0, 2.0, 3.0]), out=gradient)
        array([0., 1., 1.])
        """
        values = self._bound(parameters, named) if named or self._names else parameters
        device = named.pop("device", None)
        if named or len(values) > len(self._names):
            raise self._unexpected(parameters, named)
        if device is None and type(x) is ndarray and x.size < SMALL:
            gradients = _cpu.kernels.backward_of_few(self._backward, grad_output, x, values, out)
            if gradients is not None:
                return gradients if values else gradients[0]
        for value in (grad_output, *values):
            if type(value) not in SIMPLE:
                require_beside(("x", "grad_output", *self._names), (x, grad_output, *values))
                break
        outs: tuple[Any, ...] = (None,) * (1 + len(values))
        if out is not None:
            outs = _gradients.outputs(out, ("x", *self._names))
        road, found = _route.of_backward(grad_output, x, values, device)
        if road is KERNELS:
            grad, x, *floats = found
            if out is None:
                gradients = arrays.backward(self.name, grad, x, floats)
            else:
                none, plain = [None] * len(outs), [_containers.PLAIN] * len(outs)
                _containers.require_room((x, *floats), none, outs)
                gradients = arrays.backward(self.name, grad, x, floats, outs)
                gradients = _containers.put(plain, gradients, none, outs)
        elif road is GPU and lies_on_device(x):
            if out is not None:
                raise TypeError("out has no meaning for gradients of arrays on a GPU")
            gradients = found[0].backward_on_device(self.name, grad_output, x, values)
            return gradients if len(gradients) > 1 else gradients[0]
        else:
            names = ("grad_output", "x", *self._names)
            given = dict(zip(names, (grad_output, x, *values), strict=True))
            backend = found[0] if road is GPU else arrays
            gradients = _gradients.gradients(self.name, self.parameters, given, outs, backend)
        gradients = tuple(
            [
                g[()] if o is None and getattr(g, "ndim", None) == 0 else g
                for g, o in zip(gradients, outs, strict=True)
            ]
        )
        return gradients if len(gradients) > 1 else gradients[0]

    def _run(
        self, ufunc: np.ufunc, x: Any, parameters: tuple[Any, ...], options: Any, given: int
    ) -> Any:
        """A call that is not plain: as many of the parameters as `given` by position."""
        if given > len(self._names) or options.keys() & self._names:
            raise self._unexpected(parameters[:given], options)
        for value in (x, *parameters):
            if type(value) not in SIMPLE:
                done, x, parameters = self._settled(ufunc, x, parameters, options)
                if done:
                    return x
                break
        device = options.pop("device", None)
        threshold = options.pop("gpu_threshold", None)
        if not options.keys() <= UFUNC_OPTIONS:
            raise self._unexpected((), options.keys() - UFUNC_OPTIONS)
        dtype = getattr(x, "dtype", None)
        is_float = getattr(dtype, "kind", None) == "f"
        if not is_float and options.keys().isdisjoint(("dtype", "signature")):
            if _explain.is_narrow(dtype) and not lies_on_device(x):
                results = self._of_bfloat(ufunc, x, parameters, options)
                if results is not None:
                    return results if ufunc.nout > 1 else results[0]
                if "out" not in options:
                    return self._widened(ufunc, x, parameters, options)
            if isinstance(x, ndarray | np.generic):
                dtype = _gradients.exp_dtype(x, parameters)
                if dtype is not None:
                    options["dtype"] = dtype
        out = options.get("out")
        outs = out if isinstance(out, tuple) else (out,) * (ufunc.nout if out is None else 1)
        road, found = _route.of_call(
            ufunc.__name__, x, parameters, outs, options, device, threshold
        )
        if road is GPU:
            results = _offload.evaluate(found[0], ufunc, x, parameters, outs, options, found[1])
            if results is not None:
                return results if ufunc.nout > 1 else results[0]
            road, found = _route.of_call(ufunc.__name__, x, parameters, outs, options, "cpu")
        if road is KERNELS and len(outs) == ufunc.nout:
            shape, inputs = found
            results = arrays.evaluate(ufunc.__name__, shape, inputs, outs)
            return results if ufunc.nout > 1 else results[0]
        runs_numpy_alone = out is None and all(type(v) in SIMPLE for v in (x, *parameters))
        nbytes = getattr(x, "nbytes", 0) if runs_numpy_alone else 0
        try:
            return outputs.new(nbytes, ufunc, x, *parameters, **options)
        except (TypeError, ValueError) as error:
            raise self._explained(error, x, parameters, options) from None

    def _settled(
        self, ufunc: np.ufunc, x: Any, parameters: tuple[Any, ...], options: Any
    ) -> tuple[bool, Any, tuple[Any, ...]]:
        """Other libraries' arrays: whether that was all, the result or x, and the parameters."""
        names = ("x", *self._names)
        values = [on_host(n, v) for n, v in zip(names, (x, *parameters), strict=True)]
        require_beside(names, values)
        contained = [v for v in values if _containers.is_contained(v)]
        if not contained:
            return False, values[0], tuple(values[1:])
        if options.get("device") == "gpu":
            kind = type(contained[0]).__name__
            raise TypeError(f"device='gpu' is for NumPy's and the GPU's arrays, not {kind}")
        options["device"] = "cpu"
        if options.get("out", ...) is None:
            del options["out"]
        if any(map(_containers.is_frame, values)) and options.keys() <= {"device", "dtype"}:

            def column(x: Any, *parameters: Any) -> Any:
                return self._call(ufunc, x, parameters, dict(options))

            return True, _containers.by_columns(column, values), ()
        if any(map(_containers.is_polars, values)) and options.keys() <= {"device", "dtype"}:
            taken = [_containers.take(n, v) for n, v in zip(names, values, strict=True)]
            plain = [one.array if one.rebuild else v for one, v in zip(taken, values, strict=True)]
            result = self._call(ufunc, plain[0], tuple(plain[1:]), options)
            return True, _containers.rebuilt_from(taken, result), ()
        dtype = _gradients.exp_dtype(values[0], ())
        if dtype is not None and _containers.takes_ufuncs(values[0]):
            values = [dtype.type(v) if type(v) in (float, int) else v for v in values]
        if ufunc.nout > 1 and any(map(_containers.takes_ufuncs, values)):
            return True, self._one_by_one(ufunc, values, options), ()
        return False, values[0], tuple(values[1:])

    def _one_by_one(self, ufunc: np.ufunc, values: list[Any], options: Any) -> tuple[Any, Any]:
        """Value and derivative, in two calls where a library knows no ufunc of two results."""
        device = options.pop("device")
        try:
            value, derivative = ufunc(*values, **options)
            return value, derivative
        except (TypeError, NotImplementedError, AttributeError):
            outs = options.pop("out", (None, None))
            calls: list[Any] = [self, self.derivative]
            return tuple(
                call(*values, out=out, device=device, **options)
                if out is not None
                else call(*values, device=device, **options)
                for call, out in zip(calls, outs, strict=True)
            )

    def _of_bfloat(self, ufunc: np.ufunc, x: Any, parameters: Any, options: Any) -> Any:
        """Plain arrays of bfloat16, which the kernels read and round themselves, or None."""
        if not _explain.is_bfloat(x.dtype) or not options.keys() <= {"out"}:
            return None
        out = options.get("out")
        outs = out if isinstance(out, tuple) else (out,) * (ufunc.nout if out is None else 1)
        return arrays.evaluate_bfloat(ufunc, x, parameters, outs)

    def _widened(self, ufunc: np.ufunc, x: Any, parameters: Any, options: Any) -> Any:
        """bfloat16 as float16 is: computed in float32, rounded once."""
        dtype = x.dtype
        wide = [
            np.asarray(v, np.float32) if _explain.is_narrow(getattr(v, "dtype", None)) else v
            for v in (x, *parameters)
        ]
        results = self._call(ufunc, wide[0], tuple(wide[1:]), options)
        if any(getattr(v, "dtype", dtype) != dtype for v in parameters):
            return results
        if isinstance(results, tuple):
            return tuple(result.astype(dtype) for result in results)
        return results.astype(dtype)

    def _bound(self, parameters: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """Parameters by position, name or default; their names are taken out of `named`."""
        given = len(parameters)
        if given > len(self._names):
            raise self._unexpected(parameters, named)
        rest = self._names[given:]
        return parameters + tuple([named.pop(n, self.parameters[n]) for n in rest])

    def _unexpected(self, parameters: tuple[Any, ...], named: Any) -> TypeError:
        if len(parameters) > len(self._names):
            return TypeError(
                f"{self.name} takes x and {len(self._names)} parameters, "
                f"{len(parameters) + 1} values were given"
            )
        twice = [name for name in named if name in self._names]
        if twice:
            return TypeError(f"{self.name} got two values for {twice[0]!r}")
        return _explain.unknown(self.name, self._names, named)

    def _explained(
        self, error: Exception, x: Any, parameters: tuple[Any, ...], options: Mapping[str, Any]
    ) -> Exception:
        for value in (x, *parameters):
            if _containers.takes_ufuncs(value) and not _containers.is_known(value):
                return error  # of a library that says itself what is wrong
        values = dict(zip(("x", *self._names), (x, *parameters), strict=False))
        return _explain.explained(error, values, options)


elementwise: dict[str, Activation] = {n: Activation(n, entry) for n, entry in TABLE.items()}
"""Every activation of single elements, by name."""
