"""docs/study.md, made of study/results.json: python study/page.py. No number of it is typed."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import bars
from candidates import REFERENCE
from claims import SHORT, findings, said
from intervals import holm
from outcomes import Outcomes
from propagation import DEPTH, MIDDLE, SEEDS, WIDTH

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results.json"
TEMPLATE = Path(__file__).parent / "study.md.in"
PAGE = ROOT / "docs" / "study.md"

TABLES = (
    ("mnist", "MNIST, 3 hidden layers of 100, after the last epoch: accuracy, %", None, "seeds"),
    ("mnist", "MNIST, after {} epochs: accuracy, %", SHORT, "seeds"),
    ("mnist5000", "5000 images of MNIST, 3 hidden layers of 100: accuracy, %", None, "folds"),
    ("fashion", "Fashion-MNIST, 3 hidden layers of 100: accuracy, %", None, "seeds"),
    ("iris", "Iris, 10 hidden units: accuracy, %", None, "splits"),
    ("boston", "Boston, 10 hidden units: mean squared error", None, "splits"),
    ("boston_3x100", "Boston, 3 hidden layers of 100: mean squared error", None, "splits"),
    ("wine", "Wine, 10 hidden units: accuracy, %", None, "splits"),
    ("breast_cancer", "Breast cancer, 10 hidden units: accuracy, %", None, "splits"),
    ("diabetes", "Diabetes, 10 hidden units: mean squared error", None, "splits"),
)
PICTURES = (
    ("forest", "Differences with ReLU, with their intervals"),
    ("steepness", "Accuracy and error by k, beside the published constants"),
    ("curves", "Loss and accuracy on MNIST while it is trained, with intervals"),
    ("learnt", "k while it is learnt, in each layer"),
    ("gradients", "The norm of gradients by layer, measured, and as predicted (dotted)"),
)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, numbers to the right."""
    rule = [":--" if column == 0 else "--:" for column in range(len(head))]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def claims(outcomes: Outcomes) -> Iterator[str]:
    yield "## What was claimed, and what was found\n"
    rows = [[one.claim, one.published, one.found, one.verdict] for one in findings(outcomes)]
    lines = table(["claim", "published", "found here", "verdict"], rows)
    lines[1] = "| :-- | :-- | :-- | :-- |"
    yield from lines
    yield ""


def pictures(_: Outcomes) -> Iterator[str]:
    yield "## Pictures\n"
    for name, caption in PICTURES:
        yield "<picture>"
        yield f'<source media="(prefers-color-scheme: dark)" srcset="study/{name}-dark.png">'
        yield f'<img src="study/{name}-light.png" alt="{caption}" width="838">'
        yield "</picture>\n"
        yield f"{caption}.\n"


def scores(outcomes: Outcomes) -> Iterator[str]:
    yield "## All figures\n"
    for section, title, epoch, of in TABLES:
        names = outcomes.names(section)
        if str(REFERENCE) not in names:
            continue
        if section == "mnist" and epoch is None:
            length = len(outcomes.job(section, REFERENCE)["right"])
            names = [n for n in names if len(outcomes.job(section, n)["right"]) == length]
        yield f"### {title.format(epoch)}\n"
        found = {name: outcomes.score(section, name, epoch) for name in names}
        others = [name for name in names if name != str(REFERENCE)]
        apart = {name: outcomes.apart(section, name, REFERENCE, epoch) for name in others}
        adjusted = dict(zip(others, holm([apart[n].p for n in others]), strict=True))
        errors = section.startswith(("boston", "diabetes"))
        rows = []
        for name in sorted(names, key=lambda n: found[n].mean, reverse=not errors):
            difference = (
                [
                    said(apart[name], signed=True, of=of).partition(" (")[0],
                    probability(adjusted[name]),
                ]
                if name in apart
                else ["", ""]
            )
            rates = np.asarray(outcomes.job(section, name)["rate"], float)
            rate = float(np.exp(np.log(rates).mean()))
            rows.append([name, said(found[name], of=of), *difference, f"{rate:.2g}"])
        yield from table(["", "mean ± interval", "less ReLU", "p", "rate"], rows)
        yield ""


def deep(outcomes: Outcomes) -> Iterator[str]:
    """Ten and twenty layers, and whether anything is better than SiLU there."""
    yield "## Many layers\n"
    yield "Is there a k, or a learnt k, that is better than SiLU there? Differences are with SiLU"
    yield "under the initialisation that is better for it.\n"
    for depth in (10, 20):
        sections = [f"depth{depth}_{init}" for init in ("glorot", "critical")]
        names = [n for n in outcomes.names(sections[0]) if n in outcomes.names(sections[1])]
        if "silu" not in names:
            continue
        yield f"### {depth} hidden layers of 100, 3500 images of MNIST: accuracy, %\n"
        best = max(sections, key=lambda section: outcomes.score(section, "silu").mean)
        rows, better = [], []
        for name in names:
            cells = [said(outcomes.score(section, name)) for section in sections]
            values = outcomes.scores(sections[1], name) - outcomes.scores(best, "silu")
            apart = outcomes.of(sections[1], values)
            rows.append([name, *cells, said(apart, signed=True).partition(" (")[0]])
            if apart.low > 0 and name.startswith("s4"):
                better.append(name)
        title = f"critical less silu {best.partition('_')[2]}"
        yield from table(["", "Glorot", "critical", title], rows)
        answer = (
            f"better than SiLU's best: {', '.join(better)}"
            if better
            else ("no S4 is better than SiLU's best by more than chance would have it")
        )
        yield f"\nWith critical initialisation, {answer}.\n"


def gradients(outcomes: Outcomes) -> Iterator[str]:
    yield "## What a layer multiplies the norm of a gradient by\n"
    rows = []
    for name in outcomes.names("propagation_glorot"):
        jobs = [outcomes.job(f"propagation_{init}", name) for init in ("glorot", "critical")]
        rows.append(
            [name, *(f"{j[key]:.3f}" for j in jobs for key in ("factor", "predicted_factor"))]
        )
    head = ["", "Glorot", "predicted", "critical", "predicted"]
    yield from table(head, rows)
    first, last = (layer + 1 for layer in MIDDLE)
    yield f"\nMeasured in layers {first} to {last} of {DEPTH}, of {WIDTH} units, {SEEDS} seeds.\n"


def learnt(outcomes: Outcomes) -> Iterator[str]:
    rows = []
    for section in outcomes.results:
        for name in outcomes.names(section):
            found = outcomes.job(section, name).get("k", ())
            for layer, k in enumerate(found, 1) if len(found) <= 3 else ():
                numbers = (f"{k[which]:.2f}" for which in ("least", "mean", "largest"))
                rows.append([f"{section}: {name}", str(layer), *numbers])
    if rows:
        yield "## Learnt k\n"
        yield from table(["", "layer", "least", "mean", "largest"], rows)
        yield ""


def scale(outcomes: Outcomes) -> Iterator[str]:
    """Figure 9 of the supplement."""
    sections = [f"scale_{target}" for target in ("raw", "standardised", "binary", "several")]
    names = outcomes.names(sections[-1])
    if not names:
        return
    yield "## The scale of the target (Figure 9 of the supplement)\n"
    yield "Synthetic data, layers of 64 and 32, learning rate 0.001. Regressions: the share of the"
    yield "variance that is left over; classifications: accuracy, %.\n"
    rows = [
        [name, *(said(outcomes.score(section, name)).partition(" (")[0] for section in sections)]
        for name in names
    ]
    yield from table(["", "raw", "standardised", "two classes", "three classes"], rows)
    seeds = outcomes.score(sections[0], names[0]).count
    yield f"\n{seeds} seeds.\n"


def expected(outcomes: Outcomes) -> Iterator[str]:
    yield "## What was expected beforehand\n"
    yield from table(["expectation", "came out"], [list(pair) for pair in bars.check(outcomes)])
    yield ""


def text(outcomes: Outcomes) -> str:
    """The page."""
    parts = (claims, pictures, deep, scores, learnt, gradients, scale, expected)
    lines = [line for part in parts for line in part(outcomes)]
    return TEMPLATE.read_text("utf-8").replace("{results}", "\n".join(lines))


def summary(results: dict[str, dict[str, dict[str, object]]]) -> str:
    """What a run prints."""
    outcomes = Outcomes(results)
    lines = [f"{one.verdict:14} {one.claim}: {one.found}" for one in findings(outcomes)]
    return "\n".join([*lines, "", *(f"{how:8} {bar}" for bar, how in bars.check(outcomes))])


def kept() -> Outcomes:
    """The results that are in the repository."""
    return Outcomes(json.loads(RESULTS.read_text("utf-8")))


if __name__ == "__main__":
    import figures

    PAGE.write_text(text(kept()), "utf-8")
    figures.write(kept(), PAGE.with_suffix(""))
    print(f"written: {PAGE}")
