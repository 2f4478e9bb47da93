"""S3 and S4 activation functions and their derivatives, as ufunc-like calls on NumPy arrays."""

from s3s4 import ufuncs
from s3s4._activation import Activation
from s3s4._config import build_config, show_config
from s3s4._cpu import version as __version__
from s3s4._cpu.outputs import reuse_outputs
from s3s4._cpu.threads import get_num_threads, set_num_threads, threads
from s3s4._embedding import _C_API as _C_API
from s3s4._embedding import __pyx_capi__ as __pyx_capi__
from s3s4._embedding import c_functions, get_cmake_dir, get_include, get_pkgconfig_dir
from s3s4._errors import GPUUnavailable
from s3s4._family import activations, get
from s3s4._gaussian import CriticalInit, Moments, critical_init, gain, moments
from s3s4._measured.cutover import Calibration, calibrate
from s3s4._plot import plot
from s3s4._published import S3Activation, S4Activation
from s3s4._route import device
from s3s4._rows import RowActivation
from s3s4._rrelu import rrelu_training

globals().update(activations)

__all__ = [
    "Activation",
    "Calibration",
    "CriticalInit",
    "GPUUnavailable",
    "Moments",
    "RowActivation",
    "S3Activation",
    "S4Activation",
    "__version__",
    "activations",
    "build_config",
    "c_functions",
    "calibrate",
    "critical_init",
    "device",
    "gain",
    "get",
    "get_cmake_dir",
    "get_include",
    "get_num_threads",
    "get_pkgconfig_dir",
    "moments",
    "plot",
    "reuse_outputs",
    "rrelu_training",
    "set_num_threads",
    "show_config",
    "threads",
    "ufuncs",
    *activations,
]
