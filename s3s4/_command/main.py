"""The command line: ``s3s4``, or ``python -m s3s4``."""

# Design:
# - Matplotlib is imported by the commands that draw, so that the others start quickly without it.

import importlib
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import s3s4
from s3s4 import _devices
from s3s4._command.streams import writing
from s3s4._extras import to_install

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from s3s4._command.doctor import Speed

PLACES = {
    "--cflags": (
        f"-I{s3s4.get_include()}",
        "Show the flags with which a C or C++ compiler finds s3s4.h, and exit.",
    ),
    "--cmakedir": (s3s4.get_cmake_dir(), "Show the folder of s3s4Config.cmake, and exit."),
    "--pkgconfigdir": (s3s4.get_pkgconfig_dir(), "Show the folder of s3s4.pc, and exit."),
}
"""What the builds of others ask for."""
MISSING = "{} is missing; install it with: {}"
EXTRAS = {"matplotlib": "cli", "pyarrow": "files", "h5py": "files", "zarr": "files"}

try:
    import click

    from s3s4._command.apply import apply
    from s3s4._command.arguments import (
        NAMES,
        completed,
        files,
        given,
        known,
        limits,
        parameter_options,
    )
    from s3s4._command.failures import (
        INTERRUPTED,
        Failure,
        failures_of,
        report,
        signals_as_exceptions,
    )
except ModuleNotFoundError:
    # Somebody's build needs nothing but this one line.
    if len(sys.argv) == 2 and sys.argv[1] in PLACES:
        print(PLACES[sys.argv[1]][0])
        raise SystemExit(0) from None
    print("s3s4:", MISSING.format("click", to_install("cli")), file=sys.stderr)
    raise SystemExit(2) from None

PICTURES = (".png", ".svg", ".pdf")


def print_place(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Print what a build needs to find `s3s4.h`."""
    if wanted:
        click.echo(PLACES[option.opts[0]][0])
        context.exit()


def place_options(command: click.Group) -> click.Group:
    """Add an option for each of `PLACES`."""
    for name, (_, help_text) in PLACES.items():
        option = click.Option(
            [name],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=print_place,
            help=help_text,
        )
        command.params.append(option)
    return command


@place_options
@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(s3s4.__version__, message="%(prog)s %(version)s")
def commands() -> None:
    """Apply activation functions and their derivatives to files of numbers, or draw them.

    \b
    s3s4 apply s4 in.npy out.npy       S4 of every number in a file
    s3s4 plot gelu mish --derivative   a picture of functions and their derivatives
    s3s4 demo                          the functions at work on real data
    s3s4 doctor                        is it right here, and how fast; is there a GPU
    """
    try:
        with s3s4.device(os.environ.get("S3S4_DEVICE") or "auto"):
            pass
    except ValueError as error:
        raise Failure(f"S3S4_DEVICE: {error}") from None


commands.add_command(apply)


def picture_option(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command that draws be told where to save its picture."""
    return click.option(
        "-o",
        "--output",
        metavar="FILE",
        shell_complete=files,
        default=default,
        show_default=True,
        help=f"Where to save the picture ({', '.join(PICTURES)}).",
    )


@commands.command()
def info() -> None:
    """Show how this copy of the package was built and what it uses here."""
    s3s4.show_config()
    # Here and not when Python ends, where a full disk or a closed pipe would be a traceback.
    print(end="", flush=True)


@commands.command()
def doctor() -> None:
    """Check what computes here: that it is right, and how fast it is.

    The processor: every function is computed with the instructions that are used
    on it, and compared with the definitions in long double; the threads have to
    run at once, and to give what one gives; S3 and S4 are timed beside a copy of
    the same arrays on as many threads: no function can be faster than that.

    The GPU, where there is one: every function is computed on it and on the CPU
    and compared, and so are the kernels for arrays of parameters, for strides and
    for sums; S3 and S4 are timed on arrays that stay on it, beside a copy.

    Exit code 1 if anything is wrong, 2 if there is a GPU that cannot be used.
    """
    wrong = [*examine_processor()]
    click.echo()
    wrong += examine_gpu()
    if wrong:
        raise click.ClickException("; ".join(wrong))


def examine_processor() -> Iterator[str]:
    """Print what is found, and yield what is wrong."""
    from s3s4._command import processor

    config = s3s4.build_config()
    click.echo(f"cpu      {config['platform']}, variant {config['variant']}")
    checks = list(processor.checks())
    worst = max(checks, key=lambda check: check.difference)
    click.echo(
        f"values   {len(checks) // 2} functions in float32 and float64; largest difference "
        f"{worst.difference:.2f} eps ({worst.function})"
    )
    bad = [check for check in checks if not check.right]
    for check in bad:
        click.echo(f"WRONG    {check.function}, {check.dtype}: {check.difference:.2f} eps")
    if bad:
        yield f"{len(bad)} results of the CPU are wrong"
    threads = processor.threads()
    known = "the machine is too busy to tell what they are worth"
    if threads.at_once is not None:
        known = f"{threads.speedup:.1f} times as fast as one"
    click.echo(f"threads  {threads.most}: {known}")
    if not threads.equal:
        yield "threads give other results than one"
    if threads.at_once is False:
        yield f"{threads.most} threads do not run at once (see OMP_PROC_BIND, taskset)"
    click.echo()
    show_speeds(processor.speeds())


def examine_gpu() -> Iterator[str]:
    """Print what is found, and yield what is wrong.

    Raises
    ------
    GPUUnavailable
        If there is one that does not work, or it was asked for.
    """
    from s3s4._command import doctor as _doctor

    try:
        found = _doctor.probe()
    except s3s4.GPUUnavailable as error:
        if _devices.is_there() or os.environ.get("S3S4_DEVICE") == "gpu":
            raise
        click.echo(f"gpu      {error}")
        return
    click.echo(f"gpu      {found}")
    click.echo()
    click.echo("function         kernel           dtype      difference, in eps")
    right = True
    for check in itertools.chain(_doctor.compare(), _doctor.layouts()):
        right = right and check.right
        mark = "" if check.right else "  WRONG"
        click.echo(
            f"{check.function:16} {check.kernel:16} {check.dtype:10} {check.difference:8.2f}{mark}"
        )
    click.echo()
    show_speeds(_doctor.speeds())
    if not right:
        yield "the GPU's results differ from the CPU's"


def show_speeds(speeds: Iterable["Speed"]) -> None:
    """Print how fast functions are beside a copy."""
    click.echo("function         dtype        GB/s    copy  share")
    for speed in speeds:
        click.echo(
            f"{speed.function:16} {speed.dtype:10} {speed.achieved / 1e9:6.4g} "
            f"{speed.copy / 1e9:7.4g} {speed.achieved / speed.copy:6.0%}"
        )


@commands.command()
@click.option("--force", is_flag=True, help="Measure again what is known.")
@click.option(
    "--plot",
    "picture",
    metavar="FILE",
    shell_complete=files,
    help="Draw both curves and where they cross.",
)
def calibrate(force: bool, picture: str | None) -> None:
    """Measure from which size on threads pay, and the GPU, if ever.

    What is found is kept, and taken over by every process that computes on the
    same processor, with as many threads and the same GPU. Exit code 1 if the
    machine was too busy to find anything.
    """

    def progress(kind: str, dtype: str, sample: object) -> None:
        click.echo(f"{kind:9} {dtype:8} {sample}", err=True)

    found = s3s4.calibrate(force, progress)
    click.echo(str(found))
    if found.dropped and not found.comparisons:
        raise click.ClickException("nothing was found: is the machine busy with other things?")
    if picture is not None and not found.comparisons:
        raise Failure(f"{picture}: there is nothing to draw")
    if picture is not None:
        figures = drawing("figures")
        save(figures.cutovers(found), picture)


@commands.command(epilog=NAMES)
@click.argument(
    "names",
    callback=known(s3s4.activations),
    nargs=-1,
    metavar="[NAME]...",
    shell_complete=completed(s3s4.activations),
)
@parameter_options(None)
@click.option("--derivative", is_flag=True, help="Draw the derivatives by x too, below the values.")
@click.option("--xlim", type=limits, metavar="MIN,MAX", help="Where the x axis begins and ends.")
@click.option("--ylim", type=limits, metavar="MIN,MAX", help="The same of the y axis.")
@click.option("--dark", is_flag=True, help="Light lines on a dark ground.")
@click.option(
    "--dpi", type=click.IntRange(20, 1200), default=120, show_default=True, help="Dots per inch."
)
@picture_option("s3s4.png")
def plot(
    names: tuple[str, ...],
    derivative: bool,
    xlim: tuple[float, float] | None,
    ylim: tuple[float, float] | None,
    dark: bool,
    dpi: int,
    output: str,
    **parameters: tuple[float, ...] | None,
) -> None:
    """Draw the activations NAME in one picture.

    A parameter holds for those of them that have it; with several numbers there is a
    curve for each: s3s4 plot s4 --k 1,2,5. Without a NAME, S3, S4 and their
    derivatives are drawn with their peculiarities marked.
    """
    about_curves = (derivative, xlim, ylim, *parameters.values())
    if not names and any(one not in (None, False) for one in about_curves):
        raise click.UsageError("Missing argument 'NAME'")
    values = given(parameters, names)
    figures = drawing("figures")
    figure = (
        figures.compared(names, values, derivative, xlim, ylim, dark)
        if names
        else figures.curves(dark)
    )
    figure.set_dpi(dpi)
    save(figure, output)


@commands.command()
@picture_option("s3s4-demo.png")
def demo(output: str) -> None:
    """Run the functions on real data: check, time and draw them.

    The data are the heights of a piece of Tennessee, which Matplotlib ships.
    The layer takes each height and its eight neighbours and has one channel for
    each of eight directions. Values and derivatives are compared with plain
    NumPy, written from the definitions; exit code 1 if they differ.
    """
    _demo = drawing("demo")
    figures = drawing("figures")
    height = _demo.heights()
    x = _demo.layer(height)
    rows, columns = height.shape
    click.echo(f"data     heights of the Jacksboro fault, Tennessee: {rows} x {columns} cells")
    click.echo(f"layer    3 x 3 heights to {len(_demo.DIRECTIONS)} directions: {x.size} values x")
    click.echo()
    click.echo("         largest difference       s3s4      NumPy")
    comparisons = _demo.compare(x)
    for label, difference, seconds, numpy_seconds in comparisons:
        click.echo(
            f"{label:9}{difference:18.1e} {seconds * 1e3:7.2f} ms {numpy_seconds * 1e3:7.2f} ms"
            f"  {numpy_seconds / seconds:5.1f}x"
        )
    click.echo()
    channel = _demo.DIRECTIONS.index("SE")
    save(figures.terrain(height, x[..., channel], _demo.DIRECTIONS[channel]), output)
    if max(comparison.difference for comparison in comparisons) > _demo.TOLERANCE:
        raise click.ClickException("values or derivatives differ from NumPy's")


def drawing(module: str) -> ModuleType:
    """Import a module that draws; Matplotlib would obey MPLBACKEND, but nothing is shown here."""
    os.environ.pop("MPLBACKEND", None)
    return importlib.import_module(f"s3s4._command.{module}")


def save(figure: "Figure", output: str) -> None:
    """Write a picture, whole or not at all, and say where."""
    suffix = os.path.splitext(output)[1].lower()
    if suffix not in PICTURES:
        raise Failure(f"{output}: the suffix must be one of {', '.join(PICTURES)}")
    with failures_of(output), writing(output) as file:
        figure.savefig(file, format=suffix[1:])
    click.echo(f"picture  {output}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the name of the program; default `sys.argv`.

    Returns
    -------
    int
        Exit code: 0, 2 for what the user can mend, 1 for a failed check, 130 when interrupted.
    """
    with signals_as_exceptions():
        try:
            return commands.main(arguments, "s3s4", standalone_mode=False) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            return error.exit_code
        except (click.ClickException, OSError, s3s4.GPUUnavailable) as error:
            return report(error)
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            return report(Failure(MISSING.format(error.name, to_install(EXTRAS[error.name]))))
        except click.Abort:
            return INTERRUPTED
