/* linker.c: in front of nvJitLink, whose machine code no CPU runs: it is asked for PTX.
 *
 * To be loaded before the program (LD_PRELOAD), which would find NVIDIA's in its wheels. That one is
 * named by FAKECUDA_LINKER and does the work: it optimises what Numba made as for a card.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS, INTERNAL = 6, PTX = 2, OPTIONS = 32 };

typedef struct {
    void *true_one;
    char *ptx; /* if that is what was given, and nothing is to be linked */
} Linker;

static void *function(const char *name) {
    static void *library;
    if (!library) library = dlopen(getenv("FAKECUDA_LINKER"), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "fakecuda: %s\n", dlerror());
        abort();
    }
    return dlsym(library, name);
}
#define TRUE_ONE(name, ...) ((int (*)(__VA_ARGS__))function(name))

int nvJitLinkVersion(unsigned *major, unsigned *minor) {
    return TRUE_ONE("nvJitLinkVersion", unsigned *, unsigned *)(major, minor);
}
int nvJitLinkCreate(Linker **linker, uint32_t count, const char **options) {
    const char *all[OPTIONS];
    *linker = calloc(1, sizeof **linker);
    if (!*linker || count + 1 > OPTIONS) return INTERNAL;
    memcpy(all, options, count * sizeof *options);
    all[count] = "-ptx";
    return TRUE_ONE("nvJitLinkCreate", void **, uint32_t, const char **)(&(*linker)->true_one,
                                                                         count + 1, all);
}
int nvJitLinkDestroy(Linker **linker) {
    const int code = TRUE_ONE("nvJitLinkDestroy", void **)(&(*linker)->true_one);
    free((*linker)->ptx);
    free(*linker);
    *linker = NULL;
    return code;
}
int nvJitLinkAddData(Linker *linker, int kind, const void *data, size_t size, const char *name) {
    if (kind == PTX) {
        linker->ptx = strndup(data, size);
        return SUCCESS;
    }
    return TRUE_ONE("nvJitLinkAddData", void *, int, const void *, size_t, const char *)(
        linker->true_one, kind, data, size, name);
}
int nvJitLinkComplete(const Linker *linker) {
    return linker->ptx ? SUCCESS : TRUE_ONE("nvJitLinkComplete", void *)(linker->true_one);
}
int nvJitLinkGetLinkedCubinSize(const Linker *linker, size_t *size) {
    if (!linker->ptx)
        return TRUE_ONE("nvJitLinkGetLinkedPtxSize", void *, size_t *)(linker->true_one, size);
    *size = strlen(linker->ptx) + 1;
    return SUCCESS;
}
int nvJitLinkGetLinkedCubin(const Linker *linker, char *code) {
    if (!linker->ptx)
        return TRUE_ONE("nvJitLinkGetLinkedPtx", void *, char *)(linker->true_one, code);
    strcpy(code, linker->ptx);
    return SUCCESS;
}
int nvJitLinkGetErrorLogSize(const Linker *linker, size_t *size) {
    return TRUE_ONE("nvJitLinkGetErrorLogSize", void *, size_t *)(linker->true_one, size);
}
int nvJitLinkGetErrorLog(const Linker *linker, char *log) {
    return TRUE_ONE("nvJitLinkGetErrorLog", void *, char *)(linker->true_one, log);
}
int nvJitLinkGetInfoLogSize(const Linker *linker, size_t *size) {
    return TRUE_ONE("nvJitLinkGetInfoLogSize", void *, size_t *)(linker->true_one, size);
}
int nvJitLinkGetInfoLog(const Linker *linker, char *log) {
    return TRUE_ONE("nvJitLinkGetInfoLog", void *, char *)(linker->true_one, log);
}
