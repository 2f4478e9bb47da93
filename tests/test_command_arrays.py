"""What the command makes of .npy files and .npz archives, crafted and damaged ones included."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import s3s4
from commandline import SAMPLE, applied, error_of, npy_bytes, run
from s3s4._command.data import PIECE
from s3s4._command.main import main

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize(
    "x",
    [
        SAMPLE,
        np.asfortranarray(SAMPLE),
        np.array(-1.5),
        np.empty((0, 3)),
        SAMPLE.astype(">f4"),
        SAMPLE.astype(">f8"),
        SAMPLE.astype("f2"),
        SAMPLE.astype(np.longdouble),
        np.arange(-3, 4),
        np.array([True, False]),
        np.resize(SAMPLE, 2 * PIECE + 3).astype("f4"),
    ],
    ids=lambda x: f"{x.dtype.str}-{x.shape}-{'F' if np.isfortran(x) else 'C'}",
)
def test_arrays_keep_shape_order_and_dtype(x):
    np.save("in.npy", x)
    result = applied("in.npy", "out.npy")
    expected = s3s4.s4(x)
    assert result.dtype == expected.dtype
    assert np.isfortran(result) == np.isfortran(x)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_keep_names_and_compression(save):
    save("in.npz", x=SAMPLE, y=np.asfortranarray(SAMPLE[0]), n=np.arange(3))
    result = applied("in.npz", "out.npz")
    with np.load("in.npz") as arrays:
        assert list(result) == list(arrays) == ["x", "y", "n"]
        for name, x in arrays.items():
            np.testing.assert_array_equal(result[name], s3s4.s4(x))
    kinds = [
        {m.compress_type for m in zipfile.ZipFile(f).infolist()} for f in ("in.npz", "out.npz")
    ]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("x", [SAMPLE, np.resize(SAMPLE, PIECE + 1)], ids=["small", "pieces"])
def test_arrays_through_pipes(x):
    given = io.BytesIO()
    np.save(given, x)
    result = run("apply", "s4", "-", "-", input=given.getvalue())
    assert (result.returncode, result.stderr) == (0, b"")
    np.testing.assert_array_equal(np.load(io.BytesIO(result.stdout)), s3s4.s4(x))


def test_archive_into_a_pipe():
    np.savez("in.npz", x=SAMPLE)
    result = run("apply", "s4", "in.npz", "-")
    np.testing.assert_array_equal(np.load(io.BytesIO(result.stdout))["x"], s3s4.s4(SAMPLE))


@pytest.mark.parametrize(
    "x",
    [SAMPLE + 1j, np.array(["text"]), np.array([None]), np.zeros(2, "i4,f8"), np.array(0, "M8[s]")],
    ids=["complex", "text", "object", "structured", "date"],
)
def test_wrong_dtype(capfd, x):
    np.save("in.npy", x)
    np.savez("in.npz", good=SAMPLE, bad=x)
    assert x.dtype.name in error_of(capfd, "apply", "s4", "in.npy", "out.npy")
    assert "in.npz: bad.npy: holds" in error_of(capfd, "apply", "s4", "in.npz", "out.npz")
    assert sorted(os.listdir()) == ["in.npy", "in.npz"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.npy", b"", "is no .npy file"),
        ("in.npy", b"1,2\n", "is no .npy file"),
        ("in.npy", npy_bytes(SAMPLE)[:60], "is no .npy file of version 1 or 2, or a damaged one"),
        ("in.npy", npy_bytes(SAMPLE)[:-1], "is cut short: 479 bytes of 480"),
        ("in.npy", npy_bytes(SAMPLE).replace(b"(4", b"-4"), "version 1 or 2, or a damaged one"),
        ("in.npy", npy_bytes(SAMPLE).replace(b"(4, 5", b"(-4,5"), "an impossible .npy header"),
        ("in.npz", npy_bytes(SAMPLE), "is no .npz file"),
        ("in.npz", b"PK\3\4 and no more", "is a damaged .npz archive"),
        ("in.csv", b"", "holds no numbers"),
        ("in.csv", b"some words\n", "holds no numbers"),
        ("in.csv", b"some words\nand more\n", "line 2, column 1 (some): 'and' is not a number"),
        ("in.csv", b"x;y\n1,5;2\n", "line 2, column 1 (x): '1,5' is not a number"),
        ("in.csv", b"1,2\n3,iris\n", "line 2, column 2: 'iris' is not a number"),
        ("in.csv", b"1,2\n3\n", "line 2: 1 column, not 2"),
        ("in.txt", bytes(range(256)), "is neither .npy, nor .npz, nor UTF-8 text"),
    ],
)
def test_unreadable_input(capfd, name, content, message):
    Path(name).write_bytes(content)
    out = name.replace("in", "out")
    Path(out).write_text("old")
    error = error_of(capfd, "apply", "s4", name, out)
    assert error.startswith(f"s3s4: {name}: ")
    assert message in error
    assert Path(out).read_text() == "old"
    assert sorted(os.listdir()) == sorted([name, out])


def header(shape, descr="'<f8'"):
    """Return a .npy header that says what it likes."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header(f"({2**63},)"), "an impossible .npy header"),
        (header(f"({2**40}, {2**40})"), "an impossible .npy header"),
        (header(f"(0, {2**64})"), "an impossible .npy header"),
        (header(f"({'1,' * 65})"), "an impossible .npy header"),
        (header(f"({2**42},)"), "is cut short: 0 bytes of 35184372088832"),
        (header(f"({'-' * 9000}4,)"), "a damaged one"),
        (header("(" * 3000 + ")" * 3000), "a damaged one"),
        (header("{}"), "a damaged one"),
        (header("()", "()"), "a damaged one"),
        (header("()", "'<f99999999999999'"), "a damaged one"),
        (header("(2,)", "('<f8', (2,))"), "an impossible .npy header"),
        (b"\x93NUMPY\1\0\xff\xff", "a damaged one"),
    ],
)
def test_crafted_header(capfd, content, message):
    Path("in.npy").write_bytes(content)
    with zipfile.ZipFile("in.npz", "w") as archive:
        archive.writestr("x.npy", content)
    error = error_of(capfd, "apply", "s4", "in.npy", "out.npy")
    assert error.startswith("s3s4: in.npy: ")
    assert message in error
    error = error_of(capfd, "apply", "s4", "in.npz", "out.npz")
    assert error.startswith("s3s4: in.npz: x.npy: ")
    assert message.partition(":")[0] in error
    assert sorted(os.listdir()) == ["in.npy", "in.npz"]


def test_header_that_python_2_wrote(capfd):
    content = header("(1L, 2L)") + np.array([1.0, -2.0]).tobytes()
    Path("in.npy").write_bytes(content)
    np.testing.assert_array_equal(applied("in.npy", "out.npy"), s3s4.s4([[1.0, -2.0]]))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("method", ["ZIP_STORED", "ZIP_DEFLATED", "ZIP_BZIP2", "ZIP_LZMA"])
def test_damaged_archive(capfd, method):
    """Every byte of an archive counts, and is the input's: one line, whatever is damaged."""
    with zipfile.ZipFile("good.npz", "w", getattr(zipfile, method)) as archive:
        archive.writestr("x.npy", npy_bytes(SAMPLE))
    good = Path("good.npz").read_bytes()
    for place in [*range(0, len(good), 7), *range(len(good) - 60, len(good))]:
        Path("in.npz").write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        code = main(["apply", "s4", "in.npz", "out.npz"])
        error = capfd.readouterr().err
        if code == 0:
            Path("out.npz").unlink()  # a date, an attribute: nothing that tells
        else:
            assert (code, error.count("\n")) == (2, 1)
            assert error.startswith("s3s4: in.npz: ")
        assert sorted(os.listdir()) == ["good.npz", "in.npz"]
    for length in range(4, len(good), 11):
        Path("in.npz").write_bytes(good[:length])
        assert error_of(capfd, "apply", "s4", "in.npz", "out.npz").startswith("s3s4: in.npz: ")


def test_two_arrays_of_one_name(capfd):
    with zipfile.ZipFile("in.npz", "w") as archive:
        archive.writestr("x.npy", npy_bytes(SAMPLE))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.npy", npy_bytes(SAMPLE))
    error = error_of(capfd, "apply", "s4", "in.npz", "out.npz")
    assert error == "s3s4: in.npz: has several arrays of one name\n"


def test_names_are_shown_without_their_escape_sequences(capfd):
    wild = "a\x1b[2Jb\nc\u202ed"
    with zipfile.ZipFile("in.npz", "w") as archive:
        archive.writestr(wild, b"nothing")
    shown = "a\\x1b[2Jb\\nc\\u202ed"
    assert f"in.npz: {shown}: is no" in error_of(capfd, "apply", "s4", "in.npz", "out.npz")
    assert f"s3s4: {shown}: No such" in error_of(capfd, "apply", "s4", wild, "out.npz")
    assert f"not '{shown}'" in error_of(capfd, "apply", wild, "in.npz", "out.npz").replace(
        "\\\\", "\\"
    )


@pytest.mark.parametrize("content", [npy_bytes(SAMPLE)[:-1], header(f"({2**42},)")])
def test_cut_short_in_a_pipe(content):
    result = run("apply", "s4", "-", "out.npy", input=content)
    assert (result.returncode, result.stderr) == (2, b"s3s4: -: is cut short\n")
    assert os.listdir() == []


def test_archive_from_a_pipe():
    np.savez("in.npz", SAMPLE)
    result = run("apply", "s4", "-", "out.npz", input=Path("in.npz").read_bytes())
    assert result.returncode == 2
    assert b"cannot be read from a pipe" in result.stderr


def test_memory_stays_small():
    size = 1 << 28
    for name, length in (("small.npy", 8), ("large.npy", size)):
        with open(name, "wb") as file:
            header = {"descr": "<f8", "fortran_order": False, "shape": (length // 8,)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + length)
    # A small process starts the command: until it executes, a child counts its parent's memory.
    script = """if True:
        import json, resource, subprocess, sys
        peaks = []
        for name in ("small.npy", "large.npy"):
            command = [sys.executable, "-m", "s3s4", "apply", "s4", name, "out.npy"]
            subprocess.run(command, check=True)
            peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
        print(json.dumps(peaks))
    """
    result = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    small, large = json.loads(result.stdout)
    assert Path("out.npy").stat().st_size > size
    assert large - small < size / 2
    assert large < 500e6
