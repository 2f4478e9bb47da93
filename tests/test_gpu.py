"""The GPU without one: kernels in Numba's simulator, each part in an interpreter of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed"
)


@pytest.mark.parametrize(
    "part",
    [
        "values",
        "hard_parameters",
        "layouts",
        "gradients",
        "chunks",
        "memory",
        "device_arrays",
        "choices",
    ],
)
def test_in_the_simulator(part, tmp_path):
    done = subprocess.run(
        [sys.executable, HERE / "simulated.py", part],
        env={
            **os.environ,
            "NUMBA_ENABLE_CUDASIM": "1",
            "PYTHONSAFEPATH": "",
            "PYTHONPATH": str(HERE),
            "S3S4_CACHE_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    name, compared = done.stdout.split()
    assert name == part
    assert int(compared) > 0
