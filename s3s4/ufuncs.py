"""Every function as a real `numpy.ufunc`: `name`, `name_dx`, `name_d<parameter>`, `name_value_dx`.

They have loops for float16 (computed in float32, rounded once), float32, float64 and long double.
"""

from s3s4 import _cpu

globals().update(_cpu.ufuncs)
__all__ = list(_cpu.ufuncs)
