# Tiles, for memory that lies across the order of the walk.
#
# Design:
# - An input whose neighbours lie along another axis than the output's (x.T into a C array) touches
#   a line of the cache for each element of a block. A tile takes whole lines of both, and is
#   turned in registers on its way into the buffer.
# - Where the last axis is short, a tile takes several steps of the axis before it as well.
# - Elements alone: sums are added up in the order of the walk.

cdef enum:
    LONG_RUN = 64      # columns of a tile, 16 rows of which are a line of floats each,
    SIDE = 32          # or rows and columns, where the last axis is shorter: CHUNK in either case
    LEAST_TILED = 8    # shorter axes are not worth it

cdef struct Tiling:
    int along                          # the axis of its rows
    int beside                         # the axis that it takes a few steps of; it may be -1
    Py_ssize_t rows
    Py_ssize_t columns
    Py_ssize_t steps
    Py_ssize_t count

cdef struct Tile:
    Py_ssize_t[MAX_DIMENSIONS] at
    Py_ssize_t rows
    Py_ssize_t steps
    Py_ssize_t run                     # columns of a step


cdef Tiling tiling_of(const Walk *walk, int along) noexcept nogil:
    cdef Tiling tiling
    cdef int axis, last = walk.dimensions - 1
    tiling.along = along
    tiling.beside = last - 1 if along != last - 1 else last - 2
    tiling.columns = LONG_RUN if walk.shape[last] >= LONG_RUN else SIDE
    tiling.rows = CHUNK // tiling.columns
    tiling.steps = 1
    if tiling.beside >= 0:
        tiling.steps = max(<Py_ssize_t> 1, tiling.columns // walk.shape[last])
    tiling.count = 1
    for axis in range(walk.dimensions):
        if axis == along:
            tiling.count *= ceiling(walk.shape[axis], tiling.rows)
        elif axis == last:
            tiling.count *= ceiling(walk.shape[axis], tiling.columns)
        elif axis == tiling.beside:
            tiling.count *= ceiling(walk.shape[axis], tiling.steps)
        else:
            tiling.count *= walk.shape[axis]
    return tiling


cdef void place_tile(
    const Walk *walk, const Tiling *tiling, Py_ssize_t index, Tile *tile,
) noexcept nogil:
    """Which elements a tile has. Tiles follow each other along its rows."""
    cdef int axis, along = tiling.along, last = walk.dimensions - 1
    cdef Py_ssize_t tiles = ceiling(walk.shape[along], tiling.rows)
    tile.at[along] = index % tiles * tiling.rows
    index //= tiles
    tiles = ceiling(walk.shape[last], tiling.columns)
    tile.at[last] = index % tiles * tiling.columns
    index //= tiles
    tile.steps = 1
    for axis in range(last - 1, -1, -1):
        if axis == tiling.beside:
            tiles = ceiling(walk.shape[axis], tiling.steps)
            tile.at[axis] = index % tiles * tiling.steps
            tile.steps = min(tiling.steps, walk.shape[axis] - tile.at[axis])
            index //= tiles
        elif axis != along:
            tile.at[axis] = index % walk.shape[axis]
            index //= walk.shape[axis]
    tile.rows = min(tiling.rows, walk.shape[along] - tile.at[along])
    tile.run = min(tiling.columns, walk.shape[last] - tile.at[last])


cdef char *tile_start(
    const Walk *walk, const Tiling *tiling, const Operand *operand, const Tile *tile,
    Py_ssize_t step,
) noexcept nogil:
    """Where an operand has the first element of a step of a tile."""
    cdef char *start = operand.data
    cdef int axis
    for axis in range(walk.dimensions):
        start += tile.at[axis] * operand.strides[axis]
    return start + step * operand.strides[tiling.beside] if step else start


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
    floating *buffer, Py_ssize_t columns, const char *at, Py_ssize_t along, Py_ssize_t last,
    Py_ssize_t rows, Py_ssize_t run, int flags,
) noexcept nogil:
    """A step of an operand whose neighbours are that far apart along its two axes."""
    cdef Py_ssize_t row
    if flags == 0 and along == sizeof(floating):
        transpose(
            <char *> buffer, columns * sizeof(floating), at, last, rows, run,
            <const floating *> NULL)
        return
    for row in range(rows):
        load(buffer + row * columns, at + row * along, last, run, flags)


cdef void walk_tile(
    const Walk *walk, const Tiling *tiling, Py_ssize_t index, floating *buffers,
) noexcept nogil:
    cdef const floating *inputs[MAX_INPUTS]
    cdef floating *outputs[MAX_OUTPUTS]
    cdef const Operand *operand
    cdef Tile tile
    cdef int i, last = walk.dimensions - 1
    cdef Py_ssize_t columns, row, step, run, steps
    cdef char *start
    cdef char *to
    place_tile(walk, tiling, index, &tile)
    columns = tile.steps * tile.run
    for i in range(walk.function.inputs):
        operand = &walk.inputs[i]
        if operand.mode == TILED and operand.period == 1:
            inputs[i] = <const floating *> operand.tile
            continue
        inputs[i] = buffers + i * CHUNK
        for step in range(tile.steps):
            load_tile(
                buffers + i * CHUNK + step * tile.run, columns,
                tile_start(walk, tiling, operand, &tile, step), operand.strides[tiling.along],
                operand.strides[last], tile.rows, tile.run, operand.flags)
    for i in range(walk.function.outputs):
        outputs[i] = buffers + (walk.function.inputs + i) * CHUNK
    compute(
        walk.function, walk.first_parameter, walk.uniform, tile.rows * columns, inputs, outputs)
    for i in range(walk.function.outputs):
        operand = &walk.outputs[i]
        if operand.mode == DROPPED:
            continue
        start = tile_start(walk, tiling, operand, &tile, 0)
        steps, run = tile.steps, tile.run
        if steps > 1 and operand.strides[tiling.beside] == run * operand.strides[last]:
            steps, run = 1, columns
        for row in range(tile.rows):
            for step in range(steps):
                to = start + row * operand.strides[tiling.along]
                if step:
                    to += step * operand.strides[tiling.beside]
                store(
                    to, operand.strides[last], outputs[i] + row * columns + step * run, run,
                    operand.flags)


cdef bint walk_tiles(Walk *walk, int along, int threads, const floating *_) noexcept nogil:
    """Whether there was memory for buffers."""
    cdef Py_ssize_t size = (walk.function.inputs + walk.function.outputs) * CHUNK
    cdef Py_ssize_t task, batch = TASK // CHUNK, index
    cdef floating *buffers = <floating *> malloc(threads * size * sizeof(floating))
    cdef Tiling tiling = tiling_of(walk, along)
    cdef Team team
    if buffers == NULL:
        return False
    if threads == 1:
        for index in range(tiling.count):
            walk_tile(walk, &tiling, index, buffers)
    else:
        team_begin(&team, threads, ceiling(tiling.count, batch))
        for task in prange(
            ceiling(tiling.count, batch), num_threads=threads, schedule="dynamic"
        ):
            for index in range(task * batch, min((task + 1) * batch, tiling.count)):
                walk_tile(walk, &tiling, index, buffers + threadid() * size)
            team_did_task(&team)
        team_end(&team)
    free(buffers)
    return True
