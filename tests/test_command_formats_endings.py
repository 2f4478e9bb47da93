"""Every format where something is wrong, or large: refused, whole or not at all, in pieces."""

import contextlib
import gzip
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import s3s4
from commandline import COMMAND, SAMPLE, error_of, run
from fileformats import (
    TABLES,
    apply,
    frame,
    h5,
    save_h5,
    save_parquet,
    save_tensors,
    save_zarr,
)
from s3s4._command.main import main
from s3s4._extras import to_install

pytestmark = pytest.mark.usefixtures("own_folder")

slow = pytest.mark.slow


# --- Refused -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make files that are read, and files that are not: once."""
    folder = tmp_path_factory.mktemp("made")
    with contextlib.chdir(folder):
        make_files()
    return folder


@pytest.fixture
def files(made, own_folder):
    """Give a test copies of them."""
    shutil.copytree(made, own_folder, dirs_exist_ok=True)


def make_files():
    save_h5("x.h5", SAMPLE, "g/a")
    save_h5("x.h5", np.arange(3), "b")
    save_h5("word.h5", "word", "w")
    save_h5("complex.h5", SAMPLE + 1j)
    save_tensors("x.safetensors", a=SAMPLE, b=SAMPLE)
    save_parquet("x.parquet", frame())
    np.save("x.npy", SAMPLE)
    np.save("f.npy", np.asfortranarray(SAMPLE))
    Path("bad.h5").write_bytes(Path("x.h5").read_bytes()[:600])
    Path("bad.parquet").write_bytes(b"PAR1" + b"junk" * 9)
    Path("bad.feather").write_bytes(b"ARROW1" + b"junk" * 9)
    Path("old.feather").write_bytes(b"FEA1" + b"junk" * 9)
    Path("x.csv").write_text("1\n")
    Path("bad.csv.gz").write_bytes(gzip.compress(b"1,2\n" * 99)[:-9])
    content = Path("x.safetensors").read_bytes()
    Path("cut.safetensors").write_bytes(content[:-1])
    Path("e4.safetensors").write_bytes(content.replace(b'"F64"', b'"F80"'))
    Path("shape.safetensors").write_bytes(content.replace(b"[4,5,3]", b"[4,5,4]"))
    Path("minus.safetensors").write_bytes(content.replace(b"[4,5,3]", b"[-4,5,"))
    Path("long.safetensors").write_bytes((10**8).to_bytes(8, "little") + b"{")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("x.h5 y.h5", "x.h5: holds several arrays: say which, as in FILE::b (b, g/a)"),
        ("x.h5::c y.h5", "x.h5::c: holds no such array; it has b, g/a"),
        ("word.h5 y.h5", "word.h5: holds object values, not real numbers"),
        ("complex.h5 y.npy", "complex.h5: holds complex128 values, not real numbers"),
        ("bad.h5 y.h5", "bad.h5: is a damaged HDF5 file: "),
        ("x.npy y.h5", "y.h5: say what the array is called there, as in OUT::NAME"),
        ("x.npy x.npy::a", "x.npy::a: npy holds no arrays with names"),
        ("x.npy::a y.npy", "x.npy::a: is npy, which holds no arrays with names"),
        ("x.npy bad.parquet", "x.npy: is npy, which cannot become parquet, only npy, hdf5"),
        ("x.npy x.npy.h5::a --dtype longdouble", None),
        ("x.npy y.safetensors::a --dtype longdouble", "x.npy: becomes float128 values, which"),
        ("f.npy y.safetensors::a", "f.npy: is in Fortran order, which safetensors cannot hold"),
        ("x.parquet y.parquet --dtype longdouble", "x.parquet: becomes float128, which no table"),
        ("x.parquet y.parquet --columns id", "x.parquet: column 1 (id) holds string, not numbers"),
        ("x.parquet y.parquet --columns q", "x.parquet: has no column 'q'; it has id, a, kind"),
        ("x.parquet y.csv", "x.parquet: is parquet, which cannot become text, only parquet"),
        ("x.parquet - --format npy", "x.parquet: is parquet, which becomes npy only in a file"),
        ("x.h5::b y.h5 --columns 1", "x.h5::b: is hdf5, which has no columns to choose"),
        ("x.h5::b -", None),
        ("x.h5::b - --format hdf5", "-: is no file, which this format needs"),
        ("bad.parquet y.parquet", "bad.parquet: is a damaged Parquet file: "),
        ("bad.feather y.feather", "bad.feather: is a damaged Feather file: "),
        ("old.feather y.feather", "old.feather: is a damaged Feather file: "),
        ("bad.csv.gz y.csv.gz", "bad.csv.gz: is a damaged gzip file: "),
        ("x.csv y.parquet", "x.csv: is text, which cannot become parquet, only text, text.gz, npy"),
        ("cut.safetensors::b y.npy", "cut.safetensors::b: is cut short: 959 bytes of 960"),
        ("e4.safetensors::a y.npy", "e4.safetensors::a: holds F80 values, which NumPy does not"),
        (
            "shape.safetensors::a y.npy",
            "shape.safetensors::a: has an impossible safetensors header",
        ),
        ("minus.safetensors::a y.npy", "minus.safetensors::a: has a"),
        ("long.safetensors::a y.npy", "long.safetensors::a: has a damaged safetensors header"),
        ("x.npy x.csv", "x.npy: is npy, which cannot become text"),
        ("x.npy bad.csv.gz --format hdf5", "bad.csv.gz: say what the array is called"),
        ("x.npy x.safetensors::a --in-place", "x.safetensors::a: cannot keep its other tensors"),
        ("x.npy none/x.h5::a", "none/x.h5::a: No such file or directory"),
        ("none.h5::a y.npy", "none.h5::a: No such file or directory"),
        ("x.npy bad.parquet::a --format hdf5", "bad.parquet::a: is no HDF5 file that could hold"),
    ],
)
def test_refused(files, capfd, arguments, message):
    before = {name: Path(name).read_bytes() for name in os.listdir()}
    if message is None:
        main(["apply", "s4", *arguments.split()])
        return
    error = error_of(capfd, "apply", "s4", *arguments.split())
    assert error.startswith(f"s3s4: {message}")
    assert {name: Path(name).read_bytes() for name in os.listdir()} == before


@slow
def test_refused_by_zarr(capfd):
    save_zarr("x.zarr", SAMPLE, "a")
    save_zarr("x.zarr", SAMPLE, "b")
    np.save("x.npy", SAMPLE)
    Path("y.zarr").mkdir()
    for arguments, message in {
        "x.zarr y.npy": "x.zarr: holds several arrays: say which, as in FILE::",
        "x.zarr::c y.npy": "x.zarr::c: holds no such array; it has ",
        "x.npy x.zarr": "x.zarr: is a group of arrays: say which, as in OUT::NAME",
        "x.npy y.zarr": "y.zarr: is there and no Zarr store",
        "x.npy z.zarr --dtype longdouble": "x.npy: has what Zarr cannot hold: ",
        "x.npy none/z.zarr": "none/z.zarr: No such file or directory",
        "x.npy x.zarr::a --in-place": "x.zarr::a: is a folder, which --in-place is not for",
    }.items():
        error = error_of(capfd, "apply", "s4", *arguments.split())
        assert error.startswith(f"s3s4: {message}")
        assert sorted(os.listdir()) == ["x.npy", "x.zarr", "y.zarr"]
        assert os.listdir("y.zarr") == []


@pytest.mark.parametrize("library", ["h5py", "pyarrow", pytest.param("zarr", marks=slow)])
def test_without_the_library(files, capfd, monkeypatch, library):
    if library == "zarr":
        save_zarr("x.zarr", SAMPLE)
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("hdf5", "zarrs", "tables", "parquet"):
        monkeypatch.delitem(sys.modules, f"s3s4._command.{name}", raising=False)
    name = {"h5py": "x.h5::b", "pyarrow": "x.parquet", "zarr": "x.zarr"}[library]
    error = error_of(capfd, "apply", "s4", name, "y.npy")
    assert error == f"s3s4: {library} is missing; install it with: {to_install('files')}\n"


# --- Whole or not at all -------------------------------------------------------------------------

TARGETS = [
    *("y.npy", "y.h5", "y.h5::g/a", "y.safetensors", "y.safetensors::a"),
    *("y.parquet", "y.feather", "y.csv.gz"),
    *(pytest.param(target, marks=slow) for target in ("y.zarr", "y.zarr::a")),
]


def contents():
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("target", TARGETS)
def test_an_interrupted_run_leaves_the_old_file(monkeypatch, target):
    monkeypatch.setattr("s3s4._command.arrays.PIECE", 20)
    monkeypatch.setattr("s3s4._command.text.BLOCK", 20)
    path = target.partition("::")[0]
    save_h5("x.h5", SAMPLE)
    for name in ("x.parquet", "x.feather"):
        TABLES[name[2:]][0](name, frame())
    Path("x.csv.gz").write_bytes(gzip.compress(b"1,2\n" * 99))
    kind = path[2:]
    source = f"x.{kind}" if kind in ("parquet", "feather", "csv.gz") else "x.h5"
    apply("s4", source, target if "::" in target or kind != "zarr" else path)
    before = contents()
    calls = []

    def interrupted(x, **options):
        if getattr(x, "size", 0):
            calls.append(x)
            if len(calls) > (2 if source != "x.feather" else 0):
                raise KeyboardInterrupt
        return s3s4.relu(x, **options)

    monkeypatch.setattr("s3s4._command.apply.partial", lambda *a, **o: interrupted)
    assert main(["apply", "relu", source, target]) == 130
    assert contents() == before


@slow
@pytest.mark.parametrize("target", ["y.h5", "y.h5::b", "y.safetensors", "y.parquet", "y.zarr"])
def test_file_size_limit(target):
    x = np.random.default_rng(0).normal(size=300_000)
    source = "x.h5"
    save_h5("x.h5", x)
    if target == "y.parquet":
        source = "x.parquet"
        save_parquet("x.parquet", pytest.importorskip("pyarrow").table({"a": x}))
    elif target == "y.h5::b":
        save_h5("y.h5", np.arange(3))
    before = contents()
    result = run(
        *("apply", "s4", source, target),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18)),
    )
    assert (result.returncode, result.stderr.decode()) == (2, f"s3s4: {target}: File too large\n")
    assert contents() == before


# --- Larger than memory --------------------------------------------------------------------------

LARGE = 40_000_000
"""Numbers of eight bytes: 320 MB. As text a quarter of them has 190 MB, a fifth 150."""
BUDGET = {"text": 100e6, "text.gz": 100e6}
"""Bytes above what a small file of the format takes; of the others 200 MB."""
PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
)


def make_large(kind, path, numbers):
    rng = np.random.default_rng(0)
    rows = numbers // 8
    part = rng.normal(size=(rows // 10, 8))
    if kind == "npy":
        with open(path, "wb") as file:
            header = {"descr": "<f8", "fortran_order": False, "shape": (rows, 8)}
            np.lib.format.write_array_header_1_0(file, header)
            for _ in range(10):
                part.tofile(file)
    elif kind == "npz":
        np.savez_compressed(path, np.zeros((rows, 8)))
    elif kind == "hdf5":
        with h5(path) as file:
            made = file.create_dataset("a", (rows, 8), "f8", chunks=(min(rows, 10_000), 8))
            for turn in range(10):
                made[turn * len(part) : (turn + 1) * len(part)] = part
    elif kind == "zarr":
        zarr = pytest.importorskip("zarr")
        made = zarr.create_array(path, shape=(rows, 8), dtype="f8", chunks=(min(rows, 20_000), 8))
        for turn in range(10):
            made[turn * len(part) : (turn + 1) * len(part)] = part
    elif kind == "safetensors":
        save_tensors(path, a=np.zeros((rows, 8)))
    elif kind in TABLES:
        pa = pytest.importorskip("pyarrow")
        table = pa.table({f"c{place}": part[:, place] for place in range(8)})
        if kind == "parquet":
            parquet = pytest.importorskip("pyarrow.parquet")
            with parquet.ParquetWriter(path, table.schema) as writer:
                writer.write_table(pa.concat_tables([table] * 10), row_group_size=rows)
        else:
            pytest.importorskip("pyarrow.feather").write_feather(
                pa.concat_tables([table] * 10), path, chunksize=rows // 20
            )
    else:
        text = "".join(",".join(map(repr, row)) + "\n" for row in part[:1000].tolist()).encode()
        opened = gzip.open if kind == "text.gz" else open
        with opened(path, "wb", *([1] if kind == "text.gz" else [])) as file:
            for _ in range(max(1, rows // 1000)):
                file.write(text)


NAMES = {
    "npy": "x.npy",
    "npz": "x.npz",
    "text": "x.csv",
    "text.gz": "x.csv.gz",
    "parquet": "x.parquet",
    "feather": "x.feather",
    "hdf5": "x.h5",
    "zarr": "x.zarr",
    "safetensors": "x.safetensors",
}


@slow
@pytest.mark.parametrize("kind", NAMES)
def test_larger_than_memory(kind):
    peaks = []
    name = NAMES[kind]
    for numbers in (8_000, LARGE // {"text": 4, "text.gz": 5}.get(kind, 1)):
        make_large(kind, name, numbers)
        command = [*COMMAND, "apply", "relu", name, name.replace("x.", "y.")]
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *command], capture_output=True, check=True
        )
        peaks.append(int(done.stdout))
        for made in (name, name.replace("x.", "y.")):
            subprocess.run(["rm", "-r", made], check=True)
    assert peaks[1] - peaks[0] < BUDGET.get(kind, 200e6)
