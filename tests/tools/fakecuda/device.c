/* device.c: the memory of a GPU that is not there, with the checks that a card does not make.
 *
 * Design:
 * - Addresses of the device belong to a range that the host may not touch: a pointer that is used
 *   on the wrong side ends the program where it is used. The bytes lie elsewhere.
 * - Managed memory is what both sides may touch: the host is given the place of the bytes itself.
 * - Every byte knows whether it was written. Every two bytes know who wrote and who read them in
 *   which launch: threads of one launch are not ordered, so two of them of which one writes race.
 * - Freed addresses are not handed out again.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "device.h"

enum { ALIGNED = 512, GAP = 4096, PAGE = 4096, CELL = 2, BLOCKS = 1 << 20 };
enum { KEPT = 200, LENGTH = 200 }; /* complaints */
#define SPAN (16ull << 30)
#define MANY 0xffffffffu

typedef struct {
    uint32_t write_launch, writer, read_launch, reader;
} Cell;

static char *addresses, *bytes, *written;
static Cell *cells;
static Block blocks[BLOCKS];
static int block_count, current_device;
static uint64_t top = GAP;
static uint32_t launches;
static char complaints[KEPT][2 * LENGTH];
static int complaint_count;

static void *reserve(uint64_t size, int protection) {
    void *start = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        perror("fakecuda: mmap");
        abort();
    }
    return start;
}

__attribute__((constructor)) static void begin(void) {
    addresses = reserve(SPAN, PROT_NONE);
    bytes = reserve(SPAN, PROT_READ | PROT_WRITE);
    written = reserve(SPAN, PROT_READ | PROT_WRITE);
    cells = reserve(SPAN / CELL * sizeof(Cell), PROT_READ | PROT_WRITE);
}

void complain(const char *what, uint64_t address, int size, uint32_t thread) {
    if (complaint_count < KEPT)
        snprintf(complaints[complaint_count], sizeof *complaints,
                 "%s (%d bytes at %#llx, thread %u, launch %u)", what, size,
                 (unsigned long long)address, thread, launches);
    complaint_count++;
}

static int is_managed(uint64_t address) { return address - (uint64_t)bytes < SPAN; }

/* The address that a block of any kind is listed under. */
static uint64_t listed(uint64_t address) {
    return is_managed(address) ? address - (uint64_t)bytes + (uint64_t)addresses : address;
}

Block *find(uint64_t address) {
    const uint64_t wanted = listed(address);
    int low = 0, high = block_count - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (blocks[middle].start <= wanted) low = middle;
        else high = middle - 1;
    }
    Block *block = block_count && blocks[low].start <= wanted ? blocks + low : NULL;
    const int is_in = block && wanted < block->start + (block->size ? block->size : 1);
    return is_in && block->is_managed == is_managed(address) ? block : NULL;
}

uint64_t start_of(const Block *block) {
    const uint64_t offset = block->start - (uint64_t)addresses;
    return block->is_managed ? (uint64_t)bytes + offset : block->start;
}

static int is_within(const Block *block, uint64_t address, uint64_t size) {
    return block && listed(address) + size <= block->start + block->size;
}

static void check_race(uint64_t offset, uint64_t address, int size, int how, uint32_t thread,
                       uint32_t launch) {
    for (uint64_t c = offset / CELL; c <= (offset + (uint64_t)size - 1) / CELL; c++) {
        Cell *cell = cells + c;
        const int others_wrote = cell->write_launch == launch && cell->writer != thread;
        const int others_read = cell->read_launch == launch && cell->reader != thread;
        if (others_wrote || (how == WRITE && others_read)) {
            complain(how == WRITE ? "race of a write" : "race of a read", address, size, thread);
            return;
        }
        if (how == WRITE) {
            cell->write_launch = launch;
            cell->writer = thread;
        } else {
            cell->reader = others_read ? MANY : thread;
            cell->read_launch = launch;
        }
    }
}

static char *checked(uint64_t address, int size, int how, uint32_t thread, uint32_t launch) {
    static char nowhere[16];
    static const Block *last; /* most accesses are of the block of the one before */
    const Block *block =
        last && address - last->start < last->size && !last->is_managed ? last : find(address);
    const char *verb = how == WRITE ? "write" : "read";
    char text[LENGTH];
    if (!is_within(block, address, (uint64_t)size) || !block->is_alive) {
        snprintf(text, sizeof text, "%s of memory that is %s", verb,
                 is_within(block, address, (uint64_t)size) ? "freed" : "out of bounds");
        complain(text, address, size, thread);
        return nowhere;
    }
    last = block;
    if (block->device != current_device && !block->is_managed)
        complain("access of another device's memory", address, size, thread);
    if (address % (uint64_t)size) {
        snprintf(text, sizeof text, "%s that is not aligned", verb);
        complain(text, address, size, thread);
    }
    const uint64_t offset = listed(address) - (uint64_t)addresses;
    if (how == READ && memchr(written + offset, 0, (size_t)size))
        complain("read of memory that nothing was written to", address, size, thread);
    check_race(offset, address, size, how, thread, launch);
    if (how == WRITE) memset(written + offset, 1, (size_t)size);
    return bytes + offset;
}

static Block *reserved(uint64_t size, int device) {
    if (block_count == BLOCKS || top + size + GAP > SPAN) return NULL;
    Block *block = blocks + block_count++;
    *block = (Block){(uint64_t)addresses + top, size, 1, 0, device};
    top += (size + ALIGNED - 1) / ALIGNED * ALIGNED + GAP;
    return block;
}

/* --- What Python and the driver call --- */

uint64_t fake_allocate(uint64_t size, int device) {
    const Block *block = reserved(size, device);
    return block ? block->start : 0;
}

void *fake_allocate_managed(uint64_t size, int device) {
    Block *block = reserved(size, device);
    if (!block) return NULL;
    const uint64_t offset = block->start - (uint64_t)addresses;
    block->is_managed = 1;
    memset(written + offset, 1, size); /* by the host, perhaps: nobody can tell */
    return bytes + offset;
}

int fake_free(uint64_t address) {
    Block *block = find(address);
    if (!block || block->start != listed(address) || !block->is_alive) {
        complain("free of what is not allocated", address, 0, 0);
        return 0;
    }
    block->is_alive = 0;
    /* Whole pages go back to the system. */
    const uint64_t offset = block->start - (uint64_t)addresses;
    const uint64_t from = (offset + PAGE - 1) / PAGE * PAGE;
    const uint64_t to = (offset + block->size) / PAGE * PAGE;
    if (from < to) {
        madvise(bytes + from, to - from, MADV_DONTNEED);
        madvise(written + from, to - from, MADV_DONTNEED);
        madvise(cells + from / CELL, (to - from) / CELL * sizeof(Cell), MADV_DONTNEED);
    }
    return 1;
}

/* The bytes behind a range, if it may be copied to or from. */
static char *range(uint64_t address, uint64_t size, const char *what) {
    const Block *block = find(address);
    if (!is_within(block, address, size) || !block->is_alive) {
        char text[LENGTH];
        snprintf(text, sizeof text, "%s memory that is %s", what,
                 is_within(block, address, size) ? "freed" : "out of bounds");
        complain(text, address, (int)size, 0);
        return NULL;
    }
    return bytes + (listed(address) - (uint64_t)addresses);
}

void fake_write(uint64_t address, const void *from, uint64_t size) {
    char *place = size ? range(address, size, "copy to") : NULL;
    if (!place) return;
    memcpy(place, from, size);
    memset(written + (place - bytes), 1, size);
}

void fake_read(void *to, uint64_t address, uint64_t size) {
    const char *place = size ? range(address, size, "copy of") : NULL;
    if (!place) return;
    if (memchr(written + (place - bytes), 0, size))
        complain("copy of memory that nothing was written to", address, (int)size, 0);
    memcpy(to, place, size);
}

void fake_move(uint64_t to, uint64_t from, uint64_t size) {
    char *target = size ? range(to, size, "copy to") : NULL;
    const char *source = size ? range(from, size, "copy of") : NULL;
    if (!target || !source) return;
    memmove(target, source, size);
    memmove(written + (target - bytes), written + (source - bytes), size);
}

void fake_fill(uint64_t address, uint32_t value, int width, uint64_t count) {
    char *place = count ? range(address, count * (uint64_t)width, "filling of") : NULL;
    if (!place) return;
    if (address % (uint64_t)width) complain("filling that is not aligned", address, width, 0);
    for (uint64_t i = 0; i < count; i++) memcpy(place + i * (uint64_t)width, &value, (size_t)width);
    memset(written + (place - bytes), 1, count * (uint64_t)width);
}

void fake_launch(void (*kernel)(const Launch *), const Dim *grid, const Dim *block,
                 void **parameters, int approximation_off, int device) {
    const Launch launch = {*grid,          *block,  parameters, ++launches,
                           approximation_off, checked, complain};
    current_device = device;
    kernel(&launch);
}

int fake_complaint_count(void) { return complaint_count; }

const char *fake_complaint(int index) {
    return index < complaint_count && index < KEPT ? complaints[index] : NULL;
}

void fake_forget(void) { complaint_count = 0; }
