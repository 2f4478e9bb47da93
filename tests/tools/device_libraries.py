"""Arrays of libraries that are not installed here, as their protocols show them, over Numba's.

On a device, or on the one that is not there (fakecuda). Their streams do not wait for others.
"""

import ctypes
import types

import numpy as np
from cuda.bindings import driver
from numba import cuda

NON_BLOCKING = 1
DLPACK_CUDA, DLPACK_FLOAT = 2, 2


def stream():
    """A stream that neither waits for CUDA's default stream nor is waited for by it."""
    _, handle = driver.cuStreamCreate(NON_BLOCKING)
    return cuda.external_stream(int(handle))


def late(values, on):
    """An array that is filled when its stream comes to it, and what it is copied from."""
    host = cuda.pinned_array(values.shape, values.dtype)
    host[...] = values
    there = cuda.device_array(values.shape, values.dtype, stream=on)
    there.copy_to_device(host, stream=on)
    return there, host


class Interface:
    """As CuPy shows an array: a pure array interface, version 3, with or without a stream."""

    asked = 0

    def __init__(self, array, on=None, **more):
        self.array, self.on, self.more = array, on, more

    @property
    def __cuda_array_interface__(self):
        type(self).asked += 1
        shown = {
            "shape": self.array.shape,
            "strides": None,
            "typestr": self.array.dtype.str,
            "data": (self.array.device_ctypes_pointer.value, False),
            "version": 3,
        }
        return shown | ({} if self.on is None else {"stream": int(self.on)}) | self.more


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
    ]


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]


_alive = {}


@_Deleter
def _delete(address):
    _alive.pop(address, None)


class DLPack:
    """As JAX shows an array: by DLPack alone, on a stream of its own."""

    def __init__(self, array, on):
        self.array, self.on = array, on
        self.dtype, self.shape, self.device = array.dtype, array.shape, None
        self.streams = []

    def __dlpack_device__(self):
        return DLPACK_CUDA, self.array.gpu_data.context.device.id

    def __array_namespace__(self):
        return self

    def empty(self, shape, *, dtype, device):
        return DLPack(cuda.device_array(shape, dtype), self.on)

    def __dlpack__(self, *, stream=None, **options):
        self.streams.append(stream)
        event = cuda.event()
        event.record(self.on)
        event.wait(cuda.external_stream(stream))
        made, axes = _Managed(), len(self.shape)
        shape = (ctypes.c_int64 * axes)(*self.shape)
        made.tensor = _Tensor(
            self.array.device_ctypes_pointer.value,
            *self.__dlpack_device__(),
            axes,
            DLPACK_FLOAT,
            self.dtype.itemsize * 8,
            1,
            shape,
        )
        made.deleter = _delete
        _alive[ctypes.addressof(made)] = made, shape, self.array
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = (
            ctypes.py_object,
            [ctypes.c_void_p, ctypes.c_char_p] * 1 + [ctypes.c_void_p],
        )
        return new(ctypes.addressof(made), b"dltensor", None)


class Tensor:
    """A tensor of torch's over an array of Numba's; bfloat16 is 16 bits there."""

    __module__ = "torch"
    requires_grad = False
    device = types.SimpleNamespace(index=0)

    def __init__(self, array, dtype):
        self.array, self.dtype, self.shape = array, f"torch.{dtype}", array.shape
        self.ndim = array.ndim

    @property
    def __cuda_array_interface__(self):
        raise AssertionError("torch's has no name for bfloat16")

    def __dlpack_device__(self):
        return DLPACK_CUDA, 0

    def data_ptr(self):
        return self.array.device_ctypes_pointer.value

    def stride(self):
        return tuple(step // self.array.dtype.itemsize for step in self.array.strides)

    def element_size(self):
        return self.array.dtype.itemsize

    def new_empty(self, shape, dtype):
        name = str(dtype).partition(".")[2]
        memory = "uint16" if name == "bfloat16" else name
        return Tensor(cuda.device_array(shape, memory), name)


def torch_of(on):
    """Torch as far as it is asked for, with a current stream."""
    torch = types.ModuleType("torch")
    current = types.SimpleNamespace(cuda_stream=int(on))
    torch.cuda = types.SimpleNamespace(current_stream=lambda device: current)
    torch.empty_like = lambda array, dtype: array.new_empty(array.shape, dtype)
    for name in ("bfloat16", "float16", "float32", "float64"):
        setattr(torch, name, f"torch.{name}")
    return torch


def read(array, on=0):
    """What a stream finds in an array when it comes to it."""
    host = cuda.pinned_array(array.shape, array.dtype)
    array.copy_to_host(host, stream=on)
    if on:
        on.synchronize()
    return np.array(host)
