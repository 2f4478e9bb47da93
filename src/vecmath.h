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
 * - The polynomials are minimax on |f| <= 1/2 and |r| <= ln(2)/2; src/remez.py prints them.
 * - float and double are written out, one beside the other: the constants differ, not the steps.
 *   long double has no vector form anywhere, and takes libm's functions.
 */
#ifndef S3S4_VECMATH_H
#define S3S4_VECMATH_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

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

/* 2^-64 y, and 0 instead of a subnormal number. The bits are cleared and not the number, or gcc
 * would multiply first and select afterwards. */
S3S4_INLINE float s3s4_unscaled_f32(float y) {
    uint32_t bits;
    memcpy(&bits, &y, sizeof bits);
    bits = fabsf(y) < 0x1p-62f ? 0 : bits;
    memcpy(&y, &bits, sizeof bits);
    return y * 0x1p-64f;
}
S3S4_INLINE double s3s4_unscaled_f64(double y) {
    uint64_t bits;
    memcpy(&bits, &y, sizeof bits);
    bits = fabs(y) < 0x1p-958 ? 0 : bits;
    memcpy(&y, &bits, sizeof bits);
    return y * 0x1p-64;
}
S3S4_INLINE long double s3s4_unscaled_ld(long double y) { return y * 0x1p-64L; }

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

#define S3S4_LN2_HIGH_f32 0x1.62e4p-1f
#define S3S4_LN2_LOW_f32 0x1.7f7d1cp-20f
#define S3S4_LN2_HIGH_f64 0x1.62e42fefa3800p-1
#define S3S4_LN2_LOW_f64 0x1.ef35793c76730p-45

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

#endif
