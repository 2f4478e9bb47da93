"""The ufuncs behave as NumPy's own do, and an element's bits depend on nothing but its inputs."""

import copy
import pickle

import numpy as np
import pytest

import s3s4
from s3s4 import _cpu
from s3s4._cpu import arrays as arrays_of_the_cpu
from support import (
    ACTIVATIONS,
    DTYPES,
    LARGE,
    UFUNC_KINDS,
    UFUNCS,
    assert_same_bits,
    fresh,
    inputs,
    outputs,
    python,
)

every_ufunc = pytest.mark.parametrize("ufunc", UFUNCS.values(), ids=UFUNCS)
ufunc_of_each_kind = pytest.mark.parametrize("ufunc", UFUNC_KINDS, ids=lambda u: u.__name__)
one_output = pytest.mark.parametrize(
    "ufunc", [u for u in UFUNCS.values() if u.nout == 1], ids=lambda u: u.__name__
)
binary = pytest.mark.parametrize(
    "ufunc",
    [u for u in UFUNCS.values() if (u.nin, u.nout) == (2, 1)],
    ids=lambda u: u.__name__,
)
binary_of_each_kind = pytest.mark.parametrize(
    "ufunc", [u for u in UFUNC_KINDS if (u.nin, u.nout) == (2, 1)], ids=lambda u: u.__name__
)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)

# Two functions of NumPy with the same kinds of loops, by the number of inputs.
# NumPy's functions of as many floats; it has none of three.
PEER = {1: np.exp, 2: np.arctan2, 3: lambda a, b, c: np.arctan2(np.arctan2(a, b), c)}


# --- Types ---------------------------------------------------------------------------------------


@every_ufunc
def test_loops_come_narrowest_first(ufunc):
    assert ufunc.types == [f"{c * ufunc.nin}->{c * ufunc.nout}" for c in "efdg"]


@ufunc_of_each_kind
@pytest.mark.parametrize("dtype", ["?", *np.typecodes["AllInteger"], *"efdg"])
def test_promotion_is_numpys(ufunc, dtype):
    arrays = [np.array([0, 1, 1], dtype)] * ufunc.nin
    expected = PEER[ufunc.nin](*arrays).dtype
    results = outputs(ufunc(*arrays))
    assert [result.dtype for result in results] == [expected] * ufunc.nout
    assert_same_bits(results, outputs(ufunc(*[array.astype(expected) for array in arrays])))


@binary_of_each_kind
@pytest.mark.parametrize("first", "efdg")
@pytest.mark.parametrize("second", ["e", "f", "d", "g", "b", "l", 2, 2.5])
def test_mixed_promotion_is_numpys(ufunc, first, second):
    x = np.linspace(-3, 3, 7).astype(first)
    k = np.full(7, 2).astype(second) if isinstance(second, str) else second
    assert ufunc(x, k).dtype == np.arctan2(x, k).dtype
    assert ufunc(k, x).dtype == np.arctan2(k, x).dtype


@every_activation
@every_dtype
def test_python_parameters_are_weak(activation, dtype):
    (x,) = inputs(1, 9, dtype)
    for parameters in ({}, activation.parameters, dict.fromkeys(activation.parameters, 2)):
        assert activation(x, **parameters).dtype == dtype
        assert activation.derivative(x, **parameters).dtype == dtype
        for part in activation.value_and_derivative(x, **parameters):
            assert part.dtype == dtype


@ufunc_of_each_kind
def test_scalars_give_numpy_scalars(ufunc):
    for scalar in (0.5, 1, True, np.float16(0.5), np.float32(0.5), np.longdouble(0.5), np.int8(1)):
        arguments = [scalar] * ufunc.nin
        for result in outputs(ufunc(*arguments)):
            assert type(result) is type(PEER[ufunc.nin](*arguments))
    for result in outputs(ufunc(*[np.array(0.5)] * ufunc.nin)):
        assert type(result) is np.float64


@ufunc_of_each_kind
@pytest.mark.parametrize("shape", [0, (0,), (3, 0), (0, 3), (2, 0, 4)])
def test_empty(ufunc, shape):
    for result in outputs(ufunc(*inputs(ufunc.nin, shape))):
        assert result.shape == np.empty(shape).shape
        assert result.dtype == float


@ufunc_of_each_kind
@every_dtype
def test_lists_and_nested_lists(ufunc, dtype):
    arrays = inputs(ufunc.nin, (2, 3))
    assert_same_bits(ufunc(*[array.tolist() for array in arrays]), ufunc(*arrays))
    assert_same_bits(
        ufunc(*[array.tolist() for array in arrays], dtype=dtype),
        ufunc(*[array.astype(dtype) for array in arrays]),
    )


# --- Arguments -----------------------------------------------------------------------------------


@ufunc_of_each_kind
def test_out_is_returned(ufunc):
    arrays, out = inputs(ufunc.nin, (5, 7)), fresh(ufunc, (5, 7))
    results = outputs(ufunc(*arrays, out=out))
    assert all(result is target for result, target in zip(results, out, strict=True))
    assert_same_bits(results, ufunc(*arrays))


@ufunc_of_each_kind
@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble", ">f4", ">f8", "complex128"])
def test_out_of_another_dtype(ufunc, dtype):
    arrays, out = inputs(ufunc.nin, 9, "float32"), fresh(ufunc, 9, dtype)
    ufunc(*arrays, out=out)
    for target, expected in zip(out, outputs(ufunc(*arrays)), strict=True):
        np.testing.assert_array_equal(target, expected)
        assert target.dtype == dtype


@ufunc_of_each_kind
def test_out_may_lie_anywhere(ufunc):
    arrays = inputs(ufunc.nin, (40, 30))
    for target in (np.s_[::2, ::-1], np.s_[::-2, ::3], np.s_[5, ::-1], np.s_[:, 3]):
        out, taken = fresh(ufunc, (40, 30)), [array[target] for array in arrays]
        expected = outputs(ufunc(*taken))
        ufunc(*taken, out=tuple(array[target] for array in out))
        for array, right in zip(out, expected, strict=True):
            assert_same_bits(array[target], right)
            array[target] = 77
            assert (array == 77).all()


@ufunc_of_each_kind
def test_dtype_and_casting(ufunc):
    arrays = inputs(ufunc.nin, 9)
    narrow = ufunc(*arrays, dtype="float32")
    assert_same_bits(narrow, ufunc(*[array.astype("float32") for array in arrays]))
    with pytest.raises(TypeError):
        ufunc(*arrays, dtype="float32", casting="safe")
    with pytest.raises(TypeError):
        ufunc(*arrays, out=fresh(ufunc, 9, int))
    out = fresh(ufunc, 9, int)
    ufunc(*arrays, out=out, casting="unsafe")
    for target, expected in zip(out, outputs(ufunc(*arrays)), strict=True):
        np.testing.assert_array_equal(target, expected.astype(int))


@ufunc_of_each_kind
def test_order(ufunc):
    arrays = inputs(ufunc.nin, (4, 5))
    fortran = [np.asfortranarray(array) for array in arrays]
    for result in outputs(ufunc(*arrays, order="F")):
        assert result.flags.f_contiguous
    for result in outputs(ufunc(*fortran)):
        assert result.flags.f_contiguous
    for result in outputs(ufunc(*fortran, order="C")):
        assert result.flags.c_contiguous
    assert_same_bits(ufunc(*fortran), ufunc(*arrays))


@ufunc_of_each_kind
@pytest.mark.parametrize("shape", [50, (9, 11)])
def test_where(ufunc, shape):
    arrays, out = inputs(ufunc.nin, shape), fresh(ufunc, shape)
    mask = np.random.default_rng(1).random(shape) < 0.5
    ufunc(*arrays, out=out, where=mask)
    for target, full in zip(out, outputs(ufunc(*arrays)), strict=True):
        assert_same_bits(target, np.where(mask, full, 77))


@binary_of_each_kind
def test_broadcasting(ufunc):
    x, k = inputs(2, (3, 4, 5))
    parts = (0, 0, 0), np.s_[:1], np.s_[:, :1], np.s_[:, :, :1], np.s_[0], np.s_[0, :, :1]
    for part in parts:
        wide = np.broadcast_to(k[part], x.shape)
        assert_same_bits(ufunc(x, k[part]), ufunc(x, wide.copy()))
        assert_same_bits(ufunc(k[part], x), ufunc(wide.copy(), x))
    assert ufunc(x[:, :1], k[:1]).shape == x.shape


@binary
@every_dtype
def test_an_element_does_not_depend_on_the_parameters_of_others(ufunc, dtype):
    x, k = inputs(2, 4000, dtype)
    steep = np.finfo(dtype).max
    mixed = np.concatenate([np.abs(k), [-1, steep, np.inf, np.nan]]).astype(dtype)
    with np.errstate(all="ignore"):
        results = ufunc(np.append(x, x[:4]), mixed)
    assert_same_bits(results[:4000], ufunc(x, np.abs(k)))
    assert_same_bits(results[:40], np.array([ufunc(x[i], mixed[i]) for i in range(40)]))


# --- Methods -------------------------------------------------------------------------------------


@binary_of_each_kind
@pytest.mark.parametrize("n", [1, 2, 17, 300])
def test_reduce_and_accumulate(ufunc, n):
    x = inputs(1, n)[0]
    steps = [x[0]]
    for value in x[1:]:
        steps.append(ufunc(steps[-1], value))
    assert_same_bits(ufunc.accumulate(x), np.array(steps))
    assert_same_bits(ufunc.reduce(x), steps[-1])
    assert_same_bits(ufunc.reduce(np.stack([x, x]), axis=1), np.array([steps[-1]] * 2))
    assert_same_bits(ufunc.reduce(np.stack([x, x], axis=1)), np.array([steps[-1]] * 2))
    assert_same_bits(ufunc.reduceat(x, [0]), np.array([steps[-1]]))


@binary_of_each_kind
def test_outer(ufunc):
    x, k = inputs(2, 13)
    assert_same_bits(ufunc.outer(x, k), ufunc(x[:, None], k))


@pytest.mark.parametrize(
    "ufunc", [u for u in UFUNCS.values() if u.nin < 3 and u.nout == 1], ids=lambda u: u.__name__
)
def test_at(ufunc):
    x, *parameters = inputs(ufunc.nin, 20)
    index = np.array([3, 3, 0, 19, 3])
    parameters = [parameter[:5] for parameter in parameters]
    expected = x.copy()
    for place, *values in zip(index, *parameters, strict=True):
        expected[place] = ufunc(expected[place], *values)
    ufunc.at(x, index, *parameters)
    assert_same_bits(x, expected)


# --- Layout and overlap --------------------------------------------------------------------------

LAYOUTS = {
    "reversed": lambda a: a.ravel()[::-1],
    "every second": lambda a: a.ravel()[::2],
    "every third from the end": lambda a: a.ravel()[::-3],
    "fortran": lambda a: np.asfortranarray(a),
    "transposed": lambda a: a.T,
    "middle of rows": lambda a: a[:, 3:-4],
    "column": lambda a: a[:, 5],
    "reversed both ways": lambda a: a[::-1, ::-1],
    "three axes permuted": lambda a: a.reshape(2, -1, a.shape[1]).transpose(1, 2, 0),
    "repeated": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "one value": lambda a: np.broadcast_to(a[1, 1], (40,)),
    "diagonal": lambda a: a.diagonal(),
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, a.size, offset=1),
    "big endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
}


@ufunc_of_each_kind
@every_dtype
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_changes_no_bit(ufunc, dtype, layout):
    views = [layout(array) for array in inputs(ufunc.nin, (20, 17), dtype)]
    plain = [np.array(view, dtype, order="C").ravel() for view in views]
    expected = tuple(part.reshape(views[0].shape) for part in outputs(ufunc(*plain)))
    assert_same_bits(ufunc(*views), expected)


ACROSS = {
    "transposed": ((130, 97), lambda a: a.T),
    "three axes": ((9, 33, 70), lambda a: a.transpose(1, 2, 0)),
    "four axes, backwards": ((5, 8, 40, 11), lambda a: a.transpose(3, 1, 0, 2)[::-1, :, ::-1]),
    "narrow": ((3001, 8), lambda a: a.T),
}


@ufunc_of_each_kind
@pytest.mark.parametrize("dtype", [*"efd", ">f4"])
@pytest.mark.parametrize(("shape", "turned"), ACROSS.values(), ids=ACROSS)
def test_memory_that_lies_across_changes_no_bit(ufunc, dtype, shape, turned):
    """Large arrays: an input, or the outputs, in another order than the rest."""
    across = [turned(array) for array in inputs(ufunc.nin, shape, dtype)]
    along = [np.array(array, order="C") for array in across]
    plain = ufunc(*[array.ravel() for array in along])
    expected = tuple(part.reshape(along[0].shape) for part in outputs(plain))
    for given in (across, [across[0], *along[1:]], [along[0], *across[1:]]):
        room = tuple(np.empty_like(part) for part in expected)
        assert_same_bits(whole(ufunc, given, room), expected)
    room = tuple(turned(np.empty(shape, part.dtype)) for part in expected)
    assert_same_bits(whole(ufunc, along, room), expected)


def whole(ufunc, given, room):
    """Compute a ufunc's function by the kernels that large calls take."""
    return arrays_of_the_cpu.evaluate(ufunc.__name__, room[0].shape, given, room)


@every_ufunc
@every_dtype
def test_position_changes_no_bit(ufunc, dtype):
    arrays = inputs(ufunc.nin, 600, dtype)
    each = [outputs(ufunc(*point)) for point in zip(*arrays, strict=True)]
    alone = tuple(np.array(parts) for parts in zip(*each, strict=True))
    assert_same_bits(ufunc(*arrays), alone)
    parts = [slice(start, start + n) for n in range(71) for start in (0, 1, 7, 250)]
    found = [outputs(ufunc(*[array[part] for array in arrays])) for part in parts]
    assert_same_bits(
        tuple(map(np.concatenate, zip(*found, strict=True))),
        tuple(np.concatenate([one[part] for part in parts]) for one in alone),
    )


@binary
@every_dtype
@pytest.mark.parametrize("n", [1, 5, 70, 3000])
def test_scalar_and_array_parameters_give_equal_bits(ufunc, dtype, n):
    x = np.concatenate([inputs(1, n, dtype)[0], np.array([0, np.inf, -np.inf, 1e-7, -60], dtype)])
    for k in (0, 1e-3, 0.5, 1, 2.1, 5, 50, 6e4, np.inf, -0.5, -1, -5, -np.inf, np.nan):
        k = np.dtype(dtype).type(k)
        assert_same_bits(ufunc(x, k), ufunc(x, np.full(len(x), k)))


@ufunc_of_each_kind
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [50, 5000, LARGE])
def test_out_may_be_the_input(ufunc, dtype, n):
    arrays = inputs(ufunc.nin, n, dtype)
    expected = outputs(ufunc(*arrays))
    for reuse in range(ufunc.nin):
        for place in range(ufunc.nout):
            copies = [array.copy() for array in arrays]
            out = list(fresh(ufunc, n, dtype))
            out[place] = copies[reuse]
            assert_same_bits(ufunc(*copies, out=tuple(out)), expected)


OVERLAPS = {
    "reversed": lambda n: (slice(n), slice(n - 1, None, -1)),
    "later": lambda n: (slice(0, n), slice(1, n + 1)),
    "earlier": lambda n: (slice(1, n + 1), slice(0, n)),
    "spread": lambda n: (slice(0, n), slice(0, 2 * n, 2)),
    "gathered": lambda n: (slice(0, 2 * n, 2), slice(0, n)),
}


@ufunc_of_each_kind
@pytest.mark.parametrize("n", [50, 5000, LARGE // 2])
@pytest.mark.parametrize("overlap", OVERLAPS.values(), ids=OVERLAPS)
def test_out_may_overlap_the_input(ufunc, n, overlap):
    source, target = overlap(n)
    x, *rest = inputs(ufunc.nin, 2 * n)
    rest = [array[source] for array in rest]
    expected = outputs(ufunc(x[source].copy(), *rest))
    for place in range(ufunc.nout):
        memory = x.copy()
        out = list(fresh(ufunc, expected[0].shape))
        out[place] = memory[target]
        assert_same_bits(ufunc(memory[source], *rest, out=tuple(out)), expected)


@ufunc_of_each_kind
def test_read_only_and_shared_inputs(ufunc):
    (x,) = inputs(1, LARGE)
    x.flags.writeable = False
    assert_same_bits(ufunc(*[x] * ufunc.nin), ufunc(*[x.copy() for _ in range(ufunc.nin)]))


# --- Floating-point status -----------------------------------------------------------------------


def extremes(dtype):
    """Return NaN, infinities, zeros, the largest, smallest and subnormal numbers of a dtype."""
    info = np.finfo(dtype)
    values = [np.nan, np.inf, 0, info.max, info.tiny, info.smallest_subnormal, 1, 90, 750, 1e-3]
    return np.array([*values, *[-value for value in values]], dtype)


@every_ufunc
@every_dtype
@pytest.mark.filterwarnings("error")
def test_nothing_is_flagged_at_any_length(ufunc, dtype):
    x = np.tile(extremes(dtype), 4)
    parameters = [np.repeat(extremes(dtype), 4)] * (ufunc.nin - 1)
    with np.errstate(all="raise"):
        for n in range(71):
            for start in (0, 9):
                ufunc(*[array[start : start + n] for array in (x, *parameters)])
                ufunc(*[array[start : start + 2 * n : 2] for array in (x, *parameters)])
        for values in np.broadcast(x, *parameters):
            ufunc(x[:70], *values[1:])
            ufunc(*values)


@ufunc_of_each_kind
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.filterwarnings("error")
def test_nothing_is_flagged_by_threads(ufunc, dtype):
    x = np.resize(extremes(dtype), LARGE)
    parameters = [np.resize(extremes(dtype)[:-1], LARGE)] * (ufunc.nin - 1)
    with np.errstate(all="raise"), s3s4.threads(2):
        ufunc(x, *parameters)
        ufunc(x[::2], *[parameter[::2] for parameter in parameters])


def test_subnormals_survive_the_import_here_and_on_workers():
    python(
        "import threading, numpy as np, s3s4\n"
        "def check():\n"
        "    for dtype in (np.float32, np.float64):\n"
        "        smallest = np.finfo(dtype).smallest_subnormal\n"
        "        assert np.array([smallest], dtype) * dtype(1) > 0\n"
        "        assert np.array([np.finfo(dtype).tiny]) / dtype(2) > 0\n"
        "        x = np.full(1_000_003, 8 * smallest)\n"
        "        for n in (1, 2):\n"
        "            with s3s4.threads(n):\n"
        "                assert (s3s4.s3(x) == x).all()\n"
        "check()\n"
        "thread = threading.Thread(target=check); thread.start(); thread.join()\n"
        "check()\n"
        "print('done')"
    )


# --- Pickles -------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:numpy.core is deprecated")  # a ufunc is looked for everywhere
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_are_by_public_name(protocol):
    for thing in (*UFUNCS.values(), *ACTIVATIONS):
        text = pickle.dumps(thing, protocol)
        assert pickle.loads(text) is thing
        assert not [name for name in _cpu.VARIANTS if name.encode() in text]
    for activation in ACTIVATIONS:
        method = pickle.loads(pickle.dumps(activation.derivative, protocol))
        assert_same_bits(method(0.5), activation.derivative(0.5))


def test_copies_are_the_same_object():
    for thing in (*UFUNCS.values(), *ACTIVATIONS):
        assert copy.copy(thing) is thing
        assert copy.deepcopy(thing) is thing


def test_pickles_travel_between_variants():
    things = "[*s3s4.activations.values(), s3s4.ufuncs.s4, s3s4.ufuncs.s3_value_dx]"
    dump = f"import pickle, s3s4; print(pickle.dumps({things}).hex())"
    pickles = {python(dump, S3S4_ISA=variant).stdout.strip() for variant in _cpu.VARIANTS}
    for variant in _cpu.VARIANTS:
        python(
            "import pickle\n"
            f"for text in {sorted(pickles)!r}:\n"
            "    things = pickle.loads(bytes.fromhex(text))\n"
            "    import s3s4\n"
            f"    assert s3s4.build_config()['variant'] == {variant!r}\n"
            f"    assert things == {things}\n"
            "    assert things[1](0.0) == 0.25",
            S3S4_ISA=variant,
        )


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda activation: activation.name)
def test_an_activation_has_its_ufunc(activation):
    assert activation.ufunc is getattr(s3s4.ufuncs, activation.name)
    with pytest.raises(AttributeError, match="read-only"):
        activation.ufunc = np.exp
