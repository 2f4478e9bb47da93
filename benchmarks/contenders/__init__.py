"""Who takes part in the benchmark.

# Design: one module a library, imported only when it is asked for, so that a library that is not
# installed costs a line in the report and nothing else. A contender is a function from a `Job` to
# a callable without arguments that leaves the complete result in memory and returns it; what its
# library has no means for it refuses with NotImplementedError and the reason.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
        What to install to have it; also the name of its version in the report.
    note : str
        What a reader must know to compare it fairly.
    """

    name: str
    where: str
    package: str
    note: str

    @property
    def missing(self) -> str:
        """How to get the library, if it is not installed; otherwise empty."""
        try:
            importlib.import_module(self.package)
        except ImportError:
            return f"missing: pip install {self.package}"
        return ""

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
        Contender("torch.compile", "from_torch:compiled", "torch", "as torch; takes no output"),
        Contender(
            "jax.jit", "from_jax:prepare", "jax", "its functions; takes no output; vmap(grad)"
        ),
    )
}

PEERS = [name for name, c in CONTENDERS.items() if c.package != "s3s4" and not c.is_limit]
