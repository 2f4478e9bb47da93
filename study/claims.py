"""What was published, beside what was found: each claim has a figure and a verdict."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

import s3s4
from candidates import LEARNING, REFERENCE, STEEPNESSES, Candidate
from intervals import Interval, of_seeds
from outcomes import NotRun, Outcomes

Verdict = Literal["holds", "does not hold", "undecided"]
S3, S4, S4_FIRST, S4_SECOND = (
    Candidate("s3"), Candidate("s4", 5), Candidate("s4", 1), Candidate("s4", 2),
)  # fmt: skip
SHORT = 4
"""Epochs after which every candidate was tested on MNIST."""

# arXiv 2507.22090: tables, and the abstract.
ACCURACY = {
    "mnist": {"s4 k=5": 97.4, "s3": 92.5, "relu": 96.1},
    "iris": {"s4 k=5": 96.0, "s3": 89.1},
    "boston": {"s4 k=5": 18.7, "s3": 44.0},
}
SWEEP = {
    "k": (1, 3, 5, 10, 15, 20, 30, 40, 50),
    "mnist": (96.2, 97.0, 97.4, 97.2, 96.8, 96.3, 95.5, 94.0, 92.8),
    "iris": (94.1, 95.5, 96.0, 95.8, 95.4, 94.9, 93.5, 92.1, 91.0),
    "boston": (28.0, 22.5, 18.7, 19.0, 20.3, 22.1, 26.0, 29.5, 33.0),
}
SLOPES = (0.24, 0.59)
DEAD_RELU = 18


@dataclass(frozen=True)
class Finding:
    """A line of the table of claims."""

    claim: str
    published: str
    found: str
    verdict: Verdict


def said(interval: Interval, unit: str = "", signed: bool = False, of: str = "seeds") -> str:
    """An interval as people read it."""
    sign = "+" if signed else ""
    digits = 1 if abs(interval.mean) >= 100 else 2
    mean = round(interval.mean, digits) + 0.0  # no -0.00
    return f"{mean:{sign}.{digits}f} ± {interval.half:.{digits}f}{unit} ({interval.count} {of})"


def beyond(interval: Interval) -> Verdict:
    """Whether a difference is above 0."""
    if interval.low > 0:
        return "holds"
    return "does not hold" if interval.high < 0 else "undecided"


def within(interval: Interval, value: float) -> Verdict:
    """Whether a published figure lies in the interval."""
    return "holds" if interval.low <= value <= interval.high else "does not hold"


Ask = Callable[[Outcomes], tuple[str, Verdict]]


def mnist(outcomes: Outcomes) -> tuple[str, Verdict]:
    found = outcomes.score("mnist", S4)
    reached = found.high >= ACCURACY["mnist"]["s4 k=5"]
    return said(found, " %"), "holds" if reached else "does not hold"


def above_relu(outcomes: Outcomes) -> tuple[str, Verdict]:
    found = outcomes.apart("mnist", S4, REFERENCE)
    small = outcomes.apart("mnist5000", S4, REFERENCE)
    text = f"{said(found, signed=True)}; on 5000 images {said(small, signed=True, of='folds')}"
    verdicts = {beyond(found), beyond(small)}
    decided: Verdict = "does not hold" if "does not hold" in verdicts else beyond(found)
    return text, decided


def above_s3(outcomes: Outcomes) -> tuple[str, Verdict]:
    found = outcomes.apart("mnist", S4, S3)
    return said(found, signed=True), beyond(found)


def s3_on_mnist(outcomes: Outcomes) -> tuple[str, Verdict]:
    found = outcomes.score("mnist", S3)
    return said(found, " %"), within(found, ACCURACY["mnist"]["s3"])


def iris(candidate: Candidate) -> Ask:
    def ask(outcomes: Outcomes) -> tuple[str, Verdict]:
        found = outcomes.score("iris", candidate)
        return said(found, " %", of="splits"), within(found, ACCURACY["iris"][str(candidate)])

    return ask


def boston(candidate: Candidate) -> Ask:
    def ask(outcomes: Outcomes) -> tuple[str, Verdict]:
        found = outcomes.score("boston", candidate)
        return said(found, of="splits"), within(found, ACCURACY["boston"][str(candidate)])

    return ask


def best_k(outcomes: Outcomes) -> tuple[str, Verdict]:
    small = outcomes.apart("mnist5000", S4_FIRST, S4)
    text = f"k = 1 less k = 5, on 5000 images: {said(small, signed=True, of='folds')}"
    verdict = beyond(small)
    try:
        large = outcomes.apart("mnist", S4_FIRST, S4, SHORT)
        text += f"; on MNIST after {SHORT} epochs: {said(large, signed=True)}"
    except NotRun:
        pass
    return text, "does not hold" if verdict == "holds" else "undecided"


def recommended_k(outcomes: Outcomes) -> tuple[str, Verdict]:
    known = [k for k in STEEPNESSES if str(Candidate("s4", k)) in outcomes.names("mnist")]
    means = {k: outcomes.score("mnist", Candidate("s4", k), SHORT).mean for k in known}
    if not {1, 2, 3, 5, 10} <= means.keys():
        raise NotRun("the sweep over k")
    text = f"after {SHORT} epochs: " + ", ".join(f"k = {k}: {m:.2f}" for k, m in means.items())

    def best(some: Iterable[int]) -> Candidate:
        return Candidate("s4", max(some, key=lambda k: means[k]))

    inside = best(k for k in known if 3 <= k <= 10)
    outside = best(k for k in known if not 3 <= k <= 10)
    apart = outcomes.apart("mnist", inside, outside, SHORT)
    return f"{text}; {inside} less {outside}: {said(apart, signed=True)}", beyond(apart)


def convergence(outcomes: Outcomes) -> tuple[str, Verdict]:
    steps = [outcomes.steps_to("mnist", one, 0.95) for one in (S4, REFERENCE)]
    if any(np.isnan(one).any() for one in steps):
        raise NotRun("the curves end before")
    s4, relu = (float(one.mean()) for one in steps)
    text = f"{s4:.0f} steps to 95 % on validation images, ReLU {relu:.0f} ({len(steps[0])} seeds)"
    return text, "holds" if s4 < relu else "does not hold"


def dead_relu(outcomes: Outcomes) -> tuple[str, Verdict]:
    deep = of_seeds(outcomes.dead("depth10_glorot", REFERENCE))
    text = f"{said(deep, ' %')} at depth 10"
    try:
        shallow = of_seeds(outcomes.dead("mnist", REFERENCE))
        text += f"; {said(shallow, ' %')} at depth 3"
    except NotRun:
        pass
    return text, within(deep, DEAD_RELU)


def dead_s4(outcomes: Outcomes) -> tuple[str, Verdict]:
    glorot, critical = (
        of_seeds(outcomes.dead(f"depth10_{init}", S4)) for init in ("glorot", "critical")
    )
    text = (
        f"{said(glorot, ' %')} at depth 10 with Glorot's weights, {said(critical, ' %')} critical"
    )
    sections = [outcomes.dead("depth10_glorot", one) for one in (REFERENCE, S4)]
    return text, beyond(of_seeds(sections[0] - sections[1]))


def slopes(_: Outcomes) -> tuple[str, Verdict]:
    x = np.linspace(-40, 40, 800_001)
    slope = s3s4.s4.derivative(x)
    text = f"S4' at k = 5 is between {slope.min():.2f} and {slope.max():.2f}"
    inside = SLOPES[0] - 0.01 <= slope.min() and slope.max() <= SLOPES[1] + 0.01
    return text, "holds" if inside else "does not hold"


def stable(outcomes: Outcomes) -> tuple[str, Verdict]:
    found = outcomes.job("propagation_glorot", S4)
    deep = outcomes.score("depth10_glorot", S4)
    text = (
        f"a layer multiplies gradients by {found['factor']:.3f} under Glorot's weights;"
        f" at depth 10 {said(deep, ' %')} of MNIST, which is guessing"
    )
    return text, "holds" if 0.9 < found["factor"] < 1.1 else "does not hold"


def trainable(outcomes: Outcomes) -> tuple[str, Verdict]:
    found = outcomes.apart("mnist", LEARNING[0], S4)
    small = outcomes.apart("mnist5000", LEARNING[0], S4)
    ends = ", ".join(f"{one['mean']:.1f}" for one in outcomes.job("mnist", LEARNING[0])["k"])
    text = (
        f"learnt less fixed: {said(found, signed=True)}, on 5000 images"
        f" {said(small, signed=True, of='folds')}; layers end at k = {ends}"
    )
    return text, beyond(found)


def bounded(outcomes: Outcomes) -> tuple[str, Verdict]:
    left = {name: outcomes.score("scale_raw", name).mean for name in ("s4 k=5", "tanh", "relu")}
    text = ", ".join(f"{name} {share:.3f}" for name, share in left.items())
    holds = left["s4 k=5"] > 0.5 > left["relu"]
    return f"share of the variance left over: {text}", "holds" if holds else "does not hold"


def code(_: Outcomes) -> tuple[str, Verdict]:
    return (
        "times are not the study's: [the published experiment]"
        "(performance.md#the-published-experiment)",
        "undecided",
    )


CLAIMS: tuple[tuple[str, str, Ask], ...] = (
    ("S4's accuracy on MNIST", f"{ACCURACY['mnist']['s4 k=5']} %", mnist),
    ("S4 is better than ReLU on MNIST",
     f"{ACCURACY['mnist']['s4 k=5'] - ACCURACY['mnist']['relu']:+.1f}", above_relu),
    ("S4 is better than S3 on MNIST",
     f"{ACCURACY['mnist']['s4 k=5'] - ACCURACY['mnist']['s3']:+.1f}", above_s3),
    ("S3's accuracy on MNIST", f"{ACCURACY['mnist']['s3']} %", s3_on_mnist),
    ("S4's accuracy on Iris", f"{ACCURACY['iris']['s4 k=5']} %", iris(S4)),
    ("S3's accuracy on Iris", f"{ACCURACY['iris']['s3']} %", iris(S3)),
    ("S4's squared error on Boston", f"{ACCURACY['boston']['s4 k=5']}", boston(S4)),
    ("S3's squared error on Boston", f"{ACCURACY['boston']['s3']}", boston(S3)),
    ("k = 5 is best", "k = 5", best_k),
    ("k from 3 to 10 is best", "3 to 10", recommended_k),
    ("S4 converges faster than ReLU", "faster", convergence),
    ("ReLU has dead units in deep networks", f"{DEAD_RELU} %", dead_relu),
    ("S4 has fewer", "none", dead_s4),
    ("S4's gradients lie in a narrow range", f"{SLOPES[0]} to {SLOPES[1]}", slopes),
    ("S4's gradients are stable through many layers", "stable", stable),
    ("A learnt k improves S4", "yes", trainable),
    ("Bounded activations need a standardised target (Figure 9)", "yes", bounded),
    ("S4's code is faster", "16 %", code),
)  # fmt: skip


def findings(outcomes: Outcomes) -> Iterator[Finding]:
    """Every claim; what was not run leaves it undecided."""
    for claim, published, ask in CLAIMS:
        try:
            yield Finding(claim, published, *ask(outcomes))
        except NotRun as missing:
            yield Finding(claim, published, f"not run: {missing}", "undecided")
