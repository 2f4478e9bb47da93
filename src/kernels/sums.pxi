# Sums over a walk: the gradients of broadcast parameters.
#
# Design:
# - Sums belong to groups of blocks that depend on shapes alone, hold two doubles each (a
#   compensated sum) and are added up in order: their bits do not depend on the number of threads.

cdef inline double two_sum(double a, double b, double *rest) noexcept nogil:
    """a + b, and what its rounding left (Knuth)."""
    cdef double total = a + b, part = total - a
    rest[0] += (a - (total - part)) + (b - part)
    return total


cdef inline void add_to_lane(double *lane, double *rest, floating value) noexcept nogil:
    # At most 64 floats in a lane of doubles lose nothing that shows in a float.
    if floating is double:
        lane[0] = two_sum(lane[0], value, rest)
    else:
        lane[0] += value


cdef double lane_sum(const floating *values, Py_ssize_t n, double *rest) noexcept nogil:
    """The sum of at most CHUNK values: 16 lanes of doubles, added up at the end."""
    cdef double[16] lanes, rests
    cdef double total = 0.0
    cdef Py_ssize_t i, lane
    for lane in range(16):
        lanes[lane] = rests[lane] = 0.0
    for i in range(0, n - 15, 16):
        for lane in range(16):
            add_to_lane(&lanes[lane], &rests[lane], values[i + lane])
    for i in range(n & ~<Py_ssize_t> 15, n):
        add_to_lane(&lanes[i & 15], &rests[i & 15], values[i])
    for lane in range(16):
        total = two_sum(total, lanes[lane], rest)
        rest[0] += rests[lane]
    return total


cdef void accumulate(
    double *sums, double *rests, Py_ssize_t stride, const floating *values, Py_ssize_t n,
) noexcept nogil:
    """Add values to sums[0], sums[stride], ...; at stride 0 all to one."""
    cdef Py_ssize_t i
    if stride == 0:
        sums[0] = two_sum(sums[0], lane_sum(values, n, rests), rests)
    elif stride == 1:
        for i in range(n):
            sums[i] = two_sum(sums[i], values[i], &rests[i])
    else:
        for i in range(n):
            sums[i * stride] = two_sum(sums[i * stride], values[i], &rests[i * stride])


cdef void add_up(
    const Walk *walk, const Operand *operand, Py_ssize_t group, Py_ssize_t start, Py_ssize_t n,
    const floating *values,
) noexcept nogil:
    cdef Py_ssize_t[MAX_DIMENSIONS] index
    cdef Py_ssize_t offset, run
    cdef int last = walk.dimensions - 1
    cdef double *sums = <double *> operand.tile + operand.set_size * group
    if operand.mode == SUMMED_TILE:
        sums += start % operand.period
        accumulate(sums, sums + operand.slots, 1, values, n)
        return
    offset = locate(walk, operand, start, index)
    while n > 0:
        run = min(n, walk.shape[last] - index[last])
        accumulate(
            sums + offset, sums + operand.slots + offset, operand.strides[last], values, run
        )
        offset = advance(walk, operand, offset, run, index)
        values += run
        n -= run


cdef bint lay_sums(const Walk *walk, Operand *operand) noexcept nogil:
    cdef Py_ssize_t sets = walk.groups if operand.set_size else 1
    operand.period = period_of(walk, operand)
    if 1 < operand.period <= MAX_TILE and walk.shape[walk.dimensions - 1] < 128:
        operand.mode = SUMMED_TILE
        operand.slots = operand.period + CHUNK
    if operand.set_size:
        operand.set_size = 2 * operand.slots
    operand.tile = <char *> calloc(sets * 2 * operand.slots, sizeof(double))
    return operand.tile != NULL


cdef void finish_sums(const Walk *walk, const Operand *operand) noexcept nogil:
    """Add up the groups' sums, in order: first the totals, then their rests."""
    cdef Py_ssize_t[MAX_DIMENSIONS] index
    cdef Py_ssize_t sets = walk.groups if operand.set_size else 1, group, slot, at
    cdef double *totals = <double *> operand.data
    cdef double *rests = totals + operand.count
    cdef const double *sums
    for group in range(sets):
        sums = <const double *> operand.tile + group * operand.set_size
        for slot in range(operand.slots):
            at = slot
            if operand.mode == SUMMED_TILE:
                at = locate(walk, operand, slot % operand.period, index)
            totals[at] = two_sum(totals[at], sums[slot], &rests[at])
            rests[at] += sums[operand.slots + slot]
