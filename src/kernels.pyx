# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True, embedsignature=False
"""The CPU kernels of one variant: ufunc inner loops, and any layout in cache-sized blocks.

Compiled once a variant (src/meson.build), from the same text. Knows no function by name: all come
from the generated table.
"""
# Design:
# - A function of the table works on blocks of contiguous elements, vectorised by the compiler, with
#   its formula inlined. One indirect call a block costs nothing beside 256 exponentials.
# - NumPy calls an inner loop once with the whole length where memory is contiguous. Views over its
#   pointers feed `contiguous`, the typed-memoryview prange kernel. They borrow: their owner is None
#   and no reference is counted, so that no thread ever waits for the GIL here.
# - Every other layout goes through `walk`: blocks of the flattened index space are gathered into
#   buffers that stay in the first-level cache, converted on the way, computed and scattered.
#   NumPy's own iterator would hand over short rows, one call each, none of them worth a thread.
# - Blocks start at multiples of 256 whatever the number of threads, and the last one is padded, so
#   that an element's bits depend on neither.
# - Sums (the gradients of broadcast parameters) belong to groups of blocks that depend on shapes
#   alone, hold two doubles each (a compensated sum) and are added up in order.
# - Memory is read before it is written within a block. Where an output overlaps an input otherwise
#   than exactly (reduce, accumulate, shifted views), elements go one by one, in order.

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_New
from cython.parallel cimport prange
from libc.stdint cimport uint16_t
from libc.math cimport fabs
from libc.stdlib cimport calloc, free, llabs, malloc
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #include "memory.h"
    #include "runtime.h"
    #include "s3s4.h"

    typedef struct {
        const char *name, *doc;
        int inputs, outputs, is_public, exponentials;
        void (*block_f32)(ptrdiff_t, const float *const *, float *const *);
        void (*block_f64)(ptrdiff_t, const double *const *, double *const *);
        void (*uniform_f32)(ptrdiff_t, const float *const *, float *const *);
        void (*uniform_f64)(ptrdiff_t, const double *const *, double *const *);
        void (*element)(const long double *, long double *);
    } s3s4_function;

    #include "table.h"
    enum { S3S4_FUNCTIONS = sizeof s3s4_functions / sizeof *s3s4_functions };
    #include "symbols.h"

    /* A contiguous memoryview that borrows its memory: the owner is None. */
    #define S3S4_VIEW(pointer, length)                                             \\
        ((__Pyx_memviewslice){(struct __pyx_memoryview_obj *)Py_None,              \\
                              (char *)(pointer), {(length)},                       \\
                              {(Py_ssize_t)sizeof(*(pointer))}, {-1}})

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
        void (*uniform_f32)(Py_ssize_t, const float **, float **) noexcept nogil
        void (*uniform_f64)(Py_ssize_t, const double **, double **) noexcept nogil
        void (*element)(const long double *, long double *) noexcept nogil

    Function[] functions "s3s4_functions"
    int FUNCTIONS "S3S4_FUNCTIONS"
    float UNIFORM_MAX_F32 "S3S4_UNIFORM_MAX_f32"
    double UNIFORM_MAX_F64 "S3S4_UNIFORM_MAX_f64"

    ctypedef struct Symbol "s3s4_symbol":
        const char *name
        const char *signature
        void (*function)()
    ctypedef struct SymbolTable "s3s4_table":
        int count
        const Symbol *symbols
    const SymbolTable symbol_table "s3s4_symbol_table"
    const char *CAPSULE "S3S4_CAPSULE"
    cnp.PyUFuncGenericFunction symbols_loop_f32 "s3s4_loop_f32"
    cnp.PyUFuncGenericFunction symbols_loop_f64 "s3s4_loop_f64"

    const char *COMPILER "__VERSION__"
    const char *FLAGS "S3S4_STRING(S3S4_FLAGS)"

    const float[::1] read_f32 "S3S4_VIEW"(const float *pointer, Py_ssize_t length) nogil
    const double[::1] read_f64 "S3S4_VIEW"(const double *pointer, Py_ssize_t length) nogil
    float[::1] write_f32 "S3S4_VIEW"(float *pointer, Py_ssize_t length) nogil
    double[::1] write_f64 "S3S4_VIEW"(double *pointer, Py_ssize_t length) nogil

    void copy "s3s4_copy"(
        char *to, Py_ssize_t to_stride, const char *source, Py_ssize_t stride, Py_ssize_t n,
        Py_ssize_t size) noexcept nogil
    void swap_bytes "s3s4_swap_bytes"(char *at, Py_ssize_t n, Py_ssize_t size) noexcept nogil
    void float_from_half "s3s4_float_from_half"(
        float *, const uint16_t *, Py_ssize_t) noexcept nogil
    void half_from_float "s3s4_half_from_float"(
        uint16_t *, const float *, Py_ssize_t) noexcept nogil

    ctypedef int FPState "s3s4_fp_state"
    FPState fp_save "s3s4_fp_save"() noexcept nogil
    void fp_restore "s3s4_fp_restore"(FPState state) noexcept nogil

    int process_threads "s3s4_process_threads"
    int local_threads "s3s4_local_threads"
    void runtime_start "s3s4_runtime_start"()
    int usable_threads "s3s4_usable_threads"() noexcept nogil
    int openmp_version_ "s3s4_openmp_version"()
    int openmp_max_threads_ "s3s4_openmp_max_threads"()

cdef extern from "fenv.h" nogil:
    ctypedef struct fenv_t:
        pass
    int fegetenv(fenv_t *)
    int fesetenv(const fenv_t *)

ctypedef fused floating:
    float
    double

cdef enum:
    BLOCK = 256        # elements a block function takes at a time
    PADDED = 16        # block functions take multiples of this
    CHUNK = 1024       # elements gathered at a time: operands and outputs fit the L1 cache
    TASK = 64 * BLOCK  # contiguous elements a thread takes at a time
    MAX_INPUTS = 4     # g, x and two parameters
    MAX_OUTPUTS = 3    # the gradients of x and two parameters
    MAX_OPERANDS = 7
    MAX_DIMENSIONS = 65  # NumPy's 64 and a spare one
    MAX_TILE = 4096    # longest period of a broadcast operand that is laid out once
    MAX_GROUPS = 64    # groups of blocks with sums of their own
    # Below these many bytes of x (a double's worth of work per 8) threads cost more than they
    # bring: a fork and join takes 5 to 20 microseconds. What is measured may replace it.
    PARALLEL_BYTES = 1 << 19

cdef Py_ssize_t parallel_floats = PARALLEL_BYTES, parallel_doubles = PARALLEL_BYTES


cdef inline Py_ssize_t ceiling(Py_ssize_t n, Py_ssize_t divisor) noexcept nogil:
    return (n + divisor - 1) // divisor


# --- One piece of contiguous memory -------------------------------------------------------------

cdef inline void call_block(
    const Function *function, bint uniform, Py_ssize_t n, const floating **inputs,
    floating **outputs,
) noexcept nogil:
    if floating is double:
        if uniform:
            function.uniform_f64(n, inputs, outputs)
        else:
            function.block_f64(n, inputs, outputs)
    else:
        if uniform:
            function.uniform_f32(n, inputs, outputs)
        else:
            function.block_f32(n, inputs, outputs)


cdef void compute(
    const Function *function, int first_parameter, bint uniform, Py_ssize_t n,
    const floating **inputs, floating **outputs,
) noexcept nogil:
    """n contiguous elements; if uniform, inputs from first_parameter on hold one element each."""
    cdef floating[MAX_OPERANDS * PADDED] padding
    cdef const floating *short_inputs[MAX_INPUTS]
    cdef floating *short_outputs[MAX_OUTPUTS]
    cdef Py_ssize_t whole = n & ~<Py_ssize_t> (PADDED - 1), rest = n - whole
    cdef int i
    if whole:
        call_block(function, uniform, whole, inputs, outputs)
    if rest:
        memset(padding, 0, sizeof(padding))
        for i in range(function.inputs):
            if uniform and i >= first_parameter:
                short_inputs[i] = inputs[i]
            else:
                short_inputs[i] = &padding[i * PADDED]
                memcpy(&padding[i * PADDED], inputs[i] + whole, rest * sizeof(floating))
        for i in range(function.outputs):
            short_outputs[i] = &padding[(MAX_INPUTS + i) * PADDED]
        call_block(function, uniform, PADDED, short_inputs, short_outputs)
        for i in range(function.outputs):
            memcpy(outputs[i] + whole, short_outputs[i], rest * sizeof(floating))


cdef inline void piece(
    const Function *function, const floating[::1] x, const floating[::1] p,
    const floating[::1] q, floating[::1] y, floating[::1] z, Py_ssize_t start, Py_ssize_t n,
) noexcept nogil:
    cdef bint uniform = p.shape[0] < x.shape[0]
    cdef const floating *inputs[3]
    cdef floating *outputs[2]
    inputs[0] = &x[start]
    inputs[1] = &p[0 if uniform else start]
    inputs[2] = &q[0 if uniform else start]
    outputs[0] = &y[start]
    outputs[1] = &z[start]
    compute(function, 1, uniform, n, inputs, outputs)


cdef void contiguous(
    const Function *function, const floating[::1] x, const floating[::1] p,
    const floating[::1] q, floating[::1] y, floating[::1] z, int threads,
) noexcept nogil:
    """y, z = function(x, p, q), where p and q are both as long as x or both one element.

    What a function does not have is any view of the right length: it is never touched.
    """
    cdef Py_ssize_t n = x.shape[0], task
    for task in prange(ceiling(n, TASK), num_threads=threads, schedule="dynamic"):
        piece(function, x, p, q, y, z, task * TASK, min(<Py_ssize_t> TASK, n - task * TASK))


# --- Any layout ---------------------------------------------------------------------------------

cdef enum Kind:
    HALF = 1           # half precision in memory, float in registers
    SWAPPED = 2        # the other byte order

cdef enum Mode:
    DIRECT             # contiguous over the whole walk and native: used in place
    TILED              # repeats with a short period: laid out once, long enough for any chunk
    GATHERED           # copied to a buffer, chunk by chunk
    SUMMED             # an output: added up over the axes it is broadcast along
    SUMMED_TILE        # the same, into a tile that is folded at the end

cdef struct Operand:
    char *data                         # of sums, the doubles they end up in
    int flags
    int mode
    Py_ssize_t period                  # of a tile
    char *tile                         # of sums, sets of slots: totals, then rests
    Py_ssize_t slots                   # of a set
    Py_ssize_t set_size                # doubles from a group's set to the next; 0: all share one
    Py_ssize_t[MAX_DIMENSIONS] strides  # bytes; of sums, elements

cdef struct Walk:
    const Function *function
    int first_parameter
    bint uniform                       # every parameter is one element, and not too large
    int dimensions
    Py_ssize_t elements
    Py_ssize_t group_size              # elements
    Py_ssize_t groups                  # depends on shapes alone
    Py_ssize_t[MAX_DIMENSIONS] shape
    Operand[MAX_INPUTS] inputs
    Operand[MAX_OUTPUTS] outputs


cdef void load(
    floating *to, const char *source, Py_ssize_t stride, Py_ssize_t n, const Operand *operand,
) noexcept nogil:
    """At most CHUNK elements of an operand, converted to the type of the loop."""
    cdef uint16_t[CHUNK] halves
    if floating is float:
        if operand.flags & HALF:
            copy(<char *> halves, 2, source, stride, n, 2)
            if operand.flags & SWAPPED:
                swap_bytes(<char *> halves, n, 2)
            float_from_half(to, halves, n)
            return
    copy(<char *> to, sizeof(floating), source, stride, n, sizeof(floating))
    if operand.flags & SWAPPED:
        swap_bytes(<char *> to, n, sizeof(floating))


cdef void store(
    const Operand *operand, char *to, Py_ssize_t stride, floating *source, Py_ssize_t n,
) noexcept nogil:
    """The way back; the source is a buffer and may be changed."""
    cdef uint16_t[CHUNK] halves
    if floating is float:
        if operand.flags & HALF:
            half_from_float(halves, source, n)
            if operand.flags & SWAPPED:
                swap_bytes(<char *> halves, n, 2)
            copy(to, stride, <char *> halves, 2, n, 2)
            return
    if operand.flags & SWAPPED:
        swap_bytes(<char *> source, n, sizeof(floating))
    copy(to, stride, <char *> source, sizeof(floating), n, sizeof(floating))


cdef inline double two_sum(double a, double b, double *rest) noexcept nogil:
    """a + b, and what its rounding left (Knuth)."""
    cdef double total = a + b, part = total - a
    rest[0] += (a - (total - part)) + (b - part)
    return total


cdef double lane_sum(const floating *values, Py_ssize_t n, double *rest) noexcept nogil:
    """The sum of at most CHUNK values: 16 lanes of doubles, compensated between the lanes."""
    cdef double[16] lanes
    cdef double total = 0.0
    cdef Py_ssize_t i, lane
    for lane in range(16):
        lanes[lane] = 0.0
    for i in range(0, n - 15, 16):
        for lane in range(16):
            lanes[lane] += values[i + lane]
    for i in range(n & ~<Py_ssize_t> 15, n):
        lanes[i & 15] += values[i]
    for lane in range(16):
        total = two_sum(total, lanes[lane], rest)
    return total


cdef void accumulate(
    double *sums, double *rests, Py_ssize_t stride, const floating *values, Py_ssize_t n,
) noexcept nogil:
    """Add values to sums[0], sums[stride], ...; at stride 0 all to one."""
    cdef Py_ssize_t i
    if stride == 0:
        sums[0] = two_sum(sums[0], lane_sum(values, n, rests), rests)
    elif stride == 1:
        for i in range(n):
            sums[i] = two_sum(sums[i], values[i], &rests[i])
    else:
        for i in range(n):
            sums[i * stride] = two_sum(sums[i * stride], values[i], &rests[i * stride])


cdef Py_ssize_t locate(
    const Walk *walk, const Operand *operand, Py_ssize_t start, Py_ssize_t *index,
) noexcept nogil:
    """The index of a flattened position, and the operand's offset there."""
    cdef Py_ssize_t offset = 0
    cdef int axis
    for axis in range(walk.dimensions - 1, -1, -1):
        index[axis] = start % walk.shape[axis]
        start = start // walk.shape[axis]
        offset += index[axis] * operand.strides[axis]
    return offset


cdef inline Py_ssize_t advance(
    const Walk *walk, const Operand *operand, Py_ssize_t offset, Py_ssize_t run,
    Py_ssize_t *index,
) noexcept nogil:
    """The offset after a run along the last axis."""
    cdef int axis = walk.dimensions - 1
    index[axis] += run
    offset += run * operand.strides[axis]
    while axis > 0 and index[axis] == walk.shape[axis]:
        index[axis] = 0
        offset += operand.strides[axis - 1] - walk.shape[axis] * operand.strides[axis]
        axis -= 1
        index[axis] += 1
    return offset


cdef void gather(
    const Walk *walk, const Operand *operand, Py_ssize_t start, Py_ssize_t n, floating *buffer,
) noexcept nogil:
    cdef Py_ssize_t[MAX_DIMENSIONS] index
    cdef Py_ssize_t offset = locate(walk, operand, start, index), run
    cdef int last = walk.dimensions - 1
    while n > 0:
        run = min(n, walk.shape[last] - index[last])
        load(buffer, operand.data + offset, operand.strides[last], run, operand)
        offset = advance(walk, operand, offset, run, index)
        buffer += run
        n -= run


cdef void scatter(
    const Walk *walk, const Operand *operand, Py_ssize_t start, Py_ssize_t n, floating *buffer,
) noexcept nogil:
    cdef Py_ssize_t[MAX_DIMENSIONS] index
    cdef Py_ssize_t offset = locate(walk, operand, start, index), run
    cdef int last = walk.dimensions - 1
    while n > 0:
        run = min(n, walk.shape[last] - index[last])
        store(operand, operand.data + offset, operand.strides[last], buffer, run)
        offset = advance(walk, operand, offset, run, index)
        buffer += run
        n -= run


cdef void add_up(
    const Walk *walk, const Operand *operand, Py_ssize_t group, Py_ssize_t start, Py_ssize_t n,
    const floating *values,
) noexcept nogil:
    cdef Py_ssize_t[MAX_DIMENSIONS] index
    cdef Py_ssize_t offset, run
    cdef int last = walk.dimensions - 1
    cdef double *sums = <double *> operand.tile + operand.set_size * group
    if operand.mode == SUMMED_TILE:
        sums += start % operand.period
        accumulate(sums, sums + operand.slots, 1, values, n)
        return
    offset = locate(walk, operand, start, index)
    while n > 0:
        run = min(n, walk.shape[last] - index[last])
        accumulate(
            sums + offset, sums + operand.slots + offset, operand.strides[last], values, run
        )
        offset = advance(walk, operand, offset, run, index)
        values += run
        n -= run


cdef void walk_chunk(
    const Walk *walk, Py_ssize_t group, Py_ssize_t start, Py_ssize_t n, floating *buffers,
) noexcept nogil:
    cdef const floating *inputs[MAX_INPUTS]
    cdef floating *outputs[MAX_OUTPUTS]
    cdef const Operand *operand
    cdef int i
    for i in range(walk.function.inputs):
        operand = &walk.inputs[i]
        if operand.mode == DIRECT:
            inputs[i] = <const floating *> operand.data + start
        elif operand.mode == TILED:
            inputs[i] = <const floating *> operand.tile + start % operand.period
        else:
            gather(walk, operand, start, n, &buffers[i * CHUNK])
            inputs[i] = &buffers[i * CHUNK]
    for i in range(walk.function.outputs):
        operand = &walk.outputs[i]
        if operand.mode == DIRECT:
            outputs[i] = <floating *> operand.data + start
        else:
            outputs[i] = &buffers[(MAX_INPUTS + i) * CHUNK]
    compute(walk.function, walk.first_parameter, walk.uniform, n, inputs, outputs)
    for i in range(walk.function.outputs):
        operand = &walk.outputs[i]
        if operand.mode == GATHERED:
            scatter(walk, operand, start, n, outputs[i])
        elif operand.mode != DIRECT:
            add_up(walk, operand, group, start, n, outputs[i])


cdef void walk_group(const Walk *walk, Py_ssize_t group, const floating *_) noexcept nogil:
    cdef floating[MAX_OPERANDS * CHUNK] buffers
    cdef Py_ssize_t start = group * walk.group_size
    cdef Py_ssize_t end = min(start + walk.group_size, walk.elements)
    while start < end:
        walk_chunk(walk, group, start, min(<Py_ssize_t> CHUNK, end - start), buffers)
        start += CHUNK


cdef void walk_all(const Walk *walk, int threads, const floating *kind) noexcept nogil:
    cdef Py_ssize_t group
    if threads == 1:  # entering a parallel region costs as much as hundreds of elements
        for group in range(walk.groups):
            walk_group(walk, group, kind)
    else:
        for group in prange(walk.groups, num_threads=threads, schedule="dynamic"):
            walk_group(walk, group, kind)


# --- Laying out a walk --------------------------------------------------------------------------

cdef inline Py_ssize_t distance(const Walk *walk, int axis) noexcept nogil:
    """How far apart neighbours along an axis lie, in the first output that is stored."""
    cdef int i
    for i in range(walk.function.outputs):
        if walk.outputs[i].mode != SUMMED:
            return llabs(walk.outputs[i].strides[axis])
    return llabs(walk.inputs[0].strides[axis])


cdef inline bint is_summed(const Walk *walk, int axis) noexcept nogil:
    cdef int i
    for i in range(walk.function.outputs):
        if walk.outputs[i].mode == SUMMED and walk.outputs[i].strides[axis] == 0:
            return True
    return False


cdef void move_axis(Walk *walk, int source, int to) noexcept nogil:
    """Overwrite an axis with another one."""
    cdef int i
    walk.shape[to] = walk.shape[source]
    for i in range(walk.function.inputs):
        walk.inputs[i].strides[to] = walk.inputs[i].strides[source]
    for i in range(walk.function.outputs):
        walk.outputs[i].strides[to] = walk.outputs[i].strides[source]


cdef void order_axes(Walk *walk, bint sums_last) noexcept nogil:
    """Largest distance in memory first; if asked, axes that are summed over innermost."""
    cdef int axis, at, spare = walk.dimensions
    cdef bint summed, summed_before
    for axis in range(1, walk.dimensions):
        at = axis
        while at > 0:
            summed = sums_last and is_summed(walk, at)
            summed_before = sums_last and is_summed(walk, at - 1)
            if summed > summed_before or (
                summed == summed_before and distance(walk, at) <= distance(walk, at - 1)
            ):
                break
            move_axis(walk, at, spare)
            move_axis(walk, at - 1, at)
            move_axis(walk, spare, at - 1)
            at -= 1


cdef inline bint continues(const Walk *walk, int axis, int before) noexcept nogil:
    """Whether an axis and the one before it are one, in every operand."""
    cdef int i
    for i in range(walk.function.inputs):
        if walk.inputs[i].strides[before] != walk.shape[axis] * walk.inputs[i].strides[axis]:
            return False
    for i in range(walk.function.outputs):
        if walk.outputs[i].strides[before] != walk.shape[axis] * walk.outputs[i].strides[axis]:
            return False
    return True


cdef void coalesce(Walk *walk) noexcept nogil:
    cdef int axis, kept = 0
    cdef Py_ssize_t length
    for axis in range(1, walk.dimensions):
        if continues(walk, axis, kept):
            length = walk.shape[kept] * walk.shape[axis]
            move_axis(walk, axis, kept)
            walk.shape[kept] = length
        else:
            kept += 1
            move_axis(walk, axis, kept)
    walk.dimensions = kept + 1


cdef Py_ssize_t period_of(const Walk *walk, const Operand *operand) noexcept nogil:
    """The length after which an operand repeats: the axes behind those it is broadcast along."""
    cdef Py_ssize_t period = 1
    cdef int axis
    for axis in range(walk.dimensions - 1, -1, -1):
        if operand.strides[axis] != 0:
            break
    else:
        return 1
    for axis in range(walk.dimensions):
        if operand.strides[axis] != 0 or period > 1:
            period *= walk.shape[axis]
    return period


cdef inline bint is_direct(
    const Walk *walk, const Operand *operand, Py_ssize_t stride,
) noexcept nogil:
    """Whether elements of this many bytes follow each other through the whole walk."""
    cdef int axis
    if operand.flags or <size_t> operand.data % <size_t> stride:
        return False
    for axis in range(walk.dimensions - 1, -1, -1):
        if operand.strides[axis] != stride:
            return False
        stride *= walk.shape[axis]
    return True


cdef bint lay_tile(const Walk *walk, Operand *operand, const floating *_) noexcept nogil:
    """Lay out one period and a chunk more, so that every chunk is contiguous in it."""
    cdef Py_ssize_t length = min(operand.period + CHUNK, walk.elements), start = 0
    operand.tile = <char *> malloc(length * sizeof(floating))
    if operand.tile == NULL:
        return False
    while start < length:
        gather(
            walk, operand, start, min(<Py_ssize_t> CHUNK, length - start),
            <floating *> operand.tile + start,
        )
        start += CHUNK
    return True


cdef void divide(Walk *walk, Py_ssize_t slots, int sums) noexcept nogil:
    """Divide the walk into groups, by shapes alone, and order and join its axes."""
    cdef Py_ssize_t summed = 1
    cdef int axis, i
    cdef bint crowded = sums == 1 and slots * MAX_GROUPS > walk.elements
    order_axes(walk, crowded)
    walk.group_size = TASK
    if crowded:
        # Sets for every group would outgrow x. With the summed axes innermost, groups that hold
        # whole sums have slots of their own in one set.
        for axis in range(walk.dimensions):
            if is_summed(walk, axis):
                summed *= walk.shape[axis]
        walk.group_size = ceiling(TASK, summed) * summed
    elif sums:
        walk.groups = max(1, min(<Py_ssize_t> MAX_GROUPS, walk.elements // (16 * slots)))
        walk.group_size = ceiling(walk.elements, walk.groups * CHUNK) * CHUNK
    for i in range(walk.function.outputs):
        walk.outputs[i].set_size = not crowded
    walk.groups = ceiling(walk.elements, walk.group_size)
    coalesce(walk)


cdef bint lay_out(Walk *walk, const floating *kind) noexcept nogil:
    """Choose how each operand is reached; False when there is no memory for sums."""
    cdef Operand *operand
    cdef int i
    walk.uniform = True
    for i in range(walk.function.inputs):
        operand = &walk.inputs[i]
        operand.period = period_of(walk, operand)
        if is_direct(walk, operand, sizeof(floating)):
            operand.mode = DIRECT
        elif (
            operand.period <= MAX_TILE
            and operand.period < walk.elements
            and lay_tile(walk, operand, kind)
        ):
            operand.mode = TILED
        else:
            operand.mode = GATHERED
        if i >= walk.first_parameter:
            walk.uniform = (
                walk.uniform
                and operand.mode == TILED
                and operand.period == 1
                and is_uniform(<const floating *> operand.tile)
            )
    for i in range(walk.function.outputs):
        operand = &walk.outputs[i]
        if operand.mode != SUMMED:
            operand.mode = (
                DIRECT if is_direct(walk, operand, sizeof(floating)) else GATHERED
            )
        elif not lay_sums(walk, operand):
            return False
    return True


cdef inline bint is_uniform(const floating *parameter) noexcept nogil:
    if floating is double:
        return not fabs(parameter[0]) > UNIFORM_MAX_F64
    else:
        return not fabs(parameter[0]) > UNIFORM_MAX_F32


cdef bint lay_sums(const Walk *walk, Operand *operand) noexcept nogil:
    cdef Py_ssize_t sets = walk.groups if operand.set_size else 1
    operand.period = period_of(walk, operand)
    if 1 < operand.period <= MAX_TILE and walk.shape[walk.dimensions - 1] < 128:
        operand.mode = SUMMED_TILE
        operand.slots = operand.period + CHUNK
    if operand.set_size:
        operand.set_size = 2 * operand.slots
    operand.tile = <char *> calloc(sets * 2 * operand.slots, sizeof(double))
    return operand.tile != NULL


cdef void finish_sums(const Walk *walk, const Operand *operand, Py_ssize_t count) noexcept nogil:
    """Add up the groups' sums, in order, into count totals and then count rests."""
    cdef Py_ssize_t[MAX_DIMENSIONS] index
    cdef Py_ssize_t sets = walk.groups if operand.set_size else 1, group, slot, at
    cdef double *totals = <double *> operand.data
    cdef double *rests = totals + count
    cdef const double *sums
    for group in range(sets):
        sums = <const double *> operand.tile + group * operand.set_size
        for slot in range(operand.slots):
            at = slot
            if operand.mode == SUMMED_TILE:
                at = locate(walk, operand, slot % operand.period, index)
            totals[at] = two_sum(totals[at], sums[slot], &rests[at])
            rests[at] += sums[operand.slots + slot]


cdef void release(Walk *walk) noexcept nogil:
    cdef int i
    for i in range(walk.function.inputs):
        free(walk.inputs[i].tile)
    for i in range(walk.function.outputs):
        free(walk.outputs[i].tile)


# --- What Python calls --------------------------------------------------------------------------

cdef inline int threads_for(const Function *function, Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t least = parallel_doubles if size == 8 else parallel_floats
    if n * size < least // (1 + function.exponentials):
        return 1
    return usable_threads()


cdef const Function *find(name) except NULL:
    cdef int i
    cdef bytes wanted = name.encode()
    for i in range(FUNCTIONS):
        if functions[i].name == wanted:
            return &functions[i]
    raise KeyError(name)


cdef int fill(Operand *operand, cnp.ndarray array, bint half) except -1:
    cdef int axis
    operand.data = <char *> cnp.PyArray_DATA(array)
    operand.tile = NULL
    operand.mode = DIRECT
    operand.flags = HALF if half else 0
    if not cnp.PyArray_ISNOTSWAPPED(array):
        operand.flags |= SWAPPED
    for axis in range(array.ndim):
        operand.strides[axis] = cnp.PyArray_STRIDES(array)[axis]
    return 0


cdef void run(Walk *walk, bint doubles, int threads) noexcept nogil:
    if doubles:
        walk_all[double](walk, threads, NULL)
    else:
        walk_all[float](walk, threads, NULL)


def evaluate(name, tuple inputs, tuple outputs, int parameters):
    """Run a function of the table over arrays of any layout.

    Parameters
    ----------
    name : str
        Of a function of the table.
    inputs : tuple of ndarray
        All of one shape (broadcast) and one of float16, float32, float64, in either byte order.
    outputs : tuple of ndarray or (ndarray, ndarray)
        An array like the inputs: it is one of them, exactly, or overlaps none. Or, for sums,
        2 x count float64 zeros that take totals and rests, and for each element of the inputs the
        index of its sum: intp, broadcast to their shape.
    parameters : int
        How many of the inputs, the last ones, are parameters.
    """
    cdef Walk walk
    cdef const Function *function = find(name)
    cdef Operand *operand
    cdef cnp.ndarray x = inputs[0], totals
    cdef Py_ssize_t[MAX_OUTPUTS] counts
    cdef Py_ssize_t slots = 0
    cdef int axis, i, threads, sums = 0
    cdef bint half = cnp.PyArray_ITEMSIZE(x) == 2, doubles = cnp.PyArray_ITEMSIZE(x) == 8
    cdef bint laid_out
    cdef FPState state
    if len(inputs) != function.inputs or len(outputs) != function.outputs:
        raise TypeError(f"{name} takes {function.inputs} inputs and {function.outputs} outputs")
    walk.function = function
    walk.first_parameter = function.inputs - parameters
    walk.dimensions = 0
    for i in range(function.inputs):
        fill(&walk.inputs[i], inputs[i], half)
    for i in range(function.outputs):
        operand = &walk.outputs[i]
        if isinstance(outputs[i], tuple):
            totals, slots_of = outputs[i]
            fill(operand, slots_of, False)
            for axis in range(x.ndim):
                operand.strides[axis] //= <Py_ssize_t> sizeof(Py_ssize_t)
            operand.data = <char *> cnp.PyArray_DATA(totals)
            operand.mode = SUMMED
            operand.slots = counts[i] = totals.shape[1]
            slots += counts[i]
            sums += 1
        else:
            fill(operand, outputs[i], half)
    walk.elements = x.size
    if walk.elements == 0:
        return
    for axis in range(x.ndim):
        walk.shape[axis] = x.shape[axis]
        if walk.shape[axis] != 1:
            move_axis(&walk, axis, walk.dimensions)
            walk.dimensions += 1
    if walk.dimensions == 0:
        walk.shape[0] = walk.dimensions = 1
    threads = threads_for(function, walk.elements, 8 if doubles else 4)
    with nogil:
        divide(&walk, slots, sums)
        laid_out = lay_out[double](&walk, NULL) if doubles else lay_out[float](&walk, NULL)
        if laid_out:
            state = fp_save()
            run(&walk, doubles, threads)
            fp_restore(state)
            for i in range(function.outputs):
                if walk.outputs[i].mode == SUMMED or walk.outputs[i].mode == SUMMED_TILE:
                    finish_sums(&walk, &walk.outputs[i], counts[i])
        release(&walk)
    if not laid_out:
        raise MemoryError(f"no memory for the sums of {name}")


# --- ufuncs -------------------------------------------------------------------------------------

cdef bint entangled(
    const Function *function, char **args, Py_ssize_t n, const cnp.npy_intp *steps,
    Py_ssize_t size,
) noexcept nogil:
    """Whether an output overlaps an input, or itself, otherwise than element by element."""
    cdef int i, o
    cdef Py_ssize_t low, high, in_low, in_high
    for o in range(function.inputs, function.inputs + function.outputs):
        if steps[o] == 0 and n > 1:
            return True
        low = <Py_ssize_t> args[o] + min(<Py_ssize_t> 0, (n - 1) * steps[o])
        high = low + llabs((n - 1) * steps[o]) + size
        for i in range(function.inputs):
            if args[i] == args[o] and steps[i] == steps[o]:
                continue
            in_low = <Py_ssize_t> args[i] + min(<Py_ssize_t> 0, (n - 1) * steps[i])
            in_high = in_low + llabs((n - 1) * steps[i]) + size
            if in_low < high and low < in_high:
                return True
    return False


cdef void one_by_one(const Walk *walk, const floating *_) noexcept nogil:
    cdef floating[MAX_OPERANDS * CHUNK] buffers
    cdef Py_ssize_t i
    for i in range(walk.elements):
        walk_chunk(walk, 0, i, 1, buffers)


cdef void loop_strided(
    const Function *function, char **args, Py_ssize_t n, const cnp.npy_intp *steps, int flags,
    bint in_order, const floating *kind,
) noexcept nogil:
    """A walk along one axis."""
    cdef Walk walk
    cdef Operand *operand
    cdef int i
    walk.function = function
    walk.first_parameter = 1
    walk.uniform = False
    walk.dimensions = 1
    walk.elements = walk.shape[0] = n
    walk.group_size = TASK
    walk.groups = ceiling(n, TASK)
    for i in range(function.inputs + function.outputs):
        operand = (
            &walk.inputs[i] if i < function.inputs else &walk.outputs[i - function.inputs]
        )
        operand.data = args[i]
        operand.flags = flags
        operand.mode = GATHERED
        operand.tile = NULL
        operand.strides[0] = steps[i]
    if in_order:
        one_by_one(&walk, kind)
    else:
        lay_out(&walk, kind)
        walk_all(&walk, threads_for(function, n, sizeof(floating)), kind)
        release(&walk)


cdef void loop_parallel(
    const Function *function, char **args, Py_ssize_t n, bint uniform, int threads,
    const floating *_,
) noexcept nogil:
    """Views over NumPy's pointers; what the function does not have repeats what it has."""
    cdef Py_ssize_t parameter_length = 1 if uniform else n
    cdef void *x = args[0]
    cdef void *p = args[min(1, function.inputs - 1)]
    cdef void *q = args[min(2, function.inputs - 1)]
    cdef void *y = args[function.inputs]
    cdef void *z = args[function.inputs + function.outputs - 1]
    if floating is double:
        contiguous(
            function, read_f64(<double *> x, n), read_f64(<double *> p, parameter_length),
            read_f64(<double *> q, parameter_length), write_f64(<double *> y, n),
            write_f64(<double *> z, n), threads)
    else:
        contiguous(
            function, read_f32(<float *> x, n), read_f32(<float *> p, parameter_length),
            read_f32(<float *> q, parameter_length), write_f32(<float *> y, n),
            write_f32(<float *> z, n), threads)


cdef void loop_native(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
    const floating *kind,
) noexcept nogil:
    cdef const Function *function = <const Function *> data
    cdef Py_ssize_t n = dimensions[0], size = sizeof(floating)
    cdef FPState state = fp_save()
    cdef bint uniform = function.inputs > 1, dense = True, in_order
    cdef const floating *inputs[MAX_INPUTS]
    cdef floating *outputs[MAX_OUTPUTS]
    cdef int i, threads
    if n == 0:
        return
    in_order = entangled(function, args, n, steps, size)
    for i in range(function.inputs + function.outputs):
        if 1 <= i < function.inputs:
            uniform = uniform and steps[i] == 0 and is_uniform(<const floating *> args[i])
        else:
            dense = dense and steps[i] == size
    for i in range(1, function.inputs):
        dense = dense and (uniform or steps[i] == size)
    if in_order or not (dense or n == 1):
        loop_strided(function, args, n, steps, 0, in_order, kind)
    else:
        threads = threads_for(function, n, size)
        if threads > 1:
            loop_parallel(function, args, n, uniform, threads, kind)
        else:
            for i in range(function.inputs):
                inputs[i] = <const floating *> args[i]
            for i in range(function.outputs):
                outputs[i] = <floating *> args[function.inputs + i]
            compute(function, 1, uniform, n, inputs, outputs)
    fp_restore(state)


cdef void loop_f32(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    loop_native(args, dimensions, steps, data, <const float *> NULL)


cdef void loop_f64(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    loop_native(args, dimensions, steps, data, <const double *> NULL)


cdef void loop_f16(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    cdef const Function *function = <const Function *> data
    cdef FPState state = fp_save()
    if dimensions[0]:
        loop_strided(
            function, args, dimensions[0], steps, HALF,
            entangled(function, args, dimensions[0], steps, 2), <const float *> NULL)
    fp_restore(state)


cdef void loop_long_double(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    cdef const Function *function = <const Function *> data
    cdef long double[MAX_INPUTS] inputs
    cdef long double[MAX_OUTPUTS] outputs
    cdef fenv_t state
    cdef Py_ssize_t i
    cdef int operand
    fegetenv(&state)
    for i in range(dimensions[0]):
        for operand in range(function.inputs):
            inputs[operand] = (<long double *> (args[operand] + i * steps[operand]))[0]
        function.element(inputs, outputs)
        for operand in range(function.outputs):
            (<long double *> (
                args[function.inputs + operand] + i * steps[function.inputs + operand]
            ))[0] = outputs[operand]
    fesetenv(&state)


# NumPy keeps pointers to these tables. Narrowest first: the first loop that fits is taken.
cdef cnp.PyUFuncGenericFunction[4] loops = [
    <cnp.PyUFuncGenericFunction> loop_f16, <cnp.PyUFuncGenericFunction> loop_f32,
    <cnp.PyUFuncGenericFunction> loop_f64, <cnp.PyUFuncGenericFunction> loop_long_double,
]

cdef create_ufuncs():
    """The public functions of the table as ufuncs, by name."""
    cdef const Function *function
    cdef void **data
    cdef char *types
    cdef int i, kind, operand, operands
    created = {}
    for i in range(FUNCTIONS):
        function = &functions[i]
        if not function.is_public:
            continue
        operands = function.inputs + function.outputs
        data = <void **> malloc(4 * sizeof(void *))
        types = <char *> malloc(4 * operands)
        if data == NULL or types == NULL:
            raise MemoryError()
        for kind in range(4):
            data[kind] = <void *> function
            for operand in range(operands):
                types[kind * operands + operand] = [
                    cnp.NPY_FLOAT16, cnp.NPY_FLOAT, cnp.NPY_DOUBLE, cnp.NPY_LONGDOUBLE][kind]
        created[function.name.decode()] = cnp.PyUFunc_FromFuncAndData(
            loops, data, types, 4, function.inputs, function.outputs, cnp.PyUFunc_None,
            function.name, function.doc, 0)
    return created


# --- C functions for other people's code --------------------------------------------------------

cdef create_symbols():
    """The capsule of the whole table, and for each C function its address and capsule, by name.

    A function's capsule is named after its signature, as Cython and SciPy look for it.
    """
    cdef const Symbol *symbol
    cdef int i
    global symbols_loop_f32, symbols_loop_f64
    symbols_loop_f32, symbols_loop_f64 = loops[1], loops[2]
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


def get_process_threads():
    return process_threads


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


def get_local_threads():
    return local_threads


def threads_now():
    """The number of threads a large call made here and now would use."""
    return usable_threads()


def openmp_max_threads():
    return openmp_max_threads_()


cnp.import_array()
cnp.import_ufunc()
runtime_start()
ufuncs = create_ufuncs()
c_api, symbols = create_symbols()
openmp_version = openmp_version_()
compiler = COMPILER.decode()
flags = FLAGS.decode()
