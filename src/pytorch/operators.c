/* The kernels as CPU kernels of PyTorch's operators, over PyTorch's stable C interface.
 *
 * Design:
 * - No header of PyTorch is included and nothing of it is linked: functions of the interface, whose
 *   ABI PyTorch keeps from one version to the next, are found by name in the library that is loaded
 *   (torch/csrc/stable/c/shim.h and torch/csrc/inductor/aoti_torch/c/shim.h state them). One binary
 *   serves all versions, and builds where there is none.
 * - An operator's kernel owns the tensors that it is called with, and gives its results away.
 * - PyTorch calls a kernel with no word on which operator it is: each has a function of its own.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "capsule.h"
#include "torch_operators.h"

enum { MOST_AXES = 64, MOST_TENSORS = 5 };

typedef struct AtenTensorOpaque *Handle;
typedef struct TorchLibraryOpaque *Library;
typedef void (*Kernel)(uint64_t *, uint64_t, uint64_t);

#define SHIM(F)                                                                              \
    F(int, aoti_torch_get_data_ptr, (Handle, void **))                                       \
    F(int, aoti_torch_get_dim, (Handle, int64_t *))                                          \
    F(int, aoti_torch_get_sizes, (Handle, int64_t **))                                       \
    F(int, aoti_torch_get_strides, (Handle, int64_t **))                                     \
    F(int, aoti_torch_get_dtype, (Handle, int32_t *))                                        \
    F(int, aoti_torch_empty_strided,                                                         \
      (int64_t, const int64_t *, const int64_t *, int32_t, int32_t, int32_t, Handle *))      \
    F(int, aoti_torch_new_uninitialized_tensor, (Handle *))                                  \
    F(int, aoti_torch_delete_tensor_object, (Handle))                                        \
    F(int, aoti_torch_library_init_impl,                                                     \
      (const char *, const char *, const char *, uint32_t, Library *))                       \
    F(int, aoti_torch_library_impl, (Library, const char *, Kernel))                         \
    F(void, aoti_torch_check, (bool, const char *, const char *, uint32_t, const char *))    \
    F(int, torch_get_num_threads, (uint32_t *))                                              \
    F(int32_t, aoti_torch_device_type_cpu, (void))                                           \
    F(int32_t, aoti_torch_dtype_float32, (void))                                             \
    F(int32_t, aoti_torch_dtype_float64, (void))                                             \
    F(int32_t, aoti_torch_dtype_float16, (void))                                             \
    F(int32_t, aoti_torch_dtype_bfloat16, (void))

#define FIELD(type, name, arguments) type(*name) arguments;
static struct {
    SHIM(FIELD)
} shim;

static int32_t cpu, dtypes[4]; /* PyTorch's numbers for the types of enum s3s4_type */

typedef int (*Function)(int, int, const Py_ssize_t *, const s3s4_array *);
static struct {
    Function value, backward;
} functions[S3S4_OPERATORS];

/* A tensor as PyTorch has it, and what the kernels see of it. */
typedef struct {
    int64_t axes, *sizes, *strides;
    Py_ssize_t steps[MOST_AXES]; /* along the axes of the result, in bytes */
    int32_t dtype;
    s3s4_array array;
} Tensor;

static const char *read_tensor(Handle handle, Tensor *tensor) {
    if (shim.aoti_torch_get_dim(handle, &tensor->axes) ||
        shim.aoti_torch_get_sizes(handle, &tensor->sizes) ||
        shim.aoti_torch_get_strides(handle, &tensor->strides) ||
        shim.aoti_torch_get_dtype(handle, &tensor->dtype) ||
        shim.aoti_torch_get_data_ptr(handle, &tensor->array.data))
        return "not a tensor with memory";
    if (tensor->axes > MOST_AXES) return "more than 64 dimensions";
    for (int type = 0; type < 4; type++)
        if (tensor->dtype == dtypes[type]) {
            tensor->array.type = type;
            tensor->array.strides = tensor->steps;
            return NULL;
        }
    return "expected a dtype of float16, bfloat16, float32 or float64";
}

/* Tensors, and the shape that they broadcast to. */
static const char *read_tensors(const Handle *handles, int count, Tensor *tensors, int64_t *shape,
                                int64_t *axes) {
    *axes = 0;
    for (int i = 0; i < count; i++) {
        const char *error = read_tensor(handles[i], &tensors[i]);
        if (error) return error;
        if (tensors[i].axes > *axes) *axes = tensors[i].axes;
    }
    for (int64_t axis = 0; axis < *axes; axis++) {
        shape[axis] = 1;
        for (int i = 0; i < count; i++) {
            const int64_t own = axis - (*axes - tensors[i].axes);
            const int64_t length = own < 0 ? 1 : tensors[i].sizes[own];
            if (length == 1) continue;
            if (shape[axis] != 1 && shape[axis] != length) return "shapes do not broadcast";
            shape[axis] = length;
        }
    }
    return NULL;
}

static void repeat(Tensor *tensor, int64_t axes, const int64_t *strides) {
    static const Py_ssize_t bytes[] = {4, 8, 2, 2};
    const int64_t missing = axes - tensor->axes;
    for (int64_t axis = 0; axis < axes; axis++)
        tensor->steps[axis] = axis < missing || tensor->sizes[axis - missing] == 1
                                  ? 0
                                  : strides[axis - missing] * bytes[tensor->array.type];
}

/* Whether the first of two axes should lie inside of the second: 0 where it is all the same. */
static int order(const Tensor *tensor, int one, int other) {
    const int64_t a = tensor->strides[one], b = tensor->strides[other];
    if (!a || !b) return 0;
    if (a != b) return a < b ? -1 : 1;
    return tensor->sizes[one] > tensor->sizes[other];
}

/* Strides without gaps in the order of a tensor's axes, as torch.empty_like has them. */
static void dense_strides(const Tensor *tensor, int64_t *strides) {
    int inner[MOST_AXES];
    const int axes = (int)tensor->axes;
    int64_t step = 1;
    bool in_c_order = true;
    for (int axis = axes - 1; axis >= 0; axis--) {
        strides[axis] = step;
        in_c_order &= tensor->strides[axis] == step || tensor->sizes[axis] == 1;
        step *= tensor->sizes[axis] ? tensor->sizes[axis] : 1;
    }
    if (in_c_order) return;
    for (int i = 0; i < axes; i++) inner[i] = axes - 1 - i;
    for (int i = 1; i < axes; i++)
        for (int at = i, before = i - 1; before >= 0; before--) {
            const int which = order(tensor, inner[before], inner[at]);
            if (which < 0) break;
            if (which == 0) continue;
            const int swapped = inner[before];
            inner[before] = inner[at];
            inner[at] = swapped;
            at = before;
        }
    step = 1;
    for (int i = 0; i < axes; i++) {
        strides[inner[i]] = step;
        step *= tensor->sizes[inner[i]] ? tensor->sizes[inner[i]] : 1;
    }
}

static void in_large_pages(const Tensor *tensor) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    /* As NumPy does: first touched page by page, large memory costs more than what is computed. */
    const uintptr_t page = 4096, start = ((uintptr_t)tensor->array.data + page - 1) & ~(page - 1);
    uintptr_t bytes = tensor->array.type == S3S4_F64 ? 8 : tensor->array.type == S3S4_F32 ? 4 : 2;
    for (int64_t axis = 0; axis < tensor->axes; axis++) bytes *= (uintptr_t)tensor->sizes[axis];
    if (bytes >= (uintptr_t)1 << 22) madvise((void *)start, bytes - page, MADV_HUGEPAGE);
#else
    (void)tensor;
#endif
}

/* A new tensor of a dtype and shape. */
static const char *empty(int64_t axes, const int64_t *shape, const int64_t *strides, int32_t dtype,
                         Handle *handle, Tensor *tensor) {
    if (shim.aoti_torch_empty_strided(axes, shape, strides, dtype, cpu, 0, handle))
        return "no memory";
    const char *error = read_tensor(*handle, tensor);
    if (!error) in_large_pages(tensor);
    return error;
}

static const char *run(Function function, int64_t axes, const int64_t *shape, const Tensor *tensors,
                       int count) {
    s3s4_array arrays[2 * MOST_TENSORS];
    Py_ssize_t lengths[MOST_AXES];
    uint32_t threads = 0;
    for (int64_t axis = 0; axis < axes; axis++) lengths[axis] = (Py_ssize_t)shape[axis];
    for (int i = 0; i < count; i++) arrays[i] = tensors[i].array;
    shim.torch_get_num_threads(&threads);
    return function((int)threads, (int)axes, lengths, arrays) ? "no memory" : NULL;
}

static const char *value(Function function, const Handle *inputs, int count, Handle *result) {
    Tensor tensors[MOST_TENSORS + 1];
    int64_t shape[MOST_AXES], strides[MOST_AXES], axes, step = 1;
    const char *error = read_tensors(inputs, count, tensors, shape, &axes);
    if (error) return error;
    bool alike = axes == tensors->axes;
    for (int64_t axis = 0; axis < axes; axis++) alike = alike && shape[axis] == tensors->sizes[axis];
    if (alike) dense_strides(tensors, strides);
    else
        for (int64_t axis = axes - 1; axis >= 0; axis--) {
            strides[axis] = step;
            step *= shape[axis] ? shape[axis] : 1;
        }
    error = empty(axes, shape, strides, tensors->dtype, result, &tensors[count]);
    if (error) return error;
    for (int i = 0; i <= count; i++) repeat(&tensors[i], axes, tensors[i].strides);
    return run(function, axes, shape, tensors, count + 1);
}

/* The inputs are the gradient that comes in, x and the parameters. */
static const char *backward(Function function, const Handle *inputs, int count, int64_t wanted,
                            Handle *results) {
    Tensor tensors[2 * MOST_TENSORS];
    int64_t shape[MOST_AXES], strides[MOST_AXES], axes;
    const char *error = read_tensors(inputs, count, tensors, shape, &axes);
    if (error) return error;
    for (int i = 0; i < count; i++) repeat(&tensors[i], axes, tensors[i].strides);
    for (int i = 1; i < count; i++) {
        Tensor *gradient = &tensors[count + i - 1];
        if (!(wanted >> (i - 1) & 1)) {
            if (shim.aoti_torch_new_uninitialized_tensor(&results[i - 1])) return "no memory";
            gradient->array.data = NULL;
            gradient->array.type = tensors[i].array.type;
            continue;
        }
        dense_strides(&tensors[i], strides);
        error = empty(tensors[i].axes, tensors[i].sizes, strides, tensors[i].dtype, &results[i - 1],
                      gradient);
        if (error) return error;
        repeat(gradient, axes, gradient->strides);
    }
    return run(function, axes, shape, tensors, 2 * count - 1);
}

/* What a kernel was called with is let go of; an error becomes one of PyTorch's. */
static void finish(const char *name, const char *error, const Handle *inputs, int count,
                   Handle *results, int result_count, uint64_t *stack) {
    char message[160];
    for (int i = 0; i < count; i++) shim.aoti_torch_delete_tensor_object(inputs[i]);
    if (!error) {
        for (int i = 0; i < result_count; i++) stack[i] = (uint64_t)(uintptr_t)results[i];
        return;
    }
    for (int i = 0; i < result_count; i++)
        if (results[i]) shim.aoti_torch_delete_tensor_object(results[i]);
    PyOS_snprintf(message, sizeof message, "s3s4::%s: %s", name, error);
    shim.aoti_torch_check(false, name, __FILE__, __LINE__, message);
}

static void call_value(int index, const char *name, uint64_t *stack, uint64_t count) {
    Handle inputs[MOST_TENSORS] = {NULL}, result = NULL;
    for (uint64_t i = 0; i < count; i++) inputs[i] = (Handle)(uintptr_t)stack[i];
    const char *error = value(functions[index].value, inputs, (int)count, &result);
    finish(name, error, inputs, (int)count, &result, 1, stack);
}

/* With a last argument, whose bits say which gradients are wanted, or all of them. */
static void call_backward(int index, const char *name, uint64_t *stack, uint64_t given,
                          uint64_t result_count) {
    Handle inputs[MOST_TENSORS] = {NULL}, results[MOST_TENSORS] = {NULL};
    const uint64_t count = result_count + 1;
    const int64_t wanted = given > count ? (int64_t)stack[count] : -1;
    for (uint64_t i = 0; i < count; i++) inputs[i] = (Handle)(uintptr_t)stack[i];
    const char *error =
        backward(functions[index].backward, inputs, (int)count, wanted, results);
    finish(name, error, inputs, (int)count, results, (int)result_count, stack);
}

#define KERNELS(index, name)                                                                 \
    static void name##_value(uint64_t *stack, uint64_t given, uint64_t results) {            \
        (void)results;                                                                       \
        call_value(index, #name, stack, given);                                              \
    }                                                                                        \
    static void name##_backward(uint64_t *stack, uint64_t given, uint64_t results) {         \
        call_backward(index, #name "_backward", stack, given, results);                      \
    }
S3S4_EACH_OPERATOR(KERNELS)

#define ENTRY(index, name) {#name, #name "_backward", #name "_strided", name##_value, name##_backward},
static const struct {
    const char *name, *backward, *strided;
    Kernel on_value, on_backward;
} operators[] = {S3S4_EACH_OPERATOR(ENTRY)};

static int find_kernels(void) {
    static const char signature[] =
        "int (int, int, Py_ssize_t const *, s3s4_array const *)";
    const s3s4_table *table = s3s4_open_table();
    if (!table) return -1;
    for (int i = 0; i < S3S4_OPERATORS; i++) {
        functions[i].value = (Function)s3s4_find(table, operators[i].strided, signature);
        functions[i].backward = (Function)s3s4_find(table, operators[i].backward, signature);
        if (!functions[i].value || !functions[i].backward) return -1;
    }
    return 0;
}

static int find_shim(PyObject *find) {
#define FIND(type, name, arguments)                                                          \
    {                                                                                        \
        PyObject *found = PyObject_CallFunction(find, "s", #name);                           \
        void *address = found ? PyLong_AsVoidPtr(found) : NULL;                              \
        Py_XDECREF(found);                                                                   \
        if (PyErr_Occurred()) return -1;                                                     \
        shim.name = (type(*) arguments)address;                                              \
    }
    SHIM(FIND)
    return 0;
}

static PyObject *find_functions(PyObject *module, PyObject *find) {
    (void)module;
    if (find_shim(find) < 0 || find_kernels() < 0) return NULL;
    cpu = shim.aoti_torch_device_type_cpu();
    dtypes[S3S4_F32] = shim.aoti_torch_dtype_float32();
    dtypes[S3S4_F64] = shim.aoti_torch_dtype_float64();
    dtypes[S3S4_F16] = shim.aoti_torch_dtype_float16();
    dtypes[S3S4_BF16] = shim.aoti_torch_dtype_bfloat16();
    Py_RETURN_NONE;
}

static PyObject *implement(PyObject *module, PyObject *arguments) {
    const char *space, *name;
    Library library; /* lives as long as the process: PyTorch would drop its kernels */
    int i = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "ss", &space, &name)) return NULL;
    while (i < S3S4_OPERATORS && strcmp(operators[i].name, name)) i++;
    if (i == S3S4_OPERATORS || !functions[i].value ||
        shim.aoti_torch_library_init_impl(space, "CPU", __FILE__, __LINE__, &library) ||
        shim.aoti_torch_library_impl(library, name, operators[i].on_value) ||
        shim.aoti_torch_library_impl(library, operators[i].backward, operators[i].on_backward))
        return PyErr_Format(PyExc_ImportError, "PyTorch refused the kernels of %s::%s", space, name);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"find_functions", find_functions, METH_O,
     "Find all functions; the argument gives the address of one of PyTorch's C interface."},
    {"implement", implement, METH_VARARGS,
     "Register the kernels of an operator, given its namespace and name, and of its backward."},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_operators", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__operators(void) { return PyModuleDef_Init(&module); }
