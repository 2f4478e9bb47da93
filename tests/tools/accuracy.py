"""Measure the error of every ufunc, dtype and variant; as a command, write the table of them.

# Design:
# - The error allowed is a multiple of eps times the size of the sum (see oracle.py), plus the
#   smallest normal number, which is what a result that underflows may lose.
# - float16 is computed in float32 and rounded once: half its own spacing is allowed, and what is
#   left is measured in eps of float32.
# - Oracle values are computed once for each dtype and shared by variants, paths and ufuncs.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

import oracle
import s3s4
from s3s4 import _cpu

DTYPES = tuple(map(np.dtype, ("float16", "float32", "float64", "longdouble")))
NAMES = {"g": "long double"}

_POSITIVE = (0.0, 1e-3, 0.5, 1.0, 2.1, 5.0, 10.0, 50.0, 1e6, np.inf)

# Values of the parameters: of S4's everything, of any other some that it is meant for.
USUAL = (0.1, 0.5, 1.0, 3.0)
PARAMETERS: Mapping[tuple[str, str], tuple[float, ...]] = {
    ("s4", "k"): (*_POSITIVE, *[-k for k in _POSITIVE], np.nan),
    ("pss", "alpha"): (*USUAL, 0.0, -2.0, 1e4, np.inf),
    ("swish", "beta"): (*USUAL, 0.0, -1.5, 100.0),
    ("softplus", "beta"): (*USUAL, -2.0),
    ("softplus", "threshold"): (1.0, 20.0),
    ("elu", "alpha"): (*USUAL, 0.0, -0.5),
    ("celu", "alpha"): (*USUAL, 1e-4, 100.0),
    ("prelu", "a"): (*USUAL, -0.5),
    ("threshold", "threshold"): (*USUAL, 0.0, -2.0),
    ("hardtanh", "min"): (-1.0, 0.0, 2.0),
    ("squareplus", "b"): (*USUAL, 0.0, 4.0, 100.0),
    ("snake", "a"): (*USUAL, 0.0, -2.0, 30.0, np.inf),
}

# Values in which nothing cancels.
NEVER_CANCEL = (
    "sigmoid", "softsign", "rational_softsign", "tanh", "hardsigmoid", "elu", "selu", "logsigmoid",
    "silu",
)  # fmt: skip

# Errors allowed: in eps of the sum everywhere, in ULP where nothing cancels: from this x upwards.
CONDITION = 4.0
ULP: Mapping[tuple[str, str | None], tuple[float, float]] = {
    ("s3", None): (2.0, -np.inf),
    ("s3", "x"): (4.0, -np.inf),
    ("s4", None): (4.5, 0.0),
    ("tanhshrink", None): (3.0, -np.inf),
    ("mish", None): (3.0, -np.inf),
    ("tanh", "x"): (3.0, -np.inf),
    **{(name, None): (2.5, -np.inf) for name in NEVER_CANCEL},
    **{(name, "x"): (2.0, -np.inf) for name in ("elu", "selu", "logsigmoid")},
}


def turns(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Tell where the turns of a x are counted exactly."""
    most = 2.0 ** (12 if x.dtype.itemsize <= 4 else 26)
    with np.errstate(all="ignore"):
        product = np.abs(a.astype(np.promote_types(x.dtype, np.float32)) * x)
    return (product <= most) | np.isinf(x) | np.isinf(a) | np.isnan(product)


# Where slopes are documented, if that is not everywhere.
SLOPES: Mapping[tuple[str, str | None], Callable[..., np.ndarray]] = {
    ("snake", "x"): turns,
    ("snake", "a"): turns,
}

# Where a search over 1e8 random points, judged by this oracle, found the largest errors.
HARD: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "s4": (
        (-7.6025333, 1.5921878),
        (-7.588797, 1.7033678),
        (-17.663434074630686, 0.5523884268501007),
        (-7.739927038859213, 2.1),
        (-7.606396334345953, 2.779063123641081),
        (-15.046716, 0.5),
        (-3.4139664, 5.0),
        (0.32445973, 45.24205),
        (0.14232129201851917, 50.0),
        (0.476521, 20.207731),
        (0.2126452, 50.0),
        (-7.4949555, -0.0026482432),
        (23.72411144775448, -0.6301238804972513),
        (-10715.0, 1e-3),
        (-91.0215, 1.0),
        (-87.9822, 1.0),
        (-17.9249, 5.0),
        (-710.971, 1.0),
    ),
}


class Measured(NamedTuple):
    """The largest errors of one output and the inputs at which they occur."""

    condition: float
    condition_at: str
    ulp: float
    ulp_at: str


def everywhere(dtype: np.dtype, dense: int) -> np.ndarray:
    """Return x near 0, in +-40, to where e^-x underflows, and the special values."""
    info = np.finfo(dtype)
    reach = -1.07 * np.log(info.smallest_subnormal)
    rng = np.random.default_rng(4)
    spans = [rng.uniform(-span, span, dense // 4) for span in (0.1, 1.0, 40.0, reach)]
    special = [0.0, info.smallest_subnormal, info.tiny, info.eps, 1.0, info.max, np.inf]
    signed = np.array([*special, *[-value for value in special], np.nan], dtype)
    return np.concatenate([*[span.astype(dtype) for span in spans], signed])


def exponents(dtype: np.dtype, count: int) -> np.ndarray:
    """Return x of both signs and `count` exponents, subnormal ones included."""
    info = np.finfo(dtype)
    count = min(count, info.maxexp - info.minexp + info.nmant)
    powers = np.linspace(info.minexp - info.nmant, info.maxexp - 1, count).astype(np.int32)
    mantissas = np.random.default_rng(3).uniform(1, 2, (2, len(powers))).astype(dtype)
    return np.ldexp(mantissas * np.array([[1], [-1]], dtype), powers).ravel()


def parameters(activation: str, dtype: np.dtype) -> list[np.ndarray]:
    """Return for each parameter the values it is tried with."""
    names = oracle.inputs(activation)[1:]
    with np.errstate(over="ignore"):
        return [np.array(PARAMETERS.get((activation, n), USUAL)).astype(dtype) for n in names]


@cache
def points(activation: str, dtype: np.dtype, dense: int) -> tuple[tuple[np.ndarray, ...], ...]:
    """Return groups of inputs: x is an array, every parameter a scalar of the dtype."""
    chosen = list(itertools.product(*parameters(activation, dtype)))
    x, powers = everywhere(dtype, dense), exponents(dtype, 10 * dense)
    hard = np.array(HARD.get(activation, ())).astype(dtype)
    return (
        *(
            (np.concatenate([x, powers[start :: len(chosen)]]), *values)
            for start, values in enumerate(chosen)
        ),
        *((point[:1], *point[1:]) for point in hard),
    )


@cache
def columns(activation: str, dtype: np.dtype, dense: int) -> tuple[np.ndarray, ...]:
    """Return the same inputs with every parameter an array as well."""
    groups = [np.broadcast_arrays(*group) for group in points(activation, dtype, dense)]
    return tuple(map(np.concatenate, zip(*groups, strict=True)))


@cache
def reference(activation: str, wrt: str | None, dtype: np.dtype, dense: int) -> oracle.Exact:
    """Return the exact outputs at the points."""
    return in_range(oracle.exact(activation, wrt, *columns(activation, dtype, dense)), dtype)


def in_range(exact: oracle.Exact, dtype: np.dtype) -> oracle.Exact:
    """Return exact outputs that are infinite beyond the dtype's range."""
    with np.errstate(over="ignore"):
        beyond = np.isinf(exact.high.astype(dtype))
    high = np.where(beyond, np.copysign(np.longdouble(np.inf), exact.high), exact.high)
    return exact._replace(high=high, low=np.where(beyond, 0, exact.low))


def outputs(
    ufunc: np.ufunc, activation: str, dtype: np.dtype, dense: int
) -> Iterator[list[np.ndarray]]:
    """Yield the outputs for array parameters, and again for scalar ones: two paths in a kernel."""
    groups = points(activation, dtype, dense)
    split = [np.atleast_2d(ufunc(*group)) for group in groups]
    yield list(np.atleast_2d(ufunc(*columns(activation, dtype, dense))))
    yield list(np.concatenate(split, axis=1))


def spacing(value: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return the distance between neighbours of `dtype` at exact values."""
    info = np.finfo(dtype)
    _, exponent = np.frexp(value)
    exponent = np.where(np.isfinite(value) & (value != 0), exponent, info.minexp)
    return np.ldexp(np.longdouble(1), np.maximum(exponent - 1, info.minexp) - info.nmant)


def deviation(computed: np.ndarray, exact: oracle.Exact) -> np.ndarray:
    """Return the absolute error; 0 where both are NaN or the same infinity, else inf there."""
    wide = computed.astype(np.longdouble)
    same = (wide == exact.high) | (np.isnan(wide) & np.isnan(exact.high))
    with np.errstate(invalid="ignore"):
        error = np.abs((wide - exact.high) - exact.low)
    strange = ~np.isfinite(wide) | ~np.isfinite(exact.high)
    return np.where(strange, np.where(same, 0, np.inf), error)


def allowance(exact: oracle.Exact, dtype: np.dtype) -> np.ndarray:
    """Return the error that is allowed whatever the size of the sum."""
    work = np.finfo(np.promote_types(dtype, np.float32))
    allowed = np.full(exact.high.shape, np.longdouble(work.tiny))
    if dtype == np.float16:
        allowed += spacing(exact.high, dtype) / 2
    return allowed


def tolerance(exact: oracle.Exact, dtype: np.dtype) -> np.ndarray:
    """Return the error that is allowed in all."""
    eps = np.finfo(np.promote_types(dtype, np.float32)).eps
    return allowance(exact, dtype) + CONDITION * eps * exact.size


def measure(ufunc: np.ufunc, name: str, dtype: np.dtype, dense: int) -> dict[str | None, Measured]:
    """Measure a ufunc: the largest errors of its outputs, for array and for scalar parameters."""
    activation, wanted = oracle.UFUNCS[name]
    inputs = columns(activation, dtype, dense)
    eps = np.finfo(np.promote_types(dtype, np.float32)).eps
    found: dict[str | None, Measured] = {}
    for arrays in outputs(ufunc, activation, dtype, dense):
        for wrt, computed in zip(wanted, arrays, strict=True):
            assert computed.dtype == dtype, f"{name} gives {computed.dtype} for {dtype}"
            exact = reference(activation, wrt, dtype, dense)
            error = deviation(computed, exact)
            if (activation, wrt) in SLOPES:
                error[~SLOPES[activation, wrt](*inputs)] = 0
            excess = np.maximum(error - allowance(exact, dtype), 0)
            unit = np.where(np.isfinite(exact.size), exact.size, 1) * eps
            with np.errstate(divide="ignore"):
                condition = np.divide(excess, unit, out=np.zeros_like(unit), where=excess > 0)
            tiny = np.finfo(dtype).tiny
            ulp = np.maximum(error - tiny, 0) / spacing(exact.high, dtype)
            ulp[~(inputs[0] >= ULP.get((activation, wrt), (0, np.inf))[1])] = 0
            worst, last = int(np.argmax(condition)), int(np.argmax(ulp))
            here = Measured(
                float(condition[worst]),
                " ".join(brief(column[worst]) for column in inputs),
                float(ulp[last]),
                " ".join(brief(column[last]) for column in inputs),
            )
            before = found.get(wrt, here)
            found[wrt] = Measured(
                *max(here[:2], before[:2], key=lambda pair: pair[0]),
                *max(here[2:], before[2:], key=lambda pair: pair[0]),
            )
    return found


def brief(number: np.floating) -> str:
    """Show a number of any dtype: str.format would turn a long double into a double."""
    return np.format_float_scientific(number, precision=5, trim="-")


def title(activation: str, wrt: str | None) -> str:
    """Write a function as mathematics does."""
    shown = f"{activation.upper()}({', '.join(oracle.inputs(activation))})"
    return shown if wrt is None else f"∂{shown}/∂{wrt}"


def table(dense: int) -> str:
    """Return the Markdown table of the largest errors."""
    config = s3s4.build_config()
    variants = [variant for variant in _cpu.VARIANTS if variant != "serial"]
    lines = [
        "# Measured errors",
        "",
        f"Written by `python tests/tools/accuracy.py --dense {dense}`; the suite fails above the"
        " bounds of that file.",
        "",
        f"Largest errors against mpmath with 50 digits, compiler {config.get('compiler')}. x: dense"
        " in ±0.1, ±1, ±40 and to where e^-|x| underflows, every exponent, ±0, ±inf, subnormals.",
        f"k of S4: {', '.join(f'{k:g}' for k in _POSITIVE)}, their negatives and NaN; the"
        " parameters of the others as in that file. All as scalars and as arrays.",
        "",
        f"Measured on a machine that runs {' and '.join(variants)}; serial computes as baseline"
        " does. A variant without rows was not measured.",
        "",
        f"*eps*: error over eps times the sum of the absolute terms, at most {CONDITION:g}"
        " everywhere (in eps of float32 for float16, after half its spacing)."
        " *ULP*: where no term cancels.",
        "",
        "The bound of 4 holds for x and parameters of all exponents and signs:"
        " `python tests/tools/sweep.py` looks for what leaves it. Magnitudes are 0, or from the"
        " smallest normal number (x: from the smallest) to a sixteenth of the largest, or infinite,"
        " but for: alpha of celu, eps of s3_smooth, b of squareplus, not infinite; b of"
        " rational_softsign, by x, not infinite; a x of snake's derivatives, up to 2^12 in float32"
        " and 2^26 in wider types; 1/beta of softplus, by beta, up to 2^60; k of s4 by x, up to"
        " 2^100 in float32 and 2^960 in float64; x of s4 by x and of swish by beta, up"
        " to √largest / 2 or infinite. celu is judged at x/alpha rounded once, which alone may cost"
        " eps |x/alpha| / 2 of e^(x/alpha). An infinite slope or height times 0 is NaN. Where beta"
        " x of softplus is its threshold to within rounding, either side may be taken.",
        "",
        "| function | dtype | variant | eps | at | ULP | bound | at |",
        "| --- | --- | --- | ---: | --- | ---: | ---: | --- |",
    ]
    for name, (activation, wanted) in oracle.UFUNCS.items():
        for dtype, variant in itertools.product(DTYPES, variants):
            if len(wanted) > 1:
                continue
            kernel = _cpu.load(variant).ufuncs[name]
            (wrt,) = wanted
            found = measure(kernel, name, dtype, dense)[wrt]
            cells = [title(activation, wrt), NAMES.get(dtype.char, dtype.name), variant]
            cells += [f"{found.condition:.2f}", found.condition_at]
            if (activation, wrt) in ULP:
                bound, start = ULP[activation, wrt]
                where = "" if np.isinf(start) else f" for x ≥ {start:g}"
                cells += [f"{found.ulp:.2f}", f"{bound:g}{where}", found.ulp_at]
            else:
                cells += ["", "", ""]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table and write it to a file."""
    page = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dense", type=int, default=500, help="points x for each parameter")
    parser.add_argument("-o", "--output", type=Path, default=page)
    arguments = parser.parse_args()
    text = table(arguments.dense)
    print(text)
    arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
