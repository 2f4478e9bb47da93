/* driver.h: what all functions of the driver begin with (driver.c). */
#ifndef FAKECUDA_DRIVER_H
#define FAKECUDA_DRIVER_H

#include <pthread.h>

#include "streams.h"

typedef enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_ISOLATION = 905,
    CAPTURE_IMPLICIT = 906,
    NO_BINARY = 209,
} Result;

typedef struct {
    int device, is_retained;
} Context;

typedef struct {
    Work *work;
} Event;

/* One call at a time, counted under its name; none in a child of a process that began CUDA. */
#define ENTER                                                                            \
    pthread_mutex_t *held __attribute__((cleanup(leave), unused)) = enter(__func__);     \
    if (is_forked()) return NOT_INITIALIZED

pthread_mutex_t *enter(const char *function);
void leave(pthread_mutex_t **held);
int is_forked(void);
Context *current(void);
Context *context_of(int device);

#endif
