"""Every format the command reads and writes: each cell of the table in docs/command.md."""

import gzip
import json
import os
import re
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest

import s3s4
from commandline import COMMAND, SAMPLE
from fileformats import (
    ARRAYS,
    TABLES,
    apply,
    frame,
    h5,
    load_h5,
    load_parquet,
    load_tensors,
    save_parquet,
    save_tensors,
)
from s3s4._command.formats import FORMATS

pytestmark = pytest.mark.usefixtures("own_folder")

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "command.md"
slow = pytest.mark.slow
CONVERSIONS = [
    pytest.param(one, other, marks=slow if "zarr" in (one, other) else ())
    for one in ARRAYS
    for other in ARRAYS
]


# --- Read and write ------------------------------------------------------------------------------


def test_the_table_of_the_document_is_complete():
    rows = re.findall(r"^\| (\S+) \|.*\| yes.* \| yes.* \| .+ \|$", DOCUMENT.read_text(), re.M)
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
