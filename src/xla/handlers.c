/* The handler by which XLA on the CPU calls the array functions of the installed s3s4.
 *
 * Design:
 * - One handler for all: the attribute "function" is the name of a function in s3s4's table,
 *   <name>_strided or <name>_backward, whose arguments and results are the buffers, in order.
 * - XLA knows no signature of it. So number, type and shape of the buffers are looked at here in
 *   each call, and what does not fit is an error of XLA's, before any memory is touched.
 * - Buffers are dense, have one rank, and an axis of length 1 broadcasts: of a result, it is summed
 *   over. So the axes that vmap puts in front need no care.
 * - XLA's threads flush subnormal numbers. The kernels run in the usual mode: same bits as outside.
 */
#include <Python.h>

#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capsule.h"
#include "xla_ffi.h"

enum { MOST_AXES = 64, MOST_BUFFERS = 9 };

typedef int (*array_function)(int, int, const Py_ssize_t *, const s3s4_array *);
static const char *const SIGNATURE = "int (int, int, Py_ssize_t const *, s3s4_array const *)";

typedef struct {
    const char *name;
    size_t length; /* of the name */
    array_function call;
    int arguments, results;
} entry;

static entry *entries;
static int entry_count;

static ffi_error *refused(const ffi_frame *frame, int code, const char *message) {
    ffi_error_create error = {sizeof error, NULL, message, code};
    return frame->api->create_error(&error);
}

static void answer(const ffi_frame *frame, ffi_metadata *metadata) {
    int minor = frame->api ? frame->api->version.minor : FFI_OLDEST_MINOR;
    if (minor > FFI_NEWEST_MINOR) minor = FFI_NEWEST_MINOR;
    if (minor < FFI_OLDEST_MINOR) minor = FFI_OLDEST_MINOR;
    metadata->version.major = FFI_MAJOR;
    metadata->version.minor = minor;
    metadata->traits = 0;
}

static const entry *named(const ffi_attributes *attributes) {
    const ffi_span *name = attributes->count == 1 ? attributes->values[0] : NULL;
    int i;
    if (name && attributes->types[0] == FFI_STRING)
        for (i = 0; i < entry_count; i++)
            if (entries[i].length == name->length &&
                memcmp(entries[i].name, name->text, name->length) == 0)
                return &entries[i];
    return NULL;
}

static int type_of(const ffi_buffer *buffer) {
    switch (buffer->type) {
        case FFI_F32: return S3S4_F32;
        case FFI_F64: return S3S4_F64;
        case FFI_F16: return S3S4_F16;
        case FFI_BF16: return S3S4_BF16;
        default: return -1;
    }
}

static Py_ssize_t size_of(int type) { return type == S3S4_F64 ? 8 : type == S3S4_F32 ? 4 : 2; }

static ffi_error *handler(ffi_frame *frame) {
    ffi_buffer *buffers[MOST_BUFFERS];
    s3s4_array arrays[MOST_BUFFERS];
    Py_ssize_t shape[MOST_AXES], strides[MOST_BUFFERS][MOST_AXES], stride;
    const entry *function;
    char message[160];
    fenv_t environment;
    int i, axis, rank, count, done;

    if (frame->extensions && frame->extensions->type == FFI_METADATA) {
        answer(frame, ((ffi_metadata_extension *)frame->extensions)->metadata);
        return NULL;
    }
    function = named(&frame->attributes);
    if (!function)
        return refused(frame, FFI_INVALID_ARGUMENT,
                       "s3s4: the attribute function names no function over arrays");
    if (frame->arguments.count != function->arguments ||
        frame->results.count != function->results) {
        snprintf(message, sizeof message, "s3s4: %s has %d arguments and %d results",
                 function->name, function->arguments, function->results);
        return refused(frame, FFI_INVALID_ARGUMENT, message);
    }
    count = function->arguments + function->results;
    for (i = 0; i < count; i++)
        buffers[i] = i < function->arguments ? frame->arguments.buffers[i]
                                             : frame->results.buffers[i - function->arguments];
    if (buffers[0]->rank > MOST_AXES)
        return refused(frame, FFI_INVALID_ARGUMENT, "s3s4: more than 64 axes");
    rank = (int)buffers[0]->rank;
    for (axis = 0; axis < rank; axis++) shape[axis] = 1;
    for (i = 0; i < count; i++) {
        arrays[i].type = type_of(buffers[i]);
        if (arrays[i].type < 0) {
            snprintf(message, sizeof message,
                     "s3s4: %s computes float16, bfloat16, float32 and float64; buffer %d is of "
                     "another type (XLA's number %d)",
                     function->name, i, buffers[i]->type);
            return refused(frame, FFI_INVALID_ARGUMENT, message);
        }
        if (buffers[i]->rank != rank)
            return refused(frame, FFI_INVALID_ARGUMENT, "s3s4: buffers differ in rank");
        stride = size_of(arrays[i].type);
        for (axis = rank - 1; axis >= 0; axis--) {
            const Py_ssize_t length = (Py_ssize_t)buffers[i]->lengths[axis];
            if (length != 1) {
                if (shape[axis] != 1 && shape[axis] != length)
                    return refused(frame, FFI_INVALID_ARGUMENT, "s3s4: shapes do not broadcast");
                shape[axis] = length;
            }
            strides[i][axis] = length == 1 ? 0 : stride;
            stride *= length;
        }
        arrays[i].data = buffers[i]->data;
        arrays[i].strides = strides[i];
    }
    fegetenv(&environment);
    fesetenv(FE_DFL_ENV);
    done = function->call(0, rank, shape, arrays);
    fesetenv(&environment);
    return done == 0 ? NULL : refused(frame, FFI_RESOURCE_EXHAUSTED, "s3s4: no memory");
}

/* How many arguments an activation has, by the signature of its scalar function: "double (double,
 * double)". */
static int count_inputs(const s3s4_table *table, const char *name, size_t length) {
    const char *at;
    int i, inputs = 1;
    for (i = 0; i < table->count; i++)
        if (strncmp(table->symbols[i].name, name, length) == 0 &&
            strcmp(table->symbols[i].name + length, "_f64") == 0)
            for (at = table->symbols[i].signature; *at; at++) inputs += *at == ',';
    return inputs;
}

static int read_table(void) {
    const s3s4_table *table = s3s4_open_table();
    int i;
    if (!table) return -1;
    entries = malloc((size_t)table->count * sizeof *entries);
    if (!entries) {
        PyErr_NoMemory();
        return -1;
    }
    for (i = 0; i < table->count; i++) {
        const s3s4_symbol *symbol = &table->symbols[i];
        const char *suffix = strrchr(symbol->name, '_');
        if (strcmp(symbol->signature, SIGNATURE) == 0) {
            const int backward = strcmp(suffix, "_backward") == 0;
            const int inputs = count_inputs(table, symbol->name, (size_t)(suffix - symbol->name));
            entries[entry_count++] = (entry){
                symbol->name, strlen(symbol->name), (array_function)symbol->function,
                backward ? inputs + 1 : inputs, backward ? inputs : 1};
        }
    }
    return 0;
}

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_handlers", "handler: a capsule for jax.ffi.", -1, NULL,
    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__handlers(void) {
    PyObject *made, *capsule;
    if (!entries && read_table() < 0) return NULL;
    made = PyModule_Create(&module);
    if (!made) return NULL;
    capsule = PyCapsule_New((void *)handler, NULL, NULL);
    if (!capsule || PyModule_AddObjectRef(made, "handler", capsule) < 0) {
        Py_XDECREF(capsule);
        Py_DECREF(made);
        return NULL;
    }
    Py_DECREF(capsule);
    return made;
}
