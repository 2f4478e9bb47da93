/* graphs.c: streams that are captured, and graphs of what they were asked for.
 *
 * Design:
 * - Capture is global, as libraries begin it: nothing may wait meanwhile, and memory may be taken
 *   and given back by streams alone. What such memory is stays the graph's.
 * - No event joins two captures, or a capture and what is outside.
 */
#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum { MOST = 256 };

typedef struct {
    Work *works[MOST];
    int count;
} Graph;

static Stream *captured;
static Graph *graph;

int is_capturing(void) { return captured != NULL; }
int is_captured(const Stream *stream) { return captured == stream; }

void capture(Work *work) {
    if (graph->count == MOST) abort();
    graph->works[graph->count++] = work;
}

Result cuStreamBeginCapture(const void *handle, int mode) {
    ENTER;
    Stream *stream = stream_of(handle, current() ? current()->device : 0);
    if (!stream || mode != 0 || captured || (uint64_t)handle <= 2) return INVALID_VALUE;
    captured = stream;
    graph = calloc(1, sizeof *graph);
    return SUCCESS;
}
Result cuStreamEndCapture(const void *handle, Graph **made) {
    ENTER;
    if (captured != handle) return INVALID_VALUE;
    captured = NULL;
    *made = graph;
    return SUCCESS;
}
Result cuStreamIsCapturing(const void *handle, int *status) {
    ENTER;
    *status = captured && captured == handle;
    return captured && (uint64_t)handle <= 1 ? CAPTURE_IMPLICIT : SUCCESS;
}
Result cuGraphInstantiateWithFlags(Graph **made, Graph *from, unsigned long long flags) {
    ENTER;
    (void)flags;
    *made = from;
    return SUCCESS;
}
Result cuGraphLaunch(const Graph *from, const void *handle) {
    ENTER;
    Stream *stream = stream_of(handle, current() ? current()->device : 0);
    if (!stream) return INVALID_HANDLE;
    for (int i = 0; i < from->count; i++) {
        const Work *work = from->works[i];
        Work *again = new_work(work->kind);
        *again = *work;
        if (work->kind == LAUNCH) again->parameters = kept(work->kernel, work->parameters, NULL);
        enqueue(stream, again);
    }
    return SUCCESS;
}
