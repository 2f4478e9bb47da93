/* memory.c: memory of devices and pinned memory of the host, and copies between them. */
#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum { PINNED = 4096 };

static uint64_t used;
static struct {
    uint64_t start, size;
} pinned[PINNED];

static int device(void) { return current() ? current()->device : 0; }

Result cuMemGetInfo(size_t *available, size_t *size) {
    ENTER;
    *size = (size_t)settings.memory;
    *available = *size > used ? *size - used : 0;
    return SUCCESS;
}
static Result allocated(uint64_t *address, size_t size, int is_managed) {
    if (!current()) return INVALID_CONTEXT;
    if (!size) return INVALID_VALUE;
    if (used + size > (uint64_t)settings.memory) return OUT_OF_MEMORY;
    const int own = current()->device;
    *address = is_managed ? (uint64_t)fake_allocate_managed(size, own)
                          : fake_allocate(size, own);
    if (!*address) return OUT_OF_MEMORY;
    used += size;
    return SUCCESS;
}
Result cuMemAlloc(uint64_t *address, size_t size) {
    ENTER;
    if (is_capturing()) return CAPTURE_UNSUPPORTED;
    return allocated(address, size, 0);
}
Result cuMemAllocManaged(uint64_t *address, size_t size, unsigned flags) {
    ENTER;
    (void)flags;
    return allocated(address, size, 1);
}
Result cuMemFree(uint64_t address) {
    ENTER;
    if (!address) return SUCCESS;
    if (is_capturing()) return CAPTURE_UNSUPPORTED;
    const Block *block = find(address);
    if (!settings.free_at_once) finish_everything();
    if (!fake_free(address)) return INVALID_VALUE;
    used -= block->size;
    return SUCCESS;
}
/* Both in the order of a stream; the address is there at once. */
Result cuMemAllocAsync(uint64_t *address, size_t size, const void *stream) {
    ENTER;
    if (!stream_of(stream, device())) return INVALID_HANDLE;
    return allocated(address, size, 0);
}
Result cuMemFreeAsync(uint64_t address, const void *handle) {
    ENTER;
    Stream *stream = stream_of(handle, device());
    const Block *block = find(address);
    if (!stream) return INVALID_HANDLE;
    if (!block) return INVALID_VALUE;
    used -= block->size;
    Work *work = new_work(FREE);
    work->to = address;
    enqueue(stream, work);
    return SUCCESS;
}
static int is_pinned(const void *start, uint64_t size) {
    for (int i = 0; i < PINNED; i++)
        if ((uint64_t)start - pinned[i].start + size <= pinned[i].size &&
            (uint64_t)start >= pinned[i].start)
            return 1;
    return 0;
}
Result cuMemHostAlloc(void **start, size_t size, unsigned flags) {
    ENTER;
    (void)flags;
    for (int i = 0; i < PINNED; i++)
        if (!pinned[i].start) {
            *start = malloc(size + 1);
            if (!*start) return OUT_OF_MEMORY;
            memset(*start, 0xa5, size); /* nobody may count on zeros */
            pinned[i].start = (uint64_t)*start;
            pinned[i].size = size;
            return SUCCESS;
        }
    return OUT_OF_MEMORY;
}
Result cuMemFreeHost(void *start) {
    ENTER;
    finish_everything();
    for (int i = 0; i < PINNED; i++)
        if (start && pinned[i].start == (uint64_t)start) {
            pinned[i].start = pinned[i].size = 0;
            free(start);
            return SUCCESS;
        }
    complain("free of memory of the host that is not allocated", (uint64_t)start, 0, 0);
    return INVALID_VALUE;
}
Result cuMemGetAddressRange(uint64_t *start, size_t *size, uint64_t address) {
    ENTER;
    const Block *block = find(address);
    if (!block) return INVALID_VALUE;
    if (start) *start = start_of(block);
    if (size) *size = block->size;
    return SUCCESS;
}
static Result pointer_attribute(void *value, int attribute, uint64_t address) {
    const Block *block = find(address);
    switch (attribute) { /* CUpointer_attribute */
    case 1: *(Context **)value = block ? context_of(block->device) : NULL; break;
    case 2: *(unsigned *)value = block ? 2 : 1; break;
    case 3: *(uint64_t *)value = address; break;
    case 8: *(int *)value = block && block->is_managed; return SUCCESS;
    case 9: *(int *)value = block ? block->device : 0; break;
    default: return INVALID_VALUE;
    }
    return block || is_pinned((void *)address, 1) ? SUCCESS : INVALID_VALUE;
}
Result cuPointerGetAttribute(void *value, int attribute, uint64_t address) {
    ENTER;
    return pointer_attribute(value, attribute, address);
}
Result cuPointerGetAttributes(unsigned count, int *attributes, void **values, uint64_t address) {
    ENTER;
    for (unsigned i = 0; i < count; i++)
        if (pointer_attribute(values[i], attributes[i], address)) memset(values[i], 0, sizeof(int));
    return SUCCESS;
}

/* --- Copies --- */

static Result copied_in(uint64_t to, const void *from, size_t size, const void *handle, int waits) {
    Stream *stream = stream_of(handle, device());
    if (!stream) return INVALID_HANDLE;
    Work *work = new_work(COPY_IN);
    work->to = to;
    work->size = size;
    work->host = (void *)from;
    if (!is_pinned(from, size) && !settings.late_copies) {
        work->host = malloc(size + 1);
        if (!work->host) abort();
        work->owns_host = 1;
        memcpy(work->host, from, size);
    }
    enqueue(stream, work);
    if (waits) finish(work);
    return SUCCESS;
}
static Result copied_out(void *to, uint64_t from, size_t size, const void *handle, int waits) {
    Stream *stream = stream_of(handle, device());
    if (!stream) return INVALID_HANDLE;
    Work *work = new_work(COPY_OUT);
    work->from = from;
    work->size = size;
    work->host = to;
    enqueue(stream, work);
    if (waits || !(is_pinned(to, size) || settings.late_copies)) finish(work);
    return SUCCESS;
}
Result cuMemcpyHtoD(uint64_t to, const void *from, size_t size) {
    ENTER;
    return copied_in(to, from, size, NULL, 1);
}
Result cuMemcpyHtoDAsync(uint64_t to, const void *from, size_t size, void *stream) {
    ENTER;
    return copied_in(to, from, size, stream, 0);
}
Result cuMemcpyDtoH(void *to, uint64_t from, size_t size) {
    ENTER;
    return copied_out(to, from, size, NULL, 1);
}
Result cuMemcpyDtoHAsync(void *to, uint64_t from, size_t size, void *stream) {
    ENTER;
    return copied_out(to, from, size, stream, 0);
}
static Result queued(Work *work, const void *handle) {
    Stream *stream = stream_of(handle, device());
    if (!stream) return INVALID_HANDLE;
    enqueue(stream, work);
    return SUCCESS;
}
Result cuMemcpyDtoDAsync(uint64_t to, uint64_t from, size_t size, void *stream) {
    ENTER;
    Work *work = new_work(MOVE);
    work->to = to;
    work->from = from;
    work->size = size;
    return queued(work, stream);
}
Result cuMemcpyDtoD(uint64_t to, uint64_t from, size_t size) {
    return cuMemcpyDtoDAsync(to, from, size, NULL);
}
static Result filled(uint64_t to, uint32_t value, int width, size_t count, const void *stream) {
    Work *work = new_work(FILL);
    work->to = to;
    work->value = value;
    work->width = width;
    work->size = count;
    return queued(work, stream);
}
Result cuMemsetD8Async(uint64_t to, uint8_t value, size_t count, void *stream) {
    ENTER;
    return filled(to, value, 1, count, stream);
}
Result cuMemsetD16Async(uint64_t to, uint16_t value, size_t count, void *stream) {
    ENTER;
    return filled(to, value, 2, count, stream);
}
Result cuMemsetD32Async(uint64_t to, uint32_t value, size_t count, void *stream) {
    ENTER;
    return filled(to, value, 4, count, stream);
}
Result cuMemsetD8(uint64_t to, uint8_t value, size_t count) {
    return cuMemsetD8Async(to, value, count, NULL);
}
