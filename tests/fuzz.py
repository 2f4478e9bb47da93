"""Random calls against the definitions in long double: python fuzz.py CALLS [SEED].

# Design:
# - A call is random in everything: function, shapes, dtypes, byte orders, strides, broadcasting,
#   where, out in other dtypes and overlapping the inputs. It is judged by inputs copied before.
# - The oracle is one NumPy expression for each function, so that a hundred thousand calls take a
#   minute. Its bound is loose: tests/accuracy.py judges the last bits, this one the memory.
# - A failure prints the seed of its call, which alone repeats it.
"""

import argparse
from collections.abc import Callable, Mapping

import numpy as np

import s3s4

Rng = np.random.Generator
DTYPES = ("f2", "f4", "f8", "g", ">f2", ">f4", ">f8")


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Take 1 / (1 + e^-x)."""
    return 1 / (1 + np.exp(-x))


def s3(x: np.ndarray) -> list[np.ndarray]:
    """Return the only term."""
    return [np.where(x > 0, x / (1 + abs(x)), sigmoid(x))]


def s3_dx(x: np.ndarray) -> list[np.ndarray]:
    """Return the only term."""
    return [np.where(x > 0, 1 / (1 + abs(x)) ** 2, sigmoid(x) * sigmoid(-x))]


def s4(x: np.ndarray, k: np.ndarray) -> list[np.ndarray]:
    """Return the terms of the sum."""
    return [sigmoid(k * x) * x / (1 + abs(x)), sigmoid(-k * x) * sigmoid(x)]


def s4_dx(x: np.ndarray, k: np.ndarray) -> list[np.ndarray]:
    """Return the terms of the sum."""
    a, b = sigmoid(k * x), sigmoid(-k * x)
    blend = [k * a * b * x / (1 + abs(x)), -k * a * b * sigmoid(x)]
    return [*blend, a / (1 + abs(x)) ** 2, b * sigmoid(x) * sigmoid(-x)]


def s4_dk(x: np.ndarray, k: np.ndarray) -> list[np.ndarray]:
    """Return the terms of the sum."""
    turn = x * sigmoid(k * x) * sigmoid(-k * x)
    return [turn * x / (1 + abs(x)), -turn * sigmoid(x)]


TERMS: Mapping[str, tuple[Callable[..., list[np.ndarray]], ...]] = {
    "s3": (s3,),
    "s3_dx": (s3_dx,),
    "s3_value_dx": (s3, s3_dx),
    "s4": (s4,),
    "s4_dx": (s4_dx,),
    "s4_dk": (s4_dk,),
    "s4_value_dx": (s4, s4_dx),
}


def view(rng: Rng, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Make an array with random values and any strides."""
    steps = rng.choice([1, 1, 1, 2, -1, -3], len(shape))
    order = rng.permutation(len(shape))
    memory = np.empty([shape[axis] * abs(steps[axis]) for axis in order], dtype)
    memory[...] = rng.uniform(-1, 1, memory.shape) * rng.choice([1e-3, 1.0, 10.0, 40.0])
    slices = tuple(slice(None, None, step) for step in steps)
    return memory.transpose(np.argsort(order))[(*slices, ...)]


def operands(rng: Rng, count: int) -> list[np.ndarray]:
    """Make arrays that broadcast, mostly of one dtype, now and then large enough for threads."""
    long = 200_000 if rng.random() < 0.001 else 300
    shape = tuple(int(n) for n in rng.integers(0, 6, rng.integers(0, 4)))
    if rng.random() < 0.5:
        shape = (*shape[:1], int(rng.integers(1, long)))
    dtype = rng.choice(DTYPES)
    made = []
    for _ in range(count):
        own = tuple(1 if rng.random() < 0.15 else n for n in shape)[rng.random() < 0.1 :]
        made.append(view(rng, own, dtype if rng.random() < 0.8 else rng.choice(DTYPES)))
    return made


def outs(rng: Rng, arrays: list[np.ndarray], shape: tuple[int, ...], count: int) -> list:
    """Make outputs: new ones, the input itself, or a shifted view of its memory."""
    made = []
    for _ in range(count):
        way = rng.random()
        source = arrays[0]
        if way < 0.4 or source.shape != shape or made:
            made.append(view(rng, shape, rng.choice(DTYPES)))
        elif way < 0.6:
            made.append(source)
        elif way < 0.8:
            made.append(source[(*[slice(None, None, -1)] * len(shape), ...)])
        else:
            memory = np.empty(source.size + 5, source.dtype)
            shift = int(rng.integers(0, 6))
            arrays[0] = memory[: source.size].reshape(shape)
            arrays[0][...] = source
            made.append(memory[shift : shift + source.size].reshape(shape))
    return made


def call(seed: int) -> None:
    """Make one random call and judge it."""
    rng = np.random.default_rng(seed)
    name = str(rng.choice(list(TERMS)))
    ufunc = getattr(s3s4.ufuncs, name)
    arrays = operands(rng, ufunc.nin)
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    dtype = np.result_type(*arrays)
    options: dict = {}
    if rng.random() < 0.5:
        options = {"out": tuple(outs(rng, arrays, shape, ufunc.nout)), "casting": "unsafe"}
        options["dtype"] = dtype
    wide = [a.astype(np.longdouble) for a in arrays]
    before = [o.copy() for o in options.get("out", ())]
    mask = np.ones(shape, bool)
    if before and rng.random() < 0.3:
        options["where"] = mask = rng.random(shape) < 0.5
    function = getattr(s3s4, name, ufunc)
    results = function(*arrays, **options)
    for i, result in enumerate(results if ufunc.nout > 1 else (results,)):
        check(TERMS[name][i](*wide), wide, dtype, np.asarray(result), mask, before[i:])


def check(terms, wide, dtype, result, mask, before) -> None:
    """Judge one output: right where the mask is set, untouched elsewhere."""
    eps = max(np.finfo(dtype).eps, np.finfo(result.dtype).eps)
    tiny = max(np.finfo(dtype).tiny, np.finfo(result.dtype).tiny)
    size = sum(map(abs, terms))
    # Without fused operations the product k x is rounded before the exponential sees it.
    steep = np.abs(wide[0] * wide[-1]) if len(wide) > 1 else 0
    with np.errstate(under="ignore"):
        right = np.abs(result - sum(terms)) <= (8 + steep) * eps * size + tiny
    assert result.shape == mask.shape
    assert right[mask].all()
    if before:
        np.testing.assert_array_equal(result[~mask], before[0][~mask])


def main() -> None:
    """Make the calls."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calls", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    arguments = parser.parse_args()
    for seed in range(arguments.seed, arguments.seed + arguments.calls):
        try:
            with np.errstate(all="ignore"):
                call(seed)
        except Exception:
            print(f"repeat with: python tests/fuzz.py 1 {seed}")
            raise
    print(f"{arguments.calls} calls, variant {s3s4.build_config()['variant']}: right")


if __name__ == "__main__":
    main()
