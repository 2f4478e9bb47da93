"""What the tests of formats share: how others than the command write and read them."""

import os

import numpy as np
import pytest

from s3s4._command.main import main


def h5(name):
    h5py = pytest.importorskip("h5py")
    return h5py.File(name, "a")


def save_zarr(path, x, member=None, chunks="auto"):
    zarr = pytest.importorskip("zarr")
    if member is not None and not os.path.exists(path):
        zarr.create_group(path)
    zarr.create_array(path, name=member, data=x, chunks=chunks)


def load_zarr(path, member):
    zarr = pytest.importorskip("zarr")
    array = zarr.open(path, mode="r")
    return (array if member is None else array[member])[...]


def save_h5(path, x, member="a"):
    with h5(path) as file:
        file[member] = x


def load_h5(path, member):
    with h5(path) as file:
        return file[member][...]


def save_tensors(path, **tensors):
    library = pytest.importorskip("safetensors.numpy")
    library.save_file({name: np.ascontiguousarray(x) for name, x in tensors.items()}, path)


def load_tensors(path):
    return pytest.importorskip("safetensors.numpy").load_file(path)


# By format: the name of an array in a file, how others write and how they read it.
ARRAYS = {
    "npy": ("x.npy", np.save, lambda path, member: np.load(path)),
    "hdf5": ("x.h5::g/a", lambda p, x: save_h5(p, x, "g/a"), load_h5),
    "safetensors": (
        "x.safetensors::g/a",
        lambda path, x: save_tensors(path, **{"g/a": x}),
        lambda path, member: load_tensors(path)[member],
    ),
    "zarr": ("x.zarr::g/a", lambda p, x: save_zarr(p, x, "g/a"), load_zarr),
}


def frame():
    pa = pytest.importorskip("pyarrow")
    return pa.table(
        {
            "id": ["u", None, "w"],
            "a": [1.0, None, -3.0],
            "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
            "n": pa.array([1, None, 3], pa.int16()),
            "f": pa.array([1, 2, 3], pa.float32()),
            "when": pa.array([0, None, 2], pa.timestamp("ms")),
            "list": [[1.0], None, []],
        }
    ).replace_schema_metadata({"mine": "kept"})


def save_parquet(path, table):
    pytest.importorskip("pyarrow.parquet").write_table(table, path, compression="zstd")


def load_parquet(path):
    # Not read_table, which may take a name with :: or a folder for something else.
    return pytest.importorskip("pyarrow.parquet").ParquetFile(path).read()


def save_feather(path, table):
    pytest.importorskip("pyarrow.feather").write_feather(table, path)


def load_feather(path):
    return pytest.importorskip("pyarrow.feather").read_table(path)


TABLES = {"parquet": (save_parquet, load_parquet), "feather": (save_feather, load_feather)}


def apply(*arguments):
    assert main(["apply", *arguments]) == 0
