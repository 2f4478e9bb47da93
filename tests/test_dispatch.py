"""Which device a call takes, with a made-up GPU in place of a real one."""

import os
import sys
import threading
import types
import warnings
from typing import NamedTuple

import numpy as np
import pytest

import s3s4
from s3s4 import _cpu, _devices, _route
from s3s4._command.main import main
from s3s4._measured import comparison as _calibration
from s3s4._measured import cutover as _cutover
from support import assert_same_bits, python

X = np.linspace(-5, 5, _cutover.FLOOR)


class Device(NamedTuple):
    name: str
    capability: str
    memory: int


class Backend(types.SimpleNamespace):
    """Counts calls; computes on the CPU."""

    SIMULATED = False

    def __init__(self):
        super().__init__(calls=0, error=None)

    def device(self):
        return Device("made up", "0.0", 0)

    def evaluate(self, function, x, parameters, outs):
        self.calls += 1
        if self.error:
            raise self.error
        results = _cpu.ufuncs[function](x, *parameters)
        results = results if isinstance(results, tuple) else (results,)
        for out, result in zip(outs, results, strict=True):
            if out is not None:
                out[...] = result
        return tuple(r if o is None else o for o, r in zip(outs, results, strict=True))


@pytest.fixture
def backend(monkeypatch, tmp_path):
    """A GPU that is faster from 2 * FLOOR elements on."""
    for name in ("S3S4_DEVICE", "S3S4_CALIBRATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("S3S4_CACHE_DIR", str(tmp_path))
    state = _devices._State()
    state.gpu, state.known, state.process = Backend(), True, os.getpid()
    monkeypatch.setattr(_devices, "_state", state)
    monkeypatch.setattr(_cutover, "_state", _cutover._State())
    monkeypatch.setattr(_cutover, "_measure_threads", lambda *given: comparison(20_000))
    monkeypatch.setattr(_cpu, "set_parallel_size", lambda *given: None)
    monkeypatch.setattr(_cutover, "_measure_gpu", lambda *given: comparison(2 * _cutover.FLOOR))
    return state.gpu


def comparison(cutover):
    samples = tuple(_calibration.Sample(size, 1.0, 1.0) for size in (1, 2))
    return _calibration.Comparison(("CPU", "GPU"), samples, (), cutover, "made up")


def test_nothing_goes_to_a_gpu_that_was_not_measured(backend, monkeypatch):
    """Nor is one looked for: CUDA would begin, which no child of this process survives."""
    _devices._state.known = False
    monkeypatch.setattr(_devices, "_find", None)
    s3s4.s4(np.tile(X, 8))
    assert backend.calls == 0


def test_never_is_read_before_a_gpu_is_looked_for(backend, monkeypatch):
    monkeypatch.setattr(_cutover, "_measure_gpu", lambda *given: comparison(None))
    s3s4.calibrate()
    _cutover._state.known.clear()
    _devices._state.known = False
    monkeypatch.setattr(_devices, "_find", None)
    s3s4.s4(np.tile(X, 8))
    assert backend.calls == 0


def test_the_cutover_decides(backend):
    s3s4.calibrate()
    s3s4.s4(X)
    assert backend.calls == 0
    assert_same_bits(s3s4.s4(np.tile(X, 2)), np.tile(_cpu.ufuncs["s4"](X, 5.0), 2))
    assert backend.calls == 1


def test_never(backend, monkeypatch):
    monkeypatch.setattr(_cutover, "_measure_gpu", lambda *given: comparison(None))
    s3s4.s4(np.tile(X, 8))
    assert backend.calls == 0


def test_a_threshold_of_the_call_or_the_object(backend):
    small = X[:100]
    s3s4.s4(small, gpu_threshold=100)
    assert backend.calls == 1
    s3s4.s4(small, gpu_threshold=101)
    assert backend.calls == 1
    s3s4.S4Activation(gpu_threshold=10)(small)
    assert backend.calls == 2
    assert s3s4.S4Activation(gpu_threshold=10).get_backend_info(small)["device"] == "gpu"


def test_no_calibration(backend, monkeypatch):
    monkeypatch.setenv("S3S4_CALIBRATE", "0")
    monkeypatch.setattr(_cutover, "_measure_gpu", None)
    monkeypatch.setattr(_cutover, "ASSUMED", len(X))
    s3s4.s4(X)
    assert backend.calls == 1


def test_parameters_that_are_arrays_stay(backend):
    s3s4.s4(np.tile(X, 4), np.full(4 * len(X), 2.0))
    assert backend.calls == 0


def test_device_of_a_call(backend):
    s3s4.s4(X, device="gpu")
    assert backend.calls == 1
    s3s4.s4(np.tile(X, 4), device="cpu")
    assert backend.calls == 1
    assert isinstance(s3s4.s4(1.0, device="gpu"), np.float64)
    assert backend.calls == 2


def test_device_of_a_block(backend):
    with s3s4.device("gpu"):
        s3s4.s4(X)
        assert backend.calls == 1
        with s3s4.device("cpu"):
            s3s4.s4(np.tile(X, 4))
            s3s4.s4(X, device="gpu")
        assert backend.calls == 2
        thread = threading.Thread(target=s3s4.s4, args=(X,))
        thread.start()
        thread.join()
        assert backend.calls == 2
    s3s4.s4(X)
    assert backend.calls == 2
    kept = s3s4.device("gpu")
    with kept, kept:
        s3s4.s4(X)
    s3s4.s4(X)
    assert backend.calls == 3
    with pytest.raises(ValueError, match="device"):
        s3s4.device("tpu")


def test_device_of_the_environment(backend, monkeypatch):
    monkeypatch.setattr(_route, "_environment", "gpu")
    s3s4.s4(X)
    assert backend.calls == 1
    with s3s4.device("cpu"):
        s3s4.s4(X)
    assert backend.calls == 1


def test_a_wrong_device_of_the_environment_is_said_by_the_first_call():
    done = python("import s3s4; s3s4.s4([0.0])", S3S4_DEVICE="tpu", check=False)
    assert "ValueError: S3S4_DEVICE must be one of auto, cpu, gpu, not 'tpu'" in done.stderr


def test_small_calls_ask_nothing(monkeypatch):
    monkeypatch.setattr(_route, "of_call", None)
    s3s4.s4(X[:8000])


@pytest.mark.parametrize("into_itself", [False, True])
def test_an_error_falls_back_once(backend, into_itself):
    s3s4.calibrate()
    backend.error = RuntimeError("unspecified launch failure")
    x = np.tile(X, 2)
    out = x if into_itself else None
    expected = _cpu.ufuncs["s4"](x, 5.0)
    with pytest.warns(RuntimeWarning, match="unspecified launch failure") as caught:
        result = s3s4.s4(x, out=out)
    assert_same_bits(result, expected)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    s3s4.s4(np.tile(X, 2))
    assert backend.calls == 1


def test_an_error_of_a_call_that_asked_for_it(backend):
    backend.error = RuntimeError("unspecified launch failure")
    with pytest.raises(RuntimeError, match="unspecified launch failure"):
        s3s4.s4(X, device="gpu")


def test_memory_that_runs_out_costs_one_call(backend):
    s3s4.calibrate()
    backend.error = MemoryError("none left")
    with pytest.warns(RuntimeWarning, match="none left"):
        s3s4.s4(np.tile(X, 2))
    backend.error = None
    s3s4.s4(np.tile(X, 2))
    assert backend.calls == 2


class Spoken:
    """An array of the host that speaks nothing but DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)


def test_dlpack_on_the_host():
    x = np.linspace(-3, 3, 20)
    assert_same_bits(s3s4.s4(Spoken(x), Spoken(x)), s3s4.s4(x, x))
    gradients = s3s4.s4.backward(Spoken(x), Spoken(x), 2.0)
    for one, other in zip(gradients, s3s4.s4.backward(x, x, 2.0), strict=True):
        assert_same_bits(np.asarray(one), np.asarray(other))


class Recorded:
    """A tensor that records gradients, as torch's answers when it is asked for its memory."""

    requires_grad = True

    @property
    def __cuda_array_interface__(self):
        raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad.")


def test_a_tensor_that_requires_grad_is_told_what_to_do():
    with pytest.raises(TypeError, match=r"s3s4\.torch\.s4"):
        s3s4.s4(Recorded())


def test_options_of_a_ufunc(backend):
    where = np.ones(2 * len(X), bool)
    s3s4.s4(np.tile(X, 2), where=where, out=np.zeros(2 * len(X)))
    assert backend.calls == 0
    with pytest.raises(TypeError, match="where"):
        s3s4.s4(X, where=where[: len(X)], device="gpu")


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.zeros(3), ValueError),
        ([0.0], ValueError),
        (np.zeros(len(X), int), TypeError),
        ((np.zeros(len(X)),) * 2, TypeError),
    ],
)
def test_out_that_does_not_fit(backend, out, error):
    with pytest.raises(error, match="out"):
        s3s4.s4(X, out=out, device="gpu")


def test_long_double_has_no_gpu(backend):
    s3s4.s4(np.tile(X, 2).astype(np.longdouble))
    assert backend.calls == 0
    with pytest.raises(TypeError, match="float64"):
        s3s4.s4(X[:10].astype(np.longdouble), device="gpu")


def test_dtypes_are_the_ufuncs(backend):
    for dtype in (np.int8, np.int32, np.float16, np.float32, bool):
        x = np.arange(3).astype(dtype)
        assert s3s4.s4(x, device="gpu").dtype == s3s4.s4(x).dtype


def test_what_was_measured_is_kept(backend, monkeypatch):
    found = s3s4.calibrate()
    assert set(found.comparisons) == {
        (kind, dtype)
        for kind in ("value", "value_dx")
        for dtype in ("float16", "float32", "float64")
    } | {("threads", dtype) for dtype in ("float32", "float64")}
    assert "from 524,288 elements on" in str(found)
    text = "an element takes the GPU 0.1 ns, both copies included, and the CPU 1 ns"
    lines = _calibration.Line(0.0, 1e-9), _calibration.Line(1e-4, 1e-10)
    known = _calibration.Comparison(("CPU", "GPU"), comparison(7).samples, lines, None, "made up")
    assert text in str(_cutover.Calibration({("value", "float32"): known}, {}, "made up"))
    monkeypatch.setattr(_cutover, "_measure_gpu", lambda *given: comparison(7))
    assert "from 7 " not in str(s3s4.calibrate())
    _cutover._state.known.clear()
    assert "from 7 " not in str(s3s4.calibrate())
    assert "from 7 " in str(s3s4.calibrate(force=True))
    _cutover._state.known.clear()
    monkeypatch.setattr(_cpu.variant, "name", "another")
    assert "from 7 " in str(s3s4.calibrate())


def test_the_command_that_measures(backend, monkeypatch, tmp_path, capsys):
    samples = tuple(_calibration.Sample(n, n * 1e-9, 1e-4 + n * 1e-10) for n in _cutover.SIZES)
    lines = _calibration.Line(0.0, 1e-9), _calibration.Line(1e-4, 1e-10)
    found = _calibration.Comparison(("CPU", "GPU"), samples, lines, 111_111, "made up")

    def measure(gpu, index, progress):
        progress(samples[0])
        return found

    monkeypatch.setattr(_cutover, "_measure_gpu", measure)
    picture = tmp_path / "cutover.png"
    with s3s4.threads(1):  # those of the CPU are then not measured
        assert main(["calibrate", "--plot", str(picture)]) == 0
    output, error = capsys.readouterr()
    assert output.count("GPU from 111,111 elements on") == 6
    assert len(error.splitlines()) == 6
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_commands_without_a_gpu(backend, capsys):
    _devices._state.gpu, _devices._state.reason = None, "no driver"
    assert main(["calibrate"]) == 0
    assert capsys.readouterr().out.endswith("gpu: device='gpu' is not available: no driver\n")


def test_a_real_measurement_ends_in_time(backend, monkeypatch):
    monkeypatch.undo()
    found = _cutover._measure_gpu(Backend(), ("value", "float32"), lambda sample: None)
    # On a machine that is busy with other things there may be no time for a single size.
    assert [s.size for s in found.samples] == sorted(s.size for s in found.samples)
    assert found.samples or found.reason.startswith("time was up")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_stays_on_the_cpu(backend):
    s3s4.calibrate()
    pid = os.fork()
    if not pid:
        try:
            s3s4.s4(np.tile(X, 2))
            ok = backend.calls == 0
            try:
                s3s4.s4(X, device="gpu")
            except RuntimeError as error:
                ok = ok and "fork" in str(error)
            else:
                ok = False
        finally:
            os._exit(not ok)
    assert os.waitpid(pid, 0)[1] == 0


class Driver:
    """A CUDA driver of a version that shows so many devices."""

    def __init__(self, version, count, code=0):
        self.version, self.count, self.code = version, count, code

    def __call__(self, name):
        return self

    def cuInit(self, flags):
        return self.code

    def cuDriverGetVersion(self, pointer):
        pointer._obj.value = self.version

    def cuDeviceGetCount(self, pointer):
        pointer._obj.value = self.count
        return 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("driver", "reason", "is_there"),
    [
        (Driver(11040, 1), "for CUDA 11.4: install one for CUDA 12", True),
        (Driver(13000, 1, 999), "does not start (CUDA error 999", True),
        (Driver(13000, 1, 3), "cannot be used after a fork", False),
        (Driver(13000, 1), "s3s4[gpu-cu12]", True),
        (Driver(13000, 0), "no device (CUDA error 0; CUDA_VISIBLE_DEVICES is '7')", False),
        (Driver(13000, 0, 100), "no device (CUDA error 100; CUDA_VISIBLE_DEVICES is '7')", False),
        (Driver(11040, 0, 100), "no device (CUDA error 100; CUDA_VISIBLE_DEVICES is '7')", False),
    ],
    ids=["old driver", "error", "a parent's", "wrong wheel", "hidden", "none", "none, old driver"],
)
def test_why_there_is_no_gpu(driver, reason, is_there, monkeypatch):
    """Auto mode warns of a GPU that does not work, and only of one."""
    state = _devices._State()
    monkeypatch.setattr(_devices, "_state", state)
    monkeypatch.setattr(_devices.ctypes, "CDLL", driver)
    monkeypatch.setattr(_devices.importlib.util, "find_spec", lambda name: "installed")
    monkeypatch.setitem(sys.modules, "s3s4._gpu", None)  # importing it fails
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "0")
    monkeypatch.setenv("S3S4_CALIBRATE", "0")
    monkeypatch.setattr(_cutover, "ASSUMED", 1)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        s3s4.s4(X)
        s3s4.s4(X)
        s3s4.s4(X, device="auto")
    assert len(warned) == is_there
    assert all(reason in str(warning.message) for warning in warned)
    with pytest.raises(s3s4.GPUUnavailable) as caught:
        s3s4.s4(1.0, device="gpu")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("hide", "reason"), [("numba_cuda", "numba-cuda is not installed"), ("", "driver")]
)
def test_no_gpu(hide, reason):
    """Where there is no GPU, or none to be found: auto says nothing, and gpu says why."""
    code = f"""
import ctypes, importlib.util, warnings
import numpy as np
real, load = importlib.util.find_spec, ctypes.CDLL
def spec(name, *rest):
    if name == {hide!r}:
        return None
    return real("numpy") if "numba" in name else real(name, *rest)
importlib.util.find_spec = spec
def none(name, *rest, **options):
    if "cuda" in str(name):
        raise OSError(name)
    return load(name, *rest, **options)
ctypes.CDLL = none
import s3s4
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(3):
        s3s4.s4(np.zeros(1 << 20))
print(len(caught))
try:
    s3s4.s4(1.0, device="gpu")
except s3s4.GPUUnavailable as error:
    print(error)
print(s3s4.build_config()["gpu"])
import sys
assert "numba" not in sys.modules
"""
    done = python(code, NUMBA_ENABLE_CUDASIM="0")
    count, *messages = done.stdout.splitlines()
    assert int(count) == 0
    assert len(messages) == 2
    assert all(reason in message for message in messages)
