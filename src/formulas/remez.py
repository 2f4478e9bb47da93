"""The polynomials of the primitives: minimax in relative error, by Remez exchange.

Usage: python src/formulas/remez.py

Writes coefficients.py, and prints the largest relative error of each polynomial, before and after
its coefficients are rounded to the type that holds them. Needs mpmath.

Design:
- p(t) = base(t) + c_m t^m + ... + c_n t^n, the lowest terms fixed, approximates g(t) on an interval
  with |p / g - 1| equalised at n - m + 2 points. Those points move to the extremes of the error of
  the last solution until the extremes agree.
- A table has a row for each power, the highest first, and a column for each of its short intervals:
  what registers of 16 or 32 elements hold, and one instruction picks from.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import mpmath as mp

OUTPUT = Path(__file__).with_name("coefficients.py")
HEAD = '''\
"""The polynomials of the primitives, the highest power first: written by remez.py."""

'''

mp.mp.dps = 50
BITS = {"f32": 24, "f64": 53, "ld": 64}
SIMD = ("f32", "f64")
"""Types that vectors are made of."""
HALF, THIRD = mp.mpf(1) / 2, mp.mpf(1) / 3


@dataclass
class Approximation:
    """A function on low <= t <= high, the terms that are fixed, and the powers that are fitted.

    A polynomial that is not whole is what multiplies the first power that is fitted.
    """

    name: str
    function: Callable[[mp.mpf], mp.mpf]
    fixed: list[mp.mpf]
    low: mp.mpf
    high: mp.mpf
    degree: dict[str, int]
    is_whole: bool = False

    def at(self, share: mp.mpf) -> mp.mpf:
        """A point of the interval, denser towards its ends, for a share from 0 to 1."""
        middle, half = (self.high + self.low) / 2, (self.high - self.low) / 2
        return middle - half * mp.cos(mp.pi * share)


def exp_ratio(r: mp.mpf) -> mp.mpf:
    """(e^r - 1) / r."""
    return mp.expm1(r) / r if r else mp.mpf(1)


def exp2_ratio(f: mp.mpf) -> mp.mpf:
    """(2^f - 1) / f."""
    return exp_ratio(f * mp.log(2)) * mp.log(2)


def atanh_ratio(w: mp.mpf) -> mp.mpf:
    """atanh(s) / s with s^2 = w."""
    s = mp.sqrt(w)
    return mp.atanh(s) / s if w else mp.mpf(1)


def tanh_rest(w: mp.mpf) -> mp.mpf:
    """(u - tanh(u)) / u^3 with u^2 = w."""
    u = mp.sqrt(w)
    return (u - mp.tanh(u)) / u**3 if w else THIRD


def sine_ratio(w: mp.mpf) -> mp.mpf:
    """sin(r) / r with r^2 = w."""
    return mp.sinc(mp.sqrt(w))


def normal_tail(middle: int) -> Callable[[mp.mpf], mp.mpf]:
    """(u + K) e^(u^2/2) Phi(-u) of t = (u - K) / (u + K), with Phi the normal distribution's."""

    def function(t: mp.mpf) -> mp.mpf:
        u = middle * (1 + t) / (1 - t)
        return (u + middle) * mp.exp(u * u / 2) * mp.erfc(u / mp.sqrt(2)) / 2

    return function


def normal_tail_up_to(u: int, middle: int, degree: dict[str, int]) -> Approximation:
    end = mp.mpf(u - middle) / (u + middle)
    return Approximation("tail_ratio", normal_tail(middle), [], mp.mpf(-1), end, degree)


def normal_tail_about(u: mp.mpf, width: mp.mpf) -> Approximation:
    """e^(u^2/2) Phi(-u) in the distance from a u, to which no other one is nearer."""

    def function(t: mp.mpf) -> mp.mpf:
        return mp.exp((u + t) ** 2 / 2) * mp.erfc((u + t) / mp.sqrt(2)) / 2

    low = max(-width / 2, -u)
    return Approximation("tail_pieces", function, [], low, width / 2, {"f32": 5})


R = mp.log(2) / 2
APPROXIMATIONS = [
    Approximation(
        "exp2_fraction", lambda t: mp.power(2, t), [1], -HALF, HALF, {"f32": 6, "f64": 11}, True
    ),
    # Beside a table of 2^(j/16).
    Approximation("exp2_step", exp2_ratio, [], -HALF / 16, HALF / 16, {"f32": 2, "f64": 5}),
    Approximation("exp_rest", mp.exp, [1, 1], -R, R, {"f32": 6, "f64": 11}),
    Approximation("expm1_rest", exp_ratio, [1], -R, R, {"f32": 6, "f64": 10}),
    Approximation("atanh_rest", atanh_ratio, [1], mp.mpf(0), THIRD**2, {"f32": 4, "f64": 10}),
    Approximation(
        "tanh_ratio", tanh_rest, [], mp.mpf(0), mp.mpf(1), {"f32": 7, "f64": 15, "ld": 19}
    ),
    # A little beyond (pi / 2)^2: the quotient by pi is rounded before it becomes an integer.
    Approximation("sine_rest", sine_ratio, [1], mp.mpf(0), mp.mpf(2.5), {"f32": 4, "f64": 8}),
    # Beyond these u, e^(-u^2/2) underflows.
    normal_tail_up_to(15, 4, {"f32": 9}),
    normal_tail_up_to(40, 4, {"f64": 22}),
    normal_tail_up_to(152, 6, {"ld": 28}),
]


WIDTH = mp.mpf(7) / 16
"""Of the pieces of the normal tail: 32 of them end where u e^(-u^2/2) underflows."""
PIECES = [normal_tail_about(j * WIDTH, WIDTH) for j in range(32)]


def error(a: Approximation, coefficients: list[mp.mpf], t: mp.mpf) -> mp.mpf:
    """The relative error of the polynomial at t."""
    return mp.polyval([*coefficients[::-1], *map(mp.mpf, a.fixed[::-1])], t) / a.function(t) - 1


def solve(a: Approximation, powers: range, points: list[mp.mpf]) -> list[mp.mpf]:
    """The coefficients whose error alternates, with equal size, over the points."""
    rows = [
        [t**power / a.function(t) for power in powers] + [(-1) ** i] for i, t in enumerate(points)
    ]
    right = [
        1 - sum(c * t**power for power, c in enumerate(a.fixed)) / a.function(t) for t in points
    ]
    return list(mp.lu_solve(mp.matrix(rows), mp.matrix(right)))[:-1]


def extremes(a: Approximation, coefficients: list[mp.mpf], count: int) -> list[mp.mpf]:
    """Where the error is largest between its changes of sign."""
    grid = [a.at(mp.mpf(i) / (40 * count)) for i in range(40 * count + 1)]
    values = [error(a, coefficients, t) for t in grid]
    runs: list[tuple[mp.mpf, mp.mpf]] = []
    for t, value in zip(grid, values, strict=True):
        if runs and mp.sign(runs[-1][1]) == mp.sign(value):
            if abs(value) > abs(runs[-1][1]):
                runs[-1] = (t, value)
        else:
            runs.append((t, value))
    # At t = 0 the fixed terms make the error 0 whatever the rest: the runs beside it may be extra.
    while len(runs) > count:
        runs.remove(min(runs, key=lambda run: abs(run[1])))
    return [t for t, _ in runs]


def remez(a: Approximation, degree: int) -> list[mp.mpf]:
    """The minimax coefficients of the fitted powers."""
    powers = range(len(a.fixed), degree + 1)
    count = len(powers) + 1
    points = [a.at((i + HALF) / count) for i in range(count)]
    for _ in range(30):
        coefficients = solve(a, powers, points)
        moved = extremes(a, coefficients, count)
        if len(moved) < count:
            break
        points = moved
        sizes = [abs(error(a, coefficients, t)) for t in points]
        if max(sizes) / min(sizes) < 1 + mp.mpf(10) ** -4:
            break
    return coefficients


def rounded(a: Approximation, degree: int, bits: int) -> list[mp.mpf]:
    """The coefficients as numbers of so many bits.

    Each rounded; or the lowest first, which counts most, and the rest fitted again: what errs less.
    """
    exact = remez(a, degree)
    lowest = nearest(exact[0], bits)
    again = [lowest, *remez(replace(a, fixed=[*a.fixed, lowest]), degree)]
    candidates = [[nearest(c, bits) for c in each] for each in (exact, again)]
    return min(candidates, key=lambda coefficients: largest(a, coefficients))


def nearest(value: mp.mpf, bits: int) -> mp.mpf:
    with mp.workprec(bits):
        return +value


def largest(a: Approximation, coefficients: list[mp.mpf]) -> mp.mpf:
    grid = [a.at(mp.mpf(i) / 4000) for i in range(4001)]
    return max(abs(error(a, coefficients, t)) for t in grid)


def digits(value: mp.mpf, kind: str) -> str:
    """A number as C and Python's float.fromhex read it, exactly; of a long double as C does."""
    if kind == "ld":
        return str(mp.nstr(value, 22))
    mantissa, exponent = float(value).hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}"


def main() -> None:
    polynomials: dict[str, dict[str, list[str]]] = {}
    for a in APPROXIMATIONS:
        for kind, degree in a.degree.items():
            polynomials.setdefault(a.name, {})[kind] = fitted(a, kind, degree)
    pieces = [fitted(a, kind, degree) for a in PIECES for kind, degree in a.degree.items()]
    tables = {
        "exp2_sixteenths": {kind: sixteenths(kind) for kind in SIMD},
        "tail_pieces": {"f32": [[*row] for row in zip(*pieces, strict=True)]},
    }
    OUTPUT.write_text(text(polynomials, tables))


def sixteenths(kind: str) -> list[list[str]]:
    """2^(j/16), and what its rounding left of it, relative to it."""
    powers = [mp.power(2, mp.mpf(j) / 16) for j in range(16)]
    held = [nearest(power, BITS[kind]) for power in powers]
    rest = [nearest(p / h - 1, BITS[kind]) for p, h in zip(powers, held, strict=True)]
    return [[digits(one, kind) for one in row] for row in (held, rest)]


def fitted(a: Approximation, kind: str, degree: int) -> list[str]:
    """The digits of the coefficients, the highest power first."""
    exact = remez(a, degree)
    held = rounded(a, degree, BITS[kind])
    errors = [mp.nstr(largest(a, coefficients), 3) for coefficients in (exact, held)]
    print(f"{a.name} {kind}, degree {degree}: {errors[0]}, rounded {errors[1]}")
    kept = [*map(mp.mpf, a.fixed if a.is_whole else []), *held]
    return [digits(c, kind) for c in reversed(kept)]


def text(
    polynomials: dict[str, dict[str, list[str]]], tables: dict[str, dict[str, list[list[str]]]]
) -> str:
    """coefficients.py."""
    lines = [HEAD + "COEFFICIENTS: dict[str, dict[str, tuple[str, ...]]] = {"]
    for name, by_kind in polynomials.items():
        lines.append(f'    "{name}": {{')
        for kind, coefficients in by_kind.items():
            lines += [f'        "{kind}": (', *listed(coefficients, "    "), "        ),"]
        lines.append("    },")
    lines += ["}", "", "TABLES: dict[str, dict[str, tuple[tuple[str, ...], ...]]] = {"]
    for name, rows_by_kind in tables.items():
        lines.append(f'    "{name}": {{')
        for kind, rows in rows_by_kind.items():
            lines.append(f'        "{kind}": (')
            for row in rows:
                lines += ["            (", *listed(row, "        "), "            ),"]
            lines.append("        ),")
        lines.append("    },")
    return "\n".join([*lines, "}", ""])


def listed(coefficients: list[str], indent: str) -> list[str]:
    """Each on a line of its own."""
    return [f'{indent}        "{one}",' for one in coefficients]


if __name__ == "__main__":
    main()
