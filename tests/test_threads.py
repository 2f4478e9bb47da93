"""Threads: equal bits for every number of them, how many there are, and life after a fork."""

import asyncio
import inspect
import itertools
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

import s3s4
from s3s4 import _cpu
from support import (
    ACTIVATION_KINDS,
    LARGE,
    UFUNC_KINDS,
    UFUNCS,
    assert_same_bits,
    inputs,
    outputs,
    python,
)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot bind processes to processors"
)
needs_openmp = pytest.mark.skipif(
    not s3s4.build_config()["openmp"], reason="this build has no OpenMP"
)


@pytest.fixture(autouse=True)
def restored():
    before = s3s4.get_num_threads()
    yield
    s3s4.set_num_threads(before)


@pytest.fixture
def threads_from_few():
    """Threads from a quarter of the usual size on."""
    before = {dtype: _cpu.parallel_size("s4", dtype) for dtype in map(np.dtype, "fd")}
    for dtype in before:
        _cpu.set_parallel_size("s4", dtype, _cpu.usual_parallel_size("s4", dtype) // 4)
    yield
    for dtype, size in before.items():
        _cpu.set_parallel_size("s4", dtype, size)


def test_a_build_without_openmp_says_that_it_has_one_thread():
    """As Apple's clang makes it without libomp; the variant without OpenMP is such a build."""
    shown = python("import s3s4; s3s4.show_config()", S3S4_ISA="serial").stdout
    assert "openmp     none: everything runs on one thread\n" in shown
    if s3s4.build_config()["openmp"]:
        assert "none: " not in python("import s3s4; s3s4.show_config()").stdout


# --- Bits ----------------------------------------------------------------------------------------

# Half of these elements are still worth several threads, where few are.
SHAPE = (397, 683)
LAYOUTS = {
    "contiguous": lambda a: a,
    "fortran": np.asfortranarray,
    "transposed": lambda a: a.T,
    "every second": lambda a: a.ravel()[::2],
    "every second column": lambda a: a[:, ::2],
    "reversed": lambda a: a[::-1, ::-1],
    "three axes permuted": lambda a: a[:384].reshape(16, 24, 683).transpose(2, 0, 1),
    "big endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "repeated": lambda a: np.broadcast_to(a[:, :1], a.shape),
}


@pytest.mark.usefixtures("threads_from_few")
@pytest.mark.parametrize("ufunc", UFUNC_KINDS, ids=lambda u: u.__name__)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_bits_are_equal_for_every_number_of_threads(ufunc, dtype, layout):
    arrays = [layout(array) for array in inputs(ufunc.nin, SHAPE, dtype)]
    with s3s4.threads(1):
        expected = ufunc(*arrays)
    # A few elements one by one: large and small calls agree as well.
    for place in ((0,) * arrays[0].ndim, (-1,) * arrays[0].ndim, (7,) * arrays[0].ndim):
        alone = ufunc(*[array[place].astype(dtype) for array in arrays])
        assert_same_bits(alone, tuple(part[place] for part in outputs(expected)))
    for n in (2, 5):
        with s3s4.threads(n):
            assert_same_bits(ufunc(*arrays), expected)


@pytest.mark.usefixtures("threads_from_few")
@pytest.mark.parametrize("ufunc", UFUNCS.values(), ids=UFUNCS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_function_goes_to_threads_as_it_is(ufunc, dtype):
    arrays = inputs(ufunc.nin, 150_001, dtype)
    with s3s4.threads(1):
        expected = ufunc(*arrays)
    with s3s4.threads(3):
        assert_same_bits(ufunc(*arrays), expected)


@pytest.mark.usefixtures("threads_from_few")
@pytest.mark.parametrize("activation", ACTIVATION_KINDS, ids=lambda a: a.name)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_front_gives_equal_bits_whatever_the_layout_and_the_parameter(activation, dtype, layout):
    x, *parameters = [layout(a) for a in inputs(1 + len(activation.parameters), SHAPE, dtype)]
    axes = range(x.ndim)
    shapes = [tuple(slice(None) if axis == kept else slice(1) for axis in axes) for kept in axes]
    shapes += [(...,), (slice(1),) * x.ndim]
    for shape in shapes if parameters else [()]:
        parts = [parameter[shape] for parameter in parameters]
        whole = [np.broadcast_to(part, x.shape).astype(dtype, order="C") for part in parts]
        plain = np.array(x, dtype, order="C")
        expected = UFUNCS[activation.name](plain.ravel(), *[w.ravel() for w in whole])
        for n in (1, 5):
            with s3s4.threads(n):
                assert_same_bits(activation(x, *parts), expected.reshape(x.shape))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(70, 5, 3, 9), (33, 3, 2, 70)])
def test_axes_in_any_order_into_memory_in_any_other(shape, dtype):
    """Memory that lies across another array's: long and short last axes, and what lies beside."""
    (x,) = inputs(1, shape, dtype)
    for axes in itertools.permutations(range(4)):
        across = x.transpose(axes)
        k = np.linspace(1, 3, across.shape[2]).astype(dtype)[:, np.newaxis]
        wide = np.zeros((*across.shape[:3], 2 * across.shape[3]), dtype)
        for parameter in (5.0, k):
            expected = s3s4.s4(across.copy(order="C"), parameter)
            for out in (np.zeros(across.shape, dtype), wide[..., ::2], wide[..., -2::-2]):
                s3s4.s4(across, parameter, out=out)
                assert_same_bits(out, expected)
        assert not wide[..., 1::2].any()


def test_python_threads_at_the_same_time():
    (x,) = inputs(1, LARGE)
    expected, wrong = s3s4.s4(x), []

    def work(n):
        with s3s4.threads(n):
            for _ in range(5):
                if not np.array_equal(s3s4.s4(x), expected):
                    wrong.append(n)

    workers = [threading.Thread(target=work, args=(n,)) for n in (1, 2, 3, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not any(worker.is_alive() for worker in workers)
    assert not wrong


# --- How many ------------------------------------------------------------------------------------


@needs_openmp
@pytest.mark.parametrize("n", [1, 2, 5, np.int64(3)])
def test_the_number_is_set(n):
    s3s4.set_num_threads(n)
    assert s3s4.get_num_threads() == n
    assert s3s4.build_config()["threads"] == n


@needs_openmp
def test_contexts_nest_and_end():
    s3s4.set_num_threads(2)
    with s3s4.threads(3):
        assert s3s4.get_num_threads() == 3
        with s3s4.threads(1):
            assert s3s4.get_num_threads() == 1
        assert s3s4.get_num_threads() == 3
        with pytest.raises(KeyError), s3s4.threads(5):
            raise KeyError
        assert s3s4.get_num_threads() == 3
    assert s3s4.get_num_threads() == 2


@needs_openmp
def test_a_block_can_be_kept_and_entered_again():
    before, block, other = s3s4.get_num_threads(), s3s4.threads(3), s3s4.threads(5)
    barrier, found = threading.Barrier(2, timeout=30), []

    def work(mine):
        with mine:
            barrier.wait()
            with block:
                barrier.wait()
                found.append(s3s4.get_num_threads())
            found.append(s3s4.get_num_threads())

    workers = [threading.Thread(target=work, args=(mine,)) for mine in (block, other)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(found) == [3, 3, 3, 5]
    with block, other, block:
        assert s3s4.get_num_threads() == 3
    assert block(s3s4.get_num_threads)() == 3
    assert s3s4.get_num_threads() == before


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (1025, ValueError),
        (100_000, ValueError),
        (2**40, ValueError),
        (1.5, TypeError),
        ("2", TypeError),
        (None, TypeError),
        (True, TypeError),
    ],
)
@pytest.mark.parametrize("function", [s3s4.set_num_threads, s3s4.threads])
def test_a_wrong_number_is_refused_by_name(function, wrong, error):
    (name,) = inspect.signature(function).parameters
    before = s3s4.get_num_threads()
    with pytest.raises(error, match=rf"\b{name}\b"):
        function(wrong)
    assert s3s4.get_num_threads() == before


SHOW = "import s3s4; print(s3s4.get_num_threads())"


@needs_openmp
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"S3S4_NUM_THREADS": "3"}, "3"),
        ({"OMP_NUM_THREADS": "3"}, "3"),
        ({"S3S4_NUM_THREADS": "4", "OMP_NUM_THREADS": "1"}, "4"),
        ({"S3S4_NUM_THREADS": "100000"}, "1024"),
        ({"OMP_NUM_THREADS": "100000"}, "1024"),
    ],
)
def test_environment_sets_the_number(environment, expected):
    empty = {"S3S4_NUM_THREADS": "", "OMP_NUM_THREADS": ""}
    assert python(SHOW, **{**empty, **environment}).stdout.strip() == expected


@pytest.mark.parametrize("wrong", ["0", "1.5"])
def test_a_wrong_environment_is_refused_by_name(wrong):
    done = python(SHOW, check=False, S3S4_NUM_THREADS=wrong)
    assert done.returncode != 0
    assert "S3S4_NUM_THREADS" in done.stderr.splitlines()[-1]
    assert wrong in done.stderr.splitlines()[-1]


@needs_affinity
def test_affinity_limits_the_number():
    code = f"import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); {SHOW}"
    assert python(code, S3S4_NUM_THREADS="", OMP_NUM_THREADS="").stdout.strip() == "1"


TASKS = "len(__import__('os').listdir('/proc/self/task'))"


def processors():
    return len(os.sched_getaffinity(0))


@needs_openmp
@needs_affinity
@pytest.mark.parametrize(
    "variable",
    [
        "OMP_PROC_BIND=true",
        "OMP_PLACES=threads",
        *[pytest.param(f"OMP_PROC_BIND={v}", marks=pytest.mark.slow) for v in ("close", "spread")],
    ],
)
def test_threads_that_openmp_binds_are_as_many_as_else(variable):
    name, value = variable.split("=")
    done = python(SHOW, **{name: value}, S3S4_NUM_THREADS="", OMP_NUM_THREADS="")
    assert done.stdout.strip() == str(processors())


@needs_openmp
@needs_affinity
@pytest.mark.parametrize("name", ["OMP_PLACES", "GOMP_CPU_AFFINITY"])
def test_places_limit_the_number(name):
    one = str(min(os.sched_getaffinity(0)))
    place = f"{{{one}}}" if name == "OMP_PLACES" else one
    done = python(SHOW, **{name: place}, S3S4_NUM_THREADS="", OMP_NUM_THREADS="")
    assert done.stdout.strip() == "1"


# A filter that answers EPERM to sched_getaffinity, as some sandboxes do.
SECCOMP = """
import ctypes, errno, os, struct
def instruction(code, k, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, k)
program = b"".join([
    instruction(0x20, 0), instruction(0x15, 204, 0, 1),
    instruction(0x06, 0x00050000 | errno.EPERM), instruction(0x06, 0x7FFF0000)])
buffer = ctypes.create_string_buffer(program, len(program))
header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, header) == 0
try:
    os.sched_getaffinity(0)
except PermissionError:
    print("refused")
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64", reason="a filter for Linux on x86-64"
)
def test_import_where_the_system_does_not_say_which_processors():
    done = python(f"{SECCOMP}\n{SHOW}", S3S4_NUM_THREADS="", OMP_NUM_THREADS="")
    refused, number = done.stdout.split()
    assert refused == "refused"
    assert int(number) >= 1


SPIN = """
import os, s3s4
from s3s4 import _cpu
seen, load = {}, _cpu.variant.importlib.import_module
def watched(name):
    seen.update(os.environ)
    return load(name)
_cpu.variant.importlib.import_module = watched
before = dict(os.environ)
_cpu.load(_cpu.variant.name)
assert dict(os.environ) == before
print(seen.get("GOMP_SPINCOUNT"), seen.get("OMP_WAIT_POLICY"))
"""


def test_libgomp_is_loaded_with_a_bounded_wait():
    count, policy = python(SPIN, GOMP_SPINCOUNT="", OMP_WAIT_POLICY="").stdout.split()
    # 50 microseconds of at least a tenth of a nanosecond and at most a microsecond each.
    assert 50 <= int(count) <= 500_000
    assert policy == "None"


@pytest.mark.parametrize(("count", "policy"), [("77", ""), ("", "active"), ("77", "passive")])
def test_the_wait_that_the_user_has_set_stays(count, policy):
    done = python(SPIN, GOMP_SPINCOUNT=count, OMP_WAIT_POLICY=policy)
    assert done.stdout.split() == [count or "None", policy or "None"]


@needs_openmp
def test_a_block_belongs_to_its_coroutine():
    found = {}

    async def run(n, enter, leave):
        await enter.wait()
        with s3s4.threads(n):
            entered[n].set()
            await leave.wait()
            # The other block was entered, or left, after this one was entered.
            found[n] = s3s4.get_num_threads(), used_by(n)
        left[n].set()

    async def main():
        start = asyncio.Event()
        start.set()
        # 3 enters, 5 enters, 3 leaves, 5 leaves.
        await asyncio.gather(run(3, start, entered[5]), run(5, entered[3], left[3]))

    def used_by(n):
        s3s4.s4(x)
        return s3s4._cpu.kernels.threads_now()

    (x,) = inputs(1, LARGE)
    entered, left = ({n: asyncio.Event() for n in (3, 5)} for _ in range(2))
    before = s3s4.get_num_threads()
    asyncio.run(main())
    assert found == {3: (3, 3), 5: (5, 5)}
    assert s3s4.get_num_threads() == s3s4._cpu.kernels.threads_now() == before


@needs_openmp
def test_a_block_is_kept_by_asyncio_to_thread_and_unknown_to_other_threads():
    async def main():
        with s3s4.threads(3):
            return await asyncio.to_thread(s3s4.get_num_threads)

    assert asyncio.run(main()) == 3
    found = []
    with s3s4.threads(3):
        thread = threading.Thread(target=lambda: found.append(s3s4._cpu.kernels.threads_now()))
        thread.start()
        thread.join()
    assert found == [s3s4.get_num_threads()]


@pytest.mark.parametrize("call", ["s3s4.s4(y)", "s3s4.s4.backward(y, y)[1]", "s3s4.softmax(y)"])
def test_a_small_stack_suffices(call):
    python(
        "import numpy as np, threading, s3s4\n"
        "x = np.linspace(-9, 9, 1_000_000).astype('f'); done = []\n"
        "threading.stack_size(65536)\n"
        "for y in (x, x[::2], x.reshape(1000, 1000).T):\n"
        f"    wanted = {call}\n"
        "    def work():\n"
        "        for n in (2, 5):\n"
        "            with s3s4.threads(n):\n"
        f"                found = {call}\n"
        "            done.append(np.array_equal(found, wanted))\n"
        "    thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "assert done == [True] * 6"
    )


@needs_openmp
def test_the_most_threads_fit_on_any_stack():
    python(
        f"import numpy as np, threading, s3s4; x = np.linspace(-9, 9, {LARGE}); done = []\n"
        "wanted = s3s4.s4(x)\n"
        "def work():\n"
        "    with s3s4.threads(1024): done.append(np.array_equal(s3s4.s4(x), wanted))\n"
        "work(); threading.stack_size(65536)\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "assert done == [True, True]"
    )


# Threads may be started as long as fewer than LIMIT of those started here are alive.
FEW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
static atomic_int alive;
struct call { void *(*function)(void *); void *argument; };
static void ended(void *unused) { (void)unused; alive--; }
static void *run(void *given) {
    struct call call = *(struct call *)given;
    void *result;
    free(given);
    pthread_cleanup_push(ended, NULL);
    result = call.function(call.argument);
    pthread_cleanup_pop(1);
    return result;
}
int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *argument) {
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
    if (alive++ >= LIMIT) return alive--, EAGAIN;
    struct call *call = malloc(sizeof *call);
    *call = (struct call){f, argument};
    return create(t, a, run, call);
}
"""


@needs_openmp
@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler on this machine")
def test_where_threads_cannot_be_started_there_are_fewer(tmp_path):
    (tmp_path / "few.c").write_text(FEW)
    command = ["cc", "-shared", "-fPIC", "-DLIMIT=2", "few.c", "-o", "few.so", "-ldl", "-pthread"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = python(
        f"import os, numpy as np, s3s4; x = np.linspace(-9, 9, {LARGE}); a = {TASKS}\n"
        "with s3s4.threads(1): wanted = s3s4.s4(x)\n"
        "for n in (2, 7, 3):\n"
        f"    with s3s4.threads(n): print(np.array_equal(s3s4.s4(x), wanted), {TASKS} - a)\n"
        "os._exit(0)",
        LD_PRELOAD=str(tmp_path / "few.so"),
        OPENBLAS_NUM_THREADS="1",
    )
    assert done.stdout.split() == ["True", "1", "True", "2", "True", "2"]


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_import_starts_no_thread():
    done = python(f"import numpy; a = {TASKS}; import s3s4; print({TASKS} - a)")
    assert done.stdout.strip() == "0"


QUICK = f"""
import os, time, numpy as np
from s3s4 import s4
x, out = np.linspace(-5, 5, 8192), np.empty(8192)
s4(x[:10])
before = {TASKS}
for _ in range(20):
    s4(x, out=out)
    time.sleep(0.002)
print({TASKS} - before)
for _ in range(20_000):
    s4(x, out=out)
    if {TASKS} > before:
        break
print({TASKS} - before)
"""


@needs_openmp
@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_short_loops_in_quick_succession_use_threads_and_single_ones_do_not():
    environment = {"S3S4_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "S3S4_CACHE_DIR": os.devnull}
    assert python(QUICK, **environment).stdout.split() == ["0", "1"]


@needs_openmp
@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_large_arrays_start_as_many_threads_as_asked_for():
    for n in (1, 2, 4):
        done = python(
            "import numpy as np, s3s4\n"
            f"x = np.ones(4_000_000); a = {TASKS}; s3s4.s4(x[:100]); b = {TASKS}\n"
            f"s3s4.s4(x); print(b - a, {TASKS} - a)",
            S3S4_NUM_THREADS=str(n),
        )
        assert done.stdout.split() == ["0", str(n - 1)]


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_a_limit_set_from_outside_holds():
    pytest.importorskip("threadpoolctl")
    python(
        "import numpy as np, s3s4, threadpoolctl\n"
        "with threadpoolctl.threadpool_limits(1):\n"
        "    assert s3s4.get_num_threads() == 1\n"
        f"    x = np.ones(4_000_000); a = {TASKS}; s3s4.s4(x); assert {TASKS} == a"
    )


# --- Forks ---------------------------------------------------------------------------------------

PREPARE = """
import faulthandler, multiprocessing, os, sys
import numpy as np, s3s4
faulthandler.dump_traceback_later(50, exit=True)
X = np.linspace(-9, 9, 2_000_000)
G = X[::-1].copy()
def agree():
    same = np.array_equal(s3s4.s4(X), EXPECTED)
    same &= np.array_equal(s3s4.s4(X.reshape(2000, 1000).T).T.ravel(), EXPECTED)
    return bool(same and s3s4.s4.backward(G, X)[1] == SUM)
def child(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""
# The parent uses its threads before it forks.
USED = "s3s4.set_num_threads(2); EXPECTED = s3s4.s4(X); SUM = s3s4.s4.backward(G, X)[1]\n"


@needs_fork
@pytest.mark.parametrize(
    "action",
    [
        "assert child(agree) and agree()",
        "assert child(lambda: agree() and child(agree)) and agree()",
        "assert child(lambda: child(agree)) and agree()",
        pytest.param(
            "assert child(lambda: s3s4.get_num_threads() == 1) and s3s4.get_num_threads() == 2",
            marks=needs_openmp,
        ),
    ],
    ids=["child", "child and grandchild", "grandchild alone", "number"],
)
def test_fork(action):
    python(PREPARE + USED + action)


@needs_fork
def test_fork_before_any_thread():
    code = "s3s4.set_num_threads(2); EXPECTED = SUM = None\n"
    python(
        PREPARE
        + code
        + "assert child(lambda: s3s4.s4(X).shape == X.shape)\n"
        + USED
        + "assert agree()"
    )


@needs_fork
def test_fork_from_another_thread():
    python(
        PREPARE + USED + "import threading\n"
        "found = []\n"
        "thread = threading.Thread(target=lambda: found.append(child(agree)))\n"
        "thread.start(); thread.join(); assert found == [True] and agree()"
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method, tmp_path):
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    script = tmp_path / "main.py"
    script.write_text(
        "import multiprocessing, numpy as np, s3s4\n"
        "X = np.linspace(-9, 9, 2_000_000)\n"
        "def total(k):\n"
        "    return float(s3s4.s4(X, k).sum()), float(s3s4.s4.backward(X, X, k)[1])\n"
        "if __name__ == '__main__':\n"
        "    expected = [total(k) for k in (1.0, 5.0)]\n"
        f"    with multiprocessing.get_context({method!r}).Pool(2) as pool:\n"
        "        found = pool.map_async(total, (1.0, 5.0)).get(50)\n"
        "    assert found == expected, found\n"
        "    assert [total(k) for k in (1.0, 5.0)] == expected\n"
    )
    python(
        f"import sys, subprocess; sys.exit(subprocess.call([sys.executable, {str(script)!r}]))",
        S3S4_NUM_THREADS="2",
    )
