/* memory.h: elements as they lie in memory (strides, byte order, half precision) and in blocks.
 *
 * Design:
 * - Elements are copied bit by bit, so that nothing need be aligned and NaN keeps its payload.
 * - With F16C (part of the avx2 and avx512 variants) the processor converts half precision;
 *   elsewhere an exact multiplication moves the exponent, branch-free, and compilers vectorise it.
 * - bfloat16 is the upper half of a float.
 */
#ifndef S3S4_MEMORY_H
#define S3S4_MEMORY_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define S3S4_COPY_ELEMENTS(type, to_step, from_step)                              \
    for (ptrdiff_t i = 0; i < n; i++) {                                           \
        type element;                                                             \
        memcpy(&element, from + i * (from_step), sizeof element);                 \
        memcpy(to + i * (to_step), &element, sizeof element);                     \
    }

/* Known steps are vectorised: every second element, one element for all, and backwards. */
#define S3S4_COPY_STRIDED(type)                                                   \
    {                                                                             \
        const ptrdiff_t step = (ptrdiff_t)sizeof(type);                           \
        if (to_stride == step && from_stride == 2 * step)                         \
            S3S4_COPY_ELEMENTS(type, step, 2 * step)                              \
        else if (to_stride == step && from_stride == 0)                           \
            S3S4_COPY_ELEMENTS(type, step, 0)                                     \
        else if (to_stride == step && from_stride == -step)                       \
            S3S4_COPY_ELEMENTS(type, step, -step)                                 \
        else                                                                      \
            S3S4_COPY_ELEMENTS(type, to_stride, from_stride)                      \
    }

/* n elements of 2, 4 or 8 bytes; strides in bytes, of either sign or 0. */
static inline void s3s4_copy(char *to, ptrdiff_t to_stride, const char *from,
                             ptrdiff_t from_stride, ptrdiff_t n, ptrdiff_t size) {
    if (to_stride == size && from_stride == size) memcpy(to, from, (size_t)(n * size));
    else if (size == 8) S3S4_COPY_STRIDED(uint64_t)
    else if (size == 4) S3S4_COPY_STRIDED(uint32_t)
    else S3S4_COPY_STRIDED(uint16_t)
}

/* Transposition: to[i][j] = from[j][i], where neighbours along the last index lie together and the
 * steps of the first one are in bytes. Square blocks turn in registers of 16 bytes: every variant
 * has them. */
#define S3S4_TRANSPOSE_REST(type)                                \
    for (ptrdiff_t i = 0; i < rows; i++)                                         \
        for (ptrdiff_t j = i < whole_rows ? whole_columns : 0; j < columns; j++)             \
            memcpy(to + i * to_step + j * (ptrdiff_t)sizeof(type),                     \
                   from + j * from_step + i * (ptrdiff_t)sizeof(type), sizeof(type))

#if defined(__GNUC__) || defined(__clang__)
typedef uint32_t s3s4_four __attribute__((vector_size(16)));
typedef uint64_t s3s4_two __attribute__((vector_size(16)));
#if defined(__clang__) || __GNUC__ >= 12
#define S3S4_PICK_4(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#define S3S4_PICK_2(a, b, i, j) __builtin_shufflevector(a, b, i, j)
#else
#define S3S4_PICK_4(a, b, i, j, k, l) __builtin_shuffle(a, b, (s3s4_four){i, j, k, l})
#define S3S4_PICK_2(a, b, i, j) __builtin_shuffle(a, b, (s3s4_two){i, j})
#endif

static inline void s3s4_transpose_4(char *to, ptrdiff_t to_step, const char *from,
                                    ptrdiff_t from_step, ptrdiff_t rows, ptrdiff_t columns) {
    const ptrdiff_t whole_rows = rows & ~(ptrdiff_t)3, whole_columns = columns & ~(ptrdiff_t)3;
    for (ptrdiff_t i = 0; i < whole_rows; i += 4)
        for (ptrdiff_t j = 0; j < whole_columns; j += 4) {
            s3s4_four line[4], pair[4];
            for (int l = 0; l < 4; l++) memcpy(&line[l], from + (j + l) * from_step + i * 4, 16);
            pair[0] = S3S4_PICK_4(line[0], line[1], 0, 4, 1, 5);
            pair[1] = S3S4_PICK_4(line[2], line[3], 0, 4, 1, 5);
            pair[2] = S3S4_PICK_4(line[0], line[1], 2, 6, 3, 7);
            pair[3] = S3S4_PICK_4(line[2], line[3], 2, 6, 3, 7);
            line[0] = S3S4_PICK_4(pair[0], pair[1], 0, 1, 4, 5);
            line[1] = S3S4_PICK_4(pair[0], pair[1], 2, 3, 6, 7);
            line[2] = S3S4_PICK_4(pair[2], pair[3], 0, 1, 4, 5);
            line[3] = S3S4_PICK_4(pair[2], pair[3], 2, 3, 6, 7);
            for (int l = 0; l < 4; l++) memcpy(to + (i + l) * to_step + j * 4, &line[l], 16);
        }
    S3S4_TRANSPOSE_REST(uint32_t);
}
static inline void s3s4_transpose_8(char *to, ptrdiff_t to_step, const char *from,
                                    ptrdiff_t from_step, ptrdiff_t rows, ptrdiff_t columns) {
    const ptrdiff_t whole_rows = rows & ~(ptrdiff_t)1, whole_columns = columns & ~(ptrdiff_t)1;
    for (ptrdiff_t i = 0; i < whole_rows; i += 2)
        for (ptrdiff_t j = 0; j < whole_columns; j += 2) {
            s3s4_two line[2], turned[2];
            for (int l = 0; l < 2; l++) memcpy(&line[l], from + (j + l) * from_step + i * 8, 16);
            turned[0] = S3S4_PICK_2(line[0], line[1], 0, 2);
            turned[1] = S3S4_PICK_2(line[0], line[1], 1, 3);
            for (int l = 0; l < 2; l++) memcpy(to + (i + l) * to_step + j * 8, &turned[l], 16);
        }
    S3S4_TRANSPOSE_REST(uint64_t);
}
#else
static inline void s3s4_transpose_4(char *to, ptrdiff_t to_step, const char *from,
                                    ptrdiff_t from_step, ptrdiff_t rows, ptrdiff_t columns) {
    const ptrdiff_t whole_rows = 0, whole_columns = 0;
    S3S4_TRANSPOSE_REST(uint32_t);
}
static inline void s3s4_transpose_8(char *to, ptrdiff_t to_step, const char *from,
                                    ptrdiff_t from_step, ptrdiff_t rows, ptrdiff_t columns) {
    const ptrdiff_t whole_rows = 0, whole_columns = 0;
    S3S4_TRANSPOSE_REST(uint64_t);
}
#endif

#define S3S4_SWAP(type, swapped)                                                  \
    for (ptrdiff_t i = 0; i < n; i++) {                                           \
        type element;                                                             \
        memcpy(&element, at + i * (ptrdiff_t)sizeof element, sizeof element);     \
        element = swapped(element);                                               \
        memcpy(at + i * (ptrdiff_t)sizeof element, &element, sizeof element);     \
    }

/* Reverse the bytes of n contiguous elements of 2, 4 or 8 bytes. */
static inline void s3s4_swap_bytes(char *at, ptrdiff_t n, ptrdiff_t size) {
    if (size == 8) S3S4_SWAP(uint64_t, __builtin_bswap64)
    else if (size == 4) S3S4_SWAP(uint32_t, __builtin_bswap32)
    else S3S4_SWAP(uint16_t, __builtin_bswap16)
}

#if defined(__F16C__)
#include <immintrin.h>

static inline void s3s4_float_from_half(float *to, const uint16_t *from, ptrdiff_t n) {
    ptrdiff_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + i))));
    for (; i < n; i++) to[i] = _cvtsh_ss(from[i]);
}

static inline void s3s4_half_from_float(uint16_t *to, const float *from, ptrdiff_t n) {
    ptrdiff_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(to + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++) to[i] = _cvtss_sh(from[i], _MM_FROUND_TO_NEAREST_INT);
}

#else

static inline float s3s4_float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline uint32_t s3s4_bits_of_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Exponent and fraction in place, then times 2^(127-15): exact, for subnormals too. Infinity and
 * NaN land at 2^16 and above: their exponent is filled up. */
static inline void s3s4_float_from_half(float *to, const uint16_t *from, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint32_t half = from[i];
        const float finite = s3s4_float_of_bits((half & 0x7fffu) << 13) * 0x1p112f;
        const uint32_t special = finite >= 0x1p16f ? 0x7f800000u : 0u;
        to[i] = s3s4_float_of_bits(s3s4_bits_of_float(finite) | special | (half & 0x8000u) << 16);
    }
}

/* Adding a power of two 13 exponents up (at least 2^-1, where half's subnormals end) makes the
 * addition itself round to half's fraction, ties to even; large values overflow to infinity. */
static inline void s3s4_half_from_float(uint16_t *to, const float *from, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint32_t bits = s3s4_bits_of_float(from[i]);
        const uint32_t magnitude = bits & 0x7fffffffu;
        const uint32_t exponent = magnitude & 0x7f800000u;
        const uint32_t lowest = 0x38800000u; /* 2^-14, half's smallest normal */
        const uint32_t ruler = (exponent > lowest ? exponent : lowest) + (13u << 23);
        const float rounded = s3s4_float_of_bits(magnitude) + s3s4_float_of_bits(ruler);
        /* ruler's exponent counts from 2^-1 on; the fraction may carry into it, as it should. */
        const uint32_t finite = ((ruler - lowest - (13u << 23)) >> 13) +
                                (s3s4_bits_of_float(rounded) - ruler);
        const uint32_t value = magnitude > 0x7f800000u  ? 0x7e00u
                               : magnitude >= 0x477ff000u ? 0x7c00u
                                                          : finite;
        to[i] = (uint16_t)((bits >> 16 & 0x8000u) | value);
    }
}

#endif

static inline void s3s4_float_from_bfloat(float *to, const uint16_t *from, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)from[i] << 16;
        memcpy(&to[i], &bits, sizeof bits);
    }
}

/* To nearest, ties to even; NaN stays one. */
static inline void s3s4_bfloat_from_float(uint16_t *to, const float *from, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &from[i], sizeof bits);
        const uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1u), nan = bits | 0x400000u;
        to[i] = (uint16_t)((from[i] == from[i] ? rounded : nan) >> 16);
    }
}

/* Between the types of the loop, where an array has the other one. */
#define S3S4_CONVERT(name, to_type, from_type)                                              \
    static inline void name(char *to, ptrdiff_t to_stride, const char *from,                \
                            ptrdiff_t from_stride, ptrdiff_t n) {                           \
        for (ptrdiff_t i = 0; i < n; i++) {                                                 \
            from_type source;                                                               \
            memcpy(&source, from + i * from_stride, sizeof source);                         \
            const to_type converted = (to_type)source;                                      \
            memcpy(to + i * to_stride, &converted, sizeof converted);                       \
        }                                                                                   \
    }
S3S4_CONVERT(s3s4_float_from_double, float, double)
S3S4_CONVERT(s3s4_double_from_float, double, float)

#endif
