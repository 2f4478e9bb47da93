"""An application that PyInstaller has frozen has every variant, and picks one."""

import subprocess
import sys

import pytest

import s3s4

FOREIGN = {"torch", "jax", "keras", "scipy", "matplotlib"}


@pytest.mark.slow
def test_a_frozen_folder_runs(tmp_path):
    pytest.importorskip("PyInstaller")
    code = "import s3s4; print(s3s4.s4(0.0), s3s4.build_config()['variant'])\n"
    (tmp_path / "app.py").write_text(code)
    command = [sys.executable, "-m", "PyInstaller", "--onedir", "--log-level=ERROR", "app.py"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=600)
    # What the application did not ask for is not in it, however much is installed here.
    assert not [p for p in (tmp_path / "dist").rglob("*") if p.name in FOREIGN]
    done = subprocess.run(
        [tmp_path / "dist" / "app" / "app"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["0.25", s3s4.build_config()["variant"]]
