# Row functions: softmax and its kind, as generalised ufuncs and over arrays of any layout.
#
# Design:
# - What a row is made of is in rows.h: phases, and slabs of rows that stand side by side. Here
#   memory is brought into that form and slabs are handed to threads.
# - Contiguous rows are slabs of one row, in place. Rows that lie side by side (axis 0 of a C array)
#   are slabs of many columns, in place: each line of the cache is read once. Short rows are laid
#   side by side in a buffer, as one of them does not fill a vector register. All else is copied row
#   by row.
# - Which of these it is follows from strides and the length of a row alone, and so do the bits.
# - Threads take slabs; where there are few, and long, they take pieces of one.

cdef extern from *:
    """
    static void s3s4_no_memory(void) {
        PyGILState_STATE state = PyGILState_Ensure();
        PyErr_NoMemory();
        PyGILState_Release(state);
    }

    enum {
        S3S4_ROW_OPERANDS = S3S4_ROW_INPUTS + 1,
        S3S4_ROW_FUNCTIONS = sizeof s3s4_row_functions / sizeof *s3s4_row_functions
    };
    """
    enum:
        ROW_OPERANDS "S3S4_ROW_OPERANDS"
        ROW_WIDTH "S3S4_ROW_WIDTH"
    ctypedef struct RowsF32 "s3s4_rows_f32":
        int phases
    ctypedef struct RowsF64 "s3s4_rows_f64":
        int phases
    ctypedef struct RowsLD "s3s4_rows_ld":
        int phases
    ctypedef struct Slab "s3s4_slab":
        Py_ssize_t n
        Py_ssize_t columns
        const char **inputs "in"
        Py_ssize_t *in_step
        char *out
        Py_ssize_t out_step
        Py_ssize_t pieces
    ctypedef struct ResultsF32 "s3s4_row_results_f32":
        pass
    ctypedef struct ResultsF64 "s3s4_row_results_f64":
        pass
    ctypedef struct RowFunction "s3s4_row_function":
        const char *name
        const char *doc
        const char *signature
        int inputs
        const RowsF32 *f32
        const RowsF64 *f64
        const RowsLD *ld

    RowFunction[] row_functions "s3s4_row_functions"
    int ROW_FUNCTIONS "S3S4_ROW_FUNCTIONS"

    void no_memory "s3s4_no_memory"() noexcept nogil
    void row_slab_f32 "s3s4_row_slab_f32"(const RowsF32 *, Slab *) noexcept nogil
    void row_slab_f64 "s3s4_row_slab_f64"(const RowsF64 *, Slab *) noexcept nogil
    void row_slab_ld "s3s4_row_slab_ld"(const RowsLD *, Slab *) noexcept nogil
    void row_divide "s3s4_row_divide"(Slab *, int, Py_ssize_t) noexcept nogil
    void row_piece_f32 "s3s4_row_piece_f32"(
        const RowsF32 *, int, const Slab *, Py_ssize_t, ResultsF32 *) noexcept nogil
    void row_piece_f64 "s3s4_row_piece_f64"(
        const RowsF64 *, int, const Slab *, Py_ssize_t, ResultsF64 *) noexcept nogil
    void row_finish_f32 "s3s4_row_finish_f32"(
        const RowsF32 *, int, const Slab *, ResultsF32 *) noexcept nogil
    void row_finish_f64 "s3s4_row_finish_f64"(
        const RowsF64 *, int, const Slab *, ResultsF64 *) noexcept nogil

cdef enum Form:
    ROW                # contiguous rows, in place
    COLUMNS            # rows side by side, in place
    TILE               # copied side by side
    COPIED             # copied one by one

cdef enum:
    SHORT_ROW = 192    # shorter rows are faster side by side
    LONGEST_IN_TILE = 1024
    TILE_ELEMENTS = 1 << 12
    COLUMN_ELEMENTS = 1 << 16  # of a slab in place: the second-level cache keeps it between phases
    LONG_ROW = 1 << 16  # worth threads of its own

cdef struct Rows:
    const RowFunction *function
    Py_ssize_t n                         # elements of a row
    Py_ssize_t count                     # rows of a run: a step apart
    Py_ssize_t runs
    int flags                            # of memory, as for load and store
    Form form
    Py_ssize_t width                     # rows of a slab
    char *data[ROW_OPERANDS]             # the output comes last, right behind the inputs
    Py_ssize_t[ROW_OPERANDS] step        # from an element of a row to the next
    Py_ssize_t[ROW_OPERANDS] row_step
    Py_ssize_t[ROW_OPERANDS] run_step


cdef void choose_form(Rows *rows, Py_ssize_t size) noexcept nogil:
    cdef bint in_place = rows.flags == 0, along = True, across = True
    cdef Py_ssize_t least = PADDED, most = ROW_WIDTH, wanted
    cdef int i
    for i in range(rows.function.inputs + 1):
        along = along and rows.step[i] == size
        across = across and rows.row_step[i] == size
    # The output holds exponentials meanwhile; x is the last input and not needed after that.
    for i in range(rows.function.inputs - 1):
        in_place = in_place and rows.data[i] != rows.data[rows.function.inputs]
    if in_place and along and rows.n >= SHORT_ROW:
        rows.form = ROW
    elif in_place and across and not along:
        rows.form = COLUMNS
    elif rows.n <= (SHORT_ROW if along else LONGEST_IN_TILE):
        rows.form = TILE
    else:
        rows.form = COPIED
    rows.width = 1
    if rows.form == COLUMNS or rows.form == TILE:
        wanted = (COLUMN_ELEMENTS if rows.form == COLUMNS else TILE_ELEMENTS) // rows.n
        rows.width = min(most, max(least, wanted & ~<Py_ssize_t> (PADDED - 1)))


cdef void move_rows(
    const Rows *rows, int operand, char *at, floating *buffer, Py_ssize_t columns,
    Py_ssize_t padded, bint back,
) noexcept nogil:
    """Copy a slab into a buffer, an element of every row after the other, or back."""
    cdef Py_ssize_t lines = rows.n, line = rows.step[operand], step = rows.row_step[operand]
    cdef Py_ssize_t i, run = columns
    if rows.form == COPIED:
        lines, padded = ceiling(rows.n, CHUNK), CHUNK
        line, step = CHUNK * rows.step[operand], rows.step[operand]
    for i in range(lines):
        if rows.form == COPIED:
            run = min(<Py_ssize_t> CHUNK, rows.n - i * CHUNK)
        if back:
            store(at + i * line, step, buffer + i * padded, run, rows.flags)
        else:
            load(buffer + i * padded, at + i * line, step, run, rows.flags)


cdef void in_pieces(
    const RowFunction *function, Slab *slab, int threads, const floating *_,
) noexcept nogil:
    """A long slab: its pieces are handed to threads, phase by phase."""
    cdef ResultsF32 results_f32
    cdef ResultsF64 results_f64
    cdef Py_ssize_t piece
    cdef int phase
    cdef Team team
    row_divide(slab, function.inputs, sizeof(floating))
    for phase in range(function.f64.phases + 1):
        team_begin(&team, threads, slab.pieces)
        for piece in prange(slab.pieces, num_threads=threads, schedule="dynamic"):
            if floating is double:
                row_piece_f64(function.f64, phase, slab, piece, &results_f64)
            else:
                row_piece_f32(function.f32, phase, slab, piece, &results_f32)
            team_did_task(&team)
        team_end(&team)
        if floating is double:
            row_finish_f64(function.f64, phase, slab, &results_f64)
        else:
            row_finish_f32(function.f32, phase, slab, &results_f32)


cdef void compute_slab(
    const Rows *rows, Py_ssize_t index, floating *buffers, int threads,
) noexcept nogil:
    cdef Slab slab
    cdef Py_ssize_t slabs = ceiling(rows.count, rows.width), run = index // slabs
    cdef Py_ssize_t start = (index - run * slabs) * rows.width
    cdef Py_ssize_t columns = min(rows.width, rows.count - start), padded = columns
    cdef char *at[ROW_OPERANDS]
    cdef floating *buffer
    cdef int i, inputs = rows.function.inputs
    for i in range(inputs + 1):
        at[i] = rows.data[i] + run * rows.run_step[i] + start * rows.row_step[i]
    slab.n, slab.out, slab.out_step = rows.n, at[inputs], rows.step[inputs]
    for i in range(inputs):
        slab.inputs[i], slab.in_step[i] = at[i], rows.step[i]
    if buffers != NULL:
        padded = 1 if rows.form == COPIED else ceiling(columns, PADDED) * PADDED
        for i in range(inputs):
            buffer = buffers + i * rows.n * rows.width
            move_rows(rows, i, at[i], buffer, columns, padded, False)
            slab.inputs[i], slab.in_step[i] = <char *> buffer, padded * sizeof(floating)
        # The output takes the place of x, the last input.
        slab.out, slab.out_step = <char *> buffer, padded * <Py_ssize_t> sizeof(floating)
    slab.columns = padded
    if threads > 1:
        in_pieces[floating](rows.function, &slab, threads, NULL)
    elif floating is double:
        row_slab_f64(rows.function.f64, &slab)
    else:
        row_slab_f32(rows.function.f32, &slab)
    if buffers != NULL:
        move_rows(rows, inputs, at[inputs], <floating *> slab.out, columns, padded, True)


cdef int compute_slabs(
    const Rows *rows, Py_ssize_t start, Py_ssize_t stop, int threads, const floating *_,
) noexcept nogil:
    """How many had no memory for buffers: 0 or 1."""
    cdef floating *buffers = NULL
    cdef Py_ssize_t index
    if rows.form == TILE or rows.form == COPIED:
        # Zeros, for what pads a tile.
        buffers = <floating *> calloc(
            rows.function.inputs * rows.n * rows.width, sizeof(floating))
        if buffers == NULL:
            return 1
    for index in range(start, stop):
        compute_slab(rows, index, buffers, threads)
    free(buffers)
    return 0


cdef bint compute_rows(const Rows *rows, const floating *kind) noexcept nogil:
    """Whether there was memory."""
    cdef Py_ssize_t slabs = ceiling(rows.count, rows.width) * rows.runs
    cdef Py_ssize_t elements = rows.n * rows.width, task
    cdef Py_ssize_t batch = max(<Py_ssize_t> 1, TASK // elements), tasks = ceiling(slabs, batch)
    cdef int threads = threads_for(1, slabs * elements, sizeof(floating)), failed = 0
    cdef Team team
    if threads == 1:
        return compute_slabs(rows, 0, slabs, 1, kind) == 0
    if tasks < 4 * threads and elements >= LONG_ROW:
        return compute_slabs(rows, 0, slabs, threads, kind) == 0
    team_begin(&team, threads, tasks)
    for task in prange(tasks, num_threads=threads, schedule="dynamic"):
        failed += compute_slabs(rows, task * batch, min((task + 1) * batch, slabs), 1, kind)
        team_did_task(&team)
    team_end(&team)
    return failed == 0


cdef void loop_rows(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data, int flags,
    const floating *kind,
) noexcept nogil:
    cdef Rows rows
    cdef FPState state
    cdef int i
    rows.function = <const RowFunction *> data
    rows.runs, rows.count, rows.n, rows.flags = 1, dimensions[0], dimensions[1], flags
    if rows.count <= 0 or rows.n <= 0:
        return
    for i in range(rows.function.inputs + 1):
        rows.data[i], rows.row_step[i], rows.run_step[i] = args[i], steps[i], 0
        rows.step[i] = steps[rows.function.inputs + 1 + i]
    state = fp_save()
    choose_form(&rows, 2 if flags & HALF else sizeof(floating))
    if not compute_rows(&rows, kind):
        no_memory()
    fp_restore(state)


cdef void loop_rows_f16(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    loop_rows(args, dimensions, steps, data, HALF, <const float *> NULL)


cdef void loop_rows_f32(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    loop_rows(args, dimensions, steps, data, 0, <const float *> NULL)


cdef void loop_rows_f64(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    loop_rows(args, dimensions, steps, data, 0, <const double *> NULL)


cdef void loop_rows_long_double(
    char **args, const cnp.npy_intp *dimensions, const cnp.npy_intp *steps, void *data,
) noexcept nogil:
    cdef const RowFunction *function = <const RowFunction *> data
    cdef Slab slab
    cdef fenv_t state
    cdef Py_ssize_t row
    cdef int i, inputs = function.inputs
    fegetenv(&state)
    slab.n, slab.columns, slab.out_step = dimensions[1], 1, steps[2 * inputs + 1]
    for row in range(dimensions[0] if slab.n else 0):
        for i in range(inputs):
            slab.inputs[i], slab.in_step[i] = args[i] + row * steps[i], steps[inputs + 1 + i]
        slab.out = args[inputs] + row * steps[inputs]
        row_slab_ld(function.ld, &slab)
    fesetenv(&state)


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


cdef const RowFunction *find_row_function(name) except NULL:
    cdef int i
    cdef bytes wanted = name.encode()
    for i in range(ROW_FUNCTIONS):
        if row_functions[i].name == wanted:
            return &row_functions[i]
    raise KeyError(name)


def evaluate_rows(name, tuple operands):
    """Run a row function along the middle axis of arrays of three.

    Parameters
    ----------
    name : str
        Of a row function.
    operands : tuple of ndarray
        Its inputs, then the output: C-contiguous, native, of one shape and one of float16, float32,
        float64. The output is one of the inputs, exactly, or overlaps none.
    """
    cdef Rows rows
    cdef cnp.ndarray array = operands[0]
    cdef Py_ssize_t size = cnp.PyArray_ITEMSIZE(array), inner = array.shape[2]
    cdef bint done
    cdef FPState state
    cdef int i
    rows.function = find_row_function(name)
    if len(operands) != rows.function.inputs + 1:
        raise TypeError(f"{name} takes {rows.function.inputs} inputs and an output")
    rows.n, rows.flags = array.shape[1], HALF if size == 2 else 0
    # Without an axis behind, the rows of all runs are one run.
    rows.runs = 1 if inner == 1 else array.shape[0]
    rows.count = array.shape[0] if inner == 1 else inner
    if array.size == 0:
        return
    for i in range(rows.function.inputs + 1):
        array = operands[i]
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
