"""What was expected of a run before there was one."""

from collections.abc import Callable, Iterator

from candidates import REFERENCE, Candidate
from claims import S3, S4, S4_FIRST
from outcomes import NotRun, Outcomes


def _factors(section: str, near: Callable[[dict[str, float]], float]) -> Callable[[Outcomes], bool]:
    some = [*(Candidate("s4", k) for k in (1, 2, 3, 5, 7, 10, 15, 20)), REFERENCE, S3]
    some.append(Candidate("sigmoid"))

    def holds(outcomes: Outcomes) -> bool:
        return all(abs(near(dict(outcomes.job(section, one))) - 1) <= 0.02 for one in some)

    return holds


def _iris(outcomes: Outcomes) -> bool:
    names = outcomes.names("iris")
    ordinary = all(94 <= outcomes.score("iris", name).mean <= 97.5 for name in names)
    others = [name for name in names if name != str(REFERENCE)]
    return ordinary and all(
        min(1.0, len(others) * outcomes.apart("iris", name, REFERENCE).p) > 0.05 for name in others
    )


BARS: dict[str, Callable[[Outcomes], bool]] = {
    "gradient factors under Glorot's weights within 2 % of what is predicted": _factors(
        "propagation_glorot", lambda found: found["factor"] / found["predicted_factor"]
    ),
    "gradient factors 1 within 2 % under critical initialisation": _factors(
        "propagation_critical", lambda found: found["factor"]
    ),
    "Iris: 94 to 97.5 % each, nothing significant": _iris,
    "5000 images: ReLU at least 93.0 %": lambda o: o.score("mnist5000", REFERENCE).mean >= 93,
    "5000 images: S4 below ReLU": lambda o: o.apart("mnist5000", S4, REFERENCE).high < 0,
    "5000 images: k = 1 above k = 5": lambda o: o.apart("mnist5000", S4_FIRST, S4).low > 0,
    "depth 10: S4 at most 20 % under Glorot": lambda o: o.score("depth10_glorot", S4).mean <= 20,
    "depth 10: S4 at least 70 % critical": lambda o: o.score("depth10_critical", S4).mean >= 70,
    "depth 10: ReLU at least 90 %": lambda o: o.score("depth10_glorot", REFERENCE).mean >= 90,
    "MNIST: S4 above S3": lambda o: o.apart("mnist", S4, S3).low > 0,
    "MNIST: S4 within 0.6 of ReLU": lambda o: abs(o.apart("mnist", S4, REFERENCE).mean) <= 0.6,
}


def check(outcomes: Outcomes) -> Iterator[tuple[str, str]]:
    """Yield each bar with "met", "missed" or "not run"."""
    for bar, holds in BARS.items():
        try:
            yield bar, "met" if holds(outcomes) else "missed"
        except NotRun:
            yield bar, "not run"
