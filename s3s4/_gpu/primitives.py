"""What the formulas are made of, in the arithmetic of vecmath.h.

Design:
- A primitive is a device function of one type; its text is the same for the compiler and for the
  simulator. Constants are closed over as numbers of the type, or a float would become a double.
- Polynomials and caps are those of vecmath.h, step by step: the CPU's accuracy is the GPU's.
"""

from typing import Any, NamedTuple

import numpy as np

from s3s4._gpu.toolchain import fused_operation, inline, power_of_two_by

class Constants(NamedTuple):
    """What differs between the arithmetic of two types."""

    bias: float
    shifter: float
    log2e: tuple[float, float]
    exp2: tuple[float, ...]
    highest: float
    smallest_scaled: float
    uniform: float
    factor: float
    cap: float


_h = float.fromhex
CONSTANTS = {
    np.float32: Constants(
        127.0,
        _h("0x1.8p23"),
        (_h("0x1.715476p+0"), _h("0x1.4ae0cp-26")),
        (
            _h("0x1.486064p-13"),
            _h("0x1.5fe1a6p-10"),
            _h("0x1.3b250cp-7"),
            _h("0x1.c6ad6ep-5"),
            _h("0x1.ebfbe6p-3"),
            _h("0x1.62e432p-1"),
            1.0,
        ),
        2.0**100,
        2.0**-62,
        2.0**60,
        2.0**80,
        2.0**80,
    ),
    np.float64: Constants(
        1023.0,
        _h("0x1.8p52"),
        (_h("0x1.71547652b82fep+0"), _h("0x1.777d0ffda0d24p-56")),
        (
            _h("0x1.bdec58357517fp-32"),
            _h("0x1.e60af7eed4cf7p-28"),
            _h("0x1.b5433fe79b782p-24"),
            _h("0x1.62bfd21e8c97cp-20"),
            _h("0x1.ffcbed3be1549p-17"),
            _h("0x1.4309130a33665p-13"),
            _h("0x1.5d87fe7bf7cb6p-10"),
            _h("0x1.3b2ab6fba1afap-7"),
            _h("0x1.c6b08d7048dc4p-5"),
            _h("0x1.ebfbdff82c599p-3"),
            _h("0x1.62e42fefa39f3p-1"),
            1.0,
        ),
        2.0**1000,
        2.0**-958,
        2.0**500,
        2.0**560,
        2.0**600,
    ),
}


def primitives(real: Any, uniform: bool) -> dict[str, Any]:
    """The primitives of formulas.py, a fused a b + c and a compensated addition, for a type.

    Parameters
    ----------
    real : type
        float32 or float64.
    uniform : bool
        Whether parameters are at most `Constants.uniform`, as those shared by a launch are.

    Returns
    -------
    dict
        Device functions by the names that the generated text knows.
    """
    c = CONSTANTS[real]
    one, scaled_bias = real(1), real(c.bias + 64)
    shifter, scaled_shifter = real(c.shifter + c.bias), real(c.shifter + c.bias + 64)
    least = real(c.shifter)
    log2e, log2e_rest = real(c.log2e[0]), real(c.log2e[1])
    exp_cap = real(c.bias / c.log2e[0])
    highest, smallest, unit = real(c.highest), real(c.smallest_scaled), real(2.0**-64)
    limit, factor, cap = real(c.uniform), real(c.factor), real(c.cap)
    inverse = real(1 / c.factor)
    zero = real(0)

    fma, power_of_two = fused_operation(real), power_of_two_by(real)

    # Numba types the bodies below anew for each call: an annotation would claim one type of many.
    if real is np.float32:
        p0, p1, p2, p3, p4, p5, p6 = map(real, c.exp2)

        @inline
        def exp2(f):  # type: ignore[no-untyped-def]
            p = fma(p0, f, p1)
            p = fma(p, f, p2)
            p = fma(p, f, p3)
            p = fma(p, f, p4)
            p = fma(p, f, p5)
            return fma(p, f, p6)
    else:
        q0, q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11 = map(real, c.exp2)

        @inline
        def exp2(f):  # type: ignore[no-untyped-def]
            p = fma(q0, f, q1)
            p = fma(p, f, q2)
            p = fma(p, f, q3)
            p = fma(p, f, q4)
            p = fma(p, f, q5)
            p = fma(p, f, q6)
            p = fma(p, f, q7)
            p = fma(p, f, q8)
            p = fma(p, f, q9)
            p = fma(p, f, q10)
            return fma(p, f, q11)

    @inline
    def finite(u):  # type: ignore[no-untyped-def]
        return highest if highest < u else u

    @inline
    def unscaled(y):  # type: ignore[no-untyped-def]
        return (zero if abs(y) < smallest else y) * unit

    @inline
    def exp_neg(u):  # type: ignore[no-untyped-def]
        v = exp_cap if exp_cap < u else u
        z = fma(-v, log2e, shifter)
        n = z - shifter
        f = fma(-v, log2e_rest, fma(-v, log2e, -n))
        return exp2(f) * power_of_two(z)

    @inline
    def product_of_any(k, u):  # type: ignore[no-untyped-def]
        large = k > limit
        scaled = k * (inverse if large else one)
        scaled = cap if cap < scaled else scaled
        v = finite(u * (factor if large else one))
        high = scaled * log2e
        low = fma(scaled, log2e_rest, fma(scaled, log2e, -high))
        z = fma(-v, high, scaled_shifter)
        n = z - scaled_shifter
        f = fma(-v, low, fma(-v, high, -n))
        power = exp2(f) * power_of_two(z)
        return zero if z <= least else power

    @inline
    def product_of_uniform(k, u):  # type: ignore[no-untyped-def]
        high = k * log2e
        low = fma(k, log2e_rest, fma(k, log2e, -high))
        most = finite(scaled_bias / high)
        v = most if most < u else u
        z = fma(-v, high, scaled_shifter)
        n = z - scaled_shifter
        f = fma(-v, low, fma(-v, high, -n))
        return exp2(f) * power_of_two(z)

    @inline
    def add(high, low, term):  # type: ignore[no-untyped-def]
        total = high + term
        back = total - high
        return total, low + ((high - (total - back)) + (term - back))

    return {
        "fma": fma,
        "add": add,
        "exp_neg": exp_neg,
        "scaled_exp_neg_product": product_of_uniform if uniform else product_of_any,
        "unscaled": unscaled,
        "finite": finite,
    }
