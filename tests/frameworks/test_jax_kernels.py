"""s3s4.jax_kernels: the kernels' bits, called by XLA, and what surrounds the call.

# Design:
# - Values have the bits of s3s4 outside of JAX; derivatives are compared with the oracle.
# - The handler is also called as no function of this package would: it must refuse.
"""

import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import oracle
import s3s4
from slopes import CASES, X, exact, exact_second
from support import ELEMENTWISE, LARGE, assert_same_bits, python

jax = pytest.importorskip("jax", reason="JAX is not installed: it is in [frameworks]")

import jax.numpy as jnp
from jax import export

import s3s4.jax as sj
import s3s4.jax_kernels as sk

pytestmark = [pytest.mark.frameworks, pytest.mark.usefixtures("_jax_in_double")]
HEADER = Path(__file__).parents[2] / "src" / "xla" / "xla_ffi.h"
ENDS = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-40, -1e-310]


def grad(f, x):
    return jax.grad(lambda x: f(x).sum())(x)


def vmap_grad(f, x):
    return jax.vmap(jax.grad(f))(x)


def remat(f, x):
    return grad(jax.checkpoint(f), x)


def scan(f, x):
    return grad(lambda x: jax.lax.scan(lambda carry, one: (carry, f(one)), 0.0, x)[1], x)


def jacrev(f, x):
    return jax.jacrev(f)(x).diagonal()


WAYS = (grad, vmap_grad, remat, scan, jacrev)


# --- The kernels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values_have_the_bits_of_s3s4(name):
    activation, function = ELEMENTWISE[name], getattr(sk, name)
    values = list(activation.parameters.values())
    for dtype in (np.float16, np.float32, np.float64):
        x = np.array([*np.linspace(-40, 40, 1001), *ENDS]).astype(dtype)
        # Parameters are those of the arithmetic: float32 where x is float16.
        computed = np.promote_types(dtype, np.float32)
        wide = activation(x.astype(computed), *map(computed.type, values))
        assert_same_bits(np.asarray(function(x)), wide.astype(dtype))
        each = [np.linspace(0.5, 1, x.size).astype(dtype) * dtype(value or 1) for value in values]
        assert_same_bits(np.asarray(function(x, *each)), activation(x, *each))


def test_large_arrays_have_them_as_well():
    x = np.random.default_rng(0).normal(size=LARGE).astype("f4")
    assert_same_bits(np.asarray(sk.s4(x, 2.0)), s3s4.s4(x, 2.0))
    found = jax.grad(lambda x, k: sk.s4(x, k).sum(), (0, 1))(x, np.float32(2.0))
    for one, expected in zip(found, s3s4.s4.backward(np.float32(1), x, 2.0), strict=True):
        assert_same_bits(np.asarray(one), np.asarray(expected))


@pytest.mark.parametrize(("name", "values"), CASES)
def test_derivatives(name, values):
    function, given = getattr(sk, name), [jnp.asarray(one) for one in (X, *values)]

    @jax.jit
    def everything(*given):
        by_all = jax.grad(lambda *given: function(*given).sum(), tuple(range(len(given))))
        return by_all(*given), vmap_grad(jax.grad(lambda x: function(x, *given[1:])), given[0])

    by_all, second = everything(*given)
    for wrt, found in zip(oracle.inputs(name), by_all, strict=True):
        slope = exact(name, wrt, values)
        expected = slope if wrt == "x" else slope.sum()
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(second, exact_second(name, values), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_a_gradient(way):
    for name in ("s4", "gelu", "rational_softsign"):
        slope = exact(name, "x", tuple(ELEMENTWISE[name].parameters.values()))
        np.testing.assert_allclose(way(getattr(sk, name), jnp.asarray(X)), slope, 1e-13, 1e-15)


def test_second_derivatives_by_x_and_k():
    @jax.jit
    def second(x, k):
        return [jax.jacrev(jax.jacrev(f, (0, 1)), (0, 1))(x, k) for f in (sk.s4, sj.s4)]

    ours, plain = second(0.75, 2.0)
    np.testing.assert_allclose(ours, plain, rtol=1e-12)


def test_forward_mode_is_an_error():
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(sk.s4, (jnp.ones(3),), (jnp.ones(3),))


# --- Shapes and types -----------------------------------------------------------------------------


def test_what_broadcasts_is_summed_over():
    rng = np.random.default_rng(0)
    for x_shape, k_shape in [
        ((2, 3, 4), (3, 1)),
        ((4,), (3, 1)),
        ((), (5,)),
        ((0, 3), ()),
        ((), ()),
    ]:
        x, k = rng.normal(size=x_shape), rng.uniform(0.5, 5, k_shape)
        y = sk.s4(x, k)
        assert_same_bits(np.asarray(y), np.asarray(s3s4.s4(x, k)))
        g = rng.normal(size=y.shape)
        found = jax.vjp(sk.s4, jnp.asarray(x), jnp.asarray(k))[1](jnp.asarray(g))
        for one, expected in zip(found, s3s4.s4.backward(g, x, k), strict=True):
            assert_same_bits(np.asarray(one), np.asarray(expected))


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 0)])
def test_vmap_is_a_loop(axes):
    rng = np.random.default_rng(0)
    x, k = rng.normal(size=(3, 3)), rng.uniform(0.5, 5, 3)
    both = jax.grad(lambda x, k: sk.s4(x, k).sum(), (0, 1))

    def take(array, axis, i):
        return array if axis is None else jnp.take(array, i, axis)

    found = jax.vmap(both, axes)(x, k)
    for i in range(3):
        given = [take(one, axis, i) for one, axis in zip((x, k), axes, strict=True)]
        for one, expected in zip(found, both(*given), strict=True):
            np.testing.assert_allclose(one[i], expected, rtol=1e-15)
    outer = jax.vmap(jax.vmap(sk.s4, (0, None)), (None, 0))(x, k)
    np.testing.assert_allclose(outer, s3s4.s4(x, k[:, None, None]), rtol=1e-15)


def test_bfloat16_is_computed_in_single():
    x = jnp.linspace(-9, 9, 257, dtype=jnp.bfloat16)
    wide = np.asarray(x, np.float32)
    for k in (2.3, np.float32(2.3)):
        expected = s3s4.s4(wide, np.float32(2.3))
        y = sk.s4(x, k)
        assert y.dtype == (jnp.bfloat16 if type(k) is float else jnp.float32)
        assert_same_bits(np.asarray(y), np.asarray(jnp.asarray(expected).astype(y.dtype)))
    by_x, by_k = jax.grad(lambda x, k: sk.s4(x, k).astype(float).sum(), (0, 1))(x, 2.3)
    assert (by_x.dtype, by_k.dtype) == (jnp.bfloat16, jnp.float64)
    expected = s3s4.s4.backward(np.float32(1), wide, np.float32(2.3))
    np.testing.assert_allclose(by_k, expected[1], rtol=1e-6)
    assert float(abs(by_x.astype(float) - expected[0]).max()) < 2**-8


def test_types_are_promoted_as_in_s3s4_jax():
    single = jnp.ones(3, jnp.float32)
    for given in [(single, 2.0), (single, np.float64(2)), (jnp.arange(3),), (True,), (1.0, single)]:
        assert sk.s4(*given).dtype == sj.s4(*given).dtype
    jax.config.update("jax_enable_x64", False)
    assert sk.s4(jnp.arange(3)).dtype == sk.s4(1.0).dtype == jnp.float32
    with pytest.raises(TypeError, match="k must be an array or a number, not str"):
        sk.s4(1.0, "5")


# --- The call -------------------------------------------------------------------------------------


def step(x, k, f=sk.s4):
    return jax.grad(lambda x, k: f(f(x * 2.0, k) * 3.0, k).sum(), (0, 1))(x, k)


def test_the_cpu_calls_kernels_and_other_devices_do_not():
    given = jax.ShapeDtypeStruct((5,), np.float32), jax.ShapeDtypeStruct((), np.float32)
    called = "custom_call @s3s4"
    assert called in jax.jit(step).lower(*given).as_text()
    assert called not in jax.jit(partial(step, f=sj.s4)).lower(*given).as_text()
    assert called not in export.export(jax.jit(step), platforms=["cuda"])(*given).mlir_module()


def test_x_and_k_alone_are_kept():
    n = 10**5
    x, k = jnp.ones(n, jnp.float32), jnp.float32(5)
    memory = jax.jit(step).lower(x, k).compile().memory_analysis()
    assert memory.temp_size_in_bytes <= 4 * x.nbytes
    residuals = jax.tree.leaves(jax.vjp(sk.s4, x, k)[1])
    assert sum(one.size for one in residuals if hasattr(one, "size")) == n + 1


X3 = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("function", "given", "result", "reason"),
    [
        ("s4_strided", (X3.astype(np.int32), X3), X3, "buffer 0 is of another type"),
        ("s4_strided", (X3, X3), X3.astype(np.int8), "buffer 2 is of another type"),
        ("s4_strided", (X3,), X3, "s4_strided has 2 arguments and 1 results"),
        ("s4_backward", (X3, X3), X3, "s4_backward has 3 arguments and 2 results"),
        ("s4_array_f32", (X3, X3), X3, "names no function"),
        ("s4_strided", (X3, X3[:2]), X3, "shapes do not broadcast"),
        ("s4_strided", (X3, X3), X3[:2], "shapes do not broadcast"),
        ("s4_strided", (X3, X3[0]), X3, "buffers differ in rank"),
    ],
)  # fmt: skip
def test_the_handler_refuses_what_does_not_fit(function, given, result, reason):
    like = jax.ShapeDtypeStruct(result.shape, result.dtype)
    with pytest.raises(Exception, match=f"INVALID_ARGUMENT: s3s4: .*{reason}"):
        jax.block_until_ready(jax.ffi.ffi_call("s3s4", like)(*given, function=function))


def test_the_interface_is_the_one_of_jaxlib(tmp_path):
    pairs = {
        "extension": "Extension_Base: struct_size type next",
        "version": "Api_Version: struct_size extensions=extension_start major=major_version "
        "minor=minor_version",
        "metadata": "Metadata: struct_size version=api_version traits",
        "metadata_extension": "Metadata_Extension: base=extension_base metadata",
        "error_create": "Error_Create_Args: struct_size extensions=extension_start message "
        "code=errc",
        "api": "Api: struct_size version=api_version internal=internal_api "
        "create_error=XLA_FFI_Error_Create",
        "buffer": "Buffer: struct_size type=dtype data rank lengths=dims",
        "buffers": "Args: struct_size count=size types buffers=args",
        "span": "ByteSpan: text=ptr length=len",
        "attributes": "Attrs: struct_size count=size types names values=attrs",
        "frame": "CallFrame: struct_size extensions=extension_start api context=ctx stage "
        "arguments=args results=rets attributes=attrs",
    }
    lines = ["#include <xla/ffi/api/c_api.h>", f'#include "{HEADER}"']
    for ours, text in pairs.items():
        theirs, _, fields = text.partition(": ")
        for field in fields.split():
            name, _, other = field.partition("=")
            for size in ("offsetof({}, {})", "sizeof((({} *)0)->{})"):
                one, their = size.format(f"ffi_{ours}", name), f"XLA_FFI_{theirs}"
                same = f"{one} == {size.format(their, other or name)}"
                lines.append(f'_Static_assert({same}, "{ours}.{name}");')
    lines.append('_Static_assert(sizeof(XLA_FFI_Rets) == sizeof(ffi_buffers), "results");')
    numbers = {
        "METADATA": "Extension_Metadata",
        "EXECUTE": "ExecutionStage_EXECUTE",
        "STRING": "AttrType_STRING",
        "INVALID_ARGUMENT": "Error_Code_INVALID_ARGUMENT",
        "RESOURCE_EXHAUSTED": "Error_Code_RESOURCE_EXHAUSTED",
        "MAJOR": "API_MAJOR",
        "NEWEST_MINOR": "API_MINOR",
        **{kind: f"DataType_{kind}" for kind in ("F16", "F32", "F64", "BF16")},
    }
    for ours, theirs in numbers.items():
        compared = ">=" if ours == "NEWEST_MINOR" else "=="
        lines.append(f'_Static_assert((int)FFI_{ours} {compared} (int)XLA_FFI_{theirs}, "{ours}");')
    (tmp_path / "layout.c").write_text("\n".join(lines) + "\n")
    options = ["-std=c11", "-fsyntax-only", f"-I{jax.ffi.include_dir()}"]
    done = subprocess.run(
        ["cc", *options, "layout.c"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_it_can_be_exported_and_called_again():
    given = jax.ShapeDtypeStruct(export.symbolic_shape("n"), np.float64)
    checks = [export.DisabledSafetyCheck.custom_call("s3s4")]
    made = export.export(jax.jit(jax.grad(lambda x: sk.s4(x).sum())), disabled_checks=checks)(given)
    again = export.deserialize(made.serialize()).call(jnp.asarray(X))
    np.testing.assert_allclose(again, exact("s4", "x", (5.0,)), rtol=1e-13, atol=1e-15)


def test_on_two_devices():
    python(
        "import jax, jax.numpy as jnp, numpy as np, s3s4, s3s4.jax as sj, s3s4.jax_kernels as sk\n"
        "x = np.linspace(-3, 3, 8, dtype='f4').reshape(2, 4)\n"
        "by_x, by_k = s3s4.s4.backward(np.float32(1), x, np.full((2, 1), 2.0, 'f4'))\n"
        "for module in (sj, sk):\n"
        "    f = module.s4\n"
        "    np.testing.assert_allclose(jax.pmap(f)(x), s3s4.s4(x), rtol=1e-6)\n"
        "    both = jax.grad(lambda x, k: f(x, k).sum(), (0, 1))\n"
        "    found = jax.pmap(both, in_axes=(0, None))(x, jnp.float32(2))\n"
        "    np.testing.assert_allclose(found[0], by_x, rtol=1e-6)\n"
        "    np.testing.assert_allclose(found[1], by_k[:, 0], rtol=1e-6)",
        XLA_FLAGS="--xla_force_host_platform_device_count=2",
        timeout=120,
    )


def test_every_activation_is_there():
    assert sk.__all__ == sj.__all__ == list(ELEMENTWISE)
    python("import sys, s3s4.jax; assert 's3s4._jax.kernels' not in sys.modules")
