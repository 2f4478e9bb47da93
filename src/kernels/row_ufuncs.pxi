# Row functions as generalised ufuncs, for C callers, and over arrays along any axis.
#
# Design:
# - Rows take memory. Where there is none they are computed one by one, in place; what cannot be
#   (half precision, an output in the place of the gradient) ends in MemoryError.
# - NumPy's loops set that error themselves, as NumPy's own do, and take the GIL for it. The loops
#   of C callers never do: they may hold it, or have none. Their rows are NaN then.

cdef extern from *:
    """
    static void s3s4_no_memory(void) {
        PyGILState_STATE state = PyGILState_Ensure();
        PyErr_NoMemory();
        PyGILState_Release(state);
    }
    """
    void no_memory "s3s4_no_memory"() noexcept nogil


cdef bint loop_rows(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data, int flags,
    const floating *kind,
) noexcept nogil:
    cdef Rows rows
    cdef FPState state
    cdef bint done
    cdef int i
    rows.function = <const RowFunction *> data
    rows.runs, rows.count, rows.n, rows.flags = 1, dimensions[0], dimensions[1], flags
    if rows.count <= 0 or rows.n <= 0:
        return True
    for i in range(rows.function.inputs + 1):
        rows.data[i], rows.row_step[i], rows.run_step[i] = args[i], steps[i], 0
        rows.step[i] = steps[rows.function.inputs + 1 + i]
    state = fp_save()
    choose_form(&rows, 2 if flags & HALF else sizeof(floating))
    done = compute_rows(&rows, kind)
    fp_restore(state)
    return done


cdef void loop_rows_f16(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    if not loop_rows(args, dimensions, steps, data, HALF, <const float *> NULL):
        no_memory()


cdef void loop_rows_f32(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    if not loop_rows(args, dimensions, steps, data, 0, <const float *> NULL):
        no_memory()


cdef void loop_rows_f64(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    if not loop_rows(args, dimensions, steps, data, 0, <const double *> NULL):
        no_memory()


cdef void loop_rows_long_double(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    cdef const RowFunction *function = <const RowFunction *> data
    cdef Slab slab
    cdef long double *space = <long double *> malloc(ROW_ALONE_SPACE * sizeof(long double))
    cdef fenv_t state
    cdef Py_ssize_t row
    cdef int i, inputs = function.inputs
    if space == NULL:
        no_memory()
        return
    fegetenv(&state)
    slab.n, slab.columns, slab.out_step = dimensions[1], 1, steps[2 * inputs + 1]
    for row in range(dimensions[0] if slab.n else 0):
        for i in range(inputs):
            slab.inputs[i], slab.in_step[i] = args[i] + row * steps[i], steps[inputs + 1 + i]
        slab.out = args[inputs] + row * steps[inputs]
        row_slab_ld(function.ld, &slab, space)
    fesetenv(&state)
    free(space)


cdef void call_rows(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
    const floating *kind,
) noexcept nogil:
    """Rows of a C caller."""
    cdef const RowFunction *function = <const RowFunction *> data
    cdef Py_ssize_t row, i
    if loop_rows(args, dimensions, steps, data, 0, kind):
        return
    for row in range(dimensions[0]):
        for i in range(dimensions[1]):
            (<floating *> (
                args[function.inputs] + row * steps[function.inputs]
                + i * steps[2 * function.inputs + 1]))[0] = NAN


cdef void call_rows_f32(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    call_rows(args, dimensions, steps, data, <const float *> NULL)


cdef void call_rows_f64(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    call_rows(args, dimensions, steps, data, <const double *> NULL)


cdef cnp.PyUFuncGenericFunction[4] row_loops = [
    <cnp.PyUFuncGenericFunction> loop_rows_f16, <cnp.PyUFuncGenericFunction> loop_rows_f32,
    <cnp.PyUFuncGenericFunction> loop_rows_f64,
    <cnp.PyUFuncGenericFunction> loop_rows_long_double,
]


cdef create_row_ufuncs():
    """The row functions as generalised ufuncs, by name."""
    cdef const RowFunction *function
    cdef int i
    created = {}
    for i in range(ROW_FUNCTIONS):
        function = &row_functions[i]
        created[function.name.decode()] = cnp.PyUFunc_FromFuncAndDataAndSignature(
            row_loops, loop_data(function), loop_types(function.inputs + 1), 4, function.inputs, 1,
            cnp.PyUFunc_None, function.name, function.doc, 0, function.signature)
    return created


cdef dict row_function_indices = {row_functions[i].name.decode(): i for i in range(ROW_FUNCTIONS)}


def evaluate_rows(name, tuple inputs, axis, out):
    """Run a row function over arrays in one piece, along any axis.

    Parameters
    ----------
    name : str
        Of a row function.
    inputs : tuple of object
        x comes last.
    axis : object
    out : object
        Where to put the result; None allocates.

    Returns
    -------
    ndarray or None
        None unless the inputs and out are arrays in one piece, of one shape and all of one of
        float16, float32, float64, axis is one of theirs, and out is one of the inputs or overlaps
        none.
    """
    cdef Rows rows
    cdef cnp.ndarray x, array
    cdef Py_ssize_t size, at, outer = 1, inner = 1
    cdef int kind, i, index = row_function_indices[name]
    cdef bint done
    cdef FPState state
    rows.function = &row_functions[index]
    if len(inputs) != rows.function.inputs:
        raise TypeError(f"{name} takes {rows.function.inputs} inputs")
    value = inputs[rows.function.inputs - 1]
    if not cnp.PyArray_CheckExact(value) or type(axis) is not int:
        return None
    x = value
    kind = cnp.PyArray_TYPE(x)
    if kind != cnp.NPY_FLOAT16 and kind != cnp.NPY_FLOAT and kind != cnp.NPY_DOUBLE:
        return None
    for value in inputs:
        if not cnp.PyArray_CheckExact(value) or not are_alike(value, x):
            return None
    if not -x.ndim <= axis < x.ndim:
        return None
    if out is None:
        out = cnp.PyArray_EMPTY(x.ndim, cnp.PyArray_DIMS(x), kind, 0)
    elif not (cnp.PyArray_CheckExact(out) and are_alike(out, x) and cnp.PyArray_ISWRITEABLE(out)):
        return None
    for value in inputs:
        if not is_apart(out, value):
            return None
    if cnp.PyArray_SIZE(x) == 0:
        return out
    at = axis if axis >= 0 else axis + x.ndim
    for i in range(x.ndim):
        if i < at:
            outer *= cnp.PyArray_DIM(x, i)
        elif i > at:
            inner *= cnp.PyArray_DIM(x, i)
    size = cnp.PyArray_ITEMSIZE(x)
    rows.n, rows.flags = cnp.PyArray_DIM(x, <int> at), HALF if kind == cnp.NPY_FLOAT16 else 0
    # Without an axis behind, the rows of all runs are one run.
    rows.runs, rows.count = outer, inner
    if inner == 1:
        rows.runs, rows.count = 1, outer
    for i in range(rows.function.inputs + 1):
        array = out if i == rows.function.inputs else inputs[i]
        rows.data[i] = <char *> cnp.PyArray_DATA(array)
        rows.step[i] = inner * size
        rows.row_step[i] = rows.n * size if inner == 1 else size
        rows.run_step[i] = rows.n * inner * size
    with nogil:
        state = fp_save()
        choose_form(&rows, size)
        done = (
            compute_rows(&rows, <const double *> NULL) if size == 8
            else compute_rows(&rows, <const float *> NULL)
        )
        fp_restore(state)
    if not done:
        raise MemoryError(f"no memory for the rows of {name}")
    return out
