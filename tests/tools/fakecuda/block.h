/* block.h: the threads of a block, for a kernel that ptx.py has made C of.
 *
 * Design:
 * - Threads run one after the other; where a kernel has barriers they are coroutines, which run from
 *   barrier to barrier, every other time in reverse: the order must not matter.
 * - Shared memory has a shadow: for each word who wrote and who read it since the last barrier. Two
 *   threads of which one writes, without a barrier between them, are a race in whatever order.
 */
#ifndef FAKECUDA_BLOCK_H
#define FAKECUDA_BLOCK_H

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "launch.h"

enum { STACK = 96 * 1024, WORD = 4, MANY = -1 };
enum { RUNS, WAITS, ENDED };

/* Threads count from 1: 0 is nobody. Both hold in the epoch they are of. */
typedef struct {
    uint32_t write_epoch, read_epoch;
    int writer, reader;
} Shadow;

typedef struct {
    Dim tid, ntid, ctaid, nctaid;
    const Launch *launch;
    char *shared;
    Shadow *shadow;
    uint32_t shared_size, epoch, index;
    int number, state;
    ucontext_t context, *back;
} Thread;

static inline float F32(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline double F64(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What a register holds before anything is written to it. */
#define POISON_f32 F32(0x7fbadbadu)
#define POISON_f64 F64(0x7ff7badbadbadbadull)
#define POISON_b16 0xbadbu
#define POISON_b32 0xbadbadbau
#define POISON_b64 0xbadbadbadbadbadbull
#define POISON_pred 0

#define BITS(to, from)                                                                   \
    do {                                                                                 \
        _Static_assert(sizeof(to) == sizeof(from), "registers of different sizes");      \
        memcpy(&(to), &(from), sizeof(to));                                              \
    } while (0)

/* What .rn says: a product or a sum that is not to be fused with another operation. */
static inline float rounded_f32(float x) {
    __asm__("" : "+x"(x));
    return x;
}
static inline double rounded_f64(double x) {
    __asm__("" : "+x"(x));
    return x;
}

/* By the processor, without immintrin.h: it takes ten times as long to compile as a kernel. */
typedef short Halves __attribute__((vector_size(16)));
typedef float Floats __attribute__((vector_size(16)));
static inline float float_from_half(uint16_t half) {
    return __builtin_ia32_vcvtph2ps((Halves){(short)half})[0];
}
static inline uint16_t half_from_float(float value) {
    return (uint16_t)__builtin_ia32_vcvtps2ph((Floats){value}, 0)[0];
}

/* rcp.approx.ftz: within one unit in the last place, subnormal numbers are 0 on both sides. */
static inline float approximate_reciprocal(const Launch *launch, float x) {
    uint32_t bits, result;
    memcpy(&bits, &x, sizeof bits);
    if (isnan(x)) return F32(0x7fffffffu);
    if (!(bits & 0x7f800000u)) return F32((bits & 0x80000000u) | 0x7f800000u);
    if (isinf(x)) return F32(bits & 0x80000000u);
    const float exact = (float)(1.0 / (double)x);
    memcpy(&result, &exact, sizeof result);
    if (bits & 0x7fffffu) result += (uint32_t)launch->approximation_off;
    if (!(result & 0x7f800000u)) result &= 0x80000000u;
    return F32(result);
}

/* ex2.approx.ftz: within two units in the last place, subnormal numbers are 0 on both sides. */
static inline float approximate_exp2(const Launch *launch, float x) {
    uint32_t result;
    if (isnan(x)) return F32(0x7fffffffu);
    const float exact = (float)exp2((double)x);
    memcpy(&result, &exact, sizeof result);
    if (!(result & 0x7f800000u)) return 0;
    if (x != rintf(x) && !isinf(exact)) result += 2 * (uint32_t)launch->approximation_off;
    return F32(result);
}

static inline int divisor(const Thread *t, int is_not_zero) {
    if (!is_not_zero) t->launch->complain("division of integers by zero", 0, 0, t->index);
    return is_not_zero;
}

static inline char *read_global(Thread *t, uint64_t address, int size) {
    return t->launch->access(address, size, READ, t->index, t->launch->number);
}
static inline char *write_global(Thread *t, uint64_t address, int size) {
    return t->launch->access(address, size, WRITE, t->index, t->launch->number);
}

static char *access_shared(Thread *t, uint64_t address, int size, int how) {
    static char nowhere[16];
    const Launch *launch = t->launch;
    if (address + (uint64_t)size > t->shared_size || address % (uint64_t)size) {
        launch->complain("shared memory: out of bounds or not aligned", address, size, t->index);
        return nowhere;
    }
    for (uint64_t word = address / WORD; word <= (address + (uint64_t)size - 1) / WORD; word++) {
        Shadow *s = t->shadow + word;
        const int wrote =
            s->write_epoch == t->epoch && s->writer && s->writer != t->number;
        const int read = s->read_epoch == t->epoch && s->reader && s->reader != t->number;
        if (how == READ && !s->writer)
            launch->complain("shared memory: nothing was written there", address, size, t->index);
        if (wrote || (how == WRITE && read))
            launch->complain("shared memory: race between barriers", address, size, t->index);
        if (how == WRITE) {
            s->write_epoch = t->epoch;
            s->writer = t->number;
        } else {
            s->reader = read ? MANY : t->number;
            s->read_epoch = t->epoch;
        }
    }
    return t->shared + address;
}
static inline char *read_shared(Thread *t, uint64_t address, int size) {
    return access_shared(t, address, size, READ);
}
static inline char *write_shared(Thread *t, uint64_t address, int size) {
    return access_shared(t, address, size, WRITE);
}

static inline void barrier(Thread *t) {
    t->state = WAITS;
    swapcontext(&t->context, t->back);
}

typedef void Body(Thread *restrict);
static Body *body_to_start;
static Thread *thread_to_start;
static void start(void) {
    Thread *t = thread_to_start;
    body_to_start(t);
    t->state = ENDED;
    swapcontext(&t->context, t->back);
}

static void run_to_the_end(const Launch *launch, Thread *threads, int count) {
    for (uint32_t epoch = 1;; epoch++) {
        int waiting = 0, ended = 0;
        for (int k = 0; k < count; k++) {
            Thread *t = threads + (epoch % 2 ? k : count - 1 - k);
            if (t->state != ENDED) {
                t->epoch = epoch;
                t->state = RUNS;
                thread_to_start = t;
                swapcontext(t->back, &t->context);
            }
            waiting += t->state == WAITS;
            ended += t->state == ENDED;
        }
        if (!waiting) return;
        if (ended) {
            launch->complain("barrier: some threads of the block have ended", 0, 0, 0);
            return;
        }
    }
}

static void run(const Launch *launch, Body *body, int shared_size, int has_barriers) {
    const Dim block = launch->block, grid = launch->grid;
    const int count = (int)(block.x * block.y * block.z);
    const size_t words = (size_t)shared_size / WORD + 1;
    char *shared = malloc((size_t)shared_size + 1);
    Shadow *shadow = malloc(words * sizeof *shadow);
    Thread *threads = calloc((size_t)count, sizeof *threads);
    char *stacks = has_barriers ? malloc((size_t)count * STACK) : NULL;
    ucontext_t back;
    if (!shared || !shadow || !threads || (has_barriers && !stacks)) abort();
    body_to_start = body;
    for (uint32_t number = 0; number < grid.x * grid.y * grid.z; number++) {
        memset(shadow, 0, words * sizeof *shadow);
        for (int i = 0; i < count; i++) {
            const uint32_t u = (uint32_t)i;
            Thread *t = threads + i;
            *t = (Thread){
                .tid = {u % block.x, u / block.x % block.y, u / block.x / block.y},
                .ntid = block,
                .ctaid = {number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y},
                .nctaid = grid,
                .launch = launch,
                .shared = shared,
                .shadow = shadow,
                .shared_size = (uint32_t)shared_size,
                .epoch = 1,
                .index = number * (uint32_t)count + u,
                .number = i + 1,
                .back = &back,
            };
            if (!has_barriers) {
                body(t);
                continue;
            }
            getcontext(&t->context);
            t->context.uc_stack.ss_sp = stacks + (size_t)i * STACK;
            t->context.uc_stack.ss_size = STACK;
            makecontext(&t->context, start, 0);
        }
        if (has_barriers) run_to_the_end(launch, threads, count);
    }
    free(stacks);
    free(threads);
    free(shadow);
    free(shared);
}

#endif
