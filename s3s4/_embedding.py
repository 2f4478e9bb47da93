"""What code in other languages needs: headers, and the addresses of C functions."""

from collections.abc import Mapping
from importlib.resources import as_file, files
from types import MappingProxyType
from typing import NamedTuple

from s3s4 import _cpu


class CFunction(NamedTuple):
    """A C function of the variant in use; it needs no GIL and holds for the life of the process.

    Attributes
    ----------
    address : int
        For `ctypes` and cffi.
    signature : str
        Its C type, as in ``"double (double, double)"``.
    capsule : object
        The same as a PyCapsule that is named after the type, for `scipy.LowLevelCallable`.
    """

    address: int
    signature: str
    capsule: object


c_functions: Mapping[str, CFunction] = MappingProxyType(
    {
        name: CFunction(address, signature.replace("Py_ssize_t", "ptrdiff_t"), capsule)
        for name, (address, signature, capsule) in _cpu.kernels.symbols.items()
    }
)
"""C functions by name: what `s3s4_api.h` declares, the same as in its struct."""

# Where Cython looks when another module says `cimport s3s4`.
__pyx_capi__ = {name: function.capsule for name, function in c_functions.items()}

# Where PyCapsule_Import looks, called by s3s4_import() of s3s4_api.h.
_C_API = _cpu.kernels.c_api


def get_include() -> str:
    """The folder of `s3s4.h`, for a C or C++ compiler's ``-I`` and for ``cimport s3s4``.

    Returns
    -------
    str

    Examples
    --------
    >>> import os, s3s4
    >>> os.path.exists(os.path.join(s3s4.get_include(), "s3s4.h"))
    True
    """
    return _folder("s3s4.h")


def get_cmake_dir() -> str:
    """The folder of `s3s4Config.cmake`, for CMake's ``-Ds3s4_DIR=``.

    Returns
    -------
    str

    Examples
    --------
    >>> import os, s3s4
    >>> "s3s4Config.cmake" in os.listdir(s3s4.get_cmake_dir())
    True
    """
    return _folder("s3s4Config.cmake")


def get_pkgconfig_dir() -> str:
    """The folder of `s3s4.pc`, for pkg-config's ``PKG_CONFIG_PATH``.

    Returns
    -------
    str

    Examples
    --------
    >>> import os, s3s4
    >>> "s3s4.pc" in os.listdir(s3s4.get_pkgconfig_dir())
    True
    """
    return _folder("s3s4.pc")


def _folder(name: str) -> str:
    # In an editable install these files lie in the build folder, not beside this one.
    with as_file(files("s3s4") / "include" / name) as file:
        return str(file.parent)
