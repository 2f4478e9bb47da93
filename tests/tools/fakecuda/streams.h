/* streams.h: work that is asked for now and done later (streams.c). */
#ifndef FAKECUDA_STREAMS_H
#define FAKECUDA_STREAMS_H

#include "device.h"

enum { DEVICES = 8 };

typedef struct Kernel {
    void (*run)(const Launch *);
    const int *sizes; /* of its parameters */
    int count;
    const char *name;
} Kernel;

typedef enum { MARK, COPY_IN, COPY_OUT, MOVE, FILL, FREE, LAUNCH } Kind;

typedef struct Work Work;
typedef struct Waits {
    Work *work;
    struct Waits *next;
} Waits;

struct Work {
    Kind kind;
    int is_done, device;
    Waits *waits;
    uint64_t to, from, size;
    void *host;
    int owns_host;
    uint32_t value; /* to fill with */
    int width;
    const Kernel *kernel;
    Dim grid, block;
    void **parameters;
};

typedef struct Stream {
    Work *last;
    int is_blocking, device, is_destroyed;
    struct Stream *next;
} Stream;

/* How kind the driver is: the head of driver.c explains each. */
typedef struct {
    long eager, free_at_once, late_copies, devices, processors, capability, approximation_off, memory;
} Settings;
extern Settings settings;

Work *new_work(Kind kind);
void enqueue(Stream *stream, Work *work);
void wait_for(Work *work, Work *other);
void finish(Work *work);
void finish_everything(void);
int is_pending(void);

/* Whether any stream is captured, or this one; and work for the graph (graphs.c). */
int is_capturing(void);
int is_captured(const Stream *stream);
void capture(Work *work);

/* A copy of a kernel's arguments, in one piece that starts with where each of them lies. */
void **kept(const Kernel *kernel, void **given, void **extra);

/* A handle of the driver's, or one of the default streams of a device; NULL if it is neither. */
Stream *stream_of(const void *handle, int device);
Stream *new_stream(int is_blocking, int device);

#endif
