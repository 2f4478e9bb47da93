"""Which GPU there is: looked for once, and what is said where there is none."""

# Design:
# - The driver is asked first, through ctypes: that takes no import and no compiler. Where it is
#   missing, or shows no device, nobody who did not ask for a GPU hears of it.
# - CUDA does not survive a fork: a child of a process that began it has no GPU, whoever began it.

import ctypes
import importlib.util
import os
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from s3s4._errors import GPUUnavailable
from s3s4._extras import to_install

OLDEST_DRIVER = 12000
NO_DEVICE = 100  # what cuInit says where there is none
WHEELS = "install s3s4[gpu] for a driver of CUDA 13, s3s4[gpu-cu12] for one of CUDA 12"
WITHOUT_WHEELS = f"numba-cuda does not work here; {WHEELS}"
AFTER_A_FORK = "CUDA cannot be used after a fork: start the process anew (spawn)"
DRIVER = Path("/proc/driver/nvidia")
NOT_INITIALIZED = 3  # what cuInit says in a child of a process that began CUDA


class _State:
    """What is known of the GPU of this process, and the lock of those who find it out."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reason: str | None = None
        self.gpu: ModuleType | None = None
        self.known = False
        self.is_there = False
        self.warned = False
        self.process: int | None = None
        """The process that began CUDA here."""

    @property
    def is_inherited(self) -> bool:
        """Whether this is a child of the process that began CUDA."""
        return self.process is not None and self.process != os.getpid()


_state = _State()


def gpu() -> ModuleType:
    """The GPU backend, looked for once.

    Raises
    ------
    GPUUnavailable
        If there is none, with the reason and what to install.
    """
    if _state.is_inherited:
        raise GPUUnavailable(AFTER_A_FORK)
    if not _state.known:
        with _state.lock:
            if not _state.known:
                _find()
                _state.known = True
    if _state.gpu is None:
        raise GPUUnavailable(f"device='gpu' is not available: {_state.reason}")
    return _state.gpu


def available() -> bool:
    """Whether there is a GPU that works."""
    try:
        gpu()
    except GPUUnavailable:
        return False
    return True


def status() -> str:
    """What is known of the GPU, found out if need be, in one line."""
    try:
        found = gpu().device()
    except GPUUnavailable as error:
        return str(error)
    return f"{found.name}, compute capability {found.capability}, {found.memory / 2**30:.0f} GiB"


def is_out_of_question() -> bool:
    """Whether it is known already that there is no GPU here."""
    return _state.is_inherited or (_state.known and _state.gpu is None)


def identity() -> list[str]:
    """What tells one machine's GPUs from another's, without CUDA: as far as Linux says it."""
    texts = [os.environ.get("CUDA_VISIBLE_DEVICES", "")]
    for path in [DRIVER / "version", *sorted((DRIVER / "gpus").glob("*/information"))]:
        # A machine without that driver has no such file, and a container may hide it: then this
        # tells less, and a measurement is made again at worst.
        with suppress(OSError):
            lines = path.read_text("utf-8", "replace").splitlines()
            texts += [line for line in lines if line.startswith(("NVRM", "Model", "GPU UUID"))]
    return texts


def is_there() -> bool:
    """Whether this machine has a GPU, were it one that does not work."""
    return _state.is_there


def lose(error: Exception) -> None:
    """Never use the GPU again: it failed."""
    _state.gpu, _state.reason = None, f"it failed before: {error}"


def _find() -> None:
    try:
        if importlib.util.find_spec("numba_cuda") is None:
            raise GPUUnavailable(f"numba-cuda is not installed: {to_install('gpu')}")
        if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "0":
            _ask_driver()
        _state.is_there = True
        from s3s4 import _gpu

        _gpu.device()
        _state.gpu = _gpu
    except GPUUnavailable as error:
        _state.reason = str(error)
    except Exception as error:
        # A wrong wheel can fail in any way while it is imported, and so can the driver.
        cause = "the NVIDIA driver fails" if "CUDA_ERROR" in str(error) else WITHOUT_WHEELS
        _state.reason = f"{cause}: {type(error).__name__}: {error}"


def _ask_driver() -> None:
    """Find out whether there is a device, without CUDA's Python packages.

    Raises
    ------
    GPUUnavailable
        If not, or if the driver is too old.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        raise GPUUnavailable(f"no NVIDIA driver ({name}) is installed") from None
    _state.process = os.getpid()
    version, count = ctypes.c_int(0), ctypes.c_int(0)
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code == NOT_INITIALIZED:
        raise GPUUnavailable(AFTER_A_FORK)
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    hint = "" if hidden is None else f"; CUDA_VISIBLE_DEVICES is {hidden!r}"
    if code == NO_DEVICE or not (code or count.value):
        raise GPUUnavailable(f"the NVIDIA driver shows no device (CUDA error {code}{hint})")
    _state.is_there = True
    driver.cuDriverGetVersion(ctypes.byref(version))
    if version.value < OLDEST_DRIVER:
        raise GPUUnavailable(
            f"the NVIDIA driver is for CUDA {version.value // 1000}.{version.value % 1000 // 10}: "
            "install one for CUDA 12 or later"
        )
    if code:
        raise GPUUnavailable(f"the NVIDIA driver does not start (CUDA error {code}{hint})")


def fell_back(error: Exception) -> None:
    """Say once, at the user's line, that the CPU does what the GPU could not."""
    with _state.lock:
        if _state.warned:
            return
        _state.warned = True
    depth, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] == "s3s4":
        depth, frame = depth + 1, frame.f_back
    warnings.warn(f"s3s4 uses the CPU: {error}", RuntimeWarning, stacklevel=depth)
