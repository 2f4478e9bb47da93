# ufuncs: their inner loops, and the objects.
#
# Design:
# - NumPy calls an inner loop once with the whole length where memory is contiguous: that is when it
#   goes to threads at once.
# - Where an output overlaps an input otherwise than exactly (reduce, accumulate, shifted views),
#   elements go one by one, in order.

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


cdef void step_by_step(Walk *walk, Py_ssize_t step, const floating *_) noexcept nogil:
    """In order, at most PADDED elements at a time, without any memory."""
    cdef floating[MAX_OPERANDS * PADDED] buffers
    cdef Py_ssize_t start = 0
    walk.block_size = PADDED
    while start < walk.elements:
        walk_block(walk, 0, start, min(step, walk.elements - start), buffers)
        start += step


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
        step_by_step(&walk, 1, kind)
        return
    lay_out(&walk, kind)
    if not walk_all(&walk, threads_for(function.exponentials, n, sizeof(floating)), kind):
        step_by_step(&walk, PADDED, kind)
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
        threads = threads_for(function.exponentials, n, size)
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


cdef void **loop_data(const void *function) except NULL:
    """The same for every loop."""
    cdef void **data = <void **> malloc(4 * sizeof(void *))
    cdef int kind
    if data == NULL:
        raise MemoryError()
    for kind in range(4):
        data[kind] = <void *> function
    return data


cdef char *loop_types(int operands) except NULL:
    """One type for all operands of a loop."""
    cdef char *types = <char *> malloc(4 * operands)
    cdef int kind, operand
    if types == NULL:
        raise MemoryError()
    for kind in range(4):
        for operand in range(operands):
            types[kind * operands + operand] = [
                cnp.NPY_FLOAT16, cnp.NPY_FLOAT, cnp.NPY_DOUBLE, cnp.NPY_LONGDOUBLE][kind]
    return types


cdef create_ufuncs():
    """The public functions of the table as ufuncs, by name."""
    cdef const Function *function
    cdef int i
    created = {}
    for i in range(FUNCTIONS):
        function = &functions[i]
        if function.is_public:
            created[function.name.decode()] = cnp.PyUFunc_FromFuncAndData(
                loops, loop_data(function), loop_types(function.inputs + function.outputs), 4,
                function.inputs, function.outputs, cnp.PyUFunc_None, function.name, function.doc, 0)
    return created
