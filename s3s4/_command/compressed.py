"""Text that is compressed by gzip."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import IO, cast

from s3s4._command.data import DataError


class Unpacked:
    """The text of a compressed file.

    Parameters
    ----------
    file : BufferedReader
    """

    def __init__(self, file: BufferedReader) -> None:
        self._text = gzip.GzipFile(fileobj=file)

    def read(self, size: int) -> bytes:
        """Read some of it."""
        try:
            return self._text.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"is a damaged gzip file: {error}") from None


@contextmanager
def packing(sink: IO[bytes]) -> Iterator[IO[bytes]]:
    """Give a file whose text goes compressed into another.

    Parameters
    ----------
    sink : IO[bytes]
    """
    with gzip.GzipFile("", "wb", 6, sink, mtime=0) as file:
        yield cast(IO[bytes], file)
