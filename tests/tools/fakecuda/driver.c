/* driver.c: CUDA's driver for GPUs that are not there, as the documents allow it to be, no kinder.
 *
 * Settings, from the environment or by fake_set:
 *   FAKECUDA_EAGER=1             work is done when it is asked for, not when it is waited for
 *   FAKECUDA_FREE_AT_ONCE=1      freeing waits for nothing, as pools do
 *   FAKECUDA_LATE_COPIES=1       copies from and to pageable memory are asynchronous too
 *   FAKECUDA_DEVICES=1, FAKECUDA_PROCESSORS=132, FAKECUDA_CAPABILITY=90
 *   FAKECUDA_MEMORY=2147483648   bytes of a device
 *   FAKECUDA_APPROXIMATION_OFF=0  1 or -1: approximations err by all that NVIDIA allows, up or down
 *
 * Design:
 * - A function of the driver that is not here is not found, and whoever calls it is told its name.
 * - All calls are counted by name.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

enum { DEEPEST = 64, NAMES = 200 };

Settings settings = {0, 0, 0, 1, 132, 90, 0, 2l << 30};
static const struct {
    const char *name;
    long *value;
} named[] = {
    {"EAGER", &settings.eager},           {"FREE_AT_ONCE", &settings.free_at_once},
    {"LATE_COPIES", &settings.late_copies}, {"DEVICES", &settings.devices},
    {"PROCESSORS", &settings.processors}, {"CAPABILITY", &settings.capability},
    {"MEMORY", &settings.memory},         {"APPROXIMATION_OFF", &settings.approximation_off},
};
static struct {
    const char *name;
    long count;
} calls[NAMES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Context contexts[DEVICES];
static __thread Context *stack[DEEPEST];
static __thread int depth;
static pid_t process;

__attribute__((constructor)) static void begin(void) {
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        char name[50];
        snprintf(name, sizeof name, "FAKECUDA_%s", named[i].name);
        const char *value = getenv(name);
        if (value && *value) *named[i].value = atol(value);
    }
    for (int device = 0; device < DEVICES; device++) contexts[device].device = device;
}

pthread_mutex_t *enter(const char *function) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < NAMES; i++) {
        if (!calls[i].name) calls[i].name = function;
        if (calls[i].name == function) {
            calls[i].count++;
            break;
        }
    }
    return &lock;
}
void leave(pthread_mutex_t **held) { pthread_mutex_unlock(*held); }
int is_forked(void) { return process && process != getpid(); }
Context *current(void) { return depth ? stack[depth - 1] : NULL; }
Context *context_of(int device) { return contexts + device; }

/* --- What tests ask --- */

/* What the setting was before. */
long fake_set(const char *name, long value) {
    long before = 0;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (!strcmp(named[i].name, name)) {
            before = *named[i].value;
            *named[i].value = value;
        }
    return before;
}
long fake_calls(const char *name) {
    long count = 0;
    for (int i = 0; i < NAMES && calls[i].name; i++)
        if (!strcmp(calls[i].name, name)) count += calls[i].count;
    return count;
}
const char *fake_called(int index) { return index < NAMES ? calls[index].name : NULL; }

/* --- The driver and its devices --- */

Result cuInit(unsigned flags) {
    ENTER;
    process = getpid();
    return flags ? INVALID_VALUE : SUCCESS;
}
Result cuDriverGetVersion(int *version) {
    *version = 13000;
    return SUCCESS;
}
Result cuDeviceGetCount(int *count) {
    ENTER;
    *count = (int)settings.devices;
    return SUCCESS;
}
Result cuDeviceGet(int *device, int ordinal) {
    ENTER;
    *device = ordinal;
    return ordinal < settings.devices ? SUCCESS : INVALID_DEVICE;
}
Result cuDeviceGetName(char *name, int length, int device) {
    ENTER;
    snprintf(name, (size_t)length, "fakecuda %d", device);
    return SUCCESS;
}
Result cuDeviceGetUuid(char *uuid, int device) {
    ENTER;
    memset(uuid, 0x40 + device, 16);
    return SUCCESS;
}
Result cuDeviceTotalMem(size_t *size, int device) {
    ENTER;
    *size = (size_t)settings.memory;
    return device < settings.devices ? SUCCESS : INVALID_DEVICE;
}
Result cuDeviceGetAttribute(int *value, int attribute, int device) {
    ENTER;
    /* By CUdevice_attribute; what is not here is a capability that is lacking. */
    static const int known[][2] = {
        {1, 1024}, {2, 1024}, {3, 1024}, {4, 64}, {5, 2147483647}, {6, 65535}, {7, 65535},
        {8, 49152}, {10, 32}, {12, 65536}, {13, 1980000}, {19, 1}, {41, 1}, {83, 1}, {115, 1},
    };
    *value = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i][0] == attribute) *value = known[i][1];
    if (attribute == 16) *value = (int)settings.processors;
    if (attribute == 75) *value = (int)settings.capability / 10;
    if (attribute == 76) *value = (int)settings.capability % 10;
    if (attribute == 88) *value = (int)settings.late_copies; /* pageable memory access */
    return device < settings.devices ? SUCCESS : INVALID_DEVICE;
}
Result cuGetErrorName(Result error, const char **name) {
    *name = error == OUT_OF_MEMORY       ? "CUDA_ERROR_OUT_OF_MEMORY"
            : error == NOT_INITIALIZED   ? "CUDA_ERROR_NOT_INITIALIZED"
            : error == INVALID_IMAGE     ? "CUDA_ERROR_INVALID_IMAGE"
            : error == INVALID_VALUE     ? "CUDA_ERROR_INVALID_VALUE"
                                         : "CUDA_ERROR_OF_FAKECUDA";
    return SUCCESS;
}
Result cuGetErrorString(Result error, const char **text) { return cuGetErrorName(error, text); }

Result cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags,
                           int *status) {
    static void *own;
    (void)version, (void)flags;
    if (!own) {
        Dl_info where;
        dladdr((void *)cuGetProcAddress_v2, &where);
        own = dlopen(where.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    }
    *function = dlsym(own, strcmp(name, "cuGetProcAddress") ? name : "cuGetProcAddress_v2");
    if (status) *status = !*function;
    return *function ? SUCCESS : NOT_FOUND;
}

/* --- Contexts --- */

Result cuDevicePrimaryCtxRetain(Context **context, int device) {
    ENTER;
    if (device >= settings.devices) return INVALID_DEVICE;
    contexts[device].is_retained = 1;
    *context = contexts + device;
    return SUCCESS;
}
Result cuDevicePrimaryCtxRelease(int device) {
    ENTER;
    return device < settings.devices ? SUCCESS : INVALID_DEVICE;
}
Result cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *is_active) {
    ENTER;
    *flags = 0;
    *is_active = contexts[device].is_retained;
    return SUCCESS;
}
Result cuCtxGetCurrent(Context **context) {
    ENTER;
    *context = current();
    return SUCCESS;
}
Result cuCtxPushCurrent(Context *context) {
    ENTER;
    if (depth == DEEPEST) {
        complain("the stack of contexts is full", 0, 0, 0);
        return INVALID_CONTEXT;
    }
    stack[depth++] = context;
    return SUCCESS;
}
Result cuCtxPopCurrent(Context **context) {
    ENTER;
    if (!depth) return INVALID_CONTEXT;
    Context *popped = stack[--depth];
    if (context) *context = popped;
    return SUCCESS;
}
Result cuCtxSetCurrent(Context *context) {
    ENTER;
    depth -= depth > 0;
    if (context) stack[depth++] = context;
    return SUCCESS;
}
Result cuCtxGetDevice(int *device) {
    ENTER;
    if (!depth) return INVALID_CONTEXT;
    *device = current()->device;
    return SUCCESS;
}
Result cuCtxGetId(const Context *context, unsigned long long *id) {
    ENTER;
    const Context *asked = context ? context : current();
    if (!asked) return INVALID_CONTEXT;
    *id = (unsigned long long)asked->device + 1;
    return SUCCESS;
}
Result cuCtxSynchronize(void) {
    ENTER;
    finish_everything();
    return SUCCESS;
}
