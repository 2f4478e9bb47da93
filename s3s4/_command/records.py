"""Rows of text by the csv module: the rules, and the place of whatever breaks them."""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from s3s4._command.data import DataError

NUMBER = re.compile(
    r"[ \t]*(?:[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan))?[ \t]*",
    re.IGNORECASE | re.ASCII,
)
# Where float() may read more than NUMBER says: 1_000, digits of other scripts, other blanks.
STRANGE = re.compile(r'["_]|[^\t\r\n -~]')
FINAL_BLANKS = re.compile(r" +(?=[\r\n]*\Z)")


class Layout(NamedTuple):
    """How the rows of a text are laid out, and which columns the function is for."""

    mark: str | None
    """The delimiter; None stands for blanks."""
    line_end: str
    width: int
    names: Sequence[str] | None
    chosen: tuple[int, ...]

    @property
    def empty(self) -> str:
        """A field without a value: between blanks it could not be seen, alone it were no row."""
        return "nan" if self.mark is None else ""


class Piece(Protocol):
    """Some rows of a text."""

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The chosen columns, each of them contiguous."""

    @property
    def missing(self) -> NDArray[np.bool_] | None:
        """Where a field was empty, in an array of that shape; None for nowhere."""

    def written(self, results: NDArray[Any], layout: Layout) -> bytes:
        """The rows as text, with the results in the place of the numbers."""


class Records(NamedTuple):
    """Some rows of a text as lists of their fields; see `Piece`."""

    numbers: NDArray[np.float64]
    missing: NDArray[np.bool_] | None
    columns: list[Sequence[str]]
    """All of them as they stand in the text."""

    def written(self, results: NDArray[Any], layout: Layout) -> bytes:
        """See `Piece`."""
        columns = list(self.columns)
        for index, place in enumerate(layout.chosen):
            texts = spelled(results[index])
            if self.missing is not None:
                for row in np.flatnonzero(self.missing[index]):
                    texts[row] = layout.empty
            columns[place] = texts
        mark = layout.mark or " "
        rows = zip(*columns, strict=True)
        return "".join(mark.join(row) + layout.line_end for row in rows).encode()


def spelled(values: NDArray[Any]) -> list[str]:
    """Return the shortest text of each number that reads back as the same number of its dtype."""
    if values.dtype == np.float64:
        return list(map(repr, values.tolist()))  # as NumPy, and faster
    texts: list[str] = values.astype(str).tolist()
    return texts


def is_number(field: str) -> bool:
    """Tell whether a field holds a number; an empty one does not."""
    return NUMBER.fullmatch(field) is not None and not field.isspace() and field != ""


def rows(text: str, mark: str | None) -> Iterator[tuple[list[str], str]]:
    """Yield the fields of each row, and the text that it stands in.

    Raises
    ------
    csv.Error
        At a row that RFC 4180 does not allow, or that goes on after the text.
    """
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in StringIO(text, newline=""):
            taken.append(line)
            yield line if mark else FINAL_BLANKS.sub("", line)

    blanks = {"delimiter": " ", "skipinitialspace": True}
    dialect: dict[str, Any] = blanks if mark is None else {"delimiter": mark}
    for fields in csv.reader(lines(), strict=True, **dialect):
        yield fields, "".join(taken)
        taken.clear()


def read(text: str, line: int, layout: Layout, final: bool) -> tuple[Records, int]:
    """Read some rows.

    Parameters
    ----------
    text : str
        Whole lines.
    line : int
        The number of the first one.
    layout : Layout
    final : bool
        Whether nothing comes after the text.

    Returns
    -------
    tuple of Records and int
        The rows, and how many characters they take: fewer than all if the last one is incomplete.

    Raises
    ------
    DataError
        With line and column.
    """
    found: list[list[str]] = []
    starts: list[int] = []
    used, refusal = 0, None
    keeps = len(layout.chosen) < layout.width
    try:
        for fields, raw in rows(text, layout.mark):
            if raw.strip(" \r\n"):
                if len(fields) != layout.width:
                    refusal = f"line {line}: {_columns(len(fields))}, not {layout.width}"
                    break
                found.append(_as_written(fields, raw, layout) if keeps and '"' in raw else fields)
                starts.append(line)
            used += len(raw)
            line += raw.count("\n") + raw.count("\r") - raw.count("\r\n")
    except csv.Error as error:
        if final or "unexpected end" not in str(error):
            refusal = f"line {line}: {error}"
    columns: list[Sequence[str]] = list(zip(*found, strict=True))
    plain = STRANGE.search(text) is None
    wrong = [(len(found), 0)]
    numbers = np.empty((len(layout.chosen), len(found)))
    if found:
        for values, place in zip(numbers, layout.chosen, strict=True):
            try:
                values[:] = list(map(float if plain else _number, columns[place]))
            except ValueError:
                row = _fill(values, columns[place])
                if row is not None:
                    wrong.append((row, place))
    row, place = min(wrong)
    if row < len(found):
        name = f" ({layout.names[place]})" if layout.names else ""
        field = found[row][place].strip(" \t")[:20]
        raise DataError(f"line {starts[row]}, column {place + 1}{name}: {field!r} is not a number")
    if refusal is not None:
        raise DataError(refusal)
    return Records(numbers, _missing(numbers, columns, layout), columns), used


def _missing(
    numbers: NDArray[np.float64], columns: Sequence[Sequence[str]], layout: Layout
) -> NDArray[np.bool_] | None:
    missing = np.isnan(numbers)
    for index, row in zip(*map(np.ndarray.tolist, np.nonzero(missing)), strict=True):
        missing[index, row] = not columns[layout.chosen[index]][row].strip(" \t")
    return missing if missing.any() else None


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _as_written(fields: list[str], raw: str, layout: Layout) -> list[str]:
    """The fields of a row as they stand in its text; quotes only around what is copied."""
    written = []
    place = 0
    chosen = frozenset(layout.chosen)
    for index, field in enumerate(fields):
        while layout.mark is None and raw.startswith(" ", place):
            place += 1
        quoted = raw.startswith('"', place)
        text = '"' + field.replace('"', '""') + '"' if quoted else field
        written.append(field if index in chosen else text)
        place += len(text) + 1
    return written


def _number(field: str) -> float:
    if NUMBER.fullmatch(field) is None:
        raise ValueError
    text = field.strip(" \t")
    return float(text) if text else math.nan


def _fill(values: NDArray[np.float64], fields: Sequence[str]) -> int | None:
    """Read numbers one by one, empty ones too, and tell which row is the first without one."""
    for row, field in enumerate(fields):
        try:
            values[row] = _number(field)
        except ValueError:
            return row
    return None
