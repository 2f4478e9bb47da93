# Row functions: softmax and its kind, in slabs, on threads.
#
# Design:
# - What a row is made of is in rows.h: phases, and slabs of rows that stand side by side. Here
#   memory is brought into that form and slabs are handed to threads.
# - Contiguous rows are computed in place, a few at a time where the first-level cache keeps them.
#   Rows that lie side by side (axis 0 of a C array) are slabs of many columns, in place: each line
#   of the cache is read once. Rows of a few elements are laid side by side in a buffer, as one
#   does not fill vector registers. All else is copied row by row.
# - Which of these it is follows from strides and the length of a row alone, and so do the bits.
# - Threads take slabs; where there are few, and long, they take pieces of one.

cdef extern from *:
    """
    enum {
        S3S4_ROW_OPERANDS = S3S4_ROW_INPUTS + 1,
        S3S4_ROW_FUNCTIONS = sizeof s3s4_row_functions / sizeof *s3s4_row_functions
    };
    """
    enum:
        ROW_OPERANDS "S3S4_ROW_OPERANDS"
        ROW_WIDTH "S3S4_ROW_WIDTH"
        ROW_ALONE_SPACE "S3S4_ROW_ALONE_SPACE"
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
        Py_ssize_t *next
        Py_ssize_t pieces
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

    Py_ssize_t row_batch "s3s4_row_batch"(Py_ssize_t) noexcept nogil
    void rows_together_f32 "s3s4_rows_together_f32"(
        const RowsF32 *, Py_ssize_t, const Slab *, float *) noexcept nogil
    void rows_together_f64 "s3s4_rows_together_f64"(
        const RowsF64 *, Py_ssize_t, const Slab *, double *) noexcept nogil
    void row_slab_f32 "s3s4_row_slab_f32"(const RowsF32 *, Slab *, float *) noexcept nogil
    void row_slab_f64 "s3s4_row_slab_f64"(const RowsF64 *, Slab *, double *) noexcept nogil
    void row_slab_ld "s3s4_row_slab_ld"(
        const RowsLD *, Slab *, long double *) noexcept nogil
    void row_divide "s3s4_row_divide"(Slab *, int, Py_ssize_t) noexcept nogil
    Py_ssize_t row_space "s3s4_row_space"(const Slab *, int) noexcept nogil
    void row_piece_f32 "s3s4_row_piece_f32"(
        const RowsF32 *, int, const Slab *, Py_ssize_t, float *, int) noexcept nogil
    void row_piece_f64 "s3s4_row_piece_f64"(
        const RowsF64 *, int, const Slab *, Py_ssize_t, double *, int) noexcept nogil
    void row_finish_f32 "s3s4_row_finish_f32"(
        const RowsF32 *, int, const Slab *, float *) noexcept nogil
    void row_finish_f64 "s3s4_row_finish_f64"(
        const RowsF64 *, int, const Slab *, double *) noexcept nogil

cdef enum Form:
    ROW                # contiguous rows, in place
    COLUMNS            # rows side by side, in place
    TILE               # copied side by side
    COPIED             # copied one by one

cdef enum:
    SHORT_COPY = 192   # shorter rows that are copied are faster side by side
    LONGEST_IN_TILE = 1024
    TILE_ELEMENTS = 1 << 12
    COLUMN_ELEMENTS = 1 << 16  # of a slab in place: the second-level cache keeps it between phases
    LONG_ROW = 1 << 16  # worth threads of its own
    FETCHED = 1 << 19  # most bytes of a row that is fetched while another one is computed

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


cdef bint can_be_in_place(const Rows *rows) noexcept nogil:
    """Whether rows need no copy, wherever their elements are."""
    cdef bint possible = rows.flags == 0
    cdef int i
    # The output holds exponentials meanwhile; x is the last input and not needed after that.
    for i in range(rows.function.inputs - 1):
        possible = possible and rows.data[i] != rows.data[rows.function.inputs]
    return possible


cdef void choose_form(Rows *rows, Py_ssize_t size) noexcept nogil:
    cdef bint in_place = can_be_in_place(rows), along = True, across = True
    cdef Py_ssize_t least = PADDED, wanted
    cdef Py_ssize_t most = min(<Py_ssize_t> ROW_WIDTH, ceiling(rows.count, PADDED) * PADDED)
    cdef int i
    for i in range(rows.function.inputs + 1):
        along = along and rows.step[i] == size
        across = across and rows.row_step[i] == size
    rows.width = row_batch(rows.n)
    if in_place and along and (rows.width > 0 or rows.n >= SHORT_COPY):
        rows.form = ROW
        rows.width = max(<Py_ssize_t> 1, rows.width)
        return
    if in_place and across and not along:
        rows.form = COLUMNS
    elif rows.n <= (SHORT_COPY if along else LONGEST_IN_TILE):
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
    cdef Py_ssize_t i, run = columns, size = sizeof(floating)
    if rows.form == TILE and rows.flags == 0 and line == size:
        if back:
            transpose(at, step, <char *> buffer, padded * size, columns, lines, buffer)
        else:
            transpose(<char *> buffer, padded * size, at, step, lines, columns, buffer)
        return
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
    const RowFunction *function, Slab *slab, int threads, floating *space,
) noexcept nogil:
    """A long slab: its pieces are handed to threads, phase by phase."""
    cdef Py_ssize_t piece
    cdef int phase
    cdef Team team
    row_divide(slab, function.inputs, sizeof(floating))
    for phase in range(function.f64.phases + 1):
        team_begin(&team, threads, slab.pieces)
        for piece in prange(slab.pieces, num_threads=threads, schedule="dynamic"):
            if floating is double:
                row_piece_f64(function.f64, phase, slab, piece, space, threadid())
            else:
                row_piece_f32(function.f32, phase, slab, piece, space, threadid())
            team_did_task(&team)
        team_end(&team)
        if floating is double:
            row_finish_f64(function.f64, phase, slab, space)
        else:
            row_finish_f32(function.f32, phase, slab, space)


cdef void compute_slab(
    const Rows *rows, Py_ssize_t index, floating *space, floating *buffers, int threads,
) noexcept nogil:
    cdef Slab slab
    cdef Py_ssize_t slabs = ceiling(rows.count, rows.width), run = index // slabs
    cdef Py_ssize_t start = (index - run * slabs) * rows.width
    cdef Py_ssize_t columns = min(rows.width, rows.count - start), padded = columns
    cdef char *at[ROW_OPERANDS]
    cdef floating *buffer
    cdef int i, inputs = rows.function.inputs
    cdef bint has_next = (
        rows.form == ROW and threads == 1 and start + 1 < rows.count
        and rows.n <= FETCHED // <Py_ssize_t> sizeof(floating))
    for i in range(inputs + 1):
        at[i] = rows.data[i] + run * rows.run_step[i] + start * rows.row_step[i]
    slab.n, slab.out, slab.out_step = rows.n, at[inputs], rows.step[inputs]
    for i in range(inputs):
        slab.inputs[i], slab.in_step[i] = at[i], rows.step[i]
        slab.next[i] = rows.row_step[i] if has_next else 0
    if buffers != NULL:
        padded = 1 if rows.form == COPIED else ceiling(columns, PADDED) * PADDED
        for i in range(inputs):
            buffer = buffers + i * rows.n * rows.width
            move_rows(rows, i, at[i], buffer, columns, padded, False)
            slab.inputs[i], slab.in_step[i] = <char *> buffer, padded * sizeof(floating)
        # The output takes the place of x, the last input.
        slab.out, slab.out_step = <char *> buffer, padded * <Py_ssize_t> sizeof(floating)
    slab.columns = 1 if rows.form == ROW else padded
    if rows.form == ROW and row_batch(rows.n):
        slab.out_step = rows.row_step[inputs]
        for i in range(inputs):
            slab.in_step[i] = rows.row_step[i]
        if floating is double:
            rows_together_f64(rows.function.f64, columns, &slab, space)
        else:
            rows_together_f32(rows.function.f32, columns, &slab, space)
    elif threads > 1:
        in_pieces(rows.function, &slab, threads, space)
    elif floating is double:
        row_slab_f64(rows.function.f64, &slab, space)
    else:
        row_slab_f32(rows.function.f32, &slab, space)
    if buffers != NULL:
        move_rows(rows, inputs, at[inputs], <floating *> slab.out, columns, padded, True)


cdef int compute_alone(
    const Rows *rows, Py_ssize_t start, Py_ssize_t stop, const floating *_,
) noexcept nogil:
    """Row by row, where there is no memory; how many could not be computed: 0 or 1."""
    cdef floating[ROW_ALONE_SPACE] space
    cdef Py_ssize_t slabs = ceiling(rows.count, rows.width), index, run, first, row
    cdef Rows alone = rows[0]
    if not can_be_in_place(rows):
        return 1
    alone.form, alone.width = ROW, 1
    for index in range(start, stop):
        run = index // slabs
        first = (index - run * slabs) * rows.width
        for row in range(first, min(first + rows.width, rows.count)):
            compute_slab(&alone, run * rows.count + row, space, NULL, 1)
    return 0


cdef int compute_slabs(
    const Rows *rows, Py_ssize_t start, Py_ssize_t stop, int threads, const floating *kind,
) noexcept nogil:
    """How many had no memory that need it: 0 or 1."""
    cdef floating *buffers = NULL
    cdef floating *space
    cdef Slab slab
    cdef Py_ssize_t index
    slab.n, slab.out_step = rows.n, 0
    slab.columns = 1 if rows.form == ROW else rows.width
    row_divide(&slab, 0, sizeof(floating))
    space = <floating *> malloc(row_space(&slab, threads) * sizeof(floating))
    if space == NULL:
        return compute_alone(rows, start, stop, kind)
    if rows.form == TILE or rows.form == COPIED:
        # Zeros, for what pads a tile.
        buffers = <floating *> calloc(
            rows.function.inputs * rows.n * rows.width, sizeof(floating))
        if buffers == NULL:
            free(space)
            return compute_alone(rows, start, stop, kind)
    for index in range(start, stop):
        compute_slab(rows, index, space, buffers, threads)
    free(buffers)
    free(space)
    return 0


cdef bint compute_rows(const Rows *rows, const floating *kind) noexcept nogil:
    """Whether there was memory, where it is needed."""
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
