"""Elementwise functions over columns of numbers in text."""

# Design:
# - The delimiter is taken from the text, so that no option is needed: a tab, else a semicolon, else
#   a comma, else blanks. Where semicolons separate, a decimal comma is refused with its place; it
#   is never taken for a second column.
# - What is not understood is an error that names line and column. A silent NaN would spoil a mean
#   far from here; only an empty field, the usual mark of a missing value, becomes one.

import math
import os
from collections.abc import Iterator
from io import BufferedReader, TextIOWrapper
from itertools import chain, islice
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from s3s4._command.arrays import Advance, DataError, Function, is_regular, write_header

# Values in a piece; as Python objects they take some ten times the memory of an array.
PIECE = 1 << 16

NumberedLine = tuple[int, str]


class Columns:
    """Lines of numbers, perhaps after comments and a line of column names.

    Parameters
    ----------
    source : BufferedReader
        UTF-8 text.
    as_array : bool
        Whether the result is to be a .npy file instead of text.
    """

    def __init__(self, source: BufferedReader, as_array: bool) -> None:
        self._source = source
        # Kept because it closes the source when it is collected.
        self._text = TextIOWrapper(source, "utf-8-sig", newline="")
        self._as_array = as_array
        self.total = os.fstat(source.fileno()).st_size if is_regular(source) else None

    def apply(self, function: Function, sink: IO[bytes], advance: Advance) -> None:
        """Write the function of every number, in rows as they were; see `arrays.Data`."""
        lines = self._lines()
        preamble, first = _split_preamble(lines)
        mark = _delimiter(first[1])
        rows = _numbers(chain([first], lines), mark)
        results = self._results(function, rows, advance)
        if self._as_array:
            _write_array(sink, results)
        else:
            line_end = "\r\n" if first[1].endswith("\r\n") else "\n"
            _write_text(sink, preamble, results, mark or " ", line_end)

    def _lines(self) -> Iterator[NumberedLine]:
        try:
            yield from enumerate(self._text, 1)
        except UnicodeDecodeError:
            raise DataError("is neither .npy, nor .npz, nor UTF-8 text") from None

    def _results(
        self, function: Function, rows: Iterator[list[float]], advance: Advance
    ) -> Iterator[NDArray[Any]]:
        position = 0
        first = next(rows)
        rows = chain([first], rows)
        while piece := list(islice(rows, max(1, PIECE // len(first)))):
            yield function(np.array(piece))
            if self.total is not None:
                advance(self._source.tell() - position)
                position = self._source.tell()


def _split_preamble(lines: Iterator[NumberedLine]) -> tuple[str, NumberedLine]:
    """Take the lines before the numbers: comments, blank lines and at most one line of names."""
    preamble = ""
    named = False
    for number, line in lines:
        if not _is_blank(line) and not line.startswith("#"):
            if named or _is_numeric(line):
                return preamble, (number, line)
            named = True
        preamble += line
    raise DataError("holds no numbers")


def _delimiter(line: str) -> str | None:
    """Find what separates the columns; None stands for blanks, as in `str.split`."""
    return next((mark for mark in "\t;," if mark in line), None)


def _is_blank(line: str) -> bool:
    return not line.strip(" \r\n")


def _is_numeric(line: str) -> bool:
    try:
        _parse(line, _delimiter(line), line_number=0)
    except DataError:
        return False
    return True


def _numbers(lines: Iterator[NumberedLine], mark: str | None) -> Iterator[list[float]]:
    """Yield the numbers of each line that is not blank, as many as on the first one."""
    columns = None
    for line_number, line in lines:
        if _is_blank(line):
            continue
        row = _parse(line, mark, line_number)
        columns = columns or len(row)
        if len(row) != columns:
            raise DataError(f"line {line_number}: columns: {len(row)}, before: {columns}")
        yield row


def _parse(line: str, mark: str | None, line_number: int) -> list[float]:
    fields = line.split(mark)
    try:
        return list(map(float, fields))
    except ValueError:
        # Slower than the line above: an empty or quoted field, or one that is wrong.
        return [
            _parse_field(field, f"line {line_number}, column {column}")
            for column, field in enumerate(fields, 1)
        ]


def _parse_field(field: str, place: str) -> float:
    text = field.strip(' "\r\n')
    try:
        return float(text) if text else math.nan
    except ValueError:
        raise DataError(f"{place}: {text[:20]!r} is not a number") from None


def _write_text(
    sink: IO[bytes], preamble: str, results: Iterator[NDArray[Any]], mark: str, line_end: str
) -> None:
    sink.write(preamble.encode())
    for piece in results:
        # NumPy's text of a number is the shortest that reads back as the same number of its dtype.
        rows = piece.astype(str).tolist()
        sink.write("".join(mark.join(row) + line_end for row in rows).encode())


def _write_array(sink: IO[bytes], results: Iterator[NDArray[Any]]) -> None:
    """Write columns as a two-dimensional array, a single one as a one-dimensional one."""
    length = 0
    for piece in results:
        columns = () if piece.shape[1] == 1 else piece.shape[1:]
        if length == 0:
            write_header(sink, piece.dtype, (0, *columns))
        sink.write(piece.data)
        length += len(piece)
    sink.seek(0)
    write_header(sink, piece.dtype, (length, *columns))
