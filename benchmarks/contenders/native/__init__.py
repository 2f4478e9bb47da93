"""Peers in C++: one small file each, compiled when it is asked for.

Design: what is compiled lies in build/benchmarks under a name that goes by the text and the
processor, so that a changed file is compiled anew. A peer whose library is missing is left out with
the compiler's reason; what to install stands in `PACKAGES`.
"""

import ctypes
import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import threads
from job import Job

HERE = Path(__file__).parent
BUILT = HERE.parents[2] / "build" / "benchmarks"
FLAGS = "-std=c++17 -O3 -march=native -ffp-contract=fast -fopenmp -shared -fPIC -Wall -Wno-psabi"

PACKAGES = {
    "clock": "g++",
    "ggml": "g++",
    "highway": "libhwy-dev",
    "onednn": "libdnnl-dev",
    "sleef": "libsleef-dev",
    "xnnpack": "libxnnpack-dev libpthreadpool-dev",
}
"""What Debian calls the library of each."""


class Missing(RuntimeError):
    """Why a peer is not there."""


@cache
def compiled(peer: str) -> Path:
    """Return the shared library of a peer; raise `Missing` with the reason if there is none."""
    source = HERE / f"{peer}.cpp"
    text = source.read_text("utf-8")
    libraries = (re.search(r"^// link:(.*)", text, re.MULTILINE) or ["", ""])[1].split()
    command = [os.environ.get("CXX", "g++"), *FLAGS.split(), str(source)]
    texts = [text, *(file.read_text("utf-8") for file in sorted(HERE.glob("*.hpp")))]
    key = hashlib.sha256("\0".join([platform.node(), *command, *texts]).encode()).hexdigest()
    target = BUILT / f"{peer}-{key[:12]}.so"
    if not target.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(f".{os.getpid()}")
        command += ["-o", str(unfinished), *(f"-l{name}" for name in libraries)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Missing(f"no compiler {command[0]}") from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line]
            reason = lines[0].rpartition("error: ")[2] if lines else "its compilation failed"
            raise Missing(f"{reason} (apt-get install {PACKAGES[peer]})")
        unfinished.replace(target)
    return target


@cache
def library(peer: str) -> ctypes.CDLL:
    """Return a peer, ready to be called."""
    loaded = ctypes.CDLL(str(compiled(peer)))
    loaded.peer_version.restype = ctypes.c_char_p
    loaded.peer_prepare.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_int]
    loaded.peer_prepare.restype = ctypes.c_void_p
    loaded.peer_run.argtypes = [ctypes.c_void_p] * 3
    loaded.peer_run.restype = None
    return loaded


@cache
def cycles_a_second() -> float:
    """Measure the processor's clock."""
    measure = ctypes.CDLL(str(compiled("clock"))).cycles_a_second
    measure.restype = ctypes.c_double
    return float(measure())


def version(peer: str) -> str:
    """Return which version of a peer's library is here."""
    try:
        return library(peer).peer_version().decode()
    except Missing:
        return "not installed"


def prepare(peer: str, job: Job) -> Callable[[], Any]:
    """Prepare the job with the output given."""
    x, out = job.x, job.out[0]
    known = library(peer)
    call = None
    if x.dtype in (np.float32, np.float64):
        is_double = x.dtype == np.float64
        call = known.peer_prepare(job.quantity.encode(), is_double, x.size, threads.limit())
    if call is None:
        raise NotImplementedError(f"it has no such function in {x.dtype}")
    run = partial(known.peer_run, call, x.ctypes.data, out.ctypes.data)

    def result() -> Any:
        run()
        return out

    return result


onednn, xnnpack, sleef, highway, ggml = (
    partial(prepare, peer) for peer in ("onednn", "xnnpack", "sleef", "highway", "ggml")
)
