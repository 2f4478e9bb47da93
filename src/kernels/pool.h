/* pool.h: an allocator for NumPy that keeps large blocks for the next array.
 *
 * Design:
 * - Memory fresh from the system is cleared, page by page, while a kernel first writes to it: more
 *   than half the time of a large new output. A block that was one before has its pages.
 * - NumPy asks an array's own allocator to free it (NEP 49), so that a block comes back whoever
 *   lets go of it last, and no array is ever touched that was not made here.
 * - Each block begins with its size, since NumPy does not tell it when an array is resized. Data
 *   begin where a huge page does.
 * - The newest of the blocks that fit is taken: it may still be in the caches. What is too large to
 *   be kept goes back to the system, the oldest first.
 * - A child of fork() gives back what its parent kept: pages of both would be copied when the parent
 *   writes to them.
 */
#ifndef S3S4_POOL_H
#define S3S4_POOL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#endif

enum { S3S4_KEPT_BLOCKS = 64 };
#define S3S4_LEAST_BLOCK ((size_t)1 << 20)
#define S3S4_HUGE_PAGE ((size_t)2 << 20)

/* Before the data of every block, of any size. */
typedef struct {
    void *start;     /* what the system gave */
    size_t room;     /* for data */
    size_t mapped;   /* bytes from start; 0: from malloc */
} s3s4_block;

/* Data after a header begin as aligned as malloc's. */
enum { S3S4_HEADER = 64 };

static struct {
    atomic_flag busy;
    size_t most, held;                  /* bytes */
    int count;
    s3s4_block *blocks[S3S4_KEPT_BLOCKS]; /* the oldest first */
} s3s4_pool = {.busy = ATOMIC_FLAG_INIT};

static void s3s4_pool_enter(void) {
    while (atomic_flag_test_and_set_explicit(&s3s4_pool.busy, memory_order_acquire)) continue;
}
static void s3s4_pool_leave(void) {
    atomic_flag_clear_explicit(&s3s4_pool.busy, memory_order_release);
}

static inline void *s3s4_block_data(s3s4_block *block) { return (char *)block + S3S4_HEADER; }
static inline s3s4_block *s3s4_block_of(void *data) {
    return (s3s4_block *)((char *)data - S3S4_HEADER);
}

static s3s4_block *s3s4_block_new(size_t bytes) {
    char *start = NULL, *data;
    size_t mapped = 0;
    s3s4_block *block;
    if (bytes > SIZE_MAX - 4 * S3S4_HUGE_PAGE) return NULL;
#ifdef MAP_ANONYMOUS
    if (bytes >= S3S4_LEAST_BLOCK) {
        /* The header has a small page of its own before the data; what else is there goes back. */
        const size_t page = (size_t)sysconf(_SC_PAGESIZE);
        bytes = (bytes + S3S4_HUGE_PAGE - 1) & ~(S3S4_HUGE_PAGE - 1);
        char *all = mmap(NULL, bytes + 2 * S3S4_HUGE_PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED) return NULL;
        data = (char *)(((size_t)all + S3S4_HUGE_PAGE) & ~(S3S4_HUGE_PAGE - 1));
        start = data - page;
        mapped = page + bytes;
        if (start > all) munmap(all, (size_t)(start - all));
        munmap(data + bytes, (size_t)(all + 2 * S3S4_HUGE_PAGE - data));
#ifdef MADV_HUGEPAGE
        madvise(data, bytes, MADV_HUGEPAGE);
#endif
    }
#endif
    if (!mapped) {
        start = malloc(bytes + S3S4_HEADER);
        if (!start) return NULL;
        data = start + S3S4_HEADER;
    }
    block = s3s4_block_of(data);
    *block = (s3s4_block){start, bytes, mapped};
    return block;
}

static void s3s4_block_free(s3s4_block *block) {
#ifdef MAP_ANONYMOUS
    if (block->mapped) {
        munmap(block->start, block->mapped);
        return;
    }
#endif
    free(block->start);
}

/* Out of the pool; the caller has entered it. */
static s3s4_block *s3s4_pool_remove(int index) {
    s3s4_block *block = s3s4_pool.blocks[index];
    s3s4_pool.count--;
    s3s4_pool.held -= block->room;
    memmove(&s3s4_pool.blocks[index], &s3s4_pool.blocks[index + 1],
            (size_t)(s3s4_pool.count - index) * sizeof block);
    return block;
}

/* Keep no more than so many bytes, and give back what is kept now. */
static void s3s4_pool_set(size_t most) {
    s3s4_block *old[S3S4_KEPT_BLOCKS];
    int count = 0;
    s3s4_pool_enter();
    s3s4_pool.most = most;
    while (s3s4_pool.count) old[count++] = s3s4_pool_remove(0);
    s3s4_pool_leave();
    while (count) s3s4_block_free(old[--count]);
}

static void *s3s4_pool_take(void *context, size_t bytes) {
    s3s4_block *block = NULL;
    (void)context;
    if (bytes >= S3S4_LEAST_BLOCK) {
        s3s4_pool_enter();
        for (int i = s3s4_pool.count - 1; i >= 0 && !block; i--) {
            const size_t room = s3s4_pool.blocks[i]->room;
            if (bytes <= room && room - bytes <= bytes / 4 + S3S4_HUGE_PAGE)
                block = s3s4_pool_remove(i);
        }
        s3s4_pool_leave();
    }
    if (!block) block = s3s4_block_new(bytes);
    return block ? s3s4_block_data(block) : NULL;
}

static void *s3s4_pool_take_zeros(void *context, size_t count, size_t bytes) {
    (void)context;
    if (bytes && count > SIZE_MAX / bytes) return NULL;
    s3s4_block *block = s3s4_block_new(count * bytes);
    if (!block) return NULL;
    /* What is mapped is zero. */
    return block->mapped ? s3s4_block_data(block) : memset(s3s4_block_data(block), 0, count * bytes);
}

static void s3s4_pool_give(void *context, void *data, size_t bytes) {
    s3s4_block *old[S3S4_KEPT_BLOCKS], *block;
    int count = 0;
    (void)context, (void)bytes;
    if (!data) return;
    block = s3s4_block_of(data);
    if (block->room >= S3S4_LEAST_BLOCK) {
        s3s4_pool_enter();
        if (block->room <= s3s4_pool.most) {
            while (s3s4_pool.count == S3S4_KEPT_BLOCKS ||
                   s3s4_pool.held + block->room > s3s4_pool.most)
                old[count++] = s3s4_pool_remove(0);
            s3s4_pool.blocks[s3s4_pool.count++] = block;
            s3s4_pool.held += block->room;
            block = NULL;
        }
        s3s4_pool_leave();
    }
    if (block) s3s4_block_free(block);
    while (count) s3s4_block_free(old[--count]);
}

static void *s3s4_pool_resize(void *context, void *data, size_t bytes) {
    if (!data) return s3s4_pool_take(context, bytes);
    s3s4_block *block = s3s4_block_of(data);
    if (bytes <= block->room) return data;
    void *moved = s3s4_pool_take(context, bytes);
    if (!moved) return NULL;
    memcpy(moved, data, block->room);
    s3s4_pool_give(context, data, block->room);
    return moved;
}

#if defined(__unix__) || defined(__APPLE__)
static void s3s4_pool_forked(void) {
    while (s3s4_pool.count) s3s4_block_free(s3s4_pool_remove(0));
    s3s4_pool_leave();
}
static int s3s4_pool_start(void) {
    return pthread_atfork(s3s4_pool_enter, s3s4_pool_leave, s3s4_pool_forked);
}
#else
static int s3s4_pool_start(void) { return 0; }
#endif

#endif
