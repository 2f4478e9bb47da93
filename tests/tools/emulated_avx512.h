/* emulated_avx512.h: what vectors_type.h takes of AVX-512, for processors that have none.
 *
 * Design: SIMDe has all of it; but its abs leaves -0 as it is, and its scalef makes 0 of what is
 * subnormal and NaN of 0 2^n for a large n. Both are written anew, element by element.
 */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <math.h>
#include <simde/x86/avx512.h>

#define EMULATED(V, T, suffix, fabs, floor, ldexp, isnan)                                     \
    static inline V emulated_abs_##suffix(V vector) {                                         \
        T x[64 / sizeof(T)];                                                                  \
        _mm512_storeu_##suffix(x, vector);                                                    \
        for (unsigned i = 0; i < 64 / sizeof(T); i++) x[i] = fabs(x[i]);                      \
        return _mm512_loadu_##suffix(x);                                                      \
    }                                                                                         \
    static inline V emulated_mask_scalef_##suffix(V other, unsigned mask, V left, V right) {  \
        T y[64 / sizeof(T)], a[64 / sizeof(T)], b[64 / sizeof(T)];                            \
        _mm512_storeu_##suffix(y, other);                                                     \
        _mm512_storeu_##suffix(a, left);                                                      \
        _mm512_storeu_##suffix(b, right);                                                     \
        for (unsigned i = 0; i < 64 / sizeof(T); i++) {                                       \
            const T n = b[i] < -9999 ? -9999 : b[i] > 9999 ? 9999 : floor(b[i]);              \
            if (mask >> i & 1) y[i] = isnan(b[i]) ? b[i] : ldexp(a[i], (int)n);               \
        }                                                                                     \
        return _mm512_loadu_##suffix(y);                                                      \
    }
EMULATED(__m512, float, ps, fabsf, floorf, ldexpf, isnan)
EMULATED(__m512d, double, pd, fabs, floor, ldexp, isnan)
#undef _mm512_abs_ps
#undef _mm512_abs_pd
#undef _mm512_scalef_ps
#undef _mm512_scalef_pd
#undef _mm512_mask_scalef_ps
#undef _mm512_mask_scalef_pd
#define _mm512_abs_ps emulated_abs_ps
#define _mm512_abs_pd emulated_abs_pd
#define _mm512_scalef_ps(a, b) emulated_mask_scalef_ps(a, ~0u, a, b)
#define _mm512_scalef_pd(a, b) emulated_mask_scalef_pd(a, ~0u, a, b)
#define _mm512_mask_scalef_ps emulated_mask_scalef_ps
#define _mm512_mask_scalef_pd emulated_mask_scalef_pd
