/* rows_type.h: what drives the phases of row functions. Included once for each type by rows.h:
 * S3S4_T is the type, S3S4_K(name) the name with its suffix.
 *
 * Design:
 * - What an addition rounds off is kept beside the sum (Dekker's fast two-sum) and added at the
 *   end. A term larger than the sum before it may lose half an eps of its own size: all of them
 *   together half an eps of the sum of absolute values, for rows of any length.
 * - Four terms are added plainly before: two roundings more, half an eps of that sum each, and
 *   three quarters of the additions are saved.
 */
typedef struct {
    int inputs, phases;
    int first[S3S4_ROW_PHASES], count[S3S4_ROW_PHASES], end[S3S4_ROW_PHASES];
    int is_total[S3S4_ROW_PHASES][S3S4_ROW_SUMS];
    /* Groups of w columns; slot i takes what column i adds up to. */
    void (*loop[S3S4_ROW_PHASES + 1])(ptrdiff_t, ptrdiff_t, const char *const *, const ptrdiff_t *,
                                      char *, ptrdiff_t, const S3S4_T *, S3S4_T *, ptrdiff_t);
    void (*finish[S3S4_ROW_PHASES])(ptrdiff_t, S3S4_T *);
    /* Contiguous rows of n elements, with the bytes from one to the next; NULL without vectors. */
    void (*rows[S3S4_ROW_PHASES + 1])(ptrdiff_t, ptrdiff_t, const char *const *,
                                      const ptrdiff_t *, char *, ptrdiff_t, const S3S4_T *,
                                      S3S4_T *, ptrdiff_t, int);
} S3S4_K(s3s4_rows);

#define S3S4_NEUTRAL(reduction) ((reduction) == S3S4_ROW_LARGEST ? -(S3S4_T)INFINITY : (S3S4_T)0)

/* Take terms into a slot. */
S3S4_INLINE void S3S4_K(s3s4_row_take)(int reduction, S3S4_T *sum, S3S4_T *rest, S3S4_T term) {
    const S3S4_T before = *sum, after = before + term;
    if (reduction == S3S4_ROW_LARGEST) *sum = before < term ? term : before;
    if (reduction == S3S4_ROW_TOTAL || reduction == S3S4_ROW_COUNT) *sum = after;
    if (reduction == S3S4_ROW_TOTAL) *rest += term - (after - before);
}
S3S4_INLINE void S3S4_K(s3s4_row_take_4)(int reduction, S3S4_T *sum, S3S4_T *rest, S3S4_T a,
                                         S3S4_T b, S3S4_T c, S3S4_T d) {
    if (reduction == S3S4_ROW_LARGEST) {
        /* NaN may hide an element here: its row is NaN whatever the largest one. */
        const S3S4_T p = a < b ? b : a, q = c < d ? d : c;
        S3S4_K(s3s4_row_take)(reduction, sum, rest, p < q ? q : p);
    } else {
        S3S4_K(s3s4_row_take)(reduction, sum, rest, (a + b) + (c + d));
    }
}

/* The lanes of a row are merged into half as many. */
S3S4_INLINE void S3S4_K(s3s4_row_halve)(int reduction, const S3S4_T *totals, const S3S4_T *rests,
                                        S3S4_T *to, S3S4_T *rests_to) {
    const ptrdiff_t half = S3S4_ROW_LANES / 2;
    S3S4_INDEPENDENT
    for (ptrdiff_t i = 0; i < half; i++) {
        const S3S4_T a = totals[i], b = totals[i + half], sum = a + b, part = sum - a;
        const S3S4_T lost = (a - (sum - part)) + (b - part);
        to[i] = reduction == S3S4_ROW_LARGEST ? (a < b ? b : a) : sum;
        if (reduction != S3S4_ROW_LARGEST) rests_to[i] = (rests[i] + rests[i + half]) + lost;
    }
}

/* Elements start to stop of a phase. A loop takes `spread` of every `lanes` elements. */
static inline void S3S4_K(s3s4_row_part)(
    const S3S4_K(s3s4_rows) *rows, int phase, const s3s4_slab *slab, ptrdiff_t column,
    ptrdiff_t columns, ptrdiff_t lanes, ptrdiff_t spread, ptrdiff_t start, ptrdiff_t stop,
    const S3S4_T *values, S3S4_T *sums) {
    const ptrdiff_t first = column * (ptrdiff_t)sizeof(S3S4_T);
    const char *in[S3S4_ROW_INPUTS] = {NULL};
    ptrdiff_t in_step[S3S4_ROW_INPUTS] = {0}, lane, i;
    if (rows->rows[phase] && columns == 1 && spread == S3S4_ROW_LANES && lanes == spread) {
        for (i = 0; i < rows->inputs; i++) {
            in[i] = slab->in[i] + start * slab->in_step[i];
            /* Memory has nothing to do then: the first phase has brought the row into the cache. */
            in_step[i] = phase ? slab->next[i] : 0;
        }
        rows->rows[phase](1, stop - start, in, in_step, slab->out + start * slab->out_step, 0,
                          values, sums, slab->slots, 0);
        return;
    }
    for (lane = 0; lane < lanes; lane += spread) {
        const ptrdiff_t rounds = (stop - start) / lanes, left = (stop - start) % lanes - lane;
        /* Whole rounds, and elements that fill none. */
        const ptrdiff_t ends[2] = {rounds, left > 0 ? rounds + 1 : rounds};
        ptrdiff_t round = 0;
        for (int step = 0; step < 2; step++) {
            const ptrdiff_t at = start + round * lanes + lane, groups = ends[step] - round;
            const ptrdiff_t w = (step == 1 && left < spread ? left : spread) * columns;
            if (!groups) continue;
            for (i = 0; i < rows->inputs; i++) {
                in[i] = slab->in[i] + at * slab->in_step[i] + first;
                in_step[i] = lanes * slab->in_step[i];
            }
            rows->loop[phase](groups, w, in, in_step, slab->out + at * slab->out_step + first,
                              lanes * slab->out_step, values, sums + lane * columns,
                              slab->slots);
            round = ends[step];
        }
    }
}

/* Merge n slots into others: a largest has no rest. */
static inline void S3S4_K(s3s4_row_merge)(
    int is_total, ptrdiff_t n, S3S4_T *totals, S3S4_T *rests, const S3S4_T *more,
    const S3S4_T *more_rests) {
    ptrdiff_t i;
    if (is_total) {
        S3S4_INDEPENDENT
        for (i = 0; i < n; i++) {
            const S3S4_T a = totals[i], b = more[i], sum = a + b, part = sum - a;
            const S3S4_T lost = (a - (sum - part)) + (b - part);
            rests[i] = (rests[i] + more_rests[i]) + lost;
            totals[i] = sum;
        }
    } else {
        S3S4_INDEPENDENT
        for (i = 0; i < n; i++) totals[i] = totals[i] < more[i] ? more[i] : totals[i];
    }
}

/* The halves of w slots of a row are merged until one is left; w is a power of 2. Loops of a known
 * length are one or two vector operations each. */
static inline void S3S4_K(s3s4_row_fold)(int is_total, ptrdiff_t w, S3S4_T *totals,
                                         S3S4_T *rests) {
    while (w > 16) {
        w /= 2;
        for (ptrdiff_t i = 0; i < w; i += 16)
            S3S4_K(s3s4_row_merge)(is_total, 16, totals + i, rests + i, totals + w + i,
                                   rests + w + i);
    }
    if (w > 8) S3S4_K(s3s4_row_merge)(is_total, 8, totals, rests, totals + 8, rests + 8);
    if (w > 4) S3S4_K(s3s4_row_merge)(is_total, 4, totals, rests, totals + 4, rests + 4);
    if (w > 2) S3S4_K(s3s4_row_merge)(is_total, 2, totals, rests, totals + 2, rests + 2);
    if (w > 1) S3S4_K(s3s4_row_merge)(is_total, 1, totals, rests, totals + 1, rests + 1);
}

/* The same for the 8 slots of each of a few rows: the last merges are made for all of them at once.
 * The rows' sums come first in totals and rests then. */
static inline void S3S4_K(s3s4_rows_fold)(int is_total, ptrdiff_t count, S3S4_T *totals,
                                          S3S4_T *rests) {
    S3S4_T turned[2][4 * S3S4_ROW_TOGETHER] = {{0}};
    ptrdiff_t row, lane;
    for (row = 0; row < count; row++) {
        S3S4_T *total = totals + row * S3S4_ROW_LANES, *rest = rests + row * S3S4_ROW_LANES;
        S3S4_K(s3s4_row_merge)(is_total, 4, total, rest, total + 4, rest + 4);
        for (lane = 0; lane < 4; lane++) {
            turned[0][lane * S3S4_ROW_TOGETHER + row] = total[lane];
            turned[1][lane * S3S4_ROW_TOGETHER + row] = rest[lane];
        }
    }
    for (lane = 2; lane > 0; lane /= 2)
        S3S4_K(s3s4_row_merge)(is_total, lane * S3S4_ROW_TOGETHER, turned[0], turned[1],
                               turned[0] + lane * S3S4_ROW_TOGETHER,
                               turned[1] + lane * S3S4_ROW_TOGETHER);
    memcpy(totals, turned[0], S3S4_ROW_TOGETHER * sizeof(S3S4_T));
    memcpy(rests, turned[1], S3S4_ROW_TOGETHER * sizeof(S3S4_T));
}

/* Rests that grow with a sum would be rounded themselves. What overflowed has none. */
static inline void S3S4_K(s3s4_row_settle)(ptrdiff_t n, S3S4_T *totals, S3S4_T *rests) {
    ptrdiff_t i;
    S3S4_INDEPENDENT
    for (i = 0; i < n; i++) {
        const S3S4_T sum = totals[i] + rests[i];
        const int is_finite = sum - sum == 0;
        rests[i] = is_finite ? rests[i] - (sum - totals[i]) : 0;
        totals[i] = is_finite ? sum : totals[i];
    }
}

/* One piece of a phase, by one of the threads; its reductions go to their place in the space. */
S3S4_UNUSED
static void S3S4_K(s3s4_row_piece)(const S3S4_K(s3s4_rows) *rows, int phase,
                                   const s3s4_slab *slab, ptrdiff_t piece, S3S4_T *space,
                                   int thread) {
    const ptrdiff_t start = piece * slab->piece, columns = slab->columns;
    const ptrdiff_t left = slab->n - start;
    const ptrdiff_t stop = start + (left < slab->piece ? left : slab->piece);
    ptrdiff_t lanes = slab->spread, spread = slab->spread, panel = columns, block = stop - start;
    ptrdiff_t column, j, i, half;
    S3S4_T *parts = space + S3S4_ROW_VALUES * S3S4_ROW_WIDTH;
    S3S4_T *sums = space + s3s4_row_space(slab, thread);
    const int *is_total;
    int count, r, adds_up = 0;
    if (phase == rows->phases) {
        S3S4_K(s3s4_row_part)(rows, phase, slab, 0, columns, lanes, spread, start, stop,
                              space, sums);
        return;
    }
    is_total = rows->is_total[phase];
    count = rows->count[phase];
    for (r = 0; r < count; r++) adds_up = adds_up || is_total[r];
    if (adds_up || slab->summed_spread == S3S4_ROW_LANES) {
        lanes = slab->lanes, spread = slab->summed_spread, panel = slab->panel;
        block = lanes * S3S4_ROW_TERMS;
    }
    for (column = 0; column < columns; column += panel) {
        const ptrdiff_t width = columns - column < panel ? columns - column : panel;
        const ptrdiff_t slots = lanes * width;
        for (r = 0; r < count; r++) {
            const S3S4_T neutral = is_total[r] ? 0 : -(S3S4_T)INFINITY;
            S3S4_T *total = sums + 2 * r * slab->slots;
            for (i = 0; i < slots; i++) total[i] = neutral;
            if (is_total[r]) memset(total + slab->slots, 0, (size_t)slots * sizeof(S3S4_T));
        }
        for (j = start; j < stop; j += block) {
            for (r = 0; r < count; r++)
                if (j > start && is_total[r])
                    S3S4_K(s3s4_row_settle)(slots, sums + 2 * r * slab->slots,
                                            sums + (2 * r + 1) * slab->slots);
            S3S4_K(s3s4_row_part)(rows, phase, slab, column, width, lanes, spread, j,
                                  stop - j < block ? stop : j + block, space + column, sums);
        }
        for (r = 0; r < count; r++) {
            S3S4_T *total = sums + 2 * r * slab->slots, *rest = total + slab->slots;
            S3S4_T *to = parts + (2 * r * slab->pieces + piece) * columns + column;
            if (width == 1) S3S4_K(s3s4_row_fold)(is_total[r], lanes, total, rest);
            else
                for (half = slots / 2; half >= width; half /= 2)
                    S3S4_K(s3s4_row_merge)(is_total[r], half, total, rest, total + half,
                                           rest + half);
            memcpy(to, total, (size_t)width * sizeof(S3S4_T));
            if (is_total[r])
                memcpy(to + slab->pieces * columns, rest, (size_t)width * sizeof(S3S4_T));
        }
    }
}

/* The row values that all pieces of a phase lead to. */
S3S4_UNUSED
static void S3S4_K(s3s4_row_finish)(const S3S4_K(s3s4_rows) *rows, int phase,
                                    const s3s4_slab *slab, S3S4_T *space) {
    const ptrdiff_t n = slab->columns, w = slab->spread * n, of_pieces = slab->pieces * n;
    ptrdiff_t i, have;
    int r, v;
    if (phase == rows->phases) return;
    for (r = 0; r < rows->count[phase]; r++) {
        const int is_total = rows->is_total[phase][r];
        S3S4_T *totals = space + S3S4_ROW_VALUES * S3S4_ROW_WIDTH + 2 * r * of_pieces;
        S3S4_T *rests = totals + of_pieces;
        for (i = 1; i < slab->pieces; i++)
            S3S4_K(s3s4_row_merge)(is_total, n, totals, rests, totals + i * n, rests + i * n);
        if (is_total) S3S4_K(s3s4_row_settle)(n, totals, rests);
        memcpy(space + (rows->first[phase] + r) * S3S4_ROW_WIDTH, totals,
               (size_t)n * sizeof(S3S4_T));
    }
    if (rows->finish[phase]) rows->finish[phase](n, space);
    for (v = rows->first[phase]; v < rows->end[phase]; v++) {
        S3S4_T *value = space + v * S3S4_ROW_WIDTH;
        if (n == 1)
            for (i = 1; i < w; i++) value[i] = value[0];
        else
            for (have = n; have < w; have *= 2)
                memcpy(value + have, value, (size_t)have * sizeof(S3S4_T));
    }
}

/* Every phase of a few contiguous rows of one piece, all lanes of each in registers. Steps are from
 * a row to the next. The order of sums is that of s3s4_row_slab. */
S3S4_UNUSED
static void S3S4_K(s3s4_rows_together)(const S3S4_K(s3s4_rows) *rows, ptrdiff_t count,
                                       const s3s4_slab *slab, S3S4_T *space) {
    S3S4_T *sums = space + S3S4_ROW_VALUES * S3S4_ROW_WIDTH;
    const ptrdiff_t slots = S3S4_ROW_TOGETHER * S3S4_ROW_LANES;
    int phase, r;
    for (phase = 0; phase <= rows->phases; phase++) {
        const int reductions = phase < rows->phases ? rows->count[phase] : 0;
        rows->rows[phase](count, slab->n, slab->in, slab->in_step, slab->out, slab->out_step,
                          space, sums, slots, 1);
        for (r = 0; r < reductions; r++) {
            S3S4_T *total = sums + 2 * r * slots, *rest = total + slots;
            /* 1 and 0, not a variable: merges are compiled for each. */
            if (rows->is_total[phase][r]) {
                if (count > 1) S3S4_K(s3s4_rows_fold)(1, count, total, rest);
                else S3S4_K(s3s4_row_fold)(1, S3S4_ROW_LANES / 2, total, rest);
                S3S4_K(s3s4_row_settle)(S3S4_ROW_TOGETHER, total, rest);
            } else {
                if (count > 1) S3S4_K(s3s4_rows_fold)(0, count, total, rest);
                else S3S4_K(s3s4_row_fold)(0, S3S4_ROW_LANES / 2, total, rest);
            }
            memcpy(space + (rows->first[phase] + r) * S3S4_ROW_WIDTH, total,
                   S3S4_ROW_TOGETHER * sizeof(S3S4_T));
        }
        if (reductions && rows->finish[phase]) rows->finish[phase](S3S4_ROW_TOGETHER, space);
    }
}

/* Every phase of adjacent rows, serially, in a space for one thread. */
S3S4_UNUSED
static void S3S4_K(s3s4_row_slab)(const S3S4_K(s3s4_rows) *rows, s3s4_slab *slab,
                                  S3S4_T *space) {
    ptrdiff_t piece;
    int phase;
    if (slab->columns == 1 && rows->rows[0] && s3s4_row_batch(slab->n) &&
        s3s4_row_is_contiguous(slab, rows->inputs, sizeof(S3S4_T))) {
        slab->in_step[0] = slab->in_step[1] = slab->out_step = 0; /* no other row */
        S3S4_K(s3s4_rows_together)(rows, 1, slab, space);
        return;
    }
    s3s4_row_divide(slab, rows->inputs, sizeof(S3S4_T));
    for (phase = 0; phase <= rows->phases; phase++) {
        for (piece = 0; piece < slab->pieces; piece++)
            S3S4_K(s3s4_row_piece)(rows, phase, slab, piece, space, 0);
        S3S4_K(s3s4_row_finish)(rows, phase, slab, space);
    }
}
