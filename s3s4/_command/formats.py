"""Which of the formats an input has, and which the output gets."""

# Design:
# - A format is a line here and a file of its own, which is imported when the format is met: the
#   libraries of most take longer to import than a small file to compute.
# - A name FILE::NAME is one of an array in a file, unless there is a file of that whole name.

import errno
import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from os.path import splitext
from typing import Any

from s3s4._command import safetensors, streams
from s3s4._command.arrays import Array
from s3s4._command.data import Data, DataError, Source, Target
from s3s4._command.npy import Archive
from s3s4._command.streams import STANDARD, STANDARD_OUTPUT, is_stream
from s3s4._command.text import GZIP, Columns

SUFFIXES = {
    ".npy": "npy",
    ".npz": "npz",
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
    ".csv.gz": "text.gz",
    ".tsv.gz": "text.gz",
    ".txt.gz": "text.gz",
    ".parquet": "parquet",
    ".feather": "feather",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".zarr": "zarr",
    ".safetensors": "safetensors",
}
FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))
TEXTS = ("text", "text.gz")
TABLES = ("parquet", "feather")
ARRAYS = {"npy": "npy", "hdf5": "hdf5", "zarr": "zarrs", "safetensors": "safetensors"}
NAMED = ("hdf5", "zarr", "safetensors")
MAGIC = {
    b"\x93": "npy",
    b"PK\3\4": "npz",
    b"PK\5\6": "npz",
    b"PAR1": "parquet",
    b"ARROW1": "feather",
    b"FEA1": "feather",
    b"\x89HDF\r\n": "hdf5",
    GZIP: "text.gz",
}
IN_FOLDERS = ("zarr.json", ".zarray", ".zgroup")


@contextmanager
def opened(
    source: str,
    target: str,
    wanted: str | None = None,
    columns: Sequence[str] | None = None,
    in_place: bool = False,
) -> Iterator[tuple[Data, Target]]:
    """Open an input, find out what it is, and whether it can become the output.

    Parameters
    ----------
    source, target : str
        Names of input and output; their suffixes are promises to be kept.
    wanted : str, optional
        The format of the output, if its suffix is not to be asked.
    columns : sequence of str, optional
        Those of a table that the function is for.
    in_place : bool
        See `Target`.

    Yields
    ------
    tuple of Data and Target
        The input, ready for a function, and where its results go.
    """
    path, member = _split(source)
    folder = os.path.isdir(path) and any(os.path.exists(os.path.join(path, o)) for o in IN_FOLDERS)
    with streams.reading(os.devnull if folder else path, source) as file:
        given = Source(path, member, file)
        kind = "zarr" if folder else _kind(file)
        promised = SUFFIXES.get(_suffix(path), "text")
        if promised not in (*TEXTS, kind):
            raise DataError(f"is no {_suffix(path)} file")
        if member is not None and kind not in NAMED:
            raise DataError(f"is {kind}, which holds no arrays with names")
        out, name = _split(target)
        wanted = wanted or _promised(out) or kind
        _require_possible(kind, wanted, target)
        if columns is not None and kind in (*ARRAYS, "npz"):
            raise DataError(f"is {kind}, which has no columns to choose")
        if target == STANDARD and wanted not in TEXTS and os.isatty(STANDARD_OUTPUT):
            raise DataError(f"becomes {wanted}, which a terminal cannot show; redirect the output")
        if name is not None and wanted not in NAMED:
            raise OSError(errno.EINVAL, f"{wanted} holds no arrays with names")

        def where(default: str | None = None) -> Target:
            called = name or default
            if called is None and wanted in NAMED and wanted != "zarr":
                raise OSError(errno.EINVAL, "say what the array is called there, as in OUT::NAME")
            return Target(out, called, name is not None, in_place, file)

        if kind in TEXTS:
            yield Columns(file, wanted, columns), where()
        elif kind == "npz":
            yield Archive(file), where()
        elif kind in TABLES:
            tables = _module("tables")
            making = None if wanted == "npy" else _module(wanted).making
            with _module(kind).reading(given) as table:
                yield tables.Table(table, making, columns), where()
        else:
            with _module(ARRAYS[kind]).reading(given) as array:
                yield Array(array, _module(ARRAYS[wanted]).making), where(array.member)


def _module(name: str) -> Any:
    return importlib.import_module(f"s3s4._command.{name}")


def _split(name: str) -> tuple[str, str | None]:
    """The path and the name of the array in it."""
    path, separator, member = name.rpartition("::")
    if not separator or not path or not member or os.path.lexists(name):
        return name, None
    return path, member


def _suffix(path: str) -> str:
    start, suffix = splitext(path.rstrip("/").lower())
    return splitext(start)[1] + suffix if suffix == ".gz" else suffix


def _kind(file: BufferedReader) -> str:
    """What a file is, by its first bytes."""
    head = file.peek(16)
    for start, kind in MAGIC.items():
        if head.startswith(start):
            return kind
    return "safetensors" if safetensors.looks_like(head[:9]) else "text"


def _require_possible(kind: str, wanted: str, target: str) -> None:
    """Refuse to make of an input what it cannot become."""
    others = ("npy",) if kind in (*TEXTS, *TABLES) else ()
    for group in (TEXTS, TABLES, ("npz",), tuple(ARRAYS)):
        if kind in group and wanted not in (*group, *others):
            possible = ", ".join(dict.fromkeys((*group, *others)))
            raise DataError(f"is {kind}, which cannot become {wanted}, only {possible}")
    if wanted == "npy" and others and is_stream(target):
        raise DataError(f"is {kind}, which becomes npy only in a file: the length stands first")


def _promised(target: str) -> str | None:
    """The format that the name of an output promises; a stream promises none."""
    suffix = _suffix(target)
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if is_stream(target):
        return None
    known = ", ".join(SUFFIXES)
    raise OSError(errno.EINVAL, f"the suffix must be one of {known}, or --format say what it is")
