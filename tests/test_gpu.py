"""The GPU without one: kernels in Numba's simulator, each part in an interpreter of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import UFUNCS

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
            "PYTHONPATH": str(HERE),
            "S3S4_CACHE_DIR": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "parts",
    [
        ("values", "hard_parameters"),
        ("errors",),
        ("lengths", "layouts", "wide"),
        pytest.param(("gradients", "sums"), marks=pytest.mark.slow),
        ("chunks",),
        ("memory",),
        ("device_arrays", "libraries", "choices", "streams", "kept"),
    ],
    ids=" ".join,
)
def test_in_the_simulator(parts, tmp_path):
    done = simulated(tmp_path, HERE / "tools" / "simulated.py", *parts)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert tuple(name for name, _ in lines) == parts
    assert all(int(compared) > 0 for _, compared in lines)


@pytest.mark.slow
def test_doctor_in_the_simulator(tmp_path):
    done = simulated(tmp_path, "-m", "s3s4", "doctor")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "simulator" in lines[0]
    assert "WRONG" not in done.stdout
    for name in UFUNCS:
        assert len([line for line in lines if line.startswith(f"{name} ")]) >= 3


def test_the_simulator_is_not_timed(tmp_path):
    done = simulated(tmp_path, "-m", "s3s4", "calibrate")
    assert done.returncode == 0, done.stderr
    assert "its times say nothing of a GPU" in done.stdout
    assert "CPU" not in done.stdout
