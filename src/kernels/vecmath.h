/* vecmath.h: the primitives of formulas.py in C99, branch-free so that compilers vectorise them.
 *
 * Design:
 * - Bit patterns go through memcpy and selections are written `c ? a : b` with comparisons that are
 *   false for NaN on the side that lets NaN through: no branch, no call, nothing a loop trips over.
 * - e^-(k u) is 2^n p(f) with n + f = -k u log2(e), |f| <= 1/2. Adding the shifter rounds to the
 *   integer n and leaves n + bias in the low bits of the sum: shifted left they are 2^n. A bias
 *   that is 64 larger gives 2^64 e^-(k u), which x e^-(k x) needs: it ends later than e^-(k x).
 * - Nothing is ever subnormal: that takes a processor a hundred times as long. Where the result
 *   would end below the smallest normal number, both factors are 0 beforehand; that also clears
 *   what a huge u makes of f. One test does for both, so that u needs no cap.
 * - With FMA, k is folded into log2(e), in two parts: k u is never rounded. Without FMA that form
 *   would lose 25 ULP at u = 30: there the natural base and a two-part ln 2 are used instead.
 * - `_ordinary` takes 0 <= k <= S3S4_ORDINARY_MAX, with a third of the general form's operations
 *   on k. `_uniform` takes that or NaN and is for a k that is the same for a whole loop: what
 *   depends on k alone leaves the loop. All give the same bits.
 * - The polynomials are minimax on |f| <= 1/2 and |r| <= ln(2)/2; src/formulas/remez.py prints them.
 * - float and double are written out, one beside the other: the constants differ, not the steps.
 *   long double has no vector form anywhere, and takes libm's functions.
 */
#ifndef S3S4_VECMATH_H
#define S3S4_VECMATH_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "arithmetic.h"

/* Past some size of a file gcc inlines no more, and a loop with a call in it is not vectorised. */
#if defined(__GNUC__)
#define S3S4_INLINE static inline __attribute__((always_inline))
#else
#define S3S4_INLINE static inline
#endif

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__aarch64__)
#define S3S4_FMA 1
#else
#define S3S4_FMA 0
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
#define S3S4_REGISTERS 32
#else
#define S3S4_REGISTERS 16
#endif

#define S3S4_ORDINARY_MAX_f32 0x1p60f
#define S3S4_ORDINARY_MAX_f64 0x1p500
#define S3S4_ORDINARY_MAX_ld ((long double)INFINITY)

/* a b + c, rounded once where there is FMA and twice elsewhere. */
#if S3S4_FMA
S3S4_INLINE float s3s4_fma_f32(float a, float b, float c) { return fmaf(a, b, c); }
S3S4_INLINE double s3s4_fma_f64(double a, double b, double c) { return fma(a, b, c); }
#else
S3S4_INLINE float s3s4_fma_f32(float a, float b, float c) { return a * b + c; }
S3S4_INLINE double s3s4_fma_f64(double a, double b, double c) { return a * b + c; }
#endif
S3S4_INLINE long double s3s4_fma_ld(long double a, long double b, long double c) {
    return a * b + c;
}

/* The same number, but a compiler does not know it: gcc makes `h < x ? h : x` one instruction, a
 * minimum, where h is a variable, and two to four where h is a constant. A loop calls this once. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((noinline, const, unused)) static float s3s4_variable_f32(float constant) {
    volatile float variable = constant;
    return variable;
}
__attribute__((noinline, const, unused)) static double s3s4_variable_f64(double constant) {
    volatile double variable = constant;
    return variable;
}
#else
S3S4_INLINE float s3s4_variable_f32(float constant) { return constant; }
S3S4_INLINE double s3s4_variable_f64(double constant) { return constant; }
#endif

S3S4_INLINE float s3s4_cap_f32(float x, float highest) {
    const float h = s3s4_variable_f32(highest);
    return h < x ? h : x;
}
S3S4_INLINE double s3s4_cap_f64(double x, double highest) {
    const double h = s3s4_variable_f64(highest);
    return h < x ? h : x;
}

/* Small enough that products with (1 + e^-u)^3 stay finite, large enough that 1 + u is u. */
S3S4_INLINE float s3s4_finite_f32(float u) { return s3s4_cap_f32(u, 0x1p100f); }
S3S4_INLINE double s3s4_finite_f64(double u) { return s3s4_cap_f64(u, 0x1p1000); }
S3S4_INLINE long double s3s4_finite_ld(long double u) {
    const long double highest = LDBL_MAX * 0x1p-24L;
    return highest < u ? highest : u;
}

S3S4_INLINE float s3s4_abs_f32(float x) { return fabsf(x); }
S3S4_INLINE double s3s4_abs_f64(double x) { return fabs(x); }
S3S4_INLINE long double s3s4_abs_ld(long double x) { return fabsl(x); }

/* 2^n from the sum that holds n + bias in its low bits. */
S3S4_INLINE float s3s4_power_of_two_f32(float shifted) {
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits <<= 23;
    memcpy(&shifted, &bits, sizeof bits);
    return shifted;
}
S3S4_INLINE double s3s4_power_of_two_f64(double shifted) {
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits <<= 52;
    memcpy(&shifted, &bits, sizeof bits);
    return shifted;
}

#define S3S4_SHIFTER_f32(bias) (0x1.8p23f + (bias))
#define S3S4_SHIFTER_f64(bias) (0x1.8p52 + (bias))

/* 2^-64 y, and 0 instead of a subnormal number: the factor is selected, not the product. */
S3S4_INLINE float s3s4_unscaled_f32(float y) {
    return y * (fabsf(y) < 0x1p-62f ? 0.0f : 0x1p-64f);
}
S3S4_INLINE double s3s4_unscaled_f64(double y) {
    return y * (fabs(y) < 0x1p-958 ? 0.0 : 0x1p-64);
}
S3S4_INLINE long double s3s4_unscaled_ld(long double y) { return y * 0x1p-64L; }

/* The high part of ln 2 ends in zeros: n times it is exact. */
#define S3S4_LN2_HIGH_f32 0x1.62e4p-1f
#define S3S4_LN2_LOW_f32 0x1.7f7d1cp-20f
#define S3S4_LN2_HIGH_f64 0x1.62e42fefa3800p-1
#define S3S4_LN2_LOW_f64 0x1.ef35793c76730p-45

#if S3S4_FMA

#define S3S4_LOG2E_HIGH_f32 0x1.715476p+0f
#define S3S4_LOG2E_LOW_f32 0x1.4ae0cp-26f
#define S3S4_LOG2E_HIGH_f64 0x1.71547652b82fep+0
#define S3S4_LOG2E_LOW_f64 0x1.777d0ffda0d24p-56

S3S4_INLINE float s3s4_exp2_fraction_f32(float f) {
    float p = 0x1.486064p-13f;
    p = fmaf(p, f, 0x1.5fe1a6p-10f);
    p = fmaf(p, f, 0x1.3b250cp-7f);
    p = fmaf(p, f, 0x1.c6ad6ep-5f);
    p = fmaf(p, f, 0x1.ebfbe6p-3f);
    p = fmaf(p, f, 0x1.62e432p-1f);
    return fmaf(p, f, 1.0f);
}
S3S4_INLINE double s3s4_exp2_fraction_f64(double f) {
    double p = 0x1.bdec58357517fp-32;
    p = fma(p, f, 0x1.e60af7eed4cf7p-28);
    p = fma(p, f, 0x1.b5433fe79b782p-24);
    p = fma(p, f, 0x1.62bfd21e8c97cp-20);
    p = fma(p, f, 0x1.ffcbed3be1549p-17);
    p = fma(p, f, 0x1.4309130a33665p-13);
    p = fma(p, f, 0x1.5d87fe7bf7cb6p-10);
    p = fma(p, f, 0x1.3b2ab6fba1afap-7);
    p = fma(p, f, 0x1.c6b08d7048dc4p-5);
    p = fma(p, f, 0x1.ebfbdff82c599p-3);
    p = fma(p, f, 0x1.62e42fefa39f3p-1);
    return fma(p, f, 1.0);
}

/* 2^n 2^f, or 0, where z holds n + bias. */
S3S4_INLINE float s3s4_exp2_f32(float z, float f, int is_zero) {
    return s3s4_exp2_fraction_f32(is_zero ? 0 : f) * (is_zero ? 0 : s3s4_power_of_two_f32(z));
}
S3S4_INLINE double s3s4_exp2_f64(double z, double f, int is_zero) {
    return s3s4_exp2_fraction_f64(is_zero ? 0 : f) * (is_zero ? 0 : s3s4_power_of_two_f64(z));
}

/* z = shifter - u K rounds to n + bias; f = -u K - n, with K = Kh + Kl = k log2(e). The last u
 * with a normal result has u Kh <= bias - 1, exactly. */
S3S4_INLINE float s3s4_biased_exp_neg_uniform_f32(float k, float u, float bias) {
    const float shifter = S3S4_SHIFTER_f32(bias);
    const float high = k * S3S4_LOG2E_HIGH_f32;
    const float low = fmaf(k, S3S4_LOG2E_LOW_f32, fmaf(k, S3S4_LOG2E_HIGH_f32, -high));
    const float nearest = (bias - 1) / high;
    const float last = fmaf(-nearest, high, bias - 1) < 0 ? nearest * (1 - 0x1p-24f) : nearest;
    const float z = fmaf(-u, high, shifter);
    const float n = z - shifter;
    const float f = fmaf(-u, low, fmaf(-u, high, -n));
    return s3s4_exp2_f32(z, f, u > last);
}
S3S4_INLINE double s3s4_biased_exp_neg_uniform_f64(double k, double u, double bias) {
    const double shifter = S3S4_SHIFTER_f64(bias);
    const double high = k * S3S4_LOG2E_HIGH_f64;
    const double low = fma(k, S3S4_LOG2E_LOW_f64, fma(k, S3S4_LOG2E_HIGH_f64, -high));
    const double nearest = (bias - 1) / high;
    const double last = fma(-nearest, high, bias - 1) < 0 ? nearest * (1 - 0x1p-53) : nearest;
    const double z = fma(-u, high, shifter);
    const double n = z - shifter;
    const double f = fma(-u, low, fma(-u, high, -n));
    return s3s4_exp2_f64(z, f, u > last);
}

/* The same without a division, for a k of its own at every u. */
S3S4_INLINE float s3s4_biased_exp_neg_ordinary_f32(float k, float u, float bias) {
    const float shifter = S3S4_SHIFTER_f32(bias);
    const float high = k * S3S4_LOG2E_HIGH_f32;
    const float low = fmaf(k, S3S4_LOG2E_LOW_f32, fmaf(k, S3S4_LOG2E_HIGH_f32, -high));
    const float z = fmaf(-u, high, shifter);
    const float n = z - shifter;
    const float f = fmaf(-u, low, fmaf(-u, high, -n));
    return s3s4_exp2_f32(z, f, fmaf(-u, high, bias - 1) < 0);
}
S3S4_INLINE double s3s4_biased_exp_neg_ordinary_f64(double k, double u, double bias) {
    const double shifter = S3S4_SHIFTER_f64(bias);
    const double high = k * S3S4_LOG2E_HIGH_f64;
    const double low = fma(k, S3S4_LOG2E_LOW_f64, fma(k, S3S4_LOG2E_HIGH_f64, -high));
    const double z = fma(-u, high, shifter);
    const double n = z - shifter;
    const double f = fma(-u, low, fma(-u, high, -n));
    return s3s4_exp2_f64(z, f, fma(-u, high, bias - 1) < 0);
}

/* And for any k: a huge k hands part of its exponent to u, so that k = inf is a hard switch even
 * at a subnormal u and still e^0 at u = 0. */
S3S4_INLINE float s3s4_biased_exp_neg_product_f32(float k, float u, float bias) {
    const int is_huge = k > S3S4_ORDINARY_MAX_f32;
    const float steepness = s3s4_cap_f32(is_huge ? k * 0x1p-80f : k, 0x1p80f);
    const float v = s3s4_finite_f32(is_huge ? u * 0x1p80f : u);
    return s3s4_biased_exp_neg_ordinary_f32(steepness, v, bias);
}
S3S4_INLINE double s3s4_biased_exp_neg_product_f64(double k, double u, double bias) {
    const int is_huge = k > S3S4_ORDINARY_MAX_f64;
    const double steepness = s3s4_cap_f64(is_huge ? k * 0x1p-560 : k, 0x1p600);
    const double v = s3s4_finite_f64(is_huge ? u * 0x1p560 : u);
    return s3s4_biased_exp_neg_ordinary_f64(steepness, v, bias);
}

#else /* no FMA */

/* t = k u >= 0 is rounded once, by half an ULP; e^-t = 2^n e^r with r = -t - n ln 2. */
S3S4_INLINE float s3s4_biased_exp_neg_rounded_f32(float t, float bias) {
    const float shifter = S3S4_SHIFTER_f32(bias);
    const int is_zero = t > (bias - 1) * 0x1.62e43p-1f;
    const float z = shifter - t * 0x1.715476p+0f;
    const float n = z - shifter;
    const float rest = (-t - n * S3S4_LN2_HIGH_f32) - n * S3S4_LN2_LOW_f32;
    const float r = is_zero ? 0 : rest;
    const float scale = is_zero ? 0 : s3s4_power_of_two_f32(z);
    float p = 0x1.6ac6p-10f;
    p = p * r + 0x1.123db4p-7f;
    p = p * r + 0x1.55585ap-5f;
    p = p * r + 0x1.55548cp-3f;
    p = p * r + 0x1.fffffcp-2f;
    return (1.0f + (r + r * r * p)) * scale;
}
S3S4_INLINE double s3s4_biased_exp_neg_rounded_f64(double t, double bias) {
    const double shifter = S3S4_SHIFTER_f64(bias);
    const int is_zero = t > (bias - 1) * 0x1.62e42fefa39efp-1;
    const double z = shifter - t * 0x1.71547652b82fep+0;
    const double n = z - shifter;
    const double rest = (-t - n * S3S4_LN2_HIGH_f64) - n * S3S4_LN2_LOW_f64;
    const double r = is_zero ? 0 : rest;
    const double scale = is_zero ? 0 : s3s4_power_of_two_f64(z);
    double p = 0x1.adcfa4239fbcfp-26;
    p = p * r + 0x1.28b0261dade7p-22;
    p = p * r + 0x1.71def5efcbb2p-19;
    p = p * r + 0x1.a0199786ea201p-16;
    p = p * r + 0x1.a01a0140ee32cp-13;
    p = p * r + 0x1.6c16c184ee378p-10;
    p = p * r + 0x1.111111112276fp-7;
    p = p * r + 0x1.55555555505b3p-5;
    p = p * r + 0x1.5555555555519p-3;
    p = p * r + 0x1.000000000000ap-1;
    return (1.0 + (r + r * r * p)) * scale;
}

S3S4_INLINE float s3s4_biased_exp_neg_uniform_f32(float k, float u, float bias) {
    return s3s4_biased_exp_neg_rounded_f32(k * u, bias);
}
S3S4_INLINE float s3s4_biased_exp_neg_ordinary_f32(float k, float u, float bias) {
    return s3s4_biased_exp_neg_rounded_f32(k * u, bias);
}
S3S4_INLINE double s3s4_biased_exp_neg_uniform_f64(double k, double u, double bias) {
    return s3s4_biased_exp_neg_rounded_f64(k * u, bias);
}
S3S4_INLINE double s3s4_biased_exp_neg_ordinary_f64(double k, double u, double bias) {
    return s3s4_biased_exp_neg_rounded_f64(k * u, bias);
}

/* At u = 0 an infinite k must not make 0 * inf. */
S3S4_INLINE float s3s4_biased_exp_neg_product_f32(float k, float u, float bias) {
    const float steepness = u > 0.0f ? k : (1.0f < k ? 1.0f : k);
    return s3s4_biased_exp_neg_rounded_f32(steepness * s3s4_finite_f32(u), bias);
}
S3S4_INLINE double s3s4_biased_exp_neg_product_f64(double k, double u, double bias) {
    const double steepness = u > 0.0 ? k : (1.0 < k ? 1.0 : k);
    return s3s4_biased_exp_neg_rounded_f64(steepness * s3s4_finite_f64(u), bias);
}

#endif

S3S4_INLINE float s3s4_exp_neg_f32(float u) {
    return s3s4_biased_exp_neg_uniform_f32(1.0f, u, 127.0f);
}
S3S4_INLINE double s3s4_exp_neg_f64(double u) {
    return s3s4_biased_exp_neg_uniform_f64(1.0, u, 1023.0);
}
S3S4_INLINE long double s3s4_exp_neg_ld(long double u) { return expl(-u); }

S3S4_INLINE float s3s4_exp_neg_product_f32(float k, float u) {
    return s3s4_biased_exp_neg_product_f32(k, u, 127.0f);
}
S3S4_INLINE double s3s4_exp_neg_product_f64(double k, double u) {
    return s3s4_biased_exp_neg_product_f64(k, u, 1023.0);
}
S3S4_INLINE float s3s4_exp_neg_product_uniform_f32(float k, float u) {
    return s3s4_biased_exp_neg_uniform_f32(k, s3s4_finite_f32(u), 127.0f);
}
S3S4_INLINE float s3s4_exp_neg_product_ordinary_f32(float k, float u) {
    return s3s4_biased_exp_neg_ordinary_f32(k, s3s4_finite_f32(u), 127.0f);
}
S3S4_INLINE double s3s4_exp_neg_product_uniform_f64(double k, double u) {
    return s3s4_biased_exp_neg_uniform_f64(k, s3s4_finite_f64(u), 1023.0);
}
S3S4_INLINE double s3s4_exp_neg_product_ordinary_f64(double k, double u) {
    return s3s4_biased_exp_neg_ordinary_f64(k, s3s4_finite_f64(u), 1023.0);
}

S3S4_INLINE float s3s4_scaled_exp_neg_product_f32(float k, float u) {
    return s3s4_biased_exp_neg_product_f32(k, u, 127.0f + 64);
}
S3S4_INLINE double s3s4_scaled_exp_neg_product_f64(double k, double u) {
    return s3s4_biased_exp_neg_product_f64(k, u, 1023.0 + 64);
}
S3S4_INLINE float s3s4_scaled_exp_neg_product_uniform_f32(float k, float u) {
    return s3s4_biased_exp_neg_uniform_f32(k, s3s4_finite_f32(u), 127.0f + 64);
}
S3S4_INLINE float s3s4_scaled_exp_neg_product_ordinary_f32(float k, float u) {
    return s3s4_biased_exp_neg_ordinary_f32(k, s3s4_finite_f32(u), 127.0f + 64);
}
S3S4_INLINE double s3s4_scaled_exp_neg_product_uniform_f64(double k, double u) {
    return s3s4_biased_exp_neg_uniform_f64(k, s3s4_finite_f64(u), 1023.0 + 64);
}
S3S4_INLINE double s3s4_scaled_exp_neg_product_ordinary_f64(double k, double u) {
    return s3s4_biased_exp_neg_ordinary_f64(k, s3s4_finite_f64(u), 1023.0 + 64);
}

/* e^-(t + rest) = e^-t - rest e^-t, with t = k u rounded and rest what the rounding left. */
S3S4_INLINE long double s3s4_scaled_exp_neg_product_ld(long double k, long double u) {
    const long double steepness = u > 0.0L ? k : (1.0L < k ? 1.0L : k);
    const long double t = steepness * s3s4_finite_ld(u);
    const long double power = expl(-t) * 0x1p64L;
    return power > 0.0L && power < 0x1p64L ? power - fmal(k, u, -t) * power : power;
}
S3S4_INLINE long double s3s4_exp_neg_product_ld(long double k, long double u) {
    return s3s4_unscaled_ld(s3s4_scaled_exp_neg_product_ld(k, u));
}

S3S4_INLINE float s3s4_copysign_f32(float x, float y) { return copysignf(x, y); }
S3S4_INLINE double s3s4_copysign_f64(double x, double y) { return copysign(x, y); }
S3S4_INLINE long double s3s4_copysign_ld(long double x, long double y) { return copysignl(x, y); }

S3S4_INLINE float s3s4_unless_nan_f32(float y, float x) { return x == x ? y : x; }
S3S4_INLINE double s3s4_unless_nan_f64(double y, double x) { return x == x ? y : x; }
S3S4_INLINE long double s3s4_unless_nan_ld(long double y, long double x) {
    return x == x ? y : x;
}

/* e^-u - 1 for u >= 0: n + r / ln 2 = -u / ln 2 and 2^n (e^r - 1) + (2^n - 1), where r = -u exactly
 * for small u, so that nothing cancels. */
S3S4_INLINE float s3s4_expm1_neg_f32(float u) {
    const float shifter = S3S4_SHIFTER_f32(127.0f);
    const float v = s3s4_cap_f32(u, 20.0f); /* there it is -1 */
    const float z = s3s4_fma_f32(-v, 0x1.715476p+0f, shifter);
    const float n = z - shifter;
    const float r = s3s4_fma_f32(-n, S3S4_LN2_LOW_f32, s3s4_fma_f32(-n, S3S4_LN2_HIGH_f32, -v));
    const float power = s3s4_power_of_two_f32(z);
    float p = 0x1.9fbe3cp-13f;
    p = s3s4_fma_f32(p, r, 0x1.6d406cp-10f);
    p = s3s4_fma_f32(p, r, 0x1.1111cap-7f);
    p = s3s4_fma_f32(p, r, 0x1.5554f2p-5f);
    p = s3s4_fma_f32(p, r, 0x1.555554p-3f);
    p = s3s4_fma_f32(p, r, 0x1p-1f);
    return s3s4_fma_f32(power, s3s4_fma_f32(r * r, p, r), power - 1);
}
S3S4_INLINE double s3s4_expm1_neg_f64(double u) {
    const double shifter = S3S4_SHIFTER_f64(1023.0);
    const double v = s3s4_cap_f64(u, 44.0); /* there it is -1 */
    const double z = s3s4_fma_f64(-v, 0x1.71547652b82fep+0, shifter);
    const double n = z - shifter;
    const double r = s3s4_fma_f64(-n, S3S4_LN2_LOW_f64, s3s4_fma_f64(-n, S3S4_LN2_HIGH_f64, -v));
    const double power = s3s4_power_of_two_f64(z);
    double p = 0x1.b048403773e9p-26;
    p = s3s4_fma_f64(p, r, 0x1.28a9439ad04fp-22);
    p = s3s4_fma_f64(p, r, 0x1.71dd85d4e9a55p-19);
    p = s3s4_fma_f64(p, r, 0x1.a019a00386039p-16);
    p = s3s4_fma_f64(p, r, 0x1.a01a01d4738dep-13);
    p = s3s4_fma_f64(p, r, 0x1.6c16c18153bdp-10);
    p = s3s4_fma_f64(p, r, 0x1.111111110b42p-7);
    p = s3s4_fma_f64(p, r, 0x1.55555555518fbp-5);
    p = s3s4_fma_f64(p, r, 0x1.555555555556p-3);
    p = s3s4_fma_f64(p, r, 0x1.0000000000006p-1);
    return s3s4_fma_f64(power, s3s4_fma_f64(r * r, p, r), power - 1);
}
S3S4_INLINE long double s3s4_expm1_neg_ld(long double u) { return expm1l(-u); }

/* log(1 + t) for 0 <= t <= 1: 2 atanh(s) with s = t / (2 + t). As 2 s = t - s t, the rounding of s
 * meets t - rest alone, and s <= 1/3. Of a tiny t it is t: the square would be subnormal. */
S3S4_INLINE float s3s4_log1p_f32(float t) {
    const float u = t < 0x1p-30f ? 0.0f : t;
    const float s = u / (2 + u);
    const float w = s * s;
    float p = 0x1.1eb7dep-3f;
    p = s3s4_fma_f32(p, w, 0x1.1ec31ep-3f);
    p = s3s4_fma_f32(p, w, 0x1.99d1b2p-3f);
    p = s3s4_fma_f32(p, w, 0x1.555502p-2f);
    const float rest = 2 * (w * p);
    return s3s4_fma_f32(-s, u - rest, t);
}
S3S4_INLINE double s3s4_log1p_f64(double t) {
    const double u = t < 0x1p-60 ? 0.0 : t;
    const double s = u / (2 + u);
    const double w = s * s;
    double p = 0x1.5c7857eedfacbp-4;
    p = s3s4_fma_f64(p, w, 0x1.55b1be757e2e7p-5);
    p = s3s4_fma_f64(p, w, 0x1.efd82015867f3p-5);
    p = s3s4_fma_f64(p, w, 0x1.1067c7ec4ebffp-4);
    p = s3s4_fma_f64(p, w, 0x1.3b1ddb3c061c9p-4);
    p = s3s4_fma_f64(p, w, 0x1.745cb40275e27p-4);
    p = s3s4_fma_f64(p, w, 0x1.c71c741c640dp-4);
    p = s3s4_fma_f64(p, w, 0x1.249249208c72bp-3);
    p = s3s4_fma_f64(p, w, 0x1.99999999a074ep-3);
    p = s3s4_fma_f64(p, w, 0x1.5555555555535p-2);
    const double rest = 2 * (w * p);
    return s3s4_fma_f64(-s, u - rest, t);
}
S3S4_INLINE long double s3s4_log1p_ld(long double t) { return log1pl(t); }

/* log(1 + t) for any t >= 0: 1 + t = 2^k (1 + w) with 0 <= w <= 1, and w is t itself for t < 1. */
S3S4_INLINE float s3s4_log1p_any_f32(float t) {
    const float sum = 1 + t;
    uint32_t bits, power;
    float k, scale;
    memcpy(&bits, &sum, sizeof bits);
    power = (254u << 23) - (bits & 0x7f800000u);
    memcpy(&scale, &power, sizeof scale);
    bits = bits >> 23 | 0x4b000000u; /* 2^23 + 127 + k */
    memcpy(&k, &bits, sizeof k);
    k -= 0x1p23f + 127;
    const float w = s3s4_fma_f32(t, scale, scale - 1);
    return s3s4_fma_f32(k, S3S4_LN2_HIGH_f32, s3s4_fma_f32(k, S3S4_LN2_LOW_f32, s3s4_log1p_f32(w)));
}
S3S4_INLINE double s3s4_log1p_any_f64(double t) {
    const double sum = 1 + t;
    uint64_t bits, power;
    double k, scale;
    memcpy(&bits, &sum, sizeof bits);
    power = ((uint64_t)2046 << 52) - (bits & (uint64_t)2047 << 52);
    memcpy(&scale, &power, sizeof scale);
    bits = bits >> 52 | (uint64_t)0x433 << 52; /* 2^52 + 1023 + k */
    memcpy(&k, &bits, sizeof k);
    k -= 0x1p52 + 1023;
    const double w = s3s4_fma_f64(t, scale, scale - 1);
    return s3s4_fma_f64(k, S3S4_LN2_HIGH_f64, s3s4_fma_f64(k, S3S4_LN2_LOW_f64, s3s4_log1p_f64(w)));
}
S3S4_INLINE long double s3s4_log1p_any_ld(long double t) { return log1pl(t); }

/* (u - tanh(u)) / u^3 for 0 <= u <= 1, as a polynomial in u^2. */
S3S4_INLINE float s3s4_tanh_rest_f32(float u) {
    const float w = u * u;
    float p = -0x1.b44b4ap-13f;
    p = s3s4_fma_f32(p, w, 0x1.2f696cp-10f);
    p = s3s4_fma_f32(p, w, -0x1.cfb6ecp-9f);
    p = s3s4_fma_f32(p, w, 0x1.24ac62p-7f);
    p = s3s4_fma_f32(p, w, -0x1.670e98p-6f);
    p = s3s4_fma_f32(p, w, 0x1.ba3128p-5f);
    p = s3s4_fma_f32(p, w, -0x1.11117cp-3f);
    p = s3s4_fma_f32(p, w, 0x1.555556p-2f);
    return p;
}
S3S4_INLINE double s3s4_tanh_rest_f64(double u) {
    const double w = u * u;
    double p = -0x1.2754c2a5b095dp-26;
    p = s3s4_fma_f64(p, w, 0x1.b591577961464p-23);
    p = s3s4_fma_f64(p, w, -0x1.3c729356ad91cp-20);
    p = s3s4_fma_f64(p, w, 0x1.33d8b8b176ec1p-18);
    p = s3s4_fma_f64(p, w, -0x1.d855aa3e1dc4bp-17);
    p = s3s4_fma_f64(p, w, 0x1.3df2910cb71bep-15);
    p = s3s4_fma_f64(p, w, -0x1.93405c8a62991p-14);
    p = s3s4_fma_f64(p, w, 0x1.f4cfc8e38f1bdp-13);
    p = s3s4_fma_f64(p, w, -0x1.354ac8afeb2b7p-11);
    p = s3s4_fma_f64(p, w, 0x1.7da1ea54465e9p-10);
    p = s3s4_fma_f64(p, w, -0x1.d6d3b3df9d9e7p-9);
    p = s3s4_fma_f64(p, w, 0x1.226e34a2b1968p-7);
    p = s3s4_fma_f64(p, w, -0x1.664f487cfef9cp-6);
    p = s3s4_fma_f64(p, w, 0x1.ba1ba1ba03d11p-5);
    p = s3s4_fma_f64(p, w, -0x1.1111111110fd9p-3);
    p = s3s4_fma_f64(p, w, 0x1.5555555555555p-2);
    return p;
}
S3S4_INLINE long double s3s4_tanh_rest_ld(long double u) {
    const long double w = u * u;
    long double p = -3.339464823046842592396e-10L;
    p = s3s4_fma_ld(p, w, 4.163233071204296239885e-9L);
    p = s3s4_fma_ld(p, w, -2.571537929430170678877e-8L);
    p = s3s4_fma_ld(p, w, 1.072718288480169170992e-7L);
    p = s3s4_fma_ld(p, w, -3.500372219312844797876e-7L);
    p = s3s4_fma_ld(p, w, 9.846323073675160546874e-7L);
    p = s3s4_fma_ld(p, w, -0.000002558426138682911076601L);
    p = s3s4_fma_ld(p, w, 0.000006418153112143080644674L);
    p = s3s4_fma_ld(p, w, -0.00001590311287897265846213L);
    p = s3s4_fma_ld(p, w, 0.00003927247229378210874773L);
    p = s3s4_fma_ld(p, w, -0.00009691368888554901013537L);
    p = s3s4_fma_ld(p, w, 0.0002391287384939339954348L);
    p = s3s4_fma_ld(p, w, -0.0005900273779449019651649L);
    p = s3s4_fma_ld(p, w, 0.001455834379296965930949L);
    p = s3s4_fma_ld(p, w, -0.003592128035898386898977L);
    p = s3s4_fma_ld(p, w, 0.00886323552986307085338L);
    p = s3s4_fma_ld(p, w, -0.02186948853615381172201L);
    p = s3s4_fma_ld(p, w, 0.05396825396825394203384L);
    p = s3s4_fma_ld(p, w, -0.1333333333333333331364L);
    p = s3s4_fma_ld(p, w, 0.3333333333333333333424L);
    return p;
}

/* e^(u^2/2) Phi(-u) for u >= 0, with Phi the normal distribution's: p(t) / (u + K), where t is
 * (u - K) / (u + K); what both divisions left in rounding is added. */
S3S4_INLINE float s3s4_normal_tail_f32(float u) {
    const float v = s3s4_finite_f32(u);
    const float r = 1 / (v + 4);
    const float q = (v - 4) * r;
    const float left = s3s4_fma_f32(-q, v, s3s4_fma_f32(q + 1, -4, v));
    const float t = s3s4_fma_f32(left, r, q);
    float p = -0x1.196dd6p-13f;
    p = s3s4_fma_f32(p, t, 0x1.6e493cp-13f);
    p = s3s4_fma_f32(p, t, 0x1.9b25fap-10f);
    p = s3s4_fma_f32(p, t, -0x1.cc1722p-9f);
    p = s3s4_fma_f32(p, t, -0x1.ed17d4p-8f);
    p = s3s4_fma_f32(p, t, 0x1.eed34cp-5f);
    p = s3s4_fma_f32(p, t, -0x1.7e001ep-3f);
    p = s3s4_fma_f32(p, t, 0x1.8c6d9ep-2f);
    p = s3s4_fma_f32(p, t, -0x1.373e38p-1f);
    p = s3s4_fma_f32(p, t, 0x1.82b4bcp-1f);
    const float y = p * r;
    const float rest = s3s4_fma_f32(-y, v, s3s4_fma_f32(-y, 4, p));
    return s3s4_fma_f32(rest, r, y);
}
S3S4_INLINE double s3s4_normal_tail_f64(double u) {
    const double v = s3s4_finite_f64(u);
    const double r = 1 / (v + 4);
    const double q = (v - 4) * r;
    const double left = s3s4_fma_f64(-q, v, s3s4_fma_f64(q + 1, -4, v));
    const double t = s3s4_fma_f64(left, r, q);
    double p = -0x1.50eb851cbc3f6p-30;
    p = s3s4_fma_f64(p, t, -0x1.ba6aa767f40f6p-32);
    p = s3s4_fma_f64(p, t, 0x1.f8772d37f8c73p-27);
    p = s3s4_fma_f64(p, t, 0x1.17ae4fdad5cf9p-26);
    p = s3s4_fma_f64(p, t, -0x1.4bbb0b026ed02p-24);
    p = s3s4_fma_f64(p, t, -0x1.50ec12918c2fbp-23);
    p = s3s4_fma_f64(p, t, 0x1.1b95fe9102cf7p-22);
    p = s3s4_fma_f64(p, t, 0x1.125dece157bd7p-20);
    p = s3s4_fma_f64(p, t, -0x1.4fa1d4e5eb4bep-21);
    p = s3s4_fma_f64(p, t, -0x1.8d4b098de7735p-18);
    p = s3s4_fma_f64(p, t, 0x1.7fd43b22b162p-21);
    p = s3s4_fma_f64(p, t, 0x1.26d077a7a3565p-15);
    p = s3s4_fma_f64(p, t, -0x1.001097bc867abp-19);
    p = s3s4_fma_f64(p, t, -0x1.e4a422b69fdep-13);
    p = s3s4_fma_f64(p, t, 0x1.17a4a5a60f334p-13);
    p = s3s4_fma_f64(p, t, 0x1.ab825fb48244ep-10);
    p = s3s4_fma_f64(p, t, -0x1.c81719c8cebb4p-9);
    p = s3s4_fma_f64(p, t, -0x1.ee27610449a5cp-8);
    p = s3s4_fma_f64(p, t, 0x1.eec4cc3e43c57p-5);
    p = s3s4_fma_f64(p, t, -0x1.7dff2bff6844dp-3);
    p = s3s4_fma_f64(p, t, 0x1.8c6dbf2cfc30cp-2);
    p = s3s4_fma_f64(p, t, -0x1.373e3a893c28ap-1);
    p = s3s4_fma_f64(p, t, 0x1.82b4bb8c94dcep-1);
    const double y = p * r;
    const double rest = s3s4_fma_f64(-y, v, s3s4_fma_f64(-y, 4, p));
    return s3s4_fma_f64(rest, r, y);
}
S3S4_INLINE long double s3s4_normal_tail_ld(long double u) {
    const long double v = s3s4_finite_ld(u);
    const long double r = 1 / (v + 6);
    const long double q = (v - 6) * r;
    const long double left = s3s4_fma_ld(-q, v, s3s4_fma_ld(q + 1, -6, v));
    const long double t = s3s4_fma_ld(left, r, q);
    long double p = 1.090468979578237144557e-11L;
    p = s3s4_fma_ld(p, t, -1.376259725459495399051e-12L);
    p = s3s4_fma_ld(p, t, -8.132186842909569076513e-11L);
    p = s3s4_fma_ld(p, t, 6.033493404429740248119e-11L);
    p = s3s4_fma_ld(p, t, 3.458944328655492584708e-10L);
    p = s3s4_fma_ld(p, t, -6.837242481442321119536e-10L);
    p = s3s4_fma_ld(p, t, -1.339616526305830062472e-9L);
    p = s3s4_fma_ld(p, t, 5.57444721544142362718e-9L);
    p = s3s4_fma_ld(p, t, 4.678817961074232277146e-9L);
    p = s3s4_fma_ld(p, t, -4.244816795220655379484e-8L);
    p = s3s4_fma_ld(p, t, 4.491545544464712861427e-9L);
    p = s3s4_fma_ld(p, t, 3.084342016414011563053e-7L);
    p = s3s4_fma_ld(p, t, -4.27476444365737880429e-7L);
    p = s3s4_fma_ld(p, t, -0.000001797940671933935754902L);
    p = s3s4_fma_ld(p, t, 0.000006795494103198008696538L);
    p = s3s4_fma_ld(p, t, 0.000001074714823715044265554L);
    p = s3s4_fma_ld(p, t, -0.00006475176389346998513677L);
    p = s3s4_fma_ld(p, t, 0.0001813606835809736471701L);
    p = s3s4_fma_ld(p, t, 0.00003286997674031896236926L);
    p = s3s4_fma_ld(p, t, -0.00213160525923195390256L);
    p = s3s4_fma_ld(p, t, 0.01002982064561083994101L);
    p = s3s4_fma_ld(p, t, -0.03098531550224145359132L);
    p = s3s4_fma_ld(p, t, 0.07517191566855784175L);
    p = s3s4_fma_ld(p, t, -0.1526802320648106148774L);
    p = s3s4_fma_ld(p, t, 0.2679742458416723721202L);
    p = s3s4_fma_ld(p, t, -0.4139035857755819031113L);
    p = s3s4_fma_ld(p, t, 0.5689688918147833857769L);
    p = s3s4_fma_ld(p, t, -0.7010090295908656139582L);
    p = s3s4_fma_ld(p, t, 0.7773517718933621919314L);
    const long double y = p * r;
    const long double rest = s3s4_fma_ld(-y, v, s3s4_fma_ld(-y, 6, p));
    return s3s4_fma_ld(rest, r, y);
}

#endif
