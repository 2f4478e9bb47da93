"""Which of the formats an input has, and which the output gets."""

import errno
import os
from collections.abc import Sequence
from io import BufferedReader
from os.path import splitext

from s3s4._command import npy
from s3s4._command.arrays import Array
from s3s4._command.data import Data, DataError
from s3s4._command.streams import STANDARD, STANDARD_OUTPUT, is_stream
from s3s4._command.text import Columns

FORMATS = ("npy", "npz", "text")
SUFFIXES = {".npy": "npy", ".npz": "npz", ".csv": "text", ".tsv": "text", ".txt": "text"}


def recognise(
    file: BufferedReader,
    source: str,
    target: str,
    wanted: str | None = None,
    columns: Sequence[str] | None = None,
) -> Data:
    """Find out from its first bytes what an input is, and whether it can become the output.

    Parameters
    ----------
    file : BufferedReader
        The open input.
    source, target : str
        Names of input and output; their suffixes are promises to be kept.
    wanted : str, optional
        The format of the output, if its suffix is not to be asked.
    columns : sequence of str, optional
        Those of a text that the function is for.

    Returns
    -------
    Data
        The input, ready for a function.
    """
    head = file.peek(4)
    if head.startswith(b"\x93"):
        kind = "npy"
    elif head.startswith((b"PK\3\4", b"PK\5\6")):
        kind = "npz"
    else:
        kind = "text"
    given = SUFFIXES.get(splitext(source)[1].lower(), "text")
    if given != "text" and given != kind:
        raise DataError(f"is no .{given} file")
    wanted = wanted or _promised(target) or kind
    if kind == "text":
        if wanted == "npz":
            raise DataError("is text, which can become text or .npy, not .npz")
        if wanted == "npy" and is_stream(target):
            raise DataError("is text, which becomes .npy only in a file: the length stands first")
        return Columns(file, wanted == "npy", columns)
    if columns is not None:
        raise DataError(f"is .{kind}, which has no columns to choose")
    if wanted != kind:
        raise DataError(f"is .{kind}, which cannot become {wanted.replace('np', '.np')}")
    if target == STANDARD and os.isatty(STANDARD_OUTPUT):
        raise DataError(f"is .{kind}, which a terminal cannot show; redirect the output")
    return Array(npy.Reader(file), npy.making) if kind == "npy" else npy.Archive(file)


def _promised(target: str) -> str | None:
    """The format that the name of an output promises; a stream promises none."""
    suffix = splitext(target)[1].lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if is_stream(target):
        return None
    known = ", ".join(SUFFIXES)
    raise OSError(errno.EINVAL, f"the suffix must be one of {known}, or --format say what it is")
