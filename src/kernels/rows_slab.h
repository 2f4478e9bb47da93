/* rows_slab.h: rows side by side in memory, and the order in which each of them is added up.
 *
 * Design:
 * - The order follows from the length of a row alone, so that its bits depend neither on its place
 *   and neighbours, nor on the axis, the layout, the threads. A row is divided into pieces. Element
 *   j of a piece goes to lane j modulo their number, each lane adds up in order, the halves of the
 *   lanes are added until one is left, and the pieces are added in order.
 * - Lanes are what registers hold: a row of 64 elements or more fills two of AVX2 or one of
 *   AVX-512 with floats. Shorter rows have fewer lanes, because to add them up takes time as well.
 * - Working space is the caller's: a stack may hold less than many columns take. The values of the
 *   phases come first, then the sums of each piece, then the slots of each thread's piece: totals,
 *   then rests, of one reduction after the other.
 * - Rows side by side are one loop over columns; a row by itself has its lanes as columns. Which
 *   lanes are computed together, and how many elements of a maximum, changes no bit.
 */
#ifndef S3S4_ROWS_SLAB_H
#define S3S4_ROWS_SLAB_H

#include <math.h>
#include <stddef.h>
#include <string.h>

#define S3S4_ROW_INPUTS 2
#define S3S4_ROW_LANES 16    /* most lanes */
#define S3S4_ROW_PER_LANE 4  /* elements that each lane has at least, if there are several */
#define S3S4_ROW_TERMS 1024  /* that a lane adds up before what they lost is added to the sum */
#define S3S4_ROW_PIECE 2048  /* least elements of a piece */
#define S3S4_ROW_PIECES 64   /* most pieces */
#define S3S4_ROW_WIDTH 256   /* most columns, and most that several elements of each make */
#define S3S4_ROW_ALONE 128   /* most elements of a row by itself that are computed together */
#define S3S4_ROW_SLOTS 1024  /* most lanes times columns */
#define S3S4_ROW_TOGETHER 16 /* most contiguous rows that are computed together */
#define S3S4_ROW_CACHED 4096 /* most elements of them: the first-level cache keeps these */

/* Elements that a row by itself takes as working space: see s3s4_row_space. */
#define S3S4_ROW_ALONE_SPACE                                                              \
    (S3S4_ROW_VALUES * S3S4_ROW_WIDTH + 2 * S3S4_ROW_SUMS * (S3S4_ROW_PIECES + S3S4_ROW_WIDTH))

/* What the loops of a phase reduce to, and what they touch: see rows_loops.h. */
#define S3S4_ROW_NONE 0
#define S3S4_ROW_LARGEST 1
#define S3S4_ROW_TOTAL 2
#define S3S4_ROW_COUNT 3 /* a sum that no rounding touches */
#define S3S4_ROW_IN_0 1
#define S3S4_ROW_IN_1 2
#define S3S4_ROW_TO 4

/* As S3S4_INDEPENDENT, for a loop that is written out. */
#if defined(__clang__)
#define S3S4_ROW_LANES_LOOP _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define S3S4_ROW_LANES_LOOP _Pragma("GCC ivdep")
#else
#define S3S4_ROW_LANES_LOOP
#endif

/* n elements of adjacent rows, with the bytes from one to the next of its row. */
typedef struct {
    ptrdiff_t n, columns;
    const char *in[S3S4_ROW_INPUTS];
    ptrdiff_t in_step[S3S4_ROW_INPUTS];
    char *out;
    ptrdiff_t out_step;
    ptrdiff_t next[S3S4_ROW_INPUTS]; /* bytes from a row to the one that is computed next, or 0 */
    /* Set by s3s4_row_divide: the order of sums, */
    ptrdiff_t lanes, pieces, piece;
    /* and what changes no bit: columns and elements of each that are computed together. */
    ptrdiff_t panel, spread, summed_spread;
    ptrdiff_t slots; /* of a reduction */
} s3s4_slab;

/* Whether an element of a row, or of each of adjacent rows, follows the one before. */
static inline int s3s4_row_is_contiguous(const s3s4_slab *slab, int inputs, ptrdiff_t size) {
    const ptrdiff_t step = slab->columns * size;
    int is_contiguous = slab->out_step == step, i;
    for (i = 0; i < inputs; i++) is_contiguous = is_contiguous && slab->in_step[i] == step;
    return is_contiguous;
}

/* How many contiguous rows are computed together: 0 where they have few lanes or several pieces. */
static inline ptrdiff_t s3s4_row_batch(ptrdiff_t n) {
    ptrdiff_t fit;
    if (n < S3S4_ROW_LANES * S3S4_ROW_PER_LANE || n >= 2 * S3S4_ROW_PIECE) return 0;
    fit = S3S4_ROW_CACHED / n;
    return fit < S3S4_ROW_TOGETHER ? fit : S3S4_ROW_TOGETHER;
}

static inline void s3s4_row_divide(s3s4_slab *slab, int inputs, ptrdiff_t size) {
    const ptrdiff_t n = slab->n, columns = slab->columns;
    const ptrdiff_t width = columns == 1 ? S3S4_ROW_ALONE : S3S4_ROW_WIDTH;
    const int joined = s3s4_row_is_contiguous(slab, inputs, size);

    slab->lanes = 1;
    while (slab->lanes < S3S4_ROW_LANES && 2 * slab->lanes * S3S4_ROW_PER_LANE <= n)
        slab->lanes *= 2;
    slab->pieces = n / S3S4_ROW_PIECE;
    if (slab->pieces > S3S4_ROW_PIECES) slab->pieces = S3S4_ROW_PIECES;
    if (slab->pieces < 1) slab->pieces = 1;
    slab->piece = (n + slab->pieces - 1) / slab->pieces;
    slab->piece = (slab->piece + S3S4_ROW_WIDTH - 1) / S3S4_ROW_WIDTH * S3S4_ROW_WIDTH;
    slab->pieces = (n + slab->piece - 1) / slab->piece;

    slab->panel = S3S4_ROW_SLOTS / slab->lanes;
    if (slab->panel > columns) slab->panel = columns;
    slab->spread = slab->summed_spread = 1;
    while (joined && 2 * slab->spread * columns <= width && 8 * slab->spread <= n)
        slab->spread *= 2;
    if (slab->panel == columns)
        slab->summed_spread = slab->spread < slab->lanes ? slab->spread : slab->lanes;
    slab->slots = slab->lanes * slab->panel;
    if (slab->slots < S3S4_ROW_WIDTH) slab->slots = S3S4_ROW_WIDTH;
}

/* Elements of working space of a slab that is divided, when its pieces go to so many threads.
 * Fewer columns take no more. */
static inline ptrdiff_t s3s4_row_space(const s3s4_slab *slab, int threads) {
    return S3S4_ROW_VALUES * S3S4_ROW_WIDTH +
           2 * S3S4_ROW_SUMS * (slab->pieces * slab->columns + threads * slab->slots);
}

#endif
