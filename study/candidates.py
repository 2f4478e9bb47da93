"""What is compared: an activation, its k, and whether it learns it."""

from dataclasses import dataclass
from typing import Literal

import s3s4

STEEPNESSES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)


@dataclass(frozen=True)
class Candidate:
    """An activation of every hidden layer.

    Attributes
    ----------
    name : str
        As `s3s4.get` takes it.
    k : float, optional
        Of S4, which it starts from where it learns.
    learns : {"", "layer", "channel"}
        One k for each layer, or one for each unit.
    """

    name: str
    k: float | None = None
    learns: Literal["", "layer", "channel"] = ""

    @property
    def activation(self) -> s3s4.Activation:
        found = s3s4.get(self.name)
        assert isinstance(found, s3s4.Activation)
        return found

    @property
    def parameters(self) -> tuple[float, ...]:
        return () if self.k is None else (float(self.k),)

    def __str__(self) -> str:
        steepness = "" if self.k is None else f" k={self.k:g}"
        return self.name + steepness + (f" per {self.learns}" if self.learns else "")


REFERENCE = Candidate("relu")
PLAIN = tuple(
    Candidate(name)
    for name in (
        "relu", "leaky_relu", "elu", "gelu", "silu", "mish", "softplus", "tanh", "softsign",
        "sigmoid", "s3", "s3_smooth",
    )
)  # fmt: skip
SWEEP = tuple(Candidate("s4", k) for k in STEEPNESSES)
LEARNING = (Candidate("s4", 5, "layer"), Candidate("s4", 5, "channel"))
ALL = (*PLAIN, *SWEEP, *LEARNING)
