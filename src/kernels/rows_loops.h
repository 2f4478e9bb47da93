/* rows_loops.h: the loops of one phase. Included for each of them by rows.h, after
 *
 *   S3S4_TERM(in_0, in_1, to, values, step, terms)  computes an element and what it adds to sums
 *   S3S4_LOOP, S3S4_ROWS                            the names of the loops
 *   S3S4_TOUCHED                                    which of in_0, in_1, to an element touches
 *   S3S4_REDUCTION_0, S3S4_REDUCTION_1              what its terms are reduced to
 *
 * Design:
 * - No reduction crosses a register: each column has a slot of its own, so that compilers vectorise
 *   these loops without being allowed to reorder sums.
 * - Four groups at a time: their terms are added before they are taken into the slots.
 */

#define S3S4_REDUCES (S3S4_REDUCTION_0 != S3S4_ROW_NONE)

/* The lines of w elements that lie S3S4_AHEAD on: as S3S4_FETCH, for groups that follow each other
 * and are not short. */
#if defined(__GNUC__)
#define S3S4_FETCH_GROUP(pointer, bytes, ahead)                                           \
    for (ptrdiff_t line = 0; line < (bytes); line += 64)                                  \
    __builtin_prefetch((const char *)(pointer) + (ahead) + line)
#else
#define S3S4_FETCH_GROUP(pointer, bytes, ahead) (void)0
#endif
#define S3S4_FETCH_GROUPS(count, step_of)                                                 \
    if ((S3S4_TOUCHED & S3S4_ROW_IN_0) && step_of(in_step[0]))                            \
        S3S4_FETCH_GROUP(in[0] + j * in_step[0], (count) * in_step[0], S3S4_AHEAD);       \
    if ((S3S4_TOUCHED & S3S4_ROW_IN_1) && step_of(in_step[1]))                            \
        S3S4_FETCH_GROUP(in[1] + j * in_step[1], (count) * in_step[1], S3S4_AHEAD);       \
    if ((S3S4_TOUCHED & S3S4_ROW_TO) && step_of(out_step))                                \
        S3S4_FETCH_GROUP(out + j * out_step, (count) * out_step, S3S4_AHEAD)
#define S3S4_FOLLOWS(step)                                                                \
    ((step) == w * (ptrdiff_t)sizeof(S3S4_T) && (step) >= S3S4_BLOCK(char) &&             \
     (step) <= 2 * S3S4_BLOCK(char))

/* Groups of w columns. */
S3S4_UNUSED
static void S3S4_LOOP(ptrdiff_t groups, ptrdiff_t w, const char *const *in,
                      const ptrdiff_t *in_step, char *out, ptrdiff_t out_step,
                      const S3S4_T *values, S3S4_T *sums, ptrdiff_t slots) {
    S3S4_T *sum_0 = sums, *rest_0 = sums + slots;
    S3S4_T *sum_1 = sums + 2 * slots, *rest_1 = sums + 3 * slots;
    ptrdiff_t j = 0;
#if S3S4_REDUCES
    for (; j + 4 <= groups; j += 4) {
        const S3S4_T *a_0 = (const S3S4_T *)(in[0] + j * in_step[0]);
        const S3S4_T *a_1 = (const S3S4_T *)((const char *)a_0 + in_step[0]);
        const S3S4_T *a_2 = (const S3S4_T *)((const char *)a_1 + in_step[0]);
        const S3S4_T *a_3 = (const S3S4_T *)((const char *)a_2 + in_step[0]);
        const S3S4_T *b_0 = (const S3S4_T *)(in[1] + j * in_step[1]);
        const S3S4_T *b_1 = (const S3S4_T *)((const char *)b_0 + in_step[1]);
        const S3S4_T *b_2 = (const S3S4_T *)((const char *)b_1 + in_step[1]);
        const S3S4_T *b_3 = (const S3S4_T *)((const char *)b_2 + in_step[1]);
        S3S4_T *to_0 = (S3S4_T *)(out + j * out_step);
        S3S4_T *to_1 = (S3S4_T *)((char *)to_0 + out_step);
        S3S4_T *to_2 = (S3S4_T *)((char *)to_1 + out_step);
        S3S4_T *to_3 = (S3S4_T *)((char *)to_2 + out_step);
        S3S4_FETCH_GROUPS(4, S3S4_FOLLOWS);
        S3S4_INDEPENDENT
        for (ptrdiff_t i = 0; i < w; i++) {
            S3S4_T p[2] = {0}, q[2] = {0}, r[2] = {0}, s[2] = {0};
            S3S4_TERM(a_0 + i, b_0 + i, to_0 + i, values + i, S3S4_ROW_WIDTH, p);
            S3S4_TERM(a_1 + i, b_1 + i, to_1 + i, values + i, S3S4_ROW_WIDTH, q);
            S3S4_TERM(a_2 + i, b_2 + i, to_2 + i, values + i, S3S4_ROW_WIDTH, r);
            S3S4_TERM(a_3 + i, b_3 + i, to_3 + i, values + i, S3S4_ROW_WIDTH, s);
            S3S4_K(s3s4_row_take_4)(S3S4_REDUCTION_0, sum_0 + i, rest_0 + i, p[0], q[0], r[0], s[0]);
            if (S3S4_REDUCTION_1)
                S3S4_K(s3s4_row_take_4)(S3S4_REDUCTION_1, sum_1 + i, rest_1 + i, p[1], q[1], r[1],
                                        s[1]);
        }
    }
#endif
    for (; j < groups; j++) {
        const S3S4_T *a = (const S3S4_T *)(in[0] + j * in_step[0]);
        const S3S4_T *b = (const S3S4_T *)(in[1] + j * in_step[1]);
        S3S4_T *to = (S3S4_T *)(out + j * out_step);
        S3S4_FETCH_GROUPS(1, S3S4_FOLLOWS);
        S3S4_INDEPENDENT
        for (ptrdiff_t i = 0; i < w; i++) {
            S3S4_T term[2] = {0};
            S3S4_TERM(a + i, b + i, to + i, values + i, S3S4_ROW_WIDTH, term);
            if (S3S4_REDUCTION_0)
                S3S4_K(s3s4_row_take)(S3S4_REDUCTION_0, sum_0 + i, rest_0 + i, term[0]);
            if (S3S4_REDUCTION_1)
                S3S4_K(s3s4_row_take)(S3S4_REDUCTION_1, sum_1 + i, rest_1 + i, term[1]);
        }
    }
    (void)sum_0, (void)sum_1, (void)rest_0, (void)rest_1;
}

#if S3S4_IS_BLOCKED && S3S4_REDUCES
/* Contiguous rows of n elements, one after the other: the slots of all lanes stay in registers.
 * Those of whole rows are neutral at first and merged into half as many at last. What fills no
 * round is computed first, together with the elements before it, which give then what they gave
 * and are not taken again. */
S3S4_UNUSED
static void S3S4_ROWS(ptrdiff_t count, ptrdiff_t n, const char *const *in,
                      const ptrdiff_t *row_step, char *out, ptrdiff_t out_row_step,
                      const S3S4_T *values, S3S4_T *sums, ptrdiff_t slots, int are_whole) {
    /* Where there are next rows, they are fetched as these are computed. */
    const ptrdiff_t ahead[] = {row_step[0] ? count * row_step[0] : S3S4_AHEAD,
                               row_step[1] ? count * row_step[1] : S3S4_AHEAD,
                               out_row_step ? count * out_row_step : S3S4_AHEAD};
    for (ptrdiff_t row = 0; row < count; row++) {
        S3S4_T sum_0[S3S4_ROW_LANES], sum_1[S3S4_ROW_LANES];
        S3S4_T rest_0[S3S4_ROW_LANES], rest_1[S3S4_ROW_LANES], value[S3S4_ROW_VALUES];
        S3S4_T last_0[2 * S3S4_ROW_LANES], last_1[2 * S3S4_ROW_LANES], last_to[S3S4_ROW_LANES];
        const S3S4_T *a = (const S3S4_T *)(in[0] + row * row_step[0]);
        const S3S4_T *b = (const S3S4_T *)(in[1] + row * row_step[1]);
        S3S4_T *to = (S3S4_T *)(out + row * out_row_step);
        S3S4_T *slot = sums + row * S3S4_ROW_LANES;
        const ptrdiff_t left = n % S3S4_ROW_LANES, last = n - S3S4_ROW_LANES;
        ptrdiff_t j = 0;
        for (int v = 0; v < S3S4_ROW_VALUES; v++) value[v] = values[v * S3S4_ROW_WIDTH + row];
        if (left) {
            if (S3S4_TOUCHED & S3S4_ROW_TO) memcpy(last_to, to + last, sizeof last_to);
            S3S4_INDEPENDENT
            for (ptrdiff_t i = 0; i < S3S4_ROW_LANES; i++) {
                S3S4_T term[2] = {0};
                S3S4_TERM(a + last + i, b + last + i, last_to + i, value, 1, term);
                last_0[i] = term[0], last_0[i + S3S4_ROW_LANES] = S3S4_NEUTRAL(S3S4_REDUCTION_0);
                last_1[i] = term[1], last_1[i + S3S4_ROW_LANES] = S3S4_NEUTRAL(S3S4_REDUCTION_1);
            }
        }
        if (are_whole) {
            S3S4_ROW_LANES_LOOP
            for (ptrdiff_t i = 0; i < S3S4_ROW_LANES; i++) {
                sum_0[i] = S3S4_NEUTRAL(S3S4_REDUCTION_0), rest_0[i] = 0;
                sum_1[i] = S3S4_NEUTRAL(S3S4_REDUCTION_1), rest_1[i] = 0;
            }
        } else {
            memcpy(sum_0, slot, sizeof sum_0);
            memcpy(rest_0, slot + slots, sizeof rest_0);
            memcpy(sum_1, slot + 2 * slots, sizeof sum_1);
            memcpy(rest_1, slot + 3 * slots, sizeof rest_1);
        }
        for (; j + 4 * S3S4_ROW_LANES <= n; j += 4 * S3S4_ROW_LANES) {
            const ptrdiff_t bytes = 4 * (ptrdiff_t)sizeof sum_0;
            if (S3S4_TOUCHED & S3S4_ROW_IN_0) S3S4_FETCH_GROUP(a + j, bytes, ahead[0]);
            if (S3S4_TOUCHED & S3S4_ROW_IN_1) S3S4_FETCH_GROUP(b + j, bytes, ahead[1]);
            if (S3S4_TOUCHED & S3S4_ROW_TO) S3S4_FETCH_GROUP(to + j, bytes, ahead[2]);
            S3S4_ROW_LANES_LOOP
            for (ptrdiff_t i = 0; i < S3S4_ROW_LANES; i++) {
                S3S4_T p[2] = {0}, q[2] = {0}, r[2] = {0}, s[2] = {0};
                const ptrdiff_t i_0 = j + i, i_1 = i_0 + S3S4_ROW_LANES;
                const ptrdiff_t i_2 = i_1 + S3S4_ROW_LANES, i_3 = i_2 + S3S4_ROW_LANES;
                S3S4_TERM(a + i_0, b + i_0, to + i_0, value, 1, p);
                S3S4_TERM(a + i_1, b + i_1, to + i_1, value, 1, q);
                S3S4_TERM(a + i_2, b + i_2, to + i_2, value, 1, r);
                S3S4_TERM(a + i_3, b + i_3, to + i_3, value, 1, s);
                S3S4_K(s3s4_row_take_4)(S3S4_REDUCTION_0, sum_0 + i, rest_0 + i, p[0], q[0], r[0],
                                        s[0]);
                if (S3S4_REDUCTION_1)
                    S3S4_K(s3s4_row_take_4)(S3S4_REDUCTION_1, sum_1 + i, rest_1 + i, p[1], q[1],
                                            r[1], s[1]);
            }
        }
        for (; j + S3S4_ROW_LANES <= n; j += S3S4_ROW_LANES) {
            S3S4_INDEPENDENT
            for (ptrdiff_t i = 0; i < S3S4_ROW_LANES; i++) {
                S3S4_T term[2] = {0};
                S3S4_TERM(a + j + i, b + j + i, to + j + i, value, 1, term);
                S3S4_K(s3s4_row_take)(S3S4_REDUCTION_0, sum_0 + i, rest_0 + i, term[0]);
                if (S3S4_REDUCTION_1)
                    S3S4_K(s3s4_row_take)(S3S4_REDUCTION_1, sum_1 + i, rest_1 + i, term[1]);
            }
        }
        if (left) {
            const ptrdiff_t taken = S3S4_ROW_LANES - left;
            S3S4_INDEPENDENT
            for (ptrdiff_t i = 0; i < S3S4_ROW_LANES; i++) {
                S3S4_K(s3s4_row_take)(S3S4_REDUCTION_0, sum_0 + i, rest_0 + i, last_0[taken + i]);
                if (S3S4_REDUCTION_1)
                    S3S4_K(s3s4_row_take)(S3S4_REDUCTION_1, sum_1 + i, rest_1 + i,
                                          last_1[taken + i]);
            }
            if (S3S4_TOUCHED & S3S4_ROW_TO) memcpy(to + last, last_to, sizeof last_to);
        }
        if (are_whole) {
            S3S4_K(s3s4_row_halve)(S3S4_REDUCTION_0, sum_0, rest_0, slot, slot + slots);
            if (S3S4_REDUCTION_1)
                S3S4_K(s3s4_row_halve)(S3S4_REDUCTION_1, sum_1, rest_1, slot + 2 * slots,
                                       slot + 3 * slots);
        } else {
            memcpy(slot, sum_0, sizeof sum_0);
            memcpy(slot + slots, rest_0, sizeof rest_0);
            memcpy(slot + 2 * slots, sum_1, sizeof sum_1);
            memcpy(slot + 3 * slots, rest_1, sizeof rest_1);
        }
    }
}
#elif S3S4_IS_BLOCKED
/* Contiguous rows of n elements, one after the other. */
S3S4_UNUSED
static void S3S4_ROWS(ptrdiff_t count, ptrdiff_t n, const char *const *in,
                      const ptrdiff_t *row_step, char *out, ptrdiff_t out_row_step,
                      const S3S4_T *values, S3S4_T *sums, ptrdiff_t slots, int are_whole) {
    for (ptrdiff_t row = 0; row < count; row++) {
        const S3S4_T *a = (const S3S4_T *)(in[0] + row * row_step[0]);
        const S3S4_T *b = (const S3S4_T *)(in[1] + row * row_step[1]);
        S3S4_T *to = (S3S4_T *)(out + row * out_row_step);
        S3S4_T value[S3S4_ROW_VALUES];
        for (int v = 0; v < S3S4_ROW_VALUES; v++) value[v] = values[v * S3S4_ROW_WIDTH + row];
        S3S4_INDEPENDENT
        for (ptrdiff_t i = 0; i < n; i++) {
            S3S4_T term[2];
            S3S4_TERM(a + i, b + i, to + i, value, 1, term);
        }
    }
    (void)sums, (void)slots, (void)are_whole;
}
#endif

#undef S3S4_REDUCES
#undef S3S4_FETCH_GROUP
#undef S3S4_FETCH_GROUPS
#undef S3S4_FOLLOWS
#undef S3S4_TERM
#undef S3S4_LOOP
#undef S3S4_ROWS
#undef S3S4_TOUCHED
#undef S3S4_REDUCTION_0
#undef S3S4_REDUCTION_1
