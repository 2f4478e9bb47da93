"""A function over the columns of an Arrow table of any format, a batch at a time."""

# Design:
# - Columns that hold no numbers, and those that were not chosen, are the same Arrow arrays in the
#   result. A null has no weight in a row, and stays a null.

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from s3s4._command.data import Advance, DataError, Function, Target, places_of
from s3s4._command.npy import write_columns
from s3s4._command.streams import writing

# Bytes in a batch, as far as it can be divided.
BATCH = 1 << 24


class Reader(Protocol):
    """A table in a file."""

    @property
    def schema(self) -> Any:
        """Names and types of the columns."""

    @property
    def total(self) -> int:
        """How much `batches` will tell."""

    def batches(self) -> Iterator[tuple[Any, int]]:
        """The rows in order, and how much was read for them."""


class Writer(Protocol):
    """A table that is made."""

    def begin(self, schema: Any, reader: Reader) -> None:
        """Write what stands before the rows."""

    def write(self, batch: Any) -> None:
        """Write rows."""


class Making(Protocol):
    """What opens a target for a table."""

    def __call__(self, target: Target) -> AbstractContextManager[Writer]:
        """The table is complete when the block ends without an exception."""


class Table:
    """A table, read and written by its formats; see `data.Data`.

    Parameters
    ----------
    reader : Reader
    making : Making or None
        Of the format of the output; None: a .npy file of the results alone.
    chosen : sequence of str, optional
        Names of columns, or their numbers from 1; default all that hold numbers.
    """

    def __init__(
        self, reader: Reader, making: Making | None, chosen: Sequence[str] | None = None
    ) -> None:
        self.total = reader.total
        self._reader = reader
        self._making = making
        schema = reader.schema
        numeric = [place for place, type_ in enumerate(schema.types) if _is_number(type_)]
        self._places = numeric
        if chosen is not None:
            self._places = list(places_of(chosen, len(schema.names), schema.names))
        for place in self._places:
            if place not in numeric:
                column = f"column {place + 1} ({schema.names[place]})"
                raise DataError(f"{column} holds {schema.types[place]}, not numbers")
        if not self._places:
            raise DataError("holds no numbers")

    def apply(self, function: Function, target: Target, advance: Advance) -> None:
        """Write the table with the function of the chosen columns; see `data.Data`."""
        results = self._results(function, advance)
        if self._making is None:
            with writing(target.path, target.in_place, target.source) as sink:
                write_columns(sink, (_columns(columns) for _, columns in results))
            return
        empty = self._reader.schema.empty_table().to_batches() or [
            pa.RecordBatch.from_pylist([], self._reader.schema)
        ]
        schema = self._schema(self._computed(function, empty[0], None))
        with self._making(target) as writer:
            writer.begin(schema, self._reader)
            for batch, columns in results:
                arrays = batch.columns
                for place, (values, missing) in zip(self._places, columns, strict=True):
                    arrays[place] = pa.array(values, mask=missing)
                writer.write(pa.RecordBatch.from_arrays(arrays, schema=schema))

    def _results(self, function: Function, advance: Advance) -> Iterator[tuple[Any, "Columns"]]:
        """Yield batches with what becomes of their chosen columns."""
        axis = function.axis_of_table(len(self._places))
        batches = self._reader.batches()
        if axis == 1:  # down the columns: the first result needs the last number
            whole = pa.Table.from_batches([batch for batch, _ in batches], self._reader.schema)
            batches = ((batch, self.total) for batch in whole.combine_chunks().to_batches())
        for batch, read in batches:
            yield batch, self._computed(function, batch, axis)
            advance(read)

    def _computed(self, function: Function, batch: Any, axis: int | None) -> "Columns":
        """The results of the chosen columns of a batch."""
        found = [_numbers(batch.column(place)) for place in self._places]
        if not function.of_rows:
            return [(function(numbers), missing) for numbers, missing in found]
        numbers = np.array([numbers for numbers, _ in found])
        missing = np.array(
            [np.zeros(batch.num_rows, bool) if one is None else one for _, one in found]
        )
        results = function.of_columns(
            numbers, missing if missing.any() else None, 0 if axis is None else axis
        )
        return [(y, one) for y, (_, one) in zip(results, found, strict=True)]

    def _schema(self, columns: "Columns") -> Any:
        """What the result's columns are called, and their types."""
        schema = self._reader.schema
        for place, (values, _) in zip(self._places, columns, strict=True):
            try:
                type_ = pa.from_numpy_dtype(values.dtype)
            except pa.ArrowNotImplementedError:
                raise DataError(f"becomes {values.dtype.name}, which no table holds") from None
            schema = schema.set(place, schema.field(place).with_type(type_))
        names = {schema.names[place] for place in self._places}
        return schema.with_metadata(_of_pandas(schema.metadata, names, schema))


Columns = list[tuple[NDArray[Any], NDArray[np.bool_] | None]]


class Sink:
    """A file for Arrow, which asks where it stands even of a pipe, and would close it.

    Parameters
    ----------
    file : IO[bytes]
    """

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file: IO[bytes] | None = file
        self._place = 0

    def write(self, data: Any) -> int:
        """Write bytes."""
        self._place += len(data)
        return len(data) if self._file is None else self._file.write(data)

    def give_up(self) -> None:
        """Write nothing more: Arrow writes an end to its files whatever happened."""
        self._file = None

    def tell(self) -> int:
        """How many were written."""
        return self._place

    def flush(self) -> None:
        """Do nothing: who opened the file will."""

    def close(self) -> None:
        """Do nothing: who opened the file will."""


class ArrowWriter:
    """What the writers of Arrow's formats have in common: they begin a file of Arrow's.

    Parameters
    ----------
    sink : Sink
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.file: Any = None

    def write(self, batch: Any) -> None:
        """Write a batch of rows."""
        self.file.write_batch(batch)


@contextmanager
def finished(target: Target, make: Callable[[Sink], ArrowWriter]) -> Iterator[Any]:
    """Open a file, and have Arrow's writer of it closed.

    Parameters
    ----------
    target : Target
    make : callable
        Gives the writer of a format.
    """
    with writing(target.path, target.in_place, target.source) as file:
        sink = Sink(file)
        writer = make(sink)
        try:
            yield writer
            writer.file.close()
        except BaseException:
            sink.give_up()
            if writer.file is not None:
                # The sink takes nothing any more, so Arrow's writer may raise anything while it is
                # closed. What is raised here must be what failed before.
                with suppress(Exception):
                    writer.file.close()
            raise


def _is_number(type_: Any) -> bool:
    types = pa.types
    return bool(types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_))


def _numbers(column: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The numbers of a column, and where they are missing."""
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if missing is not None:
        column = column.fill_null(0)
    return column.to_numpy(zero_copy_only=False), missing


def _columns(columns: Columns) -> NDArray[Any]:
    """The results of a batch as rows of an array, NaN where a number is missing."""
    results = np.array([values for values, _ in columns])
    for values, (_, missing) in zip(results, columns, strict=True):
        if missing is not None:
            values[missing] = np.nan
    return results


def _of_pandas(
    metadata: dict[bytes, bytes] | None, names: set[str], schema: Any
) -> dict[bytes, bytes] | None:
    """What pandas notes of the types of its columns, as they are now."""
    if metadata is None or b"pandas" not in metadata:
        return metadata
    notes = json.loads(metadata[b"pandas"])
    for column in notes.get("columns", ()):
        name = column.get("field_name") or column.get("name")
        if name in names and len(schema.get_all_field_indices(name)) == 1:
            dtype = np.dtype(schema.field(name).type.to_pandas_dtype()).name
            column["pandas_type"] = column["numpy_type"] = dtype
    return metadata | {b"pandas": json.dumps(notes).encode()}
