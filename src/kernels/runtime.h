/* runtime.h: what surrounds a kernel: the FP status it leaves alone, the GIL it does not know.
 *
 * Design:
 * - Vector code compares NaN and computes both sides of a selection: the flags it raises say
 *   nothing, and NumPy would turn them into warnings. They are put back as they were.
 * - A prange in a nogil function lets go of the GIL in case it is held, which Cython cannot know.
 *   To find out, it asks for it on CPython 3.11 and 3.12 (limited API): a thread whose parent holds
 *   the GIL and waits for it never returns. Nothing within our loops touches Python, so that the
 *   GIL may as well be held: the question is answered here, with "no". The macro leaves the
 *   definition, which comes later, under another name.
 */
#ifndef S3S4_RUNTIME_H
#define S3S4_RUNTIME_H

#include <fenv.h>

#define __Pyx_SaveUnknownThread(of) S3S4_SAVE_UNKNOWN_THREAD_##of
#define S3S4_SAVE_UNKNOWN_THREAD_ ((__Pyx_UnknownThreadState){0})
#define S3S4_SAVE_UNKNOWN_THREAD_void CYTHON_UNUSED s3s4_save_unknown_thread(void)

#if defined(__SSE2__)
#include <emmintrin.h>
typedef unsigned int s3s4_fp_state;
static inline s3s4_fp_state s3s4_fp_save(void) { return _mm_getcsr(); }
static inline void s3s4_fp_restore(s3s4_fp_state state) { _mm_setcsr(state); }
#else
typedef fenv_t s3s4_fp_state;
static inline s3s4_fp_state s3s4_fp_save(void) {
    fenv_t state;
    fegetenv(&state);
    return state;
}
static inline void s3s4_fp_restore(s3s4_fp_state state) { fesetenv(&state); }
#endif

#endif
