"""The command line, run as its users run it."""

import io
import json
import os
import pty
import resource
import shlex
import signal
import stat
import subprocess
import sys
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import s3s4
from s3s4._command import arrays as _arrays
from s3s4._command import demo as _demo
from s3s4._command import text as _text
from s3s4._command.main import commands, main
from support import ELEMENTWISE

COMMAND = [sys.executable, "-m", "s3s4"]
OWN_MOUNTS = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
SAMPLE = np.random.default_rng(2).normal(0, 3, (4, 5, 3))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def s4_by_definition(x, k):
    weight = sigmoid(k * x)
    return weight * x / (1 + abs(x)) + (1 - weight) * sigmoid(x)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Let every test work in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, **options):
    """Run the command in a process of its own."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, timeout=60, **options)


def applied(source, target, *options):
    """Run ``apply`` on s4 without errors, and load what it wrote."""
    assert main(["apply", "s4", source, target, *options]) == 0
    return np.load(target)


def error_of(capfd, *arguments):
    """Run the command, which has to fail as a user's mistake does, and give its only line."""
    assert main(arguments) == 2
    output, error = capfd.readouterr()
    assert output == ""
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize("derivative", [False, True])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_activation(name, derivative):
    np.save("in.npy", SAMPLE)
    options = ["--derivative"] if derivative else []
    assert main(["apply", name, "in.npy", "out.npy", *options]) == 0
    activation = ELEMENTWISE[name]
    expected = activation.derivative(SAMPLE) if derivative else activation(SAMPLE)
    np.testing.assert_array_equal(np.load("out.npy"), expected)


def test_values_are_those_of_the_definition():
    np.save("in.npy", SAMPLE)
    result = applied("in.npy", "out.npy", "--k", "-2")
    np.testing.assert_allclose(result, s4_by_definition(SAMPLE, -2), rtol=0, atol=1e-14)


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
        np.resize(SAMPLE, 2 * _arrays.PIECE + 3).astype("f4"),
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


def test_dtype_and_parameter():
    np.save("in.npy", SAMPLE)
    result = applied("in.npy", "out.npy", "--dtype", "float32", "--k", "inf")
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, s3s4.s4(SAMPLE, np.inf, dtype=np.float32))


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


def text(*numbers):
    """Write the S4 of numbers as the command does."""
    return [repr(float(s3s4.s4(x))) for x in numbers]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1,2\n-3,4\n", "{},{}\n{},{}\n"),
        ("a,b\n1,2\n-3,4\n", "a,b\n{},{}\n{},{}\n"),
        ("a;b\r\n1;2\r\n-3;4\r\n", "a;b\r\n{};{}\r\n{};{}\r\n"),
        ("a, 1st\tb\n1\t2\n-3\t4", "a, 1st\tb\n{}\t{}\n{}\t{}\n"),
        ("# made by hand\n\nx y\n  1  2\n\n -3 4\n", "# made by hand\n\nx y\n{} {}\n{} {}\n"),
        ('"a","b"\n"1","2"\n"-3", 4\n', '"a","b"\n{},{}\n{},{}\n'),
        ("\ufeffa,b\n1,2\n-3,4\n", "a,b\n{},{}\n{},{}\n"),
        ("1\n2\n-3\n4\n", "{}\n{}\n{}\n{}\n"),
    ],
    ids=["commas", "names", "semicolons", "tabs", "blanks", "quotes", "bom", "one-column"],
)
def test_text_keeps_its_form(given, expected):
    Path("in.csv").write_bytes(given.encode())
    assert main(["apply", "s4", "in.csv", "out.csv"]) == 0
    assert Path("out.csv").read_bytes().decode() == expected.format(*text(1, 2, -3, 4))


def test_empty_fields_are_missing_values():
    Path("in.csv").write_text("1,2\n,4\n")
    np.testing.assert_array_equal(applied("in.csv", "out.npy"), s3s4.s4([[1, 2], [np.nan, 4]]))


@pytest.mark.parametrize("columns", [1, 3])
def test_text_becomes_an_array(columns):
    x = np.resize(SAMPLE, (_text.PIECE + 1, columns))
    np.savetxt("in.txt", x, "%.17g")
    result = applied("in.txt", "out.npy")
    np.testing.assert_array_equal(result, s3s4.s4(x[:, 0] if columns == 1 else x))


def test_text_in_another_precision():
    Path("in.csv").write_text("0.1\n")
    assert main(["apply", "s3", "in.csv", "out.csv", "--dtype", "float32"]) == 0
    assert Path("out.csv").read_text() == str(s3s4.s3(np.float32(0.1))) + "\n"


@pytest.mark.parametrize(
    "x", [SAMPLE, np.resize(SAMPLE, _arrays.PIECE + 1)], ids=["small", "pieces"]
)
def test_arrays_through_pipes(x):
    given = io.BytesIO()
    np.save(given, x)
    result = run("apply", "s4", "-", "-", input=given.getvalue())
    assert (result.returncode, result.stderr) == (0, b"")
    np.testing.assert_array_equal(np.load(io.BytesIO(result.stdout)), s3s4.s4(x))


def test_text_through_pipes():
    result = run("apply", "s4", "-", "-", input=b"a,b\n1,2\n")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode() == "a,b\n{},{}\n".format(*text(1, 2))


def test_archive_into_a_pipe():
    np.savez("in.npz", x=SAMPLE)
    result = run("apply", "s4", "in.npz", "-")
    np.testing.assert_array_equal(np.load(io.BytesIO(result.stdout))["x"], s3s4.s4(SAMPLE))


def test_redirected_input_is_read_from_where_it_stands():
    with open("in.bin", "wb") as file:
        np.save(file, SAMPLE)
        np.save(file, SAMPLE + 1)
    with open("in.bin", "rb", buffering=0) as file:
        np.load(file)
        run("apply", "s4", "-", "out.npy", stdin=file)
    np.testing.assert_array_equal(np.load("out.npy"), s3s4.s4(SAMPLE + 1))


@pytest.mark.parametrize("name", ["both.npy", "both.npz", "both.csv"])
def test_output_may_be_the_input(name):
    x = SAMPLE[0]
    if name.endswith(".npy"):
        np.save(name, x)
    elif name.endswith(".npz"):
        np.savez(name, x)
    else:
        np.savetxt(name, x, "%.17g", delimiter=",")
    assert main(["apply", "s4", name, name]) == 0
    result = np.loadtxt(name, delimiter=",") if name.endswith(".csv") else np.load(name)
    np.testing.assert_array_equal(result["arr_0"] if name.endswith(".npz") else result, s3s4.s4(x))


def test_replacing_keeps_links_and_permissions():
    np.save("in.npy", SAMPLE)
    Path("old.npy").touch(mode=0o640)
    Path("link.npy").symlink_to("old.npy")
    applied("in.npy", "link.npy")
    assert Path("link.npy").is_symlink()
    assert stat.S_IMODE(Path("old.npy").stat().st_mode) == 0o640
    np.testing.assert_array_equal(np.load("old.npy"), s3s4.s4(SAMPLE))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write every file")
def test_protected_output(capfd):
    np.save("in.npy", SAMPLE)
    Path("out.npy").touch(mode=0o440)
    assert "out.npy: Permission denied" in error_of(capfd, "apply", "s4", "in.npy", "out.npy")


def test_new_file_has_ordinary_permissions():
    np.save("in.npy", SAMPLE)
    applied("in.npy", "out.npy")
    assert Path("out.npy").stat().st_mode == Path("in.npy").stat().st_mode


def test_device_is_written_and_not_replaced():
    np.save("in.npy", SAMPLE)
    os.mkfifo("fifo")
    with open(os.open("fifo", os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        assert main(["apply", "s4", "in.npy", "fifo"]) == 0
        result = np.load(io.BytesIO(reader.read()))
    assert Path("fifo").is_fifo()
    np.testing.assert_array_equal(result, s3s4.s4(SAMPLE))


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


def npy_bytes(x):
    file = io.BytesIO()
    np.save(file, x)
    return file.getvalue()


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
        ("in.csv", b"some words\nand more\n", "line 2, column 1: 'and' is not a number"),
        ("in.csv", b"x;y\n1,5;2\n", "line 2, column 1: '1,5' is not a number"),
        ("in.csv", b"1,2\n3,iris\n", "line 2, column 2: 'iris' is not a number"),
        ("in.csv", b"1,2\n3\n", "line 2: columns: 1, before: 2"),
        ("in.bin", bytes(range(256)), "is neither .npy, nor .npz, nor UTF-8 text"),
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


def test_damaged_member_of_an_archive(capfd):
    np.savez_compressed("in.npz", x=SAMPLE)
    content = bytearray(Path("in.npz").read_bytes())
    content[100:110] = b"0123456789"
    Path("in.npz").write_bytes(content)
    assert "x.npy: cannot be unpacked" in error_of(capfd, "apply", "s4", "in.npz", "out.npz")
    assert os.listdir() == ["in.npz"]


def test_cut_short_in_a_pipe():
    result = run("apply", "s4", "-", "out.npy", input=npy_bytes(SAMPLE)[:-1])
    assert (result.returncode, result.stderr) == (2, b"s3s4: -: is cut short\n")
    assert os.listdir() == []


def test_archive_from_a_pipe():
    np.savez("in.npz", SAMPLE)
    result = run("apply", "s4", "-", "out.npz", input=Path("in.npz").read_bytes())
    assert result.returncode == 2
    assert b"cannot be read from a pipe" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("s4 none.npy out.npy", "none.npy: No such file"),
        ("s4 . out.npy", ".: Is a directory"),
        ("s4 in.npy .", ".: Is a directory"),
        ("s4 in.npy none/out.npy", "none/out.npy: No such file"),
        ("s4 in.npy out.csv", "in.npy: is .npy, which cannot become .csv"),
        ("s4 in.npy out.npz", "in.npy: is .npy, which cannot become .npz"),
        ("s4 in.csv out.npz", "in.csv: is text, which can become text or .npy, not .npz"),
        ("gleu in.npy out.npy", "not 'gleu': did you mean "),
        ("xyz in.npy out.npy", ", ".join(ELEMENTWISE)),
        ("s4 in.npy out.npy --k abc", "'--k': 'abc' is not a valid float"),
        ("s4 in.npy out.npy --k nan", "'--k': nan is not a number"),
        ("s3 in.npy out.npy --k 2", "k is no parameter of s3"),
        ("s4 in.npy out.npy --dtype int8", "'--dtype': 'int8' is not one of"),
        ("s4 in.npy", "Missing argument 'OUT'"),
    ],
)
def test_mistaken_arguments(capfd, arguments, message):
    np.save("in.npy", SAMPLE)
    Path("in.csv").write_text("1\n")
    assert message in error_of(capfd, "apply", *arguments.split())
    assert sorted(os.listdir()) == ["in.csv", "in.npy"]


@pytest.mark.parametrize("name", ["in.npy", "in.npz", "in.csv"])
def test_file_size_limit(name):
    x = np.resize(SAMPLE, 100_000)
    np.save("in.npy", x)
    np.savez("in.npz", x)
    np.savetxt("in.csv", x)
    out = name.replace("in", "out")
    Path(out).write_text("old")
    limit = 1 << 18
    result = run(
        *("apply", "s4", name, out),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert (result.returncode, result.stderr.decode()) == (2, f"s3s4: {out}: File too large\n")
    assert Path(out).read_text() == "old"
    assert sorted(os.listdir()) == sorted(["in.csv", "in.npy", "in.npz", out])


@pytest.fixture
def small_disk(folder):
    """Give a shell script's start that mounts a file system of 1 MiB at ``disk``."""
    start = "mount -t tmpfs -o size=1m tmpfs disk && "
    (folder / "disk").mkdir()
    try:
        subprocess.run([*OWN_MOUNTS, f"{start} true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    return start


@pytest.mark.parametrize("name", ["in.npy", "in.npz", "in.csv"])
def test_full_disk(small_disk, name):
    x = np.resize(SAMPLE, 200_000)
    np.save("in.npy", x)
    np.savez("in.npz", x)
    np.savetxt("in.csv", x)
    out = f"disk/{name}"
    script = f"{small_disk} {shlex.join([*COMMAND, 'apply', 's4', name, out])}; code=$?; ls -A disk"
    result = subprocess.run([*OWN_MOUNTS, f"{script}; exit $code"], capture_output=True)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode() == f"s3s4: {out}: No space left on device\n"


@pytest.mark.parametrize("arguments", [["apply", "s4", "in.npy", "-"], ["info"], ["--help"]])
def test_full_output(arguments):
    np.save("in.npy", SAMPLE)
    with open("/dev/full", "wb") as full:
        result = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 2
    assert result.stderr.count(b"\n") == 1
    assert b"No space left on device" in result.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(number, code):
    Path("out.npy").write_text("old")
    process = subprocess.Popen(
        [*COMMAND, "apply", "s4", "-", "out.npy"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdin.write(npy_bytes(SAMPLE)[:-1])
    process.stdin.flush()
    deadline = time.monotonic() + 30
    while len(os.listdir()) == 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(os.listdir()) == 2, "the temporary file did not appear"
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert process.returncode == code
    assert b"Traceback" not in error
    assert os.listdir() == ["out.npy"]
    assert Path("out.npy").read_text() == "old"


def test_closed_pipe_is_quiet():
    np.save("in.npy", np.resize(SAMPLE, 1_000_000))
    process = subprocess.Popen(
        [*COMMAND, "apply", "s4", "in.npy", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=30) == 1


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


def test_progress_is_shown_on_a_terminal_only():
    np.save("in.npy", SAMPLE)
    command = [*COMMAND, "apply", "s4", "in.npy", "out.npy"]
    ours, theirs = pty.openpty()
    subprocess.run(command, stderr=theirs, check=True)
    os.close(theirs)
    assert b"100%" in os.read(ours, 10_000)
    os.close(ours)
    assert run(*command[3:]).stderr == b""


def test_a_terminal_is_spared_binary_output():
    np.save("in.npy", SAMPLE)
    ours, theirs = pty.openpty()
    result = subprocess.run(
        [*COMMAND, "apply", "s4", "in.npy", "-"], stdout=theirs, stderr=subprocess.PIPE
    )
    os.close(theirs)
    os.close(ours)
    assert result.returncode == 2
    assert b"redirect" in result.stderr


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot(capfd, suffix):
    assert main(["plot", "-o", f"curves.{suffix}"]) == 0
    assert f"curves.{suffix}" in capfd.readouterr().out
    assert Path(f"curves.{suffix}").stat().st_size > 10_000


@pytest.mark.parametrize("options", [[], ["--derivative", "--k", "2"]])
def test_plot_of_several(monkeypatch, options):
    drawn = []
    monkeypatch.setattr("s3s4._command.main.save", lambda figure, output: drawn.append(figure))
    assert main(["plot", "gelu", "s4", *options]) == 0
    panels = drawn[0].axes
    assert len(panels) == (2 if options else 1)
    gelu, s4, *_ = panels[0].lines
    assert gelu.get_label() == "gelu"
    assert s4.get_label() == ("s4, k = 2" if options else "s4")
    x, y = s4.get_data()
    np.testing.assert_allclose(y, s4_by_definition(x, 2 if options else 5), atol=1e-14)


def test_plot_leaves_a_gap_at_a_jump(monkeypatch):
    drawn = []
    monkeypatch.setattr("s3s4._command.main.save", lambda figure, output: drawn.append(figure))
    assert main(["plot", "threshold", "--threshold", "2"]) == 0
    x, y = drawn[0].axes[0].lines[0].get_data()
    assert np.isnan(y).sum() == 1
    assert abs(x[np.isnan(y)].item() - 2) < 0.01


def test_every_parameter_is_an_option_of_apply():
    np.save("in.npy", SAMPLE)
    for name, activation in ELEMENTWISE.items():
        values = {key: default + 0.25 for key, default in activation.parameters.items()}
        options = [text for key, value in values.items() for text in (f"--{key}", str(value))]
        assert main(["apply", name, "in.npy", "out.npy", *options]) == 0
        np.testing.assert_array_equal(np.load("out.npy"), activation(SAMPLE, **values))


def test_plot_mistakes(capfd):
    assert "did you mean mish" in error_of(capfd, "plot", "gelu", "misch")
    assert "k is no parameter of gelu, mish" in error_of(capfd, "plot", "gelu", "mish", "--k", "2")
    assert "Missing argument 'NAME'" in error_of(capfd, "plot", "--derivative")
    assert ".png, .svg, .pdf" in error_of(capfd, "plot", "-o", "curves.doc")
    assert "none/curves.png: No such file" in error_of(capfd, "plot", "-o", "none/curves.png")
    assert os.listdir() == []


def test_demo(capfd):
    assert main(["demo"]) == 0
    output = capfd.readouterr().out
    for label in ("S3", "S3'", "S4", "S4'"):
        assert f"\n{label} " in output
    assert Path("s3s4-demo.png").read_bytes().startswith(b"\x89PNG")


def test_layer_of_the_demo():
    height = np.tile(np.arange(6.0), (5, 1))
    height[1] += 1
    x = dict(zip(_demo.DIRECTIONS, np.moveaxis(_demo.layer(height), -1, 0), strict=True))
    # Rows 2 to 4 rise towards the east alone, and row 1 is higher than those south of it.
    assert (x["E"][2] > x["SE"][2]).all()
    np.testing.assert_allclose(x["W"], -x["E"], atol=1e-12)
    np.testing.assert_allclose(x["N"][2], 0, atol=1e-12)
    assert (x["N"][1] > 0).all()


def test_demo_notices_a_difference(capfd, monkeypatch):
    monkeypatch.setattr(_demo, "_s4_dx", lambda x: s3s4.s4.derivative(x) + 1e-12)
    assert main(["demo"]) == 1
    assert capfd.readouterr().err == "s3s4: values or derivatives differ from NumPy's\n"


def test_info(capfd):
    assert main(["info"]) == 0
    shown = capfd.readouterr().out
    for name, value in s3s4.build_config().items():
        assert name in shown
        assert (", ".join(value) if isinstance(value, list) else str(value)) in shown


def test_version(capfd):
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"s3s4 {version('s3s4')}\n"


def test_help(capfd):
    for name, command in commands.commands.items():
        assert main([name, "--help"]) == 0
        output = capfd.readouterr().out
        for parameter in command.params:
            assert parameter.opts[0] in output or parameter.metavar in output
    main(["apply", "--help"])
    output = " ".join(capfd.readouterr().out.split())
    for name, activation in ELEMENTWISE.items():
        assert name in output.partition("NAME is one of")[2]
        for parameter, default in activation.parameters.items():
            assert f"--{parameter}" in output
            assert f"{name} (default {default:g})" in output


def test_no_arguments_shows_the_help(capfd):
    assert main([]) == 2
    assert "apply" in capfd.readouterr().err


@pytest.mark.parametrize(("module", "command"), [("click", "info"), ("matplotlib", "plot")])
def test_missing_extra(module, command):
    script = f"""if True:
        import runpy, sys

        class Absent:
            def find_spec(self, name, *_):
                if name == {module!r}:
                    raise ModuleNotFoundError(name=name)

        sys.meta_path.insert(0, Absent())
        sys.argv = ["s3s4", {command!r}]
        runpy.run_module("s3s4", run_name="__main__")
    """
    result = subprocess.run([sys.executable, "-c", script], capture_output=True)
    expected = f"s3s4: {module} is missing; install it with: pip install 's3s4[cli]'\n"
    assert (result.returncode, result.stderr.decode()) == (2, expected)


def test_package_does_not_import_its_command():
    script = "import sys, s3s4; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    modules = set(result.stdout.decode().split())
    ours = {"__main__", "_command"}
    assert not modules & {"click", "matplotlib", *(f"s3s4.{name}" for name in ours)}


def test_a_call_leaves_the_signal_handler_of_its_caller():
    before = signal.getsignal(signal.SIGTERM)
    main(["info"])
    assert signal.getsignal(signal.SIGTERM) is before
