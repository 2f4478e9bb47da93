"""Under load, and when something goes wrong, results stay right and the process usable."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

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


@needs_fork
def test_workers_forked_before_serving():
    """As gunicorn does: import, warm up, fork several workers, serve requests, let one die."""
    python(
        f"{NESTED}\n"
        "workers = []\n"
        "for number in range(3):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        for _ in range(5):\n"
        "            if not np.array_equal(s3s4.s4(x), wanted): os._exit(1)\n"
        "        os._exit(7 if number == 2 else 0)\n"
        "    workers.append(child)\n"
        "codes = [os.waitstatus_to_exitcode(os.waitpid(w, 0)[1]) for w in workers]\n"
        "assert codes == [0, 0, 7], codes\n"
        "assert np.array_equal(s3s4.s4(x), wanted) and s3s4.get_num_threads() >= 1"
    )


@needs_fork
def test_interrupted_between_chunks():
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


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is only obeyed by Linux")
def test_no_memory():
    python(
        "import resource, numpy as np, s3s4\n"
        f"x = np.linspace(-8, 8, {LARGE}); wanted = s3s4.s4(x)\n"
        "huge = np.broadcast_to(np.float64(1), 1 << 28)\n"
        "pages = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (pages + (1 << 28),) * 2)\n"
        "for call in (s3s4.s4, s3s4.s4.derivative, s3s4.s4.value_and_derivative):\n"
        "    try:\n"
        "        call(huge)\n"
        "    except MemoryError:\n"
        "        pass\n"
        "    else:\n"
        "        raise AssertionError('2 GB under a limit of 256 MB')\n"
        "assert np.array_equal(s3s4.s4(x), wanted)"
    )


@pytest.mark.parametrize("options", ["-Xdev", "-Werror"])
def test_strict_interpreter(options):
    code = "import numpy, s3s4; s3s4.s4(numpy.linspace(-8, 8, 100_000)); s3s4.show_config()"
    done = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, options, "-c", code])
    assert done == 0


@pytest.mark.parametrize("first", ["s3s4", "other"])
@pytest.mark.parametrize("other", ["torch", "sklearn.ensemble"])
def test_import_order(first, other):
    pytest.importorskip(other.partition(".")[0])
    order = ["s3s4", other] if first == "s3s4" else [other, "s3s4"]
    work = {
        "torch": "lambda: torch.linspace(-8, 8, 300_000).sigmoid().sum()",
        "sklearn.ensemble": "lambda: sklearn.ensemble.HistGradientBoostingRegressor(max_iter=3)"
        ".fit(x[:5000, None], x[:5000])",
    }[other]
    python(
        f"import {', '.join(order)}, numpy as np\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        f"x = np.linspace(-8, 8, {LARGE}); wanted = s3s4.s4(x); work = {work}\n"
        "with ThreadPoolExecutor(2) as pool:\n"
        "    theirs = [pool.submit(work) for _ in range(5)]\n"
        "    ours = [pool.submit(s3s4.s4, x) for _ in range(5)]\n"
        "    assert all(np.array_equal(f.result(), wanted) for f in ours)\n"
        "    [f.result() for f in theirs]",
        timeout=120,
    )


@pytest.mark.slow
def test_more_elements_than_an_int_counts():
    size = 2**31 + 3
    available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if available < 10 << 30:
        pytest.skip(f"{available >> 30} GB of memory are free, 10 are needed")
    x = np.zeros(size, np.float16)
    x[:4] = x[-4:] = [-1, 0.5, 2, -3]
    result = s3s4.s4(x, np.float16(2))
    wanted = s3s4.s4(x[:4], np.float16(2))
    assert_same_bits(result[:4], wanted)
    assert_same_bits(result[-4:], wanted)
    assert result[size // 2] == 0.25
