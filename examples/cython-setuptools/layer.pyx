# cython: language_level=3, boundscheck=False, wraparound=False
"""A layer of neurons in Cython: whole arrays, single numbers in a prange loop, a SciPy callback."""

cimport s3s4
from cython.parallel cimport prange


def apply(const float[::1] x, float k, float[::1] out):
    """Whole arrays: the variant for this processor, in threads."""
    with nogil:
        s3s4.s4_array(x, k, out)


def column(const double[:, :] table, Py_ssize_t index, double k, double[:] out):
    """A column of a table: memoryviews with any stride."""
    with nogil:
        s3s4.s4_array_strided(table[:, index], k, out)


def neurons(const double[:, ::1] inputs, const double[::1] weights, double k, double[::1] out):
    """Single numbers: s3s4.s4 is inlined into the loop."""
    cdef Py_ssize_t i, j
    cdef double total
    for i in prange(inputs.shape[0], nogil=True):
        total = 0
        for j in range(weights.shape[0]):
            total = total + weights[j] * inputs[i, j]
        out[i] = s3s4.s4(total, k)


# For scipy.ndimage.generic_filter: the neuron that looks at every pixel's neighbours.
cdef api int mean_s4(double *buffer, Py_ssize_t size, double *result, void *k) noexcept nogil:
    cdef Py_ssize_t i
    cdef double total = 0
    for i in range(size):
        total += buffer[i]
    result[0] = s3s4.s4(total / size, (<double *> k)[0])
    return 1
