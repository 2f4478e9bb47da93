"""What threads are worth: measured by calibrate, kept, and handed to the kernels at import."""

import os
import sys

import numpy as np
import pytest

import s3s4
from s3s4 import _cpu, _devices
from s3s4._command import figures
from s3s4._command.main import main
from s3s4._measured import cache as _cache
from s3s4._measured import comparison as _calibration
from s3s4._measured import cutover as _cutover
from support import python

F64 = np.dtype(np.float64)


@pytest.fixture
def sizes(monkeypatch, tmp_path):
    """The sizes that are set, by dtype; nothing measured, two threads."""
    monkeypatch.delenv("S3S4_CALIBRATE", raising=False)
    monkeypatch.setenv("S3S4_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(_cutover, "_state", _cutover._State())
    monkeypatch.setattr(_cutover, "_measure_threads", lambda *given: comparison(20_000))
    monkeypatch.setattr(_cpu, "get_num_threads", lambda: 2)
    found = {}
    monkeypatch.setattr(
        _cpu, "set_parallel_size", lambda name, dtype, n: found.__setitem__(dtype.name, n)
    )
    return found


def comparison(cutover, samples=2):
    return _calibration.Comparison(
        ("one thread", "2 threads"),
        tuple(_calibration.Sample(size, 1.0, 1.0) for size in range(1, samples + 1)),
        (),
        cutover,
        f"time was up after {samples} sizes",
    )


def restart():
    """As far as this module is concerned."""
    _cutover._state = _cutover._State()
    _cutover.restore_threads()


def test_calibrate_sets_it_and_the_next_process_finds_it(sizes):
    s3s4.calibrate()
    assert sizes == {"float32": 20_000, "float64": 20_000}
    sizes.clear()
    restart()
    assert sizes == {"float32": 20_000, "float64": 20_000}


def test_no_call_measures_or_reads(sizes, monkeypatch):
    monkeypatch.setattr(_cutover, "_measure_threads", None)
    monkeypatch.setattr(_cache, "load", None)
    s3s4.s4(np.zeros(200_000), device="cpu")
    assert not sizes


def test_calibration_that_is_off(sizes, monkeypatch):
    s3s4.calibrate()
    sizes.clear()
    monkeypatch.setenv("S3S4_CALIBRATE", "0")
    restart()
    assert not sizes


@pytest.mark.parametrize("cutover", [None, 70_000])
def test_what_is_found_of_a_gpu_says_why_in_a_sentence(cutover):
    found = _calibration.Comparison(
        ("CPU", "GPU"),
        tuple(_calibration.Sample(size, 1.0, 1.0) for size in (1, 2)),
        (_calibration.Line(1e-6, 1.5e-9), _calibration.Line(30e-6, 2e-9)),
        cutover,
        "both were clear",
    )
    last = str(_cutover.Calibration({("value", "float32"): found}, {}, "made up")).splitlines()[-3]
    assert last == (
        "because an element takes the GPU 2 ns, both copies included, and the CPU 1.5 ns, and a "
        "call 30 us before its first"
    )


@pytest.mark.parametrize("changed", ["threads", "variant"])
def test_another_machine_finds_nothing(sizes, monkeypatch, changed):
    s3s4.calibrate()
    sizes.clear()
    if changed == "threads":
        monkeypatch.setattr(_cpu, "get_num_threads", lambda: 3)
    else:
        monkeypatch.setattr(_cpu.variant, "name", "another")
    restart()
    assert not sizes


@pytest.mark.parametrize(("cutover", "bound"), [(1, 1 / 8), (None, 8), (1 << 40, 8)])
def test_what_a_disturbed_machine_shows_is_bounded(sizes, monkeypatch, cutover, bound):
    monkeypatch.setattr(_cutover, "_measure_threads", lambda *given: comparison(cutover))
    s3s4.calibrate()
    name, _ = _cutover._example(F64)
    assert sizes["float64"] == pytest.approx(bound * _cpu.usual_parallel_size(name, F64), rel=1e-3)


def test_a_machine_too_busy_to_measure_changes_nothing(sizes, monkeypatch, tmp_path):
    monkeypatch.setattr(_cutover, "_measure_threads", lambda *given: comparison(None, samples=1))
    found = s3s4.calibrate()
    assert not sizes
    assert not list(tmp_path.iterdir())
    assert not found.comparisons
    assert set(found.dropped) == {("threads", "float32"), ("threads", "float64")}
    monkeypatch.setattr(_cutover, "_measure_threads", lambda *given: comparison(20_000))
    assert not s3s4.calibrate().dropped
    assert sizes == {"float32": 20_000, "float64": 20_000}


@pytest.mark.parametrize("busy", [["float32"], ["float64"], ["float32", "float64"]], ids=" ".join)
def test_the_command_names_what_was_dropped(sizes, monkeypatch, tmp_path, capsys, busy):
    monkeypatch.setattr(_devices, "gpu", no_gpu)
    monkeypatch.setattr(
        _cutover,
        "_measure_threads",
        lambda index, progress: comparison(None, samples=1 if index[1] in busy else 2),
    )
    picture = tmp_path / "cutover.png"
    assert main(["calibrate", "--plot", str(picture)]) == (len(busy) == 2)
    output, error = capsys.readouterr()
    dropped = [line for line in output.splitlines() if "dropped" in line]
    assert dropped == [
        f"threads, {dtype}: dropped, time was up after 1 sizes" for dtype in sorted(busy)
    ]
    assert ("s3s4: nothing was found" in error) == (len(busy) == 2)
    assert picture.exists() == (len(busy) < 2)


def test_nothing_to_measure_is_no_failure_but_no_picture(sizes, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(_devices, "gpu", no_gpu)
    monkeypatch.setattr(_cpu, "get_num_threads", lambda: 1)
    assert main(["calibrate"]) == 0
    picture = tmp_path / "cutover.png"
    assert main(["calibrate", "--plot", str(picture)]) == 2
    assert "nothing to draw" in capsys.readouterr().err
    assert not picture.exists()


def no_gpu():
    raise s3s4.GPUUnavailable("none here")


@pytest.mark.parametrize("count", [1, 2, 3, 6, 8])
def test_a_panel_for_each_comparison(count):
    found = {("value", f"type {number}"): comparison(None) for number in range(count)}
    figure = figures.cutovers(s3s4.Calibration(found, {}, "none"))
    assert len(figure.axes) == count
    assert all(axes.has_data() for axes in figure.axes)


def test_one_thread_measures_nothing(sizes, monkeypatch):
    monkeypatch.setattr(_cpu, "get_num_threads", lambda: 1)
    assert not s3s4.calibrate().comparisons
    assert not sizes


def test_functions_follow_by_their_work():
    before = {t: _cpu.parallel_size("s4", np.dtype(t)) for t in (np.float32, np.float64)}
    try:
        _cpu.set_parallel_size("s4", F64, 9_000)
        assert _cpu.parallel_size("s4", F64) == 9_000
        assert _cpu.parallel_size("s3", F64) == 9_000 * 3 // 2
        assert _cpu.parallel_size("s4", np.dtype(np.float32)) == before[np.float32]
    finally:
        for t, n in before.items():
            _cpu.set_parallel_size("s4", np.dtype(t), n)


def test_measuring_leaves_the_sizes_as_they_were():
    before = _cpu.parallel_size("s4", F64)
    found = _cutover._measure_threads(("threads", "float64"), lambda sample: None)
    assert found.names[0] == "one thread"
    assert _cpu.parallel_size("s4", F64) == before


# --- In processes of their own -------------------------------------------------------------------

needs_threads = pytest.mark.skipif(
    sys.platform != "linux" or not s3s4.build_config()["openmp"],
    reason="threads are counted in /proc, and this build or system has none there",
)
ROADS = {
    "front": "s3s4.s4(x)",
    "strided": "s3s4.s4(xx[::2])",
    "both": "s3s4.s4.value_and_derivative(x)",
    "backward": "s3s4.s4.backward(x, x)",
    "ufunc": "s3s4.ufuncs.s4(x, 5.0)",
    "ufunc backward": "s3s4.ufuncs.s4_value_dx(x, 5.0)",
    "rows": "s3s4.softmax(x.reshape(-1, 20))",
    "rows backward": "s3s4.softmax.backward(*2 * [x.reshape(-1, 20)])",
    "ufunc of rows": "s3s4.ufuncs.softmax(x.reshape(-1, 20))",
}
KEEP = """
from s3s4._measured import cache, comparison, cutover
samples = tuple(comparison.Sample(size, 1.0, 1.0) for size in (1, 2))
for dtype in ("float32", "float64"):
    found = comparison.Comparison(("one", "two"), samples, (), {cutover}, "made up")
    cache.store(cutover._key(("threads", dtype)), found.to_json())
"""
COUNT = """
import os, numpy as np
import s3s4
def threads():
    return len(os.listdir("/proc/self/task"))
before = threads()
xx = np.linspace(-3, 3, {size} * 2)
x = xx[:{size}].copy()
for number, road in enumerate({roads}):
    # Every road asks for one thread more than are there.
    with s3s4.threads(number + 2):
        exec(road)
    print(threads() - before)
"""


@needs_threads
@pytest.mark.parametrize(
    ("cutover", "size", "in_threads"), [("None", 80_000, False), ("0", 8_000, True)]
)
def test_every_road_obeys_what_was_kept(tmp_path, cutover, size, in_threads):
    """Where nothing is kept, 80 000 elements are computed in threads and 8 000 are not."""
    roads = list(ROADS.values())
    environment = {"S3S4_NUM_THREADS": "2", "OMP_NUM_THREADS": "64", "S3S4_CALIBRATE": ""}
    code = COUNT.format(size=size, roads=roads)
    grown = [str(number + 1) for number in range(len(roads))]
    serial = ["0"] * len(roads)
    usual = python(code, S3S4_CACHE_DIR=str(tmp_path), **environment).stdout.split()
    assert usual == (serial if in_threads else grown)
    python(KEEP.format(cutover=cutover), S3S4_CACHE_DIR=str(tmp_path), **environment)
    kept = python(code, S3S4_CACHE_DIR=str(tmp_path), **environment).stdout.split()
    assert kept == (grown if in_threads else serial)


FIRST_LARGE_CALL = """
import atexit, os, resource, sys, warnings
import numpy as np
started = []
names = {"subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"}
sys.addaudithook(lambda name, given: started.append(name) if name in names else None)
warnings.simplefilter("error")
import s3s4
x = np.linspace(-3, 3, 1 << 20)
def calls():
    try:
        s3s4.s4(x), s3s4.s4(x.reshape(1024, -1).T, 2.0), s3s4.s4.backward(x, x)
        s3s4.ufuncs.s4(x, 5.0), s3s4.softmax(x), s3s4.s4.value_and_derivative(x.astype("f4"))
        assert not started, started
    except BaseException as error:
        os.write(2, repr(error).encode())
        os._exit(1)
    os.write(1, b"done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such limit")
@pytest.mark.parametrize(
    "when",
    [
        "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0)); calls()",
        "atexit.register(calls)",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0)); atexit.register(calls)",
    ],
    ids=["no descriptor is left", "at exit", "both"],
)
def test_the_first_large_call_never_fails_and_starts_no_process(tmp_path, when):
    environment = {"S3S4_CACHE_DIR": str(tmp_path), "S3S4_CALIBRATE": "", "S3S4_DEVICE": ""}
    assert python(FIRST_LARGE_CALL + when, **environment).stdout == "done"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("20000", "1" + 399 * "0"),
        lambda text: text.replace("20000", "1" + 9999 * "0"),
        lambda text: text.replace("20000", "1e999"),
        lambda text: text.replace("20000", "-1"),
        lambda text: text.replace("20000", "NaN"),
        lambda text: text.replace("20000", "true"),
        lambda text: text.replace("20000", '"20000"'),
        lambda text: text.replace("1.0", "1" + 399 * "0"),
        lambda text: text.replace("1.0", "null"),
        lambda text: text.replace('"size"', '"sizes"'),
        lambda text: text.replace('"threads"', "7"),
        lambda text: text.replace("{", "[").replace("}", "]"),
        lambda text: 100_000 * "[",
        lambda text: 50_000 * '{"value":',
        lambda text: text[: len(text) // 2],
        lambda text: "\ud800".join(text),
        lambda text: "",
    ],
)
def test_a_kept_file_of_any_kind_is_no_error(sizes, tmp_path, spoil):
    s3s4.calibrate()
    for path in tmp_path.iterdir():
        path.write_text(spoil(path.read_text("utf-8")), "utf-8", errors="surrogatepass")
    sizes.clear()
    restart()
    assert not sizes
    s3s4.calibrate()
    assert sizes == {"float32": 20_000, "float64": 20_000}


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="this system has no symbolic links")
@pytest.mark.parametrize("target", ["/dev/zero", "/dev/full", "/", "itself", "nothing"])
def test_a_link_to_anything_is_no_error(sizes, tmp_path, target):
    s3s4.calibrate()
    for path in tmp_path.iterdir():
        path.unlink()
        path.symlink_to(path if target == "itself" else target)
    sizes.clear()
    restart()
    assert not sizes
