"""A pipeline: tables in pandas, named axes in xarray, arrays larger than memory in dask."""

import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

import s3s4

# pandas keeps labels, and aligns two operands by them.
table = pd.DataFrame({"a": [0.5, -1.0], "b": [2.0, 3.0]}, index=["p", "q"])
steep = pd.DataFrame({"b": [1.0, 2.0], "a": [3.0, 4.0]}, index=["q", "p"])
print(s3s4.s4(table, steep).loc["q", "a"], s3s4.s4(-1.0, 3.0))
table["c"] = s3s4.s4.derivative(table["a"])
print(table.loc["p", "c"], s3s4.s4.derivative(0.5))

# xarray broadcasts by name: one k for each channel.
image = xr.DataArray(np.linspace(-2, 2, 24).reshape(4, 3, 2), dims=("row", "channel", "column"))
k = xr.DataArray([1.0, 2.0, 5.0], dims="channel")
layer = s3s4.s4(image, k).transpose(*image.dims)
print(float(layer[3, 2, 1]), s3s4.s4(2.0, 5.0))

# dask computes nothing until it is asked to, and then chunk by chunk.
x = da.linspace(-8, 8, 4_000_001, chunks=500_000)
lazy = s3s4.s4(x, 2.0)
print(float(lazy.mean().compute()), s3s4.s4(np.linspace(-8, 8, 4_000_001), 2.0).mean())
