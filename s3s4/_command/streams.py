"""Opening what a command reads, and leaving what it writes whole or not at all."""

# Design:
# - A result is written beside its target and renamed over it once it is complete and on the disk.
#   So the target is always the old file or the whole new one, and a command may write what it
#   reads.
# - What exists and is no regular file (a pipe, /dev/null) is written in place: a rename would put a
#   file where the device was. /dev/stdout is the open descriptor, whatever stands behind it.
# - Until it is complete, what replaces a file can be read by nobody else: the file may be private.
# - Descriptors are opened afresh, because the text objects in sys would try to flush a broken pipe
#   or a full disk once more when Python ends.

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, FileIO, RawIOBase
from typing import IO, Any

STANDARD = "-"
STANDARD_INPUT, STANDARD_OUTPUT, STANDARD_ERROR = 0, 1, 2
DEVICES = {
    "/dev/stdin": STANDARD_INPUT,
    "/dev/stdout": STANDARD_OUTPUT,
    "/dev/stderr": STANDARD_ERROR,
}
NOT_REPLACEABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)


class _Input(FileIO):
    """A file whose failures bear its name, which tells them from those of the output."""

    def __init__(self, name: str, label: str) -> None:
        self._label = label
        descriptor = _descriptor(name, STANDARD_INPUT)
        with self._named():
            super().__init__(name if descriptor is None else descriptor, closefd=descriptor is None)

    def readinto(self, buffer: Any) -> Any:
        with self._named():
            return super().readinto(buffer)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = self._label
            raise


def reading(name: str, label: str | None = None) -> BufferedReader:
    """Open a file, or standard input for ``-``.

    Parameters
    ----------
    name : str
        Path of the file.
    label : str, optional
        What it is called; default `name`.

    Returns
    -------
    BufferedReader
        The open file. The `filename` of an `OSError` of its own is its label.
    """
    return BufferedReader(_Input(name, label or name))


def is_regular(file: BufferedReader | RawIOBase) -> bool:
    """Tell whether a stream is a file on a disk, which has a size.

    Parameters
    ----------
    file : BufferedReader or RawIOBase
        Any open stream.

    Returns
    -------
    bool
        False also for a member of an archive, which has no descriptor of its own.
    """
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:
        return False


def is_stream(name: str) -> bool:
    """Tell whether an output is no file of its own, which could be replaced and has a suffix.

    Parameters
    ----------
    name : str
        Path of the file, or ``-`` for standard output.

    Returns
    -------
    bool
        True also for a pipe or a device with a name, and for what stands for a descriptor.
    """
    if _descriptor(name, STANDARD_OUTPUT) is not None:
        return True
    return os.path.exists(name) and not os.path.isfile(name)


@contextmanager
def writing(
    name: str, in_place: bool = False, source: BufferedReader | None = None
) -> Iterator[IO[bytes]]:
    """Open what a result goes to: a file that is replaced when all went well, or a stream.

    Parameters
    ----------
    name : str
        Path of the file, or ``-`` for standard output.
    in_place : bool
        Write into a file that exists, instead of replacing it.
    source : BufferedReader, optional
        What is read meanwhile. It can be replaced, but not be written in place.

    Yields
    ------
    IO[bytes]
        The file to write.
    """
    descriptor = _descriptor(name, STANDARD_OUTPUT)
    if descriptor is not None:
        with open(descriptor, "wb", closefd=False) as file:
            _refuse_the_input(os.fstat(descriptor), source)
            yield file
    elif is_stream(name) or (in_place and os.path.exists(name)):
        _refuse_the_input(os.stat(name), source)
        with open(name, "wb") as file:
            yield file
    else:
        with _replacing(os.path.realpath(name)) as file:
            yield file


@contextmanager
def writing_by_path(
    name: str, in_place: bool, source: BufferedReader | None, keep: bool
) -> Iterator[str]:
    """Do what `writing` does for a library that opens its files itself.

    Parameters
    ----------
    name : str
    in_place : bool
    source : BufferedReader or None
        See `writing`.
    keep : bool
        Whether what is written starts as the old file.

    Yields
    ------
    str
        The path of the file to write.
    """
    if is_stream(name):
        raise OSError(errno.ESPIPE, "is no file, which this format needs")
    if in_place and os.path.exists(name):
        _refuse_the_input(os.stat(name), source)
        yield name
        return
    with _replacing(os.path.realpath(name)) as file:
        if keep and os.path.exists(name):
            with open(name, "rb") as old:
                shutil.copyfileobj(old, file, 1 << 20)
            file.flush()
        yield file.name


@contextmanager
def replacing_folder(name: str, beside: str) -> Iterator[str]:
    """Give the path of a folder to make, which takes the place of `name` when all went well.

    Parameters
    ----------
    name : str
        What is replaced, if it is there; its folder has to be there at the end of the block.
    beside : str
        In whose folder the new one is made.

    Yields
    ------
    str
    """
    target = os.path.realpath(name)
    start = os.path.join(os.path.dirname(os.path.realpath(beside)), f".s3s4-{secrets.token_hex(8)}")
    new, old = f"{start}.tmp", f"{start}.old"
    os.mkdir(new)
    try:
        yield new
        for folder, _, names in os.walk(new):
            for one in names:
                with open(os.path.join(folder, one), "rb") as file:
                    os.fsync(file.fileno())
        # No system call replaces a folder: for a moment there is none of that name.
        if os.path.lexists(target):
            os.rename(target, old)
        os.rename(new, target)
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(target):
            os.rename(old, target)
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _descriptor(name: str, standard: int) -> int | None:
    """The open descriptor that a name stands for, if it does."""
    if name == STANDARD:
        return standard
    folder, _, number = name.rpartition("/")
    if folder in ("/dev/fd", "/proc/self/fd") and number.isascii() and number.isdigit():
        return int(number)
    return DEVICES.get(name)


def _refuse_the_input(output: os.stat_result, source: BufferedReader | None) -> None:
    if source is None or not stat.S_ISREG(output.st_mode):
        return
    if os.path.samestat(output, os.fstat(source.fileno())):
        raise OSError(errno.EINVAL, "is the input: it would be overwritten while it is read")


@contextmanager
def _replacing(target: str) -> Iterator[IO[bytes]]:
    """Give a new file that takes the place of `target` when the block ends without an exception."""
    old = None
    # A target that is not there yet is the usual case: nothing is replaced, and none has a mode or
    # an owner to take over. Any other error of stat is the user's to see.
    with suppress(FileNotFoundError):
        old = os.stat(target)
    if old is not None:
        # What may not be written may not be replaced either, though the folder would allow it.
        open(target, "ab").close()
    # A name of its own length, so that a target with the longest name allowed still works.
    temporary = os.path.join(os.path.dirname(target), f".s3s4-{secrets.token_hex(8)}.tmp")
    mode = 0o666 if old is None else 0o600
    try:
        with _telling_of_in_place(old):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(temporary, "wb", opener=lambda *_: descriptor) as file:
            yield file
            file.flush()
            if old is not None:
                _take_over(file.fileno(), old)
            os.fsync(file.fileno())
        with _telling_of_in_place(old):
            os.replace(temporary, target)
    except BaseException:
        # The block failed before the file was made, or after it had taken the target's name: there
        # is nothing to clean up, and what is raised must be what failed.
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _take_over(descriptor: int, old: os.stat_result) -> None:
    """Give a file the owner, the group and the mode of the one that it replaces, where allowed."""
    mode = stat.S_IMODE(old.st_mode)
    try:
        os.fchown(descriptor, old.st_uid, old.st_gid)
    except OSError:
        try:
            os.fchown(descriptor, -1, old.st_gid)
        except OSError:
            # Another group must not read what only the old one could.
            mode &= ~0o070 | (mode << 3)
    os.fchmod(descriptor, mode)


@contextmanager
def _telling_of_in_place(old: os.stat_result | None) -> Iterator[None]:
    """Say what helps where the folder or a mount forbids to replace a file that may be written."""
    try:
        yield
    except OSError as error:
        if old is None or error.errno not in NOT_REPLACEABLE:
            raise
        reason = os.strerror(error.errno)
        raise OSError(
            error.errno,
            f"can be written but not replaced ({reason}); --in-place writes it where it is",
        ) from error
