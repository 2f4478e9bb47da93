/* device.c: the memory of a GPU that is not there, with the checks that a card does not make.
 *
 * Design:
 * - Addresses of the device belong to a range that the host may not touch: a pointer that is used
 *   on the wrong side ends the program where it is used. The bytes lie elsewhere.
 * - Every byte knows whether it was written. Every two bytes know who wrote and who read them in
 *   which launch: threads of one launch are not ordered, so two of them of which one writes race.
 * - Freed addresses are not handed out again.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "launch.h"

enum { ALIGNED = 512, GAP = 4096, KEPT = 200, LENGTH = 200, CELL = 2, BLOCKS = 1 << 16 };
#define SPAN (4ull << 30)
#define MANY 0xffffffffu

typedef struct {
    uint32_t write_launch, writer, read_launch, reader;
} Cell;
typedef struct {
    uint64_t start, size;
    int is_alive;
} Block;

static char *addresses, *bytes, *written;
static Cell *cells;
static Block blocks[BLOCKS];
static int block_count;
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

static void complain(const char *what, uint64_t address, int size, uint32_t thread) {
    if (complaint_count < KEPT)
        snprintf(complaints[complaint_count], sizeof *complaints, "%s (%d bytes at %#llx, thread %u, launch %u)",
                 what, size, (unsigned long long)address, thread, launches);
    complaint_count++;
}

static Block *find(uint64_t address) {
    int low = 0, high = block_count - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (blocks[middle].start <= address) low = middle;
        else high = middle - 1;
    }
    return block_count && blocks[low].start <= address ? blocks + low : NULL;
}

static int is_within(const Block *block, uint64_t address, uint64_t size) {
    return block && address + size <= block->start + block->size;
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
    const Block *block = find(address);
    const char *verb = how == WRITE ? "write" : "read";
    char text[LENGTH];
    if (!is_within(block, address, (uint64_t)size) || !block->is_alive) {
        snprintf(text, sizeof text, "%s of memory that is %s", verb,
                 is_within(block, address, (uint64_t)size) ? "freed" : "out of bounds");
        complain(text, address, size, thread);
        return nowhere;
    }
    if (address % (uint64_t)size) {
        snprintf(text, sizeof text, "%s that is not aligned", verb);
        complain(text, address, size, thread);
    }
    const uint64_t offset = address - (uint64_t)addresses;
    if (how == READ && memchr(written + offset, 0, (size_t)size))
        complain("read of memory that nothing was written to", address, size, thread);
    check_race(offset, address, size, how, thread, launch);
    if (how == WRITE) memset(written + offset, 1, (size_t)size);
    return bytes + offset;
}

/* --- What Python calls --- */

uint64_t fake_allocate(uint64_t size) {
    if (block_count == BLOCKS || top + size + GAP > SPAN) return 0;
    blocks[block_count++] = (Block){(uint64_t)addresses + top, size, 1};
    const uint64_t start = blocks[block_count - 1].start;
    top += (size + ALIGNED - 1) / ALIGNED * ALIGNED + GAP;
    return start;
}

void fake_free(uint64_t address) {
    Block *block = find(address);
    if (!block || block->start != address || !block->is_alive)
        complain("free of what is not allocated", address, 0, 0);
    else block->is_alive = 0;
}

void fake_write(uint64_t address, const void *from, uint64_t size) {
    if (!is_within(find(address), address, size)) {
        complain("copy to memory that is out of bounds", address, (int)size, 0);
        return;
    }
    memcpy(bytes + (address - (uint64_t)addresses), from, size);
    memset(written + (address - (uint64_t)addresses), 1, size);
}

void fake_read(void *to, uint64_t address, uint64_t size) {
    if (!is_within(find(address), address, size)) {
        complain("copy of memory that is out of bounds", address, (int)size, 0);
        return;
    }
    if (size && memchr(written + (address - (uint64_t)addresses), 0, size))
        complain("copy of memory that nothing was written to", address, (int)size, 0);
    memcpy(to, bytes + (address - (uint64_t)addresses), size);
}

void fake_launch(void (*kernel)(const Launch *), const Dim *grid, const Dim *block,
                 void **parameters, int reciprocal_off) {
    const Launch launch = {*grid, *block, parameters, ++launches, reciprocal_off, checked, complain};
    kernel(&launch);
}

int fake_complaint_count(void) { return complaint_count; }

const char *fake_complaint(int index) {
    return index < complaint_count && index < KEPT ? complaints[index] : NULL;
}

void fake_forget(void) { complaint_count = 0; }
