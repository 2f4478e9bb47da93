/* code.c: kernels, from the PTX that the linker (linker.c) hands through to launches.
 *
 * Design:
 * - Translating is Python's (build.py, named by FAKECUDA_BUILD): a process for each new kernel,
 *   whose result stays in FAKECUDA_FOLDER under a digest of the text and of the translator.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

typedef struct {
    unsigned grid[3], block[3], shared;
    void *stream, *attributes;
    unsigned attribute_count;
} Config; /* CUlaunchConfig */

/* Where extra begins with this, parameters lie packed in a buffer. */
enum { END = 0, BUFFER = 1, SIZE = 2 };

static uint64_t digest(const char *text) {
    uint64_t value = 1469598103934665603ull; /* FNV-1a */
    for (; *text; text++) value = (value ^ (unsigned char)*text) * 1099511628211ull;
    return value;
}

static void *translated(const char *ptx) {
    char path[1000], command[3000];
    snprintf(path, sizeof path, "%s/%016llx.so", getenv("FAKECUDA_FOLDER"),
             (unsigned long long)digest(ptx));
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library) return library;
    snprintf(command, sizeof command, "env -u LD_PRELOAD -u LD_LIBRARY_PATH %s %s",
             getenv("FAKECUDA_BUILD"), path);
    FILE *pipe = popen(command, "w");
    if (!pipe) return NULL;
    fputs(ptx, pipe);
    if (pclose(pipe)) return NULL;
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "fakecuda: %s\n", dlerror());
    return library;
}

Result cuLibraryLoadData(void **library, const void *code, const int *jit_options,
                         void **jit_values, unsigned jit_count, const int *options, void **values,
                         unsigned count) {
    ENTER;
    (void)jit_options, (void)jit_values, (void)jit_count, (void)options, (void)values, (void)count;
    *library = strstr(code, ".entry") ? translated(code) : NULL;
    return *library ? SUCCESS : INVALID_IMAGE;
}
Result cuLibraryUnload(void *library) {
    ENTER;
    (void)library; /* work that waits may be of its kernels */
    return SUCCESS;
}
Result cuLibraryGetKernel(Kernel **kernel, void *library, const char *name) {
    ENTER;
    if (strcmp(name, dlsym(library, "kernel_name"))) return NOT_FOUND;
    Kernel *made = malloc(sizeof *made);
    if (!made) abort();
    *made = (Kernel){.sizes = dlsym(library, "kernel_sizes"),
                     .count = *(int *)dlsym(library, "kernel_count"),
                     .name = dlsym(library, "kernel_name")};
    *(void **)&made->run = dlsym(library, "kernel_run");
    *kernel = made;
    return SUCCESS;
}
Result cuLibraryGetKernelCount(unsigned *count, void *library) {
    ENTER;
    *count = library != NULL;
    return SUCCESS;
}
Result cuModuleLoadDataEx(void **module, const void *code, unsigned count, int *options,
                          void **values) {
    return cuLibraryLoadData(module, code, options, values, count, NULL, NULL, 0);
}
Result cuModuleLoadData(void **module, const void *code) {
    return cuLibraryLoadData(module, code, NULL, NULL, 0, NULL, NULL, 0);
}
Result cuModuleUnload(void *module) { return cuLibraryUnload(module); }
Result cuModuleGetFunction(Kernel **kernel, void *module, const char *name) {
    return cuLibraryGetKernel(kernel, module, name);
}
Result cuKernelGetFunction(Kernel **function, Kernel *kernel) {
    ENTER;
    *function = kernel;
    return SUCCESS;
}
Result cuFuncGetAttribute(int *value, int attribute, const Kernel *kernel) {
    ENTER;
    (void)kernel;
    *value = attribute == 0 ? 1024 : attribute == 4 ? 40 : 0; /* threads of a block, registers */
    return SUCCESS;
}
Result cuKernelGetAttribute(int *value, int attribute, const Kernel *kernel, int device) {
    (void)device;
    return cuFuncGetAttribute(value, attribute, kernel);
}
Result cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const Kernel *kernel, int threads,
                                                   size_t shared) {
    ENTER;
    (void)kernel, (void)shared;
    *blocks = 65536 / 40 / threads;
    return SUCCESS;
}

void **kept(const Kernel *kernel, void **given, void **extra) {
    const size_t count = (size_t)kernel->count;
    void **all = malloc(count * (sizeof(void *) + sizeof(uint64_t)));
    uint64_t *room = (uint64_t *)(all + count);
    const char *buffer = NULL;
    size_t size = 0, offset = 0;
    if (!all) abort();
    for (; extra && (size_t)extra[0] != END; extra += 2) {
        if ((size_t)extra[0] == BUFFER) buffer = extra[1];
        if ((size_t)extra[0] == SIZE) size = *(size_t *)extra[1];
    }
    for (size_t i = 0; i < count; i++) {
        const size_t own = (size_t)kernel->sizes[i];
        offset = (offset + own - 1) / own * own;
        if (buffer && offset + own > size) complain("a buffer of arguments too short", 0, 0, 0);
        memcpy(room + i, buffer ? buffer + offset : given[i], own);
        all[i] = room + i;
        offset += own;
    }
    if (buffer && offset != size) complain("a buffer of arguments too long", 0, 0, 0);
    return all;
}

static Result launched(const Config *config, const Kernel *kernel, void **given, void **extra) {
    const unsigned *grid = config->grid, *block = config->block;
    const uint64_t threads = (uint64_t)block[0] * block[1] * block[2];
    Stream *stream = stream_of(config->stream, current() ? current()->device : 0);
    if (!current()) return INVALID_CONTEXT;
    if (!stream || stream->device != current()->device) return INVALID_HANDLE;
    if (!grid[0] || !grid[1] || !grid[2] || !threads || threads > 1024 || grid[0] > 2147483647u ||
        grid[1] > 65535 || grid[2] > 65535)
        return INVALID_VALUE;
    Work *work = new_work(LAUNCH);
    work->kernel = kernel;
    work->grid = (Dim){grid[0], grid[1], grid[2]};
    work->block = (Dim){block[0], block[1], block[2]};
    work->parameters = kept(kernel, given, extra);
    enqueue(stream, work);
    return SUCCESS;
}
Result cuLaunchKernelEx(const Config *config, const Kernel *kernel, void **given, void **extra) {
    ENTER;
    return launched(config, kernel, given, extra);
}
Result cuLaunchKernel(const Kernel *kernel, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                      unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                      void *stream, void **given, void **extra) {
    ENTER;
    const Config config = {
        {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared, stream, NULL, 0};
    return launched(&config, kernel, given, extra);
}
