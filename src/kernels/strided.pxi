# A whole walk, and arrays as other people's code has them: addresses, strides and types.

cdef inline int threads_for(int exponentials, Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    """How many threads compute n elements of that many bytes, with so many exponentials each."""
    cdef Py_ssize_t least = parallel_doubles if size == 8 else parallel_floats
    cdef Py_ssize_t work = n * size * (1 + exponentials)
    cdef Py_ssize_t short = max(<Py_ssize_t> SHORT_BYTES, least // SHORTER)
    if work < least and (work < short or not workers_are_awake(work // short)):
        return 1
    return team_threads()


cdef bint go(Walk *walk, int threads, const floating *kind) noexcept nogil:
    cdef int along
    if not lay_out(walk, kind):
        return False
    along = transposed_axis(walk, kind)
    if along >= 0:
        return walk_tiles(walk, along, threads, kind)
    return walk_all(walk, threads, kind)


cdef bint run(Walk *walk, bint doubles, int threads) noexcept nogil:
    """Whether there was memory."""
    cdef Py_ssize_t slots = 0
    cdef int i, sums = 0
    cdef FPState state = fp_save()
    cdef bint done
    for i in range(walk.function.outputs):
        if walk.outputs[i].mode == SUMMED:
            slots += walk.outputs[i].count
            sums += 1
    divide(walk, slots, sums)
    done = go[double](walk, threads, NULL) if doubles else go[float](walk, threads, NULL)
    for i in range(walk.function.outputs):
        if done and (walk.outputs[i].mode == SUMMED or walk.outputs[i].mode == SUMMED_TILE):
            finish_sums(walk, &walk.outputs[i])
    fp_restore(state)
    release(walk)
    return done


cdef int flags_of(int kind, bint doubles) noexcept nogil:
    """How what is stored differs from the type of the loop."""
    if kind == F16:
        return HALF
    if kind == BF16:
        return BFLOAT
    return OTHER if doubles != (kind == F64) else 0


cdef void round_sums(
    const CArray *array, const double *sums, Py_ssize_t count, int dimensions,
    const Py_ssize_t *shape,
) noexcept nogil:
    """Write sums, which are in the order of their axes, to where they belong."""
    cdef Py_ssize_t slot, rest
    cdef double total
    cdef char *to
    cdef int axis, flags = flags_of(array.type, True)
    cdef FPState state = fp_save()
    for slot in range(count):
        to = <char *> array.data
        rest = slot
        for axis in range(dimensions - 1, -1, -1):
            if array.strides[axis] != 0 and shape[axis] != 1:
                to += rest % shape[axis] * array.strides[axis]
                rest = rest // shape[axis]
        total = sums[slot]
        if isfinite(total):
            total += sums[count + slot]
        store(to, 0, &total, 1, flags)
    fp_restore(state)


cdef int strided(
    const Function *function, int first_parameter, int most_threads, int dimensions,
    const Py_ssize_t *shape, const CArray *arrays,
) noexcept nogil:
    """Inputs, then outputs, of any strides; an output with strides of 0 takes sums along them.

    -1 where there is no memory, or more than 64 axes are longer than 1.
    """
    cdef Walk walk
    cdef Operand *operand
    cdef Py_ssize_t[MAX_OUTPUTS] counts
    cdef Py_ssize_t slots = 0, step
    cdef double *totals = NULL
    cdef double *free_totals
    cdef int axis, i, at, threads, sums = 0, inputs = function.inputs
    cdef bint doubles = arrays[first_parameter - 1].type == F64, summed, done = True
    walk.function = function
    walk.first_parameter = first_parameter
    walk.dimensions = 0
    walk.elements = 1
    for axis in range(dimensions):
        walk.elements *= shape[axis]
        if shape[axis] != 1:
            if walk.dimensions == MAX_DIMENSIONS - 1:
                return -1
            walk.shape[walk.dimensions] = shape[axis]
            walk.dimensions += 1
    for i in range(inputs + function.outputs):
        operand = &walk.inputs[i] if i < inputs else &walk.outputs[i - inputs]
        operand.data = <char *> arrays[i].data
        operand.tile = NULL
        operand.mode = DIRECT
        operand.flags = flags_of(arrays[i].type, doubles)
        at = 0
        summed = False
        for axis in range(dimensions):
            if shape[axis] != 1:
                operand.strides[at] = arrays[i].strides[axis] if operand.data != NULL else 0
                summed = summed or operand.strides[at] == 0
                at += 1
        if i < inputs:
            continue
        counts[i - inputs] = 0
        if operand.data == NULL:
            operand.mode = DROPPED
        elif summed:
            step = 1
            for at in range(walk.dimensions - 1, -1, -1):
                if operand.strides[at] != 0:
                    operand.strides[at] = step
                    step *= walk.shape[at]
            operand.mode = SUMMED
            operand.flags = 0
            operand.slots = operand.count = counts[i - inputs] = step
            slots += step
            sums += 1
    if sums:
        totals = <double *> calloc(max(<Py_ssize_t> 1, 2 * slots), sizeof(double))
        if totals == NULL:
            return -1
        free_totals = totals
        for i in range(function.outputs):
            if walk.outputs[i].mode == SUMMED:
                walk.outputs[i].data = <char *> free_totals
                free_totals += 2 * counts[i]
    if walk.elements:
        if walk.dimensions == 0:
            walk.shape[0] = walk.dimensions = 1
            for i in range(inputs):
                walk.inputs[i].strides[0] = 0
            for i in range(function.outputs):
                walk.outputs[i].strides[0] = 0
        threads = 1
        if most_threads != 1:
            threads = threads_for(function.exponentials, walk.elements, 8 if doubles else 4)
            if 0 < most_threads < threads:
                threads = most_threads
        done = run(&walk, doubles, threads)
    if done and sums:
        free_totals = totals
        for i in range(function.outputs):
            round_sums(&arrays[inputs + i], free_totals, counts[i], dimensions, shape)
            free_totals += 2 * counts[i]
    free(totals)
    return 0 if done else -1
