"""Networks on images: one split for all, several seeds, and what happens meanwhile.

Design: the learning rate is chosen on validation images with a seed of its own, the networks that
are reported are trained with that one. Counts are kept instead of shares: they are exact.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candidates import Candidate
from data import Images, images
from initial import Floats, Init, draw
from networks import Networks, cross_entropy

BATCH = 128
CHOOSING_SEED = 100
PIECE = 1000
FLAT = 1e-3
"""A unit is dead whose slope is less on every image."""


def right(networks: Networks, x: Floats, y: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many images each network labels right: (rates, splits)."""
    found = np.zeros((), np.intp)
    for start in range(0, len(y), PIECE):
        outputs = networks.forward(x[None, start : start + PIECE])
        found = found + (outputs.argmax(-1) == y[start : start + PIECE]).sum(-1)
    return found


def dead(networks: Networks, x: Floats) -> list[list[float]]:
    """The share of dead units: by layer, and by seed."""
    steepest: list[Floats] = []
    for start in range(0, len(x), PIECE):
        networks.forward(x[None, start : start + PIECE])
        largest = [np.abs(slope).max(2) for slope in networks.slopes()]
        steepest = [np.maximum(*pair) for pair in zip(steepest or largest, largest, strict=True)]
    return [np.mean(one[0] < FLAT, axis=-1).tolist() for one in steepest]


def batches(count: int, seeds: Sequence[int], epochs: int) -> Iterator[list[NDArray[np.intp]]]:
    """Yield for each epoch the batches' indices, (seeds, BATCH)."""
    sources = [np.random.default_rng([seed, 7]) for seed in seeds]
    for _ in range(epochs):
        order = np.stack([source.permutation(count) for source in sources])
        yield [order[:, at : at + BATCH] for at in range(0, count - BATCH + 1, BATCH)]


def chosen(
    candidate: Candidate,
    sizes: Sequence[int],
    init: Init,
    rates: Sequence[float],
    epochs: int,
    count: int,
    data: Images,
) -> float:
    """The learning rate that does best on validation images."""
    networks = Networks(candidate, draw(sizes, [CHOOSING_SEED]), rates, init)
    x, y = data.x[:count], data.y[:count]
    for epoch in batches(len(y), [CHOOSING_SEED], epochs):
        for batch in epoch:
            _, g = cross_entropy(networks.forward(x[batch]), y[batch])
            networks.step(networks.backward(g))
    return rates[int(right(networks, data.x_validation, data.y_validation)[:, 0].argmax())]


def train(
    dataset: str,
    candidate: Candidate,
    hidden: Sequence[int],
    init: Init = "glorot",
    seeds: int = 3,
    epochs: int = 4,
    rates: Sequence[float] = (3e-4, 1e-3, 3e-3, 1e-2),
    choosing: tuple[int, int] = (3, 25_000),
    every: int = 50,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Train networks of one candidate.

    Parameters
    ----------
    choosing : tuple of int
        Epochs and images with which the learning rate is chosen.
    every : int
        Steps between two points of the curves.
    """
    data = images(dataset, folder)
    sizes = [data.x.shape[1], *hidden, int(data.y.max()) + 1]
    rate = chosen(candidate, sizes, init, rates, *choosing, data)
    several = range(seeds)
    networks = Networks(candidate, draw(sizes, several), [rate], init)
    some = slice(0, 1000)
    dead_before = dead(networks, data.x_validation[some])
    norms: list[list[float]] = []
    accuracy, losses, steepness, tests = [], [], [], []
    loss, steps = np.zeros(()), 0
    for epoch in batches(len(data.y), several, epochs):
        for batch in epoch:
            found, g = cross_entropy(networks.forward(data.x[batch]), data.y[batch])
            gradients = networks.backward(g)
            if not norms:
                by_weights = gradients[: len(sizes) - 1]
                norms = [np.linalg.norm(one[0], axis=(1, 2)).tolist() for one in by_weights]
            networks.step(gradients)
            loss, steps = loss + found[0], steps + 1
            if steps % every == 0:
                losses.append((loss / every).tolist())
                known = right(networks, data.x_validation[some], data.y_validation[some])
                accuracy.append(known[0].tolist())
                steepness.append([k[0].mean((1, 2)).tolist() for k in networks.k])
                loss = np.zeros(())
        tests.append(right(networks, data.x_test, data.y_test)[0].tolist())
    result: dict[str, Any] = {
        "rate": rate,
        "tested": len(data.y_test),
        "right": tests,
        "every": every,
        "validated": len(data.y_validation[some]),
        "accuracy": accuracy,
        "loss": rounded(losses),
        "dead_before": rounded(dead_before),
        "dead": rounded(dead(networks, data.x_test[:2000])),
        "norms": rounded(norms),
    }
    if candidate.learns:
        result["k_path"] = rounded(steepness)
        result["k"] = [summary(k[0]) for k in networks.k]
    return result


def summary(values: Floats) -> dict[str, float]:
    """The least, the middle and the largest of the values of k."""
    numbers = {"least": values.min(), "mean": values.mean(), "largest": values.max()}
    return {name: rounded(float(number)) for name, number in numbers.items()}


def rounded(values: Any) -> Any:
    """The same in four significant digits: what is kept is read by people."""
    if isinstance(values, list):
        return [rounded(value) for value in values]
    return float(f"{values:.4g}")
