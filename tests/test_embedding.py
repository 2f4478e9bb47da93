"""The examples of other people's code, built against the installed package and run."""

import ctypes
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

import cffi
import numpy as np
import pytest
from scipy import LowLevelCallable, integrate

import s3s4
from support import UFUNCS, assert_same_bits, inputs, outputs, python

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
PAIRS = [("cc", "c++"), pytest.param(("clang", "clang++"), marks=pytest.mark.slow)]

every_ufunc = pytest.mark.parametrize("ufunc", UFUNCS.values(), ids=UFUNCS)
pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not here")


def shell(*command, cwd):
    """Run a command of this environment and return what it prints."""
    folder = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": os.pathsep.join([folder, os.environ["PATH"]])}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@cache
def cflags():
    """Return what `python -m s3s4 --cflags` prints."""
    return shell(sys.executable, "-m", "s3s4", "--cflags", cwd="/").split()


def compiler(name):
    """Return a compiler's path, or skip the test."""
    return shutil.which(name) or pytest.skip(f"{name} is not on this machine")


def in_python(folder, code, module="layer"):
    """Run code in a fresh interpreter that has imported what was built in a folder."""
    imports = f"import sys; sys.path.insert(0, {str(folder)!r})\nimport {module}, numpy as np, s3s4"
    return python(f"{imports}\n{code}").stdout


def assert_pairs_agree(printed):
    """Compare what an example prints: two numbers on a line, a result and the wanted one."""
    assert printed
    for line in printed.splitlines():
        actual, wanted = line.split()
        assert actual == wanted or float(actual) == pytest.approx(float(wanted), rel=1e-9)


@pytest.mark.parametrize("compilers", PAIRS)
@pytest.mark.parametrize(
    ("language", "standard", "processor"),
    [
        ("c", "c99", "x86-64-v3"),
        ("c++", "c++17", "x86-64"),
        pytest.param("c", "c99", "x86-64", marks=pytest.mark.slow),
        pytest.param("c++", "c++17", "x86-64-v3", marks=pytest.mark.slow),
    ],
)
def test_c_program(compilers, language, standard, processor, tmp_path):
    if os.uname().machine != "x86_64":
        pytest.skip("flags for x86-64")
    if processor == "x86-64-v3" and "avx2" not in s3s4.build_config()["variants"]:
        pytest.skip("this processor cannot run x86-64-v3")
    program = [compiler(compilers[language == "c++"]), "-x", language, f"-std={standard}", "-O2"]
    program += [*STRICT, f"-march={processor}", *cflags(), str(EXAMPLES / "c" / "neuron.c"), "-lm"]
    shell(*program, "-o", "neuron", cwd=tmp_path)
    rows = np.array([line.split() for line in shell("./neuron", cwd=tmp_path).splitlines()], float)
    x = np.arange(-8.0, 8.0, 2.0)
    np.testing.assert_array_equal(rows[:, 0], x)
    np.testing.assert_allclose(rows[:, 1], s3s4.s4(x), rtol=1e-6)
    np.testing.assert_allclose(rows[:, 2], s3s4.s4(x, derivative=True), rtol=1e-6)
    np.testing.assert_allclose(rows[:, 3], s3s4.s4(x), rtol=1e-14)


def commands_of_the_page(first):
    """Return the indented commands of the page, from the one that begins so to the next text."""
    page = (EXAMPLES.parent / "docs" / "embedding.md").read_text("utf-8")
    block = next(
        b for b in re.findall(r"(?:^    .+\n)+", page, re.M) if b.startswith(f"    {first}")
    )
    return block.replace("\n    ", "\n").strip()


@pytest.mark.slow
@pytest.mark.parametrize("first", ["cmake -B", "export PKG_CONFIG_PATH"])
def test_c_program_by_the_commands_of_the_page(first, tmp_path):
    compiler("cmake" if first.startswith("cmake") else "pkg-config")
    shutil.copytree(EXAMPLES / "c", tmp_path, dirs_exist_ok=True)
    shell("sh", "-euc", commands_of_the_page(first), cwd=tmp_path)
    (program,) = tmp_path.rglob("neuron")
    rows = np.array([line.split() for line in shell(program, cwd=tmp_path).splitlines()], float)
    x = np.arange(-8.0, 8.0, 2.0)
    a = 1 / (1 + np.exp(-5 * x))
    np.testing.assert_array_equal(rows[:, 0], x)
    wanted = a * x / (1 + abs(x)) + (1 - a) / (1 + np.exp(-x))
    np.testing.assert_allclose(rows[:, 3], wanted, rtol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "fits"), [("0.0.1", True), (s3s4.__version__, True), ("99.1", False)]
)
def test_versions_that_builds_ask_for(version, fits, tmp_path):
    compiler("cmake")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.15)\nproject(p LANGUAGES NONE)\n"
        f"find_package(s3s4 {version} CONFIG REQUIRED)\n"
    )
    command = ["cmake", "-S", ".", "-B", "build", f"-Ds3s4_DIR={s3s4.get_cmake_dir()}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == fits, done.stderr
    assert fits or f"version: {s3s4.__version__}" in done.stderr
    environment = {**os.environ, "PKG_CONFIG_PATH": s3s4.get_pkgconfig_dir()}
    command = [compiler("pkg-config"), "--exists", f"s3s4 >= {version}"]
    assert (subprocess.run(command, env=environment, check=False).returncode == 0) == fits


@pytest.mark.slow
@pytest.mark.parametrize("compilers", PAIRS)
def test_cpp_extension(compilers, tmp_path):
    pybind11 = pytest.importorskip("pybind11")
    folders = pybind11.get_include(), np.get_include(), sysconfig.get_path("include")
    include = [part for folder in folders for part in ("-isystem", folder)]
    command = [compiler(compilers[1]), "-shared", "-fPIC", "-std=c++17", *STRICT, *include]
    shell(*command, *cflags(), str(EXAMPLES / "cpp" / "layer.cpp"), "-o", "layer.so", cwd=tmp_path)
    in_python(
        tmp_path,
        "x = np.linspace(-3, 3, 1_000_003, dtype='f')\n"
        "wanted = s3s4.s4(x + np.float32(0.5), 2)\n"
        "np.testing.assert_array_equal(layer.layer(x, 0.5, 2), wanted)",
    )


@pytest.fixture(scope="module", params=["cython-setuptools", "cython-meson"])
def layer(request, tmp_path_factory):
    """Build a Cython project against the installed package; give the folder it is installed in."""
    project = tmp_path_factory.mktemp(request.param) / "project"
    shutil.copytree(EXAMPLES / request.param, project)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    command += ["--no-build-isolation", "--no-deps", "--no-index", "--target", "../built", "."]
    shell(*command, cwd=project)
    return project.parent / "built"


@pytest.mark.slow
@pytest.mark.parametrize("example", ["cython-setuptools", "cython-meson"])
def test_cython_example_is_installed_by_the_command_of_the_page(example, tmp_path):
    """In build isolation, in an environment that has nothing: as somebody else does it."""
    root = EXAMPLES.parent
    wheels = root / "build" / "wheel"
    if not [*wheels.glob("s3s4-*.whl")]:
        pytest.skip("build/wheel has no wheel: make wheel")
    page = (root / "docs" / "embedding.md").read_text("utf-8")
    (command,) = re.findall(r"^    (pip install .*)$", page, re.MULTILINE)
    project = tmp_path / "project"
    shutil.copytree(EXAMPLES / example, project)
    shell(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    activate = f". ../env/bin/activate; PIP_FIND_LINKS={shlex.quote(str(wheels))} {command}"
    shell("sh", "-ec", activate, cwd=project)
    code = (
        "import layer, numpy as np; x = np.linspace(-3, 3, 7, dtype='f'); out = np.empty_like(x)\n"
        "layer.apply(x, 5, out); a = 1 / (1 + np.exp(-5 * x))\n"
        "wanted = a * x / (1 + abs(x)) + (1 - a) / (1 + np.exp(-x))\n"
        "np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-6)"
    )
    shell("../env/bin/python", "-c", code, cwd=project)


@pytest.mark.slow
def test_cython(layer):
    in_python(
        layer,
        "x = np.linspace(-3, 3, 1_000_003, dtype='f'); out = np.empty_like(x)\n"
        "layer.apply(x, 5, out); np.testing.assert_array_equal(out, s3s4.s4(x))\n"
        "layer.apply(x, 5, out[:3]); layer.apply(x[:0], 5, out)\n"
        "table = np.random.default_rng(0).normal(size=(100, 7)); out = np.empty(200)[::2]\n"
        "layer.column(table, 3, 2, out)\n"
        "np.testing.assert_array_equal(out, s3s4.s4(table[:, 3], 2))\n"
        "out = np.empty(100); layer.neurons(table, table[0], 2, out)\n"
        "np.testing.assert_allclose(out, s3s4.s4(table @ table[0], 2), rtol=1e-12)",
    )


@pytest.mark.slow
def test_cython_from_python(layer):
    use = EXAMPLES / "cython-setuptools" / "use.py"
    code = f"import runpy, sys; sys.path.insert(0, {str(layer)!r}); runpy.run_path({str(use)!r})"
    assert_pairs_agree(shell(sys.executable, "-P", "-c", code, cwd="/"))


def forms(ufunc):
    """Write a Cython function that calls every form of a function of the package."""
    name, parameters = ufunc.__name__, [f"p{i}" for i in range(ufunc.nin - 1)]
    outs = [f"out{i}" for i in range(ufunc.nout)]
    numbers = ", ".join(["x[i]", *parameters])
    one = f"{outs[0]}[i, 0] = s3s4.{name}({numbers})"
    if ufunc.nout > 1:
        one = f"s3s4.{name}({numbers}, {', '.join(f'&{out}[i, 0]' for out in outs)})"
    head = ["const floating[::1] x", *[f"floating {p}" for p in parameters]]
    head += [f"floating[:, :] {out}" for out in outs]
    head += [f"floating[::1] {out}_dense" for out in outs]
    given = ", ".join(["x", *parameters])
    return "\n".join(
        [
            f"def {name}({', '.join(head)}):",
            "    cdef Py_ssize_t i",
            "    with nogil:",
            "        for i in range(x.shape[0]):",
            f"            {one}",
            f"        s3s4.{name}_array_strided[floating](",
            f"            {given}, {', '.join(f'{out}[:, 1]' for out in outs)})",
            f"        s3s4.{name}_array({given}, {', '.join(f'{o}_dense' for o in outs)})",
            "",
        ]
    )


@pytest.mark.slow
def test_cython_has_every_form_of_every_function(tmp_path):
    text = "cimport s3s4\nfrom cython cimport floating\n\n"
    text += "\n".join(map(forms, UFUNCS.values()))
    (tmp_path / "forms.pyx").write_text(text)
    shell(sys.executable, "-m", "cython", "-3", "forms.pyx", cwd=tmp_path)
    include = ["-I" + sysconfig.get_path("include"), *cflags()]
    shell("cc", "-shared", "-fPIC", "-O1", *include, "forms.c", "-o", "forms.so", cwd=tmp_path)
    in_python(
        tmp_path,
        f"for name in {list(UFUNCS)!r}:\n"
        "    ufunc = getattr(s3s4.ufuncs, name)\n"
        "    for dtype in (np.float32, np.float64):\n"
        "        x, parameters = np.linspace(-6, 6, 37, dtype=dtype), [2.0] * (ufunc.nin - 1)\n"
        "        wide = [np.empty((37, 2), dtype) for _ in range(ufunc.nout)]\n"
        "        dense = [np.empty(37, dtype) for _ in range(ufunc.nout)]\n"
        "        getattr(forms, name)(x, *parameters, *wide, *dense)\n"
        "        wanted = np.atleast_2d(ufunc(x, *parameters))\n"
        "        for one, other, exact in zip(wide, dense, wanted, strict=True):\n"
        "            np.testing.assert_array_equal(one[:, 1], exact, name)\n"
        "            np.testing.assert_array_equal(other, exact, name)\n"
        # Compiled for any processor: without fused operations, where the variant has them.
        "            rtol = 64 * np.finfo(dtype).eps\n"
        "            np.testing.assert_allclose(one[:, 0], exact, rtol, rtol)\n",
        "forms",
    )


def test_another_abi_is_refused(tmp_path):
    """With one declaration of the installed .pxd: Cython takes ten times as long for all."""
    pxd = (files("s3s4") / "__init__.pxd").read_text("utf-8")
    (declaration,) = re.findall(r"^cdef void s4_array_f32\(.*$", pxd, re.MULTILINE)
    (tmp_path / "declared" / "s3s4").mkdir(parents=True)
    (tmp_path / "declared" / "s3s4" / "__init__.pxd").write_text(declaration + "\n")
    (tmp_path / "layer.pyx").write_text("cimport s3s4\nused = <size_t> s3s4.s4_array_f32\n")
    shell(sys.executable, "-m", "cython", "-3", "-Ideclared", "layer.pyx", cwd=tmp_path)
    include = "-I" + sysconfig.get_path("include")
    shell("cc", "-shared", "-fPIC", "-O0", include, "layer.c", "-o", "layer.so", cwd=tmp_path)
    address = in_python(tmp_path, "print(layer.used == s3s4.c_functions['s4_array_f32'].address)")
    assert address.strip() == "True"
    done = python(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import s3s4; s3s4.__pyx_capi__['s4_array_f32'] = s3s4.__pyx_capi__['s3_array_f32']\n"
        "import layer",
        check=False,
    )
    assert "s4_array_f32" in done.stderr
    assert "signature" in done.stderr


# The smallest module that asks for the table.
MODULE = """
#include <Python.h>
#include "s3s4.h"
static s3s4_api api;
static PyObject *s4(PyObject *self, PyObject *args) {
    double x, k;
    (void)self;
    if (!PyArg_ParseTuple(args, "dd", &x, &k)) return NULL;
    return PyFloat_FromDouble(api.s4_f64(x, k));
}
static PyMethodDef methods[] = {{"s4", s4, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "table", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_table(void) {
    return s3s4_import(&api) < 0 ? NULL : PyModule_Create(&module);
}
"""


@pytest.mark.parametrize("compilers", PAIRS)
def test_table_has_the_abi_version_of_the_header(compilers, tmp_path):
    (tmp_path / "table.c").write_text(MODULE)
    include = ["-isystem", sysconfig.get_path("include"), "-Iolder", *cflags()]
    command = [compiler(compilers[0]), "-shared", "-fPIC", "-std=c99", "-O1", *STRICT, *include]
    command += ["table.c", "-o", "table.so"]
    use = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import table; print(table.s4(0.5, 2))"
    )
    shell(*command, cwd=tmp_path)
    assert float(python(use).stdout) == s3s4.s4(0.5, 2.0)
    # A header of another version, found before the installed one.
    shutil.copytree(s3s4.get_include(), tmp_path / "older")
    header = tmp_path / "older" / "capsule.h"
    version = re.search(r"#define S3S4_ABI_VERSION (\d+)", header.read_text())
    other = int(version[1]) + 1
    header.write_text(header.read_text().replace(version[0], f"#define S3S4_ABI_VERSION {other}"))
    shell(*command, cwd=tmp_path)
    done = python(use, check=False)
    assert done.returncode != 0
    last = done.stderr.splitlines()[-1]
    assert re.match(rf"ImportError: .*ABI version {version[1]}\b.* built for {other}\b", last)


def test_quad_over_the_exported_symbols():
    s3 = LowLevelCallable(s3s4.c_functions["s3_f64"].capsule)
    wanted = np.log(2) - np.log1p(np.exp(-5))  # of the sigmoid, from -5 to 0
    assert integrate.quad(s3, -5, 0)[0] == pytest.approx(wanted, rel=1e-12)
    slope = LowLevelCallable(s3s4.c_functions["s4_dx_packed_f64"].capsule)
    wanted = s3s4.s4(5.0, 2.0) - s3s4.s4(-5.0, 2.0)
    assert integrate.quad(slope, -5, 5, args=(2.0,))[0] == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    ("option", "printed", "file"),
    [
        ("--cflags", f"-I{s3s4.get_include()}", "s3s4.h"),
        ("--cmakedir", s3s4.get_cmake_dir(), "s3s4Config.cmake"),
        ("--pkgconfigdir", s3s4.get_pkgconfig_dir(), "s3s4.pc"),
    ],
)
def test_what_builds_ask_for_needs_no_click(option, printed, file):
    done = python(
        f"import sys, runpy; sys.modules['click'] = None; sys.argv = ['s3s4', {option!r}]\n"
        "runpy.run_module('s3s4', run_name='__main__')"
    )
    with_click = shell(sys.executable, "-m", "s3s4", option, cwd="/")
    assert done.stdout == with_click == f"{printed}\n"
    assert (Path(printed.removeprefix("-I")) / file).is_file()


def test_pkg_config_is_found_by_its_entry_point():
    (entry,) = (e for e in entry_points(group="pkg_config") if e.name == "s3s4")
    assert (files(entry.value) / "s3s4.pc").is_file()


@pytest.mark.parametrize("name", ["addresses", "pipeline"])
def test_python(name, capsys):
    runpy.run_path(str(EXAMPLES / "python" / f"{name}.py"))
    assert_pairs_agree(capsys.readouterr().out)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["train_digits", "train_digits_torch"])
def test_training(name, capsys):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: it is in [slow]")
    pytest.importorskip("torch", reason="PyTorch is not installed: it is in [slow]")
    runpy.run_path(str(EXAMPLES / "python" / f"{name}.py"))
    pattern = r"(\d+)% of the digits it has not seen, k from (\S+) to (\S+)\n"
    right, least, largest = map(float, re.fullmatch(pattern, capsys.readouterr().out).groups())
    assert right >= 90
    assert least < 5 < largest


def test_page_shows_the_examples_as_they_are():
    include = runpy.run_path(str(EXAMPLES.parent / "docs" / "include.py"))
    page = include["PAGE"].read_text("utf-8")
    assert include["included"](page) == page, "run python docs/include.py"
    shown = re.findall(r"<!-- (examples/\S+) -->", page)
    files = {p for p in EXAMPLES.rglob("*") if p.is_file() and not p.is_symlink()}
    assert {EXAMPLES.parent / name for name in shown} == files


def test_every_function_is_there():
    for name in UFUNCS:
        ufunc = getattr(s3s4.ufuncs, name)
        for kind in ("f32", "f64"):
            assert f"{name}_{kind}" in s3s4.c_functions
            assert f"{name}_array_{kind}" in s3s4.c_functions
        assert (f"{name}_packed_f64" in s3s4.c_functions) == (ufunc.nout == 1)


@every_ufunc
@pytest.mark.parametrize(("kind", "ctype"), [("f32", ctypes.c_float), ("f64", ctypes.c_double)])
def test_ctypes(ufunc, kind, ctype):
    dtype, pointer, size = np.dtype(ctype), ctypes.POINTER(ctype), ctypes.c_ssize_t
    name = ctype.__name__[2:]
    arrays = [array[::2] for array in inputs(ufunc.nin, 2 * 37, dtype)]
    wanted = outputs(ufunc(*arrays))
    results = [np.empty(3 * 37, dtype)[::3] for _ in wanted]

    array = s3s4.c_functions[f"{ufunc.__name__}_array_{kind}"]
    types = [f"{name} const *, ptrdiff_t"] * ufunc.nin + [f"{name} *, ptrdiff_t"] * ufunc.nout
    assert array.signature == f"void (ptrdiff_t, {', '.join(types)})"
    call = ctypes.CFUNCTYPE(None, size, *[pointer, size] * (ufunc.nin + ufunc.nout))
    pairs = [(a.ctypes.data_as(pointer), a.strides[0]) for a in (*arrays, *results)]
    call(array.address)(37, *[part for pair in pairs for part in pair])
    assert_same_bits(tuple(results), wanted)

    single = s3s4.c_functions[f"{ufunc.__name__}_{kind}"]
    several = ufunc.nout > 1
    types = [name] * ufunc.nin + [f"{name} *"] * ufunc.nout * several
    assert single.signature == f"{'void' if several else name} ({', '.join(types)})"
    numbers = [a[5] for a in arrays]
    if several:
        results = [ctype() for _ in wanted]
        call = ctypes.CFUNCTYPE(None, *[ctype] * ufunc.nin, *[pointer] * ufunc.nout)
        call(single.address)(*numbers, *results)
        found = [result.value for result in results]
    else:
        call = ctypes.CFUNCTYPE(ctype, *[ctype] * ufunc.nin)
        found = [call(single.address)(*numbers)]
        if kind == "f64":
            packed = s3s4.c_functions[f"{ufunc.__name__}_packed_f64"]
            assert packed.signature == "double (int, double *)"
            call = ctypes.CFUNCTYPE(ctype, ctypes.c_int, pointer)
            again = call(packed.address)(ufunc.nin, (ctype * ufunc.nin)(*numbers))
            np.testing.assert_array_equal(again, found[0])
    # Every form of a function gives the same bits.
    np.testing.assert_array_equal(found, [array[5] for array in wanted])


@pytest.mark.parametrize("n", [0, 5, 1_000_003])
def test_cffi_array(n):
    ffi = cffi.FFI()
    function = s3s4.c_functions["s4_value_dx_array_f64"]
    pointer = ffi.cast(function.signature.replace("(", "(*)(", 1), function.address)
    x = np.random.default_rng(0).normal(size=2 * n)[::2]
    k = np.array([2.0])
    value, slope = np.empty(n), np.empty(n)
    arrays = [(ffi.cast("double *", a.ctypes.data), a.strides[0]) for a in (x, k, value, slope)]
    arrays[1] = (arrays[1][0], 0)
    pointer(n, *[part for pair in arrays for part in pair])
    for actual, wanted in zip((value, slope), s3s4.s4.value_and_derivative(x, 2), strict=True):
        np.testing.assert_array_equal(actual, wanted)
