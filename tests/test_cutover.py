"""What threads are worth: measured by calibrate, kept, and read by the first large call."""

import numpy as np
import pytest

import s3s4
from s3s4 import _cpu
from s3s4._measured import comparison as _calibration
from s3s4._measured import cutover as _cutover

F64 = np.dtype(np.float64)
LARGE = np.zeros(_cutover.THREADS_FLOOR)


@pytest.fixture
def sizes(monkeypatch, tmp_path):
    """The sizes that are set, by dtype; nothing measured, two threads."""
    monkeypatch.delenv("S3S4_CALIBRATE", raising=False)
    monkeypatch.setenv("S3S4_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(_cutover, "_state", _cutover._State())
    monkeypatch.setattr(_cutover, "_measure_threads", lambda *given: comparison(10_000))
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
        "made up",
    )


def restart():
    _cutover._state = _cutover._State()


def test_calibrate_sets_it_and_the_next_process_finds_it(sizes):
    s3s4.calibrate()
    assert sizes == {"float32": 10_000, "float64": 10_000}
    sizes.clear()
    restart()
    s3s4.s4(LARGE[:-1])
    s3s4.s4([1.0, 2.0])
    assert not sizes
    s3s4.s4(LARGE)
    assert sizes == {"float32": 10_000, "float64": 10_000}
    sizes.clear()
    s3s4.s4(LARGE)
    assert not sizes


def test_no_call_measures(sizes, monkeypatch):
    monkeypatch.setattr(_cutover, "_measure_threads", None)
    s3s4.s4(LARGE, device="cpu")
    assert not sizes


def test_calibration_that_is_off(sizes, monkeypatch):
    s3s4.calibrate()
    sizes.clear()
    restart()
    monkeypatch.setenv("S3S4_CALIBRATE", "0")
    s3s4.s4(LARGE)
    assert not sizes


@pytest.mark.parametrize("changed", ["threads", "variant"])
def test_another_machine_finds_nothing(sizes, monkeypatch, changed):
    s3s4.calibrate()
    sizes.clear()
    restart()
    if changed == "threads":
        monkeypatch.setattr(_cpu, "get_num_threads", lambda: 3)
    else:
        monkeypatch.setattr(_cpu.variant, "name", "another")
    s3s4.s4(LARGE)
    assert not sizes


@pytest.mark.parametrize(("cutover", "bound"), [(1, 1 / 8), (None, 8), (1 << 40, 8)])
def test_what_a_disturbed_machine_shows_is_bounded(sizes, monkeypatch, cutover, bound):
    monkeypatch.setattr(_cutover, "_measure_threads", lambda *given: comparison(cutover))
    s3s4.calibrate()
    name, _ = _cutover._example(F64)
    assert sizes["float64"] == pytest.approx(bound * _cpu.usual_parallel_size(name, F64), rel=1e-3)


def test_a_machine_too_busy_to_measure_changes_nothing(sizes, monkeypatch, tmp_path):
    monkeypatch.setattr(_cutover, "_measure_threads", lambda *given: comparison(None, samples=1))
    s3s4.calibrate()
    assert not sizes
    assert not list(tmp_path.iterdir())


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
