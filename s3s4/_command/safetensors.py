"""Tensors of safetensors files: a header in JSON, then the values of one after the other."""

# Design:
# - The format is simple, and the package of that name reads and writes whole tensors only.
# - No memory is taken at the word of a header.

import errno
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from s3s4._command import arrays
from s3s4._command.arrays import Index
from s3s4._command.data import DataError, Source, Target, damage, one_of
from s3s4._command.npy import fill
from s3s4._command.streams import is_regular, writing

LONGEST_HEADER = 100_000_000
METADATA = "__metadata__"
BFLOAT16 = "BF16"
# fmt: off
TYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", BFLOAT16: "<f4",
}
# fmt: on
NAMES = {np.dtype(one): name for name, one in TYPES.items() if name != BFLOAT16}


class Reader:
    """A tensor; see `arrays.Reader`.

    Parameters
    ----------
    source : Source
    """

    fortran_order = False
    chunks = None

    def __init__(self, source: Source) -> None:
        if not is_regular(source.file):
            raise DataError("is no file, which this format needs")
        header, start = read_header(source.file)
        header.pop(METADATA, None)
        self.member: str = one_of(list(header), source)
        entry = header[self.member]
        if entry["dtype"] not in TYPES:
            raise DataError(f"holds {entry['dtype']} values, which NumPy does not know")
        self.is_bfloat16 = entry["dtype"] == BFLOAT16
        self.dtype = np.dtype(TYPES[entry["dtype"]])
        self.shape = tuple(entry["shape"])
        first, last = entry["data_offsets"]
        if last - first != math.prod(self.shape) * (2 if self.is_bfloat16 else self.dtype.itemsize):
            raise DataError("has an impossible safetensors header")
        held = os.fstat(source.file.fileno()).st_size - start
        if held < last:
            raise DataError(f"is cut short: {held} bytes of {last}")
        self._file = source.file
        self._file.seek(start + first)

    def read(self, index: Index, values: NDArray[Any]) -> None:
        """Read the next values."""
        if not self.is_bfloat16:
            fill(values, self._file)
            return
        halves = np.empty(values.shape, "<u2")
        fill(halves, self._file)
        values[...] = (halves.astype(np.uint32) << 16).view(np.float32)


class Writer:
    """A tensor that is made; see `arrays.Writer`.

    Parameters
    ----------
    sink : IO[bytes]
    name : str
    others : BufferedReader or None
        A file whose other tensors are copied.
    """

    anywhere = False

    def __init__(self, sink: IO[bytes], name: str, others: IO[bytes] | None) -> None:
        self._sink = sink
        self._name = name
        self._others = others

    def begin(
        self,
        reader: arrays.Reader,
        dtype: np.dtype[Any],
        as_bfloat16: bool,
        block: tuple[int, ...],
    ) -> None:
        """Write the header, and the other tensors."""
        self._as_bfloat16 = as_bfloat16
        self._dtype = dtype.newbyteorder("<")
        if self._dtype not in NAMES:
            raise DataError(f"becomes {dtype.name} values, which safetensors cannot hold")
        if reader.fortran_order and len(reader.shape) > 1:
            raise DataError("is in Fortran order, which safetensors cannot hold")
        size = 2 if as_bfloat16 else dtype.itemsize
        entry = {
            "dtype": BFLOAT16 if as_bfloat16 else NAMES[self._dtype],
            "shape": list(reader.shape),
            "data_offsets": [0, math.prod(reader.shape) * size],
        }
        header, start = ({}, 0) if self._others is None else read_header(self._others)
        header.pop(self._name, None)
        ranges, place = [], 0
        for name, other in [*header.items(), (self._name, entry)]:
            if name == METADATA:
                continue
            first, last = other["data_offsets"]
            if other is not entry:
                ranges.append((start + first, last - first))
            other["data_offsets"] = [place, place + last - first]
            place += last - first
        text = json.dumps(header | {self._name: entry}, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._sink.write(len(text).to_bytes(8, "little") + text)
        for start, length in ranges:
            _copy(self._others, start, length, self._sink)

    def write(self, index: Index, values: NDArray[Any]) -> None:
        """Write the next values."""
        values = np.ascontiguousarray(values, self._dtype)
        if self._as_bfloat16:
            values = _as_bfloat16(values)
        self._sink.write(values.reshape(-1).view(np.uint8).data)


@contextmanager
def reading(source: Source) -> Iterator[Reader]:
    """Open a tensor; see `arrays.Reader`."""
    yield Reader(source)


@contextmanager
def making(target: Target) -> Iterator[Writer]:
    """Open a safetensors file; see `arrays.Making`."""
    name = str(target.member)
    if not (target.beside and os.path.isfile(target.path)):
        with writing(target.path, target.in_place, target.source) as sink:
            yield Writer(sink, name, None)
        return
    if target.in_place:
        raise OSError(errno.EINVAL, "cannot keep its other tensors with --in-place")
    with open(target.path, "rb") as others, writing(target.path, False, target.source) as sink:
        yield Writer(sink, name, others)


def looks_like(head: bytes) -> bool:
    """Tell whether a file starts as one of this format does.

    Parameters
    ----------
    head : bytes
        The first nine.

    Returns
    -------
    bool
    """
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= LONGEST_HEADER


def read_header(file: IO[bytes]) -> tuple[dict[str, Any], int]:
    """Read the header of a file.

    Parameters
    ----------
    file : IO[bytes]
        At its start.

    Returns
    -------
    tuple of dict and int
        What stands in the header, and where the values start.
    """
    length = int.from_bytes(file.read(8), "little")
    if length > LONGEST_HEADER:
        raise DataError("has an impossible safetensors header")
    with damage("has a damaged safetensors header"):
        header = json.loads(file.read(length))
        for name, entry in header.items():
            if name != METADATA:
                lengths = [*entry["shape"], *entry["data_offsets"]]
                first, last = entry["data_offsets"]
                if not all(type(one) is int and one >= 0 for one in lengths) or last < first:
                    raise DataError("has an impossible safetensors header")
                entry["dtype"].upper()
    return header, 8 + length


def _copy(source: Any, start: int, length: int, sink: IO[bytes]) -> None:
    source.seek(start)
    while length:
        data = source.read(min(length, 1 << 20))
        if not data:
            raise DataError("cannot be put into a file that is cut short")
        sink.write(data)
        length -= len(data)


def _as_bfloat16(values: NDArray[np.float32]) -> NDArray[Any]:
    """Round to nearest, to even: half of the bits, as integers."""
    bits = values.view(np.uint32)
    rounded = bits + 0x7FFF + (bits >> 16 & 1)
    return np.where(np.isnan(values), bits >> 16 | 0x40, rounded >> 16).astype("<u2")
