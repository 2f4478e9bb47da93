"""Every function as a real `numpy.ufunc`: `name`, `name_dx`, `name_d<parameter>`, `name_value_dx`.

They have loops for float16 (computed in float32, rounded once), float32, float64 and long double.

Examples
--------
>>> import numpy as np
>>> from s3s4 import ufuncs
>>> ufuncs.s4.nin, ufuncs.s4_value_dx.nout
(2, 2)
>>> ufuncs.leaky_relu.outer([-1.0, 1.0], [0.5, 0.25])
array([[-0.5 , -0.25],
       [ 1.  ,  1.  ]])
"""

from s3s4 import _cpu

globals().update(_cpu.ufuncs)
__all__ = list(_cpu.ufuncs)
