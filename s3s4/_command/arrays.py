"""A function over an array of any format, a block at a time."""

# Design:
# - A function of single numbers treats all alike, so an array is the run of values that its file
#   holds: C and Fortran order, any shape and any size are one case. Its blocks are ranges of the
#   leading axes, which are one piece of such a run too. A function of rows needs each row whole:
#   the axes from its own on are not divided.
# - A format that can be read and written anywhere is so along its own chunks, each once.

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from s3s4._command.data import PIECE, Advance, DataError, Function, Target

Index = tuple[slice, ...]


class Reader(Protocol):
    """An array in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its lengths, in the order of its axes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type of values, as NumPy computes with them."""

    @property
    def fortran_order(self) -> bool:
        """Whether the first axis varies fastest; blocks are then those of the transposed array."""

    @property
    def is_bfloat16(self) -> bool:
        """Whether its numbers, float32 for NumPy, are bfloat16 in the file."""

    @property
    def member(self) -> str | None:
        """Its name in a file of several."""

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """How it is divided in its file, if it can be read anywhere."""

    def read(self, index: Index, values: NDArray[Any]) -> None:
        """Read a block; without chunks, it is the one after that which was read before."""


class Writer(Protocol):
    """An array that is made."""

    @property
    def anywhere(self) -> bool:
        """Whether blocks may come in any order."""

    def begin(
        self, reader: Reader, dtype: np.dtype[Any], as_bfloat16: bool, block: tuple[int, ...]
    ) -> None:
        """Make it, as what is read, of a dtype; its first block has these lengths."""

    def write(self, index: Index, values: NDArray[Any]) -> None:
        """Write a block."""


class Making(Protocol):
    """What opens a target for an array."""

    def __call__(self, target: Target) -> AbstractContextManager[Writer]:
        """The array is complete when the block ends without an exception."""


class Array:
    """One array, read and written by its formats; see `data.Data`.

    Parameters
    ----------
    reader : Reader
    making : Making
        Of the format of the output.
    """

    def __init__(self, reader: Reader, making: Making) -> None:
        self.total = math.prod(reader.shape) * reader.dtype.itemsize
        self._reader = reader
        self._making = making

    def apply(self, function: Function, target: Target, advance: Advance) -> None:
        """Write the function of an array as one of the same shape and order; see `data.Data`."""
        with self._making(target) as writer:
            transfer(self._reader, writer, function, advance)


def transfer(reader: Reader, writer: Writer, function: Function, advance: Advance) -> None:
    """Write the function of an array.

    Parameters
    ----------
    reader : Reader
    writer : Writer
    function : Function
    advance : callable
        Told how many bytes of values were read since it was last called.
    """
    dtype = function.dtype(reader.dtype)
    axis = function.axis_of(len(reader.shape))
    shape = reader.shape
    if reader.fortran_order:
        shape = shape[::-1]
        axis = None if axis is None else len(shape) - 1 - axis
    lengths = _block(shape, axis, reader.chunks if writer.anywhere else None)
    writer.begin(reader, dtype, reader.is_bfloat16 and not function.typed, lengths)
    size = math.prod(lengths)
    try:
        values, results = np.empty(size, reader.dtype), np.empty(size, dtype)
    except (MemoryError, ValueError):
        raise DataError(f"needs {size} values at once, more than memory holds") from None
    for index in _indices(shape, lengths):
        block = tuple(one.stop - one.start for one in index)
        count = math.prod(block)
        x, y = values[:count].reshape(block), results[:count].reshape(block)
        reader.read(index, x)
        function(x, axis, out=y)
        writer.write(index, y)
        advance(x.nbytes)


def _block(
    shape: tuple[int, ...], whole: int | None, chunks: tuple[int, ...] | None
) -> tuple[int, ...]:
    """The lengths of a block: some of the leading axes, or as many chunks as make a piece."""
    if chunks is None:
        block = [1] * len(shape)
        for axis in reversed(range(len(shape))):
            rest = math.prod(block[axis + 1 :])
            undivided = whole is not None and axis >= whole
            block[axis] = shape[axis] if undivided else min(shape[axis], max(1, PIECE // rest))
            if block[axis] < shape[axis]:
                break
            block[axis] = max(1, block[axis])
        return tuple(block)
    block = [min(length, chunk) for length, chunk in zip(shape, chunks, strict=True)]
    if whole is not None:
        block[whole] = shape[whole]
    for axis in reversed(range(len(shape))):
        most = PIECE // max(1, math.prod(block)) * block[axis]
        block[axis] = min(shape[axis], max(block[axis], most))
    return tuple(max(1, length) for length in block)


def _indices(shape: tuple[int, ...], block: tuple[int, ...]) -> Iterator[Index]:
    """Every block, the last axis first."""
    return product(
        *(
            [slice(start, min(start + step, length)) for start in range(0, length, step)]
            for length, step in zip(shape, block, strict=True)
        )
    )
