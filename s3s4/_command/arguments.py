"""What several commands take: names of activations, their parameters, numbers."""

# Design:
# - Names and parameters of activations come from their table, so a new one needs nothing here.

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

import s3s4
from s3s4._activation import elementwise

ROWS = ", ".join(name for name in s3s4.activations if name not in elementwise)
NAMES = f"NAME is one of: {', '.join(elementwise)}. Or, of rows: {ROWS}."


def numbers(count: int | None) -> Callable[[str], tuple[float, ...]]:
    """Return what reads numbers with commas between them: so many, or any number of them."""

    def read(text: str) -> tuple[float, ...]:
        try:
            found = tuple(float(part) for part in text.split(","))
        except ValueError:
            many = "a number, nor numbers with commas between"
            wanted = "a valid float" if count == 1 else many
            raise click.BadParameter(f"{text!r} is not {wanted}") from None
        if any(map(math.isnan, found)):
            raise click.BadParameter("nan is not a number")
        if count is not None and len(found) != count:
            raise click.BadParameter(f"takes {count} numbers, not {len(found)}")
        return found

    return read


def limits(text: str) -> tuple[float, float]:
    """Read where an axis begins and ends."""
    low, high = numbers(2)(text)
    if not -math.inf < low < high < math.inf:
        raise click.BadParameter("takes two finite numbers, the smaller one first")
    return low, high


def known(names: Mapping[str, object]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return what refuses a name that is none of these, with those close to it.

    Click's own choice would list them all. Names may be written in capitals.
    """

    def check(context: click.Context, parameter: click.Parameter, given: Any) -> Any:
        found = []
        for name in [given] if isinstance(given, str) else given:
            lowered = name.lower()
            if lowered in s3s4.activations and lowered not in names:
                raise click.BadParameter(f"{name} is a function of rows, not of single numbers")
            try:
                s3s4.get(lowered if lowered in names else name)
            except ValueError as error:
                raise click.BadParameter(str(error)) from None
            found.append(lowered)
        return found[0] if isinstance(given, str) else tuple(found)

    return check


def completed(names: Iterable[str]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what offers the names that begin as what was typed, in capitals or not."""

    def offer(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
        return [name for name in names if name.startswith(typed.lower())]

    return offer


def files(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Have the shell offer its files."""
    return [CompletionItem(typed, type="file")]


def parameter_options(
    count: int | None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option of so many numbers for each parameter that any activation has."""
    owners: dict[str, list[str]] = {}
    for name, activation in elementwise.items():
        for parameter, default in activation.parameters.items():
            owners.setdefault(parameter, []).append(f"{name} (default {default:g})")

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for parameter, uses in reversed(owners.items()):
            text = f"Parameter {parameter} of {', '.join(uses)}."
            metavar = "NUMBER" if count == 1 else "NUMBER,..."
            option = click.option(
                f"--{parameter}", parameter, type=numbers(count), metavar=metavar, help=text
            )
            command = option(command)
        return command

    return decorate


def given(
    parameters: Mapping[str, tuple[float, ...] | None], names: Sequence[str]
) -> dict[str, tuple[float, ...]]:
    """Return the parameters that were given, if each belongs to one of the activations named."""
    values = {key: value for key, value in parameters.items() if value is not None}
    for key in values:
        if not any(key in s3s4.activations[name].parameters for name in names):
            raise click.UsageError(f"{key} is no parameter of {', '.join(names)}")
    return values
