"""Write the manual page of the command: `make man`.

Usage: python manual.py FILE
"""

# Design:
# - All that is said stands in the command's help, which Click gives piece by piece; what no help
#   says, of variables and exit codes, stands here.
# - It is no part of the wheel: a build needs no Click, and `man` looks into no environment. Who
#   packages the command for a system installs the file below share/man/man1.

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

import s3s4
from s3s4._command.main import commands

EXIT_STATUS = {
    "0": "All was done, and is right.",
    "1": "A check failed: doctor, demo, calibrate.",
    "2": "What the user can mend: one line on standard error says what, and nothing was written.",
    "130": "Interrupted; 128 and a signal's number for the others. OUT is what it was.",
}
ENVIRONMENT = {
    "S3S4_NUM_THREADS": "How many threads compute; otherwise OMP_NUM_THREADS, otherwise as many as "
    "there are processors to use.",
    "S3S4_ISA": "The variant of the kernels, instead of the best one for this processor.",
    "S3S4_DEVICE": "auto, cpu or gpu.",
}


def main(target: str) -> None:
    """Write the page."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_text("\n".join(page()) + "\n", "utf-8")


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    top = click.Context(commands, info_name="s3s4")
    yield f'.TH S3S4 1 "" "s3s4 {s3s4.__version__}"'
    yield from (".SH NAME", "s3s4 \\- " + roff(first_sentence(commands)))
    yield ".SH SYNOPSIS"
    for name in commands.commands:
        yield from (".B s3s4 " + name, roff(" ".join(usage(top, name))), ".br")
    yield ".SH DESCRIPTION"
    yield from paragraphs(str(commands.help))
    yield from options(commands, top)
    for name, command in commands.commands.items():
        context = click.Context(command, info_name=name, parent=top)
        yield f'.SH "{name.upper()}"'
        yield from paragraphs(str(command.help))
        yield from options(command, context)
        if command.epilog:
            yield from (".PP", roff(command.epilog))
    for title, entries in {"EXIT STATUS": EXIT_STATUS, "ENVIRONMENT": ENVIRONMENT}.items():
        yield f'.SH "{title}"'
        for term, text in entries.items():
            yield from (".TP", ".B " + roff(term), roff(text))


def first_sentence(command: click.Command) -> str:
    """Return what the command does."""
    text = " ".join(str(command.help).split()).partition(".")[0]
    return text[0].lower() + text[1:]


def usage(top: click.Context, name: str) -> list[str]:
    """Return the arguments of a command."""
    command = commands.commands[name]
    return command.collect_usage_pieces(click.Context(command, info_name=name, parent=top))


def options(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the options of a command."""
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            yield from (".TP", ".B " + roff(record[0]), roff(record[1]))


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help; Click marks those whose lines are to stay as they are."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield ".PP"
        if paragraph.startswith("\b\n"):
            yield from (".nf", *map(roff, paragraph[2:].split("\n")), ".fi")
        else:
            yield roff(" ".join(paragraph.split()))


def roff(text: str) -> str:
    """Return text that says nothing to troff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return "\\&" + text if text.startswith((".", "'")) else text


if __name__ == "__main__":
    main(*sys.argv[1:])
