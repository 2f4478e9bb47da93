/* primitives_type.h: the primitives of one type; primitives.h includes this for each, with the name
 * of the type or, as it has no vector form anywhere, with S3S4_LONG_DOUBLE for libm's functions.
 *
 * Design:
 * - e^-(k u) is 2^n p(f) with n + f = -k u log2(e), |f| <= 1/2. Adding the shifter rounds to the
 *   integer n and leaves n + bias in the low bits of the sum: shifted left they are 2^n. A bias
 *   that is 64 larger gives 2^64 e^-(k u), which x e^-(k x) needs: it ends later than e^-(k x).
 * - Where the result would end below the smallest normal number, both factors are 0 beforehand;
 *   that also clears what a huge u makes of f. That test sees u as it is, so that an infinite u is
 *   a hard end for the smallest k, and still e^0 for k = 0.
 * - k u is never rounded. With FMA k is folded into log2(e), in two parts. Without, that form would
 *   lose 25 ULP at u = 30: there the natural base and a two-part ln 2 are used, and k and u are
 *   each cut into halves whose products are exact.
 * - `_ordinary` takes 0 <= k <= S3S4_ORDINARY_MAX, with a third of the general form's operations
 *   on k. `_uniform` takes that and is for a k that is the same for a whole loop: what depends on
 *   k alone leaves the loop. All give the same bits.
 */

#ifndef S3S4_LONG_DOUBLE

/* The same number, but a compiler does not know it: gcc makes `h < x ? h : x` one instruction, a
 * minimum, where h is a variable, and two to four where h is a constant. A loop calls this once. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((noinline, const, unused)) static S3S4_REAL S3S4_(variable)(S3S4_REAL constant) {
    volatile S3S4_REAL variable = constant;
    return variable;
}
#else
S3S4_INLINE S3S4_REAL S3S4_(variable)(S3S4_REAL constant) { return constant; }
#endif

/* The second of both where one is NaN. */
S3S4_INLINE S3S4_REAL S3S4_(lesser)(S3S4_REAL a, S3S4_REAL b) { return a < b ? a : b; }
S3S4_INLINE S3S4_REAL S3S4_(greater)(S3S4_REAL a, S3S4_REAL b) { return a > b ? a : b; }

S3S4_INLINE S3S4_REAL S3S4_(cap)(S3S4_REAL x, S3S4_REAL highest) {
    return S3S4_(lesser)(S3S4_(variable)(highest), x);
}

/* Small enough that eight times it is finite, large enough that 1 + u is u. */
S3S4_INLINE S3S4_REAL S3S4_(finite)(S3S4_REAL u) { return S3S4_(cap)(u, S3S4_FINITE); }

/* u, but no further than where e^-u, or e^(-u^2/2), times u^3 is below the smallest normal number,
 * while 2^64 times it is normal. */
S3S4_INLINE S3S4_REAL S3S4_(within_exp)(S3S4_REAL u) { return S3S4_(cap)(u, S3S4_EXP_RANGE); }
S3S4_INLINE S3S4_REAL S3S4_(within_normal)(S3S4_REAL u) { return S3S4_(cap)(u, S3S4_NORMAL_RANGE); }

S3S4_INLINE S3S4_REAL S3S4_(unless_nan)(S3S4_REAL y, S3S4_REAL x) { return x == x ? y : x; }

/* 2^-64 y, and 0 instead of a subnormal number: the factor is selected, not the product. */
S3S4_INLINE S3S4_REAL S3S4_(unscaled)(S3S4_REAL y) {
    const S3S4_REAL zero = 0, unit = (S3S4_REAL)0x1p-64f;
    return y * (S3S4_(abs)(y) < S3S4_SMALLEST_SCALED ? zero : unit);
}
/* The same of what is not negative. */
S3S4_INLINE S3S4_REAL S3S4_(unscaled_positive)(S3S4_REAL y) {
    const S3S4_REAL zero = 0, unit = (S3S4_REAL)0x1p-64f;
    return y * (y < S3S4_SMALLEST_SCALED ? zero : unit);
}
/* 1 + 2^-64 y: of a fused product, nothing is subnormal. */
S3S4_INLINE S3S4_REAL S3S4_(one_plus_unscaled)(S3S4_REAL y) {
#if S3S4_FMA
    return S3S4_(fma)(y, (S3S4_REAL)0x1p-64f, 1);
#else
    return 1 + S3S4_(unscaled_positive)(y);
#endif
}
/* 2^-64 k y. A huge k is scaled before it meets y. */
S3S4_INLINE S3S4_REAL S3S4_(unscaled_product_ordinary)(S3S4_REAL k, S3S4_REAL y) {
    return S3S4_(unscaled)(k * y);
}
S3S4_INLINE S3S4_REAL S3S4_(unscaled_product_uniform)(S3S4_REAL k, S3S4_REAL y) {
    return S3S4_(unscaled)(k * y);
}
S3S4_INLINE S3S4_REAL S3S4_(unscaled_product)(S3S4_REAL k, S3S4_REAL y) {
    const S3S4_REAL huge = (k * (S3S4_REAL)0x1p-64f) * y;
    return S3S4_(abs)(k) > S3S4_ORDINARY_MAX ? huge : S3S4_(unscaled)(k * y);
}

/* 2^n from the sum that holds n + bias in its low bits. */
S3S4_INLINE S3S4_REAL S3S4_(power_of_two)(S3S4_REAL shifted) {
    S3S4_BITS bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits <<= S3S4_MANTISSA;
    memcpy(&shifted, &bits, sizeof bits);
    return shifted;
}

#if S3S4_FMA

/* z = shifter - u K rounds to n + bias; f = -u K - n, with K = high + low = k log2(e). */
S3S4_INLINE S3S4_REAL S3S4_(exp2_of)(
    S3S4_REAL high, S3S4_REAL low, S3S4_REAL u, S3S4_REAL bias, int is_zero) {
    const S3S4_REAL zero = 0, shifter = S3S4_SHIFTER + bias;
    const S3S4_REAL z = S3S4_(fma)(-u, high, shifter);
    const S3S4_REAL n = z - shifter;
    const S3S4_REAL f = S3S4_(fma)(-u, low, S3S4_(fma)(-u, high, -n));
    const S3S4_REAL p = S3S4_(exp2_fraction)(is_zero ? zero : f);
    return p * (is_zero ? zero : S3S4_(power_of_two)(z));
}
S3S4_INLINE S3S4_REAL S3S4_(log2e_low)(S3S4_REAL k, S3S4_REAL high) {
    return S3S4_(fma)(k, S3S4_LOG2E_LOW, S3S4_(fma)(k, S3S4_LOG2E_HIGH, -high));
}

/* The last u with a normal result has u high <= bias - 1, exactly. */
S3S4_INLINE S3S4_REAL S3S4_(biased_exp_neg_uniform)(
    S3S4_REAL k, S3S4_REAL u, S3S4_REAL v, S3S4_REAL bias) {
    const S3S4_REAL high = k * S3S4_LOG2E_HIGH;
    const S3S4_REAL nearest = (bias - 1) / high;
    const S3S4_REAL below = nearest * (1 - S3S4_HALF_EPS);
    const S3S4_REAL last = S3S4_(fma)(-nearest, high, bias - 1) < 0 ? below : nearest;
    const S3S4_REAL end = last > S3S4_LARGEST && k > 0 ? S3S4_LARGEST : last;
    return S3S4_(exp2_of)(high, S3S4_(log2e_low)(k, high), v, bias, u > end);
}

/* The same without a division, for a k of its own at every u. */
S3S4_INLINE S3S4_REAL S3S4_(biased_exp_neg_ordinary)(
    S3S4_REAL k, S3S4_REAL u, S3S4_REAL v, S3S4_REAL bias) {
    const S3S4_REAL high = k * S3S4_LOG2E_HIGH;
    const int is_zero = S3S4_(fma)(-u, high, bias - 1) < 0;
    return S3S4_(exp2_of)(high, S3S4_(log2e_low)(k, high), v, bias, is_zero);
}

/* And for any k: a huge k hands part of its exponent to u, so that k = inf is a hard switch even
 * at a subnormal u and still e^0 at u = 0. */
S3S4_INLINE S3S4_REAL S3S4_(biased_exp_neg)(S3S4_REAL k, S3S4_REAL u, S3S4_REAL bias) {
    const int is_huge = k > S3S4_ORDINARY_MAX;
    const S3S4_REAL steepness = S3S4_(cap)(is_huge ? k * (1 / S3S4_FACTOR) : k, S3S4_STEEPEST);
    const S3S4_REAL all = is_huge ? u * S3S4_FACTOR : u;
    const S3S4_REAL v = S3S4_(cap)(all, S3S4_LARGEST);
    return S3S4_(biased_exp_neg_ordinary)(steepness, all, v, bias);
}

S3S4_INLINE S3S4_REAL S3S4_(exp_neg)(S3S4_REAL u) {
    return S3S4_(biased_exp_neg_uniform)(1, u, u, S3S4_BIAS);
}

S3S4_INLINE S3S4_REAL S3S4_(scaled_exp_neg)(S3S4_REAL u) {
    return S3S4_(exp2_of)(S3S4_LOG2E_HIGH, S3S4_LOG2E_LOW, u, S3S4_BIAS + 64, 0);
}

/* u^2 = square + rest. */
S3S4_INLINE S3S4_REAL S3S4_(scaled_exp_neg_half_square)(S3S4_REAL u) {
    const S3S4_REAL shifter = S3S4_SHIFTER + (S3S4_BIAS + 64), half = (S3S4_REAL)0.5f;
    const S3S4_REAL high = half * S3S4_LOG2E_HIGH, low = half * S3S4_LOG2E_LOW;
    const S3S4_REAL square = u * u;
    const S3S4_REAL rest = S3S4_(fma)(u, u, -square);
    const S3S4_REAL z = S3S4_(fma)(-square, high, shifter);
    const S3S4_REAL n = z - shifter;
    const S3S4_REAL left = S3S4_(fma)(-square, low, S3S4_(fma)(-square, high, -n));
    const S3S4_REAL f = S3S4_(fma)(-rest, high, left);
    return S3S4_(exp2_fraction)(f) * S3S4_(power_of_two)(z);
}

#else /* no FMA */

/* e^-t = 2^n e^r with r = -t - n ln 2 and t = exact + rest: exact - n ln 2 has no rounding. */
S3S4_INLINE S3S4_REAL S3S4_(exp_of)(
    S3S4_REAL t, S3S4_REAL exact, S3S4_REAL rest, S3S4_REAL bias, int is_zero) {
    const S3S4_REAL zero = 0, shifter = S3S4_SHIFTER + bias;
    const S3S4_REAL z = shifter - t * S3S4_LOG2E_HIGH;
    const S3S4_REAL n = z - shifter;
    const S3S4_REAL left = (-exact - n * S3S4_LN2_HIGH) - (rest + n * S3S4_LN2_LOW);
    const S3S4_REAL r = is_zero ? zero : left;
    const S3S4_REAL scale = is_zero ? zero : S3S4_(power_of_two)(z);
    return (1 + (r + r * r * S3S4_(exp_rest)(r))) * scale;
}

/* The upper half of the digits. */
S3S4_INLINE S3S4_REAL S3S4_(upper)(S3S4_REAL x) {
    S3S4_BITS bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= ~(S3S4_BITS)0 << (S3S4_MANTISSA + 2) / 2;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

S3S4_INLINE S3S4_REAL S3S4_(biased_exp_neg_ordinary)(
    S3S4_REAL k, S3S4_REAL u, S3S4_REAL v, S3S4_REAL bias) {
    const int is_zero = k * u > (bias - 1) * S3S4_LN2;
    const S3S4_REAL k_upper = S3S4_(upper)(k), v_upper = S3S4_(upper)(v);
    const S3S4_REAL rest = k_upper * (v - v_upper) + (k - k_upper) * v;
    return S3S4_(exp_of)(k * v, k_upper * v_upper, rest, bias, is_zero);
}
S3S4_INLINE S3S4_REAL S3S4_(biased_exp_neg_uniform)(
    S3S4_REAL k, S3S4_REAL u, S3S4_REAL v, S3S4_REAL bias) {
    return S3S4_(biased_exp_neg_ordinary)(k, u, v, bias);
}

/* At u = 0 an infinite k must not make 0 * inf. */
S3S4_INLINE S3S4_REAL S3S4_(biased_exp_neg)(S3S4_REAL k, S3S4_REAL u, S3S4_REAL bias) {
    const S3S4_REAL zero = 0, one = 1;
    const S3S4_REAL steepness = u > zero ? k : (one < k ? one : k);
    const S3S4_REAL v = S3S4_(cap)(u, S3S4_LARGEST);
    return S3S4_(biased_exp_neg_ordinary)(steepness, u, v, bias);
}

S3S4_INLINE S3S4_REAL S3S4_(exp_neg)(S3S4_REAL u) {
    return S3S4_(exp_of)(u, u, 0, S3S4_BIAS, u > (S3S4_BIAS - 1) * S3S4_LN2);
}

S3S4_INLINE S3S4_REAL S3S4_(scaled_exp_neg)(S3S4_REAL u) {
    return S3S4_(exp_of)(u, u, 0, S3S4_BIAS + 64, 0);
}

/* u = upper + lower: u^2 = upper^2 + lower (upper + u). */
S3S4_INLINE S3S4_REAL S3S4_(scaled_exp_neg_half_square)(S3S4_REAL u) {
    const S3S4_REAL half = (S3S4_REAL)0.5f, upper = S3S4_(upper)(u);
    const S3S4_REAL rest = half * ((u - upper) * (upper + u));
    return S3S4_(exp_of)(half * (u * u), half * (upper * upper), rest, S3S4_BIAS + 64, 0);
}

#endif

S3S4_INLINE S3S4_REAL S3S4_(exp_neg_product)(S3S4_REAL k, S3S4_REAL u) {
    return S3S4_(biased_exp_neg)(k, u, S3S4_BIAS);
}
S3S4_INLINE S3S4_REAL S3S4_(exp_neg_product_uniform)(S3S4_REAL k, S3S4_REAL u) {
    return S3S4_(biased_exp_neg_uniform)(k, u, S3S4_(cap)(u, S3S4_LARGEST), S3S4_BIAS);
}
S3S4_INLINE S3S4_REAL S3S4_(exp_neg_product_ordinary)(S3S4_REAL k, S3S4_REAL u) {
    return S3S4_(biased_exp_neg_ordinary)(k, u, S3S4_(cap)(u, S3S4_LARGEST), S3S4_BIAS);
}

S3S4_INLINE S3S4_REAL S3S4_(scaled_exp_neg_product)(S3S4_REAL k, S3S4_REAL u) {
    return S3S4_(biased_exp_neg)(k, u, S3S4_BIAS + 64);
}
S3S4_INLINE S3S4_REAL S3S4_(scaled_exp_neg_product_uniform)(S3S4_REAL k, S3S4_REAL u) {
    return S3S4_(biased_exp_neg_uniform)(k, u, S3S4_(cap)(u, S3S4_LARGEST), S3S4_BIAS + 64);
}
S3S4_INLINE S3S4_REAL S3S4_(scaled_exp_neg_product_ordinary)(S3S4_REAL k, S3S4_REAL u) {
    return S3S4_(biased_exp_neg_ordinary)(k, u, S3S4_(cap)(u, S3S4_LARGEST), S3S4_BIAS + 64);
}

/* -v - n ln 2 for e^-v = 2^n e^r, where r is wanted to within an eps of 2^-n. */
S3S4_INLINE S3S4_REAL S3S4_(less_turns_of_ln2)(S3S4_REAL v, S3S4_REAL n) {
#if S3S4_FMA
    return S3S4_(fma)(-n, S3S4_LN2, -v);
#else
    return (-v - n * S3S4_LN2_HIGH) - n * S3S4_LN2_LOW;
#endif
}

/* e^-u - 1 for u >= 0: n + r / ln 2 = -u / ln 2 and 2^n (e^r - 1) + (2^n - 1), where r = -u exactly
 * for small u, so that nothing cancels. */
S3S4_INLINE S3S4_REAL S3S4_(expm1_neg)(S3S4_REAL u) {
    const S3S4_REAL shifter = S3S4_SHIFTER + S3S4_BIAS;
    const S3S4_REAL v = S3S4_(cap)(u, S3S4_EXPM1_END);
    const S3S4_REAL z = S3S4_(fma)(-v, S3S4_LOG2E_HIGH, shifter);
    const S3S4_REAL n = z - shifter;
    const S3S4_REAL r = S3S4_(less_turns_of_ln2)(v, n);
    const S3S4_REAL power = S3S4_(power_of_two)(z);
    return S3S4_(fma)(power, S3S4_(fma)(r * r, S3S4_(expm1_rest)(r), r), power - 1);
}

/* log(1 + t) for 0 <= t <= 1: 2 atanh(s) with s = t / (2 + t). As 2 s = t - s t, the rounding of s
 * meets t - rest alone, and s <= 1/3. Of a tiny t it is t: the square would be subnormal. */
S3S4_INLINE S3S4_REAL S3S4_(log1p)(S3S4_REAL t) {
    const S3S4_REAL zero = 0, u = t < S3S4_LOG1P_START ? zero : t;
    const S3S4_REAL s = u / (2 + u);
    const S3S4_REAL w = s * s;
    const S3S4_REAL rest = 2 * (w * S3S4_(atanh_rest)(w));
    return S3S4_(fma)(-s, u - rest, t);
}

/* log(1 + t) for any t >= 0: 1 + t = 2^k (1 + w) with 0 <= w <= 1, and w is t itself for t < 1. */
S3S4_INLINE S3S4_REAL S3S4_(log1p_any)(S3S4_REAL t) {
    const S3S4_BITS ones = (S3S4_BITS)(2 * S3S4_BIAS + 1) << S3S4_MANTISSA; /* all of an exponent */
    const S3S4_REAL sum = 1 + t;
    S3S4_BITS bits, power;
    S3S4_REAL k, scale;
    memcpy(&bits, &sum, sizeof bits);
    power = ((S3S4_BITS)(2 * S3S4_BIAS) << S3S4_MANTISSA) - (bits & ones);
    memcpy(&scale, &power, sizeof scale);
    bits = bits >> S3S4_MANTISSA | (S3S4_BITS)(S3S4_BIAS + S3S4_MANTISSA) << S3S4_MANTISSA;
    memcpy(&k, &bits, sizeof k); /* S3S4_INTEGERS + bias + k */
    k -= S3S4_INTEGERS + S3S4_BIAS;
    const S3S4_REAL w = S3S4_(fma)(t, scale, scale - 1);
    const S3S4_REAL low = S3S4_(fma)(k, S3S4_LN2_LOW, S3S4_(log1p)(w));
    return S3S4_(fma)(k, S3S4_LN2_HIGH, low);
}

/* (u - tanh(u)) / u^3 for 0 <= u <= 1. */
S3S4_INLINE S3S4_REAL S3S4_(tanh_rest)(S3S4_REAL u) { return S3S4_(tanh_ratio)(u * u); }

/* sqrt(u^2 + b): by a power of two smaller or larger where u^2 may leave the range. */
S3S4_INLINE S3S4_REAL S3S4_(sqrt_square_plus)(S3S4_REAL u, S3S4_REAL b) {
    const S3S4_REAL one = 1, high = S3S4_ORDINARY_MAX, factor = S3S4_FACTOR * 256;
    const S3S4_REAL v = S3S4_(abs)(u);
    const int is_large = (v > high) | (b > high * high);
    const int is_small = (v < 1 / high) & (b < 1 / (high * high));
    const S3S4_REAL scale = is_large ? 1 / factor : is_small ? factor : one;
    const S3S4_REAL back = is_large ? factor : is_small ? 1 / factor : one;
    const S3S4_REAL scaled = v * scale;
    return S3S4_(sqrt)(S3S4_(fma)(scaled, scaled, b * scale * scale)) * back;
}

/* What the rounding of h = k u left of the product. */
S3S4_INLINE S3S4_REAL S3S4_(product_rest)(S3S4_REAL k, S3S4_REAL u, S3S4_REAL h) {
#if S3S4_FMA
    return S3S4_(fma)(k, u, -h);
#else
    const S3S4_REAL k_upper = S3S4_(upper)(k), u_upper = S3S4_(upper)(u);
    const S3S4_REAL k_lower = k - k_upper, u_lower = u - u_upper;
    return ((k_upper * u_upper - h) + k_upper * u_lower + k_lower * u_upper) + k_lower * u_lower;
#endif
}

/* sin(k u) / (k u) for any signs, 1 at 0, and 0 where k u is too large for its turns to be counted.
 *
 * k u = h + l is not rounded: r = h + l - n pi, |r| <= pi / 2, with pi in four parts. n times each
 * of the first three is exact as long as it has as many bits as they lack; h loses the first two
 * exactly, and what the third difference and the sum with l left in rounding is added. */
S3S4_INLINE S3S4_REAL S3S4_(sinc_product)(S3S4_REAL k, S3S4_REAL u) {
    const S3S4_REAL zero = 0, one = 1, half = (S3S4_REAL)0.5f, shifter = S3S4_SHIFTER;
    const S3S4_REAL product = k * u;
    const int is_near = S3S4_(abs)(product) <= S3S4_TURNS_END;
    const S3S4_REAL h = is_near ? product : zero;
    const S3S4_REAL l = is_near ? S3S4_(product_rest)(k, u, product) : zero;
    const S3S4_REAL n = S3S4_(fma)(h, S3S4_1_PI, shifter) - shifter;
    const S3S4_REAL first = S3S4_(fma)(-n, S3S4_PI_2, S3S4_(fma)(-n, S3S4_PI_1, h));
    const S3S4_REAL next = S3S4_(fma)(-n, S3S4_PI_3, first);
    const S3S4_REAL lost = S3S4_(fma)(-n, S3S4_PI_3, first - next);
    const S3S4_REAL sum = next + l;
    const S3S4_REAL back = sum - next;
    const S3S4_REAL left = lost + ((next - (sum - back)) + (l - back));
    const S3S4_REAL r = sum + S3S4_(fma)(-n, S3S4_PI_4, left);
    /* -1 where n is odd. */
    const S3S4_REAL odd = S3S4_(fma)(-2, S3S4_(fma)(n, half, shifter) - shifter, n);
    const S3S4_REAL sign = S3S4_(fma)(-2 * odd, odd, one);
    const S3S4_REAL v = S3S4_(abs)(r) < S3S4_LOG1P_START ? zero : r;
    const S3S4_REAL w = v * v;
    const S3S4_REAL sine = sign * S3S4_(fma)(r * w, S3S4_(sine_rest)(w), r);
    /* Nearer to 0 the ratio is 1, and k u may be subnormal, which leaves l no room. */
    const int is_zero = S3S4_(abs)(h) < S3S4_LOG1P_START;
    const S3S4_REAL above = is_zero ? (is_near ? one : zero) : sine;
    const S3S4_REAL ratio = above / (is_zero ? one : h);
    return S3S4_(unless_nan)(S3S4_(unless_nan)(ratio, k), u);
}

/* e^(u^2/2) Phi(-u) for 0 <= u <= S3S4_NORMAL_RANGE, with Phi the normal distribution's:
 * p(t) / (u + K), where t is (u - K) / (u + K) = 1 - 2 K / (u + K); what the sum and the division
 * left in rounding is added to both. */
S3S4_INLINE S3S4_REAL S3S4_(normal_tail)(S3S4_REAL u) {
    const S3S4_REAL sum = u + 4, r = 1 / sum;
    const S3S4_REAL rest = r * S3S4_(fma)(-r, u - (sum - 4), S3S4_(fma)(-r, sum, 1));
    const S3S4_REAL p = S3S4_(tail_ratio)(S3S4_(fma)(-8, rest, S3S4_(fma)(-8, r, 1)));
    return S3S4_(fma)(p, rest, p * r);
}

/* For rows, whose weights are e^(x - R) 2^-N with the same R and N: R is the largest x where every
 * difference that matters is exact, and 0 elsewhere; N is floor(m log2(e)). */
S3S4_INLINE S3S4_REAL S3S4_(row_reference)(S3S4_REAL largest) {
    const S3S4_REAL zero = 0;
    return S3S4_(abs)(largest) < 2 * (S3S4_BIAS + 1) ? zero : largest;
}
S3S4_INLINE S3S4_REAL S3S4_(binary_exponent)(S3S4_REAL m) {
    const S3S4_REAL half = (S3S4_REAL)0.5f;
    return (m * S3S4_LOG2E_HIGH - half + S3S4_SHIFTER) - S3S4_SHIFTER;
}
/* 2^-N e^-u, and 0 where that is half the smallest normal number or less: there the low bits of
 * z are 0. */
S3S4_INLINE S3S4_REAL S3S4_(exp_neg_scaled)(S3S4_REAL u, S3S4_REAL N) {
    const S3S4_REAL bias = S3S4_BIAS - N, shifter = S3S4_SHIFTER + bias;
    const S3S4_REAL end = bias * S3S4_LN2, v = end < u ? end : u;
    const S3S4_REAL z = S3S4_(fma)(-v, S3S4_LOG2E_HIGH, shifter);
    const S3S4_REAL n = z - shifter;
#if S3S4_FMA
    const S3S4_REAL f = S3S4_(fma)(-v, S3S4_LOG2E_LOW, S3S4_(fma)(-v, S3S4_LOG2E_HIGH, -n));
    return S3S4_(exp2_fraction)(f) * S3S4_(power_of_two)(z);
#else
    /* n is twice as large as in exp_of: n ln 2 is exact in two parts. */
    const S3S4_REAL twice = 2 * S3S4_SHIFTER, even = (n + twice) - twice, odd = n - even;
    const S3S4_REAL exact = (-v - even * S3S4_LN2_HIGH) - odd * S3S4_LN2_HIGH;
    const S3S4_REAL r = exact - n * S3S4_LN2_LOW;
    return (1 + (r + r * r * S3S4_(exp_rest)(r))) * S3S4_(power_of_two)(z);
#endif
}

#if S3S4_VECTORS
#include "vectors_type.h"
#endif

#undef S3S4_REAL
#undef S3S4_BITS
#undef S3S4_
#undef S3S4_BIAS
#undef S3S4_MANTISSA
#undef S3S4_SHIFTER
#undef S3S4_INTEGERS
#undef S3S4_HALF_EPS
#undef S3S4_LARGEST
#undef S3S4_FINITE
#undef S3S4_EXP_RANGE
#undef S3S4_NORMAL_RANGE
#undef S3S4_ORDINARY_MAX
#undef S3S4_FACTOR
#undef S3S4_STEEPEST
#undef S3S4_SMALLEST_SCALED
#undef S3S4_LOG2E_HIGH
#undef S3S4_LOG2E_LOW
#undef S3S4_LN2
#undef S3S4_LN2_HIGH
#undef S3S4_LN2_LOW
#undef S3S4_EXPM1_END
#undef S3S4_LOG1P_START
#undef S3S4_TURNS_END
#undef S3S4_1_PI
#undef S3S4_PI_1
#undef S3S4_PI_2
#undef S3S4_PI_3
#undef S3S4_PI_4
#undef S3S4_SIMD
#undef S3S4_MASK
#undef S3S4_TO_BITS
#undef S3S4_FROM_BITS
#undef S3S4_SIXTEENTHS
#undef S3S4_PIECE

#else

S3S4_INLINE long double s3s4_variable_ld(long double constant) { return constant; }
S3S4_INLINE long double s3s4_lesser_ld(long double a, long double b) { return a < b ? a : b; }
S3S4_INLINE long double s3s4_greater_ld(long double a, long double b) { return a > b ? a : b; }

S3S4_INLINE long double s3s4_finite_ld(long double u) {
    const long double highest = LDBL_MAX * 0x1p-3L;
    return highest < u ? highest : u;
}
/* Here numbers may be subnormal: as far as to where expl is 0. */
S3S4_INLINE long double s3s4_within_exp_ld(long double u) { return 13000.0L < u ? 13000.0L : u; }
S3S4_INLINE long double s3s4_within_normal_ld(long double u) { return 160.0L < u ? 160.0L : u; }
S3S4_INLINE long double s3s4_unscaled_ld(long double y) { return y * 0x1p-64L; }
S3S4_INLINE long double s3s4_unscaled_positive_ld(long double y) { return y * 0x1p-64L; }
S3S4_INLINE long double s3s4_one_plus_unscaled_ld(long double y) { return 1 + y * 0x1p-64L; }
S3S4_INLINE long double s3s4_unscaled_product_ld(long double k, long double y) {
    return fabsl(k) > 1.0L ? (k * 0x1p-64L) * y : (k * y) * 0x1p-64L;
}
S3S4_INLINE long double s3s4_unless_nan_ld(long double y, long double x) {
    return x == x ? y : x;
}

S3S4_INLINE long double s3s4_exp_neg_ld(long double u) { return expl(-u); }
/* Row weights have the rounding of x - R. */
S3S4_INLINE long double s3s4_row_reference_ld(long double largest) { return largest; }
S3S4_INLINE long double s3s4_binary_exponent_ld(long double m) { return m * 0.0L; }
S3S4_INLINE long double s3s4_exp_neg_scaled_ld(long double u, long double N) {
    (void)N;
    return expl(-u);
}
/* e^-(t + rest) = e^-t - rest e^-t, with t = k u rounded and rest what the rounding left. */
S3S4_INLINE long double s3s4_scaled_exp_neg_product_ld(long double k, long double u) {
    const long double steepness = u > 0.0L ? k : (1.0L < k ? 1.0L : k);
    const long double t = steepness * (steepness > 0.0L ? u : s3s4_finite_ld(u));
    const long double power = expl(-t) * 0x1p64L;
    return power > 0.0L && power < 0x1p64L ? power - fmal(k, u, -t) * power : power;
}
S3S4_INLINE long double s3s4_exp_neg_product_ld(long double k, long double u) {
    return s3s4_unscaled_ld(s3s4_scaled_exp_neg_product_ld(k, u));
}

S3S4_INLINE long double s3s4_scaled_exp_neg_ld(long double u) { return expl(-u) * 0x1p64L; }
/* u^2 / 2 = t + rest. */
S3S4_INLINE long double s3s4_scaled_exp_neg_half_square_ld(long double u) {
    const long double t = 0.5L * (u * u), power = expl(-t) * 0x1p64L;
    return power - fmal(0.5L * u, u, -t) * power;
}

S3S4_INLINE long double s3s4_expm1_neg_ld(long double u) { return expm1l(-u); }
S3S4_INLINE long double s3s4_log1p_ld(long double t) { return log1pl(t); }
S3S4_INLINE long double s3s4_log1p_any_ld(long double t) { return log1pl(t); }
S3S4_INLINE long double s3s4_tanh_rest_ld(long double u) { return s3s4_tanh_ratio_ld(u * u); }
S3S4_INLINE long double s3s4_sqrt_square_plus_ld(long double u, long double b) {
    const long double v = fabsl(u);
    const int is_large = v > 0x1p8000L || b > 0x1p16000L;
    const int is_small = v < 0x1p-8000L && b < 0x1p-16000L;
    const long double scale = is_large ? 0x1p-8300L : is_small ? 0x1p8300L : 1.0L;
    return sqrtl((v * scale) * (v * scale) + b * scale * scale) / scale;
}
/* sin(h + l) = sin(h) + l cos(h), with h = k u rounded and l what the rounding left. */
S3S4_INLINE long double s3s4_sinc_product_ld(long double k, long double u) {
    const long double h = k * u;
    const long double y = sinl(h) + fmal(k, u, -h) * cosl(h);
    const int is_near = fabsl(h) <= 0x1p63L;
    return s3s4_unless_nan_ld(s3s4_unless_nan_ld(h == 0 ? 1 : is_near ? y / h : 0, k), u);
}
S3S4_INLINE long double s3s4_normal_tail_ld(long double u) {
    const long double sum = u + 6, r = 1 / sum;
    const long double rest = r * fmal(-r, u - (sum - 6), fmal(-r, sum, 1));
    const long double p = s3s4_tail_ratio_ld(fmal(-12, rest, fmal(-12, r, 1)));
    return s3s4_fma_ld(p, rest, p * r);
}

#undef S3S4_LONG_DOUBLE
#endif
