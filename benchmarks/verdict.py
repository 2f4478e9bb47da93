"""A target of the project, and what came of it."""

from dataclasses import dataclass

from timing import Ratio, Timing, quartiles, ratio

NOT_MEASURABLE = "not measurable"


@dataclass(frozen=True)
class Verdict:
    """One target.

    Attributes
    ----------
    point : str
        The number of what is asked for, as `targets --only` takes it.
    target : str
        What is measured: a time over another, or a time.
    bound : float
        What it may be at most.
    unit : str
        "x" for a ratio.
    figure : Ratio, optional
        The median with its quartiles; without it the target cannot be measured here.
    others : float
        Processors that other programs took during it.
    note : str
        What belongs to it: errors, or why it cannot be measured.
    is_right : bool
        Whether what goes with the time is as it should be: errors, bits.
    """

    point: str
    target: str
    bound: float
    unit: str = "x"
    figure: Ratio | None = None
    others: float = 0.0
    note: str = ""
    is_right: bool = True

    @property
    def word(self) -> str:
        """Return what came of it."""
        if self.figure is None:
            return NOT_MEASURABLE
        return "met" if self.is_right and self.figure.median <= self.bound else "MISSED"

    @property
    def measured(self) -> str:
        """The figure with its spread."""
        f = self.figure
        if f is None:
            return "-"
        digits = 1 if self.unit == "cycles" else 2
        unit = self.unit if self.unit == "x" else f" {self.unit}"
        return f"{f.median:.{digits}f}{unit} ({f.low:.{digits}f} to {f.high:.{digits}f})"

    @property
    def asked(self) -> str:
        """The bound with its unit."""
        return f"<= {self.bound:g}" + (self.unit if self.unit == "x" else f" {self.unit}")

    def __str__(self) -> str:
        note = f"; {self.note}" if self.note else ""
        others = f"; others {self.others:.2f}" if self.others >= 0.05 else ""
        return (
            f"{self.word:7} {self.point:>2}. {self.target}: {self.measured}, {self.asked}"
            f"{note}{others}"
        )


def seconds(timing: Timing, unit: float) -> Ratio:
    """Return the quartiles of a time in a unit of so many seconds."""
    low, middle, high = quartiles(timing.seconds)
    return Ratio(middle / unit, low / unit, high / unit)


def compare(
    point: str, target: str, bound: float, slow: Timing, fast: Timing, others: float, note: str = ""
) -> Verdict:
    """Judge a ratio of two timings of one race."""
    return Verdict(point, target, bound, "x", ratio(slow, fast), others, note)
