"""Arrays of other libraries: what comes back, and that nothing is made of hidden values."""

import re
from pathlib import Path

import numpy as np
import pytest

import s3s4
from s3s4 import _devices
from support import ACTIVATIONS, assert_same_bits, outputs

PAGE = Path(__file__).resolve().parent.parent / "docs" / "containers.md"
X = np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -3.0]])
HIDDEN = (7.0, -1e300, np.nan)
MASK = np.array([True, False, False])
ROW = np.array([0.0, 1.0, -2.0])


class Tensor:
    """What NumPy sees of a torch tensor of the CPU."""

    __array_priority__ = 1000
    requires_grad = False

    def __init__(self, array):
        self.array = np.asarray(array)

    def __array__(self, dtype=None, copy=None):
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self.array if dtype is None else self.array.astype(dtype)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return Tensor(array)

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Recording(Tensor):
    """One whose gradient is recorded."""

    requires_grad = True


class Array:
    """What a program sees of a CuPy array."""

    ndim, shape, size, dtype = 2, X.shape, X.size, X.dtype

    def __init__(self, array):
        self.array = array

    @property
    def __cuda_array_interface__(self):
        return {"shape": X.shape, "typestr": "<f8", "data": (0, False), "version": 3}


def pandas(kind):
    def build(x):
        library = pytest.importorskip("pandas")
        if kind == "frame":
            return library.DataFrame(x, columns=["a", "b", "c"])
        return library.Series(x[0], dtype=kind)

    return build


def of(library, build):
    return lambda x: build(pytest.importorskip(library), x)


CONTAINERS = {
    "NumPy array": lambda x: x,
    "NumPy masked array": lambda x: np.ma.array(x, mask=False),
    "astropy Masked": of("astropy.utils.masked", lambda m, x: m.Masked(x, mask=np.zeros(3, bool))),
    "pandas Series": pandas("float64"),
    "pandas nullable Series": pandas("Float64"),
    "pandas Arrow-backed Series": pandas("double[pyarrow]"),
    "pandas DataFrame": pandas("frame"),
    "polars Series": of("polars", lambda polars, x: polars.Series("x", x[0])),
    "polars DataFrame": of("polars", lambda polars, x: polars.DataFrame(x)),
    "xarray DataArray": of("xarray", lambda xarray, x: xarray.DataArray(x, dims=("r", "c"))),
    "xarray DataArray over dask": of(
        "xarray",
        lambda xarray, x: xarray.DataArray(
            pytest.importorskip("dask.array").from_array(x, chunks=(1, 3)), dims=("r", "c")
        ),
    ),
    "dask array": of("dask.array", lambda dask, x: dask.from_array(x, chunks=(1, 3))),
    "array-api-strict array": of("array_api_strict", lambda strict, x: strict.asarray(x)),
    "pyarrow array": of("pyarrow", lambda pyarrow, x: pyarrow.array(x[0])),
    "torch tensor": Tensor,
    "torch tensor that requires grad": Recording,
    "CuPy array, a GPU": Array,
    "CuPy array, no GPU": Array,
}


def first(result):
    return result[0] if isinstance(result, tuple) else result


OPERATIONS = {
    "call": lambda f, x: f(x),
    "derivative": lambda f, x: f.derivative(x),
    "value_and_derivative": lambda f, x: f.value_and_derivative(x),
    "backward": lambda f, x: first(f.backward(x, x)),
    "softmax": lambda f, x: s3s4.softmax(x),
}


def table():
    """Return the table of the page: its columns, and the cells of each row by the first one."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return rows[0][1:], {row[0]: row[1:] for row in rows[2:]}


class OnGPU:
    """A backend that gives back what lies on its device."""

    def evaluate_on_device(self, function, x, parameters, outs):
        return (x,) * len(outs)

    def backward_on_device(self, name, grad_output, x, parameters):
        return (x,) * (1 + len(parameters))

    def over_rows_on_device(self, function, values, axes, out):
        return values[-1]


def test_the_page_names_what_is_asked():
    columns, rows = table()
    assert columns == list(OPERATIONS)
    assert list(rows) == list(CONTAINERS)


@pytest.mark.parametrize("activation", [s3s4.gelu, s3s4.s4, s3s4.softplus], ids=lambda a: a.name)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("library", CONTAINERS)
def test_every_cell_of_the_table(library, operation, activation, monkeypatch):
    columns, rows = table()
    cell = rows[library][columns.index(operation)]
    state = _devices._State()
    state.known, state.reason = True, "no driver"
    state.gpu = OnGPU() if library.endswith("a GPU") else None
    monkeypatch.setattr(_devices, "_state", state)
    x = CONTAINERS[library](X)
    call = OPERATIONS[operation]
    if not cell.startswith("`"):
        kind, _, text = cell.partition(": ")
        with pytest.raises(getattr(__builtins__, kind, None) or eval(kind), match=text):
            call(activation, x)
        return
    plain = X[0] if not isinstance(x, Array) and np.shape(x) == (3,) else X
    expected = outputs(call(activation, plain))
    for result, wanted in zip(outputs(call(activation, x)), expected, strict=True):
        assert type(result).__name__ == cell.strip("`")
        if not isinstance(x, Array):
            np.testing.assert_allclose(np.asarray(result), wanted, rtol=1e-15, atol=1e-300)


# --- Masked and missing elements ------------------------------------------------------------------


def hidden_nullable(value):
    library = pytest.importorskip("pandas")
    values = np.where(MASK, value, ROW)
    return library.Series(library.arrays.FloatingArray(values, MASK.copy()), index=list("abc"))


MISSING = {
    "masked": lambda value: np.ma.array(np.where(MASK, value, ROW), mask=MASK),
    "astropy": lambda value: pytest.importorskip("astropy.utils.masked").Masked(
        np.where(MASK, value, ROW), mask=MASK
    ),
    "nullable": hidden_nullable,
    "Arrow-backed": lambda value: pytest.importorskip("pandas").Series(
        [None, *ROW[1:]], dtype="double[pyarrow]"
    ),
    "frame": lambda value: (
        pytest.importorskip("pandas")
        .DataFrame([hidden_nullable(value)])
        .astype(dict.fromkeys("abc", "Float64"))
    ),
    "polars": lambda value: pytest.importorskip("polars").Series("x", [None, *ROW[1:]]),
    "pyarrow": lambda value: pytest.importorskip("pyarrow").array([None, *ROW[1:]]),
}
every_missing = pytest.mark.parametrize("build", MISSING.values(), ids=MISSING)
every_hidden = pytest.mark.parametrize("hidden", HIDDEN)


def shown(result):
    """Return the elements that are there, and which are not."""
    if hasattr(result, "unmasked"):
        missing, values = np.asarray(result.mask), np.asarray(result.unmasked)
    elif isinstance(result, np.ma.MaskedArray):
        missing, values = np.ma.getmaskarray(result), result.data
    elif hasattr(result, "isna"):
        missing, values = np.asarray(result.isna()), result.to_numpy(dtype=float, na_value=np.nan)
    elif hasattr(result, "is_null"):
        missing, values = result.is_null().to_numpy(), result.to_numpy()
    else:
        values = np.asarray(result)
        missing = np.isnan(values)
    return values.ravel()[~missing.ravel()], missing


@every_missing
@every_hidden
def test_a_missing_element_has_no_weight_in_a_row(build, hidden):
    x = build(hidden)
    grad = np.reshape([9.0, 2.0, -1.0], np.shape(x))
    for rows in s3s4.activations.values():
        if not isinstance(rows, s3s4.RowActivation):
            continue
        for result, expected in (
            (rows(x), rows(ROW[1:])),
            (rows.backward(grad, x), rows.backward(grad.ravel()[1:], ROW[1:])),
            (rows.backward(x, np.reshape(ROW, np.shape(x))), None),
        ):
            there, missing = shown(result)
            np.testing.assert_array_equal(missing.ravel(), MASK)
            if expected is not None:
                np.testing.assert_allclose(there, expected, rtol=1e-14)
        there, missing = shown(rows.jacobian(x))
        np.testing.assert_allclose(there, rows.jacobian(ROW[1:]).ravel(), rtol=1e-14, atol=1e-17)
        np.testing.assert_array_equal(missing.reshape(3, 3), MASK | MASK[:, None])


@every_missing
@every_hidden
def test_a_missing_element_has_no_gradient(build, hidden):
    x = build(hidden)
    grad = np.reshape([9.0, 2.0, -1.0], np.shape(x))
    for activation in ACTIVATIONS:
        expected = outputs(activation.backward(grad.ravel()[1:], ROW[1:]))
        grad_x, *grads = outputs(activation.backward(grad, x))
        there, missing = shown(grad_x)
        np.testing.assert_array_equal(missing.ravel(), MASK)
        np.testing.assert_array_equal(there, expected[0])
        assert type(grad_x) is type(x) or isinstance(grad_x, np.ndarray)
        np.testing.assert_allclose(grads, expected[1:], rtol=1e-14)
        # What comes in is missing: the same.
        grad_x, *grads = outputs(activation.backward(x, np.reshape(ROW, np.shape(x))))
        expected = outputs(activation.backward(ROW[1:], ROW[1:]))
        there, missing = shown(grad_x)
        np.testing.assert_array_equal(missing.ravel(), MASK)
        np.testing.assert_array_equal(there, expected[0])
        np.testing.assert_allclose(grads, expected[1:], rtol=1e-14)


@every_hidden
def test_missing_parameters(hidden):
    k = np.ma.array(np.where(MASK, hidden, 2.0), mask=MASK)
    x = np.arange(6.0).reshape(2, 3)
    grad_x, grad_k = s3s4.s4.backward(np.ones((2, 3)), x, k)
    expected_x, expected_k = s3s4.s4.backward(np.ones((2, 2)), x[:, 1:].copy(), np.full(2, 2.0))
    assert grad_k.mask.tolist() == MASK.tolist()
    assert_same_bits(grad_k.compressed(), expected_k)
    assert_same_bits(np.ma.getdata(grad_x)[:, 1:], expected_x)
    # An element that is repeated keeps the gradient of the repetitions that are there.
    grad_x, grad_k = s3s4.s4.backward(np.ones((2, 3)), x[:, :1], k)
    expected = s3s4.s4.backward(np.ones((2, 2)), x[:, :1], np.full(2, 2.0))[0]
    np.testing.assert_allclose(np.ma.getdata(grad_x), expected, rtol=1e-15)
    assert not np.ma.getmaskarray(grad_x).any()


@every_missing
@every_hidden
def test_missing_elements_of_values(build, hidden):
    x = build(hidden)
    for call in (s3s4.gelu, s3s4.s4, s3s4.s4.derivative, s3s4.softplus.value_and_derivative):
        for result, expected in zip(outputs(call(x)), outputs(call(ROW[1:])), strict=True):
            there, missing = shown(result)
            np.testing.assert_array_equal(missing.ravel(), MASK)
            assert_same_bits(there, expected)


@every_missing
@every_hidden
def test_missing_elements_in_training(build, hidden):
    for result in s3s4.rrelu_training(build(hidden), np.random.default_rng(1)):
        there, missing = shown(result)
        np.testing.assert_array_equal(missing.ravel(), MASK)
        assert np.isfinite(there).all()
    y, slopes = (shown(r)[0] for r in s3s4.rrelu_training(build(hidden), np.random.default_rng(1)))
    np.testing.assert_array_equal(y, slopes * ROW[1:])


def test_rows_of_missing_elements_alone_and_out():
    x = np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[1, 1], [0, 1]])
    result = s3s4.softmax(x)
    assert result.mask.tolist() == x.mask.tolist()
    assert result[1, 0] == 1
    out = np.ma.empty((2, 2))
    assert s3s4.softmax(x, out=out) is out
    assert out.mask.tolist() == x.mask.tolist()
    plain = np.full((2, 2), 77.0)
    with pytest.raises(TypeError, match="out must be a masked array"):
        s3s4.softmax(x, out=plain)
    assert (plain == 77).all()


# --- Frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.name)
def test_columns_of_frames_keep_their_types(activation):
    library = pytest.importorskip("pandas")
    frame = library.DataFrame(
        {
            "a": np.array([0.5, -1.0], np.float32),
            "b": library.array([1.5, None], "Float32"),
            "c": np.array([2, -3], np.int8),
            "d": library.array([1, None], "Int64"),
            "e": library.Series([0.25, None], dtype="float[pyarrow]"),
        }
    )
    types = ["float32", "Float32", "float16", "Float64", "float[pyarrow]"]
    for call in (activation, activation.derivative, activation.value_and_derivative):
        for part, result in enumerate(outputs(call(frame))):
            assert result.dtypes.astype(str).tolist() == types
            assert result.iloc[1].isna().tolist() == [False, True, False, True, True]
            for name in frame:
                column = outputs(call(frame[name]))[part]
                library.testing.assert_series_equal(result[name], column)
    for result in outputs(activation(frame, out=None)):
        assert result["a"].dtype == np.float32


def test_frames_with_parameters_of_their_own():
    library = pytest.importorskip("pandas")
    frame = library.DataFrame(np.float32(X), columns=["a", "a", "b"])
    k = np.float32([1, 2, 3])
    result = s3s4.s4(frame, k)
    assert result.columns.tolist() == ["a", "a", "b"]
    assert_same_bits(result.to_numpy(), s3s4.s4(np.float32(X), k))
    shuffled = library.DataFrame({"b": [1.0, 2.0], "z": [3.0, 4.0]}, index=[1, 0])
    result = s3s4.s4(frame[["b"]], shuffled)
    assert result.isna().all().to_dict() == {"b": False, "z": True}
    assert result.loc[0, "b"] == s3s4.s4(float(np.float32(X[0, 2])), 2.0)
    with pytest.raises(TypeError, match="DataFrame goes with numbers"):
        s3s4.s4(frame, library.Series([1.0, 2.0]))


def test_labels_that_differ_are_refused_in_sums():
    library = pytest.importorskip("pandas")
    x = library.Series(ROW, index=list("abc"))
    with pytest.raises(ValueError, match="grad_output and x have different labels"):
        s3s4.s4.backward(x[::-1], x)
    with pytest.raises(ValueError, match="grad_output and x have different labels"):
        s3s4.softmax.backward(x[::-1], x)
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(np.eye(3), dims=("r", "c"))
    with pytest.raises(ValueError, match="grad_output and x have different labels"):
        s3s4.s4.backward(array.T, array)
    grad_x, grad_k = s3s4.s4.backward(array, array)
    assert grad_x.dims == ("r", "c")
    assert grad_k == s3s4.s4.backward(np.eye(3), np.eye(3))[1]


# --- dtypes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "bool"])
@pytest.mark.parametrize("parameters", [{}, {"k": 2.0}], ids=["default", "given"])
def test_integers_become_what_exp_makes_of_them_everywhere(dtype, parameters):
    library = pytest.importorskip("pandas")
    x = np.array([0, 1, 1], dtype)
    expected = np.exp(x).dtype
    containers = {
        "ndarray": x,
        "masked": np.ma.array(x),
        "Series": library.Series(x),
        "xarray": pytest.importorskip("xarray").DataArray(x),
        "dask": pytest.importorskip("dask.array").from_array(x),
    }
    for name, container in containers.items():
        results = (
            s3s4.s4(container, **parameters),
            s3s4.s4.derivative(container, **parameters),
            *s3s4.s4.value_and_derivative(container, **parameters),
            s3s4.s4.backward(container, container, **parameters)[0],
        )
        assert [r.dtype for r in results] == [expected] * 5, name
        assert_same_bits(np.asarray(results[0]), s3s4.s4(x, **parameters))
    polars = pytest.importorskip("polars")
    assert s3s4.s4(polars.Series(x), **parameters).to_numpy().dtype == expected
    if dtype != "bool":
        nullable = library.Series(x, dtype=dtype.replace("i", "I").replace("uI", "UI"))
        wanted = library.Series(np.exp(nullable)).dtype
        assert s3s4.s4(nullable, **parameters).dtype == wanted


@pytest.mark.parametrize("activation", [s3s4.s4, s3s4.gelu, s3s4.relu], ids=lambda a: a.name)
def test_every_bfloat16_into_memory_of_any_layout(activation):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = np.arange(1 << 16, dtype=np.uint16).view(bfloat16)
    exact = activation(x.astype(np.float32))
    with np.errstate(all="ignore"):
        wanted = exact.astype(bfloat16)
    known = ~np.isnan(exact)
    for out in (np.empty_like(x), np.empty((x.size, 3), bfloat16)[:, 1], x.copy()):
        result = activation(x, out=out)
        assert result is out
        np.testing.assert_array_equal(out[known].view(np.uint16), wanted[known].view(np.uint16))
        assert np.isnan(out[~known].astype(np.float32)).all()
    across = x.reshape(256, 256).T
    assert activation(across).strides == across.strides
    pair = np.full_like(x, 7), np.full_like(x, 7)
    assert activation.value_and_derivative(x, out=pair)[1] is pair[1]
    for one, result in zip(
        pair, activation.value_and_derivative(x.astype(np.float32)), strict=True
    ):
        known_one = ~np.isnan(result)
        with np.errstate(all="ignore"):
            exact_one = result.astype(bfloat16)
        np.testing.assert_array_equal(one[known_one], exact_one[known_one])
        assert np.isnan(one[~known_one].astype(np.float32)).all()
    wrong = np.full(3, 7, bfloat16)
    with pytest.raises(ValueError, match="out"):
        activation(x, out=wrong)
    assert (wrong == 7).all()


def test_bfloat16_is_computed_in_float32_and_rounded_once():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = np.linspace(-6, 6, 60).astype(bfloat16).reshape(12, 5)
    wide = x.astype(np.float32)
    for activation in ACTIVATIONS:
        for call in (activation, activation.derivative, activation.value_and_derivative):
            for result, exact in zip(outputs(call(x)), outputs(call(wide)), strict=True):
                assert_same_bits(result.astype(float), exact.astype(bfloat16).astype(float))
                assert result.dtype == bfloat16
        results = outputs(activation.backward(x, x))
        exact = outputs(activation.backward(wide, wide))
        for result, one in zip(results, exact, strict=True):
            assert result.dtype == bfloat16
            assert_same_bits(np.asarray(result, float), np.asarray(one.astype(bfloat16), float))
    for axis in (0, 1):
        for call in (s3s4.softmax, s3s4.log_softmax):
            result, exact = call(x, axis), call(wide, axis)
            assert result.dtype == bfloat16
            assert_same_bits(result.astype(float), exact.astype(bfloat16).astype(float))
            result, exact = call.backward(x, x, axis), call.backward(wide, wide, axis)
            assert result.dtype == bfloat16
            assert_same_bits(result.astype(float), exact.astype(bfloat16).astype(float))
    for k in (2.0, np.inf, 1e300, 2):  # as numbers, and as NumPy rounds them
        out = np.empty_like(x)
        with np.errstate(all="ignore"):
            exact = s3s4.s4(wide, np.float32(k)).astype(bfloat16)
            assert_same_bits(s3s4.s4(x, k, out=out).astype(float), exact.astype(float))
    k = np.full(5, 2, np.float32)
    assert s3s4.s4(x, k).dtype == s3s4.s4.backward(x, x, k)[1].dtype == np.float32


# --- out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [10, 8191, 8192, 300_000])
@pytest.mark.parametrize("activation", [s3s4.gelu, s3s4.s4, s3s4.softplus], ids=lambda a: a.name)
def test_out_of_any_kind_at_every_size(activation, n):
    library = pytest.importorskip("pandas")
    x = np.linspace(-4, 4, n)
    for call, expected in (
        (activation, activation(x)),
        (activation.derivative, activation.derivative(x)),
    ):
        out = library.Series(np.zeros(n), index=range(n, 0, -1))
        call(x, out=out)
        assert_same_bits(out.to_numpy(), expected)
        lazy = pytest.importorskip("dask.array").zeros(n)
        assert call(x, out=lazy) is lazy
        assert_same_bits(lazy.compute(), expected)
        assert_same_bits(call(x, out=...), expected)
        out = np.ma.zeros(n)
        assert call(x, out=out) is out
        assert_same_bits(out.data, expected)
        square = x[: n // 2 * 2].reshape(-1, 2)
        frame = library.DataFrame(np.zeros(square.shape))
        call(square, out=frame)
        assert_same_bits(frame.to_numpy(), expected[: square.size].reshape(-1, 2))
        for wrong in ("text", 5.0, [0.0] * n, object()):
            with pytest.raises(TypeError, match=r"\bout|return arrays"):
                call(x, out=wrong)


def test_the_call_on_a_gpu_is_for_plain_arrays():
    for x in (np.ma.array(ROW, mask=MASK), pytest.importorskip("pandas").Series(ROW)):
        with pytest.raises(TypeError, match="device='gpu' is for NumPy's"):
            s3s4.s4(x, device="gpu")
        with s3s4.device("gpu"):
            assert type(s3s4.s4(x)) is type(x)


def test_the_hint_for_a_recorded_gradient_names_what_to_do():
    with pytest.raises(TypeError) as caught:
        s3s4.s4(Recording(ROW))
    assert re.search(r"s3s4\.torch\.s4.*x\.detach\(\)", str(caught.value))
    with pytest.raises(TypeError, match=r"k\.detach\(\)"):
        s3s4.s4(ROW, Recording(ROW))


NULLABLE = {
    "pandas, nullable": lambda value: pytest.importorskip("pandas").Series(value, dtype="Float64"),
    "pandas, Arrow": lambda value: pytest.importorskip("pandas").Series(
        value,
        dtype=pytest.importorskip("pandas").ArrowDtype(pytest.importorskip("pyarrow").float64()),
    ),
    "polars": lambda value: pytest.importorskip("polars").Series("x", value),
    "pyarrow": lambda value: pytest.importorskip("pyarrow").array(value),
}


@pytest.mark.parametrize("build", NULLABLE.values(), ids=NULLABLE)
def test_gradients_and_rows_of_columns_go_into_arrays(build):
    plain, gradient = np.array([1.0, -2.0, 0.5]), np.array([1.0, 2.0, 3.0])
    calls = {
        "backward": lambda x, out: s3s4.s3.backward(gradient, x, out=out),
        "softmax": lambda x, out: s3s4.softmax(x, out=out),
        "softmax.backward": lambda x, out: s3s4.softmax.backward(gradient, x, out=out),
    }
    for name, call in calls.items():
        out = np.empty(3)
        assert call(build(plain.tolist()), out) is out
        np.testing.assert_allclose(out, call(plain, None), rtol=1e-15, err_msg=name)
        masked = np.ma.zeros(3)
        holes = build([1.0, None, 0.5])
        assert call(holes, masked) is masked
        np.testing.assert_array_equal(masked.mask, [False, True, False])
        expected = call(np.ma.array(plain, mask=[0, 1, 0]), None)
        np.testing.assert_allclose(masked.compressed(), expected.compressed(), rtol=1e-15)
        before = np.full(3, 7.0)
        with pytest.raises(TypeError, match="out must be a masked array"):
            call(holes, before)
        np.testing.assert_array_equal(before, 7.0)


def test_gradients_of_a_frame_go_into_an_array():
    frame = pytest.importorskip("pandas").DataFrame({"a": [1.0, -2.0], "b": [0.5, 3.0]})
    out = np.empty((2, 2))
    assert s3s4.s3.backward(np.ones((2, 2)), frame, out=out) is out
    np.testing.assert_allclose(out, s3s4.s3.derivative(frame.to_numpy()), rtol=1e-15)


def test_a_masked_parameter_hides_what_it_is_repeated_for():
    k = np.ma.array(np.ones(3), mask=[False, True, False])
    grad_x, grad_k = s3s4.s4.backward(np.ones((2, 3)), np.ones((2, 3)), k)
    np.testing.assert_array_equal(np.ma.getmaskarray(grad_x), [[False, True, False]] * 2)
    np.testing.assert_array_equal(np.ma.getmaskarray(grad_k), k.mask)


def test_what_another_library_says_is_kept():
    class Quantity:
        def __array_ufunc__(self, *arguments, **options):
            raise TypeError("units do not match")

    for call in (s3s4.s4, s3s4.gelu.derivative):
        with pytest.raises(TypeError, match="units do not match"):
            call(Quantity())
