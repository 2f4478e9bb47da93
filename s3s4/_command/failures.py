"""How a command ends that cannot do its work: one line, an exit code, and nothing left behind."""

# Design:
# - An error of the user's or the machine's is one line on standard error and exit code 2; a
#   traceback is always a bug. Click's own three-line errors are brought into that form.
# - What is printed of a name is printable: a name of a file can hold any byte, those that command a
#   terminal included.
# - A signal that would end the process becomes an exception once, so that what was begun is taken
#   back; those that follow would only disturb that. One that is ignored (nohup) stays so.

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

from s3s4._command.data import DataError

INTERRUPTED = 130
SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU")
    if hasattr(signal, name)
)


class Failure(click.ClickException):
    """Something that the user can mend."""

    exit_code = 2


@contextmanager
def failures_of(target: str, source: str | None = None) -> Iterator[None]:
    """Turn what can go wrong with a user's files into errors of one line.

    Parameters
    ----------
    target : str
        What is written.
    source : str, optional
        What is read.
    """
    try:
        yield
    except DataError as error:
        raise Failure(f"{source}: {error}") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        # Those of the input bear its name. What is left concerns the output.
        name = source if source is not None and error.filename == source else target
        raise Failure(f"{name}: {error.strerror or error}") from error


def printable(text: str) -> str:
    """Return a text on one line, with an escape for each character that is not to be seen.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


@contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """Let a polite kill clean up as any other exit does."""

    def pass_over(number: int, frame: FrameType | None) -> None:
        """Stand for SIG_IGN, which Python reports as a race if the signal came just before."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        for other in before:
            signal.signal(other, pass_over)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    kept = (signal.SIG_IGN, None)  # None: of somebody's C code
    ours = [number for number in SIGNALS if signal.getsignal(number) not in kept]
    before = {number: signal.signal(number, end) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def report(error: Exception) -> int:
    """Print an error on one line.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    int
        The exit code.
    """
    program, advice, code = "s3s4", "", Failure.exit_code
    if isinstance(error, click.ClickException):
        message, code = error.format_message(), error.exit_code
    else:
        message = str(error)
    if isinstance(error, click.UsageError):
        program = error.ctx.command_path if error.ctx else program
        message, advice = message.rstrip("."), f" (see {program} --help)"
    click.echo(f"{program}: {printable(message)}{advice}", err=True)
    return code
