/* streams.c: the order that CUDA promises, and no other.
 *
 * Design:
 * - Work is done when somebody waits for it (or at once, where settings.eager says so): a program
 *   that relies on more than the documents promise reads what is not there yet.
 * - Work waits for what was asked of its stream before it, and for events; that of the legacy
 *   default stream for all blocking streams, and they for it.
 */
#include <stdlib.h>

#include "streams.h"

static Stream legacy[DEVICES], per_thread[DEVICES], *streams;

Work *new_work(Kind kind) {
    Work *work = calloc(1, sizeof *work);
    if (!work) abort();
    work->kind = kind;
    return work;
}

void wait_for(Work *work, Work *other) {
    if (!other || other->is_done) return;
    Waits *waits = malloc(sizeof *waits);
    if (!waits) abort();
    *waits = (Waits){other, work->waits};
    work->waits = waits;
}

void finish(Work *work) {
    if (!work || work->is_done) return;
    for (Waits *w = work->waits, *next; w; w = next) {
        next = w->next;
        finish(w->work);
        free(w);
    }
    work->waits = NULL;
    work->is_done = 1;
    switch (work->kind) {
    case MARK: break;
    case COPY_IN: fake_write(work->to, work->host, work->size); break;
    case COPY_OUT: fake_read(work->host, work->from, work->size); break;
    case MOVE: fake_move(work->to, work->from, work->size); break;
    case FILL: fake_fill(work->to, work->value, work->width, work->size); break;
    case FREE: fake_free(work->to); break;
    case LAUNCH:
        fake_launch(work->kernel->run, &work->grid, &work->block, work->parameters,
                    (int)settings.approximation_off, work->device);
        free(work->parameters);
        break;
    }
    if (work->owns_host) free(work->host);
}

void enqueue(Stream *stream, Work *work) {
    const int device = stream->device;
    Stream *const null = &legacy[device];
    work->device = device;
    if (is_captured(stream)) {
        if (work->kind != FREE) capture(work);
        return;
    }
    if (is_capturing() && stream == null) complain("the default stream, during a capture", 0, 0, 0);
    wait_for(work, stream->last);
    if (stream == null) {
        wait_for(work, per_thread[device].last);
        for (Stream *other = streams; other; other = other->next)
            if (other->is_blocking && other->device == device) wait_for(work, other->last);
    } else if (stream->is_blocking) {
        wait_for(work, null->last);
    }
    stream->last = work;
    if (settings.eager) finish(work);
}

int is_pending(void) {
    for (Stream *stream = streams; stream; stream = stream->next)
        if (stream->last && !stream->last->is_done) return 1;
    for (int device = 0; device < DEVICES; device++) {
        const Work *works[] = {legacy[device].last, per_thread[device].last};
        for (int i = 0; i < 2; i++)
            if (works[i] && !works[i]->is_done) return 1;
    }
    return 0;
}

void finish_everything(void) {
    for (Stream *stream = streams; stream; stream = stream->next) finish(stream->last);
    for (int device = 0; device < DEVICES; device++) {
        finish(legacy[device].last);
        finish(per_thread[device].last);
    }
}

Stream *stream_of(const void *handle, int device) {
    const uint64_t number = (uint64_t)handle;
    if (number <= 2) {
        Stream *stream = (number == 2 ? per_thread : legacy) + device;
        stream->device = device;
        stream->is_blocking = 1;
        return stream;
    }
    for (Stream *stream = streams; stream; stream = stream->next)
        if (stream == handle && !stream->is_destroyed) return stream;
    complain("a stream that does not exist", number, 0, 0);
    return NULL;
}

Stream *new_stream(int is_blocking, int device) {
    Stream *stream = calloc(1, sizeof *stream);
    if (!stream) abort();
    *stream = (Stream){.is_blocking = is_blocking, .device = device, .next = streams};
    streams = stream;
    return stream;
}
