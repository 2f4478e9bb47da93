# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""Plain calls: one look at the arguments, then NumPy's ufunc."""
# Design:
# - In a network of small layers the work of a call is done in a microsecond. What is asked about it
#   in Python would take longer; so here it is asked in C, and everything unusual goes to `_run`.

cimport numpy as cnp
from numpy import array, dtype, ndarray, sctypeDict

cnp.import_array()

SIMPLE = frozenset({ndarray, float, int, bool, list, tuple, *sctypeDict.values()})
"""Types that NumPy takes as they are."""

cdef enum:
    TYPES = 24         # NumPy's own types, by number; half precision is the last one


cdef class SmallCalls:
    """What calls a ufunc with its parameters filled in.

    A subclass has `_run(ufunc, x, parameters, options, given)` for whatever is not plain,
    `_explained(error, x, parameters, options)`, and `derivative`.

    Parameters
    ----------
    ufunc : numpy.ufunc
        Of x and the parameters.
    parameters : mapping of str to float
        With their defaults.
    small : int
        Below this size every layout is plain.
    is_left_to_ufunc : callable
        Whether an array of a larger size is, if it lies in one piece.
    """

    cdef readonly object ufunc
    cdef tuple _names, _weak, _typed
    cdef Py_ssize_t _small
    cdef object _is_left_to_ufunc

    def __init__(self, ufunc, parameters, Py_ssize_t small, is_left_to_ufunc):
        typed = [None] * TYPES
        # NumPy takes an array of the right type faster than a Python number.
        for kind in map(dtype, "efdg"):
            typed[kind.num] = tuple([array(value, kind) for value in parameters.values()])
        self.ufunc = ufunc
        self._names = tuple(parameters)
        self._weak = tuple(parameters.values())
        self._typed = tuple(typed)
        self._small = small
        self._is_left_to_ufunc = is_left_to_ufunc

    def __call__(self, x, *parameters, **options):
        if options and options.pop("derivative", False):
            return self.derivative(x, *parameters, **options)
        return self.call(self.ufunc, x, parameters, options)

    def _call(self, ufunc, x, tuple parameters, dict options):
        """A ufunc of x and the parameters, given or by default."""
        return self.call(ufunc, x, parameters, options)

    cdef object call(self, ufunc, x, tuple parameters, dict options):
        cdef Py_ssize_t given = len(parameters), count = len(self._names), i
        cdef bint bare = len(options) == 0, only_out = bare or _is_out(options)
        cdef tuple typed = self._typed[cnp.PyArray_TYPE(x)] if _is_plain(x) else None
        if given < count:
            if not only_out:
                for i in range(given, count):
                    parameters += (options.pop(self._names[i], self._weak[i]),)
                bare = len(options) == 0
                only_out = bare or _is_out(options)
            elif given or typed is None:
                parameters += self._weak[given:]
            else:
                parameters = typed
        out = None if bare or not only_out else options["out"]
        if typed is None or not only_out or given > count or not (
            parameters is typed
            or _are_numbers(parameters)
            or (cnp.PyArray_SIZE(x) < self._small and _are_simple(parameters))
        ) or (
            cnp.PyArray_SIZE(x) >= self._small
            and not (_is_in_one_piece(x, out) and self._is_left_to_ufunc(cnp.PyArray_SIZE(x)))
        ):
            return self._run(ufunc, x, parameters, options, given)
        try:
            if out is not None:
                if count > 1 or ufunc is not self.ufunc or not cnp.PyArray_CheckExact(out):
                    return ufunc(x, *parameters, out=out)
                if count == 0:
                    return ufunc(x, out)
                return ufunc(x, parameters[0], out)
            if count == 0:
                return ufunc(x)
            if count == 1:
                return ufunc(x, parameters[0])
            return ufunc(x, *parameters)
        except (TypeError, ValueError, RuntimeError) as error:
            raise self._explained(error, x, parameters, options) from None


cdef inline bint _is_out(dict options):
    """Whether there is no option but out."""
    return len(options) == 1 and "out" in options


cdef inline bint _is_plain(x):
    """Whether x is an array of a type that NumPy knows, in this machine's byte order."""
    return cnp.PyArray_CheckExact(x) and cnp.PyArray_TYPE(x) < TYPES and (
        cnp.PyArray_ISNOTSWAPPED(x))


cdef bint _are_numbers(tuple parameters):
    for value in parameters:
        if type(value) is not float:
            return False
    return True


cdef bint _are_simple(tuple parameters):
    for value in parameters:
        if type(value) not in SIMPLE:
            return False
    return True


cdef bint _is_in_one_piece(cnp.ndarray x, out):
    """Whether an array and where its values go are, so that a ufunc sees one axis."""
    return cnp.PyArray_ISCARRAY_RO(x) and (
        out is None
        or (
            cnp.PyArray_CheckExact(out)
            and cnp.PyArray_ISCARRAY(out)
            and cnp.PyArray_TYPE(out) == cnp.PyArray_TYPE(x)
            and cnp.PyArray_SAMESHAPE(out, x)
        )
    )
