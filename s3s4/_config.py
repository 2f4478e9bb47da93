"""What a bug report needs to know of this build and this process."""

import platform
import sys

import numpy as np

from s3s4 import _cpu, _devices


def build_config() -> dict[str, object]:
    """Versions, the variant in use with its compiler and flags, threads and device.

    Returns
    -------
    dict

    Examples
    --------
    >>> import s3s4
    >>> s3s4.build_config()["s3s4"] == s3s4.__version__
    True
    """
    return {
        "s3s4": _cpu.version,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "variant": _cpu.variant.name,
        "variants": list(_cpu.VARIANTS),
        "compiler": _cpu.kernels.compiler,
        "flags": _cpu.kernels.flags,
        "openmp": _cpu.openmp.runtime(_cpu.kernels.openmp_version),
        "threads": _cpu.get_num_threads(),
        "gpu": _devices.status(),
    }


def show_config() -> None:
    """Print `build_config()`.

    Examples
    --------
    >>> import s3s4
    >>> s3s4.show_config()  # doctest: +ELLIPSIS
    s3s4       ...
    numpy      ...
    """
    for name, value in build_config().items():
        if name == "openmp" and value is None:
            value = "none: everything runs on one thread"
        print(f"{name:10} {', '.join(value) if isinstance(value, list) else value}")
