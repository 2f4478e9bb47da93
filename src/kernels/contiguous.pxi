# Contiguous memory: block functions over any number of elements, in threads.
#
# Design:
# - Views over NumPy's pointers feed `contiguous`. They borrow: their owner is None and no reference
#   is counted, so that no thread ever waits for the GIL here.

cdef enum BlockForm:
    ANY                # parameters of any value, one for every element
    ORDINARY           # from 0 to S3S4_ORDINARY_MAX
    UNIFORM            # one for all elements


cdef inline void call_block(
    const Function *function, BlockForm form, Py_ssize_t n, const floating **inputs,
    floating **outputs,
) noexcept nogil:
    if floating is double:
        if form == UNIFORM:
            function.uniform_f64(n, inputs, outputs)
        elif form == ORDINARY:
            function.ordinary_f64(n, inputs, outputs)
        else:
            function.block_f64(n, inputs, outputs)
    else:
        if form == UNIFORM:
            function.uniform_f32(n, inputs, outputs)
        elif form == ORDINARY:
            function.ordinary_f32(n, inputs, outputs)
        else:
            function.block_f32(n, inputs, outputs)


cdef bint are_ordinary(const floating *values, Py_ssize_t n) noexcept nogil:
    cdef floating highest
    cdef Py_ssize_t i
    cdef int ordinary = 1
    if floating is double:
        highest = ORDINARY_MAX_F64
    else:
        highest = ORDINARY_MAX_F32
    for i in range(n):
        ordinary &= (values[i] >= 0) & (values[i] <= highest)
    return ordinary


cdef BlockForm form_for(
    const Function *function, int first_parameter, Py_ssize_t n, const floating **inputs,
) noexcept nogil:
    cdef int i
    for i in range(first_parameter, function.inputs):
        if not are_ordinary(inputs[i], n):
            return ANY
    return ORDINARY


cdef inline void compute_whole(
    const Function *function, int first_parameter, bint uniform, Py_ssize_t n,
    const floating **inputs, floating **outputs,
) noexcept nogil:
    """A multiple of PADDED elements; parameters are looked at while they come into the cache."""
    cdef const floating *chunk_inputs[MAX_INPUTS]
    cdef floating *chunk_outputs[MAX_OUTPUTS]
    cdef Py_ssize_t start = 0, length
    cdef int i
    if uniform or function.ordinary_f64 == function.block_f64:
        call_block(function, UNIFORM if uniform else ANY, n, inputs, outputs)
        return
    while start < n:
        length = min(<Py_ssize_t> CHUNK, n - start)
        for i in range(function.inputs):
            chunk_inputs[i] = inputs[i] + start
        for i in range(function.outputs):
            chunk_outputs[i] = outputs[i] + start
        call_block(
            function, form_for(function, first_parameter, length, chunk_inputs), length,
            chunk_inputs, chunk_outputs)
        start += length


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
        compute_whole(function, first_parameter, uniform, whole, inputs, outputs)
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
        compute_whole(function, first_parameter, uniform, PADDED, short_inputs, short_outputs)
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


cdef inline Py_ssize_t task_size(Py_ssize_t n, int threads, Py_ssize_t size) noexcept nogil:
    """The elements of so many bytes that a thread takes at a time.

    TASK or fewer, and as many times for every thread; or, of memory that may be new, a huge page:
    the system clears it whole when it is first touched, for every thread that does so.
    """
    cdef Py_ssize_t rounds = (
        1 if n <= <Py_ssize_t> TASK * threads
        else max(<Py_ssize_t> 4, ceiling(n, <Py_ssize_t> TASK * threads)))
    if n * size >= 8 * threads * <Py_ssize_t> HUGE_PAGE:
        return HUGE_PAGE // size
    return ceiling(n, rounds * threads * CHUNK) * CHUNK


cdef void contiguous(
    const Function *function, const floating[::1] x, const floating[::1] p,
    const floating[::1] q, floating[::1] y, floating[::1] z, int threads,
) noexcept nogil:
    """y, z = function(x, p, q), where p and q are both as long as x or both one element.

    What a function does not have is any view of the right length: it is never touched.
    """
    cdef Py_ssize_t n = x.shape[0], size = task_size(n, threads, sizeof(floating)), task
    cdef Py_ssize_t shift = 0, tasks, start
    cdef Team team
    if size * <Py_ssize_t> sizeof(floating) == HUGE_PAGE:  # and end where a page does
        shift = <Py_ssize_t> (<size_t> &y[0] % HUGE_PAGE // sizeof(floating))
    tasks = ceiling(n + shift, size)
    team_begin(&team, threads, tasks)
    for task in prange(tasks, num_threads=threads, schedule="dynamic"):
        start = max(<Py_ssize_t> 0, task * size - shift)
        piece(function, x, p, q, y, z, start, min(n, (task + 1) * size - shift) - start)
        team_did_task(&team)
    team_end(&team)
