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
    """
    # In an editable install the headers lie in the build folder, not beside this file.
    with as_file(files("s3s4") / "include" / "s3s4.h") as header:
        return str(header.parent)
