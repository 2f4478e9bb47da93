"""Whatever the shapes, strides, dtypes and byte orders: the values are those of the definition.

One function of each kind: `make fuzz` does the same for all of them, far more often.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import accuracy
import oracle
from support import ACTIVATION_KINDS, UFUNC_KINDS, UFUNCS, assert_same_bits, outputs, summed

settings.register_profile("s3s4", deadline=None, max_examples=30, derandomize=True)
settings.load_profile("s3s4")

CODES = ("f2", "f4", "f8", "g")


@st.composite
def layouts(draw, shape):
    """Draw an array of a shape: of any dtype and byte order, a view with any strides."""
    code = draw(st.sampled_from(CODES))
    dtype = np.dtype(code).newbyteorder(draw(st.sampled_from("=S")))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    order = draw(st.permutations(range(len(shape))))
    steps = draw(st.tuples(*[st.sampled_from([1, 2, -1, -3]) for _ in shape]))
    memory = np.empty([shape[axis] * abs(steps[axis]) for axis in order], dtype)
    span = draw(st.sampled_from([1e-6, 1.0, 12.0, 60.0]))
    memory[...] = rng.uniform(-span, span, memory.shape)
    slices = [slice(None, None, step) for step in steps]
    return memory.transpose(np.argsort(order))[..., *slices]


@st.composite
def operands(draw, count):
    """Draw arrays whose shapes broadcast."""
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=4, max_side=5))
    return [draw(layouts(shape)) for shape in shapes.input_shapes]


def common(arrays):
    """Return the dtype NumPy computes in, and the arrays in it, native and contiguous."""
    dtype = np.result_type(*[array.dtype for array in arrays]).newbyteorder("=")
    return dtype, [np.array(array, dtype, order="C") for array in arrays]


@pytest.mark.parametrize("name", [ufunc.__name__ for ufunc in UFUNC_KINDS])
@given(data=st.data())
def test_values_are_those_of_the_definition(name, data):
    ufunc = UFUNCS[name]
    activation, wanted = oracle.UFUNCS[name]
    arrays = data.draw(operands(ufunc.nin))
    dtype, native = common(arrays)
    for wrt, result in zip(wanted, outputs(ufunc(*arrays)), strict=True):
        exact = oracle.exact(activation, wrt, *native)
        assert result.dtype == dtype
        assert result.shape == exact.high.shape
        error = accuracy.deviation(np.asarray(result), exact)
        assert (error <= accuracy.tolerance(exact, dtype)).all()


@pytest.mark.parametrize("name", [ufunc.__name__ for ufunc in UFUNC_KINDS])
@given(data=st.data())
def test_layout_changes_no_bit(name, data):
    ufunc = UFUNCS[name]
    arrays = data.draw(operands(ufunc.nin))
    dtype, native = common(arrays)
    wide = [array.copy() for array in np.broadcast_arrays(*native)]
    flat = outputs(ufunc(*[array.ravel() for array in wide]))
    expected = [part.reshape(wide[0].shape) for part in flat]
    for result, part in zip(outputs(ufunc(*arrays)), expected, strict=True):
        assert_same_bits(np.asarray(result), part)
    out = tuple(data.draw(layouts(wide[0].shape)) for _ in range(ufunc.nout))
    mask = data.draw(hnp.arrays(bool, wide[0].shape))
    before = [array.copy() for array in out]
    with np.errstate(over="ignore"):
        ufunc(*arrays, out=out, where=mask, casting="unsafe", dtype=dtype)
        for target, part, old in zip(out, expected, before, strict=True):
            right = np.where(mask, part.astype(target.dtype), old).astype(target.dtype)
            np.testing.assert_array_equal(target, right)


@pytest.mark.parametrize("activation", ACTIVATION_KINDS, ids=lambda a: a.name)
@given(data=st.data())
def test_gradients_are_the_sums_of_the_definition(activation, data):
    count = len(activation.parameters)
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(num_shapes=1 + count, max_dims=3, max_side=4)
    )
    x, *parameters = [data.draw(layouts(shape)) for shape in shapes.input_shapes]
    if np.broadcast_shapes(*shapes.input_shapes) != x.shape:
        x = np.broadcast_to(x, np.broadcast_shapes(*shapes.input_shapes))
    grad_output = data.draw(layouts(x.shape))
    dtype, native = common([grad_output, x, *parameters])
    grads = outputs(activation.backward(grad_output, x, *parameters))
    work = np.promote_types(dtype, np.float32)
    weight = native[0].astype(np.longdouble)
    for wrt, operand, grad in zip(oracle.inputs(activation.name), native[1:], grads, strict=True):
        exact = oracle.exact(activation.name, wrt, *native[1:])
        total = summed(weight * exact.high, operand.shape)
        error = summed(np.abs(weight) * accuracy.tolerance(exact, work), operand.shape)
        assert grad.shape == operand.shape
        assert grad.dtype == dtype
        assert (np.abs(grad - total) <= 2 * error + accuracy.spacing(total, dtype)).all()
