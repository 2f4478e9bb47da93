"""NumPy's .npy files, and .npz archives of them."""

# Design:
# - Nothing is mapped: where a mapped file is cut short by somebody else, or has no room on its
#   disk, the process is killed by SIGBUS. A read that comes back short is an ordinary error.
# - No memory and no disk is taken at the word of a header.
# - Headers are parsed by NumPy and pickles are never loaded.

import math
import os
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from s3s4._command import arrays
from s3s4._command.arrays import Index, transfer
from s3s4._command.data import Advance, DataError, Function, Source, Target, damage
from s3s4._command.streams import is_regular, writing

Stream = BufferedReader | RawIOBase

# What NumPy can hold.
LARGEST = 2**63 - 1
DIMENSIONS = 64


class Reader:
    """One array in the format of NumPy's .npy files; see `arrays.Reader`.

    Parameters
    ----------
    source : BufferedReader or RawIOBase
        A file or stream at the start of the array's header.
    """

    chunks = None
    member = None
    is_bfloat16 = False

    def __init__(self, source: Stream) -> None:
        self._source = source
        self.shape, self.fortran_order, self.dtype = _read_header(source)
        if is_regular(source):
            held = os.fstat(source.fileno()).st_size - source.tell()
            total = math.prod(self.shape) * self.dtype.itemsize
            if held < total:
                raise DataError(f"is cut short: {held} bytes of {total}")

    def read(self, index: Index, values: NDArray[Any]) -> None:
        """Read the next values."""
        fill(values, self._source)


class Writer:
    """One array in that format; see `arrays.Writer`.

    Parameters
    ----------
    sink : IO[bytes]
    """

    anywhere = False

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink

    def begin(
        self,
        reader: arrays.Reader,
        dtype: np.dtype[Any],
        as_bfloat16: bool,
        block: tuple[int, ...],
    ) -> None:
        """Write the header."""
        write_header(self._sink, dtype, reader.shape, reader.fortran_order)

    def write(self, index: Index, values: NDArray[Any]) -> None:
        """Write the next values."""
        self._sink.write(values.reshape(-1).view(np.uint8).data)


@contextmanager
def reading(source: Source) -> Iterator[Reader]:
    """Open a .npy file; see `arrays.Reader`."""
    yield Reader(source.file)


@contextmanager
def making(target: Target) -> Iterator[Writer]:
    """Open a .npy file; see `arrays.Making`."""
    with writing(target.path, target.in_place, target.source) as sink:
        yield Writer(sink)


class Archive:
    """The arrays of an .npz archive; see `data.Data`.

    Parameters
    ----------
    source : BufferedReader
        A file; a pipe cannot go back to where the archive's members start.
    """

    def __init__(self, source: BufferedReader) -> None:
        if not source.seekable():
            raise DataError("an .npz archive cannot be read from a pipe")
        with damage("is a damaged .npz archive"):
            self._archive = zipfile.ZipFile(source)
        members = self._archive.infolist()
        if len({member.filename for member in members}) < len(members):
            raise DataError("has several arrays of one name")
        self.total = sum(member.file_size for member in members)

    def apply(self, function: Function, target: Target, advance: Advance) -> None:
        """Write an archive with the function of every array, under its name; see `data.Data`."""
        with (
            writing(target.path, target.in_place, target.source) as sink,
            zipfile.ZipFile(sink, "w") as results,
        ):
            for member in self._archive.infolist():
                result = zipfile.ZipInfo(member.filename)
                result.compress_type = member.compress_type
                try:
                    with damage("cannot be unpacked"):
                        source = _Member(self._archive.open(member))
                    with source, results.open(result, "w", force_zip64=True) as part:
                        array = Reader(source)
                        total = math.prod(array.shape) * array.dtype.itemsize
                        advance(member.file_size - total)
                        transfer(array, Writer(part), function, advance)
                except DataError as error:
                    raise DataError(f"{member.filename}: {error}") from None


class _Member(RawIOBase):
    """A member of an archive, whose every failure is damage of the archive."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with damage("cannot be unpacked"):
            data = self._file.read(len(buffer))
            buffer[: len(data)] = data
            return len(data)


def write_header(
    sink: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...], fortran_order: bool = False
) -> None:
    """Write the header of a .npy file.

    Parameters
    ----------
    sink : IO[bytes]
        Where it goes.
    dtype : dtype
        Of the values that follow.
    shape : tuple of int
        Of the array. The header is equally long for every length of the first axis in C order.
    fortran_order : bool
        Whether the first axis varies fastest.
    """
    header = {
        "descr": npy.dtype_to_descr(dtype),
        "fortran_order": fortran_order,
        "shape": shape,
    }
    npy.write_array_header_1_0(sink, header)


def fill(values: NDArray[Any], source: Stream) -> None:
    """Read the next values of an array that lies in one piece.

    Parameters
    ----------
    values : ndarray
        Contiguous.
    source : BufferedReader or RawIOBase
    """
    rest = values.reshape(-1).view(np.uint8).data
    while rest:
        count = source.readinto(rest)
        if not count:
            raise DataError("is cut short")
        rest = rest[count:]


def write_columns(sink: IO[bytes], results: Iterable[NDArray[Any]]) -> None:
    """Write columns as a two-dimensional array, a single one as a one-dimensional one.

    Parameters
    ----------
    sink : IO[bytes]
        A file, whose header is written once more at the end: only then the length is known.
    results : iterable of ndarray of shape (columns, rows)
    """
    length = 0
    for piece in results:
        columns = piece.shape[:-1] if len(piece) > 1 else ()
        if length == 0:
            write_header(sink, piece.dtype, (0, *columns))
        sink.write(np.ascontiguousarray(piece.T).view(np.uint8).data)
        length += piece.shape[-1]
    sink.seek(0)
    write_header(sink, piece.dtype, (length, *columns))


def _read_header(source: Stream) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and dtype of the array that starts here."""
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        with warnings.catch_warnings(action="ignore"):  # of headers that Python 2 wrote
            shape, fortran_order, dtype = readers[npy.read_magic(source)](source)
    except (OSError, DataError):
        raise
    except Exception:  # a header is evaluated, so it can fail in every way that Python text can
        raise DataError("is no .npy file of version 1 or 2, or a damaged one") from None
    largest = math.prod(filter(None, shape)) * dtype.itemsize
    possible = largest <= LARGEST and len(shape) <= DIMENSIONS and dtype.subdtype is None
    if min(shape, default=0) < 0 or not possible:
        raise DataError("has an impossible .npy header")
    return shape, fortran_order, dtype
