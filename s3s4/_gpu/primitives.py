"""What the formulas are made of, in the arithmetic of primitives_type.h.

Design:
- A primitive is a device function of one type; its text is the same for the compiler and for the
  simulator. Constants are closed over as numbers of the type, or a float would become a double.
- Polynomials and caps are the CPU's, step by step: the CPU's accuracy is the GPU's.
- What is rounded to eleven bits or fewer in the end takes the card's own approximations of 2^x and
  1 / x, and no corrections: their errors, of two units of a float and of one, are a thousandth of
  what rounding loses, but where terms cancel.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from s3s4._formulas_gpu import polynomials
from s3s4._gpu.toolchain import (
    approximate_exp2,
    fused_operation,
    inline,
    power_of_two_by,
    reciprocal,
)


class Constants(NamedTuple):
    """What differs between the arithmetic of two types."""

    bias: float
    shifter: float
    log2e: tuple[float, float]
    ln2: tuple[float, float]
    highest: float
    exp_range: float
    normal_range: float
    smallest_scaled: float
    uniform: float
    factor: float
    cap: float
    turns_end: float
    pi: tuple[float, float, float, float]


_h = float.fromhex
CONSTANTS = {
    np.float32: Constants(
        127.0,
        _h("0x1.8p23"),
        (_h("0x1.715476p+0"), _h("0x1.4ae0cp-26")),
        (_h("0x1.62e4p-1"), _h("0x1.7f7d1cp-20")),
        2.0**125,
        110.0,
        14.8,
        2.0**-62,
        2.0**60,
        2.0**80,
        2.0**80,
        2.0**22,
        (_h("0x1.92p+1"), _h("0x1.fb4p-11"), _h("0x1.444p-23"), _h("0x1.68c234p-38")),
    ),
    np.float64: Constants(
        1023.0,
        _h("0x1.8p52"),
        (_h("0x1.71547652b82fep+0"), _h("0x1.777d0ffda0d24p-56")),
        (_h("0x1.62e42fefa3800p-1"), _h("0x1.ef35793c76730p-45")),
        2.0**1021,
        745.0,
        38.6,
        2.0**-958,
        2.0**500,
        2.0**560,
        2.0**600,
        2.0**51,
        (
            _h("0x1.921fb54p+1"),
            _h("0x1.10b46p-29"),
            _h("0x1.1a6263p-53"),
            _h("0x1.8a2e03707344ap-80"),
        ),
    ),
}


def primitives(real: Any, uniform: bool, is_short: bool) -> dict[str, Any]:
    """The primitives of formulas.py, a fused a b + c and a compensated addition, for a type.

    Parameters
    ----------
    real : type
        float32 or float64.
    uniform : bool
        Whether parameters are at most `Constants.uniform`, as those shared by a launch are.
    is_short : bool
        Whether results are rounded to eleven bits or fewer.

    Returns
    -------
    dict
        Device functions by the names that the generated text knows.
    """
    c = CONSTANTS[real]
    one = real(1)
    shifter, scaled_shifter = real(c.shifter + c.bias), real(c.shifter + c.bias + 64)
    largest, last_exponent = np.finfo(real).max, real(c.bias + 63)
    log2e, log2e_rest = real(c.log2e[0]), real(c.log2e[1])
    exp_cap = real(c.bias / c.log2e[0])
    bias, ln2_rounded, far = real(c.bias), real(math.log(2)), real(2 * (c.bias + 1))
    highest, smallest, unit = real(c.highest), real(c.smallest_scaled), real(2.0**-64)
    exp_range, normal_range = real(c.exp_range), real(c.normal_range)
    half_log2e, half_log2e_rest = real(c.log2e[0] / 2), real(c.log2e[1] / 2)
    limit, factor, cap = real(c.uniform), real(c.factor), real(c.cap)
    inverse = real(1 / c.factor)
    zero, two, middle, eight = real(0), real(2), real(4), real(8)
    ln2, ln2_rest, whole_ln2 = real(c.ln2[0]), real(c.ln2[1]), real(math.log(2))
    pi_1, pi_2, pi_3, pi_4 = map(real, c.pi)
    inverse_of_pi, turns_end = real(1 / math.pi), real(c.turns_end)
    half, tiny_argument = real(0.5), real(2.0**-60 if real is np.float64 else 2.0**-30)
    of_integers = real(c.shifter)
    square, inverse_of_square = limit * limit, one / (limit * limit)
    inverse_of_limit = one / limit
    larger, smaller = real(256 * c.factor), real(1 / (256 * c.factor))
    exponents = tuple([real(count) for count in (32, 16, 8, 4, 2, 1)])
    powers = tuple([real(2.0**count) for count in (32, 16, 8, 4, 2, 1)])
    scale_exponent = real(64)
    expm1_cap = real(44.0 if real is np.float64 else 20.0)

    fma, power_of_two = fused_operation(real), power_of_two_by(real)

    # Numba types the bodies below anew for each call: any other annotation would claim one type.
    make: Any = polynomials  # generated, without types
    parts = make(inline, real, fma, real is np.float64)
    exp2, exp_ratio = parts["exp2_fraction"], parts["expm1_rest"]
    atanh_ratio, tanh_rest = parts["atanh_rest"], parts["tanh_ratio"]
    normal_part, sine_rest = parts["tail_ratio"], parts["sine_rest"]

    if is_short:

        @inline
        def divide(a: Any, b: Any) -> Any:
            return a * reciprocal(b)

    elif real is np.float32:
        # Denominators of formulas.py are neither tiny nor huge: no operand needs the care that
        # takes the compiler's own division twice as long. With 1 / b to within a unit in the last
        # place the correction leaves half a unit of error. It is NaN where b is infinite.
        @inline
        def divide(a: Any, b: Any) -> Any:
            inverse_of_b = reciprocal(b)
            q = a * inverse_of_b
            error = fma(-b, q, a)
            return fma(error, inverse_of_b, q) if error == error else q

    else:

        @inline
        def divide(a: Any, b: Any) -> Any:
            return a / b

    @inline
    def finite(u: Any) -> Any:
        return highest if highest < u else u

    @inline
    def within_exp(u: Any) -> Any:
        return exp_range if exp_range < u else u

    @inline
    def within_normal(u: Any) -> Any:
        return normal_range if normal_range < u else u

    @inline
    def unscaled(y: Any) -> Any:
        return (zero if abs(y) < smallest else y) * unit

    @inline
    def unscaled_product_of_any(k: Any, y: Any) -> Any:
        return (k * unit) * y if abs(k) > limit else unscaled(k * y)

    @inline
    def unscaled_product_of_uniform(k: Any, y: Any) -> Any:
        return unscaled(k * y)

    if is_short:

        @inline
        def exp_neg(u: Any) -> Any:
            return approximate_exp2(-u * log2e)

        @inline
        def scaled_exp_neg(u: Any) -> Any:
            return approximate_exp2(fma(-u, log2e, scale_exponent))

        @inline
        def scaled_exp_neg_half_square(u: Any) -> Any:
            return approximate_exp2(fma(-u * u, half_log2e, scale_exponent))

    else:

        @inline
        def biased_exp_neg(u: Any, biased_shifter: Any) -> Any:
            z = fma(-u, log2e, biased_shifter)
            n = z - biased_shifter
            f = fma(-u, log2e_rest, fma(-u, log2e, -n))
            return exp2(f) * power_of_two(z)

        @inline
        def exp_neg(u: Any) -> Any:
            return biased_exp_neg(exp_cap if exp_cap < u else u, shifter)

        @inline
        def scaled_exp_neg(u: Any) -> Any:
            return biased_exp_neg(u, scaled_shifter)

        @inline
        def scaled_exp_neg_half_square(u: Any) -> Any:
            square = u * u
            rest = fma(u, u, -square)
            z = fma(-square, half_log2e, scaled_shifter)
            n = z - scaled_shifter
            left = fma(-square, half_log2e_rest, fma(-square, half_log2e, -n))
            return exp2(fma(-rest, half_log2e, left)) * power_of_two(z)

    @inline
    def row_reference(largest_of_row: Any) -> Any:
        return zero if abs(largest_of_row) < far else largest_of_row

    @inline
    def binary_exponent(m: Any) -> Any:
        return (m * log2e - half + of_integers) - of_integers

    if is_short:

        @inline
        def exp_neg_scaled(u: Any, count: Any) -> Any:
            return approximate_exp2(fma(-u, log2e, -count))

    else:

        @inline
        def exp_neg_scaled(u: Any, count: Any) -> Any:
            end = (bias - count) * ln2_rounded
            v = end if end < u else u
            of_row = shifter - count
            z = fma(-v, log2e, of_row)
            n = z - of_row
            f = fma(-v, log2e_rest, fma(-v, log2e, -n))
            return exp2(f) * power_of_two(z)

    @inline
    def product_of_short(k: Any, u: Any) -> Any:
        return approximate_exp2(fma(-(finite(k) * log2e), finite(u), scale_exponent))

    @inline
    def product_of_any(k: Any, u: Any) -> Any:
        large = k > limit
        scaled = k * (inverse if large else one)
        scaled = cap if cap < scaled else scaled
        all_of_u = u * (factor if large else one)
        v = largest if largest < all_of_u else all_of_u
        high = scaled * log2e
        low = fma(scaled, log2e_rest, fma(scaled, log2e, -high))
        z = fma(-v, high, scaled_shifter)
        n = z - scaled_shifter
        f = fma(-v, low, fma(-v, high, -n))
        power = exp2(f) * power_of_two(z)
        return zero if fma(-all_of_u, high, last_exponent) < zero else power

    @inline
    def product_of_uniform(k: Any, u: Any) -> Any:
        high = k * log2e
        low = fma(k, log2e_rest, fma(k, log2e, -high))
        v = largest if largest < u else u
        z = fma(-v, high, scaled_shifter)
        n = z - scaled_shifter
        f = fma(-v, low, fma(-v, high, -n))
        power = exp2(f) * power_of_two(z)
        return zero if fma(-u, high, last_exponent) < zero else power

    @inline
    def expm1_neg(u: Any) -> Any:
        v = expm1_cap if expm1_cap < u else u
        z = fma(-v, log2e, shifter)
        n = z - shifter
        r = fma(-n, whole_ln2, -v)
        power = power_of_two(z)
        return fma(power, fma(r * r, exp_ratio(r), r), power - one)

    @inline
    def log1p(t: Any) -> Any:
        s = divide(t, two + t)
        w = s * s
        rest = two * (w * atanh_ratio(w))
        return fma(-s, t - rest, t)

    @inline
    def scaled_down(u: Any, k: Any, scale: Any, power: Any, exponent: Any) -> Any:
        """By 2^exponent, its power, where that leaves at least 1."""
        if u >= power:
            return u / power, k + exponent, scale / power
        return u, k, scale

    @inline
    def log1p_any(t: Any) -> Any:
        # 1 + t = 2^k (1 + w); t is at most the length of a row.
        u, k, scale = scaled_down(one + t, zero, one, powers[0], exponents[0])
        u, k, scale = scaled_down(u, k, scale, powers[1], exponents[1])
        u, k, scale = scaled_down(u, k, scale, powers[2], exponents[2])
        u, k, scale = scaled_down(u, k, scale, powers[3], exponents[3])
        u, k, scale = scaled_down(u, k, scale, powers[4], exponents[4])
        u, k, scale = scaled_down(u, k, scale, powers[5], exponents[5])
        w = fma(t, scale, scale - one)
        return fma(k, ln2, fma(k, ln2_rest, log1p(w)))

    @inline
    def tanh_rest_of(u: Any) -> Any:
        return tanh_rest(u * u)

    if is_short:

        @inline
        def normal_tail(u: Any) -> Any:
            r = reciprocal(u + middle)
            return normal_part(fma(-eight, r, one)) * r

    else:

        @inline
        def normal_tail(u: Any) -> Any:
            total = u + middle
            r = divide(one, total)
            rest = r * fma(-r, u - (total - middle), fma(-r, total, one))
            p = normal_part(fma(-eight, rest, fma(-eight, r, one)))
            return fma(p, rest, p * r)

    @inline
    def sqrt_square_plus(u: Any, b: Any) -> Any:
        v = abs(u)
        is_large = v > limit or b > square
        is_small = v < inverse_of_limit and b < inverse_of_square
        scale = smaller if is_large else (larger if is_small else one)
        back = larger if is_large else (smaller if is_small else one)
        scaled = v * scale
        return real(math.sqrt(fma(scaled, scaled, b * scale * scale))) * back

    @inline
    def sinc_product(k: Any, u: Any) -> Any:
        product = k * u
        is_near = abs(product) <= turns_end
        h = product if is_near else zero
        rest = fma(k, u, -product) if is_near else zero
        n = fma(h, inverse_of_pi, of_integers) - of_integers
        first = fma(-n, pi_2, fma(-n, pi_1, h))
        following = fma(-n, pi_3, first)
        lost = fma(-n, pi_3, first - following)
        total = following + rest
        back = total - following
        left = lost + ((following - (total - back)) + (rest - back))
        r = total + fma(-n, pi_4, left)
        odd = fma(-two, fma(n, half, of_integers) - of_integers, n)
        sign = fma(-two * odd, odd, one)
        v = zero if abs(r) < tiny_argument else r
        w = v * v
        sine = sign * fma(r * w, sine_rest(w), r)
        # It is 1 there, and h no denominator.
        is_tiny = abs(h) < tiny_argument
        above = (one if is_near else zero) if is_tiny else sine
        ratio = divide(above, one if is_tiny else h)
        return unless_nan(unless_nan(ratio, k), u)

    @inline
    def copysign(u: Any, x: Any) -> Any:
        return real(math.copysign(u, x))

    @inline
    def unless_nan(y: Any, x: Any) -> Any:
        return y if x == x else x

    @inline
    def add(high: Any, low: Any, term: Any) -> Any:
        total = high + term
        back = total - high
        return total, low + ((high - (total - back)) + (term - back))

    return {
        "fma": fma,
        "add": add,
        "divide": divide,
        "exp_neg": exp_neg,
        "row_reference": row_reference,
        "binary_exponent": binary_exponent,
        "exp_neg_scaled": exp_neg_scaled,
        "scaled_exp_neg_product": product_of_short if is_short else product_of_any,
        "scaled_exp_neg_product_uniform": product_of_short if is_short else product_of_uniform,
        "scaled_exp_neg_product_shared": product_of_short
        if is_short
        else product_of_uniform
        if uniform
        else product_of_any,
        "unscaled": unscaled,
        "unscaled_product": unscaled_product_of_any,
        "unscaled_product_uniform": unscaled_product_of_uniform,
        "unscaled_product_shared": unscaled_product_of_uniform
        if uniform
        else unscaled_product_of_any,
        "finite": finite,
        "within_exp": within_exp,
        "within_normal": within_normal,
        "scaled_exp_neg": scaled_exp_neg,
        "scaled_exp_neg_half_square": scaled_exp_neg_half_square,
        "expm1_neg": expm1_neg,
        "log1p": log1p,
        "log1p_any": log1p_any,
        "tanh_rest": tanh_rest_of,
        "normal_tail": normal_tail,
        "sinc_product": sinc_product,
        "sqrt_square_plus": sqrt_square_plus,
        "copysign": copysign,
        "unless_nan": unless_nan,
    }
