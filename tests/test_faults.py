"""Under load, and when something goes wrong, results stay right and the process usable."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import s3s4
from support import LARGE, UFUNCS, assert_same_bits, inputs, outputs, python

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def calls():
    """Return mixed calls on shared read-only input, small and large, and their serial results."""
    made = []
    for dtype in (np.float32, np.float64):
        for size in (3, 700, 70_001):
            for name, ufunc in UFUNCS.items():
                arguments = inputs(ufunc.nin, size, dtype, seed=len(name))
                for argument in arguments:
                    argument.flags.writeable = False
                made.append((ufunc, arguments))
    with s3s4.threads(1):
        return made, [outputs(ufunc(*arguments)) for ufunc, arguments in made]


def mixed(each):
    """Run 8 threads with some calls each, each in an order of its own, and compare."""
    made, wanted = calls()

    def run(seed):
        for index in np.random.default_rng(seed).integers(len(made), size=each):
            ufunc, arguments = made[index]
            assert_same_bits(outputs(ufunc(*arguments)), wanted[index])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))


def test_threads_with_mixed_calls():
    mixed(100)


@pytest.mark.slow
def test_threads_with_ten_thousand_mixed_calls():
    mixed(10_000)


NESTED = f"""
import numpy as np, os, s3s4
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

x = np.linspace(-8, 8, {LARGE})
wanted = s3s4.s4(x)

def threads(count):
    with ThreadPoolExecutor(count) as pool:
        return all(np.array_equal(r, wanted) for r in pool.map(s3s4.s4, [x] * count))

def generations(left):
    if not np.array_equal(s3s4.s4(x), wanted):
        return 1
    if left == 0:
        return 0
    child = os.fork()
    if child == 0:
        os._exit(generations(left - 1))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


@needs_fork
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_thread_pool_in_process_pool(method, tmp_path):
    # Spawned workers import the functions from a file.
    (tmp_path / "nested.py").write_text(NESTED)
    python(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from nested import *\n"
        f"with ProcessPoolExecutor(2, get_context({method!r})) as pool:\n"
        "    assert all(pool.map(threads, [3, 3]))",
        PYTHONPATH=str(tmp_path),
    )


@needs_fork
def test_fork_of_a_fork():
    python(f"{NESTED}\nassert generations(3) == 0")


class Connection(http.client.HTTPConnection):
    """To a server on a socket that is a file."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(path, x):
    """Post numbers to the service and return what it gives."""
    connection = Connection(path)
    connection.request("POST", "/", x.tobytes())
    response = connection.getresponse()
    assert response.status == 200
    return np.frombuffer(response.read(), x.dtype)


def children_file(pid):
    """Return where Linux lists the processes that a process has started."""
    return Path(f"/proc/{pid}/task/{pid}/children")


def children(pid):
    """Return the processes that a process has started."""
    return {int(child) for child in children_file(pid).read_text().split()}


@pytest.mark.skipif(
    not children_file(os.getpid()).exists(), reason="this system does not list child processes"
)
def test_workers_forked_before_serving(tmp_path):
    pytest.importorskip("gunicorn")
    service = Path(__file__).resolve().parent.parent / "examples" / "service"
    path = str(tmp_path / "socket")
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2"]
    command += ["--bind", f"unix:{path}", "--worker-tmp-dir", str(tmp_path), "app:application"]
    # Large enough for threads, which the workers do not have.
    x = np.linspace(-8, 8, LARGE, dtype=np.float32)
    wanted = s3s4.s4(x, 2.0)
    server = subprocess.Popen(
        command, cwd=service, env={**os.environ, "S3S4_NUM_THREADS": "2"}, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 60
        while not os.path.exists(path) or len(children(server.pid)) < 2:
            assert server.poll() is None, server.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        before = children(server.pid)
        with ThreadPoolExecutor(4) as pool:
            for answer in pool.map(ask, [path] * 8, [x] * 8):
                assert_same_bits(answer, wanted)
        # A worker that dies is replaced by a new fork of a process that has used its threads.
        os.kill(min(before), signal.SIGKILL)
        while len(children(server.pid) - {min(before)}) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with ThreadPoolExecutor(4) as pool:
            for answer in pool.map(ask, [path] * 8, [x] * 8):
                assert_same_bits(answer, wanted)
    finally:
        server.terminate()
        server.communicate(timeout=60)


@needs_fork
def test_interrupted_between_calls():
    python(
        "import os, signal, threading, numpy as np, s3s4\n"
        f"x = np.linspace(-8, 8, {LARGE}); wanted = s3s4.s4(x)\n"
        "threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n"
        "    while True: s3s4.s4(x)\n"
        "except KeyboardInterrupt:\n"
        "    pass\n"
        "assert np.array_equal(s3s4.s4(x), wanted)"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the input is a file with a hole")
def test_interrupted_between_chunks(tmp_path):
    # 8 GiB that take no room: what is written before the signal is all that is ever written.
    np.lib.format.open_memmap(tmp_path / "in.npy", "w+", "f8", (1 << 30,))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "s3s4", "apply", "s4", "in.npy", "out.npy"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )

    def written():
        files = [path for path in tmp_path.iterdir() if path.name != "in.npy"]
        return sum(512 * path.stat().st_blocks for path in files)

    deadline = time.monotonic() + 60
    while written() < 1 << 20:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in error
    assert os.listdir(tmp_path) == ["in.npy"]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is only obeyed by Linux")
def test_no_memory():
    python(
        "import resource, numpy as np, s3s4\n"
        f"x = np.linspace(-8, 8, {LARGE}); wanted = s3s4.s4(x)\n"
        "huge = np.broadcast_to(np.float64(1), 1 << 28)\n"
        "pages = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (pages + (1 << 28),) * 2)\n"
        "many = np.broadcast_to(np.float16(1), (2, 1 << 23))\n"
        "calls = [lambda f=f: f(huge) for f in (\n"
        "    s3s4.s4, s3s4.s4.derivative, s3s4.s4.value_and_derivative)]\n"
        "calls.append(lambda: s3s4.s4.backward(huge, huge))\n"
        "calls.append(lambda: s3s4.s4.backward(many, many, many[0]))\n"
        "for call in calls:\n"
        "    try:\n"
        "        call()\n"
        "    except MemoryError:\n"
        "        pass\n"
        "    else:\n"
        "        raise AssertionError('more than the 256 MB of the limit')\n"
        "assert np.array_equal(s3s4.s4(x), wanted)"
    )


@pytest.mark.parametrize("options", [["-Xdev"], ["-Xdev", "-Werror"]], ids=str)
def test_strict_interpreter(options):
    code = "import numpy, s3s4; s3s4.s4(numpy.linspace(-8, 8, 100_000)); s3s4.show_config()"
    for arguments in (["-c", code], ["-m", "s3s4", "info"]):
        done = subprocess.run(
            [sys.executable, "-P", *options, *arguments], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("first", ["s3s4", "others"])
@pytest.mark.parametrize("others", [["torch"], ["sklearn.ensemble"], ["sklearn.ensemble", "torch"]])
def test_beside_other_libraries_with_threads(first, others):
    """Each brings an OpenMP runtime of its own into the process, and all are at work at once."""
    for other in others:
        pytest.importorskip(other.partition(".")[0])
    order = ["s3s4", *others] if first == "s3s4" else [*others, "s3s4"]
    work = {
        "torch": "lambda: torch.linspace(-8, 8, 300_000).sigmoid().sum()",
        "sklearn.ensemble": "lambda: sklearn.ensemble.HistGradientBoostingRegressor(max_iter=3)"
        ".fit(x[:5000, None], x[:5000])",
    }
    works = ", ".join(work[other] for other in others)
    python(
        f"import {', '.join(order)}, numpy as np\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        f"x = np.linspace(-8, 8, {LARGE}); wanted = s3s4.s4(x); works = {works},\n"
        "with ThreadPoolExecutor(2 + len(works)) as pool:\n"
        "    theirs = [pool.submit(work) for _ in range(5) for work in works]\n"
        "    ours = [pool.submit(s3s4.s4, x) for _ in range(10)]\n"
        "    assert all(np.array_equal(f.result(), wanted) for f in ours)\n"
        "    [f.result() for f in theirs]",
        timeout=120,
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="free memory is only asked of Linux")
def test_more_elements_than_an_int_counts():
    size = 2**31 + 3
    memory = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
    if memory is None or int(memory[1]) < 10 << 20:
        pytest.skip("10 GB of memory are needed")
    x = np.zeros(size, np.float16)
    x[:4] = x[-4:] = [-1, 0.5, 2, -3]
    result = s3s4.s4(x, np.float16(2))
    wanted = s3s4.s4(x[:4], np.float16(2))
    assert_same_bits(result[:4], wanted)
    assert_same_bits(result[-4:], wanted)
    assert result[size // 2] == 0.25
