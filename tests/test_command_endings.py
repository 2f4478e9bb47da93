"""What the command leaves behind: its outputs, whole or not at all, whatever ends it."""

import errno
import io
import os
import resource
import shlex
import signal
import stat
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import s3s4
from commandline import COMMAND, SAMPLE, applied, error_of, npy_bytes, run
from s3s4._command.main import main

pytestmark = pytest.mark.usefixtures("own_folder")


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


def written(name, count):
    """Write as many numbers in the form that the name says."""
    form = {".npy": np.save, ".npz": np.savez, ".csv": np.savetxt}[Path(name).suffix]
    form(name, np.resize(SAMPLE, count))


@pytest.mark.parametrize("name", ["in.npy", "in.npz", "in.csv"])
def test_file_size_limit(name):
    written(name, 40_000)
    out = name.replace("in", "out")
    Path(out).write_text("old")
    limit = 1 << 18
    result = run(
        *("apply", "s4", name, out),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert (result.returncode, result.stderr.decode()) == (2, f"s3s4: {out}: File too large\n")
    assert Path(out).read_text() == "old"
    assert sorted(os.listdir()) == sorted([name, out])


@pytest.fixture
def mounts(own_folder):
    """Give the start of a command that may mount what it likes, or skip the test."""
    start = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    (own_folder / "disk").mkdir()
    try:
        test = [*start, "mount -t tmpfs -o size=1m tmpfs disk"]
        subprocess.run(test, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    (own_folder / "disk").rmdir()
    return start


@pytest.mark.parametrize("name", ["in.npy", "in.npz", "in.csv"])
def test_full_disk(mounts, name):
    Path("disk").mkdir()
    written(name, 80_000)
    out = f"disk/{name}"
    command = shlex.join([*COMMAND, "apply", "s4", name, out])
    script = f"mount -t tmpfs -o size=512k tmpfs disk && {command}; code=$?; ls -A disk; exit $code"
    result = subprocess.run([*mounts, script], capture_output=True)
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


def started(*arguments, **options):
    """Start the command, wait until its temporary file is there, and give both."""
    before = set(os.listdir())
    process = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, **options)
    if process.stdin is not None:
        process.stdin.write(npy_bytes(SAMPLE)[:-1])
        process.stdin.flush()
    deadline = time.monotonic() + 30
    while not (temporary := set(os.listdir()) - before):
        assert time.monotonic() < deadline, "the temporary file did not appear"
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    return process, temporary.pop()


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGHUP], 129),
        ([signal.SIGXCPU], 152),
        ([signal.SIGTERM, signal.SIGHUP, signal.SIGINT], None),
    ],
)
def test_interrupted(numbers, code):
    Path("out.npy").write_text("old")
    # The suite may have been started where they are ignored, in the background for instance.
    process, _ = started(
        *("apply", "s4", "-", "out.npy"),
        stdin=subprocess.PIPE,
        preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in numbers],
    )
    for number in numbers:
        process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert process.returncode == code or code is None
    assert b"Traceback" not in error
    assert os.listdir() == ["out.npy"]
    assert Path("out.npy").read_text() == "old"


def test_an_ignored_signal_stays_ignored():
    process, _ = started(
        *("apply", "s4", "-", "out.npy"),
        stdin=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    process.send_signal(signal.SIGHUP)
    process.communicate(npy_bytes(SAMPLE)[-1:], timeout=30)
    assert process.returncode == 0
    np.testing.assert_array_equal(np.load("out.npy"), s3s4.s4(SAMPLE))


def test_input_that_is_cut_short_while_it_is_read():
    np.lib.format.open_memmap("in.npy", "w+", "f8", (1 << 29,))
    process, _ = started("apply", "s4", "in.npy", "out.npy")
    os.truncate("in.npy", 1 << 20)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (2, b"s3s4: in.npy: is cut short\n")
    assert os.listdir() == ["in.npy"]


def test_a_private_output_is_never_public():
    Path("out.npy").touch(mode=0o600)
    process, temporary = started("apply", "s4", "-", "out.npy", stdin=subprocess.PIPE)
    assert stat.S_IMODE(os.stat(temporary).st_mode) == 0o600
    process.communicate(npy_bytes(SAMPLE)[-1:], timeout=30)
    assert process.returncode == 0
    assert stat.S_IMODE(os.stat("out.npy").st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_replacing_keeps_the_owner():
    np.save("in.npy", SAMPLE)
    Path("out.npy").touch(mode=0o640)
    os.chown("out.npy", 1234, 4321)
    applied("in.npy", "out.npy")
    status = os.stat("out.npy")
    assert (status.st_uid, status.st_gid) == (1234, 4321)
    assert stat.S_IMODE(status.st_mode) == 0o640


def test_another_group_gets_no_more_than_everybody(monkeypatch):
    def forbidden(descriptor, user, group):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", forbidden)
    np.save("in.npy", SAMPLE)
    Path("out.npy").touch()
    for before, after in [(0o660, 0o600), (0o664, 0o644), (0o600, 0o600)]:
        os.chmod("out.npy", before)
        applied("in.npy", "out.npy")
        assert stat.S_IMODE(os.stat("out.npy").st_mode) == after


def test_output_that_can_be_written_but_not_replaced(mounts):
    np.save("in.npy", SAMPLE)
    Path("out.npy").write_text("old" * 10_000)
    command = shlex.join([*COMMAND, "apply", "s4", "in.npy", "out.npy"])
    script = f"mount --bind out.npy out.npy && {command}; {command} --in-place"
    result = subprocess.run([*mounts, script], capture_output=True)
    assert result.returncode == 0
    message = "s3s4: out.npy: can be written but not replaced (Device or resource busy); --in-place"
    assert result.stderr.decode().startswith(message)
    assert result.stderr.count(b"\n") == 1
    assert sorted(os.listdir()) == ["in.npy", "out.npy"]
    np.testing.assert_array_equal(np.load("out.npy"), s3s4.s4(SAMPLE))


def test_in_place(capfd):
    np.save("in.npy", SAMPLE)
    Path("out.npy").write_text("old" * 10_000)
    before = os.stat("out.npy").st_ino
    np.testing.assert_array_equal(applied("in.npy", "out.npy", "--in-place"), s3s4.s4(SAMPLE))
    assert os.stat("out.npy").st_ino == before
    np.testing.assert_array_equal(applied("in.npy", "new.npy", "--in-place"), s3s4.s4(SAMPLE))


def test_the_input_is_not_overwritten_while_it_is_read(capfd):
    Path("in.csv").write_text("1\n2\n")
    os.link("in.csv", "link.csv")
    message = "is the input: it would be overwritten while it is read"
    for name in ("in.csv", "link.csv"):
        assert f"{name}: {message}" in error_of(capfd, "apply", "s4", "in.csv", name, "--in-place")
    with open("in.csv", "ab") as file:
        result = subprocess.run(
            [*COMMAND, "apply", "s4", "in.csv", "-"], stdout=file, stderr=subprocess.PIPE
        )
    assert (result.returncode, result.stderr.decode()) == (2, f"s3s4: -: {message}\n")
    assert Path("in.csv").read_text() == "1\n2\n"


@pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1"])
def test_standard_output_by_name(name):
    np.save("in.npy", SAMPLE)
    Path("out").write_bytes(b"before")
    with open("out", "ab") as file:
        subprocess.run([*COMMAND, "apply", "s4", "in.npy", name], stdout=file, check=True)
    content = Path("out").read_bytes()
    assert content.startswith(b"before")
    np.testing.assert_array_equal(np.load(io.BytesIO(content[6:])), s3s4.s4(SAMPLE))


@pytest.mark.parametrize("name", ["out.xls", "out", "out.npy.gz", "out.NPYX", ".npy"])
def test_a_suffix_that_says_nothing(capfd, name):
    np.save("in.npy", SAMPLE)
    error = error_of(capfd, "apply", "s4", "in.npy", name)
    assert error.startswith(f"s3s4: {name}: the suffix must be one of .npy, .npz, .csv")
    assert os.listdir() == ["in.npy"]
    assert main(["apply", "s4", "in.npy", name, "--format", "npy"]) == 0
    np.testing.assert_array_equal(np.load(name), s3s4.s4(SAMPLE))


def test_format_that_the_input_cannot_become(capfd):
    np.save("in.npy", SAMPLE)
    Path("in.csv").write_text("1\n")
    message = error_of(capfd, "apply", "s4", "in.npy", "out.csv", "--format", "npz")
    assert message.startswith("s3s4: in.npy: is npy, which cannot become npz, only npy, ")
    message = error_of(capfd, "apply", "s4", "in.csv", "-", "--format", "npy")
    assert message.startswith("s3s4: in.csv: is text, which becomes npy only in a file")
    assert main(["apply", "s4", "in.csv", "out.bin", "--format", "npy"]) == 0
    np.testing.assert_array_equal(np.load("out.bin"), s3s4.s4([1.0]))


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
