"""What ``s3s4 doctor`` finds out about the processor, and what it says of a GPU."""

import numpy as np
import pytest

import s3s4
from s3s4 import _cpu, _devices
from s3s4._command import processor as _processor
from s3s4._command.main import main
from s3s4._command.processor import Threads

WELL = Threads(most=2, speedup=1.9, at_once=True, equal=True)
RIGHT = [_processor.Check("s4", "float64", 1.5, True)]


@pytest.fixture(autouse=True)
def without_times(monkeypatch):
    """Let no test depend on how busy the machine is, or on whether it has a GPU."""
    monkeypatch.setattr(_processor, "threads", lambda: WELL)
    monkeypatch.setattr(_processor, "speeds", lambda: [_processor.Speed("s4", "float64", 2e9, 4e9)])
    monkeypatch.delenv("S3S4_DEVICE", raising=False)
    state = _devices._State()
    state.known, state.reason = True, "no driver"
    monkeypatch.setattr(_devices, "_state", state)


def test_all_is_well(capsys):
    assert main(["doctor"]) == 0
    output, error = capsys.readouterr()
    assert error == ""
    assert f"{len(_cpu.ufuncs)} functions in float32 and float64" in output
    assert "threads  2: 1.9 times as fast as one\n" in output
    assert "s4               float64         2       4    50%\n" in output
    assert output.endswith("gpu      device='gpu' is not available: no driver\n")


class Slipped:
    """A ufunc whose result is a little wrong at one number, in one type."""

    def __init__(self, ufunc, number, dtype):
        self.nin, self.nout, self.signature = ufunc.nin, ufunc.nout, ufunc.signature
        self._ufunc, self._number, self._dtype = ufunc, number, dtype

    def __call__(self, *arguments):
        result = self._ufunc(*arguments)
        at = (arguments[0] == self._number) & (result.dtype == self._dtype)
        return np.where(at, result + result.dtype.type(1e-4), result).astype(result.dtype)


@pytest.mark.parametrize("name", ["s4", "gelu", "s4_dk", "softmax", "softmax_vjp"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_wrong_kernel_is_found(monkeypatch, capsys, name, dtype):
    wrong = Slipped(_cpu.ufuncs[name], 1, dtype)
    if name.startswith("softmax"):
        monkeypatch.setattr(np, "linspace", lambda *a: np.arange(320) % 17.0)
    monkeypatch.setattr(_processor._cpu, "ufuncs", {"s3": _cpu.ufuncs["s3"], name: wrong})
    assert main(["doctor"]) == 1
    output, error = capsys.readouterr()
    assert f"WRONG    {name}, {dtype}: " in output
    assert error == "s3s4: 1 results of the CPU are wrong\n"


def test_nan_is_wrong():
    assert _processor._apart(np.array([np.nan]), np.array([1], np.longdouble)) == np.inf
    assert _processor._apart(np.array([1.0]), np.array([np.nan], np.longdouble)) == np.inf
    assert _processor._apart(np.array([np.nan]), np.array([np.nan], np.longdouble)) == 0


@pytest.mark.parametrize(
    ("change", "code", "shown", "error"),
    [
        ({"at_once": None}, 0, "the machine is too busy to tell", ""),
        ({"at_once": False, "speedup": 0.9}, 1, "0.9 times", "2 threads do not run at once"),
        ({"equal": False}, 1, "1.9 times", "threads give other results than one"),
    ],
)
def test_threads(monkeypatch, capsys, change, code, shown, error):
    monkeypatch.setattr(_processor, "checks", lambda: RIGHT)
    monkeypatch.setattr(_processor, "threads", lambda: WELL._replace(**change))
    assert main(["doctor"]) == code
    found = capsys.readouterr()
    assert shown in found.out
    assert error in found.err


@pytest.mark.parametrize(
    ("one", "all_of_them", "at_once"),
    [(1.0, 1.9, True), (1.0, 1.01, False), (0.5, 1.0, None), (0.6, 1.5, True)],
)
def test_whether_threads_ran_at_once(monkeypatch, one, all_of_them, at_once):
    """A second goes by in every measurement, and so much processor time for one or two threads."""
    monkeypatch.undo()
    monkeypatch.setattr(_processor, "LARGE", 1000)
    clock, spent = iter(range(100)), [0.0]

    def process_time():
        spent[0] += one if s3s4.get_num_threads() == 1 else all_of_them
        return spent[0]

    monkeypatch.setattr(_processor.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(_processor.time, "process_time", process_time)
    with s3s4.threads(2):
        assert _processor.threads() == Threads(2, 1.0, at_once, True)
    with s3s4.threads(1):
        assert _processor.threads().at_once


def test_speeds(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(_processor, "LARGE", 1000)
    found = list(_processor.speeds())
    assert [speed.function for speed in found[::2]] == ["s3", "s3_dx", "s4", "s4_dx"]
    assert all(speed.achieved > 0 and speed.copy > 0 for speed in found)


def test_a_gpu_that_does_not_work_is_said(monkeypatch, capsys):
    monkeypatch.setattr(_processor, "checks", lambda: RIGHT)
    _devices._state.is_there = True
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == "s3s4: device='gpu' is not available: no driver\n"
    _devices._state.is_there = False
    monkeypatch.setenv("S3S4_DEVICE", "gpu")
    assert main(["doctor"]) == 2
