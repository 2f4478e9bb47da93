"""Elementwise functions over .npy files and .npz archives, a piece at a time."""

# Design:
# - Every value is treated alike, so an array is read and written as the flat run of values that its
#   file holds: C and Fortran order, any shape and any size are one case.
# - Readers yield pieces to read and writers yield pieces to fill, so that mapped files, pipes and
#   members of archives meet in one loop.
# - Regular files are memory-mapped, each piece by a map of its own. Pages of one large map would
#   stay in resident memory after use; these leave with their piece.
# - A page of a mapped file for which the disk has no room kills the process with SIGBUS. So the
#   room is reserved first, where a full disk is an ordinary error, or else the file is not mapped.
# - Headers are parsed by NumPy and pickles are never loaded.

import math
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from tokenize import TokenError
from typing import IO, Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Function = Callable[..., NDArray[Any]]
Advance = Callable[[int], object]

# Values in a piece: enough to keep every thread busy, few enough to keep memory small.
PIECE = 1 << 21


# What zipfile raises for archives that are damaged, encrypted or packed in a way it does not know.
UNPACKING_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


class DataError(Exception):
    """The input is not what it should be; the message says why, without the name of the file."""


class Data(Protocol):
    """An input that an elementwise function can be applied to."""

    @property
    def total(self) -> int | None:
        """Bytes that `apply` will report, or None if that cannot be known."""

    def apply(self, function: Function, sink: IO[bytes], advance: Advance) -> None:
        """Write the function of every value.

        Parameters
        ----------
        function : callable
            Called with an array, and with or without ``out``.
        sink : IO[bytes]
            Where the result goes.
        advance : callable
            Told how many bytes were read since it was last called.
        """


class Array:
    """One array in the format of NumPy's .npy files.

    Parameters
    ----------
    source : IO[bytes]
        A file or stream at the start of the array's header.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._shape, self._fortran_order, self._dtype = _read_header(source)
        self._size = math.prod(self._shape)
        self.total = self._size * self._dtype.itemsize

    def apply(self, function: Function, sink: IO[bytes], advance: Advance) -> None:
        """Write the function of every value as an array of the same shape and order; see `Data`."""
        dtype = _result_dtype(function, self._dtype)
        write_header(sink, dtype, self._shape, self._fortran_order)
        outputs = _pieces_to_fill(sink, dtype, self._size)
        inputs = _pieces_to_read(self._source, self._dtype, self._size)
        # The outputs come first: asking them for the next piece is what writes the one before.
        for y, x in zip(outputs, inputs, strict=True):
            function(x, out=y)
            advance(x.nbytes)


class Archive:
    """The arrays of an .npz archive.

    Parameters
    ----------
    source : IO[bytes]
        A file; a pipe cannot go back to where the archive's members start.
    """

    def __init__(self, source: IO[bytes]) -> None:
        if not source.seekable():
            raise DataError("an .npz archive cannot be read from a pipe")
        try:
            self._archive = zipfile.ZipFile(source)
        except UNPACKING_ERRORS:
            raise DataError("is a damaged .npz archive") from None
        self.total = sum(member.file_size for member in self._archive.infolist())

    def apply(self, function: Function, sink: IO[bytes], advance: Advance) -> None:
        """Write an archive with the function of every array, under its name; see `Data`."""
        with zipfile.ZipFile(sink, "w") as results:
            for member in self._archive.infolist():
                result = zipfile.ZipInfo(member.filename)
                result.compress_type = member.compress_type
                try:
                    with (
                        self._archive.open(member) as source,
                        results.open(result, "w", force_zip64=True) as part,
                    ):
                        array = Array(source)
                        advance(member.file_size - array.total)
                        array.apply(function, part, advance)
                except DataError as error:
                    raise DataError(f"{member.filename}: {error}") from None
                except UNPACKING_ERRORS as error:
                    reason = str(error) or "it ends early"
                    raise DataError(f"{member.filename}: cannot be unpacked: {reason}") from None


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


def is_regular(file: IO[bytes]) -> bool:
    """Tell whether a stream is a file on a disk, which has a size and can be mapped.

    Parameters
    ----------
    file : IO[bytes]
        Any open stream.

    Returns
    -------
    bool
        False also for a member of an archive, which has no descriptor of its own.
    """
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:
        return False


def _read_header(source: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and dtype of the array that starts here."""
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        shape, fortran_order, dtype = readers[npy.read_magic(source)](source)
    except (KeyError, ValueError, SyntaxError, TokenError):
        raise DataError("is no .npy file of version 1 or 2, or a damaged one") from None
    if min(shape, default=0) < 0 or dtype.subdtype is not None:
        raise DataError("has an impossible .npy header")
    return shape, fortran_order, dtype


def _result_dtype(function: Function, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Ask the function itself, because NumPy's rules for choosing a loop are intricate."""
    try:
        return function(np.empty(0, dtype)).dtype
    except TypeError:
        raise DataError(f"holds {dtype.name} values, not real numbers") from None


def _counts(size: int) -> Iterator[int]:
    """Yield the lengths of the pieces of `size` values."""
    for start in range(0, size, PIECE):
        yield min(PIECE, size - start)


def _mapped(file: IO[bytes], mode: Any, dtype: np.dtype[Any], size: int) -> Iterator[NDArray[Any]]:
    offset = file.tell()
    for count in _counts(size):
        yield np.asarray(np.memmap(file, dtype, mode, offset, (count,)))
        offset += count * dtype.itemsize


def _pieces_to_read(source: IO[bytes], dtype: np.dtype[Any], size: int) -> Iterator[NDArray[Any]]:
    """Yield the values of an array, piece by piece."""
    if is_regular(source):
        held = os.fstat(source.fileno()).st_size - source.tell()
        if held < size * dtype.itemsize:
            raise DataError(f"is cut short: {held} bytes of {size * dtype.itemsize}")
        yield from _mapped(source, "r", dtype, size)
        return
    for count in _counts(size):
        data = source.read(count * dtype.itemsize)
        if len(data) < count * dtype.itemsize:
            raise DataError("is cut short")
        yield np.frombuffer(data, dtype)


def _pieces_to_fill(sink: IO[bytes], dtype: np.dtype[Any], size: int) -> Iterator[NDArray[Any]]:
    """Yield arrays to put the values into; each is on its way when the next one is asked for."""
    if is_regular(sink) and sink.readable() and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(sink.fileno(), 0, sink.tell() + size * dtype.itemsize)
        yield from _mapped(sink, "r+", dtype, size)
        return
    for count in _counts(size):
        piece = np.empty(count, dtype)
        yield piece
        sink.write(piece.data)
