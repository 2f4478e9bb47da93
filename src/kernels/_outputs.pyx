# cython: language_level=3, freethreading_compatible=True
"""New arrays whose memory is kept for the next ones."""
# Design:
# - NumPy knows one allocator at a time, by context: it is the pool's just while an array is made.

from cpython.pycapsule cimport PyCapsule_New

cimport numpy as cnp

cnp.import_array()

cdef extern from *:
    """
    #include "pool.h"

    static PyDataMem_Handler s3s4_pool_handler = {
        "s3s4_reused_outputs", 1,
        {NULL, s3s4_pool_take, s3s4_pool_take_zeros, s3s4_pool_resize, s3s4_pool_give}};
    """
    struct Pool "s3s4_pool":
        size_t most
        size_t held

    ctypedef struct PyDataMem_Handler:
        pass
    PyDataMem_Handler pool_handler "s3s4_pool_handler"
    object PyDataMem_SetHandler(object)

    void pool_set "s3s4_pool_set"(size_t most) noexcept nogil
    int pool_start "s3s4_pool_start"() noexcept nogil
    size_t LEAST_BLOCK "S3S4_LEAST_BLOCK"
    Pool pool "s3s4_pool"

cdef object handler = PyCapsule_New(&pool_handler, "mem_handler", NULL)

LEAST = LEAST_BLOCK
"""Bytes of the smallest array whose memory is kept."""


def reuse(size_t max_bytes):
    """Keep so many bytes at most, and give back what is kept now."""
    pool_set(max_bytes)


cpdef bint is_reused(size_t nbytes) noexcept:
    """Whether an array of so many bytes comes from the pool."""
    return pool.most != 0 and LEAST_BLOCK <= nbytes


def held():
    """The bytes that are kept now."""
    return pool.held


def new(size_t nbytes, function, *args, **options):
    """What a function returns that makes arrays of so many bytes and runs no code but NumPy's."""
    if not is_reused(nbytes):
        return function(*args, **options)
    before = PyDataMem_SetHandler(handler)
    try:
        return function(*args, **options)
    finally:
        PyDataMem_SetHandler(before)


if pool_start():
    raise MemoryError("no memory for what fork() calls")
