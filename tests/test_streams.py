"""What is ordered and what waits, on the driver that does everything as late as it may.

`make gpu`: on a card these programs would be right by chance. Whoever uses an array reads it as its
library would, on its stream, and nothing else waits.
"""

import gc
import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

import s3s4
from fakecuda import driver

pytestmark = pytest.mark.gpu

if not driver.is_here():
    pytest.skip("not on fakecuda: tests/tools/fakecuda/run.py", allow_module_level=True)

from cuda.bindings import driver as cuda_driver
from numba import cuda

from device_libraries import DLPack, Interface, late, read, stream

X = np.linspace(-9, 9, 1003, dtype=np.float32)
K = np.full_like(X, 2)
EXPECTED, EXPECTED_K = s3s4.s4(X), s3s4.s4(X, K)


@pytest.fixture(autouse=True)
def without_complaints():
    cuda.synchronize()
    driver.complaints()
    yield
    cuda.synchronize()
    assert not driver.complaints()


@pytest.mark.parametrize("make", [cuda.stream, stream])
def test_numba_arrays_on_different_streams(make):
    on_x, on_k, on_out = make(), make(), make()
    x, _x = late(X, on_x)
    k, _k = late(K, on_k)
    out, _out = late(K, on_out)
    assert s3s4.s4(x, k, out=out) is out
    np.testing.assert_array_equal(read(out, on_out), EXPECTED_K)
    np.testing.assert_array_equal(read(s3s4.s4(x, k), on_x), EXPECTED_K)


def test_what_is_written_later_to_a_parameter_is_not_read():
    on_x, on_k = stream(), stream()
    x, _x = late(X, on_x)
    k, _k = late(K, on_k)
    out = s3s4.s4(x, k)
    seven = cuda.pinned_array(K.shape, K.dtype)
    seven[:] = 7
    k.copy_to_device(seven, stream=on_k)
    on_k.synchronize()
    np.testing.assert_array_equal(read(out, on_x), EXPECTED_K)


def test_arrays_as_cupy_shows_them_on_different_streams():
    on_x, on_k, on_out = stream(), stream(), stream()
    x, _x = late(X, on_x)
    k, _k = late(K, on_k)
    out, _out = late(K, on_out)
    s3s4.s4(Interface(x, on_x), Interface(k, on_k), out=Interface(out, on_out))
    np.testing.assert_array_equal(read(out, on_out), EXPECTED_K)


def test_a_parameter_by_dlpack_beside_x_on_a_stream():
    on_x, on_k = stream(), stream()
    x, _x = late(X, on_x)
    k, _k = late(K, on_k)
    by_dlpack = DLPack(k, on_k)
    out = s3s4.s4(Interface(x, on_x), by_dlpack)
    assert by_dlpack.streams == [int(on_x)]
    np.testing.assert_array_equal(read(out, on_x), EXPECTED_K)


def test_out_by_dlpack_that_is_still_read():
    on_x, on_out = stream(), stream()
    x, _x = late(X, on_x)
    out, _out = late(K, on_out)
    before = cuda.pinned_array(K.shape, K.dtype)
    out.copy_to_host(before, stream=on_out)
    s3s4.s4(Interface(x, on_x), out=DLPack(out, on_out))
    np.testing.assert_array_equal(read(out, on_out), EXPECTED)
    np.testing.assert_array_equal(before, K)


def test_x_by_dlpack_alone():
    on_x = stream()
    x, _x = late(X, on_x)
    result = s3s4.s4(DLPack(x, on_x))
    np.testing.assert_array_equal(read(result.array, on_x), EXPECTED)


def test_a_result_without_a_stream_is_waited_for_by_who_reads_it():
    result = s3s4.s4(cuda.to_device(X))
    assert result.__cuda_array_interface__["stream"] is None
    np.testing.assert_array_equal(read(result), EXPECTED)


@pytest.mark.parametrize("make", [cuda.stream, cuda.default_stream, stream])
def test_the_stream_of_a_result(make):
    on = make()
    x, _x = late(X, on)
    result = s3s4.s4(x)
    assert result.__cuda_array_interface__["stream"] != 0  # version 3 forbids it
    np.testing.assert_array_equal(read(result, on), EXPECTED)


def test_a_result_names_the_stream_that_it_is_made_on():
    on = stream()
    x, _x = late(X, on)
    result = s3s4.s4(x)
    assert result.__cuda_array_interface__["stream"] == int(on)
    host = cuda.pinned_array(X.shape, X.dtype)
    result.copy_to_host(host)
    on.synchronize()
    np.testing.assert_array_equal(host, EXPECTED)


@pytest.mark.parametrize("number", [1, 2, "own"])
def test_no_side_waits(number):
    on = stream()
    x, _x = late(X, on)
    on.synchronize()
    shown = Interface(x, on if number == "own" else number)
    s3s4.s4(shown)
    with driver.counted() as calls:
        s3s4.s4(shown)
        s3s4.s4.value_and_derivative(shown)
        s3s4.s4.backward(shown, shown, 2.0)
    waits = {"cuStreamSynchronize", "cuCtxSynchronize", "cuEventSynchronize"}
    assert not waits & calls.keys(), calls
    cuda.synchronize()


def test_the_interface_is_asked_once():
    x, out = Interface(cuda.to_device(X), 1), Interface(cuda.to_device(K), 1)
    s3s4.s4(x, out=out)
    Interface.asked = 0
    s3s4.s4(x, out=out)
    assert Interface.asked <= 3 * 2  # whether there is one is asked too


@pytest.mark.parametrize("layout", [slice(None), slice(None, None, 2)])
def test_pools_may_free_at_once(layout):
    """What a call leaves behind under a pending kernel is not given back."""
    on = stream()
    x, _x = late(X, on)
    g, _g = late(np.ones_like(X), on)
    low, _low = late(-K, on)
    with driver.setting(FREE_AT_ONCE=1):
        kept = [s3s4.hardtanh(x[layout], low[layout], 1.0) for _ in range(30)]
        kept += [s3s4.s4.backward(g[layout], x[layout], 2.0) for _ in range(30)]
        gc.collect()
        cuda.synchronize()
        assert not driver.complaints()
    gradient, by_k = kept[-1]
    expected = s3s4.s4.backward(np.ones_like(X[layout]), X[layout], np.float32(2))
    np.testing.assert_array_equal(gradient.copy_to_host(), expected[0])
    np.testing.assert_allclose(by_k.copy_to_host(), expected[1], rtol=1e-6)
    np.testing.assert_array_equal(
        kept[0].copy_to_host(), s3s4.hardtanh(X[layout], -K[layout], np.float32(1))
    )


def test_pageable_memory_that_is_read_late():
    with driver.setting(LATE_COPIES=1):
        on = stream()
        x, _x = late(X, on)
        one = s3s4.hardtanh(x, cuda.to_device(-K), 1.0)
        gradients = s3s4.s4.backward(x, x, 2.0)
        host = s3s4.s4(X, device="gpu")
        cuda.synchronize()
    np.testing.assert_array_equal(host, EXPECTED)
    np.testing.assert_array_equal(read(one, on), s3s4.hardtanh(X, -K, np.float32(1)))
    expected = s3s4.s4.backward(X, X, np.float32(2))
    np.testing.assert_allclose(read(gradients[1], on), expected[1], rtol=1e-6)


def test_threads_share_a_stream():
    import threading

    x, g = cuda.to_device(X), cuda.to_device(np.ones_like(X))
    expected = s3s4.s4.backward(np.ones_like(X), X, np.float32(2))[1]
    results = []

    def work():
        for _ in range(10):
            results.append(s3s4.s4.backward(g, x, 2.0)[1])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [float(one.copy_to_host()) for one in results]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# --- Which device -------------------------------------------------------------------------------


def test_a_pure_interface_beside_an_array_of_numbas():
    x, k = cuda.to_device(X), cuda.to_device(K)
    np.testing.assert_array_equal(read(s3s4.s4(Interface(x), k)), EXPECTED_K)
    np.testing.assert_array_equal(read(s3s4.s4(x, Interface(k))), EXPECTED_K)


def test_a_pure_interface_alone():
    result = s3s4.s4(Interface(cuda.to_device(X)))
    np.testing.assert_array_equal(read(result), EXPECTED)


def test_managed_memory():
    x = cuda.managed_array(X.shape, X.dtype)
    x[:] = X
    result = s3s4.s4(x)
    np.testing.assert_array_equal(read(result), EXPECTED)


def test_a_mask_is_refused():
    x = cuda.to_device(X)
    with pytest.raises(TypeError, match="mask"):
        s3s4.s4(Interface(x, mask=Interface(x)))


# --- Graphs --------------------------------------------------------------------------------------


@contextmanager
def captured(on):
    """What a stream is asked for within, as a list of one graph."""
    made = []
    assert not cuda_driver.cuStreamBeginCapture(int(on), 0)[0]
    try:
        yield made
    finally:
        code, graph = cuda_driver.cuStreamEndCapture(int(on))
        assert not code
        code, graph = cuda_driver.cuGraphInstantiate(graph, 0)
        assert not code
        made.append(graph)


GRAPHED = {
    "value": (lambda x, out: s3s4.s4(x, 2.0, out=out), lambda x: s3s4.s4(x, np.float32(2))),
    "several results": (
        lambda x, out: s3s4.s4.value_and_derivative(x, 2.0, out=(out, x)),
        lambda x: s3s4.s4(x, np.float32(2)),
    ),
    "rows": (lambda x, out: s3s4.softmax(x, out=out), s3s4.softmax),
    "another type": (
        lambda x, out: s3s4.s4(x, NARROW, out=out), lambda x: s3s4.s4(x, np.float16(2))
    ),
}  # fmt: skip
NARROW = np.float16(2)


@pytest.mark.parametrize("kind", GRAPHED)
def test_what_is_captured_is_computed_when_it_is_replayed(kind):
    call, expected = GRAPHED[kind]
    on = stream()
    x, source = late(X, on)
    out, _out = late(K, on)
    shown, into = Interface(x, on), Interface(out, on)
    call(shown, into)
    on.synchronize()
    with driver.counted() as calls, captured(on) as graph:
        call(shown, into)
    waits = {"cuStreamSynchronize", "cuCtxSynchronize", "cuEventSynchronize", "cuMemAlloc"}
    assert not waits & calls.keys(), calls
    for shift in (0, 1):
        source[:] = X + np.float32(shift)
        x.copy_to_device(source, stream=on)
        assert not cuda_driver.cuGraphLaunch(graph[0], int(on))[0]
        actual, wanted = read(out, on), expected(X + np.float32(shift))
        np.testing.assert_allclose(actual, wanted, rtol=2e-6)


@pytest.mark.parametrize("k", [2.0, "array"])
def test_sums_that_are_captured(k):
    on = stream()
    x, _x = late(X, on)
    results = [late(K, on)[0] for _ in range(2)]

    class Torch(Interface):
        """An array of a library whose new arrays are there already."""

        def __array_namespace__(self):
            return self

        dtype, device = X.dtype, None

        def empty(self, shape, *, dtype, device):
            found = results[len(shape) == 0]
            return Interface(found if shape else found[:1], on, shape=shape)

    shown = Torch(x, on)
    given = Interface(late(K[:1], on)[0], on, shape=()) if k == "array" else k
    s3s4.s4.backward(shown, shown, given)
    on.synchronize()
    with captured(on) as graph:
        s3s4.s4.backward(shown, shown, given)
    # What is asked of the stream beside the graph does not take its memory.
    s3s4.s4.backward(shown, shown, 3.0)
    assert not cuda_driver.cuGraphLaunch(graph[0], int(on))[0]
    expected = s3s4.s4.backward(X, X, np.float32(2))
    np.testing.assert_allclose(read(results[0], on), expected[0], rtol=2e-6)
    np.testing.assert_allclose(read(results[1], on)[0], expected[1], rtol=2e-6)


def test_an_array_of_another_stream_cannot_be_captured():
    on, other = stream(), stream()
    x, _x = late(X, on)
    k, _k = late(K, other)
    out, _out = late(K, on)
    shown, into = Interface(x, on), Interface(out, on)
    s3s4.s4(shown, out=into)
    on.synchronize()
    with captured(on), pytest.raises(RuntimeError, match="CAPTURE_ISOLATION"):
        s3s4.s4(shown, Interface(k, other), out=into)


def on_two_devices(code):
    """Run a program with two devices."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"FAKECUDA_DEVICES": "2", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_several_devices():
    code = """
import numpy as np, pytest, s3s4
from numba import cuda
from device_libraries import Interface, read
from fakecuda import driver
x = np.linspace(-9, 9, 103, dtype=np.float32)
near = cuda.to_device(x)
with cuda.gpus[1]:
    far = cuda.to_device(x)
results = [s3s4.s4(far), s3s4.s4.backward(far, far, 2.0)[1], s3s4.s4(Interface(far, 1))]
assert [one.gpu_data.context.device.id for one in results] == [1, 1, 1]
with cuda.gpus[1]:
    assert (results[0].copy_to_host() == s3s4.s4(x)).all()
    assert (s3s4.s4(x, device="gpu") == s3s4.s4(x)).all()
for wrong in ({"k": far}, {"k": Interface(far)}, {"out": far}):
    with pytest.raises(ValueError, match="another GPU"):
        s3s4.s4(near, **wrong)
assert (s3s4.s4(near).copy_to_host() == s3s4.s4(x)).all()
assert cuda.get_current_device().id == 0
print(*driver.complaints(), "done")
"""
    assert on_two_devices(code) == ["done"]


# --- Processes ----------------------------------------------------------------------------------


def test_a_child_of_a_process_that_never_used_cuda():
    code = """
import os
import numpy as np, s3s4
from fakecuda import driver
large = np.zeros(1 << 20, np.float32)
s3s4.s4(large)
assert "cuInit" not in driver.calls(), "auto mode has begun CUDA, which no child survives"
pid = os.fork()
if not pid:
    right = (s3s4.s4(large[:9], device="gpu") == s3s4.s4(large[:9])).all()
    os._exit(0 if right else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
s3s4.s4(large[:9], device="gpu")
pid = os.fork()
if not pid:
    try:
        s3s4.s4(large[:9], device="gpu")
    except s3s4.GPUUnavailable as error:
        os._exit(7 if "after a fork" in str(error) else 1)
    os._exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert on_two_devices(code) == ["0", "7"]


def test_a_child_of_a_process_in_which_another_library_began_cuda():
    code = """
import ctypes, os
import numpy as np, s3s4
assert not ctypes.CDLL("libcuda.so.1").cuInit(0)
pid = os.fork()
if not pid:
    try:
        s3s4.s4(np.zeros(9), device="gpu")
    except s3s4.GPUUnavailable as error:
        os._exit(7 if "after a fork" in str(error) else 1)
    os._exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert on_two_devices(code) == ["7"]


def test_a_device_without_memory_is_no_missing_package():
    code = """
import numpy as np, s3s4
from fakecuda import driver
with driver.setting(MEMORY=1):
    try:
        s3s4.s4(np.zeros(9), device="gpu")
    except s3s4.GPUUnavailable as error:
        print("memory" in str(error), "install" in str(error), "compile" in str(error))
"""
    assert on_two_devices(code) == ["True", "False", "False"]


def test_a_parameter_on_the_device_beside_x_on_the_host():
    k = cuda.to_device(K)
    for call in (
        lambda: s3s4.s4(X, k),
        lambda: s3s4.s4(X, k, device="gpu"),
        lambda: s3s4.s4.backward(X, X, k),
        lambda: s3s4.s4.backward(k, X, 2.0),
    ):
        with pytest.raises(TypeError, match="is on the GPU and x is not"):
            call()


def test_options_that_a_gpu_has_not():
    with pytest.raises(TypeError, match="where= is not supported"):
        s3s4.s4(cuda.to_device(X), where=True)
