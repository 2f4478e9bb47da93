"""The C functions from Python, without a compiler: SciPy, ctypes, cffi."""

import ctypes

import cffi
import numpy as np
from scipy import LowLevelCallable, integrate

import s3s4

# SciPy calls the C function itself at each point: the integral of dS4/dx is S4.
slope = LowLevelCallable(s3s4.c_functions["s4_dx_packed_f64"].capsule)
integral, _ = integrate.quad(slope, -5, 5, args=(2.0,))
print(integral, s3s4.s4(5.0, 2.0) - s3s4.s4(-5.0, 2.0))

# ctypes: one number.
kind = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_double)
s4 = kind(s3s4.c_functions["s4_f64"].address)
print(s4(0.5, 2.0), s3s4.s4(0.5, 2.0))

# cffi: an array, with one value of k for all its elements.
ffi = cffi.FFI()
function = s3s4.c_functions["s4_array_f32"]
s4_array = ffi.cast(function.signature.replace("(", "(*)(", 1), function.address)
x, k = np.linspace(-8, 8, 1_000_003, dtype=np.float32), ffi.new("float *", 2.0)
out = np.empty_like(x)
pointers = [ffi.from_buffer("float[]", array) for array in (x, out)]
s4_array(len(x), pointers[0], x.itemsize, k, 0, pointers[1], out.itemsize)
print(np.array_equal(out, s3s4.s4(x, 2.0)), True)
