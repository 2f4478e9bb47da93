/* order.c: streams and events, as programs call them (streams.c knows what they mean). */
#include <stdlib.h>

#include "driver.h"

static int device(void) { return current() ? current()->device : 0; }

Result cuStreamCreate(Stream **stream, unsigned flags) {
    ENTER;
    if (!current()) return INVALID_CONTEXT;
    *stream = new_stream(!(flags & 1), device());
    return SUCCESS;
}
Result cuStreamCreateWithPriority(Stream **stream, unsigned flags, int priority) {
    (void)priority;
    return cuStreamCreate(stream, flags);
}
Result cuStreamDestroy(Stream *handle) {
    ENTER;
    Stream *stream = stream_of(handle, device());
    if (!stream) return INVALID_HANDLE;
    stream->is_destroyed = 1; /* what was asked of it is still to be done */
    return SUCCESS;
}
Result cuStreamSynchronize(const void *handle) {
    ENTER;
    Stream *stream = stream_of(handle, device());
    if (!stream) return INVALID_HANDLE;
    if (is_capturing()) return CAPTURE_UNSUPPORTED;
    /* For the default stream that is what all blocking streams were asked for, too. */
    Work *mark = new_work(MARK);
    enqueue(stream, mark);
    finish(mark);
    return SUCCESS;
}
Result cuStreamQuery(const void *handle) {
    ENTER;
    const Stream *stream = stream_of(handle, device());
    if (!stream) return INVALID_HANDLE;
    return stream->last && !stream->last->is_done ? NOT_READY : SUCCESS;
}
Result cuStreamGetFlags(const void *handle, unsigned *flags) {
    ENTER;
    const Stream *stream = stream_of(handle, device());
    if (!stream) return INVALID_HANDLE;
    *flags = !stream->is_blocking;
    return SUCCESS;
}
Result cuStreamGetPriority(const void *handle, int *priority) {
    ENTER;
    (void)handle;
    *priority = 0;
    return SUCCESS;
}
Result cuStreamGetCtx(const void *handle, Context **context) {
    ENTER;
    const Stream *stream = stream_of(handle, device());
    if (!stream) return INVALID_HANDLE;
    *context = context_of(stream->device);
    return SUCCESS;
}
Result cuEventCreate(Event **event, unsigned flags) {
    ENTER;
    (void)flags;
    *event = calloc(1, sizeof **event);
    return *event ? SUCCESS : OUT_OF_MEMORY;
}
Result cuEventDestroy(Event *event) {
    ENTER;
    free(event);
    return SUCCESS;
}
Result cuEventRecord(Event *event, const void *handle) {
    ENTER;
    Stream *stream = stream_of(handle, device());
    if (!stream) return INVALID_HANDLE;
    if (is_captured(stream)) return CAPTURE_UNSUPPORTED;
    event->work = new_work(MARK);
    enqueue(stream, event->work);
    return SUCCESS;
}
Result cuEventSynchronize(Event *event) {
    ENTER;
    if (is_capturing()) return CAPTURE_UNSUPPORTED;
    finish(event->work);
    return SUCCESS;
}
Result cuEventQuery(const Event *event) {
    ENTER;
    return event->work && !event->work->is_done ? NOT_READY : SUCCESS;
}
Result cuEventElapsedTime(float *milliseconds, const Event *from, const Event *to) {
    ENTER;
    (void)from, (void)to;
    *milliseconds = 1; /* there is no time here */
    return SUCCESS;
}
Result cuStreamWaitEvent(const void *handle, const Event *event, unsigned flags) {
    ENTER;
    (void)flags;
    Stream *stream = stream_of(handle, device());
    if (!stream) return INVALID_HANDLE;
    if (is_captured(stream)) return CAPTURE_ISOLATION;
    Work *mark = new_work(MARK);
    wait_for(mark, event->work);
    enqueue(stream, mark);
    return SUCCESS;
}
