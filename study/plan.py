"""What is run: the jobs of the default study and of the full one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import folds
import images
import propagation
import target_scale
from candidates import ALL, LEARNING, PLAIN, REFERENCE, SWEEP, Candidate
from initial import Init

S3, S4 = Candidate("s3"), Candidate("s4", 5)
DEEP = (
    *(Candidate(name) for name in ("relu", "silu", "tanh", "sigmoid", "s3")),
    *(Candidate("s4", k) for k in (1, 2, 5)),
    Candidate("s4", 1, "layer"),
    Candidate("s4", 1, "channel"),
)
LONG = (REFERENCE, S4, S3, Candidate("silu"), LEARNING[0])
SHORT = (
    *(Candidate("s4", k) for k in (1, 2, 10)),
    Candidate("sigmoid"),
    *(Candidate("s4", k, "layer") for k in (2, 20)),
    *(Candidate("s4", k) for k in (3, 7, 20)),
    Candidate("tanh"),
    LEARNING[1],
    Candidate("s4", 50),
    *(Candidate(name) for name in ("elu", "leaky_relu", "softplus", "softsign", "gelu")),
)
"""After four epochs they are compared with the others after as many."""
INITS: tuple[Init, ...] = ("glorot", "critical")


@dataclass(frozen=True)
class Job:
    """A piece of the study, whose result is kept.

    Attributes
    ----------
    section : str
        What it belongs to: one table of the page.
    candidate : Candidate
        Whose it is.
    run : callable
        Returns what JSON can hold.
    """

    section: str
    candidate: Candidate
    run: Callable[[], dict[str, Any]]

    @property
    def key(self) -> str:
        return f"{self.section}/{self.candidate}"


def default() -> Iterator[Job]:
    """Needs installed packages alone."""
    for init in INITS:
        for one in (*PLAIN, *SWEEP):
            yield Job(f"propagation_{init}", one, partial(propagation.measure, one, init))
    for one in ALL:
        yield Job("iris", one, partial(folds.cross_validate, "iris", one, [10], repeats=5))
        boston = partial(folds.cross_validate, "boston", one, [10], batch=32, epochs=40)
        yield Job("boston", one, boston)
    small = partial(
        folds.cross_validate, "mnist5000", hidden=[100] * 3, epochs=6, batch=64,
        rates=(1e-3, 3e-3, 1e-2), inner=0.1, alike=True,
    )  # fmt: skip
    for one in (*LONG, Candidate("tanh"), Candidate("sigmoid"), *SHORT[:3]):
        yield Job("mnist5000", one, partial(small, candidate=one))
    yield from deep(10)


def deep(depth: int) -> Iterator[Job]:
    """Networks of so many hidden layers, with both initialisations."""
    several = partial(
        images.train, "mnist5000", hidden=[100] * depth, epochs=6, rates=(3e-4, 1e-3, 3e-3),
        choosing=(6, 3500), every=27,
    )  # fmt: skip
    for init in INITS:
        for one in DEEP:
            yield Job(f"depth{depth}_{init}", one, partial(several, candidate=one, init=init))


def full(folder: Path) -> Iterator[Job]:
    """The default study, and what needs files of images and more time; the most wanted first."""
    yield from default()
    wide = [100] * 3
    choosing = (2, 20_000)
    long = partial(images.train, "mnist", hidden=wide, epochs=15, choosing=choosing, folder=folder)
    for one in LONG:
        yield Job("mnist", one, partial(long, candidate=one))
    yield from deep(20)
    for target in target_scale.TARGETS:
        for one in (*PLAIN, S4, LEARNING[0]):
            yield Job(f"scale_{target}", one, partial(target_scale.score, one, target))
    fashion = partial(images.train, "fashion", hidden=wide, choosing=choosing, folder=folder)
    for one in LONG[:3]:
        yield Job("fashion", one, partial(fashion, candidate=one))
    short = partial(images.train, "mnist", hidden=wide, epochs=4, choosing=choosing, folder=folder)
    for one in SHORT:
        yield Job("mnist", one, partial(short, candidate=one))
    large = partial(folds.cross_validate, "boston", hidden=wide, batch=32, epochs=25,
                    rates=(1e-3, 3e-3, 1e-2, 3e-2))  # fmt: skip
    for one in ALL:
        yield Job("boston_3x100", one, partial(large, candidate=one))
    for name in ("wine", "breast_cancer", "diabetes"):
        small = partial(folds.cross_validate, name, hidden=[10], epochs=25, batch=16)
        for one in (*LONG, Candidate("tanh"), Candidate("sigmoid"), SHORT[0], LEARNING[1]):
            yield Job(name, one, partial(small, candidate=one))
