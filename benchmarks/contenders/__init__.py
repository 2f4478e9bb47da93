"""Who takes part in the benchmark.

# Design: one module a library, imported only when it is asked for, so that a library that is not
# installed costs a line in the report and nothing else. A contender is a function from a `Job` to
# a callable without arguments that leaves the complete result in memory and returns it; what its
# library has no means for it refuses with NotImplementedError and the reason. A library in C++ has
# one file in `native`, compiled when it is asked for.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from contenders import native
from job import Job


@dataclass(frozen=True)
class Contender:
    """An entry of the benchmark.

    Attributes
    ----------
    name : str
        As printed.
    where : str
        ``module:function`` that prepares it, inside this package.
    package : str
        What pip installs to have it, or what Debian does if it is in C++.
    note : str
        What a reader must know to compare it fairly.
    """

    name: str
    where: str
    package: str
    note: str

    @property
    def _peer(self) -> str:
        return self.where.removeprefix("native:") if self.where.startswith("native:") else ""

    @property
    def missing(self) -> str:
        """How to get the library, if it is not installed; otherwise empty."""
        try:
            if self._peer:
                native.compiled(self._peer)
            else:
                metadata.version(self.package)
        except native.Missing as reason:
            return f"missing: {reason}"
        except metadata.PackageNotFoundError:
            return f"missing: pip install {self.package}"
        return ""

    @property
    def version(self) -> str:
        """The version of its library that is installed."""
        if self._peer:
            return native.version(self._peer)
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return "not installed"

    @property
    def library(self) -> str:
        """What its version is of."""
        return self.name if self._peer else self.package

    @property
    def is_limit(self) -> bool:
        """Whether it moves bytes and computes nothing."""
        return self.where.startswith("copies:")

    def prepare(self, job: Job) -> Callable[[], Any]:
        """Return a callable that computes the job."""
        module, function = self.where.split(":")
        prepare: Callable[[Job], Callable[[], Any]] = getattr(
            importlib.import_module(f"{__name__}.{module}"), function
        )
        return prepare(job)


OURS = "s3s4"
CONTENDERS = {
    c.name: c
    for c in (
        Contender(OURS, "ours:into_out", "s3s4", "output given; backward has none to give"),
        Contender("s3s4, new output", "ours:fresh", "s3s4", "output allocated in every call"),
        Contender("copy", "copies:threaded", "numpy", "moves the same bytes, all threads"),
        Contender("copy, 1 thread", "copies:single", "numpy", "moves the same bytes, np.copyto"),
        Contender("numpy", "from_numpy:plain", "numpy", "1 thread; new arrays throughout"),
        Contender("scipy", "from_numpy:with_scipy", "scipy", "as numpy, with expit, ndtr"),
        Contender("numexpr", "from_numexpr:prepare", "numexpr", "output given; a call each"),
        Contender("numba", "from_numba:prepare", "numba", "parallel, fastmath; output given"),
        Contender("torch", "from_torch:eager", "torch", "its functions or as numpy; autograd"),
        Contender("torch, out=", "from_torch:into_out", "torch", "its functions, output given"),
        Contender("torch.compile", "from_torch:compiled", "torch", "as torch; takes no output"),
        Contender(
            "jax.jit", "from_jax:prepare", "jax", "its functions; takes no output; vmap(grad)"
        ),
        Contender("onnxruntime", "from_onnxruntime:prepare", "onnxruntime", "bound to its output"),
        Contender("MKL LA", "from_mkl:low", "mkl", "VML, at most 4 ULP; output given"),
        Contender("MKL HA", "from_mkl:high", "mkl", "VML, at most 1 ULP; output given"),
        *(
            Contender(name, f"native:{peer}", native.PACKAGES[peer], note)
            for name, peer, note in (
                ("oneDNN", "onednn", "its primitives; output given"),
                ("XNNPACK", "xnnpack", "its operators; output given"),
                ("SLEEF", "sleef", "one pass with its functions; output given"),
                ("Highway", "highway", "one pass with its functions; output given"),
                ("ggml", "ggml", "its method, written afresh; output given"),
            )
        ),
    )
}
