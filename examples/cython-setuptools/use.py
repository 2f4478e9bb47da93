"""The module that layer.pyx becomes, and its C function as a filter of SciPy's."""

import ctypes

import layer
import numpy as np
from scipy import LowLevelCallable, ndimage

import s3s4

x = np.linspace(-3, 3, 1_000_003, dtype=np.float32)
out = np.empty_like(x)
layer.apply(x, 5, out)
print(out[700_000], s3s4.s4(x[700_000]))

# SciPy calls mean_s4 for every pixel, without Python; k goes along as a pointer.
k = ctypes.c_double(3)
pointer = ctypes.cast(ctypes.pointer(k), ctypes.c_void_p)
signature = "int (double *, npy_intp, double *, void *)"
neuron = LowLevelCallable.from_cython(layer, "mean_s4", pointer, signature)
image = np.random.default_rng(0).normal(size=(20, 30))
filtered = ndimage.generic_filter(image, neuron, size=3)
print(filtered[10, 10], s3s4.s4(image[9:12, 9:12].mean(), 3))
