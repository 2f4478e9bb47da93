"""Functions of rows in files: along an axis, along the lines of a text and down its columns."""

import io
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from commandline import SAMPLE, error_of, run
from s3s4._command import data as _data
from s3s4._command import text as _text
from s3s4._command.main import main

pytestmark = pytest.mark.usefixtures("own_folder")

PEERS = {
    "softmax": special.softmax,
    "log_softmax": special.log_softmax,
    "softmin": lambda x, axis: special.softmax(-x, axis),
}


def rows(name, source, target, *options):
    assert main(["apply", name, source, target, *options]) == 0


@pytest.mark.parametrize("piece", [1, 7, 1 << 21])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_arrays(monkeypatch, axis, order, piece):
    monkeypatch.setattr("s3s4._command.arrays.PIECE", piece)
    np.save("in.npy", np.asarray(SAMPLE, order=order))
    np.savez("in.npz", SAMPLE[0], SAMPLE.astype("f4"))
    for name, peer in PEERS.items():
        rows(name, "in.npy", "out.npy", "--axis", str(axis))
        result = np.load("out.npy")
        assert np.isfortran(result) == (order == "F")
        np.testing.assert_allclose(result, peer(SAMPLE, axis=axis), rtol=1e-13)
    rows("softmax", "in.npz", "out.npz", "--axis", str(axis and -1))
    results = np.load("out.npz")
    np.testing.assert_allclose(
        results["arr_0"], special.softmax(SAMPLE[0], axis and -1), rtol=1e-13
    )
    assert results["arr_1"].dtype == np.float32


def test_the_last_axis_unless_told():
    np.save("in.npy", SAMPLE)
    rows("softmax", "in.npy", "out.npy", "--dtype", "float32")
    result = np.load("out.npy")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, special.softmax(SAMPLE, -1), rtol=1e-5)


@pytest.mark.slow
def test_arrays_through_pipes():
    file = io.BytesIO()
    np.save(file, SAMPLE)
    result = run("apply", "softmax", "-", "-", "--axis", "0", input=file.getvalue())
    np.testing.assert_allclose(
        np.load(io.BytesIO(result.stdout)), special.softmax(SAMPLE, 0), rtol=1e-13
    )


@pytest.mark.parametrize("block", [8, 1 << 22])
@pytest.mark.parametrize("reader", ["pyarrow", "csv"])
@pytest.mark.parametrize("axis", [None, "1", "-1", "0"])
def test_text(monkeypatch, axis, reader, block):
    monkeypatch.setattr(_text, "BLOCK", block)
    if reader == "csv":
        monkeypatch.setattr(_text, "_fast_reader", lambda layout: None)
    Path("in.csv").write_text("id,a,b,c\nx,1,2,3\ny,-4,,6\nz,0.5,0,\n")
    options = [] if axis is None else ["--axis", axis]
    rows("softmax", "in.csv", "out.csv", "--columns", "a,b,c", *options)
    lines = [line.split(",") for line in Path("out.csv").read_text().split()]
    assert [line[0] for line in lines] == ["id", "x", "y", "z"]
    x = np.array([[1, 2, 3], [-4, -np.inf, 6], [0.5, 0, -np.inf]])  # missing: without weight
    expected = special.softmax(x, 0 if axis == "0" else 1)
    for line, row, given in zip(lines[1:], expected, x, strict=True):
        for field, value, number in zip(line[1:], row, given, strict=True):
            assert field == "" if number == -np.inf else abs(float(field) - value) < 1e-15


def test_text_becomes_an_array():
    Path("in.csv").write_text("1,2\n3,\n")
    rows("softmax", "in.csv", "out.npy")
    np.testing.assert_allclose(
        np.load("out.npy"), [special.softmax([1.0, 2.0]), [1, np.nan]], rtol=1e-15
    )


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("in.npy", "softmax --axis 3", "in.npy: has no axis 3, only 3"),
        ("in.npy", "softmax --axis -4", "in.npy: has no axis -4, only 3"),
        ("one.npy", "softmax", "one.npy: has no axis -1, it is a single number"),
        ("in.npy", "s4 --axis 0", "--axis is for functions of rows, and s4 is none"),
        ("in.npy", "softmax --derivative", "softmax is a function of rows: its derivative is"),
        ("in.npy", "softmax --wrt x", "softmax is a function of rows: its derivative is"),
        ("in.npy", "softmax --k 2", "k is no parameter of softmax"),
        ("in.csv", "softmax", "in.csv: has one column, and softmax of a line with one number"),
        ("in.csv", "softmax --axis 2", "in.csv: has no axis 2, only 2"),
        ("bad.npy", "softmax", "bad.npy: holds complex128 values"),
    ],
)
def test_mistaken_arguments(capfd, name, arguments, message):
    np.save("in.npy", SAMPLE)
    np.save("one.npy", 1.0)
    np.save("bad.npy", SAMPLE + 1j)
    Path("in.csv").write_text("a\n1\n2\n")
    function, *options = arguments.split()
    out = name.replace(".", "-out.")
    assert message in error_of(capfd, "apply", function, name, out, *options)
    assert not Path(out).exists()


def test_more_than_memory_at_once(capfd, monkeypatch):
    def none(size, dtype):
        raise MemoryError

    np.save("in.npy", SAMPLE)
    monkeypatch.setattr("s3s4._command.arrays.np.empty", none)
    monkeypatch.setattr(_data.Function, "dtype", lambda self, dtype: dtype)
    error = error_of(capfd, "apply", "softmax", "in.npy", "out.npy", "--axis", "0")
    assert error == "s3s4: in.npy: needs 60 values at once, more than memory holds\n"
