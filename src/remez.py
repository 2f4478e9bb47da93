"""The polynomials of vecmath.h: minimax in relative error, by Remez exchange.

Usage: python src/remez.py

Prints the coefficients as C literals, with the largest relative error before and after they are
rounded to the type that holds them. Needs mpmath.

Design: p(t) = base(t) + c_m t^m + ... + c_n t^n, the lowest terms fixed, approximates g(t) with
|p / g - 1| equalised at n - m + 2 points. Those points move to the extremes of the error of the
last solution until the extremes agree.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import mpmath as mp

mp.mp.dps = 50
BITS = {"f32": 24, "f64": 53}


@dataclass
class Approximation:
    """A function on |t| <= limit, the terms that are fixed, and the powers that are fitted."""

    name: str
    function: Callable[[mp.mpf], mp.mpf]
    fixed: list[mp.mpf]
    limit: mp.mpf
    degree: dict[str, int]


APPROXIMATIONS = [
    Approximation("2^f", lambda t: mp.power(2, t), [1], mp.mpf(1) / 2, {"f32": 6, "f64": 11}),
    Approximation("e^r", mp.exp, [1, 1], mp.log(2) / 2, {"f32": 6, "f64": 11}),
]


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
    grid = [a.limit * mp.cos(mp.pi * i / (40 * count)) for i in range(40 * count, -1, -1)]
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
    points = [a.limit * mp.cos(mp.pi * (i + 0.5) / count) for i in range(count - 1, -1, -1)]
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
    """The coefficients as numbers of so many bits: the lowest first, the rest fitted again."""
    lowest = nearest(remez(a, degree)[0], bits)
    others = remez(replace(a, fixed=[*a.fixed, lowest]), degree)
    return [lowest, *(nearest(c, bits) for c in others)]


def nearest(value: mp.mpf, bits: int) -> mp.mpf:
    with mp.workprec(bits):
        return +value


def largest(a: Approximation, coefficients: list[mp.mpf]) -> str:
    grid = [a.limit * i / 2000 for i in range(-2000, 2001)]
    return mp.nstr(max(abs(error(a, coefficients, t)) for t in grid), 3)


def literal(value: mp.mpf, kind: str) -> str:
    """A C literal, exactly."""
    digits, exponent = float(value).hex().split("p")
    return f"{digits.rstrip('0')}p{exponent}{'f' if kind == 'f32' else ''}"


def main() -> None:
    for a in APPROXIMATIONS:
        for kind, degree in a.degree.items():
            exact = remez(a, degree)
            held = rounded(a, degree, BITS[kind])
            print(f"{a.name} {kind}, degree {degree}: c{len(a.fixed)} to c{degree}")
            print(f"  largest relative error {largest(a, exact)}, rounded {largest(a, held)}")
            for c in held:
                print(f"  {literal(c, kind)}")


if __name__ == "__main__":
    main()
