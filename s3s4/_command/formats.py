"""Which of the formats an input has."""

import os
from io import BufferedReader
from os.path import splitext

from s3s4._command.arrays import Archive, Array, Data, DataError
from s3s4._command.streams import STANDARD, STANDARD_OUTPUT
from s3s4._command.text import Columns

ARRAYS = (".npy", ".npz")
TEXTS = (".csv", ".tsv", ".txt")


def recognise(file: BufferedReader, source: str, target: str) -> Data:
    """Find out from its first bytes what an input is, and whether it can become the output.

    Parameters
    ----------
    file : BufferedReader
        The open input.
    source, target : str
        Names of input and output; their suffixes are promises to be kept.

    Returns
    -------
    Data
        The input, ready for a function.
    """
    head = file.peek(4)
    if head.startswith(b"\x93"):
        kind = ".npy"
    elif head.startswith((b"PK\3\4", b"PK\5\6")):
        kind = ".npz"
    else:
        kind = "text"
    given = splitext(source)[1].lower()
    if given in ARRAYS and given != kind:
        raise DataError(f"is no {given} file")
    wanted = splitext(target)[1].lower()
    if kind == "text":
        if wanted == ".npz":
            raise DataError("is text, which can become text or .npy, not .npz")
        return Columns(file, as_array=wanted == ".npy")
    if wanted in ARRAYS + TEXTS and wanted != kind:
        raise DataError(f"is {kind}, which cannot become {wanted}")
    if target == STANDARD and os.isatty(STANDARD_OUTPUT):
        raise DataError(f"is {kind}, which a terminal cannot show; redirect the output")
    return Array(file) if kind == ".npy" else Archive(file)
