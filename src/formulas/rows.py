"""Every row function and its vector-Jacobian product, written once.

Design:
- The language and the primitives are those of activations.py, and two more: `largest(v)` and
  `total(v)`, the largest element and the sum of a row, each in an assignment of its own. What
  follows from them alone is computed once a row.
- Three primitives are for rows alone. `row_reference(M)` of the largest element is M where M - y is
  exact for every y that matters beside it, because |M| is large, and 0 elsewhere;
  `binary_exponent(m)` is the integer below m / log 2; and `exp_neg_scaled(u, N)` is 2^-N e^-u, for
  such an integer, and 0 far below the smallest normal number. In long double the first is M.
- A row function has no parameters, and `name_vjp(g, x)` in place of derivatives: g times its
  Jacobian.
"""


def softmax(x):
    """softmax: e^x over the sum of e^x along an axis, the weights of a row.

    softmax(x)_i = e^x_i / sum_j e^x_j. A row that holds NaN or +inf, or nothing but -inf, is NaN.
    """
    y = x
    E = _row_weights(y)
    T = total(E)
    r = 18446744073709551616.0 / T  # 2^64: what is below the smallest normal number is 0
    return unscaled(E * r)


def softmax_vjp(g, x):
    """g times the Jacobian of softmax: s_i (g_i - sum_j g_j s_j), with s = softmax(x)."""
    y = x
    E = _row_weights(y)
    T, D = total(E), total(g * E)
    r = 1 / T
    mean = D * r
    return E * r * (g - mean)


def softmin(x):
    """softmin: softmax of -x along an axis.

    softmin(x)_i = e^-x_i / sum_j e^-x_j. A row that holds NaN or -inf, or nothing but +inf, is NaN.
    """
    y = -x
    E = _row_weights(y)
    T = total(E)
    r = 18446744073709551616.0 / T  # 2^64: what is below the smallest normal number is 0
    return unscaled(E * r)


def softmin_vjp(g, x):
    """g times the Jacobian of softmin: s_i (sum_j g_j s_j - g_i), with s = softmin(x)."""
    y = -x
    E = _row_weights(y)
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
    L = log1p_any(others + (ties - 1))
    return (x - M) - L


def log_softmax_vjp(g, x):
    """g times the Jacobian of log_softmax: g_i - s_i sum_j g_j, with s = softmax(x)."""
    y = x
    E = _row_weights(y)
    T, G = total(E), total(g)
    share = G / T
    return g - E * share


def _row_weights(y):
    # e^y of a row, up to a factor that all of them share: the largest is from 1 to 2. Nothing is
    # rounded but e^y itself: differences are taken where they are exact alone.
    M = largest(y)
    R = row_reference(M)
    N = binary_exponent(M - R)
    return exp_neg_scaled(R - y, N)


def _row_exponentials(y):
    # e^(y - M), at most 1. The difference d is rounded, by up to d / 2 units of e^-d: what that
    # lost (Knuth's two-sum) is taken from the result. Past 20000 e^-d is 0 and d may be infinite.
    M = largest(y)
    d = M - y
    b = d - M
    lost = (M - (d - b)) - (y + b) if d < 20000 else 0
    P = exp_neg(d)
    E = P - P * lost
    return M, d, E
