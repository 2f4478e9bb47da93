"""Opening what a command reads, and leaving what it writes whole or not at all."""

# Design:
# - A result is written beside its target and renamed over it once it is complete and on the disk.
#   So the target is always the old file or the whole new one, and a command may write what it
#   reads.
# - What exists and is no regular file (a pipe, /dev/null) is written in place: a rename would put a
#   file where the device was.
# - The standard streams are opened afresh on their descriptors, because the text objects in sys
#   would try to flush a broken pipe or a full disk once more when Python ends.

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from typing import IO

STANDARD = "-"
STANDARD_INPUT, STANDARD_OUTPUT, STANDARD_ERROR = 0, 1, 2


def reading(name: str) -> BufferedReader:
    """Open a file, or standard input for ``-``.

    Parameters
    ----------
    name : str
        Path of the file.

    Returns
    -------
    BufferedReader
        The open file.
    """
    standard = name == STANDARD
    return open(STANDARD_INPUT if standard else name, "rb", closefd=not standard)


@contextmanager
def writing(name: str) -> Iterator[IO[bytes]]:
    """Open what a result goes to: a file that is replaced when all went well, or a stream.

    Parameters
    ----------
    name : str
        Path of the file, or ``-`` for standard output.

    Yields
    ------
    IO[bytes]
        The file to write; readable and mappable too if the target is a regular file.
    """
    if name == STANDARD:
        with open(STANDARD_OUTPUT, "wb", closefd=False) as file:
            yield file
    elif os.path.exists(name) and not os.path.isfile(name):
        with open(name, "wb") as file:
            yield file
    else:
        with _replacing(os.path.realpath(name)) as file:
            yield file


@contextmanager
def _replacing(target: str) -> Iterator[IO[bytes]]:
    """Give a new file that takes the place of `target` when the block ends without an exception."""
    exists = os.path.exists(target)
    if exists:
        # What may not be written may not be replaced either, though the folder would allow it.
        open(target, "ab").close()
    # A name of its own length, so that a target with the longest name allowed still works.
    temporary = os.path.join(os.path.dirname(target), f".s3s4-{secrets.token_hex(8)}.tmp")
    file = open(temporary, "x+b")  # noqa: SIM115 - closed below, before it is renamed or removed
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if exists:
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
