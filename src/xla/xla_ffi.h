/* xla_ffi.h: the part of XLA's FFI that handlers.c needs, in our own words.
 *
 * Design:
 * - Nothing of XLA is needed to build, nor its licence to ship. A test compares every offset with
 *   the header that jaxlib brings (xla/ffi/api/c_api.h).
 * - The layout of what is here is the same in versions 0.1 to 0.3 of the interface.
 */
#ifndef S3S4_XLA_FFI_H
#define S3S4_XLA_FFI_H

#include <stddef.h>
#include <stdint.h>

enum { FFI_MAJOR = 0, FFI_OLDEST_MINOR = 1, FFI_NEWEST_MINOR = 3 };
enum { FFI_METADATA = 1, FFI_EXECUTE = 3, FFI_STRING = 4, FFI_INVALID_ARGUMENT = 3 };
enum { FFI_RESOURCE_EXHAUSTED = 8 };
enum { FFI_F16 = 10, FFI_F32 = 11, FFI_F64 = 12, FFI_BF16 = 16 };

typedef struct ffi_error ffi_error;

typedef struct ffi_extension {
    size_t struct_size;
    int type;
    struct ffi_extension *next;
} ffi_extension;

typedef struct {
    size_t struct_size;
    ffi_extension *extensions;
    int major, minor;
} ffi_version;

typedef struct {
    size_t struct_size;
    ffi_version version;
    uint32_t traits;
} ffi_metadata;

typedef struct {
    ffi_extension base;
    ffi_metadata *metadata;
} ffi_metadata_extension;

typedef struct {
    size_t struct_size;
    ffi_extension *extensions;
    const char *message;
    int code;
} ffi_error_create;

typedef struct {
    size_t struct_size;
    ffi_extension *extensions;
    ffi_version version;
    const void *internal;
    ffi_error *(*create_error)(ffi_error_create *);
} ffi_api;

typedef struct {
    size_t struct_size;
    ffi_extension *extensions;
    int type;
    void *data;
    int64_t rank;
    int64_t *lengths;
} ffi_buffer;

typedef struct {
    size_t struct_size;
    ffi_extension *extensions;
    int64_t count;
    int *types;
    ffi_buffer **buffers;
} ffi_buffers;

typedef struct {
    const char *text;
    size_t length;
} ffi_span;

typedef struct {
    size_t struct_size;
    ffi_extension *extensions;
    int64_t count;
    int *types;
    ffi_span **names;
    ffi_span **values;
} ffi_attributes;

typedef struct {
    size_t struct_size;
    ffi_extension *extensions;
    const ffi_api *api;
    void *context;
    int stage;
    ffi_buffers arguments, results;
    ffi_attributes attributes;
} ffi_frame;

#endif
