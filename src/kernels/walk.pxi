# Any layout, in blocks that stay in the first-level cache.
#
# Design:
# - A walk goes over blocks of the flattened index space: they are gathered into buffers, converted
#   on the way, computed and scattered. NumPy's own iterator would hand over short rows, one call
#   each, none of them worth a thread.
# - Memory is read before it is written within a block.
# - Buffers come from the heap: a stack may hold less than those of seven operands.

cdef enum Kind:
    HALF = 1           # half precision in memory, float in registers
    SWAPPED = 2        # the other byte order
    BFLOAT = 4
    OTHER = 8          # double beside float, float beside double

cdef enum Mode:
    DIRECT             # contiguous over the whole walk and native: used in place
    TILED              # repeats with a short period: laid out once, long enough for any chunk
    GATHERED           # copied to a buffer, chunk by chunk
    SUMMED             # an output: added up over the axes it is broadcast along
    SUMMED_TILE        # the same, into a tile that is folded at the end
    DROPPED            # an output that nobody wants

cdef struct Operand:
    char *data                         # of sums, the doubles they end up in
    int flags
    int mode
    Py_ssize_t period                  # of a tile
    char *tile                         # of sums, sets of slots: totals, then rests
    Py_ssize_t count                   # of sums
    Py_ssize_t slots                   # of a set
    Py_ssize_t set_size                # doubles from a group's set to the next; 0: all share one
    Py_ssize_t[MAX_DIMENSIONS] strides  # bytes; of sums, elements

cdef struct Walk:
    const Function *function
    int first_parameter
    bint uniform                       # every parameter is one element, and not too large
    int dimensions
    Py_ssize_t elements
    Py_ssize_t block_size              # elements of a block, and of each operand's buffer
    Py_ssize_t group_size              # elements
    Py_ssize_t groups                  # depends on shapes alone
    Py_ssize_t[MAX_DIMENSIONS] shape
    Operand[MAX_INPUTS] inputs
    Operand[MAX_OUTPUTS] outputs


cdef void load(
    floating *to, const char *source, Py_ssize_t stride, Py_ssize_t n, int flags,
) noexcept nogil:
    """At most CHUNK elements of an operand, converted to the type of the loop."""
    cdef uint16_t[CHUNK] halves
    cdef const uint16_t *at = <const uint16_t *> source
    cdef float[CHUNK] floats
    cdef float *narrow = floats
    if flags & (HALF | BFLOAT):
        if floating is float:
            narrow = to
        if stride != 2 or flags & SWAPPED or <size_t> source % 2:
            copy(<char *> halves, 2, source, stride, n, 2)
            at = halves
        if flags & SWAPPED:
            swap_bytes(<char *> halves, n, 2)
        if flags & HALF:
            float_from_half(narrow, at, n)
        else:
            float_from_bfloat(narrow, at, n)
        if floating is double:
            double_from_float(<char *> to, 8, <char *> narrow, 4, n)
        return
    if flags & OTHER:
        if floating is float:
            float_from_double(<char *> to, 4, source, stride, n)
        else:
            double_from_float(<char *> to, 8, source, stride, n)
        return
    copy(<char *> to, sizeof(floating), source, stride, n, sizeof(floating))
    if flags & SWAPPED:
        swap_bytes(<char *> to, n, sizeof(floating))


cdef void store(
    char *to, Py_ssize_t stride, floating *source, Py_ssize_t n, int flags,
) noexcept nogil:
    """The way back; the source is a buffer and may be changed."""
    cdef uint16_t[CHUNK] halves
    cdef uint16_t *at = <uint16_t *> to
    cdef bint in_place = stride == 2 and not flags & SWAPPED and <size_t> to % 2 == 0
    cdef float[CHUNK] floats
    cdef float *narrow = floats
    if flags & (HALF | BFLOAT):
        if not in_place:
            at = halves
        if floating is float:
            narrow = source
        else:
            float_from_double(<char *> narrow, 4, <char *> source, 8, n)
        if flags & HALF:
            half_from_float(at, narrow, n)
        else:
            bfloat_from_float(at, narrow, n)
        if flags & SWAPPED:
            swap_bytes(<char *> halves, n, 2)
        if not in_place:
            copy(to, stride, <char *> halves, 2, n, 2)
        return
    if flags & OTHER:
        if floating is float:
            double_from_float(to, stride, <char *> source, 4, n)
        else:
            float_from_double(to, stride, <char *> source, 8, n)
        return
    if flags & SWAPPED:
        swap_bytes(<char *> source, n, sizeof(floating))
    copy(to, stride, <char *> source, sizeof(floating), n, sizeof(floating))


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


cdef void transfer(
    const Walk *walk, const Operand *operand, Py_ssize_t start, Py_ssize_t n, floating *buffer,
    bint back,
) noexcept nogil:
    """n elements of the walk, from an operand to a buffer, or back."""
    cdef Py_ssize_t[MAX_DIMENSIONS] index
    cdef Py_ssize_t offset = locate(walk, operand, start, index), run
    cdef int last = walk.dimensions - 1
    while n > 0:
        run = min(n, walk.shape[last] - index[last])
        if back:
            store(operand.data + offset, operand.strides[last], buffer, run, operand.flags)
        else:
            load(buffer, operand.data + offset, operand.strides[last], run, operand.flags)
        offset = advance(walk, operand, offset, run, index)
        buffer += run
        n -= run


cdef void walk_block(
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
            transfer(walk, operand, start, n, &buffers[i * walk.block_size], False)
            inputs[i] = &buffers[i * walk.block_size]
    for i in range(walk.function.outputs):
        operand = &walk.outputs[i]
        if operand.mode == DIRECT:
            outputs[i] = <floating *> operand.data + start
        else:
            outputs[i] = &buffers[(walk.function.inputs + i) * walk.block_size]
    compute(walk.function, walk.first_parameter, walk.uniform, n, inputs, outputs)
    for i in range(walk.function.outputs):
        operand = &walk.outputs[i]
        if operand.mode == GATHERED:
            transfer(walk, operand, start, n, outputs[i], True)
        elif operand.mode != DIRECT and operand.mode != DROPPED:
            add_up(walk, operand, group, start, n, outputs[i])


cdef void walk_group(const Walk *walk, Py_ssize_t group, floating *buffers) noexcept nogil:
    cdef Py_ssize_t start = group * walk.group_size
    cdef Py_ssize_t end = min(start + walk.group_size, walk.elements)
    while start < end:
        walk_block(walk, group, start, min(walk.block_size, end - start), buffers)
        start += walk.block_size


cdef bint walk_all(Walk *walk, int threads, const floating *_) noexcept nogil:
    """Whether there was memory for buffers."""
    cdef floating *buffers
    cdef Py_ssize_t group, size
    cdef Team team
    walk.block_size = min(<Py_ssize_t> CHUNK, ceiling(walk.elements, PADDED) * PADDED)
    size = (walk.function.inputs + walk.function.outputs) * walk.block_size
    buffers = <floating *> malloc(threads * size * sizeof(floating))
    if buffers == NULL:
        return False
    if threads == 1:  # entering a parallel region costs as much as hundreds of elements
        for group in range(walk.groups):
            walk_group(walk, group, buffers)
    else:
        team_begin(&team, threads, walk.groups)
        for group in prange(walk.groups, num_threads=threads, schedule="dynamic"):
            walk_group(walk, group, buffers + threadid() * size)
            team_did_task(&team)
        team_end(&team)
    free(buffers)
    return True
