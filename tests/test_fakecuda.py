"""Whether the GPU that is not there finds what it is for, and the package's kernels upon it.

The first part plants a fault in a kernel at a time. The second compiles the package's own, as a
GPU would be given them: `make gpu` has the compilers that takes.
"""

import platform
import re
import shutil
import sys
from functools import cache

import numpy as np
import pytest

import gpu_offline
import s3s4

if sys.platform != "linux" or platform.machine() != "x86_64" or not shutil.which("cc"):
    pytest.skip("fakecuda is for Linux on x86-64 with a C compiler", allow_module_level=True)

from fakecuda import device
from fakecuda.ptx import Kernel, Refused
from support import assert_neighbours, outputs

HEAD = """
.version 8.0
.target sm_75
.address_size 64
"""
# One float a thread: out[i] = 2 x[i] for i < n.
DOUBLED = f"""{HEAD}
.visible .entry doubled(
    .param .u64 doubled_param_0,
    .param .u64 doubled_param_1,
    .param .u32 doubled_param_2
)
{{
    .reg .pred  %p<2>;
    .reg .f32   %f<3>;
    .reg .b32   %r<6>;
    .reg .b64   %rd<8>;
    ld.param.u64    %rd1, [doubled_param_0];
    ld.param.u64    %rd2, [doubled_param_1];
    ld.param.u32    %r1, [doubled_param_2];
    mov.u32     %r2, %ntid.x;
    mov.u32     %r3, %ctaid.x;
    mov.u32     %r4, %tid.x;
    mad.lo.s32  %r5, %r3, %r2, %r4;
    setp.ge.s32     %p1, %r5, %r1;
    @%p1 bra    $L__end;
    cvta.to.global.u64  %rd3, %rd1;
    cvta.to.global.u64  %rd4, %rd2;
    mul.wide.s32    %rd5, %r5, 4;
    add.s64     %rd6, %rd3, %rd5;
    add.s64     %rd7, %rd4, %rd5;
    ld.global.f32   %f1, [%rd6];
    add.f32     %f2, %f1, %f1;
    st.global.f32   [%rd7], %f2;
$L__end:
    ret;
}}
"""
# A block of 64 threads: out[i] = x[63 - i], through shared memory.
REVERSED = f"""{HEAD}
.visible .entry reversed(
    .param .u64 reversed_param_0,
    .param .u64 reversed_param_1
)
{{
    .reg .f32   %f<3>;
    .reg .b32   %r<6>;
    .reg .b64   %rd<8>;
    .shared .align 4 .b8 room[256];
    ld.param.u64    %rd1, [reversed_param_0];
    ld.param.u64    %rd2, [reversed_param_1];
    mov.u32     %r1, %tid.x;
    mul.wide.s32    %rd3, %r1, 4;
    add.s64     %rd4, %rd1, %rd3;
    ld.global.f32   %f1, [%rd4];
    shl.b32     %r2, %r1, 2;
    mov.u32     %r3, room;
    add.s32     %r4, %r3, %r2;
    st.shared.f32   [%r4], %f1;
    bar.sync    0;
    sub.s32     %r5, %r3, %r2;
    ld.shared.f32   %f2, [%r5+252];
    add.s64     %rd5, %rd2, %rd3;
    st.global.f32   [%rd5], %f2;
    ret;
}}
"""
X = np.linspace(-3, 3, 100, dtype=np.float32)


@pytest.fixture(autouse=True)
def forgotten():
    device.complaints()


def doubled(ptx=DOUBLED, *, x=None, out=None, n=100):
    out = device.Array.room(100, np.float32) if out is None else out
    device.launch(ptx, (2,), (64,), [x or device.Array.of(X), out, np.int32(n)])
    return out, device.complaints()


def reversed_(ptx=REVERSED):
    out = device.Array.room(64, np.float32)
    device.launch(ptx, (1,), (64,), [device.Array.of(X[:64]), out])
    return out, device.complaints()


def with_fault(ptx, before, after):
    assert ptx.count(before) == 1
    return ptx.replace(before, after)


def test_a_kernel_without_fault():
    out, found = doubled()
    assert not found
    np.testing.assert_array_equal(out.to_host(), X + X)
    assert not device.complaints()


def test_threads_that_wait_for_one_another():
    out, found = reversed_()
    assert not found
    np.testing.assert_array_equal(out.to_host(), X[63::-1])


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("setp.ge.s32", "setp.gt.s32", "read of memory that is out of bounds"),
        ("%r3, %r2, %r4", "0, %r2, %r4", "race of a write"),
        ("add.s64     %rd7, %rd4, %rd5", "add.s64     %rd7, %rd3, 0", "race of a"),
        ("ld.global.f32   %f1, [%rd6]", "ld.global.f32   %f1, [%rd6+2]", "not aligned"),
        ("st.global.f32   [%rd7]", "st.global.f32   [%rd5]", "write of memory that is out of"),
    ],
    ids=["tail", "blocks overlap", "in another's place", "alignment", "address"],
)
def test_planted_in_global_memory(before, after, complaint):
    _, found = doubled(with_fault(DOUBLED, before, after))
    assert any(complaint in one for one in found)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("bar.sync    0;", "", "nothing was written there"),
        ("st.shared.f32   [%r4], %f1;", "st.shared.f32   [%r4], %f1; bar.sync 0;"
         " st.shared.f32 [%r4], %f1; ld.shared.f32 %f2, [room];", "race between barriers"),
        ("[%r5+252]", "[%r5+256]", "out of bounds"),
        ("[%r5+252]", "[%r5+250]", "not aligned"),
        ("st.shared.f32   [%r4], %f1;", "", "nothing was written there"),
    ],
    ids=["barrier", "race", "bounds", "alignment", "not written"],
)  # fmt: skip
def test_planted_in_shared_memory(before, after, complaint):
    _, found = reversed_(with_fault(REVERSED, before, after))
    assert any(complaint in one for one in found)


def test_a_barrier_that_some_do_not_reach():
    ptx = with_fault(REVERSED, "bar.sync    0;", "@%p1 ret; bar.sync    0;")
    ptx = with_fault(ptx, ".reg .f32   %f<3>;", ".reg .f32   %f<3>;\n    .reg .pred  %p<2>;")
    ptx = with_fault(ptx, "mul.wide.s32", "setp.eq.s32 %p1, %r1, 5;\n    mul.wide.s32")
    assert any("have ended" in one for one in reversed_(ptx)[1])


def test_what_was_never_written_and_what_is_freed():
    _, found = doubled(x=device.Array.room(100, np.float32))
    assert len(found) == 100
    assert all("nothing was written to" in one for one in found)
    x = device.Array.of(X)
    x.free()
    assert any("read of memory that is freed" in one for one in doubled(x=x)[1])
    x.free()
    assert "free of what is not allocated" in device.complaints()[0]
    out, found = doubled(n=50)
    assert not found
    out.to_host()
    assert "nothing was written to" in device.complaints()[0]


@pytest.mark.parametrize(
    "line",
    [
        "sin.approx.f32 %f2, %f1;",
        "add.rz.f32 %f2, %f1, %f1;",
        "atom.global.add.f32 %f2, [%rd6], %f1;",
        "ld.volatile.global.f32 %f1, [%rd6];",
        "bar.sync 1;",
        "shfl.sync.idx.b32 %r1, %r2, 0, 31, -1;",
        "add.f32 %f2, %f1, WARP_SZ;",
        ".local .b8 depot[8];",
    ],
)
def test_what_is_not_known_is_refused(line):
    with pytest.raises(Refused):
        Kernel(with_fault(DOUBLED, "add.f32     %f2, %f1, %f1;", line))


def test_arguments_that_do_not_fit():
    with pytest.raises(TypeError, match=r"\[8, 8, 4\] bytes"):
        device.launch(DOUBLED, (1,), (1,), [device.Array.of(X), np.int32(1)])


REALS = [0.0, -0.0, 1.0, -1.5, 3.25, np.inf, -np.inf, np.nan, 1e-40, 3e38]
# f3 of f1 and f2, as PTX's manual defines it.
INSTRUCTIONS = {
    "add.{k} %f3, %f1, %f2;": lambda x, y: x + y,
    "sub.rn.{k} %f3, %f1, %f2;": lambda x, y: x - y,
    "mul.{k} %f3, %f1, %f2;": lambda x, y: x * y,
    "div.rn.{k} %f3, %f1, %f2;": lambda x, y: x / y,
    "min.{k} %f3, %f1, %f2;": np.fmin,
    "max.{k} %f3, %f1, %f2;": np.fmax,
    "copysign.{k} %f3, %f1, %f2;": lambda x, y: np.copysign(y, x),
    "neg.{k} %f3, %f1;": lambda x, y: -x,
    "abs.{k} %f3, %f1;": lambda x, y: abs(x),
    "sqrt.rn.{k} %f3, %f1;": lambda x, y: np.sqrt(x),
    "setp.lt.{k} %p1, %f1, %f2; selp.{k} %f3, %f1, %f2, %p1;": lambda x, y: np.where(x < y, x, y),
    "setp.ltu.{k} %p1, %f1, %f2; selp.{k} %f3, %f1, %f2, %p1;": lambda x, y: np.where(x >= y, y, x),
    "setp.ne.{k} %p1, %f1, %f2; selp.{k} %f3, %f1, %f2, %p1;": lambda x, y: np.where(
        (x < y) | (x > y), x, y
    ),
    "setp.nan.{k} %p1, %f1, %f2; not.pred %p2, %p1; selp.{k} %f3, %f1, %f2, %p2;": (
        lambda x, y: np.where(np.isnan(x) | np.isnan(y), y, x)
    ),
}


def computed(kind, instructions, approximation_off=0):
    """All pairs of numbers, and for each of the instructions what it makes of them."""
    x, y = (a.ravel().astype(kind) for a in np.meshgrid(REALS, REALS))
    short = {"float32": "f32", "float64": "f64"}[kind]
    steps = "".join(
        f"{one.format(k=short)} st.global.{short} [%rd7+{i * x.nbytes}], %f3;"
        for i, one in enumerate(instructions)
    )
    ptx = f"""{HEAD}
.visible .entry all(.param .u64 all_a, .param .u64 all_b, .param .u64 all_c)
{{
    .reg .pred  %p<3>;
    .reg .{short}   %f<4>;
    .reg .b32   %r<2>;
    .reg .b64   %rd<8>;
    ld.param.u64    %rd1, [all_a];
    ld.param.u64    %rd2, [all_b];
    ld.param.u64    %rd3, [all_c];
    mov.u32     %r1, %tid.x;
    mul.wide.s32    %rd4, %r1, {x.itemsize};
    add.s64     %rd5, %rd1, %rd4;
    add.s64     %rd6, %rd2, %rd4;
    add.s64     %rd7, %rd3, %rd4;
    ld.global.{short}   %f1, [%rd5];
    ld.global.{short}   %f2, [%rd6];
    {steps}
    ret;
}}
"""
    out = device.Array.room((len(instructions), x.size), kind)
    given = [device.Array.of(x), device.Array.of(y), out]
    device.launch(ptx, (1,), (x.size,), given, approximation_off)
    assert not device.complaints()
    return x, y, out.to_host()


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_what_instructions_make(kind):
    x, y, found = computed(kind, INSTRUCTIONS)
    for one, (instruction, definition) in zip(found, INSTRUCTIONS.items(), strict=True):
        with np.errstate(all="ignore"):
            expected = definition(x, y).astype(kind)
        np.testing.assert_array_equal(one, expected, instruction)
        # PTX leaves the sign of min(0, -0) open, and those of NaN.
        same = ~np.isnan(expected) & ~((x == 0) & (y == 0))
        np.testing.assert_array_equal(np.signbit(one)[same], np.signbit(expected)[same])


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_an_approximate_reciprocal_errs_as_it_is_told(off):
    x, _, (found,) = computed("float32", ["rcp.approx.ftz.f32 %f3, %f1;"], off)
    ordinary = np.isfinite(x) & (abs(x) > 1e-30) & (abs(x) < 1e30)
    exact = (1 / x[ordinary].astype(float)).astype(np.float32)
    apart = found[ordinary].view(np.int32) - exact.view(np.int32)
    powers = np.frexp(abs(x[ordinary]))[0] == 0.5
    np.testing.assert_array_equal(apart, np.where(powers, 0, off))
    tiny = abs(x) < 1e-38
    np.testing.assert_array_equal(found[tiny], np.copysign(np.inf, x[tiny]))
    np.testing.assert_array_equal(found[np.isinf(x)], np.copysign(0, x[np.isinf(x)]))


# --- The package's kernels ----------------------------------------------------------------------

THREADS = 256
FUNCTIONS = ("s3", "s4", "s4_dk", "s4_value_dx", "gelu", "softplus")


@cache
def compiled(function, form, dtype):
    """The PTX of a function's kernel; without the compilers a reason to skip."""
    reason = gpu_offline.missing()
    if reason:
        pytest.skip(reason)
    gpu_offline.pretend_device(gpu_offline.CAPABILITIES[0])
    (wanted,) = (one for one in gpu_offline.forms(function) if str(one) == form)
    return gpu_offline.compiled(function, wanted, dtype).ptx


def assert_close(actual, expected):
    """Equal bits; where arithmetic is in float32, whose reciprocals differ, nearly."""
    if actual.dtype == np.float32:
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)
    elif actual.dtype == np.float16:
        assert_neighbours(actual, expected)
    else:
        np.testing.assert_array_equal(actual, expected)


def given(function, dtype, shape):
    """A ufunc's inputs, all arrays of one shape."""
    ufunc = getattr(s3s4.ufuncs, function)
    rng = np.random.default_rng(0)
    x = rng.uniform(-12, 12, shape).astype(dtype)
    return ufunc, [x, *(np.full(shape, 2.5, dtype) for _ in range(ufunc.nin - 1))]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("kind", ["number", "one", "each", "view"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_kernels_compute_what_the_cpu_does(function, kind, dtype):
    is_walk = kind == "view"
    lengths = (2, 3, 5, 7) if is_walk else (1003,)
    ufunc, inputs = given(function, dtype, lengths)
    if ufunc.nin == 1 and kind in ("one", "each"):
        pytest.skip(f"{function} has no parameters")
    form = " ".join(["walk of 4 view" if is_walk else "flat each", *[kind] * (ufunc.nin - 1)])
    ptx = compiled(function, form, dtype)
    outs = [device.Array.room(lengths, dtype) for _ in range(ufunc.nout)]
    real = np.float64 if dtype == "float64" else np.float32
    arrays = [device.Array.of(one).as_numba_passes_it() for one in inputs]
    if kind == "number":
        arrays[1:] = [real(2.5) for _ in inputs[1:]]
    if kind == "one":
        arrays[1:] = [device.Array.of(one[:1]).as_numba_passes_it() for one in inputs[1:]]
    first = [np.int64(1003)]
    if is_walk:
        from s3s4._gpu.launches import steps_of

        first = [np.int32(step) for step in steps_of(2 * 32, lengths, np.int32)]
    arguments = [*first, *arrays, *(out.as_numba_passes_it() for out in outs)]
    device.launch(ptx, (2,), (32 if is_walk else THREADS,), arguments)
    assert not device.complaints()
    for out, expected in zip(outs, outputs(ufunc(*inputs)), strict=True):
        assert_close(out.to_host(), expected)


@pytest.mark.slow
@pytest.mark.parametrize("function", ["s4", "gelu"])
def test_a_vector_that_is_not_aligned(function):
    form = " ".join(["flat each", *["number"] * (function == "s4")])
    ptx = compiled(function, form, "float32")
    x, out = device.Array.of(np.zeros(1010, np.float32)), device.Array.room(1010, np.float32)
    numbers = [np.float32(2.5)] * (getattr(s3s4.ufuncs, function).nin - 1)
    arguments = [np.int64(1003), x.as_numba_passes_it(4), *numbers, out.as_numba_passes_it()]
    device.launch(ptx, (1,), (THREADS,), arguments)
    assert any("not aligned" in one for one in device.complaints())


def summed(ptx):
    """The gradient of k of s4, for k of one number, in four pieces; and what the CPU makes."""
    n = 2048
    ufunc, (x, k) = given("s4_dk", "float32", (1, 1, 1, n))
    g = np.linspace(-1, 1, n, dtype=np.float32).reshape(x.shape)
    sums = device.Array.room((1, 4, 2), np.float32)
    arrays = [device.Array.of(one) for one in (g, x, k)]
    views = [array.as_numba_passes_it() for array in (*arrays, device.Array.room(x.shape, "f4"))]
    steps = [np.int32(1), np.int32(0), np.int32(4 * THREADS)]
    arguments = [*steps, *views, sums.as_numba_passes_it()]
    device.launch(ptx, (1, 4), (THREADS,), arguments)
    found = device.complaints()
    expected = (g.astype(float) * ufunc(x.astype(float), k.astype(float))).sum()
    return found, sums, expected


@pytest.mark.slow
def test_sums_in_a_block():
    found, sums, expected = summed(compiled("s4_backward", "reduce view view view", "float32"))
    assert not found
    assert sums.to_host().astype(float).sum() == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_every_barrier_of_a_sum_is_needed():
    ptx = compiled("s4_backward", "reduce view view view", "float32")
    barriers = list(re.finditer(r"bar\.sync\s+0;", ptx))
    assert barriers
    for barrier in barriers:
        found, _, _ = summed(ptx[: barrier.start()] + ptx[barrier.end() :])
        assert found
