"""Who may know whom, and what an import loads: kept true over the import statements."""

import ast
import re
from pathlib import Path

import pytest

import s3s4
from s3s4 import _cpu
from support import python

PACKAGE = Path(s3s4.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
        path.read_text("utf-8")
    )
    for path in PACKAGE.rglob("*.py")
}
WITHIN_COMMAND = {name for name in MODULES if name.startswith("_command")}
WITHIN_GPU = {name for name in MODULES if name.startswith("_gpu")}
WITHIN_TORCH = {name for name in MODULES if name.startswith("torch")}
WITHIN_JAX = {name for name in MODULES if name.split(".")[0] in ("jax", "jax_kernels", "_jax")}
KERNELS = sorted((Path(__file__).resolve().parent.parent / "src" / "kernels").glob("*.p[xy][ix]"))

# Each name of the left column is known to the modules of the right one alone.
KNOWN_TO = {
    "numba": {"_gpu.toolchain", "_numba"},
    "cupy": set(),
    "torch": WITHIN_TORCH | {"onnx"},
    "jax": WITHIN_JAX,
    "keras": {name for name in MODULES if name.split(".")[0] in ("keras", "_keras")},
    "onnx": {"onnx"},
    "onnxscript": {"onnx"},
    "click": {f"_command.{name}" for name in ("apply", "arguments", "failures", "main")},
    "pyarrow": {f"_command.{name}" for name in ("arrow", "feather", "parquet", "tables")},
    "h5py": {"_command.hdf5"},
    "zarr": {"_command.zarrs"},
    "rich": {"_command.main"},
    "tqdm": {"_command.main"},
    "matplotlib": {"_command.main", "_command.demo", "_command.figures", "_plot"},
    "_command": WITHIN_COMMAND | {"__main__"},
    "_gpu": WITHIN_GPU | {"_devices"},
    "_formulas_gpu": {"_gpu.kernels", "_gpu.primitives"},
    "_rows_gpu": {"_gpu.rows"},
    "comparison": {"_measured.cutover"},
    "cutover": {"_route", "__init__"},
    "__main__": set(),
}


def imported(tree):
    """Return the names that the import statements of a module mention, without dots."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {part for alias in node.names for part in alias.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            found |= set((node.module or "").split(".")) | {alias.name for alias in node.names}
    return found


def words(tree):
    """Return the strings of a module apart from its documentation."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.Expr)
    texts = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented[:3]) and node.body and isinstance(node.body[0], ast.Expr)
    } | {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts
    }


@pytest.mark.parametrize("module", MODULES)
def test_who_may_know_whom(module):
    known = imported(MODULES[module])
    assert not {name for name in known if module not in KNOWN_TO.get(name, {module})}


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"_cpu.variant"}))
def test_only_one_module_names_a_variant(module):
    assert not [name for name in imported(MODULES[module]) if "_kernels" in name]
    named = {w for w in words(MODULES[module]) for variant in _cpu.VARIANTS if variant == w}
    assert not named
    assert not [word for word in words(MODULES[module]) if "_kernels" in word]


@pytest.mark.parametrize("module", MODULES)
def test_no_star_import(module):
    assert "*" not in imported(MODULES[module])


def test_calibration_knows_no_backend():
    tree = MODULES["_measured.comparison"]
    assert not imported(tree) & (set(MODULES) | {"s3s4", "numpy"})


@pytest.mark.skipif(not KERNELS, reason="the source of the kernels is not here")
def test_kernels_import_nothing_of_the_package():
    text = "".join(path.read_text("utf-8") for path in KERNELS)
    statements = re.findall(r"^\s*(?:from|import|cimport)\s.*", text, re.MULTILINE)
    assert statements
    assert not [statement for statement in statements if re.search(r"\bs3s4\b", statement)]


def test_init_holds_public_names_and_nothing_else():
    tree = MODULES["__init__"]
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
    assert all(isinstance(node, allowed) for node in tree.body)
    assert set(s3s4.__all__) <= set(dir(s3s4))
    assert not [name for name in s3s4.__all__ if name.startswith("_") and name != "__version__"]


def test_import_loads_numpy_and_one_variant_alone():
    done = python(
        "import sys, numpy; before = set(sys.modules); import s3s4\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = done.stdout.split()
    assert len([name for name in loaded if "_kernels" in name]) == 1
    foreign = {"numba", "torch", "jax", "keras", "onnx", "cupy", "click", "rich", "tqdm"} | {
        "matplotlib", "scipy", "mpmath",
    }  # fmt: skip
    assert not foreign & {name.partition(".")[0] for name in loaded}
    assert done.stderr == ""


def test_import_writes_nothing(tmp_path):
    python(
        "import s3s4; s3s4.s4(1.0)",
        HOME=str(tmp_path),
        XDG_CACHE_HOME=str(tmp_path),
        PYTHONDONTWRITEBYTECODE="1",
    )
    assert list(tmp_path.iterdir()) == []
