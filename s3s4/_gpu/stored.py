"""Compiled kernels kept on disk: the next process need not compile them."""

# Design:
# - Numba has a cache of its own for functions at the top of a file; kernels here are made from
#   text, and its files are read without a check: a truncated one would stop a program. So the
#   kernels, as Numba pickles them, go into this package's cache, and anything unexpected is a miss.
# - The key holds all the text a kernel is made of, and the versions and the processor that decide
#   what it is compiled to.

import base64
import hashlib
import sys
import zlib
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from typing import Any

from s3s4._gpu import toolchain
from s3s4._measured import cache as _cache

SOURCES = (
    "_formulas_gpu", "_rows_gpu", "_gpu.access", "_gpu.casts", "_gpu.kernels", "_gpu.loops",
    "_gpu.primitives", "_gpu.row_loops", "_gpu.rows", "_gpu.toolchain",
)  # fmt: skip


@cache
def _digest() -> str:
    """Of every text that has a part in a kernel."""
    digest = hashlib.sha256()
    for name in SOURCES:
        spec = find_spec(f"s3s4.{name}")
        if spec is None or spec.origin is None:
            raise OSError(f"the text of {name} cannot be read")
        with open(spec.origin, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


class Kept:
    """What Numba takes for a kernel's cache: it asks here before it compiles, and tells after."""

    cache_path = None

    def __init__(self, name: str) -> None:
        self.name = name

    def _key(self, signature: Any, codegen: Any) -> dict[str, Any]:
        return {
            "kernel": self.name,
            "signature": str(signature),
            "text": _digest(),
            "python": list(sys.version_info[:2]),
            "numba-cuda": toolchain.version(),
            "target": repr(codegen.magic_tuple()),
        }

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The compiled kernel of a signature, or None."""
        try:
            data = _cache.load(self._key(signature, context.codegen()))
            return (
                None
                if data is None
                else toolchain.unpickled(zlib.decompress(base64.b64decode(data)))
            )
        except Exception:  # whatever is wrong with what lies there, a kernel can be compiled
            return None

    def save_overload(self, signature: Any, kernel: Any) -> None:
        """Keep the compiled kernel of a signature, if that can be done."""
        # Pickling runs code of Numba and of LLVM, which may raise anything. Only time is lost: the
        # kernel is at hand, and the next process compiles it anew.
        with suppress(Exception):
            data = base64.b64encode(zlib.compress(toolchain.pickled(kernel))).decode()
            _cache.store(self._key(signature, kernel.codegen), data)

    def enable(self) -> None:
        """Nothing to do: it always is."""

    def disable(self) -> None:
        """Nothing to do: Numba never asks for it here."""
