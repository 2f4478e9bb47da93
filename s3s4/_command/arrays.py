"""Elementwise functions over .npy files and .npz archives, a piece at a time."""

# Design:
# - Every value is treated alike, so an array is read and written as the flat run of values that its
#   file holds: C and Fortran order, any shape and any size are one case, and so are files, pipes
#   and members of archives.
# - Nothing is mapped: where a mapped file is cut short by somebody else, or has no room on its
#   disk, the process is killed by SIGBUS. A read that comes back short is an ordinary error.
# - No memory and no disk is taken at the word of a header.
# - Headers are parsed by NumPy and pickles are never loaded.

import math
import os
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from typing import IO, Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Function = Callable[..., NDArray[Any]]
Advance = Callable[[int], object]
Source = BufferedReader | RawIOBase

# Values in a piece: enough to keep every thread busy, few enough to keep memory small.
PIECE = 1 << 21

# What NumPy can hold.
LARGEST = 2**63 - 1
DIMENSIONS = 64


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
    source : BufferedReader or RawIOBase
        A file or stream at the start of the array's header.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._shape, self._fortran_order, self._dtype = _read_header(source)
        self._size = math.prod(self._shape)
        self.total = self._size * self._dtype.itemsize
        if is_regular(source):
            held = os.fstat(source.fileno()).st_size - source.tell()
            if held < self.total:
                raise DataError(f"is cut short: {held} bytes of {self.total}")

    def apply(self, function: Function, sink: IO[bytes], advance: Advance) -> None:
        """Write the function of every value as an array of the same shape and order; see `Data`."""
        dtype = _result_dtype(function, self._dtype)
        write_header(sink, dtype, self._shape, self._fortran_order)
        values = np.empty(min(PIECE, self._size), self._dtype)
        results = np.empty(values.size, dtype)
        for start in range(0, self._size, PIECE):
            count = min(PIECE, self._size - start)
            x, y = values[:count], results[:count]
            _fill(x, self._source)
            function(x, out=y)
            sink.write(y.view(np.uint8).data)
            advance(x.nbytes)


class Archive:
    """The arrays of an .npz archive.

    Parameters
    ----------
    source : BufferedReader
        A file; a pipe cannot go back to where the archive's members start.
    """

    def __init__(self, source: BufferedReader) -> None:
        if not source.seekable():
            raise DataError("an .npz archive cannot be read from a pipe")
        with _damage("is a damaged .npz archive"):
            self._archive = zipfile.ZipFile(source)
        members = self._archive.infolist()
        if len({member.filename for member in members}) < len(members):
            raise DataError("has several arrays of one name")
        self.total = sum(member.file_size for member in members)

    def apply(self, function: Function, sink: IO[bytes], advance: Advance) -> None:
        """Write an archive with the function of every array, under its name; see `Data`."""
        with zipfile.ZipFile(sink, "w") as results:
            for member in self._archive.infolist():
                result = zipfile.ZipInfo(member.filename)
                result.compress_type = member.compress_type
                try:
                    with _damage("cannot be unpacked"):
                        source = _Member(self._archive.open(member))
                    with source, results.open(result, "w", force_zip64=True) as part:
                        array = Array(source)
                        advance(member.file_size - array.total)
                        array.apply(function, part, advance)
                except DataError as error:
                    raise DataError(f"{member.filename}: {error}") from None


class _Member(RawIOBase):
    """A member of an archive, whose every failure is damage of the archive."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _damage("cannot be unpacked"):
            data = self._file.read(len(buffer))
            buffer[: len(data)] = data
            return len(data)


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Take whatever unpacking raises for what it is: zipfile lets pass all that its parts do."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # of the file that the archive lies in
        raise DataError(f"{what}: {error}" if str(error) else what) from None


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


def is_regular(file: Source) -> bool:
    """Tell whether a stream is a file on a disk, which has a size.

    Parameters
    ----------
    file : BufferedReader or RawIOBase
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


def _read_header(source: Source) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
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


def _result_dtype(function: Function, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Ask the function itself, because NumPy's rules for choosing a loop are intricate."""
    try:
        return function(np.empty(0, dtype)).dtype
    except TypeError:
        raise DataError(f"holds {dtype.name} values, not real numbers") from None


def _fill(values: NDArray[Any], source: Source) -> None:
    """Read the next values of an array."""
    rest = values.view(np.uint8).data
    while rest:
        count = source.readinto(rest)
        if not count:
            raise DataError("is cut short")
        rest = rest[count:]
