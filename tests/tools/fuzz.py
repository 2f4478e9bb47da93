"""Random calls against the definitions in 50 digits: python fuzz.py CALLS [SEED].

# Design:
# - A call is random in everything: function, shapes, dtypes, byte orders, strides, broadcasting,
#   where, out in other dtypes and overlapping the inputs. It is judged by inputs copied before.
# - Elements are drawn from a few numbers that every dtype holds, so that the oracle of a function
#   is a table, and a hundred thousand calls take a minute. tests/tools/accuracy.py judges the last
#   bits of all numbers, this one the memory.
# - A failure prints the seed of its call, which alone repeats it.
"""

import argparse
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

import accuracy
import oracle
import s3s4
from support import outputs, summed

Rng = np.random.Generator
DTYPES = ("f2", "f4", "f8", "g", ">f2", ">f4", ">f8")

_scales = np.repeat([1e-3, 1.0, 10.0, 40.0], 25)
FINITE = (np.random.default_rng(0).uniform(-1, 1, 100) * _scales).astype(np.float16)
X = np.array([*FINITE, 0.0, -0.0, 6e-8, -200.0, 200.0, -np.inf, np.inf, np.nan], np.float16)


class Operand(NamedTuple):
    """An array, and the places of its elements in X or in the values of its parameter."""

    array: np.ndarray
    places: np.ndarray


@cache
def parameters(activation: str) -> list[np.ndarray]:
    """Return for each parameter the values it is meant for, the finite ones first, and NaN."""
    found = accuracy.parameters(activation, np.dtype(np.float16))
    found = [np.append(values, np.float16(np.nan)) for values in found]
    return [values[np.argsort(~np.isfinite(values), kind="stable")] for values in found]


@cache
def table(activation: str, wrt: str | None) -> oracle.Exact:
    """Return the exact values for all of X and all values of each parameter."""
    grid = np.meshgrid(X, *parameters(activation), indexing="ij")
    return oracle.exact(activation, wrt, *grid)


def exact(activation: str, wrt: str | None, operands: list[Operand]) -> oracle.Exact:
    """Look the exact values of arrays up."""
    places = tuple(np.broadcast_arrays(*[operand.places for operand in operands]))
    return oracle.Exact(*[column[places] for column in table(activation, wrt)])


def view(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Make an array with any strides."""
    steps = rng.choice([1, 1, 1, 2, -1, -3], len(shape))
    order = rng.permutation(len(shape))
    memory = np.zeros([shape[axis] * abs(steps[axis]) for axis in order], dtype)
    slices = tuple(slice(None, None, step) for step in steps)
    return memory.transpose(np.argsort(order))[(*slices, ...)]


def filled(rng: Rng, array: np.ndarray, values: np.ndarray) -> Operand:
    """Fill an array with some of the values."""
    places = rng.integers(0, len(values), array.shape)
    array[...] = values[places]
    return Operand(array, places)


def any_shape(rng: Rng) -> tuple[int, ...]:
    """Return a shape, now and then large enough for threads."""
    long = 200_000 if rng.random() < 0.001 else 300
    shape = tuple(int(n) for n in rng.integers(0, 6, rng.integers(0, 4)))
    return (*shape[:1], int(rng.integers(1, long))) if rng.random() < 0.5 else shape


def narrowed(rng: Rng, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape that broadcasts to another one."""
    return tuple(1 if rng.random() < 0.15 else n for n in shape)[rng.random() < 0.1 :]


def any_operand(rng: Rng, shape: tuple[int, ...], dtype: str, values: np.ndarray) -> Operand:
    """Make an array that is mostly of the given dtype."""
    own = dtype if rng.random() < 0.8 else rng.choice(DTYPES)
    return filled(rng, view(rng, shape, own), values)


def outs(rng: Rng, operands: list[Operand], shape: tuple[int, ...], count: int) -> list[np.ndarray]:
    """Make outputs: new ones, the input itself, or a shifted view of its memory."""
    made: list[np.ndarray] = []
    for _ in range(count):
        way = rng.random()
        source, places = operands[0]
        if way < 0.4 or source.shape != shape or made:
            made.append(view(rng, shape, rng.choice(DTYPES)))
        elif way < 0.6:
            made.append(source)
        elif way < 0.8:
            made.append(source[(*[slice(None, None, -1)] * len(shape), ...)])
        else:
            memory = np.zeros(source.size + 5, source.dtype)
            shift = int(rng.integers(0, 6))
            moved = memory[: source.size].reshape(shape)
            moved[...] = source
            operands[0] = Operand(moved, places)
            made.append(memory[shift : shift + source.size].reshape(shape))
    return made


def call(seed: int) -> None:
    """Make one random call and judge it."""
    rng = np.random.default_rng(seed)
    name = str(rng.choice(list(oracle.UFUNCS)))
    activation, wanted = oracle.UFUNCS[name]
    if rng.random() < 0.1:
        gradients(rng, activation)
    else:
        values(rng, name, activation, wanted)


def front(name: str, activation: str, wanted: tuple[str | None, ...]) -> Any:
    """Return the public way to a ufunc's results."""
    function = getattr(s3s4, activation)
    if len(wanted) > 1:
        return function.value_and_derivative
    return function if name == activation else partial(function.derivative, wrt=wanted[0])


def values(rng: Rng, name: str, activation: str, wanted: tuple[str | None, ...]) -> None:
    """Call a ufunc or its front."""
    shape, dtype = any_shape(rng), rng.choice(DTYPES)
    sets = [X, *parameters(activation)]
    operands = [any_operand(rng, narrowed(rng, shape), dtype, these) for these in sets]
    shape = np.broadcast_shapes(*[operand.array.shape for operand in operands])
    loop = np.result_type(*[operand.array for operand in operands])
    options: dict[str, Any] = {}
    if rng.random() < 0.5:
        out = outs(rng, operands, shape, len(wanted))
        options = {"out": tuple(out) if len(out) > 1 else out[0], "casting": "unsafe"}
        options["dtype"] = loop
    before = [array.copy() for array in outputs(options.get("out", ()))]
    mask = np.ones(shape, bool)
    if before and rng.random() < 0.3:
        options["where"] = mask = rng.random(shape) < 0.5
    ways = getattr(s3s4.ufuncs, name), front(name, activation, wanted)
    results = outputs(ways[rng.integers(2)](*[o.array for o in operands], **options))
    assert len(results) == len(wanted)
    for i, (wrt, result) in enumerate(zip(wanted, map(np.asarray, results), strict=True)):
        assert result.shape == shape
        right = close(exact(activation, wrt, operands), loop, result)
        assert right[mask].all()
        if before:
            np.testing.assert_array_equal(result[~mask], before[i][~mask])


def close(wanted: oracle.Exact, loop: np.dtype, result: np.ndarray) -> np.ndarray:
    """Tell which elements are right, computed in the loop's dtype and cast to the result's."""
    wanted = accuracy.in_range(accuracy.in_range(wanted, loop), result.dtype)
    allowed = accuracy.tolerance(wanted, loop) + accuracy.spacing(wanted.high, result.dtype)
    return accuracy.deviation(result, wanted) <= np.where(np.isnan(wanted.high), 0, allowed)


def gradients(rng: Rng, activation: str) -> None:
    """Call `backward`: products, and their sums to the shapes of the parameters."""
    shape, dtype = any_shape(rng), rng.choice(DTYPES)
    names = oracle.inputs(activation)
    sets = [FINITE, *(values[np.isfinite(values)] for values in parameters(activation))]
    shapes = [shape, *[narrowed(rng, shape) for _ in names[1:]]]
    operands = [any_operand(rng, s, dtype, v) for s, v in zip(shapes, sets, strict=True)]
    grad = any_operand(rng, narrowed(rng, shape), dtype, np.array([-3, 0, 0.5, 1], np.float16))
    arrays = [operand.array for operand in operands]
    loop = np.result_type(grad.array, *arrays)
    results = outputs(getattr(s3s4, activation).backward(grad.array, *arrays))
    for wrt, array, result in zip(names, arrays, results, strict=True):
        slope = exact(activation, wrt, operands)
        size = np.abs(grad.array) * accuracy.tolerance(slope, loop)
        total = summed(grad.array * slope.high, array.shape)
        allowed = 2 * summed(size, array.shape) + accuracy.spacing(total, result.dtype)
        assert np.shape(result) == array.shape
        assert (np.abs(result - total) <= allowed).all()


def main() -> None:
    """Make the calls."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calls", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    arguments = parser.parse_args()
    with np.errstate(all="ignore"):
        for seed in range(arguments.seed, arguments.seed + arguments.calls):
            try:
                call(seed)
            except Exception:
                print(f"repeat with: python tests/tools/fuzz.py 1 {seed}")
                raise
    print(f"{arguments.calls} calls, variant {s3s4.build_config()['variant']}: right")


if __name__ == "__main__":
    main()
