"""Zarr arrays, of version 2 and 3, by the package zarr."""

# Design:
# - An array is a folder: it is made beside the store and takes its place there when it is complete.
#   What else the store holds is not touched.
# - A result has the chunks, the compression and the attributes of what it was made from. What was
#   none has blocks for chunks: each is then written once.

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s3s4._command import arrays
from s3s4._command.arrays import Index
from s3s4._command.data import DataError, Source, Target, damage, one_of
from s3s4._command.streams import replacing_folder

with warnings.catch_warnings(action="ignore"):  # of its own parts
    import zarr


class Reader:
    """An array; see `arrays.Reader`.

    Parameters
    ----------
    array : zarr.Array
    """

    fortran_order = False
    is_bfloat16 = False

    def __init__(self, array: Any) -> None:
        self.array = array
        self.member = array.path or None
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.chunks: tuple[int, ...] = array.shards or array.chunks

    def read(self, index: Index, values: NDArray[Any]) -> None:
        """Read a block."""
        with damage("cannot be read"):
            values[...] = self.array[index]


class Writer:
    """An array that is made; see `arrays.Writer`.

    Parameters
    ----------
    store : str
        The path of a folder.
    member : str or None
        The name of the array there.
    version : int, optional
        Of the format, if that is not to be the one of what is read.
    """

    anywhere = True

    def __init__(self, store: str, member: str | None, version: int | None = None) -> None:
        self._store = store
        self._member = member
        self._version = version

    def begin(
        self,
        reader: arrays.Reader,
        dtype: np.dtype[Any],
        as_bfloat16: bool,
        block: tuple[int, ...],
    ) -> None:
        """Make the array."""
        options: dict[str, Any] = {"chunks": block[::-1] if reader.fortran_order else block}
        version = self._version
        if isinstance(reader, Reader):
            like = reader.array
            version = version or like.metadata.zarr_format
            options = {"chunks": like.chunks, "attributes": dict(like.attrs)}
            if version == like.metadata.zarr_format:
                options["compressors"] = like.compressors
            if version == 3:
                options["shards"] = like.shards
                options["dimension_names"] = getattr(like.metadata, "dimension_names", None)
        try:
            if self._member:
                zarr.create_group(self._store, zarr_format=version or 3)
            self._array = zarr.create_array(
                self._store,
                name=self._member,
                shape=reader.shape,
                dtype=dtype.newbyteorder("="),
                zarr_format=version or 3,
                **options,
            )
        except (KeyError, ValueError) as error:  # it knows no such type
            raise DataError(f"has what Zarr cannot hold: {error}") from None
        self._turned = reader.fortran_order

    def write(self, index: Index, values: NDArray[Any]) -> None:
        """Write a block."""
        if self._turned:
            index, values = index[::-1], values.T
        self._array[index] = values


@contextmanager
def reading(source: Source) -> Iterator[Reader]:
    """Open an array; see `arrays.Reader`."""
    with _quiet():
        with damage("is a damaged Zarr store"):
            found = zarr.open(source.path, mode="r")
            if isinstance(found, zarr.Group):
                members = found.members(max_depth=None)
                names = [name for name, item in members if isinstance(item, zarr.Array)]
                found = found[one_of(names, source)]
            elif source.member is not None:
                raise DataError("is one array without a name")
        yield Reader(found)


@contextmanager
def making(target: Target) -> Iterator[Writer]:
    """Make a store, or an array in one; see `arrays.Making`."""
    if target.in_place:
        raise OSError(errno.EINVAL, "is a folder, which --in-place is not for")
    with _quiet():
        there = _opened(target.path)
        if not (target.beside and isinstance(there, zarr.Group)):
            if isinstance(there, zarr.Group):
                raise OSError(errno.EEXIST, "is a group of arrays: say which, as in OUT::NAME")
            with replacing_folder(target.path, target.path) as folder:
                yield Writer(folder, target.member if target.beside else None)
            return
        name = str(target.member)
        version = there.metadata.zarr_format
        with replacing_folder(os.path.join(target.path, name), target.path) as folder:
            yield Writer(folder, None, version)
            if "/" in name:
                there.require_group(name.rpartition("/")[0])
        if there.metadata.consolidated_metadata is not None:
            zarr.consolidate_metadata(target.path, zarr_format=version)


def _opened(path: str) -> Any:
    """What is there, if it is of Zarr; None if nothing is."""
    if not os.path.lexists(path):
        return None
    try:
        return zarr.open(path, mode="r+")
    except Exception:  # of a folder it raises what its store does
        raise OSError(errno.EEXIST, "is there and no Zarr store") from None


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(action="ignore"):  # of what other programs may not know yet
        yield
