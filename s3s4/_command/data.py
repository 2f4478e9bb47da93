"""What the formats share: the function, the data that it is applied to, and where results go."""

# Design:
# - Three kinds of data: an array (`arrays`), an archive of them (`npy`), a table (`text`). Each is
#   read, computed and written a piece at a time by its `apply`. A format of arrays adds a reader
#   and a writer of blocks, in a file of its own, and a line in `formats`.

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Advance = Callable[[int], object]

# Values in a piece: enough to keep every thread busy, few enough to keep memory small.
PIECE = 1 << 21


class DataError(Exception):
    """The input is not what it should be; the message says why, without the name of the file."""


@dataclass(frozen=True)
class Function:
    """A function of single numbers, or of rows of them.

    Parameters
    ----------
    name : str
    call : callable
        Called with an array, and with or without ``out``; with ``axis`` if it is one of rows.
    of_rows : bool
    axis : int, optional
        Along which the rows lie, if that was said.
    typed : bool
        Whether the type of the results was said.
    """

    name: str
    call: Callable[..., NDArray[Any]]
    of_rows: bool = False
    axis: int | None = None
    typed: bool = False

    def of_columns(
        self, numbers: NDArray[Any], missing: NDArray[np.bool_] | None, axis: int | None
    ) -> NDArray[Any]:
        """The function of the columns of a table; what is missing has no weight and no result.

        Parameters
        ----------
        numbers : ndarray of shape (columns, rows)
        missing : ndarray of bool, optional
            Of that shape.
        axis : int or None
            As `axis_of_table` gives it.

        Returns
        -------
        ndarray
            NaN where a number is missing.
        """
        if missing is None:
            return self(numbers, axis)
        masked = np.ma.masked_array(numbers, missing) if self.of_rows else numbers
        results: NDArray[Any] = np.ma.getdata(self(masked, axis))
        results[missing] = np.nan
        return results

    def axis_of_table(self, columns: int) -> int | None:
        """The axis of the rows in an array of so many columns, as `of_columns` takes it."""
        axis = self.axis_of(2)
        if axis == 1 and columns == 1:
            raise DataError(
                f"has one column, and {self.name} of a line with one number says nothing; "
                "--axis 0 goes down the column"
            )
        return None if axis is None else 1 - axis

    def __call__(self, x: NDArray[Any], axis: int | None = None, **out: Any) -> NDArray[Any]:
        """The function of every number, or of every row along an axis."""
        return self.call(x, axis=axis, **out) if self.of_rows else self.call(x, **out)

    def axis_of(self, dimensions: int) -> int | None:
        """The axis of an array's rows, from 0; None for a function of single numbers."""
        if not self.of_rows:
            return None
        axis = -1 if self.axis is None else self.axis
        if not -dimensions <= axis < dimensions:
            only = f"only {dimensions}" if dimensions else "it is a single number"
            raise DataError(f"has no axis {axis}, {only}")
        return axis % dimensions

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Of the results; asked of the function itself, as NumPy's rules for that are intricate."""
        try:
            return self(np.empty((0, 1), dtype), -1).dtype
        except TypeError:
            raise DataError(f"holds {dtype.name} values, not real numbers") from None


@contextmanager
def damage(what: str) -> Iterator[None]:
    """Take whatever a library raises for damage of what it reads: it lets pass all its parts do.

    Parameters
    ----------
    what : str
        What is wrong with the input.
    """
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # of the file that it reads
        raise DataError(f"{what}: {error}" if str(error) else what) from None


class Source(NamedTuple):
    """Where data come from."""

    path: str
    member: str | None
    """The name of the array in it, if that was said."""
    file: BufferedReader
    """What is at the path, open; of a folder, of nothing."""


class Target(NamedTuple):
    """Where a result goes."""

    path: str
    """Of a file, or ``-``."""
    member: str | None
    """The name of the array in it; None for one that has none."""
    beside: bool
    """Whether the file keeps what else it holds."""
    in_place: bool
    source: BufferedReader | None
    """What is read meanwhile, if that is a file or a stream."""


class Data(Protocol):
    """An input that a function can be applied to."""

    @property
    def total(self) -> int | None:
        """How much `apply` will report, or None if that cannot be known."""

    def apply(self, function: Function, target: Target, advance: Advance) -> None:
        """Write the function of all there is.

        Parameters
        ----------
        function : Function
        target : Target
        advance : callable
            Told how much was read since it was last called.
        """


def places_of(chosen: Sequence[str], width: int, names: Sequence[str] | None) -> tuple[int, ...]:
    """Find columns of a table.

    Parameters
    ----------
    chosen : sequence of str
        Their names, or their numbers from 1; a number is never a name.
    width : int
        How many columns there are.
    names : sequence of str or None
        What they are called.

    Returns
    -------
    tuple of int
        Where they stand, from 0, in their order there.
    """
    places = set()
    for column in chosen:
        if column.isascii() and column.isdigit():
            if not 1 <= int(column) <= width:
                raise DataError(f"has no column {column}, only {width}")
            places.add(int(column) - 1)
        elif names is None:
            raise DataError(f"has no column {column!r}: it has no line of names, only numbers")
        elif names.count(column) != 1:
            count = "no column" if column not in names else "several columns"
            raise DataError(f"has {count} {column!r}; it has {', '.join(names)}")
        else:
            places.add(names.index(column))
    return tuple(sorted(places))


def one_of(names: Sequence[str], source: Source) -> str:
    """Find the array that is meant among those of a file.

    Parameters
    ----------
    names : sequence of str
    source : Source

    Returns
    -------
    str
    """
    known = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    if source.member is not None:
        name = source.member.strip("/")
        if name not in names:
            raise DataError(f"holds no such array; it has {known}")
        return name
    if len(names) != 1:
        several = f"several arrays: say which, as in FILE::{names[0]} ({known})" if names else None
        raise DataError(f"holds {several or 'no array'}")
    return names[0]
