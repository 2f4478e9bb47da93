# How a walk goes: the order of its axes, its groups, and the way each operand is reached.

cdef inline Py_ssize_t distance(const Walk *walk, int axis) noexcept nogil:
    """How far apart neighbours along an axis lie, in the first output that is stored."""
    cdef int i
    for i in range(walk.function.outputs):
        if walk.outputs[i].mode == DIRECT:
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
        transfer(
            walk, operand, start, min(<Py_ssize_t> CHUNK, length - start),
            <floating *> operand.tile + start, False)
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
        if operand.mode == DIRECT:
            if not is_direct(walk, operand, sizeof(floating)):
                operand.mode = GATHERED
        elif operand.mode == SUMMED and not lay_sums(walk, operand):
            return False
    return True


cdef inline bint is_uniform(const floating *parameter) noexcept nogil:
    """Whether it is a number that uniform block functions take.

    Bits are compared: numbers would leave a floating-point flag where one is NaN.
    """
    cdef uint64_t bits = 0, most = 0
    cdef floating highest
    if floating is double:
        highest = ORDINARY_MAX_F64
    else:
        highest = ORDINARY_MAX_F32
    memcpy(&bits, parameter, sizeof(floating))
    memcpy(&most, &highest, sizeof(floating))
    bits &= (<uint64_t> 1 << (8 * sizeof(floating) - 1)) - 1  # without the sign
    return bits <= most


cdef void release(Walk *walk) noexcept nogil:
    cdef int i
    for i in range(walk.function.inputs):
        free(walk.inputs[i].tile)
    for i in range(walk.function.outputs):
        free(walk.outputs[i].tile)
