/* runtime.h: what surrounds a kernel: the threads it may use, the FP status it leaves alone.
 *
 * Design:
 * - A child of fork() has no OpenMP workers, and libgomp would wait for them for ever. The process
 *   that loaded this library is remembered; any other one runs serially. Pids are compared, so
 *   there is no handler to register and a fork made in C counts too.
 * - omp_get_max_threads() belongs to the calling thread: a library that lowered it there
 *   (threadpoolctl, a worker pool) is obeyed. A number asked for explicitly may exceed the default.
 * - Vector code compares NaN and computes both sides of a selection: the flags it raises say
 *   nothing, and NumPy would turn them into warnings. They are put back as they were.
 */
#ifndef S3S4_RUNTIME_H
#define S3S4_RUNTIME_H

#include <fenv.h>

#ifdef _OPENMP
#include <omp.h>
#include <unistd.h>

static pid_t s3s4_home_process;
static int s3s4_initial_threads;
#endif

static int s3s4_process_threads = 1;
static _Thread_local int s3s4_local_threads; /* 0: the process-wide number holds */

static void s3s4_runtime_start(void) {
#ifdef _OPENMP
    s3s4_home_process = getpid();
    s3s4_initial_threads = omp_get_max_threads();
    s3s4_process_threads = s3s4_initial_threads;
#endif
}

/* The threads a parallel region that starts here and now may use. */
static int s3s4_usable_threads(void) {
#ifdef _OPENMP
    const int wanted = s3s4_local_threads ? s3s4_local_threads : s3s4_process_threads;
    if (wanted == 1 || omp_in_parallel() || getpid() != s3s4_home_process) return 1;
    const int here = omp_get_max_threads();
    return here < s3s4_initial_threads && here < wanted ? here : wanted;
#else
    return 1;
#endif
}

static int s3s4_openmp_version(void) {
#ifdef _OPENMP
    return _OPENMP;
#else
    return 0;
#endif
}

static int s3s4_openmp_max_threads(void) {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

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
