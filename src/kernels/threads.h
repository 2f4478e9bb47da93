/* threads.h: on how many threads a parallel loop starts.
 *
 * Design:
 * - A child of fork() has no OpenMP workers, and libgomp would wait for them for ever. The process
 *   that loaded this library is remembered; any other one runs serially. Pids are compared, so
 *   there is no handler to register and a fork made in C counts too.
 * - omp_get_max_threads() belongs to the calling thread: a library that lowered it there
 *   (threadpoolctl, a worker pool) is obeyed. A number asked for explicitly may exceed the default.
 * - libgomp ends the process when it cannot start a thread. Before a calling thread's team grows,
 *   as many threads are started and ended here: where that fails, the team is smaller.
 * - OpenMP waits for every worker, also for one that has not begun because its processor does
 *   something else. Loops earn credit by the time that fewer threads would have needed beyond
 *   theirs; one that is late costs several times what it lost, since whoever waits for it minds
 *   more. Without credit, fewer threads are used for some time, the longer the sooner it happens
 *   again. A number that holds for one Python thread alone (`threads()`) is taken at its word.
 * - A worker looks out for its next loop for some time before it sleeps, and to wake it takes longer
 *   than a loop of some thousand elements. Such a loop uses threads right after another one, and
 *   where many have come one after the other; one that was slow nevertheless ends that.
 */
#ifndef S3S4_THREADS_H
#define S3S4_THREADS_H

#include <stddef.h>

enum { S3S4_MOST_THREADS = 1024 }; /* libgomp needs room on the stack for each */

static int s3s4_process_threads = 1;
static _Thread_local int s3s4_local_threads; /* 0: the process-wide number holds */

#ifdef _OPENMP
#include <omp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#ifndef _WIN32
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#endif
#include "clock.h"
#ifdef __linux__
#include <sys/syscall.h>
#endif

/* Nanoseconds. A worker that sleeps on an idle processor has come within the first; the second
 * pays for a processor that was away for some 2 ms, as happens on idle machines. */
enum {
    S3S4_WAKING = 100 * 1000,
    S3S4_MOST_CREDIT = 10 * 1000 * 1000,
    S3S4_SHORTEST_REST = 20 * 1000 * 1000,
    S3S4_LONGEST_REST = 320 * 1000 * 1000,
    S3S4_REFUSED_REST = 1000 * 1000 * 1000
};
enum { S3S4_PRICE_OF_LATENESS = 4 };

/* Nanoseconds; how long a worker looks out, s3s4/_cpu/openmp.py says. */
enum { S3S4_AWAKE = 30 * 1000, S3S4_QUICK = 200 * 1000 };
/* Short loops in quick succession: so many before the workers are woken for one, and at most so many
 * after that was in vain. A team of more threads takes longer to start. */
enum { S3S4_FEWEST_SHORT = 32, S3S4_MOST_SHORT = 1024, S3S4_QUICK_TEAM = 4 };

static long s3s4_home_process;
static int s3s4_initial_threads;
static _Atomic int s3s4_resting_threads;          /* as many while it rests */
static _Atomic int64_t s3s4_rest_end, s3s4_rest; /* a time; how long it was */
static _Atomic int64_t s3s4_credit = S3S4_MOST_CREDIT;
static _Thread_local int s3s4_team_size = 1;     /* of the last team of this thread */
static _Thread_local int64_t s3s4_refused;       /* when a thread could not be started */
static _Thread_local int64_t s3s4_loop_end;      /* of the last team of this thread */
static _Thread_local int64_t s3s4_last_short;    /* when this thread came to its last short loop */
static _Thread_local int s3s4_short_loops;       /* so many in quick succession */
static _Thread_local int s3s4_enough_short = S3S4_FEWEST_SHORT;

/* No process of Windows is a child that goes on where its parent was. */
static long s3s4_process(void) {
#ifdef _WIN32
    return 0;
#else
    return (long)getpid();
#endif
}

static inline int s3s4_smaller(int a, int b) { return a < b ? a : b; }
static int s3s4_openmp_threads(void) { return omp_get_max_threads(); }
static int s3s4_openmp_processors(void) {
    int bound = 0;
    for (int place = 0; place < omp_get_num_places(); place++)
        bound += omp_get_place_num_procs(place);
    return bound ? s3s4_smaller(bound, omp_get_num_procs()) : omp_get_num_procs();
}

static void s3s4_threads_start(void) {
    s3s4_home_process = s3s4_process();
    s3s4_initial_threads = omp_get_max_threads();
    s3s4_process_threads = s3s4_smaller(s3s4_initial_threads, S3S4_MOST_THREADS);
}

/* The threads that a loop which starts here and now may use. */
static int s3s4_usable_threads(void) {
    const int wanted = s3s4_local_threads ? s3s4_local_threads : s3s4_process_threads;
    if (wanted == 1 || omp_in_parallel() || s3s4_process() != s3s4_home_process) return 1;
    const int here = omp_get_max_threads();
    return here < s3s4_initial_threads && here < wanted ? here : wanted;
}

/* Whether a loop, so many times as long as the shortest one that gains, finds its workers awake or
 * is worth waking them. */
static int s3s4_workers_are_awake(ptrdiff_t times) {
    const int64_t now = s3s4_now();
    s3s4_short_loops = now - s3s4_last_short < S3S4_QUICK ? s3s4_short_loops + 1 : 1;
    s3s4_last_short = now;
    if (now - s3s4_loop_end > S3S4_AWAKE && s3s4_short_loops < s3s4_enough_short) return 0;
    s3s4_short_loops = 0;
    return s3s4_usable_threads() <= times * S3S4_QUICK_TEAM;
}

#ifdef _WIN32
/* Threads run out with memory there, and not before. */
static int s3s4_possible_threads(int wanted) { return wanted; }
#else
struct s3s4_trial {
    pthread_mutex_t held;
    struct s3s4_trial_thread {
        struct s3s4_trial *trial;
        pthread_t thread;
        long id;
    } threads[];
};

static void *s3s4_trial_thread(void *argument) {
    struct s3s4_trial_thread *self = argument;
#ifdef __linux__
    self->id = syscall(SYS_gettid);
#endif
    pthread_mutex_lock(&self->trial->held);
    pthread_mutex_unlock(&self->trial->held);
    return NULL;
}

/* How many more threads there can be at once, up to so many. */
static int s3s4_possible_threads(int wanted) {
    struct s3s4_trial *trial = NULL;
    int started = 0;
    if (wanted > 0) trial = malloc(sizeof *trial + (size_t)wanted * sizeof *trial->threads);
    if (!trial) return 0;
    pthread_mutex_init(&trial->held, NULL);
    pthread_mutex_lock(&trial->held);
    for (; started < wanted; started++) {
        struct s3s4_trial_thread *one = &trial->threads[started];
        one->trial = trial;
        if (pthread_create(&one->thread, NULL, s3s4_trial_thread, one)) break;
    }
    pthread_mutex_unlock(&trial->held);
    for (int i = 0; i < started; i++) {
        pthread_join(trial->threads[i].thread, NULL);
#ifdef __linux__
        /* It counts among the user's until the system has forgotten it. */
        while (!syscall(SYS_tgkill, getpid(), trial->threads[i].id, 0)) sched_yield();
#endif
    }
    pthread_mutex_destroy(&trial->held);
    free(trial);
    return started;
}
#endif

/* The threads that libgomp has room for on the stack of the calling one: 128 bytes for each. */
static int s3s4_threads_on_stack(int wanted) {
#ifdef __GLIBC__
    pthread_attr_t attributes;
    void *lowest;
    size_t size;
    if (wanted > 64 && !pthread_getattr_np(pthread_self(), &attributes)) {
        pthread_attr_getstack(&attributes, &lowest, &size);
        pthread_attr_destroy(&attributes);
        const ptrdiff_t room = ((char *)&attributes - (char *)lowest) / 2 / 128;
        if (room < wanted) return room < 64 ? 64 : (int)room;
    }
#endif
    return wanted;
}

/* The threads a loop starts with: not more than pay, and not more than can be had. */
static int s3s4_team_threads(void) {
    int threads = s3s4_usable_threads();
    if (threads == 1) return 1;
    if (!s3s4_local_threads && s3s4_rest_end && s3s4_now() < s3s4_rest_end)
        threads = s3s4_smaller(threads, s3s4_resting_threads);
    if (threads > s3s4_team_size) {
        if (s3s4_refused && s3s4_now() < s3s4_refused + S3S4_REFUSED_REST) return s3s4_team_size;
        const int more = s3s4_threads_on_stack(threads) - s3s4_team_size;
        const int possible = s3s4_team_size + s3s4_possible_threads(more);
        s3s4_refused = possible < threads ? s3s4_now() : 0;
        threads = possible;
    }
    if (threads > 1) s3s4_team_size = threads; /* libgomp ends the threads that are too many */
    return threads;
}

/* One parallel loop, as the thread sees it that started it. */
typedef struct {
    int threads;
    ptrdiff_t tasks, own;
    int64_t start, own_end;
} s3s4_team;

static void s3s4_team_begin(s3s4_team *team, int threads, ptrdiff_t tasks) {
    team->threads = threads;
    team->tasks = tasks;
    team->own = 0;
    team->start = s3s4_now();
}

static inline void s3s4_team_did_task(s3s4_team *team) {
    if (omp_get_thread_num() == 0) {
        team->own++;
        team->own_end = s3s4_now();
    }
}

static void s3s4_team_end(const s3s4_team *team) {
    const int64_t now = s3s4_now(), fewer = team->threads / 2;
    const int was_awake = team->start - s3s4_loop_end < S3S4_AWAKE;
    s3s4_loop_end = now;
    if (!team->own) return;
    const int64_t alone = (team->own_end - team->start) * team->tasks / team->own;
    if (was_awake && now - team->start > alone) {
        s3s4_enough_short = s3s4_smaller(2 * s3s4_enough_short, S3S4_MOST_SHORT);
        s3s4_loop_end = 0;
    } else if (was_awake) {
        s3s4_enough_short -= (s3s4_enough_short - S3S4_FEWEST_SHORT + 15) / 16;
    }
    if (s3s4_local_threads) return;
    const int64_t saved = alone / fewer - (now - team->start);
    const int is_late = saved < -S3S4_WAKING;
    const int64_t credit = s3s4_credit + (is_late ? S3S4_PRICE_OF_LATENESS * saved : saved);
    if (credit >= 0 || !is_late) {
        s3s4_credit = credit < 0 ? 0 : credit < S3S4_MOST_CREDIT ? credit : S3S4_MOST_CREDIT;
        return;
    }
    int64_t rest = s3s4_rest;
    if (rest && now < s3s4_rest_end + 2 * rest)
        rest = 2 * rest < S3S4_LONGEST_REST ? 2 * rest : S3S4_LONGEST_REST;
    else
        rest = S3S4_SHORTEST_REST;
    s3s4_credit = 0;
    s3s4_rest = rest;
    s3s4_resting_threads = (int)fewer;
    s3s4_rest_end = now + rest;
}

#else
typedef int s3s4_team;
static void s3s4_threads_start(void) {}
static int s3s4_openmp_threads(void) { return 1; }
static int s3s4_openmp_processors(void) { return 1; }
static int s3s4_usable_threads(void) { return 1; }
static int s3s4_team_threads(void) { return 1; }
static int s3s4_workers_are_awake(ptrdiff_t times) { (void)times; return 0; }
static void s3s4_team_begin(s3s4_team *team, int threads, ptrdiff_t tasks) {
    (void)team, (void)threads, (void)tasks;
}
static inline void s3s4_team_did_task(s3s4_team *team) { (void)team; }
static void s3s4_team_end(const s3s4_team *team) { (void)team; }
#endif

static int s3s4_openmp_version(void) {
#ifdef _OPENMP
    return _OPENMP;
#else
    return 0;
#endif
}

#endif
