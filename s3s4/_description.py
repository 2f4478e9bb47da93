"""What an activation says of itself, which nobody may change: its calls would not follow."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType

from s3s4._table import Entry


class Described:
    """An object with a name, parameters and documentation; public attributes are read-only."""

    name: str
    parameters: Mapping[str, float]

    def __init__(self, name: str, parameters: Mapping[str, float], doc: str) -> None:
        vars(self).update(
            name=name,
            parameters=MappingProxyType(dict(parameters)),
            __name__=name,
            __qualname__=name,
            __doc__=doc,
        )

    def __setattr__(self, attribute: str, value: object) -> None:
        if not _is_private(attribute):
            raise AttributeError(f"{self.name}.{attribute} is read-only")
        super().__setattr__(attribute, value)

    def __delattr__(self, attribute: str) -> None:
        raise AttributeError(f"{self.name}.{attribute} is read-only")

    def __reduce__(self) -> str:
        return self.name


def _is_private(attribute: str) -> bool:
    return attribute.startswith("_") and not attribute.startswith("__")


def signature(entry: Entry) -> inspect.Signature:
    """That of a call of an activation."""
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


def documentation(name: str, entry: Entry) -> str:
    """What `help` shows of an activation."""
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
    given = "".join(f", {parameter}={default!r}" for parameter, default in entry.parameters.items())
    lines += [
        "",
        "Examples",
        "--------",
        ">>> import numpy as np",
        f">>> from s3s4 import {name}",
        ">>> x, out = np.linspace(-2, 2, 5), np.empty(5)",
        f">>> {name}(x{given}, out=out) is out",
        "True",
        f">>> value, slope = {name}.value_and_derivative(x{given})",
        ">>> bool((value == out).all())",
        "True",
    ]
    return "\n".join(lines)
