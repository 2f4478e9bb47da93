"""Parquet files, by pyarrow."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pyarrow.parquet as pq

import s3s4
from s3s4._command import tables
from s3s4._command.data import DataError, Source, Target, damage
from s3s4._command.tables import BATCH, ArrowWriter, finished

# How much of a column is read at once.
BUFFER = 1 << 20


class Reader:
    """A table; see `tables.Reader`.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        if not source.file.seekable():
            raise DataError("Parquet cannot be read from a pipe")
        with damage("is a damaged Parquet file"):
            self.file = pq.ParquetFile(source.file, buffer_size=BUFFER, pre_buffer=False)
            self.schema = self.file.schema_arrow
        self.total = self.file.metadata.num_rows

    def batches(self) -> Iterator[tuple[Any, int]]:
        """The rows, as many at once as a batch may hold."""
        about = self.file.metadata
        groups = [about.row_group(place).total_byte_size for place in range(about.num_row_groups)]
        rows = max(1, min(1 << 20, BATCH * max(1, self.total) // max(1, sum(groups))))
        with damage("is a damaged Parquet file"):
            threads = s3s4.get_num_threads() > 1
            batches = self.file.iter_batches(rows, use_threads=threads)
        while True:
            with damage("is a damaged Parquet file"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch, batch.num_rows


class Writer(ArrowWriter):
    """A table that is made; see `tables.Writer`."""

    def begin(self, schema: Any, reader: tables.Reader) -> None:
        """Write what stands before the rows; each column is compressed as it was."""
        self.file = pq.ParquetWriter(self._sink, schema, compression=_compression(reader))


@contextmanager
def reading(source: Source) -> Iterator[Reader]:
    """Open a Parquet file; see `tables.Reader`."""
    yield Reader(source)


def making(target: Target) -> AbstractContextManager[Writer]:
    """Open a Parquet file; see `tables.Making`."""
    return finished(target, Writer)


def _compression(reader: tables.Reader) -> Any:
    if not isinstance(reader, Reader) or not reader.file.metadata.num_row_groups:
        return "snappy"
    group = reader.file.metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    codecs = {"UNCOMPRESSED": "none", "LZ4_RAW": "lz4"}
    return {
        one.path_in_schema: codecs.get(one.compression, one.compression.lower()) for one in columns
    }
