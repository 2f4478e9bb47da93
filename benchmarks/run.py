"""The benchmarks: one command for all of them.

Usage: python benchmarks/run.py COMMAND [--quick] [--threads N] [NAME ...]

What a full run of all names measures is kept in benchmarks/results/<processor>.json, from which the
command `report` makes the documentation. With --quick or a NAME it is only printed.

Design:
- A command is a module with a function `run`. It is imported once the threads are held, as
  libraries size their pools then; its docstring, which is the command's help, is read without.
- A contender whose library is missing is left out, and said to be.
"""

import argparse
import ast
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

import load
import threads

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Command:
    """What the options of a command are.

    Attributes
    ----------
    names : str
        What a NAME is; empty for a command that takes none.
    threads : int, optional
        Of how many threads its figures are; those that there are, if not given.
    """

    names: str = ""
    threads: int | None = None


COMMANDS = {
    "grid": Command("quantities (s3, s4, s4_dx, s4_value_dx, s4_backward), by default s4, s4_dx"),
    "family": Command("activations, by default all"),
    "rows": Command("row activations, by default softmax and log_softmax", threads=2),
    "targets": Command("points (1 to 9), by default all"),
    "questions": Command("questions (small, in_cache, large ...), by default all"),
    "published": Command(),
    "layouts": Command(),
    "frameworks": Command(),
    "in_cache": Command("ufuncs, by default every one that works on elements", threads=1),
    "busy": Command(),
    "sizes": Command("ways (idle, busy), by default both"),
    "gpu_host": Command(threads=1),
    "on_card": Command(),
    "roofline": Command("functions, by default S4's"),
    "report": Command("results (files in benchmarks/results), by default this machine's"),
}


def documentation(command: str) -> str:
    """Return the docstring of a command's module, which is not imported."""
    return ast.get_docstring(ast.parse((HERE / f"{command}.py").read_text("utf-8"))) or ""


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--quick", action="store_true", help="a minute or so; only prints")
    common.add_argument(
        "--busy",
        action="store_true",
        help="beside a process on each processor that computes without end",
    )
    result = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = result.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        text = documentation(name)
        one = commands.add_parser(
            name,
            help=text.partition("\n")[0].rstrip("."),
            description=text,
            parents=[common],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        count = min(command.threads or threads.limit(), threads.limit())
        one.add_argument(
            "--threads",
            type=int,
            default=count,
            help=f"what every contender is held to, by default {count} here",
        )
        if name == "targets":
            one.add_argument(
                "--only", action="append", dest="names", metavar="POINT", help=command.names
            )
        elif command.names:
            one.add_argument("names", nargs="*", metavar="NAME", help=command.names)
        else:
            one.set_defaults(names=[])
    return result


def main() -> None:
    """Read the command line and run one command."""
    options = parser().parse_args()
    threads.hold(options.threads)
    sys.path.append(str(HERE.parent / "tests" / "tools"))  # for what the GPU's are compiled with
    command = importlib.import_module(options.command)
    with load.busy(threads.limit() if options.busy else 0):
        command.run(options.quick, options.names or [])


if __name__ == "__main__":
    main()
