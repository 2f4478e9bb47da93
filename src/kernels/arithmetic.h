/* arithmetic.h: the floating point that s3s4.h is written for, or an error that says what is not.
 *
 * Design:
 * - Rounding to an integer, two-part constants and compensated sums are expressions that algebra
 *   would remove: with -ffast-math or registers of 80 bits results are wrong by up to 7 %.
 * - clang says nothing of -fassociative-math alone. There the header switches it off for itself;
 *   s3s4.h ends with the pop.
 */
#ifndef S3S4_ARITHMETIC_H
#define S3S4_ARITHMETIC_H

#include <float.h>

#if defined(__FAST_MATH__) || defined(_M_FP_FAST)
#error "s3s4.h cannot be compiled with -ffast-math or -Ofast: add -fno-fast-math"
#endif

#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "s3s4.h cannot be compiled with -ffinite-math-only: add -fno-finite-math-only"
#endif

#if defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "s3s4.h cannot be compiled with -fassociative-math, -freciprocal-math, -fno-signed-zeros or \
what implies them: add -fno-associative-math -fno-reciprocal-math -fsigned-zeros"
#endif

/* 16: _Float16 is evaluated as it is, like all other types. */
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "s3s4.h cannot be compiled for the x87: add -msse2 -mfpmath=sse"
#endif

#if defined(__clang__)
#pragma float_control(push)
#pragma clang fp reassociate(off)
#endif

#endif
