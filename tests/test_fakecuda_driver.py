"""Whether the driver that is not there keeps the promises of CUDA's, and no more than them.

Each control is a program that relies on what nobody promised: it must be seen. The package's own
calls run on this driver in tests/test_on_card.py and tests/test_streams.py.
"""

import ctypes
import os
import platform
import shutil
import sys

import numpy as np
import pytest

if sys.platform != "linux" or platform.machine() != "x86_64" or not shutil.which("cc"):
    pytest.skip("fakecuda is for Linux on x86-64 with a C compiler", allow_module_level=True)

from fakecuda import build, device, driver

X = np.linspace(-3, 3, 256, dtype=np.float32)
DOUBLE = """
.version 8.0
.target sm_75
.address_size 64
.visible .entry twice(.param .u64 twice_x, .param .u32 twice_n)
{
    .reg .f32   %f<3>;
    .reg .b32   %r<2>;
    .reg .b64   %rd<4>;
    ld.param.u64    %rd1, [twice_x];
    mov.u32     %r1, %tid.x;
    mul.wide.s32    %rd2, %r1, 4;
    add.s64     %rd3, %rd1, %rd2;
    ld.global.f32   %f1, [%rd3];
    add.f32     %f2, %f1, %f1;
    st.global.f32   [%rd3], %f2;
    ret;
}
"""
NULL, NON_BLOCKING = None, 1


class Cuda:
    """The driver through ctypes; what fails raises."""

    def __init__(self, library):
        self.library = library
        self.call("cuInit", 0)
        self.contexts = [self.made("cuDevicePrimaryCtxRetain", device) for device in range(2)]

    def call(self, name, *arguments):
        code = getattr(self.library, name)(*arguments)
        if code:
            raise OSError(f"{name}: {code}")

    def made(self, name, *arguments):
        """What a function puts where its first argument points."""
        place = ctypes.c_void_p()
        self.call(name, ctypes.byref(place), *arguments)
        return place

    def stream(self, flags=0):
        return self.made("cuStreamCreate", flags)

    def pinned(self, values=X):
        array = np.frombuffer(
            (ctypes.c_char * values.nbytes).from_address(
                self.made("cuMemHostAlloc", ctypes.c_size_t(values.nbytes), 0).value
            ),
            values.dtype,
        )
        array[:] = values
        return array

    def allocate(self):
        return self.made("cuMemAlloc", ctypes.c_size_t(X.nbytes))

    def copy_in(self, there, host, stream=NULL):
        size = ctypes.c_size_t(host.nbytes)
        self.call("cuMemcpyHtoDAsync", there, ctypes.c_void_p(host.ctypes.data), size, stream)

    def copy_out(self, host, there, stream=NULL):
        size = ctypes.c_size_t(host.nbytes)
        self.call("cuMemcpyDtoHAsync", ctypes.c_void_p(host.ctypes.data), there, size, stream)

    def launch(self, there, stream=NULL, n=X.size):
        kernel = self.made(
            "cuModuleGetFunction", self.made("cuModuleLoadData", DOUBLE.encode()), b"twice"
        )
        number = ctypes.c_uint32(X.size)
        pointers = (ctypes.c_void_p * 2)(ctypes.addressof(there), ctypes.addressof(number))
        self.call("cuLaunchKernel", kernel, 1, 1, 1, n, 1, 1, 0, stream, pointers, None)

    def after(self, event_of, stream):
        """Let a stream wait for what was asked of another."""
        event = self.made("cuEventCreate", 2)
        self.call("cuEventRecord", event, event_of)
        self.call("cuStreamWaitEvent", stream, event, 0)


@pytest.fixture(scope="module")
def library():
    os.environ |= {k: v for k, v in build.environment(linker=False).items() if "FAKECUDA" in k}
    return driver.load(build.folder() / "libcuda.so.1")


@pytest.fixture
def cuda(library):
    driver.complaints()
    with driver.setting(DEVICES=2):
        made = Cuda(library)
        made.call("cuCtxPushCurrent", made.contexts[0])
        yield made
        made.call("cuCtxSynchronize")
        made.call("cuCtxPopCurrent", None)
    driver.complaints()


def test_a_program_without_fault(cuda):
    stream, there, host = cuda.stream(), cuda.allocate(), cuda.pinned()
    cuda.copy_in(there, host, stream)
    cuda.launch(there, stream)
    cuda.copy_out(host, there, stream)
    np.testing.assert_array_equal(host, X)  # nobody has waited
    cuda.call("cuStreamSynchronize", stream)
    np.testing.assert_array_equal(host, X + X)
    assert not driver.complaints()


def test_eager_streams(cuda):
    there, host = cuda.allocate(), cuda.pinned()
    with driver.setting(EAGER=1):
        cuda.copy_in(there, host)
        cuda.launch(there)
        cuda.copy_out(host, there)
    np.testing.assert_array_equal(host, X + X)


@pytest.mark.parametrize("flags", [0, NON_BLOCKING])
@pytest.mark.parametrize("by_event", [False, True])
def test_streams_are_ordered_by_events_alone(cuda, flags, by_event):
    one, other, there, host = (
        cuda.stream(flags),
        cuda.stream(flags),
        cuda.allocate(),
        cuda.pinned(),
    )
    cuda.copy_in(there, host, one)
    if by_event:
        cuda.after(one, other)
    cuda.copy_out(host, there, other)
    cuda.call("cuStreamSynchronize", other)
    assert bool(driver.complaints()) is not by_event


@pytest.mark.parametrize("flags", [0, NON_BLOCKING])
def test_the_default_stream_waits_for_blocking_ones(cuda, flags):
    stream, there, host = cuda.stream(flags), cuda.allocate(), cuda.pinned()
    cuda.copy_in(there, host, stream)
    cuda.copy_out(host, there)
    cuda.call("cuStreamSynchronize", NULL)
    assert bool(driver.complaints()) is (flags == NON_BLOCKING)


def test_copies_of_pageable_memory(cuda):
    there, host = cuda.allocate(), X.copy()
    cuda.copy_in(there, host)
    host[:] = 0  # it was copied aside
    cuda.copy_out(host, there)
    np.testing.assert_array_equal(host, X)  # it was waited for
    with driver.setting(LATE_COPIES=1):
        cuda.copy_in(there, host)
        host[:] = 7
        cuda.copy_out(host, there)
        np.testing.assert_array_equal(host, 7)
        cuda.call("cuCtxSynchronize")


@pytest.mark.parametrize("at_once", [0, 1])
def test_memory_that_is_freed_under_a_kernel(cuda, at_once):
    stream, there = cuda.stream(), cuda.allocate()
    cuda.copy_in(there, cuda.pinned(), stream)
    cuda.launch(there, stream)
    with driver.setting(FREE_AT_ONCE=at_once):
        cuda.call("cuMemFree", there)
    cuda.call("cuStreamSynchronize", stream)
    assert bool(driver.complaints()) == at_once


def test_memory_of_another_device(cuda):
    there = cuda.allocate()
    cuda.copy_in(there, X)
    cuda.call("cuCtxPushCurrent", cuda.contexts[1])
    cuda.launch(there)
    cuda.call("cuCtxSynchronize")
    assert any("another device" in one for one in driver.complaints())
    stream = cuda.stream()
    cuda.call("cuCtxPopCurrent", None)
    with pytest.raises(OSError, match="400"):
        cuda.launch(there, stream)


def test_managed_memory(cuda):
    there = cuda.made("cuMemAllocManaged", ctypes.c_size_t(X.nbytes), 1)
    host = np.frombuffer((ctypes.c_char * X.nbytes).from_address(there.value), X.dtype)
    host[:] = X
    cuda.launch(there)
    cuda.call("cuCtxSynchronize")
    np.testing.assert_array_equal(host, X + X)
    cuda.call("cuMemFree", there)
    assert not driver.complaints()


def test_memory_runs_out(cuda):
    with driver.setting(MEMORY=1000), pytest.raises(OSError, match="cuMemAlloc: 2"):
        cuda.allocate()


def test_a_launch_out_of_bounds(cuda):
    there = cuda.allocate()
    cuda.copy_in(there, X)
    cuda.launch(there, n=X.size + 1)
    cuda.call("cuCtxSynchronize")
    assert any("out of bounds" in one for one in driver.complaints())


def test_calls_are_counted(cuda):
    with driver.counted() as calls:
        cuda.call("cuStreamSynchronize", NULL)
    assert calls == {"cuStreamSynchronize": 1}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_of_a_process_that_began_has_no_driver(cuda):
    pid = os.fork()
    if not pid:
        try:
            cuda.call("cuCtxSynchronize")
        except OSError as error:
            os._exit(3 if str(error).endswith(": 3") else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3


def test_what_the_driver_does_not_know_is_not_found(cuda):
    function = ctypes.c_void_p()
    code = cuda.library.cuGetProcAddress_v2(b"cuGraphAddNode", ctypes.byref(function), 1, 0, None)
    assert code == 500
    assert not function


FUSIBLE = """
.version 8.0
.target sm_75
.address_size 64
.visible .entry one(.param .u64 one_x)
{
    .reg .f32   %f<5>;
    .reg .b64   %rd<2>;
    ld.param.u64    %rd1, [one_x];
    ld.global.f32   %f1, [%rd1];
    ld.global.f32   %f2, [%rd1+4];
    mul.f32     %f3, %f1, %f1;
    add.f32     %f4, %f3, %f2;
    st.global.f32   [%rd1], %f4;
    ret;
}
"""


@pytest.mark.parametrize("flags", ["EXACT", "FUSED"])
@pytest.mark.parametrize("rounding", ["", ".rn"])
def test_operations_are_fused_where_ptx_leaves_it_open(flags, rounding, monkeypatch):
    monkeypatch.setattr(build, "KERNEL_FLAGS", getattr(build, flags))
    text = FUSIBLE.replace("mul", f"mul{rounding}").replace("add", f"add{rounding}")
    x = device.Array.of(np.array([1 + 2**-12, -1 - 2**-11], np.float32))
    device.launch(text.replace("one", f"one_{flags}"), (1,), (1,), [x])
    assert x.to_host()[0] == (2.0**-24 if flags == "FUSED" and not rounding else 0)
