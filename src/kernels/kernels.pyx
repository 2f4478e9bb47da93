# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True, embedsignature=False, freethreading_compatible=True
"""The CPU kernels of one variant: ufunc inner loops, and any layout in cache-sized blocks.

Compiled once a variant (src/meson.build), from the same text. Knows no function by name: all come
from the generated table.
"""
# Design:
# - One module, in included files: each names what it is for. They share static functions, which the
#   compiler inlines across them.
# - A function of the table works on blocks of contiguous elements, vectorised by the compiler, with
#   its formula inlined. One indirect call costs nothing beside hundreds of exponentials.
# - Elements are computed in whole vectors whatever the number of threads, and the last ones are
#   padded, so that an element's bits depend on neither.

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_New
from cython.parallel cimport prange, threadid
from libc.float cimport FLT_MAX
from libc.math cimport INFINITY, NAN, fabs, isfinite
from libc.stdint cimport uint16_t, uint64_t
from libc.stdlib cimport calloc, free, llabs, malloc
from libc.string cimport memcpy, memset

from numpy import float32, float64

cdef extern from *:
    """
    #include "memory.h"
    #include "runtime.h"
    #include "threads.h"
    #include "s3s4.h"

    typedef struct {
        const char *name, *doc;
        int inputs, outputs, is_public, exponentials;
        void (*block_f32)(ptrdiff_t, const float *const *, float *const *);
        void (*block_f64)(ptrdiff_t, const double *const *, double *const *);
        void (*ordinary_f32)(ptrdiff_t, const float *const *, float *const *);
        void (*ordinary_f64)(ptrdiff_t, const double *const *, double *const *);
        void (*uniform_f32)(ptrdiff_t, const float *const *, float *const *);
        void (*uniform_f64)(ptrdiff_t, const double *const *, double *const *);
        void (*element)(const long double *, long double *);
    } s3s4_function;

    #include "table.h"
    enum { S3S4_FUNCTIONS = sizeof s3s4_functions / sizeof *s3s4_functions };
    #include "row_table.h"
    #include "symbols.h"

    /* A contiguous memoryview that borrows its memory: the owner is None. */
    #define S3S4_VIEW(pointer, length)                                             \\
        ((__Pyx_memviewslice){(struct __pyx_memoryview_obj *)Py_None,              \\
                              (char *)(pointer), {(length)},                       \\
                              {(Py_ssize_t)sizeof(*(pointer))}, {-1}})

    #if defined(__clang__)
    #define S3S4_COMPILER __VERSION__
    #else
    #define S3S4_COMPILER "gcc " __VERSION__
    #endif
    #define S3S4_STRING_(text) #text
    #define S3S4_STRING(text) S3S4_STRING_(text)
    """
    ctypedef struct Function "s3s4_function":
        const char *name
        const char *doc
        int inputs
        int outputs
        int is_public
        int exponentials
        void (*block_f32)(Py_ssize_t, const float **, float **) noexcept nogil
        void (*block_f64)(Py_ssize_t, const double **, double **) noexcept nogil
        void (*ordinary_f32)(Py_ssize_t, const float **, float **) noexcept nogil
        void (*ordinary_f64)(Py_ssize_t, const double **, double **) noexcept nogil
        void (*uniform_f32)(Py_ssize_t, const float **, float **) noexcept nogil
        void (*uniform_f64)(Py_ssize_t, const double **, double **) noexcept nogil
        void (*element)(const long double *, long double *) noexcept nogil

    Function[] functions "s3s4_functions"
    int FUNCTIONS "S3S4_FUNCTIONS"
    float ORDINARY_MAX_F32 "S3S4_ORDINARY_MAX_f32"
    double ORDINARY_MAX_F64 "S3S4_ORDINARY_MAX_f64"

    ctypedef struct Symbol "s3s4_symbol":
        const char *name
        const char *signature
        void (*function)()
    ctypedef struct CArray "s3s4_array":
        void *data
        const Py_ssize_t *strides
        int type
    enum:
        F32 "S3S4_F32"
        F64 "S3S4_F64"
        F16 "S3S4_F16"
        BF16 "S3S4_BF16"
    ctypedef int (*StridedFunction)(
        const Function *, int, int, int, const Py_ssize_t *, const CArray *) noexcept nogil
    ctypedef struct SymbolTable "s3s4_table":
        int count
        const Symbol *symbols
    const SymbolTable symbol_table "s3s4_symbol_table"
    const char *CAPSULE "S3S4_CAPSULE"
    StridedFunction symbols_strided "s3s4_strided"
    cnp.PyUFuncGenericFunction symbols_loop_f32 "s3s4_loop_f32"
    cnp.PyUFuncGenericFunction symbols_loop_f64 "s3s4_loop_f64"
    cnp.PyUFuncGenericFunction symbols_row_loop_f32 "s3s4_row_loop_f32"
    cnp.PyUFuncGenericFunction symbols_row_loop_f64 "s3s4_row_loop_f64"

    const char *COMPILER "S3S4_COMPILER"
    const char *FLAGS "S3S4_STRING(S3S4_FLAGS)"

    const float[::1] read_f32 "S3S4_VIEW"(const float *pointer, Py_ssize_t length) nogil
    const double[::1] read_f64 "S3S4_VIEW"(const double *pointer, Py_ssize_t length) nogil
    float[::1] write_f32 "S3S4_VIEW"(float *pointer, Py_ssize_t length) nogil
    double[::1] write_f64 "S3S4_VIEW"(double *pointer, Py_ssize_t length) nogil

    void copy "s3s4_copy"(
        char *to, Py_ssize_t to_stride, const char *source, Py_ssize_t stride, Py_ssize_t n,
        Py_ssize_t size) noexcept nogil
    void transpose_4 "s3s4_transpose_4"(
        char *to, Py_ssize_t to_step, const char *source, Py_ssize_t step, Py_ssize_t rows,
        Py_ssize_t columns) noexcept nogil
    void transpose_8 "s3s4_transpose_8"(
        char *to, Py_ssize_t to_step, const char *source, Py_ssize_t step, Py_ssize_t rows,
        Py_ssize_t columns) noexcept nogil
    void swap_bytes "s3s4_swap_bytes"(char *at, Py_ssize_t n, Py_ssize_t size) noexcept nogil
    void float_from_half "s3s4_float_from_half"(
        float *, const uint16_t *, Py_ssize_t) noexcept nogil
    void half_from_float "s3s4_half_from_float"(
        uint16_t *, const float *, Py_ssize_t) noexcept nogil

    void float_from_bfloat "s3s4_float_from_bfloat"(
        float *, const uint16_t *, Py_ssize_t) noexcept nogil
    void bfloat_from_float "s3s4_bfloat_from_float"(
        uint16_t *, const float *, Py_ssize_t) noexcept nogil
    void float_from_double "s3s4_float_from_double"(
        char *, Py_ssize_t, const char *, Py_ssize_t, Py_ssize_t) noexcept nogil
    void double_from_float "s3s4_double_from_float"(
        char *, Py_ssize_t, const char *, Py_ssize_t, Py_ssize_t) noexcept nogil

    ctypedef int FPState "s3s4_fp_state"
    FPState fp_save "s3s4_fp_save"() noexcept nogil
    void fp_restore "s3s4_fp_restore"(FPState state) noexcept nogil

    int process_threads "s3s4_process_threads"
    int local_threads "s3s4_local_threads"
    int MOST_THREADS "S3S4_MOST_THREADS"
    void threads_start "s3s4_threads_start"()
    int usable_threads "s3s4_usable_threads"() noexcept nogil
    int team_threads "s3s4_team_threads"() noexcept nogil
    bint workers_are_awake "s3s4_workers_are_awake"(Py_ssize_t times) noexcept nogil
    int openmp_version_ "s3s4_openmp_version"()
    int openmp_threads_ "s3s4_openmp_threads"()
    int openmp_processors_ "s3s4_openmp_processors"()
    ctypedef struct Team "s3s4_team":
        pass
    void team_begin "s3s4_team_begin"(Team *, int threads, Py_ssize_t tasks) noexcept nogil
    void team_did_task "s3s4_team_did_task"(Team *) noexcept nogil
    void team_end "s3s4_team_end"(const Team *) noexcept nogil

cdef extern from "fenv.h" nogil:
    ctypedef struct fenv_t:
        pass
    int fegetenv(fenv_t *)
    int fesetenv(const fenv_t *)

ctypedef fused floating:
    float
    double

cdef enum:
    PADDED = 16        # block functions take multiples of this
    CHUNK = 1024       # elements gathered at a time: operands and outputs fit the L1 cache
    TASK = 16384       # contiguous elements a thread takes at a time
    HUGE_PAGE = 1 << 21  # bytes
    MAX_INPUTS = 5     # g, x and three parameters
    MAX_OUTPUTS = 4    # the gradients of x and three parameters
    MAX_OPERANDS = 9
    MAX_DIMENSIONS = 65  # NumPy's 64 and a spare one
    MAX_TILE = 4096    # longest period of a broadcast operand that is laid out once
    MAX_GROUPS = 64    # groups of blocks with sums of their own
    # Below these many bytes of x (a double's worth of work per 8) threads cost more than they
    # bring: threads that sleep take 5 to 50 microseconds to come. What is measured may replace it.
    PARALLEL_BYTES = 1 << 20
    SHORT_BYTES = 96 << 10  # the same of threads that are awake: they come in one
    SHORTER = 8        # that at least by as much, where sleeping threads were measured

cdef Py_ssize_t parallel_floats = PARALLEL_BYTES, parallel_doubles = PARALLEL_BYTES


cdef inline Py_ssize_t ceiling(Py_ssize_t n, Py_ssize_t divisor) noexcept nogil:
    return (n + divisor - 1) // divisor


include "contiguous.pxi"
include "walk.pxi"
include "tiles.pxi"
include "sums.pxi"
include "layout.pxi"
include "strided.pxi"
include "ufuncs.pxi"
include "rows.pxi"
include "row_ufuncs.pxi"


# --- What Python calls --------------------------------------------------------------------------

cdef dict function_indices = {functions[i].name.decode(): i for i in range(FUNCTIONS)}


cdef const Function *find(name) except NULL:
    cdef int index = function_indices[name]
    return &functions[index]


cdef int fill(Operand *operand, cnp.ndarray array, int dimensions) except -1:
    """An array as it lies, repeated along the axes that it has not, or has at length 1."""
    cdef int axis, missing = dimensions - array.ndim, kind = cnp.PyArray_TYPE(array)
    operand.data = <char *> cnp.PyArray_DATA(array)
    operand.tile = NULL
    operand.mode = DIRECT
    # NumPy has no bfloat16: its bits come as integers.
    operand.flags = (
        HALF if kind == cnp.NPY_FLOAT16 else BFLOAT if kind == cnp.NPY_UINT16 else 0)
    if not cnp.PyArray_ISNOTSWAPPED(array):
        operand.flags |= SWAPPED
    for axis in range(dimensions):
        operand.strides[axis] = (
            0 if axis < missing or array.shape[axis - missing] == 1
            else cnp.PyArray_STRIDES(array)[axis - missing])
    return 0


def evaluate(name, tuple shape, tuple inputs, tuple outputs, int parameters):
    """Run a function of the table over arrays of any layout.

    Parameters
    ----------
    name : str
        Of a function of the table.
    shape : tuple of int
        Of the result.
    inputs : tuple of ndarray
        They broadcast to the shape, and are all of float64, or each of float16, float32 or, for
        the bits of bfloat16, uint16; in either byte order.
    outputs : tuple of ndarray or (ndarray, ndarray)
        An array of the shape: it is one of the inputs, exactly, or overlaps none. Or, for sums,
        2 x count float64 zeros that take totals and rests, and the index of its sum for each
        element: intp, broadcasting to the shape.
    parameters : int
        How many of the inputs, the last ones, are parameters.
    """
    cdef Walk walk
    cdef const Function *function = find(name)
    cdef Operand *operand
    cdef cnp.ndarray x = inputs[0], totals
    cdef int axis, i, threads, dimensions = len(shape)
    cdef bint doubles = cnp.PyArray_ITEMSIZE(x) == 8
    cdef bint done
    if len(inputs) != function.inputs or len(outputs) != function.outputs:
        raise TypeError(f"{name} takes {function.inputs} inputs and {function.outputs} outputs")
    walk.function = function
    walk.first_parameter = function.inputs - parameters
    walk.dimensions = 0
    for i in range(function.inputs):
        fill(&walk.inputs[i], inputs[i], dimensions)
    for i in range(function.outputs):
        operand = &walk.outputs[i]
        if isinstance(outputs[i], tuple):
            totals, slots_of = outputs[i]
            fill(operand, slots_of, dimensions)
            for axis in range(dimensions):
                operand.strides[axis] //= <Py_ssize_t> sizeof(Py_ssize_t)
            operand.data = <char *> cnp.PyArray_DATA(totals)
            operand.mode = SUMMED
            operand.slots = operand.count = totals.shape[1]
        else:
            fill(operand, outputs[i], dimensions)
    walk.elements = 1
    for axis in range(dimensions):
        walk.shape[axis] = shape[axis]
        walk.elements *= walk.shape[axis]
    if walk.elements == 0:
        return
    for axis in range(dimensions):
        if walk.shape[axis] != 1:
            move_axis(&walk, axis, walk.dimensions)
            walk.dimensions += 1
    if walk.dimensions == 0:
        walk.shape[0] = walk.dimensions = 1
    threads = threads_for(function.exponentials, walk.elements, 8 if doubles else 4)
    with nogil:
        done = run(&walk, doubles, threads)
    if not done:
        raise MemoryError(f"no memory for {name}")


cdef inline bint are_alike(cnp.ndarray one, cnp.ndarray other):
    """Whether two arrays are in one piece, have at least one axis, and the same type and shape."""
    return (
        cnp.PyArray_TYPE(one) == cnp.PyArray_TYPE(other) and one.ndim > 0
        and cnp.PyArray_ISCARRAY_RO(one) and cnp.PyArray_ISCARRAY_RO(other)
        and cnp.PyArray_SAMESHAPE(one, other))


cdef inline bint is_apart(cnp.ndarray one, cnp.ndarray other):
    """Whether two arrays that are alike share no memory, or all of it."""
    cdef Py_ssize_t distance = cnp.PyArray_BYTES(one) - cnp.PyArray_BYTES(other)
    return distance == 0 or llabs(distance) >= cnp.PyArray_NBYTES(one)


cdef inline void place(Operand *operand, void *data, Mode mode, Py_ssize_t stride) noexcept:
    """An operand with one axis."""
    operand.data = <char *> data
    operand.tile = NULL
    operand.mode = mode
    operand.flags = 0
    operand.slots = operand.count = 1
    operand.strides[0] = stride


def evaluate_bfloats(name, x, tuple parameters, tuple outs):
    """Values at bfloat16, where all is plain and a call must be short.

    Parameters
    ----------
    name : str
        Of a function of the table.
    x : ndarray
        Of bfloat16, whoever's type that is.
    parameters, outs : tuple of object

    Returns
    -------
    bool
        False, with nothing done, unless x and outs are arrays in one piece, of one shape and type,
        and each parameter is a number.
    """
    cdef cnp.ndarray a = x, y
    cdef float[MAX_INPUTS] floats
    cdef double value
    cdef Walk walk
    cdef const Function *function = find(name)
    cdef int i, count = len(parameters)
    if function.inputs != 1 + count or function.outputs != len(outs) or not a.size:
        return False
    walk.function = function
    walk.first_parameter = walk.dimensions = 1
    walk.elements = walk.shape[0] = cnp.PyArray_SIZE(a)
    place(&walk.inputs[0], cnp.PyArray_DATA(a), DIRECT, 2)
    walk.inputs[0].flags = BFLOAT
    for i in range(count):
        if type(parameters[i]) is not float:
            return False
        value = parameters[i]
        if FLT_MAX < fabs(value) < INFINITY:
            return False  # NumPy says that it does not fit
        floats[i] = <float> value
        place(&walk.inputs[1 + i], &floats[i], DIRECT, 0)
    for i in range(function.outputs):
        out = outs[i]
        if not cnp.PyArray_CheckExact(out) or not are_alike(out, a):
            return False
        y = out
        if not cnp.PyArray_ISWRITEABLE(y) or not is_apart(y, a):
            return False
        if i > 0 and not is_apart(y, outs[0]):
            return False
        place(&walk.outputs[i], cnp.PyArray_DATA(y), DIRECT, 2)
        walk.outputs[i].flags = BFLOAT
    if not run(&walk, False, threads_for(function.exponentials, walk.elements, 4)):
        raise MemoryError(f"no memory for {name}")
    return True


def backward_of_few(name, grad_output, x, tuple parameters, out):
    """The gradients of an activation, where all is plain and a call must be short.

    Parameters
    ----------
    name : str
        Of a function of the table that gives gradients.
    grad_output, x : object
    parameters : tuple of object
    out : object
        Where to put the gradient of x; None allocates.

    Returns
    -------
    tuple or None
        None unless the arrays are in one piece, of one shape and all of float32 or of float64, and
        each parameter is one number. Otherwise an array, and a number for each parameter.
    """
    cdef cnp.ndarray g, a, y
    cdef double[MAX_OUTPUTS] doubles
    cdef float[MAX_OUTPUTS] floats
    cdef double[2 * MAX_OUTPUTS] sums
    cdef Walk walk
    cdef int i, count = len(parameters)
    cdef bint is_double
    cdef Py_ssize_t size
    if not (cnp.PyArray_CheckExact(grad_output) and cnp.PyArray_CheckExact(x)):
        return None
    g, a = grad_output, x
    is_double = cnp.PyArray_TYPE(a) == cnp.NPY_DOUBLE
    if not (is_double or cnp.PyArray_TYPE(a) == cnp.NPY_FLOAT) or not are_alike(g, a):
        return None
    for i in range(count):
        value = parameters[i]
        if type(value) is float:
            doubles[i] = value
        elif type(value) is (float64 if is_double else float32):
            doubles[i] = float(value)
        else:
            return None
        if not is_double:
            if FLT_MAX < fabs(doubles[i]) < INFINITY:
                return None  # NumPy says that it does not fit
            floats[i] = <float> doubles[i]
    if out is None:
        y = cnp.PyArray_EMPTY(a.ndim, cnp.PyArray_DIMS(a), cnp.PyArray_TYPE(a), 0)
    elif (
        cnp.PyArray_CheckExact(out) and are_alike(out, a) and cnp.PyArray_ISWRITEABLE(out)
        and is_apart(out, a) and is_apart(out, g)
    ):
        y = out
    else:
        return None
    size = cnp.PyArray_ITEMSIZE(a)
    walk.function = find(name)
    walk.first_parameter = 2
    walk.dimensions = 1
    walk.elements = walk.shape[0] = cnp.PyArray_SIZE(a)
    if walk.elements == 0 or walk.function.inputs != 2 + count:
        return None
    place(&walk.inputs[0], cnp.PyArray_DATA(g), DIRECT, size)
    place(&walk.inputs[1], cnp.PyArray_DATA(a), DIRECT, size)
    place(&walk.outputs[0], cnp.PyArray_DATA(y), DIRECT, size)
    memset(sums, 0, sizeof(sums))
    for i in range(count):
        place(&walk.inputs[2 + i], &doubles[i] if is_double else <void *> &floats[i], DIRECT, 0)
        place(&walk.outputs[1 + i], &sums[2 * i], SUMMED, 0)
    if not run(&walk, is_double, threads_for(walk.function.exponentials, walk.elements, size)):
        raise MemoryError(f"no memory for {name}")
    gradients = [y]
    for i in range(count):
        doubles[i] = sums[2 * i]
        if isfinite(doubles[i]):
            doubles[i] += sums[2 * i + 1]
        floats[i] = <float> doubles[i]
        gradients.append(
            cnp.PyArray_ToScalar(&doubles[i] if is_double else <void *> &floats[i], a))
    return tuple(gradients)


# --- C functions for other people's code --------------------------------------------------------

cdef create_symbols():
    """The capsule of the whole table, and for each C function its address and capsule, by name.

    A function's capsule is named after its signature, as Cython and SciPy look for it.
    """
    cdef const Symbol *symbol
    cdef int i
    global symbols_loop_f32, symbols_loop_f64, symbols_row_loop_f32, symbols_row_loop_f64
    global symbols_strided
    symbols_strided = strided
    symbols_loop_f32, symbols_loop_f64 = loops[1], loops[2]
    symbols_row_loop_f32 = <cnp.PyUFuncGenericFunction> call_rows_f32
    symbols_row_loop_f64 = <cnp.PyUFuncGenericFunction> call_rows_f64
    created = {}
    for i in range(symbol_table.count):
        symbol = &symbol_table.symbols[i]
        created[symbol.name.decode()] = (
            <size_t> symbol.function, symbol.signature.decode(),
            PyCapsule_New(<void *> symbol.function, symbol.signature, NULL))
    return PyCapsule_New(<void *> &symbol_table, CAPSULE, NULL), created


# --- Threads and build --------------------------------------------------------------------------

def set_process_threads(int n):
    """The number of threads for every Python thread without a number of its own."""
    global process_threads
    process_threads = n


def set_local_threads(int n):
    """The number of threads for calls from this Python thread; 0: the process-wide number."""
    global local_threads
    local_threads = n


def parallel_size(name, bint doubles, bint usual):
    """From how many elements on a function uses threads; usual: unless something was measured."""
    cdef Py_ssize_t least = parallel_doubles if doubles else parallel_floats
    if usual:
        least = PARALLEL_BYTES
    return least // (1 + find(name).exponentials) // (8 if doubles else 4)


def set_parallel_size(name, bint doubles, Py_ssize_t n):
    """From how many elements on a function uses threads, and all others according to their work."""
    global parallel_floats, parallel_doubles
    cdef Py_ssize_t least = n * (8 if doubles else 4) * (1 + find(name).exponentials)
    if doubles:
        parallel_doubles = least
    else:
        parallel_floats = least


def threads_now():
    """The number of threads a large call made here and now may use."""
    return usable_threads()


def openmp_threads():
    """The number OpenMP would take."""
    return openmp_threads_()


def openmp_processors():
    """Those that this process may use: OpenMP still knows after it has bound this thread to one."""
    return openmp_processors_()


cnp.import_array()
cnp.import_ufunc()
threads_start()
ufuncs = {**create_ufuncs(), **create_row_ufuncs()}
c_api, symbols = create_symbols()
openmp_version = openmp_version_()
most_threads = MOST_THREADS
compiler = COMPILER.decode()
flags = FLAGS.decode()
