"""Datasets of HDF5 files, by h5py."""

# Design:
# - HDF5 writes wherever it likes in its file. So a dataset that goes into a file beside others goes
#   into a copy, which then takes the file's place; with --in-place into the file itself.
# - A result has the chunks, the compression and the attributes of what it was made from.
# - HDF5 crashes when the process ends if it could not write something, to a full disk for instance.
#   So it is told of no failure: what fails is kept, raised here, and what follows is dropped.

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from s3s4._command import arrays
from s3s4._command.arrays import Index
from s3s4._command.data import Source, Target, damage, one_of
from s3s4._command.streams import writing_by_path

KEPT = ("chunks", "compression", "compression_opts", "shuffle", "fletcher32", "maxshape")
# Of dimension scales, which refer to other datasets.
OF_SCALES = ("CLASS", "DIMENSION_LIST", "NAME", "REFERENCE_LIST")


class Reader:
    """A dataset; see `arrays.Reader`.

    Parameters
    ----------
    dataset : h5py.Dataset
    """

    fortran_order = False
    is_bfloat16 = False

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.member = dataset.name.strip("/")
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype[Any] = dataset.dtype
        self.chunks: tuple[int, ...] | None = dataset.chunks

    def read(self, index: Index, values: NDArray[Any]) -> None:
        """Read a block."""
        with damage("cannot be read"):
            values[...] = self.dataset[index]


class Output(FileIO):
    """A file for HDF5, whose writes do not fail.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, "r+")
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of some bytes, or drop them."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest and self._error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self._error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Make the file as long as that, or leave it."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def require_all(self) -> None:
        """Raise the error of the write that failed, if one did."""
        if self._error is not None:
            raise self._error


class Writer:
    """A dataset that is made; see `arrays.Writer`.

    Parameters
    ----------
    file : h5py.File
    name : str
    output : Output
        What the file writes to.
    """

    anywhere = True

    def __init__(self, file: Any, name: str, output: Output) -> None:
        self._file = file
        self._name = name
        self._output = output

    def begin(
        self,
        reader: arrays.Reader,
        dtype: np.dtype[Any],
        as_bfloat16: bool,
        block: tuple[int, ...],
    ) -> None:
        """Make the dataset."""
        like = reader.dataset if isinstance(reader, Reader) else None
        options = {} if like is None else {name: getattr(like, name) for name in KEPT}
        if self._name in self._file:
            del self._file[self._name]
        self._dataset = self._file.create_dataset(self._name, reader.shape, dtype, **options)
        for name, value in {} if like is None else like.attrs.items():
            if name not in OF_SCALES:
                self._dataset.attrs[name] = value
        self._turned = reader.fortran_order

    def write(self, index: Index, values: NDArray[Any]) -> None:
        """Write a block."""
        if self._turned:
            index, values = index[::-1], values.T
        self._dataset[index] = values
        self._output.require_all()


@contextmanager
def reading(source: Source) -> Iterator[Reader]:
    """Open a dataset; see `arrays.Reader`."""
    with damage("is a damaged HDF5 file"):
        file = h5py.File(source.path, "r")
    with file:
        with damage("is a damaged HDF5 file"):
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if _is_array(item) else None)
            dataset = file[one_of(names, source)]
        yield Reader(dataset)


@contextmanager
def making(target: Target) -> Iterator[Writer]:
    """Open an HDF5 file; see `arrays.Making`."""
    with (
        writing_by_path(target.path, target.in_place, target.source, target.beside) as path,
        Output(path) as output,
    ):
        kept = target.beside and os.path.getsize(path) > 0
        try:
            file = h5py.File(output, "r+" if kept else "w")
        except OSError:
            output.require_all()
            raise OSError(errno.EINVAL, "is no HDF5 file that could hold an array") from None
        with file:
            yield Writer(file, str(target.member), output)
        output.require_all()


def _is_array(item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and item.shape is not None
