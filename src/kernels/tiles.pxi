# Square tiles, for memory that lies across the order of the walk.
#
# Design:
# - An input whose neighbours lie along another axis than the output's (x.T into a C array) touches
#   a line of the cache for each element of a block. A tile takes whole lines of both, and is
#   turned in registers on its way into the buffer.
# - Elements alone: sums are added up in the order of the walk.

cdef enum:
    SIDE = 32          # elements along each of its two axes: CHUNK of them
    LEAST_TILED = 8    # shorter axes are not worth it


cdef inline void transpose(
    char *to, Py_ssize_t to_step, const char *source, Py_ssize_t step, Py_ssize_t rows,
    Py_ssize_t columns, const floating *_,
) noexcept nogil:
    """Rows of so many columns, where the source has them as columns; steps are in bytes."""
    if floating is double:
        transpose_8(to, to_step, source, step, rows, columns)
    else:
        transpose_4(to, to_step, source, step, rows, columns)


cdef int transposed_axis(const Walk *walk, const floating *_) noexcept nogil:
    """The axis along which neighbours of some input lie together, if it is not the last; or -1."""
    cdef int i, axis, last = walk.dimensions - 1
    if walk.dimensions < 2 or walk.shape[last] < LEAST_TILED:
        return -1
    for i in range(walk.function.outputs):
        if walk.outputs[i].mode == SUMMED or walk.outputs[i].mode == SUMMED_TILE:
            return -1
    for i in range(walk.function.inputs):
        if walk.inputs[i].mode != GATHERED or llabs(walk.inputs[i].strides[last]) < 64:
            continue
        for axis in range(last):
            if (
                walk.shape[axis] >= LEAST_TILED
                and 0 < llabs(walk.inputs[i].strides[axis]) <= <Py_ssize_t> sizeof(floating)
            ):
                return axis
    return -1


cdef void load_tile(
    floating *buffer, const char *at, Py_ssize_t along, Py_ssize_t last, Py_ssize_t rows,
    Py_ssize_t columns, int flags,
) noexcept nogil:
    """A tile of an operand whose neighbours are that far apart along its two axes."""
    cdef Py_ssize_t row
    if flags == 0 and along == sizeof(floating):
        transpose(
            <char *> buffer, columns * sizeof(floating), at, last, rows, columns,
            <const floating *> NULL)
        return
    for row in range(rows):
        load(buffer + row * columns, at + row * along, last, columns, flags)


cdef void walk_tile(
    const Walk *walk, int along, Py_ssize_t index, floating *buffers,
) noexcept nogil:
    cdef const floating *inputs[MAX_INPUTS]
    cdef floating *outputs[MAX_OUTPUTS]
    cdef const Operand *operand
    cdef int axis, i, last = walk.dimensions - 1
    cdef Py_ssize_t[MAX_DIMENSIONS] at
    cdef Py_ssize_t tiles = ceiling(walk.shape[along], SIDE), offset, rows, columns, row
    at[along] = index % tiles * SIDE
    index //= tiles
    tiles = ceiling(walk.shape[last], SIDE)
    at[last] = index % tiles * SIDE
    index //= tiles
    for axis in range(last - 1, -1, -1):
        if axis != along:
            at[axis] = index % walk.shape[axis]
            index //= walk.shape[axis]
    rows = min(<Py_ssize_t> SIDE, walk.shape[along] - at[along])
    columns = min(<Py_ssize_t> SIDE, walk.shape[last] - at[last])
    for i in range(walk.function.inputs):
        operand = &walk.inputs[i]
        if operand.mode == TILED and operand.period == 1:
            inputs[i] = <const floating *> operand.tile
            continue
        offset = 0
        for axis in range(walk.dimensions):
            offset += at[axis] * operand.strides[axis]
        inputs[i] = buffers + i * CHUNK
        load_tile(
            buffers + i * CHUNK, operand.data + offset, operand.strides[along],
            operand.strides[last], rows, columns, operand.flags)
    for i in range(walk.function.outputs):
        outputs[i] = buffers + (walk.function.inputs + i) * CHUNK
    compute(
        walk.function, walk.first_parameter, walk.uniform, rows * columns, inputs, outputs)
    for i in range(walk.function.outputs):
        operand = &walk.outputs[i]
        if operand.mode == DROPPED:
            continue
        offset = 0
        for axis in range(walk.dimensions):
            offset += at[axis] * operand.strides[axis]
        for row in range(rows):
            store(
                operand.data + offset + row * operand.strides[along], operand.strides[last],
                outputs[i] + row * columns, columns, operand.flags)


cdef bint walk_tiles(Walk *walk, int along, int threads, const floating *_) noexcept nogil:
    """Whether there was memory for buffers."""
    cdef Py_ssize_t size = (walk.function.inputs + walk.function.outputs) * CHUNK
    cdef Py_ssize_t tiles = 1, task, batch = TASK // CHUNK, index
    cdef floating *buffers = <floating *> malloc(threads * size * sizeof(floating))
    cdef Team team
    cdef int axis
    if buffers == NULL:
        return False
    for axis in range(walk.dimensions):
        if axis == along or axis == walk.dimensions - 1:
            tiles *= ceiling(walk.shape[axis], SIDE)
        else:
            tiles *= walk.shape[axis]
    if threads == 1:
        for index in range(tiles):
            walk_tile(walk, along, index, buffers)
    else:
        team_begin(&team, threads, ceiling(tiles, batch))
        for task in prange(ceiling(tiles, batch), num_threads=threads, schedule="dynamic"):
            for index in range(task * batch, min((task + 1) * batch, tiles)):
                walk_tile(walk, along, index, buffers + threadid() * size)
            team_did_task(&team)
        team_end(&team)
    free(buffers)
    return True
