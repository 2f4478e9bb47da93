"""Every activation and its derivatives, written once.

Design:
- `src/codegen` turns this text into nodes, and those into C for the CPU's kernels and into Python
  for the GPU, so it holds nothing but assignments, conditional expressions, arithmetic and the
  primitives below. `a * b + c` in one expression is fused; a product with a name is rounded first.
- An activation is a function `name(x, parameter=default, ...)`. Its docstring documents the public
  object, its signature gives the parameters, and `name_dx` and `name_d<parameter>` are its
  derivatives. A leading underscore marks parts that several of them share.
- Primitives, for u, k >= 0: `exp_neg(u)` is e^-u and `scaled_exp_neg_product(k, u)` is
  2^64 e^-(k u), without rounding the product; `unscaled(y)` is 2^-64 y. Results below the smallest
  normal number are 0. Where no parameter is in the exponent, `scaled_exp_neg(u)` is 2^64 e^-u for
  u = `within_exp(v)`, and `scaled_exp_neg_half_square(u)` is 2^64 e^(-u^2/2), without rounding the
  square, for u = `within_normal(v)`. Those are v, but no more than where u^3 times the exponential
  is nothing: infinity needs no care there. `expm1_neg(u)` is e^-u - 1, `log1p(t)` is log(1 + t) for
  0 <= t <= 1, `normal_tail(u)` is e^(u^2/2) Phi(-u) for u = `within_normal(v)`, with the normal
  distribution's Phi, and `tanh_rest(u)` is (u - tanh u) / u^3 for u <= 1, none with a cancellation.
  Of any sign may be what
  `sinc_product(k, u)` takes, sin(k u) / (k u), which is 0 where |k u| is so large that its eps
  exceeds a turn; and the u of `sqrt_square_plus(u, b)`, sqrt(u^2 + b). `finite(u)` is u with a huge
  number in place of infinity, so that 0 * infinity never arises. `copysign(u, x)` is u with the
  sign of x, and `unless_nan(y, x)` is y, or x where x is NaN. `unscaled_product(k, y)` is
  2^-64 k y, where k y may overflow. NaN passes through all of them.
- NaN in any input gives NaN: `unless_nan(y, parameter)` where a parameter would else go unseen. It
  costs nothing where the parameters are known to be numbers.
- A tiny F multiplies last, inside a sum: F * E alone would be subnormal, which takes a processor a
  hundred times as long, while a * b + c is one operation.
- Expressions are rearranged over one denominator: no term overflows, and terms that cancel in the
  textbook form are combined on paper instead. The definitions stand above each.
"""


def s3(x):
    """S3: the sigmoid left of zero, softsign right of it.

        s3(x) = 1 / (1 + e^-x)   for x <= 0
                x / (1 + x)      for x > 0

    It jumps at 0, from 1/2 on the left (the value taken at 0) to 0 on the right. Kavun, arXiv
    2507.22090.
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

        s4(x, k) = a softsign(x) + (1 - a) sigmoid(x)   with a = sigmoid(k x)

        softsign(x) = x / (1 + |x|)
        sigmoid(x) = 1 / (1 + e^-x)

    Kavun, arXiv 2507.22090.
    """
    # a = 1/q or F/q, sigmoid = 1/p or E/p, softsign = +-u/c: all over c p q. For x < 0, k > 0,
    # E c - F u p is written so that nothing grows by u where E and F are close (k near 1).
    u, E, S, F, c, p, q, cp, cpq = _s4_parts(x, k)
    right = F * c + (u + u * E) if k >= 0 else F * (u * p) + c
    left = E + u * ((E - F) - E * F) if k >= 0 else F * (E * c) - u * p
    return (right if x >= 0 else left) / cpq


def s4_dx(x, k=5.0):
    """d s4 / d x = k a (1 - a) (softsign - sigmoid) + a / (1 + |x|)^2 + (1 - a) s (1 - s).

    Here s = sigmoid(x) and a = sigmoid(k x). Finite x are those whose square is: 0 beyond.
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


def s4_dxx(x, k=5.0):
    """d^2 s4 / d x^2, the sum of its four terms.

        s4_dxx = a'' (softsign - sigmoid) + 2 a' (softsign' - sigmoid')
                 + a softsign'' + (1 - a) sigmoid''

    At 0, where softsign bends, it is that of the right side.
    """
    # By powers of r = 1 / (1 + |x|) instead of over one denominator, whose square overflows.
    u, E, S, F, c, p, q, cp, cpq = _s4_parts(x, k)
    r, s = 1 / c, 1 / p
    steep = k if F != 0 else F
    kF = steep * F / (q * q)
    turn = steep * kF * ((1 - F) / q)
    difference = (u * E - 1 if x >= 0 else -u - E * (1 + 2 * u)) / cp
    slopes = 2 * kF * (r * r - E * s * s)
    softsigns, sigmoids = -2 * (r * r * r), E * (E - 1) * (s * s * s)
    # a = 1/q on the side where k x > 0, and F/q on the other.
    right = (softsigns + F * sigmoids if k >= 0 else F * softsigns + sigmoids) / q
    left = (F * softsigns + sigmoids if k >= 0 else softsigns + F * sigmoids) / q
    outer = turn if k >= 0 else -turn
    at_right = slopes + right - outer * difference
    at_left = slopes - left + outer * difference
    return unless_nan(at_right if x >= 0 else at_left, k)


def s4_dkk(x, k=5.0):
    """d^2 s4 / d k^2 = x^2 a (1 - a) (1 - 2 a) (softsign - sigmoid), with a = sigmoid(k x)."""
    u, E, S, F, c, p, q, cp, cpq = _s4_parts(x, k)
    slope = (1 - u * E if x >= 0 else -u - E * (1 + 2 * u)) * ((1 - F) / (cpq * (q * q)))
    bend = unscaled(slope * u * S * u) if S < 1 else slope * u * F * u
    return bend if k >= 0 else -bend


def _s4_parts(x, k):
    # The product c p q is taken as c (1 + E) (1 + F): that rounds three times, not five.
    u = finite(abs(x))
    E = exp_neg(abs(x))
    S = scaled_exp_neg_product(abs(k), abs(x))
    F = unscaled(S)
    c = 1 + u
    cp = c + c * E
    return u, E, S, F, c, 1 + E, 1 + F, cp, cp + cp * F


def s3_smooth(x, eps=0.5):
    """S3 without its jump: a cubic joins the sigmoid and softsign.

        s3_smooth(x, eps) = 1 / (1 + e^-x)   for x <= -eps
                            h(x)             for -eps < x < eps
                            x / (1 + x)      for x >= eps

    h is the Hermite polynomial that has values and slopes of both at +-eps, so that s3_smooth is
    continuously differentiable. eps >= 0 and finite; eps = 0 is S3.
    """
    inside = _s3_join(x, eps)
    w = _s3_parts(x)
    return unless_nan(inside if abs(x) < eps else w / (1 + w), eps)


def s3_smooth_dx(x, eps=0.5):
    """d s3_smooth / d x: s (1 - s), 1 / (1 + x)^2, and the slope of the cubic in between."""
    slope = _s3_join_slope(x, eps)
    w = _s3_parts(x)
    outside = (1 if x > 0 else w) / ((1 + w) * (1 + w))
    return unless_nan(slope if abs(x) < eps else outside, eps)


def s3_smooth_deps(x, eps=0.5):
    """d s3_smooth / d eps: 0 outside of (-eps, eps)."""
    # The ends move with eps, the point x between them by -x / eps of its place, and so do values
    # and slopes at the ends: p' = -d, s' = d' = -2 c^3 and so on, with p the sigmoid at -eps.
    t, r, p, c, dp, dc, scale, half = _s3_join_parts(x, eps)
    slope = _s3_join_slope(x, eps)
    bends = dp * (2 * p - 1) * (t * r * r) + 2 * (dc * c) * (t * t * r)
    ends = dc * (t * t * (1 + 2 * r)) - dp * (r * r * (1 + 2 * t))
    widths = 2 * (t * r) * (dp * r - dc * t)
    change = (ends + widths) + (2 * eps * bends - slope * ((x * scale) * half * 2))
    return change if abs(x) < eps else unless_nan(unless_nan(0, x), eps)


def _s3_join(x, eps):
    t, r, p, c, dp, dc, scale, half = _s3_join_parts(x, eps)
    values = p * (r * r * (1 + 2 * t)) + eps * c * (t * t * (1 + 2 * r))
    return values + 2 * eps * (t * r) * (dp * r - dc * t)


def _s3_join_slope(x, eps):
    t, r, p, c, dp, dc, scale, half = _s3_join_parts(x, eps)
    rise = 3 * (t * r) * ((((eps * c - p) * scale) * half) * 2)
    return rise + (dp * (r * (r - 2 * t)) + dc * (t * (t - 2 * r)))


def _s3_join_parts(x, eps):
    # On [-eps, eps]: t from 0 to 1 and r = 1 - t; p = sigmoid(-eps), eps c = softsign(eps), and
    # their slopes.
    e = exp_neg(abs(eps))
    p = e / (1 + e)
    c = 1 / (1 + eps)
    # t = (eps + x) / (2 eps) by one division for all x; 2^64 and 2^-64 keep 0.5 / eps in range.
    scale = 18446744073709551616.0 if eps < 1 else 1 / 18446744073709551616.0
    half = 0.5 / (eps * scale)
    t = ((eps + x) * scale) * half
    r = ((eps - x) * scale) * half
    return t, r, p, c, p / (1 + e), c * c, scale, half


def sigmoid(x):
    """The logistic sigmoid.

        sigmoid(x) = 1 / (1 + e^-x)

    torch.nn.functional.sigmoid.
    """
    E = exp_neg(abs(x))
    return (1 if x >= 0 else E) / (1 + E)


def sigmoid_dx(x):
    """d sigmoid / d x = s (1 - s) with s = sigmoid(x)."""
    E = exp_neg(abs(x))
    return E / ((1 + E) * (1 + E))


def softsign(x):
    """Softsign, which saturates like 1/x.

        softsign(x) = x / (1 + |x|)

    torch.nn.functional.softsign.
    """
    u = finite(abs(x))
    return copysign(u / (1 + u), x)


def softsign_dx(x):
    """d softsign / d x = 1 / (1 + |x|)^2."""
    r = 1 / (1 + abs(x))
    return r * r


def tanh(x):
    """The hyperbolic tangent.

        tanh(x) = (e^x - e^-x) / (e^x + e^-x)

    torch.nn.functional.tanh.
    """
    # With M = e^-2|x| - 1: -M / (2 + M), without cancellation near 0.
    M = expm1_neg(2 * abs(x))
    return copysign(M / (2 + M), x)


def tanh_dx(x):
    """d tanh / d x = 1 - tanh(x)^2."""
    S = scaled_exp_neg(within_exp(2 * abs(x)))
    G = unscaled(S)
    return unscaled(4 * S) / ((1 + G) * (1 + G))


def relu6(x):
    """The rectifier cut at 6.

        relu6(x) = 0   for x <= 0
                   x   for 0 < x < 6
                   6   for x >= 6

    torch.nn.functional.relu6.
    """
    low = 6 if x > 6 else x
    return 0 if low < 0 else low


def relu6_dx(x):
    """d relu6 / d x: 1 for 0 < x < 6, else 0."""
    return unless_nan((1 if x < 6 else 0) if x > 0 else 0, x)


def hardtanh(x, min=-1.0, max=1.0):
    """x, cut at min and max.

        hardtanh(x, min, max) = min   for x <= min
                                x     for min < x < max
                                max   for x >= max

    The slope between the cuts is 1 and what lies beyond them is min and max, not -1 and 1, unless
    those are given. It is max everywhere where min > max. torch.nn.functional.hardtanh.
    """
    high = min if x < min else x
    return unless_nan(unless_nan(max if high > max else high, min), max)


def hardtanh_dx(x, min=-1.0, max=1.0):
    """d hardtanh / d x: 1 for min < x < max, else 0."""
    slope = (1 if x < max else 0) if x > min else 0
    return unless_nan(unless_nan(unless_nan(slope, x), min), max)


def hardtanh_dmin(x, min=-1.0, max=1.0):
    """d hardtanh / d min: 1 for x <= min, where min < max, else 0."""
    slope = (1 if min < max else 0) if x <= min else 0
    return unless_nan(unless_nan(unless_nan(slope, x), min), max)


def hardtanh_dmax(x, min=-1.0, max=1.0):
    """d hardtanh / d max: 1 for x >= max, and everywhere where min >= max, else 0."""
    slope = 1 if x >= max else (1 if min >= max else 0)
    return unless_nan(unless_nan(unless_nan(slope, x), min), max)


def threshold(x, threshold=0.0):
    """The step of Heaviside at threshold.

        threshold(x, threshold) = 1   for x > threshold
                                  0   for x <= threshold

    At the step itself it is 0. torch.nn.functional.threshold is another function, which keeps x
    above the threshold; in PyTorch this is torch.heaviside(x - threshold, 0).
    """
    return unless_nan(unless_nan(1 if x > threshold else 0, x), threshold)


def threshold_dx(x, threshold=0.0):
    """d threshold / d x: 0.

    At the step itself there is no derivative; 0 is taken.
    """
    return unless_nan(unless_nan(0, x), threshold)


def threshold_dthreshold(x, threshold=0.0):
    """d threshold / d threshold: 0.

    At the step itself there is no derivative; 0 is taken.
    """
    return unless_nan(unless_nan(0, x), threshold)


def logsigmoid(x):
    """The logarithm of the sigmoid.

        logsigmoid(x) = -log(1 + e^-x)

    torch.nn.functional.logsigmoid.
    """
    E = exp_neg(abs(x))
    L = log1p(E)
    return -L if x >= 0 else x - L


def logsigmoid_dx(x):
    """d logsigmoid / d x = sigmoid(-x)."""
    E = exp_neg(abs(x))
    return (E if x >= 0 else 1) / (1 + E)


def hardsigmoid(x):
    """A sigmoid of three straight lines.

        hardsigmoid(x) = 0             for x <= -3
                         (x + 3) / 6   for -3 < x < 3
                         1             for x >= 3

    torch.nn.functional.hardsigmoid.
    """
    t = x + 3
    high = 0 if t < 0 else t
    return (6 if high > 6 else high) * 0.1666666666666666666667


def hardsigmoid_dx(x):
    """d hardsigmoid / d x: 1/6 for -3 < x < 3, else 0."""
    return unless_nan((0.1666666666666666666667 if x < 3 else 0) if x > -3 else 0, x)


def hardswish(x):
    """x times hardsigmoid(x).

        hardswish(x) = 0               for x <= -3
                       x (x + 3) / 6   for -3 < x < 3
                       x               for x >= 3

    Howard and others, arXiv 1905.02244; torch.nn.functional.hardswish.
    """
    # x + 3 loses nothing near -3, and 6 times the rounded sixth is 1. What is added makes -0 a 0.
    high = -3 if x < -3 else x
    t = high + 3
    return high * ((6 if t > 6 else t) * 0.1666666666666666666667) + 0


def hardswish_dx(x):
    """d hardswish / d x: 0 up to -3, x / 3 + 1/2, and 1 from 3 on."""
    slope = (2 * x + 3) * 0.1666666666666666666667
    return unless_nan((slope if x < 3 else 1) if x > -3 else 0, x)


def relu(x):
    """The rectifier.

        relu(x) = x   for x > 0
                  0   for x <= 0

    torch.nn.functional.relu.
    """
    return 0 if x < 0 else x


def relu_dx(x):
    """d relu / d x: 1 for x > 0, else 0."""
    return unless_nan(1 if x > 0 else 0, x)


def leaky_relu(x, a=0.01):
    """The rectifier with a slope a left of zero.

        leaky_relu(x, a) = x     for x > 0
                           a x   for x <= 0

    torch.nn.functional.leaky_relu, whose negative_slope is a.
    """
    return unless_nan(x, a) if x > 0 else a * x


def leaky_relu_dx(x, a=0.01):
    """d leaky_relu / d x: 1 for x > 0, else a."""
    return unless_nan(unless_nan(1, a) if x > 0 else a, x)


def leaky_relu_da(x, a=0.01):
    """d leaky_relu / d a: 0 for x > 0, else x."""
    return unless_nan(0 if x > 0 else x, a)


def prelu(x, a=0.25):
    """The rectifier with a learnt slope a left of zero, as a rule one per channel.

        prelu(x, a) = x     for x > 0
                      a x   for x <= 0

    He and others, arXiv 1502.01852; torch.nn.functional.prelu, whose weight is a.
    """
    return unless_nan(x, a) if x > 0 else a * x


def prelu_dx(x, a=0.25):
    """d prelu / d x: 1 for x > 0, else a."""
    return unless_nan(unless_nan(1, a) if x > 0 else a, x)


def prelu_da(x, a=0.25):
    """d prelu / d a: 0 for x > 0, else x."""
    return unless_nan(0 if x > 0 else x, a)


def rrelu(x, lower=0.125, upper=0.3333333333333333333333):
    """The randomised rectifier as it is evaluated, with the mean of the slopes.

        rrelu(x, lower, upper) = x                       for x > 0
                                 (lower + upper) / 2 x   for x <= 0

    In training the slope is drawn for each element: `rrelu_training`. Xu and others, arXiv
    1505.00853; torch.nn.functional.rrelu.
    """
    slope = 0.5 * (lower + upper)
    return unless_nan(x, lower + upper) if x > 0 else slope * x


def rrelu_dx(x, lower=0.125, upper=0.3333333333333333333333):
    """d rrelu / d x: 1 for x > 0, else (lower + upper) / 2."""
    slope = 0.5 * (lower + upper)
    return unless_nan(unless_nan(1, lower + upper) if x > 0 else slope, x)


def rrelu_dlower(x, lower=0.125, upper=0.3333333333333333333333):
    """d rrelu / d lower: 0 for x > 0, else x / 2."""
    return unless_nan(0 if x > 0 else 0.5 * x, lower + upper)


def rrelu_dupper(x, lower=0.125, upper=0.3333333333333333333333):
    """d rrelu / d upper: 0 for x > 0, else x / 2."""
    return unless_nan(0 if x > 0 else 0.5 * x, lower + upper)


def elu(x, alpha=1.0):
    """The exponential linear unit.

        elu(x, alpha) = x                 for x > 0
                        alpha (e^x - 1)   for x <= 0

    Clevert and others, arXiv 1511.07289; torch.nn.functional.elu.
    """
    M = expm1_neg(abs(x))
    return unless_nan(x, alpha) if x >= 0 else alpha * M


def elu_dx(x, alpha=1.0):
    """d elu / d x: 1 for x > 0, else alpha e^x."""
    S = scaled_exp_neg_product(1, abs(x))
    return unless_nan(1, alpha) if x > 0 else unscaled_product(alpha, S)


def elu_dalpha(x, alpha=1.0):
    """d elu / d alpha: 0 for x > 0, else e^x - 1."""
    M = expm1_neg(abs(x))
    return unless_nan(0 if x > 0 else M, alpha)


def celu(x, alpha=1.0):
    """The continuously differentiable ELU; alpha >= 0.

        celu(x, alpha) = x                         for x > 0
                         alpha (e^(x/alpha) - 1)   for x <= 0

    Its quotient x/alpha is rounded once: e^(x/alpha) is exact to a relative error of |x/alpha| eps.
    Below 0 alpha gives NaN, where PyTorch grows without bound on the left.
    Barron, arXiv 1704.07483; torch.nn.functional.celu.
    """
    v, near, M = _celu_parts(x, alpha)
    return x if x >= near else alpha * M


def celu_dx(x, alpha=1.0):
    """d celu / d x: 1 for x > 0, else e^(x/alpha)."""
    v, near = _celu_quotient(x, alpha)
    E = exp_neg(v)
    return 1 if x >= near else E


def celu_dalpha(x, alpha=1.0):
    """d celu / d alpha: 0 for x > 0, else e^(x/alpha) (1 - x/alpha) - 1."""
    v, near, M = _celu_parts(x, alpha)
    E = exp_neg(v)
    slope = M + E * finite(v)
    return 0 if x >= near else slope


def celu_dxalpha(x, alpha=1.0):
    """d^2 celu / d x d alpha: 0 for x > 0, else -e^(x/alpha) (x/alpha) / alpha."""
    v, near = _celu_quotient(x, alpha)
    E = exp_neg(v)
    bend = E * finite(v) / alpha
    return 0 if x >= near else bend


def celu_dalphaalpha(x, alpha=1.0):
    """d^2 celu / d alpha^2: 0 for x > 0, else e^(x/alpha) (x/alpha)^2 / alpha."""
    v, near = _celu_quotient(x, alpha)
    E = exp_neg(v)
    bend = E * finite(v) * finite(v) / alpha
    return 0 if x >= near else bend


def _celu_parts(x, alpha):
    v, near = _celu_quotient(x, alpha)
    M = expm1_neg(v)
    return v, near, M


def _celu_quotient(x, alpha):
    # From x = -2^-60 alpha on celu is x, also where x/alpha underflows or alpha is infinite. What
    # is NaN is compared as false.
    positive = abs(alpha) if alpha >= 0 else 0 * alpha / (0 * alpha)
    return abs(x) / positive, -8.67361737988403547206e-19 * positive


def selu(x):
    """The self-normalising ELU.

        selu(x) = scale x                 for x > 0
                  scale alpha (e^x - 1)   for x <= 0

    scale = 1.0507009873554805 and alpha = 1.6732632423543772 keep mean 0 and variance 1. Klambauer
    and others, arXiv 1706.02515; torch.nn.functional.selu.
    """
    M = expm1_neg(abs(x))
    return 1.05070098735548049342 * x if x >= 0 else 1.75809934084737685994 * M


def selu_dx(x):
    """d selu / d x: scale for x > 0, else scale alpha e^x."""
    S = scaled_exp_neg(within_exp(abs(x)))
    return 1.05070098735548049342 if x > 0 else unscaled(1.75809934084737685994 * S)


def softplus(x, beta=1.0, threshold=20.0):
    """The smooth rectifier, and x itself where they hardly differ.

        softplus(x, beta, threshold) = log(1 + e^(beta x)) / beta   for beta x <= threshold
                                       x                            for beta x > threshold

    It is beta x, and not x, that is compared with the threshold, and x, not beta x, that is
    returned above it. threshold = inf never switches. torch.nn.functional.softplus.
    """
    # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|).
    S = scaled_exp_neg_product(abs(beta), abs(x))
    F = unscaled(S)
    L = log1p(F)
    z = beta * x
    r = 1 / beta
    # By a name of its own it is computed for all x, and nothing becomes subnormal where it is not
    # the result.
    value = (x if z > 0 else 0) + (unscaled(S * r) if S < 1 else L * r)
    return unless_nan(x if z > threshold else value, threshold)


def softplus_dx(x, beta=1.0, threshold=20.0):
    """d softplus / d x = sigmoid(beta x), and 1 for beta x > threshold."""
    S = scaled_exp_neg_product(abs(beta), abs(x))
    F = unscaled(S)
    z = beta * x
    slope = (1 if z > 0 else F) / (1 + F)
    return unless_nan(1 if z > threshold else slope, threshold)


def softplus_dbeta(x, beta=1.0, threshold=20.0):
    """d softplus / d beta = (z sigmoid(z) - log(1 + e^z)) / beta^2 with z = beta x.

    It is 0 for z > threshold. Where 1 / beta^2 nearly overflows it may be infinite instead.
    """
    # With F = e^-|z| it is -(|z| F / (1 + F) + log(1 + F)) on both sides: nothing cancels.
    S = scaled_exp_neg_product(abs(beta), abs(x))
    F = unscaled(S)
    L = log1p(F)
    z = beta * x
    r = 1 / beta
    v = finite(finite(abs(beta)) * abs(x))
    far = unscaled((v + 1) * S * r * r)
    near = (F * (v / (1 + F)) + L) * r * r
    return unless_nan(0 if z > threshold else -(far if S < 1 else near), threshold)


def softplus_dbetabeta(x, beta=1.0, threshold=20.0):
    """d^2 softplus / d beta^2 = (z^2 s (1 - s) - 2 (z s - log(1 + e^z))) / beta^3.

    Here z = beta x and s = sigmoid(z). It is 0 for z > threshold.
    """
    # As in softplus_dbeta nothing cancels: v^2 F / (1 + F)^2 + 2 (v F / (1 + F) + log(1 + F)).
    S = scaled_exp_neg_product(abs(beta), abs(x))
    F = unscaled(S)
    L = log1p(F)
    z = beta * x
    r = 1 / beta
    q = 1 + F
    v = finite(finite(abs(beta)) * abs(x))
    far = unscaled((S * v * v + 2 * (v + 1) * S) * r * r * r)
    near = (F * (v / q) * (v / q) + 2 * (F * (v / q) + L)) * r * r * r
    return unless_nan(0 if z > threshold else (far if S < 1 else near), threshold)


def softplus_dthreshold(x, beta=1.0, threshold=20.0):
    """d softplus / d threshold: 0.

    At the switch there is no derivative; 0 is taken.
    """
    return unless_nan(unless_nan(unless_nan(0, x), beta), threshold)


def squareplus(x, b=4.0):
    """The rectifier bent to a hyperbola; b >= 0 and finite.

        squareplus(x, b) = (x + sqrt(x^2 + b)) / 2

    b = 0 is relu, with the slope 1/2 at 0. Nothing overflows, and nothing cancels left of 0.
    Barron, arXiv 2112.11687.
    """
    # For x < 0 it is b / 2 over the sum of what would cancel.
    u = abs(x)
    h = sqrt_square_plus(u, b)
    half = 0.5 * u + 0.5 * h
    return half if x >= 0 else unless_nan(0.25 * (b / (half if b != 0 else 1)), x)


def squareplus_dx(x, b=4.0):
    """d squareplus / d x = (1 + x / sqrt(x^2 + b)) / 2."""
    u = finite(abs(x))
    h = sqrt_square_plus(u, b)
    length = 1 if h == 0 else h
    left = 0.5 * ((b / (u + length)) / length)
    return 0.5 * (u / length) + 0.5 if x >= 0 else left


def squareplus_db(x, b=4.0):
    """d squareplus / d b = 1 / (4 sqrt(x^2 + b))."""
    h = sqrt_square_plus(abs(x), b)
    return 0.25 / h


def squareplus_dxx(x, b=4.0):
    """d^2 squareplus / d x^2 = b / (2 h^3) with h = sqrt(x^2 + b)."""
    h = sqrt_square_plus(finite(abs(x)), b)
    return 0.5 * (b / h / h / h)


def squareplus_dxb(x, b=4.0):
    """d^2 squareplus / d x d b = -x / (4 h^3) with h = sqrt(x^2 + b)."""
    u = finite(abs(x))
    h = sqrt_square_plus(u, b)
    return copysign(0.25 * (u / h / h / h), -x)


def squareplus_dbb(x, b=4.0):
    """d^2 squareplus / d b^2 = -1 / (8 h^3) with h = sqrt(x^2 + b)."""
    h = sqrt_square_plus(finite(abs(x)), b)
    return -(0.125 / h / h / h)


def gelu(x):
    """x times the normal distribution's function Phi.

        gelu(x) = x Phi(x) = x (1 + erf(x / sqrt(2))) / 2

    Hendrycks and Gimpel, arXiv 1606.08415; torch.nn.functional.gelu.
    """
    # For u = |x|, w = u Phi(-u) is what is missing from max(x, 0), and nothing cancels.
    u = within_normal(abs(x))
    S = scaled_exp_neg_half_square(u)
    R = normal_tail(u)
    w = unscaled(u * R * S)
    return x - w if x >= 0 else -w


def gelu_dx(x):
    """d gelu / d x = Phi(x) + x phi(x), with phi(x) = e^(-x^2/2) / sqrt(2 pi)."""
    # Phi(-u) - u phi(u) = e^(-u^2/2) h; its mirror image is 1 minus that.
    u = within_normal(abs(x))
    S = scaled_exp_neg_half_square(u)
    R = normal_tail(u)
    h = R - 0.398942280401432677940 * u
    left = unscaled(S * h)
    return 1 - left if x >= 0 else left


def gelu_tanh(x):
    """The approximation of GELU by tanh.

        gelu_tanh(x) = x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2

    The exponent is rounded: far left the relative error is that of an x which is off by an eps.
    Hendrycks and Gimpel, arXiv 1606.08415; torch.nn.functional.gelu with approximate="tanh".
    """
    # (1 + tanh z) / 2 = sigmoid(2 z).
    u, S, F = _gelu_tanh_parts(x)
    return copysign((abs(x) if x >= 0 else unscaled(u * S)) / (1 + F), x)


def gelu_tanh_dx(x):
    """d gelu_tanh / d x = s (1 + x (1 - s) dz) with s = sigmoid(z), as in silu."""
    u, S, F = _gelu_tanh_parts(x)
    q = 1 + F
    t = finite(u * (1.595769121605730711760 + 0.214064448817800746329 * (u * u)))
    return (q + F * t if x >= 0 else unscaled(S * ((1 - t) + F))) / (q * q)


def gelu_tanh_dxx(x):
    """d^2 gelu_tanh / d x^2 = s (1 - s) (2 z' + x (1 - 2 s) z'^2 + x z''), with s = sigmoid(z)."""
    # x (1 - 2 s) is -u (1 - F) / (1 + F) on both sides. S, a factor of each term, goes first.
    u, S, F = _gelu_tanh_parts(x)
    q = 1 + F
    d = finite(1.595769121605730711760 + 0.214064448817800746329 * (u * u))
    Sd = S * d
    bend = 0.428128897635601492658 * (S * u * u)
    return unscaled((2 * Sd + (bend - Sd * d * u * ((1 - F) / q))) / (q * q))


def _gelu_tanh_parts(x):
    u = finite(abs(x))
    k = finite(1.595769121605730711760 + 0.0713548162726002487763 * (u * u))
    S = scaled_exp_neg_product(k, u)
    return u, S, unscaled(S)


def quick_gelu(x):
    """The approximation of GELU by a sigmoid.

        quick_gelu(x) = x / (1 + e^-(1.702 x))

    The exponent is rounded, as that of gelu_tanh. Hendrycks and Gimpel, arXiv 1606.08415.
    """
    y = _swish(x, 1.702)
    return y


def quick_gelu_dx(x):
    """d quick_gelu / d x = s (1 + 1.702 x (1 - s)) with s = sigmoid(1.702 x)."""
    slope = _swish_slope(x, 1.702)
    return slope


def silu(x):
    """x times its sigmoid, also known as swish.

        silu(x) = x / (1 + e^-x)

    Elfwing and others, arXiv 1702.03118; torch.nn.functional.silu.
    """
    # As swish, whose far side is that of all x < 0 here: 2^64 |x| e^-|x| never overflows.
    u, S, q = _silu_parts(x)
    left = -unscaled(u * S)
    return (x if x >= 0 else left) / q


def silu_dx(x):
    """d silu / d x = s (1 + x (1 - s)) with s = sigmoid(x)."""
    u, S, q = _silu_parts(x)
    F = unscaled(S)
    return (q + F * u if x >= 0 else unscaled(S * ((1 - u) + F))) / (q * q)


def _silu_parts(x):
    u = within_exp(abs(x))
    S = scaled_exp_neg(u)
    return u, S, 1 + unscaled(S)


def swish(x, beta=1.0):
    """x times its sigmoid with steepness beta.

        swish(x, beta) = x / (1 + e^-(beta x))

    Ramachandran and others, arXiv 1710.05941. beta = 1 is silu.
    """
    y = _swish(x, beta)
    return y


def swish_dx(x, beta=1.0):
    """d swish / d x = s (1 + beta x (1 - s)) with s = sigmoid(beta x)."""
    slope = _swish_slope(x, beta)
    return slope


def swish_dbeta(x, beta=1.0):
    """d swish / d beta = x^2 s (1 - s) with s = sigmoid(beta x).

    It is infinite where x^2 overflows and s (1 - s) is below 2^-64.
    """
    S, F, far = _swish_parts(x, beta)
    # x^2 F may overflow where x^2 F / (1 + F)^2 does not.
    near = x * ((x * F) / ((1 + F) * (1 + F)))
    return unscaled(finite(abs(x)) * far) if S < 1 else near


def _swish(x, beta):
    S, F, far = _swish_parts(x, beta)
    left = unscaled(far) if S < 1 else abs(x) * F
    return copysign((left if beta * x < 0 else abs(x)) / (1 + F), x)


def _swish_slope(x, beta):
    # t = |beta x|, F = e^-t: (1 + F + t F) / (1 + F)^2 right of 0, F (1 + F - t) / (1 + F)^2 left.
    S, F, far = _swish_parts(x, beta)
    q = 1 + F
    t = finite(finite(abs(beta)) * finite(abs(x)))
    return (unscaled(S * ((1 - t) + F)) if beta * x < 0 else q + F * t) / (q * q)


def _swish_parts(x, beta):
    # 2^64 |x| F is still a normal number where F is not.
    S = scaled_exp_neg_product(abs(beta), abs(x))
    return S, unscaled(S), finite(abs(x)) * S


def mish(x):
    """x times the hyperbolic tangent of softplus.

        mish(x) = x tanh(log(1 + e^x))

    Misra, arXiv 1908.08681; torch.nn.functional.mish.
    """
    # With E = e^-|x|, tanh(log(1 + e^x)) is (1 + h) / d for x >= 0 and h = 2E, and E (1 + h/2) / d
    # for x < 0 and h = E, where d = 1 + h + h^2/2. Of a small E d is 1: nothing becomes subnormal.
    u = within_exp(abs(x))
    S = scaled_exp_neg(u)
    E = unscaled(S)
    h = E + E if x >= 0 else E
    g = 0.5 * h + 1
    left = -unscaled(u * S * g)
    return (x * (1 + h) if x >= 0 else left) / (h * g + 1)


def mish_dx(x):
    """d mish / d x = w + x (1 - w^2) sigmoid(x) with w = tanh(softplus(x))."""
    u, S, E, w, d = _mish_parts(x)
    right = E * (E * (4 * u * (1 + E))) + w * d
    left = S * ((2 + E) * d - 4 * u * (1 + E))
    slope = (right if x >= 0 else left) / (d * d)
    return slope if x >= 0 else unscaled(slope)


def mish_dxx(x):
    """d^2 mish / d x^2 = 2 w' + x w'' with w = tanh(softplus(x)).

    By the rules of differentiation it would be a difference of numbers near 1.
    """
    # With n = 1 + e^x, w = 1 - 2 / (n^2 + 1): w' = 4 n n' / (n^2 + 1)^2, over powers of d.
    u, S, E, w, d = _mish_parts(x)
    right = 2 * (1 + E) * d - u * (2 + E * (3 - 2 * E * (1 + E)))
    left = 2 * (1 + E) * d - u * (2 + E * (2 - E * (3 + 2 * E)))
    return unscaled((E * (S * right) if x >= 0 else S * left) * 4 / (d * d * d))


def _mish_parts(x):
    u = within_exp(abs(x))
    S = scaled_exp_neg(u)
    E = unscaled(S)
    w = 1 + 2 * E if x >= 0 else E * (2 + E)
    return u, S, E, w, 1 + E * (2 + 2 * E) if x >= 0 else 2 + E * (2 + E)


def snake(x, a=1.0):
    """x and a wave, which lets a network learn what is periodic.

        snake(x, a) = x + sin(a x)^2 / a

    a = 0 and a = inf are the identity. The bound of its derivatives holds for |a x| <= 2^12 in
    float32 and 2^26 in wider types; far beyond, and at an infinite x, they are 1 and 0, of which
    there is no limit. Ziyin and others, arXiv 2006.08195.
    """
    # With R = sin(a x) / (a x) it is x + a (x R)^2: nothing is divided by a.
    X, A = _snake_parts(x, a)
    w = X * sinc_product(a, x)
    return (A * w) * w + x


def snake_dx(x, a=1.0):
    """d snake / d x = 1 + sin(2 a x)."""
    X, A = _snake_parts(x, a)
    w2 = X * sinc_product(2 * a, x)
    return (2 * A) * w2 + 1


def snake_da(x, a=1.0):
    """d snake / d a = x sin(2 a x) / a - sin(a x)^2 / a^2, and x^2 at a = 0."""
    X, A = _snake_parts(x, a)
    R = sinc_product(a, x)
    R2 = sinc_product(2 * a, x)
    return X * (2 * (X * R2) - (X * R) * R)


def snake_dxx(x, a=1.0):
    """d^2 snake / d x^2 = 2 a cos(2 a x)."""
    X, A = _snake_parts(x, a)
    s = A * (X * sinc_product(a, x))
    return (2 * A) * (1 - (2 * s) * s)


def snake_dxa(x, a=1.0):
    """d^2 snake / d x d a = 2 x cos(2 a x)."""
    X, A = _snake_parts(x, a)
    s = A * (X * sinc_product(a, x))
    return (2 * X) * (1 - (2 * s) * s)


def snake_daa(x, a=1.0):
    """d^2 snake / d a^2: of its terms, 2 x^2 / a times cos(2 a x), -sin(2 a x) / (a x) and R^2."""
    X, A = _snake_parts(x, a)
    R = sinc_product(a, x)
    R2 = sinc_product(2 * a, x)
    s = A * (X * R)
    # All three are 1, or -2, at a = 0.
    rest = (1 - (2 * s) * s) - (2 * R2 - R * R)
    return X * (X * (2 * rest)) / (1 if A == 0 else A)


def _snake_parts(x, a):
    return copysign(finite(abs(x)), x), copysign(finite(abs(a)), a)


def tanhshrink(x):
    """What the hyperbolic tangent takes away.

        tanhshrink(x) = x - tanh(x)

    torch.nn.functional.tanhshrink.
    """
    # For u = |x| > 1, ((u - 1) + (u + 1) G) / (1 + G) with G = e^-2u: both terms are positive.
    u = abs(x)
    G = exp_neg(2 * abs(x))
    rest = tanh_rest(abs(x))
    far = ((u - 1) + G * (finite(u) + 1)) / (1 + G)
    return copysign(far if u > 1 else u * u * (u * rest), x)


def tanhshrink_dx(x):
    """d tanhshrink / d x = tanh(x)^2."""
    M = expm1_neg(2 * abs(x))
    t = M / (2 + M)
    return t * t


def softshrink(x, lambd=0.5):
    """x, lambd nearer to zero; lambd >= 0.

        softshrink(x, lambd) = x - lambd   for x > lambd
                               0           for -lambd <= x <= lambd
                               x + lambd   for x < -lambd

    It is continuous: lambd is taken from x on the right and added on the left. The derivative by x
    is 0 in the middle and 1 outside. torch.nn.functional.softshrink.
    """
    inside = unless_nan(unless_nan(0, x), lambd)
    return x - lambd if x > lambd else (x + lambd if x < -lambd else inside)


def softshrink_dx(x, lambd=0.5):
    """d softshrink / d x: 0 where |x| <= lambd, else 1.

    With lambd = 0 it is 0 at x = 0, as in PyTorch, though softshrink is the identity then.
    """
    slope = 1 if x > lambd else (1 if x < -lambd else 0)
    return unless_nan(unless_nan(slope, x), lambd)


def softshrink_dlambd(x, lambd=0.5):
    """d softshrink / d lambd: -1 for x > lambd, 1 for x < -lambd, else 0."""
    slope = -1 if x > lambd else (1 if x < -lambd else 0)
    return unless_nan(unless_nan(slope, x), lambd)


def hardshrink(x, lambd=0.5):
    """x, but 0 near zero; lambd >= 0.

        hardshrink(x, lambd) = x   for x > lambd
                               0   for -lambd <= x <= lambd
                               x   for x < -lambd

    It jumps at +-lambd: x is kept as it is outside, and lambd is not taken from it as in
    softshrink. torch.nn.functional.hardshrink.
    """
    inside = unless_nan(unless_nan(0, x), lambd)
    return x if x > lambd else (x if x < -lambd else inside)


def hardshrink_dx(x, lambd=0.5):
    """d hardshrink / d x: 0 where |x| <= lambd, else 1.

    With lambd = 0 it is 0 at x = 0, as in PyTorch, though hardshrink is the identity then.
    """
    slope = 1 if x > lambd else (1 if x < -lambd else 0)
    return unless_nan(unless_nan(slope, x), lambd)


def hardshrink_dlambd(x, lambd=0.5):
    """d hardshrink / d lambd: 0.

    At the jumps there is no derivative; 0 is taken.
    """
    return unless_nan(unless_nan(0, x), lambd)


def pss(x, alpha=2.0):
    """The parametric sigmoid, with steepness alpha.

        pss(x, alpha) = 1 / (1 + e^-(alpha x))

    alpha = 1 is the sigmoid.
    """
    S = scaled_exp_neg_product(abs(alpha), abs(x))
    F = unscaled(S)
    return (F if alpha * x < 0 else 1) / (1 + F)


def pss_dx(x, alpha=2.0):
    """d pss / d x = alpha s (1 - s) with s = pss(x, alpha)."""
    S = scaled_exp_neg_product(abs(alpha), abs(x))
    F = unscaled(S)
    far = unscaled(alpha * S if S != 0 else S)
    return (far if S < 1 else alpha * F) / ((1 + F) * (1 + F))


def pss_dalpha(x, alpha=2.0):
    """d pss / d alpha = x s (1 - s) with s = pss(x, alpha)."""
    S = scaled_exp_neg_product(abs(alpha), abs(x))
    F = unscaled(S)
    far = unscaled(finite(abs(x)) * S)
    return copysign((far if S < 1 else abs(x) * F) / ((1 + F) * (1 + F)), x)


def rational_softsign(x, a=1.0, b=1.0):
    """Softsign with a height and a steepness; b >= 0.

        rational_softsign(x, a, b) = a x / (1 + b |x|)

    a = b = 1 is softsign.
    """
    t, d = _rational_parts(x, b)
    return a * copysign(t, x) / d


def rational_softsign_dx(x, a=1.0, b=1.0):
    """d rational_softsign / d x = a / (1 + b |x|)^2.

    b = inf makes it NaN at x = 0.
    """
    steep = b * abs(x) if b != 0 else b
    r = 1 / (1 + steep)
    return a * r * r


def rational_softsign_da(x, a=1.0, b=1.0):
    """d rational_softsign / d a = x / (1 + b |x|)."""
    t, d = _rational_parts(x, b)
    return unless_nan(copysign(t, x) / d, a)


def rational_softsign_db(x, a=1.0, b=1.0):
    """d rational_softsign / d b = -a x |x| / (1 + b |x|)^2."""
    t, d = _rational_parts(x, b)
    return a * (copysign(t, -x) / d) * (t / d)


def _rational_parts(x, b):
    # |x| / (1 + b |x|) = t / d with t = |x|, or t = 1 and d = 1/|x| + b beyond 1: no overflow.
    # At x = 0 an infinite b makes no number of b t: it is 0 there.
    u = abs(x)
    t = 1 if u > 1 else u
    steep = b * t
    return t, unless_nan(1 / (u if u > 1 else 1) + (steep if steep == steep else 0), b)
