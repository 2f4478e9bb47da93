/* vectors_type.h: the operations and primitives of one type on vectors of 512 bits, for processors
 * with AVX-512. primitives_type.h includes this beside its own, with the same constants.
 *
 * Design:
 * - Compilers vectorise the scalar text for AVX-512 too, but know no way to three instructions:
 *   a table in registers (vpermi2pd), a scaling by 2^n that is also the shift to a result of 0
 *   (vscalefpd with a mask), and a comparison that masks. With them an exponential takes 15 slots
 *   of the processor where the scalar text takes 22.
 * - e^-(k u) is 2^n t p(f): n + j/16 + f = -k u log2(e), t = 2^(j/16) from the table, |f| <= 1/32.
 *   What the rounding of t left is in a second table, or it would cost half a ULP of every result.
 *   Adding the shifter rounds to sixteenths and leaves j in the low bits of the sum; the scaling
 *   drops them. Ends and forms are those of primitives_type.h.
 * - Numbers that a loop shares are vectors too, of one number: what follows from them alone leaves
 *   the loop. + - * / are the compiler's; they work on vectors.
 */

S3S4_INLINE S3S4_(v) S3S4_(v_splat)(S3S4_REAL x) { return S3S4_SIMD(set1)(x); }
S3S4_INLINE S3S4_(v) S3S4_(v_load)(const S3S4_REAL *in) { return S3S4_SIMD(loadu)(in); }
S3S4_INLINE void S3S4_(v_store)(S3S4_REAL *out, S3S4_(v) x) { S3S4_SIMD(storeu)(out, x); }
S3S4_INLINE S3S4_REAL S3S4_(v_first)(S3S4_(v) x) { return x[0]; }

/* a b + c and -a b + c, rounded once. */
S3S4_INLINE S3S4_(v) S3S4_(v_fma)(S3S4_(v) a, S3S4_(v) b, S3S4_(v) c) {
    return S3S4_SIMD(fmadd)(a, b, c);
}
S3S4_INLINE S3S4_(v) S3S4_(v_fnma)(S3S4_(v) a, S3S4_(v) b, S3S4_(v) c) {
    return S3S4_SIMD(fnmadd)(a, b, c);
}

/* As in C: of a NaN only `ne` is true. */
S3S4_INLINE S3S4_(m) S3S4_(v_lt)(S3S4_(v) a, S3S4_(v) b) { return S3S4_MASK(a, b, _CMP_LT_OQ); }
S3S4_INLINE S3S4_(m) S3S4_(v_le)(S3S4_(v) a, S3S4_(v) b) { return S3S4_MASK(a, b, _CMP_LE_OQ); }
S3S4_INLINE S3S4_(m) S3S4_(v_gt)(S3S4_(v) a, S3S4_(v) b) { return S3S4_MASK(a, b, _CMP_GT_OQ); }
S3S4_INLINE S3S4_(m) S3S4_(v_ge)(S3S4_(v) a, S3S4_(v) b) { return S3S4_MASK(a, b, _CMP_GE_OQ); }
S3S4_INLINE S3S4_(m) S3S4_(v_eq)(S3S4_(v) a, S3S4_(v) b) { return S3S4_MASK(a, b, _CMP_EQ_OQ); }
S3S4_INLINE S3S4_(m) S3S4_(v_ne)(S3S4_(v) a, S3S4_(v) b) { return S3S4_MASK(a, b, _CMP_NEQ_UQ); }
S3S4_INLINE S3S4_(v) S3S4_(v_select)(S3S4_(m) which, S3S4_(v) yes, S3S4_(v) no) {
    return S3S4_SIMD(mask_blend)(which, no, yes);
}

S3S4_INLINE S3S4_(v) S3S4_(v_abs)(S3S4_(v) x) { return S3S4_SIMD(abs)(x); }
S3S4_INLINE S3S4_(v) S3S4_(v_copysign)(S3S4_(v) x, S3S4_(v) y) {
    const __m512i sign = S3S4_TO_BITS(S3S4_(v_splat)((S3S4_REAL)-0.0f));
    const __m512i left = _mm512_andnot_si512(sign, S3S4_TO_BITS(x));
    return S3S4_FROM_BITS(_mm512_or_si512(left, _mm512_and_si512(sign, S3S4_TO_BITS(y))));
}
S3S4_INLINE S3S4_(v) S3S4_(v_unless_nan)(S3S4_(v) y, S3S4_(v) x) {
    return S3S4_(v_select)(S3S4_MASK(x, x, _CMP_ORD_Q), y, x);
}
/* The instruction has its second operand where either is NaN. */
S3S4_INLINE S3S4_(v) S3S4_(v_cap)(S3S4_(v) x, S3S4_REAL highest) {
    return S3S4_SIMD(min)(S3S4_(v_splat)(highest), x);
}
S3S4_INLINE S3S4_(v) S3S4_(v_finite)(S3S4_(v) u) { return S3S4_(v_cap)(u, S3S4_FINITE); }
S3S4_INLINE S3S4_(v) S3S4_(v_within_exp)(S3S4_(v) u) { return S3S4_(v_cap)(u, S3S4_EXP_RANGE); }
S3S4_INLINE S3S4_(v) S3S4_(v_within_normal)(S3S4_(v) u) {
    return S3S4_(v_cap)(u, S3S4_NORMAL_RANGE);
}

#include "vector_polynomials.h"

/* 2^-64 y, and 0 where the size of y says that it would be subnormal. */
S3S4_INLINE S3S4_(v) S3S4_(v_unscaled_of)(S3S4_(v) y, S3S4_(v) size) {
    const S3S4_(m) is_small = S3S4_(v_lt)(size, S3S4_(v_splat)(S3S4_SMALLEST_SCALED));
    const S3S4_(v) unit = S3S4_(v_splat)((S3S4_REAL)0x1p-64f);
    return y * S3S4_(v_select)(is_small, S3S4_(v_splat)(0), unit);
}
S3S4_INLINE S3S4_(v) S3S4_(v_unscaled)(S3S4_(v) y) {
    return S3S4_(v_unscaled_of)(y, S3S4_(v_abs)(y));
}
S3S4_INLINE S3S4_(v) S3S4_(v_unscaled_positive)(S3S4_(v) y) { return S3S4_(v_unscaled_of)(y, y); }
S3S4_INLINE S3S4_(v) S3S4_(v_one_plus_unscaled)(S3S4_(v) y) {
    return S3S4_(v_fma)(y, S3S4_(v_splat)((S3S4_REAL)0x1p-64f), S3S4_(v_splat)(1));
}
S3S4_INLINE S3S4_(v) S3S4_(v_unscaled_product_ordinary)(S3S4_(v) k, S3S4_(v) y) {
    return S3S4_(v_unscaled)(k * y);
}
S3S4_INLINE S3S4_(v) S3S4_(v_unscaled_product_uniform)(S3S4_(v) k, S3S4_(v) y) {
    return S3S4_(v_unscaled)(k * y);
}
S3S4_INLINE S3S4_(v) S3S4_(v_unscaled_product)(S3S4_(v) k, S3S4_(v) y) {
    const S3S4_(v) huge = (k * (S3S4_REAL)0x1p-64f) * y;
    const S3S4_(m) is_huge = S3S4_(v_gt)(S3S4_(v_abs)(k), S3S4_(v_splat)(S3S4_ORDINARY_MAX));
    return S3S4_(v_select)(is_huge, huge, S3S4_(v_unscaled)(k * y));
}

/* 2^(scale + j/16 + f), with j in the low bits of z. The scale goes into the table, once a loop. */
S3S4_INLINE S3S4_(v) S3S4_(v_fraction)(S3S4_(v) z, S3S4_(v) f, S3S4_REAL scale) {
    const S3S4_REAL factor = scale == 0 ? 1 : (S3S4_REAL)0x1p64f;
    const S3S4_(v) t = S3S4_SIXTEENTHS(S3S4_TO_BITS(z), S3S4_(exp2_sixteenths)[0], factor);
    const S3S4_(v) rest = S3S4_SIXTEENTHS(S3S4_TO_BITS(z), S3S4_(exp2_sixteenths)[1], 1);
    return S3S4_(v_fma)(t, S3S4_(v_fma)(S3S4_(v_exp2_step)(f), f, rest), t);
}
/* 2^scale e^-(k u), with k log2(e) = high + low, and what it is to be where that is not normal. */
S3S4_INLINE S3S4_(v) S3S4_(v_exp2_of)(
    S3S4_(v) high, S3S4_(v) low, S3S4_(v) u, S3S4_REAL scale, S3S4_(m) is_normal, S3S4_(v) end) {
    const S3S4_(v) shifter = S3S4_(v_splat)(S3S4_SHIFTER / 16);
    const S3S4_(v) z = S3S4_(v_fnma)(u, high, shifter);
    const S3S4_(v) n = z - shifter;
    const S3S4_(v) f = S3S4_(v_fnma)(u, low, S3S4_SIMD(fnmsub)(u, high, n));
    return S3S4_SIMD(mask_scalef)(end, is_normal, S3S4_(v_fraction)(z, f, scale), n);
}
S3S4_INLINE S3S4_(v) S3S4_(v_log2e_low)(S3S4_(v) k, S3S4_(v) high) {
    const S3S4_(v) rest = S3S4_SIMD(fmsub)(k, S3S4_(v_splat)(S3S4_LOG2E_HIGH), high);
    return S3S4_(v_fma)(k, S3S4_(v_splat)(S3S4_LOG2E_LOW), rest);
}
/* At an infinite u there is no product: k = 0 has its e^0 there from `end`. */
S3S4_INLINE S3S4_(v) S3S4_(v_scaled_exp_uniform)(
    S3S4_(v) k, S3S4_(v) u, S3S4_REAL scale, S3S4_(v) end) {
    const S3S4_(v) most = S3S4_(v_splat)(S3S4_BIAS - 1 + scale);
    const S3S4_(v) high = k * S3S4_LOG2E_HIGH;
    const S3S4_(v) nearest = most / high;
    const S3S4_(v) rest = S3S4_(v_fnma)(nearest, high, most);
    const S3S4_(m) is_beyond = S3S4_(v_lt)(rest, S3S4_(v_splat)(0));
    const S3S4_(v) last = S3S4_(v_select)(is_beyond, nearest * (1 - S3S4_HALF_EPS), nearest);
    const S3S4_(v) limit = S3S4_(v_cap)(last, S3S4_LARGEST);
    const S3S4_(m) is_normal = S3S4_MASK(u, limit, _CMP_NGT_UQ);
    return S3S4_(v_exp2_of)(high, S3S4_(v_log2e_low)(k, high), u, scale, is_normal, end);
}
S3S4_INLINE S3S4_(v) S3S4_(v_end)(S3S4_(v) k, S3S4_REAL power) {
    const S3S4_(v) zero = S3S4_(v_splat)(0);
    return S3S4_(v_select)(S3S4_(v_eq)(k, zero), S3S4_(v_splat)(power), zero);
}
S3S4_INLINE S3S4_(v) S3S4_(v_scaled_exp_ordinary)(
    S3S4_(v) k, S3S4_(v) u, S3S4_REAL scale) {
    const S3S4_(v) v = S3S4_(v_cap)(u, S3S4_LARGEST);
    const S3S4_(v) high = k * S3S4_LOG2E_HIGH, zero = S3S4_(v_splat)(0);
    const S3S4_(v) left = S3S4_(v_fnma)(u, high, S3S4_(v_splat)(S3S4_BIAS - 1 + scale));
    const S3S4_(m) is_normal = S3S4_MASK(left, zero, _CMP_NLT_UQ);
    return S3S4_(v_exp2_of)(high, S3S4_(v_log2e_low)(k, high), v, scale, is_normal, zero);
}
S3S4_INLINE S3S4_(v) S3S4_(v_scaled_exp)(S3S4_(v) k, S3S4_(v) u, S3S4_REAL scale) {
    const S3S4_(m) is_huge = S3S4_(v_gt)(k, S3S4_(v_splat)(S3S4_ORDINARY_MAX));
    const S3S4_(v) taken = S3S4_(v_select)(is_huge, k * (1 / S3S4_FACTOR), k);
    const S3S4_(v) all = S3S4_(v_select)(is_huge, u * S3S4_FACTOR, u);
    const S3S4_(v) steepness = S3S4_(v_cap)(taken, S3S4_STEEPEST);
    return S3S4_(v_scaled_exp_ordinary)(steepness, all, scale);
}

S3S4_INLINE S3S4_(v) S3S4_(v_exp_neg)(S3S4_(v) u) {
    return S3S4_(v_scaled_exp_uniform)(S3S4_(v_splat)(1), u, 0, S3S4_(v_splat)(0));
}
/* Of a bounded u everything is normal. */
S3S4_INLINE S3S4_(v) S3S4_(v_scaled_exp_neg)(S3S4_(v) u) {
    const S3S4_(v) high = S3S4_(v_splat)(S3S4_LOG2E_HIGH), low = S3S4_(v_splat)(S3S4_LOG2E_LOW);
    return S3S4_(v_exp2_of)(high, low, u, 64, (S3S4_(m))-1, u);
}
/* u^2 = square + rest. */
S3S4_INLINE S3S4_(v) S3S4_(v_scaled_exp_neg_half_square)(S3S4_(v) u) {
    const S3S4_REAL half = (S3S4_REAL)0.5f;
    const S3S4_(v) high = S3S4_(v_splat)(half * S3S4_LOG2E_HIGH);
    const S3S4_(v) low = S3S4_(v_splat)(half * S3S4_LOG2E_LOW);
    const S3S4_(v) shifter = S3S4_(v_splat)(S3S4_SHIFTER / 16);
    const S3S4_(v) square = u * u;
    const S3S4_(v) rest = S3S4_SIMD(fmsub)(u, u, square);
    const S3S4_(v) z = S3S4_(v_fnma)(square, high, shifter);
    const S3S4_(v) n = z - shifter;
    const S3S4_(v) left = S3S4_(v_fnma)(square, low, S3S4_SIMD(fnmsub)(square, high, n));
    const S3S4_(v) f = S3S4_(v_fnma)(rest, high, left);
    return S3S4_SIMD(scalef)(S3S4_(v_fraction)(z, f, 64), n);
}

S3S4_INLINE S3S4_(v) S3S4_(v_exp_neg_product)(S3S4_(v) k, S3S4_(v) u) {
    return S3S4_(v_scaled_exp)(k, u, 0);
}
S3S4_INLINE S3S4_(v) S3S4_(v_exp_neg_product_uniform)(S3S4_(v) k, S3S4_(v) u) {
    return S3S4_(v_scaled_exp_uniform)(k, u, 0, S3S4_(v_end)(k, 1));
}
S3S4_INLINE S3S4_(v) S3S4_(v_exp_neg_product_ordinary)(S3S4_(v) k, S3S4_(v) u) {
    return S3S4_(v_scaled_exp_ordinary)(k, u, 0);
}
S3S4_INLINE S3S4_(v) S3S4_(v_scaled_exp_neg_product)(S3S4_(v) k, S3S4_(v) u) {
    return S3S4_(v_scaled_exp)(k, u, 64);
}
S3S4_INLINE S3S4_(v) S3S4_(v_scaled_exp_neg_product_uniform)(S3S4_(v) k, S3S4_(v) u) {
    return S3S4_(v_scaled_exp_uniform)(k, u, 64, S3S4_(v_end)(k, (S3S4_REAL)0x1p64f));
}
S3S4_INLINE S3S4_(v) S3S4_(v_scaled_exp_neg_product_ordinary)(S3S4_(v) k, S3S4_(v) u) {
    return S3S4_(v_scaled_exp_ordinary)(k, u, 64);
}

/* (u - j w) for the nearest j picks a polynomial from registers, with no division: what lies beyond
 * the last one multiplies an e^(-u^2/2) that is 0. Registers hold the table of float alone. */
#ifdef S3S4_PIECE
S3S4_INLINE S3S4_(v) S3S4_(v_normal_tail)(S3S4_(v) u) {
    const S3S4_REAL width = (S3S4_REAL)0.4375f;
    const S3S4_(v) shifter = S3S4_(v_splat)(S3S4_SHIFTER);
    const S3S4_(v) v = S3S4_(v_cap)(u, 31 * width);
    const S3S4_(v) z = S3S4_(v_fma)(v, S3S4_(v_splat)(1 / width), shifter);
    const S3S4_(v) t = S3S4_(v_fnma)(z - shifter, S3S4_(v_splat)(width), v);
    S3S4_(v) p = S3S4_PIECE(S3S4_TO_BITS(z), S3S4_(tail_pieces)[0]);
    for (int i = 1; i < 6; i++)
        p = S3S4_(v_fma)(p, t, S3S4_PIECE(S3S4_TO_BITS(z), S3S4_(tail_pieces)[i]));
    return p;
}
#else
S3S4_INLINE S3S4_(v) S3S4_(v_normal_tail)(S3S4_(v) u) {
    const S3S4_(v) one = S3S4_(v_splat)(1), minus = S3S4_(v_splat)(-8);
    const S3S4_(v) sum = u + 4, r = 1 / sum;
    const S3S4_(v) left = S3S4_(v_fnma)(r, u - (sum - 4), S3S4_(v_fnma)(r, sum, one));
    const S3S4_(v) rest = r * left;
    const S3S4_(v) t = S3S4_(v_fma)(minus, rest, S3S4_(v_fma)(minus, r, one));
    const S3S4_(v) p = S3S4_(v_tail_ratio)(t);
    return S3S4_(v_fma)(p, rest, p * r);
}
#endif
