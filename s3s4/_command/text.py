"""Elementwise functions over columns of numbers in text."""

# Design:
# - Text is what RFC 4180 says, with any of four delimiters, and is read in blocks of whole lines.
#   `records` reads every block, by the csv module, and says of each refusal where it is. `arrow`
#   reads the blocks without quotes, where pyarrow is installed, and leaves to `records` whatever
#   it cannot vouch for. So there is one set of rules, and pyarrow is only a faster way to them.
# - The delimiter is taken from the text, so that no option is needed: a tab, else a semicolon, else
#   a comma, else blanks. Where semicolons separate, a decimal comma is refused with its place; it
#   is never taken for a second column.
# - A line of names has no number in it. Whatever else stands where a number should is refused: a
#   silent NaN would spoil a mean far from here. Only an empty field, the usual mark of a missing
#   value, becomes one.

import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from io import BufferedReader
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s3s4._command import records
from s3s4._command.compressed import Unpacked, packing
from s3s4._command.data import Advance, DataError, Function, Target, places_of
from s3s4._command.npy import write_columns
from s3s4._command.records import Layout, Piece
from s3s4._command.streams import is_regular, writing

# Bytes that are read at once.
BLOCK = 1 << 22
# Bytes before the first line of numbers, and of a line: what is longer is no table.
LONGEST = 1 << 26

GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
QUOTED = re.compile(r'(?<![^\t;, ])"(?:[^"]|"")*"')
ROW = re.compile(rf"(?:{QUOTED.pattern}|[^\r\n])*")
LINE_END = re.compile(r"\r\n|\r|\n")
PREAMBLE = re.compile(r"(?:(?: *|#[^\r\n]*)(?:\r\n|\r|\n))*")


class Columns:
    """Lines of numbers, perhaps after comments and a line of column names.

    Parameters
    ----------
    source : BufferedReader
        UTF-8 text, or text that is compressed.
    wanted : {"text", "text.gz", "npy"}
        What is to be written; the last is a .npy file of the chosen columns.
    chosen : sequence of str, optional
        Names of columns, or their numbers from 1; default all.
    """

    def __init__(
        self, source: BufferedReader, wanted: str, chosen: Sequence[str] | None = None
    ) -> None:
        packed = source.peek(2).startswith(GZIP)
        known = is_regular(source) and not packed
        self.total = os.fstat(source.fileno()).st_size if known else None
        self._blocks = _Blocks(Unpacked(source) if packed else source)
        self._wanted = wanted
        self._chosen = chosen

    def apply(self, function: Function, target: Target, advance: Advance) -> None:
        """Write the function of every chosen number, in rows as they were; see `data.Data`."""
        with (
            writing(target.path, target.in_place, target.source) as file,
            packing(file) if self._wanted == "text.gz" else nullcontext(file) as sink,
        ):
            preamble, layout = _head(self._blocks, self._chosen)
            results = _results(_pieces(self._blocks, layout, advance), function, layout)
            if self._wanted == "npy":
                write_columns(sink, (result for _, result in results))
                return
            sink.write(preamble.encode())
            for piece, result in results:
                sink.write(piece.written(result, layout))


def _results(
    pieces: Iterator[Piece], function: Function, layout: Layout
) -> Iterator[tuple[Piece, NDArray[Any]]]:
    """Yield the pieces with their results."""
    axis = function.axis_of_table(len(layout.chosen))
    if axis != 1:
        for piece in pieces:
            yield piece, function.of_columns(piece.numbers, piece.missing, axis)
        return
    # Down the columns: the first result needs the last number.
    held = list(pieces)
    numbers = np.concatenate([piece.numbers for piece in held], 1)
    missing = np.concatenate(
        [
            np.zeros(piece.numbers.shape, bool) if piece.missing is None else piece.missing
            for piece in held
        ],
        1,
    )
    whole = function.of_columns(numbers, missing, axis)
    ends = np.cumsum([piece.numbers.shape[1] for piece in held])
    yield from zip(held, np.split(whole, ends[:-1], 1), strict=True)


class _Blocks:
    """The text of an input in pieces of whole lines."""

    def __init__(self, source: BufferedReader | Unpacked) -> None:
        self._source = source
        self._rest = b""
        self.line = 1
        """The number of the next block's first line."""
        self.ended = False
        """Whether nothing comes after the last block."""

    def take(self) -> bytes:
        """The next block; nothing at the end."""
        while data := self._source.read(BLOCK):
            text = self._rest + data
            end = text.rfind(b"\n") + 1
            # A final \r may be half of a line's end.
            end = max(end, text.rfind(b"\r", end, len(text) - 1) + 1)
            if end:
                self._rest = text[end:]
                return text[:end]
            if len(text) > LONGEST:
                raise DataError(f"line {self.line}: is longer than {LONGEST >> 20} MiB")
            self._rest = text
        text, self._rest = self._rest, b""
        self.ended = True
        return text

    def give_back(self, text: bytes) -> None:
        """Put text before the next block."""
        self._rest = text + self._rest

    def decoded(self, block: bytes) -> str:
        """The text of a block whose first line is the next one."""
        try:
            return block.decode()
        except UnicodeDecodeError as error:
            line = self.line + _line_count(block[: error.start])
            message = f"line {line}: is neither .npy, nor .npz, nor UTF-8 text"
            raise DataError(message) from None


def _line_count(text: bytes) -> int:
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _head(blocks: _Blocks, chosen: Sequence[str] | None) -> tuple[str, Layout]:
    """Take what stands before the numbers, and find out how the rows are laid out."""
    block = b""
    while len(block) <= LONGEST:
        block += blocks.take()
        text = blocks.decoded(block.removeprefix(BYTE_ORDER_MARK))
        start = _preamble(text)
        mark, fields, raw = _first_row(text, start, blocks)
        names = None
        if fields and not _holds_number(fields):
            line, names_raw = _line_count(text[:start].encode()), raw
            start += len(raw)
            start += _preamble(text[start:])
            mark, fields, raw = _first_row(text, start, blocks)
            if fields:
                try:
                    names = next(records.rows(names_raw, mark))[0]
                except csv.Error as error:
                    raise DataError(f"line {blocks.line + line}: {error}") from None
        if fields:
            end = LINE_END.search(text)
            width = len(fields if names is None else names)
            places = _places(chosen, width, names)
            blocks.give_back(text[start:].encode())
            blocks.line += _line_count(text[:start].encode())
            return text[:start], Layout(mark, end[0] if end else "\n", width, names, places)
        if blocks.ended:
            break
    raise DataError("holds no numbers")


def _preamble(text: str) -> int:
    """How many characters of comments and blank lines a text starts with."""
    found = PREAMBLE.match(text)
    return found.end() if found else 0


def _first_row(text: str, start: int, blocks: _Blocks) -> tuple[str | None, list[str], str]:
    """The delimiter of the row that starts there, its fields, and the text it stands in.

    There are no fields if it goes on after the text, or is none.
    """
    rest = text[start:]
    found = ROW.match(rest)
    bare = QUOTED.sub("", found[0] if found else "")
    mark = next((mark for mark in "\t;," if mark in bare), None)
    try:
        return mark, *next(records.rows(rest, mark), ([], ""))
    except csv.Error as error:
        if blocks.ended:
            line = blocks.line + _line_count(text[:start].encode())
            raise DataError(f"line {line}: {error}") from None
        return mark, [], ""


def _holds_number(fields: Sequence[str]) -> bool:
    """Tell whether a row is none of names; an empty one is of missing numbers."""
    return any(map(records.is_number, fields)) or not any(field.strip(" \t") for field in fields)


def _places(
    chosen: Sequence[str] | None, width: int, names: Sequence[str] | None
) -> tuple[int, ...]:
    """Where the chosen columns stand, from 0. A number is never a name of a column."""
    return tuple(range(width)) if chosen is None else places_of(chosen, width, names)


def _fast_reader(layout: Layout) -> Any:
    """What reads most blocks faster, where pyarrow is installed and gains; imported here alone."""
    try:
        from s3s4._command import arrow
    except ModuleNotFoundError:
        return None
    return arrow.Reader(layout) if layout.width <= arrow.WIDEST else None


def _pieces(blocks: _Blocks, layout: Layout, advance: Advance) -> Iterator[Piece]:
    """Yield the rows, block by block."""
    fast = _fast_reader(layout)
    while block := blocks.take():
        piece: Piece | None = None if fast is None else fast.read(block)
        if piece is None:
            text = blocks.decoded(block)
            piece, used = records.read(text, blocks.line, layout, blocks.ended)
            if used < len(text):
                rest = text[used:].encode()
                blocks.give_back(rest)
                block = block[: -len(rest)]
        blocks.line += _line_count(block)
        if piece.numbers.size:
            yield piece
        advance(len(block))
