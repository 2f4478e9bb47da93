"""Rows of text by pyarrow, where it reads them as `records` does."""

# Design:
# - None stands for "ask records": for what pyarrow refuses, as it does not know the line, and for
#   what it reads differently (quotes, whose place it forgets; a byte order mark; nan(1)).

import re
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from s3s4._command.records import Layout, spelled

# A table that is wider costs pyarrow more by its columns than it saves by its rows.
WIDEST = 1 << 10
# A field that is longer is refused by the csv module.
LONGEST_FIELD = 131072
# Blanks beside a line's end or another blank.
IDLE_BLANKS = re.compile(rb"(?<![^\r\n]) +| +(?=[ \r\n]|\Z)")


class Reader:
    """Reads blocks of whole lines.

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        names = list(map(str, range(layout.width)))
        chosen = frozenset(layout.chosen)
        self._others = [name for place, name in enumerate(names) if place not in chosen]
        types = dict.fromkeys(names, pa.float64()) | dict.fromkeys(self._others, pa.string())
        self._options = (
            pacsv.ReadOptions(column_names=names),
            pacsv.ParseOptions(delimiter=layout.mark or " ", quote_char=False),
            pacsv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=False),
        )

    def read(self, block: bytes) -> "Table | None":
        """Read some rows.

        Parameters
        ----------
        block : bytes
            Whole lines.

        Returns
        -------
        Table or None
            None if they may not be what `records` would read.
        """
        if b'"' in block or block.startswith(b"\xef\xbb\xbf"):
            return None
        if self._layout.mark is None:
            block = IDLE_BLANKS.sub(b"", block)
        if not block.strip(b"\r\n"):
            return None
        try:
            table = pacsv.read_csv(pa.py_buffer(block), *self._options)
        except pa.ArrowInvalid:
            return None
        for name in self._others:
            if (pc.max(pc.binary_length(table[name])).as_py() or 0) > LONGEST_FIELD:
                return None
        numbers = np.array([table[place].to_numpy() for place in self._layout.chosen])
        columns = [table[place] for place in self._layout.chosen]
        count = sum(column.null_count for column in columns)
        if b"(" in block and np.isnan(numbers).sum() > count:
            return None
        missing = np.array([pc.is_null(one).to_numpy() for one in columns]) if count else None
        return Table(numbers, missing, table)


class Table(NamedTuple):
    """Some rows of a text as columns; see `records.Piece`."""

    numbers: NDArray[np.float64]
    missing: NDArray[np.bool_] | None
    table: Any

    def written(self, results: NDArray[Any], layout: Layout) -> bytes:
        """See `records.Piece`."""
        columns = self.table.columns
        for index, place in enumerate(layout.chosen):
            columns[place] = _spelled(results[index])
            if self.missing is not None:
                empty = pa.scalar(layout.empty)
                columns[place] = pc.replace_with_mask(
                    columns[place], pa.array(self.missing[index]), empty
                )
        sink = pa.BufferOutputStream()
        options = pacsv.WriteOptions(
            include_header=False,
            delimiter=layout.mark or " ",
            quoting_style="none",
            batch_size=1 << 16,
        )
        pacsv.write_csv(pa.table(columns, self.table.column_names), sink, options)
        text: bytes = sink.getvalue().to_pybytes()
        return text if layout.line_end == "\n" else text.replace(b"\n", layout.line_end.encode())


def _spelled(values: NDArray[Any]) -> Any:
    """What `records.spelled` gives, by pyarrow where it writes the same."""
    if values.dtype not in (np.float32, np.float64):
        return pa.array(spelled(values))
    size = np.abs(values)
    # pyarrow writes 1, 1e-7 and 1e+15 where NumPy writes 1.0, 1e-07 and 1000000000000000.0.
    same = (size > 1e-3) & (size < 1e6) & (values != np.rint(values))
    return pc.replace_with_mask(
        pa.array(values).cast(pa.string()), ~same, pa.array(spelled(values[~same]), pa.string())
    )
