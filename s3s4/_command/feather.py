"""Feather files, which are Arrow's own (IPC), by pyarrow."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pyarrow as pa

import s3s4
from s3s4._command import tables
from s3s4._command.data import DataError, Source, Target, damage
from s3s4._command.tables import BATCH, ArrowWriter, finished


class Reader:
    """A table; see `tables.Reader`.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        if not source.file.seekable():
            raise DataError("Feather cannot be read from a pipe")
        with damage("is a damaged Feather file"):
            options = pa.ipc.IpcReadOptions(use_threads=s3s4.get_num_threads() > 1)
            self._file = pa.ipc.open_file(source.file, options=options)
        self.schema = self._file.schema
        self.total = self._file.num_record_batches

    def batches(self) -> Iterator[tuple[Any, int]]:
        """The batches of the file, divided if they are large."""
        for place in range(self.total):
            with damage("is a damaged Feather file"):
                batch = self._file.get_batch(place)
            rows = max(1, BATCH * batch.num_rows // max(1, batch.nbytes))
            for start in range(0, batch.num_rows, rows):
                last = start + rows >= batch.num_rows
                yield batch.slice(start, rows), int(last)


class Writer(ArrowWriter):
    """A table that is made; see `tables.Writer`."""

    def begin(self, schema: Any, reader: tables.Reader) -> None:
        """Write what stands before the rows."""
        options = pa.ipc.IpcWriteOptions(
            compression="lz4" if pa.Codec.is_available("lz4") else None,
            emit_dictionary_deltas=True,
            use_threads=s3s4.get_num_threads() > 1,
        )
        self.file = pa.ipc.new_file(self._sink, schema, options=options)


@contextmanager
def reading(source: Source) -> Iterator[Reader]:
    """Open a Feather file; see `tables.Reader`."""
    yield Reader(source)


def making(target: Target) -> AbstractContextManager[Writer]:
    """Open a Feather file; see `tables.Making`."""
    return finished(target, Writer)
