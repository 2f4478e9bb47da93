"""Values and derivatives at chosen points, from the oracle: what frameworks are compared with.

# Design:
# - Second derivatives are differences of the oracle's slopes, of one side: at 0 of the one that the
#   formula takes.
"""

from collections.abc import Iterator

import numpy as np

import oracle
from support import ELEMENTWISE

X = [-40.0, -7.25, -2.5, -0.7, -0.3, -1e-3, 0.0, 1e-3, 0.4, 0.8, 2.2, 7.7, 40.0]
STEP = oracle.mp.mpf("1e-15")
LEFT = {"s3", "relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu"}
"""At 0 they have the slope of the left."""
SIGNED = {"s4", "pss", "swish", "softplus", "elu", "leaky_relu", "prelu", "rational_softsign"}
"""Their first parameter may be negative."""


def parameter_sets(name: str) -> Iterator[list[float]]:
    """The defaults, and others, negative ones too where they are allowed."""
    defaults = list(ELEMENTWISE[name].parameters.values())
    yield defaults
    if name in SIGNED:
        yield [-0.75, 1.25, 0.5][: len(defaults)]
    elif name == "s3_smooth":
        yield [0.0]
    elif name == "hardtanh":
        yield [-0.7, 0.8]


CASES = [(name, tuple(values)) for name in ELEMENTWISE for values in parameter_sets(name)]


def exact(name: str, wrt: str | None, values: tuple[float, ...]) -> np.ndarray:
    """The value, or the derivative by an input, at X."""
    return np.array(
        [float(oracle.evaluate(name, wrt, *map(oracle.mp.mpf, (x, *values))).total) for x in X]
    )


def exact_second(name: str, values: tuple[float, ...]) -> np.ndarray:
    """The slope's slope by x at X."""
    found = []
    is_left = name in LEFT or (name, values) == ("s3_smooth", (0.0,))
    for x in X:
        step = STEP if x > 0 or (x == 0 and not is_left) else -STEP
        slopes = [
            oracle.evaluate(name, "x", *map(oracle.mp.mpf, (x + i * step, *values))).total
            for i in range(1, 4)
        ]
        # Extrapolated to the point itself: at 0 the slope may be the other side's.
        found.append(float((-5 * slopes[0] + 8 * slopes[1] - 3 * slopes[2]) / (2 * step)))
    return np.array(found)
