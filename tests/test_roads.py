"""A newcomer's four roads, one for each reader: what the pages say, in an environment of nothing.

Design:
- A road is a shell script of the commands and programs that stand in the pages, which are looked up
  here by how they begin. What a page leaves to its reader, a file of numbers for instance, is
  written by the test.
- The first road compiles the package, as it says. The others take the wheel that `make wheel` has
  built in place of the clone, so that it is compiled once.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
README, EMBEDDING, FRAMEWORKS, OPERATIONS = (
    (ROOT / page).read_text("utf-8")
    for page in ("README.md", "docs/embedding.md", "docs/frameworks.md", "docs/site/operations.md")
)
# What tells pip where its packages are, and nothing else.
KEPT = re.compile(r"PIP_|SSL_CERT|REQUESTS_CA|https?_proxy|no_proxy", re.IGNORECASE)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="the pages' commands are for a POSIX shell"),
]


def said(page, begins):
    """Return the command of a page that begins so, without the remark behind it."""
    pattern = rf"(?:^(?: \*)? {{4,}}|`)({re.escape(begins)}[^`\n]*)"
    return re.search(pattern, page, re.MULTILINE)[1].partition("  #")[0].strip()


def programs(page, *begin):
    """Return the blocks of Python of a page that begin so; all but those of PyTorch's without."""
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    if begin:
        return [next(block for block in blocks if block.startswith(one)) for one in begin]
    return [block for block in blocks if "torch" not in block]


def definition(x, k=5.0):
    """S4 as it is defined."""
    a = 1 / (1 + np.exp(-k * x))
    return a * x / (1 + abs(x)) + (1 - a) / (1 + np.exp(-x))


@pytest.fixture
def walk(tmp_path):
    """Return what runs a road in a new environment, a new home and nothing of ours."""
    (tmp_path / "home").mkdir()
    folders = [Path(sys.base_prefix) / "bin", *map(Path, ("/usr/local/bin", "/usr/bin", "/bin"))]
    environment = {name: value for name, value in os.environ.items() if KEPT.match(name)}
    environment |= {
        "HOME": str(tmp_path / "home"),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join(map(str, folders)),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }

    def run(*commands, folder="."):
        script = "\n".join([said(README, "python3 -m venv"), *commands])
        done = subprocess.run(
            ["sh", "-euxc", script],
            cwd=tmp_path / folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def with_wheel(command):
    """Return a command that installs from a clone as one that installs the wheel of this one."""
    wheels = [*(ROOT / "build" / "wheel").glob("s3s4-*.whl")]
    if not wheels:
        pytest.skip("build/wheel has no wheel: make wheel")
    extra, others = re.fullmatch(r"pip install '?\.(\[\w+\])?'?(.*)", command).groups("")
    return f"pip install {shlex.quote(f'{wheels[0]}{extra}')}{others}"


def test_numpy(walk, tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("no repository to clone")
    subprocess.run(["git", "clone", "-q", ROOT, tmp_path / "clone"], check=True)
    (tmp_path / "readme.py").write_text("\n".join(programs(README)))
    install = said(README, "pip install .")
    assert install == "pip install ."
    leave, show = said(README, "cd .."), said(OPERATIONS, "python -c")
    shown = walk(install, leave, "python readme.py", show, folder="clone")
    assert re.search(r"^variant +\w+$", shown, re.MULTILINE)


def test_frameworks(walk, tmp_path):
    example = programs(README, "import torch\n")[0]
    printed = re.search(r"```\n\n    (\d+% of the digits.*)\n", README)[1]
    parts = programs(FRAMEWORKS, "import torch\n", "import jax\n", "import keras\n")
    for name, text in zip(("torch", "jax", "keras"), parts, strict=True):
        (tmp_path / f"use_{name}.py").write_text(text)
    (tmp_path / "example.py").write_text(example)
    installs = [
        with_wheel(said(page, f"pip install '.[{extra}]'"))
        for page, extra in ((README, "torch"), (FRAMEWORKS, "jax"), (FRAMEWORKS, "keras"))
    ]
    shown = walk(
        *installs,
        "python example.py",
        "python use_torch.py",
        "python use_jax.py",
        "KERAS_BACKEND=jax python use_keras.py",
    )
    number = r"[\d.]+"
    line = next(line for line in shown.splitlines() if "of the digits" in line)
    assert re.sub(number, "#", line) == re.sub(number, "#", printed)
    assert abs(int(line.partition("%")[0]) - int(printed.partition("%")[0])) <= 2


def test_c(walk, tmp_path):
    shutil.copytree(ROOT / "examples" / "c", tmp_path, dirs_exist_ok=True)
    shown = walk(with_wheel(said(README, "pip install .")), said(EMBEDDING, "cc "), "./a.out")
    rows = np.array([line.split() for line in shown.splitlines()[-8:]], float)
    np.testing.assert_allclose(rows[:, 3], definition(rows[:, 0]), rtol=1e-13)


def test_operations(walk, tmp_path):
    x = np.linspace(-3, 3, 1001)
    np.save(tmp_path / "in.npy", x)
    table = "date,a,b,c,height\n2026-01-31,1,2,3,-0.5\n2026-02-01,1,1,1,2\n"
    (tmp_path / "in.csv").write_text(table)
    shown = walk(
        with_wheel(said(README, "pip install '.[cli]'")),
        said(README, "s3s4 apply s4 in.npy"),
        said(README, "s3s4 apply gelu in.csv"),
        "mv out.csv gelu.csv",
        said(README, "s3s4 apply softmax in.csv"),
        said(README, "s3s4 doctor"),
        said(README, "s3s4 info"),
        said(README, "s3s4 plot gelu mish").replace(" --derivative", " --derivative -o s4.png"),
    )
    result = np.load(tmp_path / "out.npy")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, definition(x, 2.0), rtol=1e-6)
    rows = [line.split(",") for line in (tmp_path / "gelu.csv").read_text().splitlines()]
    assert [row[0] for row in rows] == ["date", "2026-01-31", "2026-02-01"]
    assert float(rows[1][4]) == pytest.approx(-0.15426876936299347)  # -0.5 Φ(-0.5)
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    assert [float(cell) for cell in rows[2][1:4]] == pytest.approx([1 / 3] * 3)
    assert "s3s4" in shown
    assert (tmp_path / "s4.png").read_bytes().startswith(b"\x89PNG")
