/* blocks.h: what loops over blocks of elements are made of. Included by s3s4.h. */
#ifndef S3S4_BLOCKS_H
#define S3S4_BLOCKS_H

#include <stddef.h>

/* Elements at a time. */
#define S3S4_BLOCK(type) (512 / (ptrdiff_t)sizeof(type))
/* And in a vector. */
#define S3S4_IN_VECTOR(type) (64 / (ptrdiff_t)sizeof(type))
/* The smaller of two multiples of 16, in a form that shows it is one and not 0. */
#define S3S4_LENGTH(left, most) (((((left) < (most) ? (left) : (most)) - 1) & ~(ptrdiff_t)15) + 16)

/* Fetch a block's worth of lines that lie S3S4_AHEAD bytes ahead, in the array or behind it: with
 * this much arithmetic in between, the processor's own prefetchers leave it waiting for memory. */
#define S3S4_AHEAD 2048
#if defined(__GNUC__)
#define S3S4_FETCH(pointer)                                                          \
    for (ptrdiff_t line = 0; line < S3S4_BLOCK(char); line += 64)                    \
        __builtin_prefetch((const char *)(pointer) + S3S4_AHEAD + line)
#else
#define S3S4_FETCH(pointer) (void)0
#endif

/* Not inline, which changes what gcc makes of the loops. */
#if defined(__GNUC__)
#define S3S4_UNUSED __attribute__((unused))
#else
#define S3S4_UNUSED
#endif

#if defined(__clang__)
#define S3S4_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define S3S4_INDEPENDENT _Pragma("GCC ivdep") _Pragma("GCC unroll 1")
#else
#define S3S4_INDEPENDENT
#endif
/* A loop over vectors: eight copies of a body are not faster. */
#if defined(__GNUC__) && !defined(__clang__)
#define S3S4_ROLLED _Pragma("GCC unroll 1")
#else
#define S3S4_ROLLED
#endif

#endif
