"""Every activation and its derivatives, written once.

Design:
- `generate.py` turns this text into C for the CPU kernels and into typed Python for the GPU, so
  it holds nothing but assignments, conditional expressions, arithmetic and the primitives below.
- An activation is a function `name(x, parameter=default, ...)`. Its docstring documents the public
  object, its signature gives the parameters, and `name_dx` and `name_d<parameter>` are its
  derivatives. A leading underscore marks parts that several of them share.
- Primitives, for u, k >= 0: `exp_neg(u)` is e^-u and `scaled_exp_neg_product(k, u)` is
  2^64 e^-(k u), without rounding the product; `unscaled(y)` is 2^-64 y. Results below the smallest
  normal number are 0. `finite(u)` is u with a huge number in place of infinity, so that
  0 * infinity never arises. NaN passes through all of them.
- A tiny F multiplies last, inside a sum: F * E alone would be subnormal, which takes a processor a
  hundred times as long, while a * b + c is one operation.
- Expressions are rearranged over one denominator: no term overflows, and terms that cancel in the
  textbook form are combined on paper instead. The definitions stand above each.
"""


def s3(x):
    """S3: the sigmoid left of zero, softsign right of it.

    s3(x) = 1 / (1 + e^-x) for x <= 0 and x / (1 + x) for x > 0. It jumps at 0, from 1/2 on the
    left (the value taken at 0) to 0 on the right.
    """
    w = _s3_parts(x)
    return w / (1 + w)


def s3_dx(x):
    """d s3 / d x: s (1 - s) with s = 1 / (1 + e^-x) for x <= 0, and 1 / (1 + x)^2 for x > 0.

    At 0 the left value 1/4 is taken, in step with s3(0) = 1/2.
    """
    w = _s3_parts(x)
    r = 1 / (1 + w)
    return (1 if x > 0 else w) * r * r


def _s3_parts(x):
    # sigmoid(x) = E / (1 + E) with E = e^-|x| for x <= 0, and softsign(x) = u / (1 + u) with
    # u = |x| for x > 0: the same w / (1 + w) on both sides.
    u = finite(abs(x))
    E = exp_neg(abs(x))
    return u if x > 0 else E


def s4(x, k=5.0):
    """S4: the smooth blend of the sigmoid and softsign, with steepness k.

    s4(x, k) = a softsign(x) + (1 - a) sigmoid(x) with a = sigmoid(k x),
    softsign(x) = x / (1 + |x|) and sigmoid(x) = 1 / (1 + e^-x).
    """
    # a = 1/q or F/q, sigmoid = 1/p or E/p, softsign = +-u/c: all over c p q. For x < 0, k > 0,
    # E c - F u p is written so that nothing grows by u where E and F are close (k near 1).
    u, E, S, F, c, p, q, cp, cpq = _s4_parts(x, k)
    right = F * c + (u + u * E) if k >= 0 else F * (u * p) + c
    left = E + u * ((E - F) - E * F) if k >= 0 else F * (E * c) - u * p
    return (right if x >= 0 else left) / cpq


def s4_dx(x, k=5.0):
    """d s4 / d x = k a (1 - a) (softsign - sigmoid) + a / (1 + |x|)^2 + (1 - a) s (1 - s).

    Here s = sigmoid(x) and a = sigmoid(k x).
    """
    # All three terms over c^2 p^2 q^2. For x < 0, k > 0 the terms in E and k F c are regrouped as
    # c (E c - k F u p^2) so that their difference is taken before it is multiplied by u. Squares
    # as (1 + t)^2 = 1 + t (2 + t) round less, and p^2 above and below the line alike.
    u, E, S, F, c, p, q, cp, cpq = _s4_parts(x, k)
    p2 = 1 + E * (2 + E)
    square = (1 + u * (2 + u)) * p2 * (1 + F * (2 + F))
    kF = k * F if F != 0 else F
    same = p2 + F * (E * c * c)
    other = F * p2 + E * c * c
    rest = same if k >= 0 else other
    right = kF * (u * E - 1) * cp + (rest + F * rest)
    left = (
        c * (E + u * ((E - kF) - kF * (E * (2 + E)))) + (E * c * c * (F - kF * p) + F * p2 * q)
        if k >= 0
        else (same + F * same) - kF * (u + E * (1 + 2 * u)) * cp
    )
    return (right if x >= 0 else left) / square


def s4_dk(x, k=5.0):
    """d s4 / d k = x a (1 - a) (softsign - sigmoid), with a = sigmoid(k x)."""
    # a (1 - a) = F / q^2. For x >= 0 softsign - sigmoid = (u E - 1) / (c p), with no
    # cancellation as u E < 1/2; for x = -u it is -(u p + E c) / (c p).
    u, E, S, F, c, p, q, cp, cpq = _s4_parts(x, k)
    slope = (u * E - 1 if x >= 0 else u + E * (1 + 2 * u)) / (cpq * q)
    far = unscaled(slope * u * S)  # x F is still a normal number where F is not
    near = slope * (u if x >= 0 else abs(x)) * F
    return far if S < 1 else near


def _s4_parts(x, k):
    # The product c p q is taken as c (1 + E) (1 + F): that rounds three times, not five.
    u = finite(abs(x))
    E = exp_neg(abs(x))
    S = scaled_exp_neg_product(abs(k), abs(x))
    F = unscaled(S)
    c = 1 + u
    cp = c + c * E
    return u, E, S, F, c, 1 + E, 1 + F, cp, cp + cp * F


def softmax(x):
    """softmax: e^x over the sum of e^x along an axis, the weights of a row.

    softmax(x)_i = e^x_i / sum_j e^x_j. A row that holds NaN or +inf, or nothing but -inf, is NaN.
    """
    y = x
    M, d, E = _row_exponentials(y)
    T = total(E)
    r = 1 / T
    return E * r


def softmax_vjp(g, x):
    """g times the Jacobian of softmax: s_i (g_i - sum_j g_j s_j), with s = softmax(x)."""
    y = x
    M, d, E = _row_exponentials(y)
    T, D = total(E), total(g * E)
    r = 1 / T
    mean = D * r
    return E * r * (g - mean)


def softmin(x):
    """softmin: softmax of -x along an axis.

    softmin(x)_i = e^-x_i / sum_j e^-x_j. A row that holds NaN or -inf, or nothing but +inf, is NaN.
    """
    y = -x
    M, d, E = _row_exponentials(y)
    T = total(E)
    r = 1 / T
    return E * r


def softmin_vjp(g, x):
    """g times the Jacobian of softmin: s_i (sum_j g_j s_j - g_i), with s = softmin(x)."""
    y = -x
    M, d, E = _row_exponentials(y)
    T, D = total(E), total(g * E)
    r = 1 / T
    mean = D * r
    return E * r * (mean - g)


def log_softmax(x):
    """log_softmax: the logarithm of softmax along an axis.

    log_softmax(x)_i = x_i - log(sum_j e^x_j). A row that holds NaN or +inf, or nothing but -inf,
    is NaN.
    """
    # The largest elements are counted and the others added up apart from them: where one stands
    # out, the logarithm is that of 1 and very little more.
    y = x
    M, d, E = _row_exponentials(y)
    others = total(0 if d == 0 else E)
    ties = total(1 if d == 0 else 0)
    L = log1p(others + (ties - 1))
    return (x - M) - L


def log_softmax_vjp(g, x):
    """g times the Jacobian of log_softmax: g_i - s_i sum_j g_j, with s = softmax(x)."""
    y = x
    M, d, E = _row_exponentials(y)
    T, G = total(E), total(g)
    share = G / T
    return g - E * share


def _row_exponentials(y):
    # e^(y - M), at most 1. The difference d is rounded, by up to d / 2 units of e^-d: what that
    # lost (Knuth's two-sum) is taken from the result. Where e^-d is 0, d may be infinite.
    M = largest(y)
    d = M - y
    b = d - M
    lost = (M - (d - b)) - (y + b) if d < 20000 else 0
    P = exp_neg(d)
    E = P - P * lost
    return M, d, E
