"""A call of an activation is its ufunc's, for whatever kind of array, with defaults filled in."""

import numpy as np
import pytest

import oracle
from support import (
    ACTIVATIONS,
    UFUNCS,
    assert_same_bits,
    first_of_each,
    fresh,
    inputs,
    outputs,
)


def fronts():
    """Yield every call of the front with the ufunc that it stands for and its defaults."""
    for activation in ACTIVATIONS:
        name, defaults = activation.name, tuple(activation.parameters.values())
        yield pytest.param(activation, UFUNCS[name], defaults, id=name)
        yield pytest.param(
            activation.value_and_derivative, UFUNCS[f"{name}_value_dx"], defaults, id=f"{name} both"
        )
        for wrt in ("x", *activation.parameters):

            def derivative(x, *parameters, _call=activation.derivative, _wrt=wrt, **options):
                return _call(x, *parameters, wrt=_wrt, **options)

            yield pytest.param(
                derivative, UFUNCS[f"{name}_d{wrt}"], defaults, id=f"{name} by {wrt}"
            )


every_front = pytest.mark.parametrize(("front", "ufunc", "defaults"), list(fronts()))
front_of_each_kind = pytest.mark.parametrize(
    ("front", "ufunc", "defaults"),
    first_of_each(fronts(), lambda front: (front.values[1].nin, front.values[1].nout)),
)


@every_front
def test_front_is_its_ufunc(front, ufunc, defaults):
    x, *parameters = inputs(ufunc.nin, (6, 5), "float32")
    mask = x > 0
    assert_same_bits(front(x), ufunc(x, *defaults))
    assert_same_bits(front(x, *parameters), ufunc(x, *parameters))
    assert_same_bits(front(x, dtype="float64"), ufunc(x, *defaults, dtype="float64"))
    assert_same_bits(front(x.tolist()), ufunc(x.astype(float), *defaults))
    out, expected = fresh(ufunc, x.shape), fresh(ufunc, x.shape)
    result = front(x, out=out, where=mask, casting="unsafe")
    assert all(one is other for one, other in zip(outputs(result), out, strict=True))
    ufunc(x, *defaults, out=expected, where=mask, casting="unsafe")
    assert_same_bits(out, expected)
    assert all(part.flags.f_contiguous for part in outputs(front(x, order="F")))
    with pytest.raises(TypeError):
        front(x.astype(float), dtype="float32", casting="safe")
    for result in outputs(front(0.5)):
        assert type(result) is np.float64


@every_front
def test_front_takes_parameters_by_name(front, ufunc, defaults):
    x, *parameters = inputs(ufunc.nin, 9)
    names = oracle.inputs(oracle.UFUNCS[ufunc.__name__][0])[1:]
    assert_same_bits(front(x, **dict(zip(names, parameters, strict=True))), ufunc(x, *parameters))


@front_of_each_kind
@pytest.mark.parametrize("view", [np.s_[:], np.s_[::2], np.s_[:, ::-1]], ids=str)
@pytest.mark.parametrize("transposed", [False, True])
def test_front_on_large_arrays_with_out_anywhere(front, ufunc, defaults, view, transposed):
    memory, *whole = [
        array.T[view] if transposed else array[view] for array in inputs(ufunc.nin, (300, 240))
    ]
    for parameters in (defaults, whole, [p[..., :1].copy() for p in whole], [3] * len(whole)):
        expected = outputs(ufunc(np.array(memory), *parameters))
        n = len(memory) - 1
        for source, target in (
            (memory, np.empty_like(memory)),
            (memory, np.asfortranarray(memory)),
            (memory, np.empty(memory.shape, ">f8")),
            (memory, memory[::-1]),
            (memory, memory),
            (memory[:n], memory[1:]),
            (memory[1:], memory[:n]),
        ):
            before = memory.copy()
            out = list(fresh(ufunc, source.shape))
            out[-1] = target
            taken = [p[: len(source)] if np.ndim(p) else p for p in parameters]
            right = outputs(ufunc(np.array(source), *taken))
            results = outputs(front(source, *taken, out=tuple(out)))
            assert results[-1] is target
            for result, part in zip(results, right, strict=True):
                np.testing.assert_array_equal(result, part)
            memory[...] = before
        assert_same_bits(front(memory, *parameters), expected)


@every_front
def test_single_out_needs_no_tuple(front, ufunc, defaults):
    if ufunc.nout == 1:
        x, out = inputs(1, 9)[0], np.empty(9)
        assert front(x, out=out) is out
        assert_same_bits(out, ufunc(x, *defaults))


class Tagged(np.ndarray):
    """A subclass that says nothing of ufuncs."""


class Duck:
    """An object that takes ufuncs over."""

    __array_priority__ = 1

    seen: tuple

    def __array_ufunc__(self, ufunc, method, *arguments, **options):
        self.seen = ufunc, method, len(arguments)
        return (self,) * ufunc.nout if ufunc.nout > 1 else self


class Stranger:
    """An object that refuses ufuncs."""

    __array_ufunc__ = None


class Boxed:
    """An object that turns into an array."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)


@front_of_each_kind
def test_array_likes(front, ufunc, defaults):
    (x,) = inputs(1, (4, 5))
    for result in outputs(front(x.view(Tagged))):
        assert type(result) is Tagged
    duck = Duck()
    assert all(result is duck for result in outputs(front(duck)))
    assert duck.seen == (ufunc, "__call__", ufunc.nin)
    with pytest.raises(TypeError):
        front(Stranger())
    assert_same_bits(front(Boxed(x)), ufunc(x, *defaults))
    assert_same_bits(front(memoryview(x)), ufunc(x, *defaults))


@front_of_each_kind
def test_masked_arrays(front, ufunc, defaults):
    x = np.ma.array([1.0, 2.0, np.nan, -1.0], mask=[False, True, True, False])
    for result, plain in zip(outputs(front(x)), outputs(ufunc(x.data, *defaults)), strict=True):
        assert isinstance(result, np.ma.MaskedArray)
        np.testing.assert_array_equal(result.mask, x.mask)
        np.testing.assert_array_equal(result.compressed(), plain[[0, 3]])


@front_of_each_kind
def test_pandas(front, ufunc, defaults):
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([1.0, -2.0, np.nan], index=list("abc"))
    for result, plain in zip(
        outputs(front(series)), outputs(ufunc(series.to_numpy(), *defaults)), strict=True
    ):
        pandas.testing.assert_series_equal(result, pandas.Series(plain, index=series.index))


@front_of_each_kind
def test_xarray(front, ufunc, defaults):
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(inputs(1, (3, 4))[0], dims=("row", "column"))
    for result, plain in zip(
        outputs(front(array)), outputs(ufunc(array.values, *defaults)), strict=True
    ):
        assert result.dims == array.dims
        assert_same_bits(result.values, plain)


@front_of_each_kind
def test_dask(front, ufunc, defaults):
    dask = pytest.importorskip("dask.array")
    (x,) = inputs(1, (30, 40))
    if ufunc.nout == 1:
        lazy = front(dask.from_array(x, chunks=10))
        assert isinstance(lazy, dask.Array)
        assert_same_bits(lazy.compute(), ufunc(x, *defaults))
