"""Real libraries of NumPy's family take the functions as they take NumPy's own."""

import numpy as np
import pytest

import s3s4
from support import assert_same_bits, inputs, python


def test_pandas_series_keep_their_labels():
    pandas = pytest.importorskip("pandas")
    x = pandas.Series([1.0, None, -2.0], index=["p", "q", "r"], name="x", dtype="float32")
    value, slope = s3s4.s4.value_and_derivative(x, 2.0)
    for result, function in ((value, s3s4.s4), (slope, s3s4.s4.derivative)):
        assert isinstance(result, pandas.Series)
        assert (result.dtype, result.name, *result.index) == (np.float32, "x", "p", "q", "r")
        assert_same_bits(result.to_numpy(), function(x.to_numpy(), 2.0))


def test_pandas_labels_that_one_side_lacks_are_missing():
    pandas = pytest.importorskip("pandas")
    x = pandas.Series([1.0, 2.0], index=["p", "q"])
    k = pandas.Series([3.0, 4.0], index=["q", "r"])
    result = s3s4.s4(x, k)
    assert list(result.index) == ["p", "q", "r"]
    assert result.isna().tolist() == [True, False, True]
    assert result["q"] == s3s4.s4(2.0, 3.0)


def test_pandas_frames_align():
    pandas = pytest.importorskip("pandas")
    x = pandas.DataFrame({"a": [1.0, -2.0], "b": [0.5, 3.0]}, index=["p", "q"])
    k = pandas.DataFrame({"b": [1.0, 2.0], "a": [3.0, 4.0]}, index=["q", "p"])
    result = s3s4.s4(x, k)
    assert isinstance(result, pandas.DataFrame)
    assert result.loc["p", "a"] == s3s4.s4(1.0, 4.0)
    assert result.loc["q", "b"] == s3s4.s4(3.0, 1.0)


def test_xarray_broadcasts_by_name():
    xarray = pytest.importorskip("xarray")
    x = xarray.DataArray(inputs(1, (3, 4))[0], dims=("row", "column"))
    k = xarray.DataArray([1.0, 2.0, 5.0], dims="row")
    result = s3s4.s4(x, k)
    assert result.dims == ("row", "column")
    assert_same_bits(result.values, s3s4.s4(x.values, k.values[:, None]))


def test_xarray_over_dask_stays_lazy():
    xarray = pytest.importorskip("xarray")
    array = pytest.importorskip("dask.array")
    x = inputs(1, (6, 5))[0]
    lazy = s3s4.s4(xarray.DataArray(array.from_array(x, chunks=2), dims=("row", "column")))
    assert isinstance(lazy.data, array.Array)
    assert_same_bits(lazy.compute().values, s3s4.s4(x))


def test_dask_computes_nothing_before_it_is_asked():
    array = pytest.importorskip("dask.array")
    x = inputs(1, 1000, np.float32)[0]
    asked = []

    def block(part):
        asked.append(part.shape)
        return part

    source = array.from_array(x, chunks=300).map_blocks(block, dtype=x.dtype, meta=x[:0])
    asked.clear()
    k = array.from_array(x, chunks=300)
    value, slope = s3s4.s4(source, k), s3s4.s4.derivative(source, k)
    assert isinstance(value, array.Array)
    assert value.chunks == ((300, 300, 300, 100),)
    assert value.dtype == slope.dtype == np.float32
    assert not asked
    assert_same_bits(value.compute(scheduler="sync"), s3s4.s4(x, x))
    assert len(asked) == 4
    assert_same_bits(slope.compute(scheduler="sync"), s3s4.s4.derivative(x, x))


@pytest.mark.slow
def test_dask_distributed():
    distributed = pytest.importorskip("distributed")
    array = pytest.importorskip("dask.array")
    x = inputs(1, 1000)[0]
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        lazy = s3s4.s4(array.from_array(x, chunks=100), 2.0)
        assert_same_bits(lazy.compute(), s3s4.s4(x, 2.0))
        mapped = array.from_array(x, chunks=100).map_blocks(s3s4.s4.derivative, k=2.0)
        assert_same_bits(mapped.compute(), s3s4.s4.derivative(x, k=2.0))


@pytest.mark.slow
def test_dask_array_larger_than_memory():
    resource = pytest.importorskip("resource")
    pytest.importorskip("dask.array")
    assert resource.RLIMIT_AS
    # 10^8 doubles are 800 MB in and 800 MB out; the libraries themselves map some 300 MB.
    python(
        "import resource, threading; threading.stack_size(1 << 20)\n"
        "import dask, dask.array as da, numpy as np, s3s4\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "dask.config.set(scheduler='threads', num_workers=2)\n"
        "x = da.linspace(-8, 8, 100_000_000, chunks=1_000_000)\n"
        "mean = float(s3s4.s4(x).mean().compute())\n"
        "wanted = s3s4.s4(np.linspace(-8, 8, 100_001)).mean()\n"
        "assert abs(mean - wanted) < 1e-5, (mean, wanted)",
        OPENBLAS_NUM_THREADS="1",
        MALLOC_ARENA_MAX="2",
        timeout=300,
    )


def test_memory_mapped_arrays(tmp_path):
    x = inputs(1, 300_000)[0]
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", x.dtype, x.shape)
    assert s3s4.s4(mapped, 2.0, out=out) is out
    out.flush()
    assert_same_bits(np.load(tmp_path / "out.npy"), s3s4.s4(x, 2.0))


def test_polars():
    polars = pytest.importorskip("polars")
    x = inputs(1, 1000, np.float32)[0]
    result = s3s4.ufuncs.s3(polars.Series("x", x))
    assert isinstance(result, polars.Series)
    assert_same_bits(result.to_numpy(), s3s4.s3(x))
    assert_same_bits(np.asarray(s3s4.s4(polars.Series("x", x), 2.0)), s3s4.s4(x, 2.0))


def test_arrow():
    pyarrow = pytest.importorskip("pyarrow")
    x = inputs(1, 1000)[0]
    column = pyarrow.array(x)
    assert_same_bits(s3s4.s4(column, 2.0), s3s4.s4(x, 2.0))
    assert_same_bits(s3s4.s4(pyarrow.chunked_array([column, column]))[1000:], s3s4.s4(x))


def test_masked_arrays_keep_their_mask():
    x = np.ma.masked_invalid([1.0, np.nan, -2.0])
    result = s3s4.s4(x, 2.0)
    assert result.mask.tolist() == [False, True, False]
    assert result[2] == s3s4.s4(-2.0, 2.0)


def test_astropy_masked_arrays():
    utils = pytest.importorskip("astropy.utils.masked")
    x = inputs(1, 5)[0]
    mask = np.array([False, True, False, False, True])
    result = s3s4.s4(utils.Masked(x, mask=mask), 2.0)
    assert isinstance(result, utils.Masked)
    np.testing.assert_array_equal(result.mask, mask)
    assert_same_bits(result.unmasked, s3s4.s4(x, 2.0))


def test_astropy_quantities(monkeypatch):
    units = pytest.importorskip("astropy.units")
    helper = pytest.importorskip("astropy.units.quantity_helper")
    helpers = pytest.importorskip("astropy.units.quantity_helper.helpers")
    x = [0.5, 2.0] * units.km / units.m
    # A quantity takes the ufuncs that it has been told of, and only those.
    with pytest.raises(TypeError, match="s4"):
        s3s4.s4(x)
    two = helpers.helper_two_arg_dimensionless
    monkeypatch.setitem(helper.UFUNC_HELPERS, s3s4.ufuncs.s4, two)
    result = s3s4.s4(x, 0.001)
    assert result.unit == units.dimensionless_unscaled
    np.testing.assert_allclose(result.value, s3s4.s4(np.array([500.0, 2000.0]), 0.001), rtol=1e-15)
    with pytest.raises(units.UnitsError):
        s3s4.s4([0.5, 2.0] * units.m)


@pytest.mark.slow
def test_torch_tensors():
    torch = pytest.importorskip("torch")
    x = inputs(1, 1000, np.float32)[0]
    tensor = torch.from_numpy(x)
    assert_same_bits(s3s4.s4(tensor.numpy(), 2.0), s3s4.s4(x, 2.0))
    out = torch.empty(1000)
    s3s4.s4(x, 2.0, out=out.numpy())
    wanted = torch.sigmoid(2 * tensor) * torch.nn.functional.softsign(tensor)
    wanted += torch.sigmoid(-2 * tensor) * torch.sigmoid(tensor)
    torch.testing.assert_close(out, wanted, rtol=1e-5, atol=1e-6)


def test_array_api_of_numpy_itself():
    x = inputs(1, (3, 4))[0]
    namespace = x.__array_namespace__()
    result = s3s4.s4(namespace.asarray(x), 2.0)
    assert result.__array_namespace__() is namespace


def test_array_api_namespace():
    strict = pytest.importorskip("array_api_strict")
    x = strict.asarray([1.0, -2.0])
    namespace = x.__array_namespace__()
    # A namespace of its own without ufuncs: in and out by the DLPack protocol.
    result = namespace.asarray(s3s4.s4(np.from_dlpack(x), 2.0))
    assert bool(namespace.all(result == strict.asarray(s3s4.s4(np.array([1.0, -2.0]), 2.0))))
