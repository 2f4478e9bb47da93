/* capsule.h: how extension modules find the functions of the installed package. Included by
 * s3s4_api.h, which lists them; after Python.h. */
#ifndef S3S4_CAPSULE_H
#define S3S4_CAPSULE_H

#include <string.h>

/* Raised when the structs below change; the list of functions may grow without. */
#define S3S4_ABI_VERSION 1
#define S3S4_CAPSULE "s3s4._C_API"

typedef struct {
    const char *name, *signature;
    void (*function)(void);
} s3s4_symbol;

typedef struct {
    int abi_version, count;
    const s3s4_symbol *symbols;
} s3s4_table;

/* An array of any layout: strides in bytes, one for each axis. */
typedef struct {
    void *data;
    const Py_ssize_t *strides;
    int type;
} s3s4_array;

/* What it holds; half precision is computed in single. */
enum s3s4_type { S3S4_F32, S3S4_F64, S3S4_F16, S3S4_BF16 };

/* The table of the installed package, or NULL with an ImportError set. */
static inline const s3s4_table *s3s4_open_table(void) {
    const s3s4_table *table = (const s3s4_table *)PyCapsule_Import(S3S4_CAPSULE, 0);
    if (table && table->abi_version != S3S4_ABI_VERSION) {
        PyErr_Format(PyExc_ImportError, "s3s4 has ABI version %d, this module was built for %d",
                     table->abi_version, S3S4_ABI_VERSION);
        return NULL;
    }
    return table;
}

static inline void (*s3s4_find(const s3s4_table *table, const char *name,
                               const char *signature))(void) {
    int i;
    for (i = 0; i < table->count; i++)
        if (strcmp(table->symbols[i].name, name) == 0 &&
            strcmp(table->symbols[i].signature, signature) == 0)
            return table->symbols[i].function;
    PyErr_Format(PyExc_ImportError, "s3s4 has no C function %s: %s", name, signature);
    return NULL;
}

#endif
