"""The command ``s3s4 apply``."""

import csv
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import click

import s3s4
from s3s4._activation import elementwise
from s3s4._command.arguments import NAMES, ROWS, completed, files, given, known, parameter_options
from s3s4._command.data import Function
from s3s4._command.failures import failures_of
from s3s4._command.formats import FORMATS, opened
from s3s4._command.streams import STANDARD_ERROR
from s3s4._cpu.threads import MOST


def inputs(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Offer what the activation that was named can be differentiated by."""
    # Click leaves what it could not yet read, for want of this option's value, in args.
    named = context.params.get("name") or next(iter(context.args), "")
    activation = elementwise.get(named.lower())
    return [
        name for name in ("x", *getattr(activation, "parameters", ())) if name.startswith(typed)
    ]


@click.command(epilog=NAMES)
@click.argument(
    "name",
    callback=known(s3s4.activations),
    metavar="NAME",
    shell_complete=completed(s3s4.activations),
)
@click.argument("source", metavar="IN", shell_complete=files)
@click.argument("target", metavar="OUT", shell_complete=files)
@click.option("--derivative", is_flag=True, help="The derivative by x instead of the value.")
@click.option(
    "--wrt",
    metavar="x|PARAMETER",
    shell_complete=inputs,
    help="The derivative by x, or by this parameter, instead of the value.",
)
@click.option(
    "--axis",
    type=int,
    help=f"Along which axis of an array the rows of {ROWS} lie; the last one (-1) unless told. Of "
    "text and tables, 1 is along the line, 0 down the columns.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float16", "float32", "float64", "longdouble"]),
    help="Precision to compute and write in, if not that of IN.",
)
@click.option(
    "--columns",
    metavar="NAME,...",
    help="The columns of a table that the activation is for, by name or by number from 1. The "
    "others are copied as they are.",
)
@click.option(
    "--format",
    "wanted",
    type=click.Choice(FORMATS),
    help="What to write, whatever the suffix of OUT says.",
)
@click.option(
    "--in-place",
    is_flag=True,
    help="Write into OUT itself, which a failure then leaves incomplete: for a file that can be "
    "written but not replaced.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, MOST),
    metavar="NUMBER",
    help="Compute on exactly so many threads; default: S3S4_NUM_THREADS, or all processors.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress on a terminal.")
@parameter_options(1)
def apply(
    name: str,
    source: str,
    target: str,
    derivative: bool,
    wrt: str | None,
    axis: int | None,
    dtype: str | None,
    columns: str | None,
    wanted: str | None,
    in_place: bool,
    threads: int | None,
    quiet: bool,
    **parameters: tuple[float, ...] | None,
) -> None:
    """Apply the activation NAME to every number in IN and write OUT.

    What IN holds is found out from its content:

    \b
    .npy .npz      arrays of NumPy of any shape and order; OUT gets all of an
                   archive under their names.
    .h5 .hdf5 .zarr .safetensors
                   one array, FILE::NAME where there are several. An OUT of
                   this form puts the result beside what FILE holds.
    .parquet .feather
                   tables. The function is for their columns of numbers, the
                   others stay what they are, and so do nulls.
    .csv .tsv .txt, or with .gz
                   lines of numbers. Columns are separated by tabs, else
                   semicolons, else commas, else blanks, whichever the first
                   line of numbers has; a field may stand in quotes. Comments
                   (#) before it are copied, and a line of column names, which
                   has no number in it. Blank lines are dropped. An empty field
                   is a missing value, and stays empty.

    OUT becomes what its suffix or --format says, else what IN is: an array of any
    format, or a table as it was; tables become .npy, too, an array of the columns.
    Files may be larger than memory. "-" stands for standard input, for .npy and
    text, or output, for all but HDF5 and Zarr.

    OUT is replaced when it is complete: a run that fails or is stopped leaves
    it as it was, and OUT may be IN. A pipe or a device is written in place.
    """
    # Only what was given is passed on: with options the activation may have to take a longer way.
    options: dict[str, Any] = {} if dtype is None else {"dtype": dtype}
    options |= {key: value for key, (value,) in given(parameters, [name]).items()}
    function = chosen_function(name, "x" if derivative and wrt is None else wrt, axis, options)
    chosen = None if columns is None else next(csv.reader([columns]), [])
    # Files are slower than any device: nobody needs to hear that there is no GPU.
    with (
        failures_of(target, source),
        s3s4.threads(threads) if threads else nullcontext(),
        s3s4.device("cpu"),
        opened(source, target, wanted, chosen, in_place) as (data, where),
        click.progressbar(
            length=data.total or 0,
            label=name,
            file=sys.stderr,
            hidden=quiet or data.total is None or not shows_progress(),
        ) as bar,
    ):
        data.apply(function, where, bar.update)


def chosen_function(
    name: str, wrt: str | None, axis: int | None, options: Mapping[str, Any]
) -> Function:
    """Return what the arguments of `apply` ask for."""
    activation = s3s4.activations[name]
    call: Callable[..., Any] = partial(activation, **options)
    typed = "dtype" in options
    if isinstance(activation, s3s4.RowActivation):
        if wrt is not None:
            raise click.UsageError(f"{name} is a function of rows: its derivative is a matrix")
        return Function(name, call, True, axis, typed)
    if axis is not None:
        raise click.UsageError(f"--axis is for functions of rows, and {name} is none")
    if wrt is None:
        return Function(name, call, typed=typed)
    try:
        activation.derivative(0.0, wrt=wrt)
    except ValueError as error:
        raise click.UsageError(f"--{error}") from None
    call = partial(activation.derivative, wrt=wrt, **options)
    return Function(name, call, typed=typed)


def shows_progress() -> bool:
    """Tell whether standard error is a terminal that can go back to the start of a line."""
    return os.isatty(STANDARD_ERROR) and os.environ.get("TERM") != "dumb"
