"""Which variant of the kernels runs: the only place that names one."""

# Design:
# - A variant is one shared object for one instruction set. It is picked here, once, at import;
#   nothing public lives in it, so that a pickle made under one variant loads under another.

import importlib
import os
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np

from s3s4._cpu import openmp
from s3s4._environment import refuse

try:
    from s3s4 import _isa
except ImportError as error:
    raise ImportError(
        f"the compiled part of s3s4 is missing in {Path(__file__).parents[1]}: install the package "
        "(pip install .) and do not import it from its source folder"
    ) from error

version: str = _isa.version
MODULES = {variant: f"s3s4._kernels_{variant}" for variant in _isa.built()}
"""What holds each variant of this build, whatever this processor can run."""
PLAIN = {"baseline", "generic", "serial"}
VARIANTS = tuple(v for v in _isa.built() if v in PLAIN | _isa.supported())
"""The variants this processor can run, best first."""


def load(variant: str) -> ModuleType:
    """Import the kernels module of a variant.

    Raises
    ------
    ImportError
        If this build has no such variant or this processor cannot run it.
    """
    if variant not in VARIANTS:
        reason = (
            f"this processor cannot run it, only {', '.join(VARIANTS)}"
            if variant in _isa.built()
            else f"this build has {', '.join(_isa.built())}"
        )
        raise ImportError(f"no variant {variant!r} of the s3s4 kernels: {reason}")
    with openmp.patience(_isa.seconds_of_a_spin):
        return importlib.import_module(MODULES[variant])


def _choose() -> tuple[str, ModuleType]:
    forced = os.environ.get("S3S4_ISA")
    if forced:
        try:
            return forced, load(forced)
        except ImportError as error:
            refuse(ImportError(f"S3S4_ISA={forced}: {error}"))
    try:
        return VARIANTS[0], load(VARIANTS[0])
    except ImportError as error:
        # Late in a large process the loader has no thread-local storage left for OpenMP.
        if "static TLS" not in str(error):
            raise
        warnings.warn(f"s3s4 runs on one thread: {error}", RuntimeWarning, stacklevel=3)
        return "serial", load("serial")


name, kernels = _choose()
ufuncs: dict[str, np.ufunc] = kernels.ufuncs
