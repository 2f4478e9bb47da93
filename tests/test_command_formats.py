"""Every format the command reads and writes: each cell of the table in docs/command.md."""

import contextlib
import gzip
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import s3s4
from commandline import COMMAND, SAMPLE, error_of, run
from s3s4._command.main import main
from s3s4._extras import to_install

pytestmark = pytest.mark.usefixtures("own_folder")

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "command.md"
slow = pytest.mark.slow


def h5(name):
    h5py = pytest.importorskip("h5py")
    return h5py.File(name, "a")


def save_zarr(path, x, member=None, chunks="auto"):
    zarr = pytest.importorskip("zarr")
    if member is not None and not os.path.exists(path):
        zarr.create_group(path)
    zarr.create_array(path, name=member, data=x, chunks=chunks)


def load_zarr(path, member):
    zarr = pytest.importorskip("zarr")
    array = zarr.open(path, mode="r")
    return (array if member is None else array[member])[...]


def save_h5(path, x, member="a"):
    with h5(path) as file:
        file[member] = x


def load_h5(path, member):
    with h5(path) as file:
        return file[member][...]


def save_tensors(path, **tensors):
    library = pytest.importorskip("safetensors.numpy")
    library.save_file({name: np.ascontiguousarray(x) for name, x in tensors.items()}, path)


def load_tensors(path):
    return pytest.importorskip("safetensors.numpy").load_file(path)


# By format: the name of an array in a file, how others write and how they read it.
ARRAYS = {
    "npy": ("x.npy", np.save, lambda path, member: np.load(path)),
    "hdf5": ("x.h5::g/a", lambda p, x: save_h5(p, x, "g/a"), load_h5),
    "safetensors": (
        "x.safetensors::g/a",
        lambda path, x: save_tensors(path, **{"g/a": x}),
        lambda path, member: load_tensors(path)[member],
    ),
    "zarr": ("x.zarr::g/a", lambda p, x: save_zarr(p, x, "g/a"), load_zarr),
}


def frame():
    pa = pytest.importorskip("pyarrow")
    return pa.table(
        {
            "id": ["u", None, "w"],
            "a": [1.0, None, -3.0],
            "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
            "n": pa.array([1, None, 3], pa.int16()),
            "f": pa.array([1, 2, 3], pa.float32()),
            "when": pa.array([0, None, 2], pa.timestamp("ms")),
            "list": [[1.0], None, []],
        }
    ).replace_schema_metadata({"mine": "kept"})


def save_parquet(path, table):
    pytest.importorskip("pyarrow.parquet").write_table(table, path, compression="zstd")


def load_parquet(path):
    # Not read_table, which may take a name with :: or a folder for something else.
    return pytest.importorskip("pyarrow.parquet").ParquetFile(path).read()


def save_feather(path, table):
    pytest.importorskip("pyarrow.feather").write_feather(table, path)


def load_feather(path):
    return pytest.importorskip("pyarrow.feather").read_table(path)


TABLES = {"parquet": (save_parquet, load_parquet), "feather": (save_feather, load_feather)}
CONVERSIONS = [
    pytest.param(one, other, marks=slow if "zarr" in (one, other) else ())
    for one in ARRAYS
    for other in ARRAYS
]


def apply(*arguments):
    assert main(["apply", *arguments]) == 0


# --- Read and write ------------------------------------------------------------------------------


def test_the_table_of_the_document_is_complete():
    rows = re.findall(r"^\| (\S+) \|.*\| yes.* \| yes.* \| .+ \|$", DOCUMENT.read_text(), re.M)
    from s3s4._command.formats import FORMATS

    assert rows == list(FORMATS)
    assert set(FORMATS) == {*ARRAYS, *TABLES, "npz", "text", "text.gz"}


@pytest.mark.parametrize(("one", "other"), CONVERSIONS)
def test_arrays_become_each_other(one, other):
    source, save, _ = ARRAYS[one]
    target, _, load = ARRAYS[other]
    save(source.partition("::")[0], SAMPLE)
    path, _, member = target.replace("x.", "y.").partition("::")
    for options in ([], ["--derivative", "--dtype", "float32"]):
        apply("s4", source, f"{path}::{member}" if member else path, *options)
        result = load(path, member)
        expected = s3s4.s4.derivative(SAMPLE, dtype="f4") if options else s3s4.s4(SAMPLE)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("shape", [(), (0, 3), (7,)])
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=slow if kind == "zarr" else ()) for kind in ARRAYS]
)
def test_any_shape_and_rows(kind, shape):
    source, save, load = ARRAYS[kind]
    path, _, member = source.partition("::")
    x = np.resize(np.array([1.5, -2]), shape)
    save(path, x)
    apply("s3", source, source)
    np.testing.assert_array_equal(load(path, member), s3s4.s3(x))
    if len(shape) == 1:
        apply("softmax", source, source)
        np.testing.assert_allclose(load(path, member).sum(), 1)


@pytest.mark.parametrize("kind", ["hdf5", pytest.param("zarr", marks=slow)])
def test_fortran_order_and_chunks(monkeypatch, kind):
    monkeypatch.setattr("s3s4._command.arrays.PIECE", 6)
    x = np.random.default_rng(0).normal(size=(5, 4, 3))
    np.save("f.npy", np.asfortranarray(x))
    target, _, load = ARRAYS[kind]
    path, _, member = target.partition("::")
    apply("s4", "f.npy", target)
    np.testing.assert_array_equal(load(path, member), s3s4.s4(x))
    apply("softmax", target, target, "--axis", "0")
    expected = np.exp(s3s4.s4(x)) / np.exp(s3s4.s4(x)).sum(0)
    np.testing.assert_allclose(load(path, member), expected, rtol=1e-14)


@pytest.mark.parametrize("other", TABLES)
@pytest.mark.parametrize("one", TABLES)
def test_tables(one, other):
    table = frame()
    TABLES[one][0](f"x.{one}", table)
    apply("s4", f"x.{one}", f"y.{other}")
    result = TABLES[other][1](f"y.{other}")
    assert result.column_names == table.column_names
    assert result.schema.metadata[b"mine"] == b"kept"
    for name in ("id", "kind", "when", "list"):
        assert result[name].combine_chunks().equals(table[name].combine_chunks()), name
    assert [str(result.schema.field(name).type) for name in "anf"] == ["double", "float", "float"]
    for name in "anf":
        for given, found in zip(table[name].to_pylist(), result[name].to_pylist(), strict=True):
            # The loop of the column's own type: that of int16 is float32.
            kind = np.float64 if name == "a" else np.float32
            assert found == (None if given is None else float(s3s4.s4(kind(given))))


@pytest.mark.parametrize("kind", TABLES)
def test_tables_by_columns_and_rows(kind):
    TABLES[kind][0](f"x.{kind}", frame())
    apply("gelu", f"x.{kind}", f"y.{kind}", "--columns", "5,a")
    result = TABLES[kind][1](f"y.{kind}")
    assert result["n"].to_pylist() == [1, None, 3]
    assert result["f"].to_pylist() == s3s4.gelu(np.float32([1, 2, 3])).tolist()
    apply("softmax", f"x.{kind}", f"y.{kind}", "--columns", "a,f")
    result = TABLES[kind][1](f"y.{kind}")
    assert result["a"].to_pylist()[1] is None
    assert result["f"].to_pylist()[1] == 1
    e = np.exp(-6.0)
    np.testing.assert_allclose(
        [result["a"][2].as_py(), result["f"][2].as_py()], [e / (1 + e), 1 / (1 + e)], rtol=1e-12
    )
    apply("softmax", f"x.{kind}", f"y.{kind}", "--columns", "a", "--axis", "0")
    e = np.exp(-4.0)
    expected = [1 / (1 + e), None, e / (1 + e)]
    found = TABLES[kind][1](f"y.{kind}")["a"].to_pylist()
    assert found[1] is None
    np.testing.assert_allclose(found[::2], expected[::2], rtol=1e-12)
    apply("s4", f"x.{kind}", "y.npy", "--columns", "a,n")
    x = np.array([[1, 1], [np.nan, np.nan], [-3, 3]])
    np.testing.assert_allclose(np.load("y.npy"), s3s4.s4(x), rtol=1e-6)


def test_pandas_reads_what_becomes_of_its_types():
    pandas = pytest.importorskip("pandas")
    given = pandas.DataFrame({"n": pandas.array([1, None], "Int64"), "s": ["x", "y"]}, [5, 7])
    given.to_parquet("x.parquet")
    apply("s4", "x.parquet", "y.parquet", "--columns", "n")
    result = pandas.read_parquet("y.parquet")
    assert list(result.index) == [5, 7]
    assert list(result.columns) == ["n", "s"]
    assert result["n"].isna().tolist() == [False, True]


def test_parquet_keeps_its_compression():
    parquet = pytest.importorskip("pyarrow.parquet")
    save_parquet("x.parquet", frame())
    apply("s4", "x.parquet", "y.parquet")
    group = parquet.ParquetFile("y.parquet").metadata.row_group(0)
    assert {group.column(place).compression for place in range(group.num_columns)} == {"ZSTD"}


@slow
def test_tables_through_a_pipe():
    save_parquet("x.parquet", frame())
    with open("y.parquet", "wb") as file:
        command = [*COMMAND, "apply", "s4", "x.parquet", "-"]
        subprocess.run(f"{' '.join(command)} | cat", shell=True, stdout=file, check=True)
    assert load_parquet("y.parquet").num_rows == 3


@pytest.mark.parametrize("columns", [[], ["--columns", "a"]])
def test_compressed_text(columns):
    Path("x.csv.gz").write_bytes(gzip.compress(b"a\n1\n") + gzip.compress(b"-2\n"))
    apply("s4", "x.csv.gz", "y.csv.gz", *columns)
    apply("s4", "x.csv.gz", "y.csv", *columns)
    apply("s4", "y.csv", "z.txt.gz", *columns)
    text = f"a\n{float(s3s4.s4(1.0))!r}\n{float(s3s4.s4(-2.0))!r}\n"
    assert gzip.decompress(Path("y.csv.gz").read_bytes()).decode() == text
    assert Path("y.csv").read_text() == text
    assert Path("z.txt.gz").read_bytes()[:2] == b"\x1f\x8b"


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = np.concatenate([np.linspace(-3, 3, 999), [np.inf, np.nan, 1e38, 3.4e38]])
    x = x.astype("f4").astype(ml_dtypes.bfloat16)
    save_tensors("x.safetensors", x=x)
    apply("s4", "x.safetensors", "y.safetensors")
    result = load_tensors("y.safetensors")["x"]
    assert result.dtype == ml_dtypes.bfloat16
    expected = s3s4.s4(x.astype("f4")).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(result.astype("f4"), expected.astype("f4"))
    apply("relu", "x.safetensors", "y.safetensors", "--dtype", "float32")
    assert load_tensors("y.safetensors")["x"].dtype == np.float32
    apply("s4", "x.safetensors", "y.npy")
    assert np.load("y.npy").dtype == np.float32


# --- Beside what a file holds --------------------------------------------------------------------


def test_a_dataset_keeps_its_form_and_the_others():
    with h5("x.h5") as file:
        form = {"chunks": (2, 5, 3), "compression": "gzip", "shuffle": True}
        made = file.create_dataset("a", data=SAMPLE, **form)
        made.attrs["unit"] = "m"
        file["text"] = "words"
        file["a"].attrs["also"] = np.arange(3)
    apply("s4", "x.h5::a", "x.h5::new/b")
    apply("s4", "x.h5::a", "x.h5::a")
    with h5("x.h5") as file:
        assert file["text"][()] == b"words"
        for name in ("a", "new/b"):
            one = file[name]
            np.testing.assert_array_equal(one[...], s3s4.s4(SAMPLE))
            assert (one.chunks, one.compression, one.shuffle) == ((2, 5, 3), "gzip", True)
            assert one.attrs["unit"] == "m"
            assert one.attrs["also"].tolist() == [0, 1, 2]
    np.save("x.npy", SAMPLE)
    before = os.stat("x.h5").st_ino
    apply("s3", "x.npy", "x.h5::c", "--in-place")
    assert os.stat("x.h5").st_ino == before
    np.testing.assert_array_equal(load_h5("x.h5", "c"), s3s4.s3(SAMPLE))


def test_tensors_keep_the_others():
    library = pytest.importorskip("safetensors.numpy")
    tensors = {"a": SAMPLE, "b": np.arange(3, dtype="u1"), "c": np.float16([1, 2])}
    library.save_file(tensors, "x.safetensors", metadata={"format": "np"})
    apply("s4", "x.safetensors::a", "x.safetensors::b")
    apply("s4", "x.safetensors::c", "x.safetensors::d")
    found = load_tensors("x.safetensors")
    np.testing.assert_array_equal(found.pop("b"), s3s4.s4(SAMPLE))
    np.testing.assert_array_equal(found.pop("d"), s3s4.s4(tensors["c"]))
    assert found.keys() == {"a", "c"}
    for name, one in found.items():
        np.testing.assert_array_equal(one, tensors[name])
    header = Path("x.safetensors").read_bytes()
    header = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])
    assert header["__metadata__"] == {"format": "np"}


@slow
@pytest.mark.parametrize("version", [2, 3])
def test_a_zarr_array_keeps_its_form_and_the_others(version):
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group("x.zarr", zarr_format=version)
    form = {"chunks": (2, 5, 3), "attributes": {"unit": "m"}}
    made = zarr.create_array(group.store, name="g/a", data=SAMPLE, zarr_format=version, **form)
    zarr.create_array(group.store, name="b", data=np.arange(3), zarr_format=version)
    with warnings.catch_warnings(action="ignore"):  # version 3 does not say how
        zarr.consolidate_metadata("x.zarr", zarr_format=version)
    apply("s4", "x.zarr::g/a", "x.zarr::h/i/c")
    apply("s4", "x.zarr::g/a", "x.zarr::g/a", "--dtype", "float32")
    apply("s4", "x.zarr::b", "y.zarr")
    group = zarr.open_group("x.zarr", mode="r")
    assert sorted(name for name, _ in group.members(max_depth=None)) == [
        *("b", "g", "g/a", "h", "h/i", "h/i/c")
    ]
    np.testing.assert_array_equal(group["b"][...], np.arange(3))
    np.testing.assert_array_equal(group["h/i/c"][...], s3s4.s4(SAMPLE))
    np.testing.assert_array_equal(group["g/a"][...], s3s4.s4(SAMPLE, dtype="f4"))
    for name in ("g/a", "h/i/c"):
        one = group[name]
        assert one.metadata.zarr_format == version
        assert (one.chunks, dict(one.attrs)) == ((2, 5, 3), {"unit": "m"})
        assert [type(o) for o in one.compressors] == [type(o) for o in made.compressors]
    np.testing.assert_array_equal(zarr.open_array("y.zarr")[...], s3s4.s4(np.arange(3)))
    assert sorted(os.listdir()) == ["x.zarr", "y.zarr"]


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
