"""The GPU without one: kernels in Numba's simulator, and what Numba makes of them.

Each part in an interpreter of its own.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from support import UFUNCS, python

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed"
)


def simulated(folder, *arguments):
    """Run Python with the simulator for a GPU."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={
            **os.environ,
            "NUMBA_ENABLE_CUDASIM": "1",
            "PYTHONPATH": str(HERE / "tools"),
            "S3S4_CACHE_DIR": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


# What numbers become comes before what changes the sizes that they are worked on in.
PARTS = [
    "values", "hard_parameters", "nan_parameters", "errors", "lengths", "layouts", "wide",
    "device_arrays", "libraries", "choices", "streams", "kept", "chunks", "memory",
]  # fmt: skip


def in_the_simulator(folder, parts):
    """Run parts of tools/simulated.py; return for each how much it compared, or a traceback."""
    done = simulated(folder, HERE / "tools" / "simulated.py", *parts)
    assert done.returncode == 0, done.stderr
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.fixture(scope="module")
def simulation(tmp_path_factory):
    """Run what is not slow in one interpreter: it takes longer to start than most parts."""
    return in_the_simulator(tmp_path_factory.mktemp("simulator"), PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_in_the_simulator(simulation, part):
    assert isinstance(simulation[part], int), simulation[part]
    assert simulation[part] > 0


@pytest.mark.slow
def test_every_sum_in_the_simulator(tmp_path):
    for compared in in_the_simulator(tmp_path, ("gradients", "sums", "rows", "blocks")).values():
        assert isinstance(compared, int), compared
        assert compared > 0


@pytest.mark.slow
def test_doctor_in_the_simulator(tmp_path):
    done = simulated(tmp_path, "-m", "s3s4", "doctor")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "simulator" in lines[0]
    assert "WRONG" not in done.stdout
    for name in UFUNCS:
        assert len([line for line in lines if line.startswith(f"{name} ")]) >= 3


def test_the_simulator_is_not_timed(tmp_path, monkeypatch):
    monkeypatch.setenv("S3S4_NUM_THREADS", "1")  # those of the CPU would be
    done = simulated(tmp_path, "-m", "s3s4", "calibrate")
    assert done.returncode == 0, done.stderr
    assert "its times say nothing of a GPU" in done.stdout
    assert "CPU" not in done.stdout


# --- Compiled, without a GPU ---------------------------------------------------------------------

DEVICE = """
import types
import numpy as np
import s3s4
from cuda.core._utils.cuda_utils import CUDAError
from numba.cuda.cudadrv.driver import CudaAPIError
from s3s4._gpu import probe
made_up = types.SimpleNamespace
def say(error, device=lambda: made_up(name="made up", compute_capability=(9, 0))):
    def fail(*given):
        raise error
    memory = made_up(get_memory_info=lambda: made_up(total=1))
    probe.cuda = made_up(get_current_device=device or fail, current_context=lambda: memory)
    probe.on_host.evaluate = fail
    try:
        probe.device()
    except s3s4.GPUUnavailable as unavailable:
        print(unavailable)
say(ValueError("no such thing"), None)
say(AttributeError("numpy has no row_stack"))
say(CudaAPIError(222, "it results in CUDA_ERROR_UNSUPPORTED_PTX_VERSION"))
say(CUDAError("CUDA_ERROR_UNSUPPORTED_PTX_VERSION: unsupported toolchain"))
"""


def test_what_is_wrong_is_what_is_blamed():
    done = python(DEVICE, timeout=200, NUMBA_ENABLE_CUDASIM="0")
    device, compiler, *driver = done.stdout.splitlines()
    assert device == "no driver or no device: ValueError: no such thing"
    assert compiler == (
        f"numba-cuda {version('numba-cuda')} does not compile a kernel here, with NumPy "
        f"{version('numpy')} (the driver and the device are there): AttributeError: numpy has no "
        "row_stack"
    )
    assert len(driver) == 2  # as Numba says it and as cuda.core does
    assert all("the driver may be older" in line for line in driver)


COMPILE = """
import numpy as np
import gpu_offline
from numba import types
from numba.cuda.compiler import compile_cuda
from s3s4._gpu import kernels
from s3s4._gpu.loops import Form
gpu_offline.pretend_device((9, 0))
for dtype in gpu_offline.DTYPES:
    form = Form("walk", ("view", "view"))
    text = kernels.text("s4", form, np.dtype(dtype).type)
    arguments = gpu_offline.argument_types("s4", form, dtype)
    compile_cuda(text, types.void, arguments, cc=(9, 0))
assert hasattr(np, "row_stack") == (np.lib.NumpyVersion(np.__version__) < "2.5.0")
print(np.__version__)
"""


@pytest.mark.slow
def test_kernels_compile_beside_the_newest_numpy(tmp_path):
    """To LLVM's text, for which NVIDIA's own compilers are not needed."""
    found = subprocess.run(
        [HERE.parent / ".ci" / "pythons"], capture_output=True, text=True, check=True
    )
    newest = found.stdout.split()[-1]
    subprocess.run([newest, "-m", "venv", tmp_path / "venv"], check=True)
    inside = tmp_path / "venv" / "bin" / "python"
    subprocess.run([inside, "-m", "pip", "install", "-q", "numpy", "numba-cuda"], check=True)
    package = Path(importlib.util.find_spec("s3s4").origin).parent
    shutil.copytree(package, tmp_path / "path" / "s3s4")
    path = os.pathsep.join([str(tmp_path / "path"), str(HERE / "tools")])
    done = subprocess.run(
        [inside, "-c", COMPILE],
        env={**os.environ, "PYTHONPATH": path, "NUMBA_ENABLE_CUDASIM": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(f"{newest}: NumPy {done.stdout.strip()}")
