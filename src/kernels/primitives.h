/* primitives.h: what formulas are made of, in C99, branch-free so that compilers vectorise it.
 *
 * Design:
 * - primitives_type.h holds every algorithm once. It is included for float and for double, with the
 *   constants that differ: they are here, the polynomials in polynomials.h. Included for long
 *   double it takes libm's functions.
 * - Bit patterns go through memcpy and selections are written `c ? a : b` with comparisons that are
 *   false for NaN on the side that lets NaN through: no branch, no call, nothing a loop trips over.
 * - Nothing is ever subnormal: that takes a processor a hundred times as long.
 * - With AVX-512 there are primitives of whole vectors besides (vectors_type.h).
 */
#ifndef S3S4_PRIMITIVES_H
#define S3S4_PRIMITIVES_H

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

/* Whether exponentials are made of vectors of 512 bits, which needs AVX-512 F: faster by a quarter,
 * and with other last bits. A loop over elements of its own is no longer vectorised then. */
#ifndef S3S4_VECTORS
#define S3S4_VECTORS 0
#endif
#if S3S4_VECTORS
#include <immintrin.h>
typedef __m512 s3s4_v_f32;
typedef __m512d s3s4_v_f64;
typedef __mmask16 s3s4_m_f32;
typedef __mmask8 s3s4_m_f64;
#endif

/* Parameters up to here, and not negative, are ordinary. */
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

S3S4_INLINE float s3s4_abs_f32(float x) { return fabsf(x); }
S3S4_INLINE double s3s4_abs_f64(double x) { return fabs(x); }
S3S4_INLINE long double s3s4_abs_ld(long double x) { return fabsl(x); }

S3S4_INLINE float s3s4_copysign_f32(float x, float y) { return copysignf(x, y); }
S3S4_INLINE double s3s4_copysign_f64(double x, double y) { return copysign(x, y); }
S3S4_INLINE long double s3s4_copysign_ld(long double x, long double y) { return copysignl(x, y); }

S3S4_INLINE float s3s4_sqrt_f32(float x) { return sqrtf(x); }
S3S4_INLINE double s3s4_sqrt_f64(double x) { return sqrt(x); }

#include "polynomials.h"

#define S3S4_REAL float
#define S3S4_BITS uint32_t
#define S3S4_(name) s3s4_##name##_f32
#define S3S4_BIAS 127.0f
#define S3S4_MANTISSA 23
#define S3S4_SHIFTER 0x1.8p23f
#define S3S4_INTEGERS 0x1p23f /* from here on every number is an integer */
#define S3S4_HALF_EPS 0x1p-24f
#define S3S4_LARGEST FLT_MAX
#define S3S4_FINITE 0x1p125f
#define S3S4_EXP_RANGE 110.0f
#define S3S4_NORMAL_RANGE 14.8f
#define S3S4_ORDINARY_MAX S3S4_ORDINARY_MAX_f32
#define S3S4_FACTOR 0x1p80f /* what a huge k hands to u */
#define S3S4_STEEPEST 0x1p80f
#define S3S4_SMALLEST_SCALED 0x1p-62f
#define S3S4_LOG2E_HIGH 0x1.715476p+0f
#define S3S4_LOG2E_LOW 0x1.4ae0cp-26f
#define S3S4_LN2 0x1.62e43p-1f
#define S3S4_LN2_HIGH 0x1.62e4p-1f /* ends in zeros: n times it is exact */
#define S3S4_LN2_LOW 0x1.7f7d1cp-20f
#define S3S4_EXPM1_END 20.0f /* there it is -1 */
#define S3S4_LOG1P_START 0x1p-30f
#define S3S4_TURNS_END 0x1p22f /* beyond, sin(t) is within 2 eps t of 0 */
#define S3S4_1_PI 0x1.45f306p-2f
#define S3S4_PI_1 0x1.92p+1f /* 12 bits each: exact for n < 2^12 */
#define S3S4_PI_2 0x1.fb4p-11f
#define S3S4_PI_3 0x1.444p-23f
#define S3S4_PI_4 0x1.68c234p-38f
#define S3S4_SIMD(name) _mm512_##name##_ps
#define S3S4_MASK _mm512_cmp_ps_mask
#define S3S4_TO_BITS _mm512_castps_si512
#define S3S4_FROM_BITS _mm512_castsi512_ps
#define S3S4_SIXTEENTHS(bits, table, factor) \
    _mm512_permutexvar_ps(bits, _mm512_loadu_ps(table) * (factor))
#define S3S4_PIECE(bits, table) \
    _mm512_permutex2var_ps(_mm512_loadu_ps(table), bits, _mm512_loadu_ps((table) + 16))
#include "primitives_type.h"

#define S3S4_REAL double
#define S3S4_BITS uint64_t
#define S3S4_(name) s3s4_##name##_f64
#define S3S4_BIAS 1023.0
#define S3S4_MANTISSA 52
#define S3S4_SHIFTER 0x1.8p52
#define S3S4_INTEGERS 0x1p52
#define S3S4_HALF_EPS 0x1p-53
#define S3S4_LARGEST DBL_MAX
#define S3S4_FINITE 0x1p1021
#define S3S4_EXP_RANGE 745.0
#define S3S4_NORMAL_RANGE 38.6
#define S3S4_ORDINARY_MAX S3S4_ORDINARY_MAX_f64
#define S3S4_FACTOR 0x1p560
#define S3S4_STEEPEST 0x1p600
#define S3S4_SMALLEST_SCALED 0x1p-958
#define S3S4_LOG2E_HIGH 0x1.71547652b82fep+0
#define S3S4_LOG2E_LOW 0x1.777d0ffda0d24p-56
#define S3S4_LN2 0x1.62e42fefa39efp-1
#define S3S4_LN2_HIGH 0x1.62e42fefa3800p-1
#define S3S4_LN2_LOW 0x1.ef35793c76730p-45
#define S3S4_EXPM1_END 44.0
#define S3S4_LOG1P_START 0x1p-60
#define S3S4_TURNS_END 0x1p51
#define S3S4_1_PI 0x1.45f306dc9c883p-2
#define S3S4_PI_1 0x1.921fb54p+1 /* 27 bits each: exact for n < 2^26 */
#define S3S4_PI_2 0x1.10b46p-29
#define S3S4_PI_3 0x1.1a6263p-53
#define S3S4_PI_4 0x1.8a2e03707344ap-80
#define S3S4_SIMD(name) _mm512_##name##_pd
#define S3S4_MASK _mm512_cmp_pd_mask
#define S3S4_TO_BITS _mm512_castpd_si512
#define S3S4_FROM_BITS _mm512_castsi512_pd
#define S3S4_SIXTEENTHS(bits, table, factor)         \
    _mm512_permutex2var_pd(                          \
        _mm512_loadu_pd(table) * (factor), bits, _mm512_loadu_pd((table) + 8) * (factor))
#include "primitives_type.h"

#define S3S4_LONG_DOUBLE
#include "primitives_type.h"

#endif
