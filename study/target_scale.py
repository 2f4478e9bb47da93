"""Bounded activations and a target that is not standardised: the published Figure 9."""

from typing import Any, Literal

import numpy as np

from candidates import Candidate
from initial import draw
from networks import Networks, cross_entropy, squared_error

Target = Literal["raw", "standardised", "binary", "several"]
TARGETS: tuple[Target, ...] = ("raw", "standardised", "binary", "several")
HIDDEN, TRAINED, BATCH = (64, 32), 800, 32


def examples(target: Target, seed: int) -> tuple[Any, Any]:
    """1000 synthetic examples of scikit-learn's."""
    from sklearn.datasets import make_classification, make_regression

    if target in ("raw", "standardised"):
        x, y = make_regression(1000, 20, n_informative=10, noise=1.0, random_state=seed)
    elif target == "binary":
        x, y = make_classification(1000, 20, random_state=seed)
    else:
        x, y = make_classification(1000, 20, n_informative=10, n_classes=3, random_state=seed)
    return ((x - x[:TRAINED].mean(0)) / x[:TRAINED].std(0)).astype(np.float32), y


def score(
    candidate: Candidate, target: Target, rate: float = 1e-3, seeds: int = 10, epochs: int = 50
) -> dict[str, Any]:
    """The published experiment: 50 epochs of Adam with its usual learning rate.

    Regressions are scored by the share of the variance that is left over, the others by per cent of
    right labels.
    """
    drawn = [examples(target, seed) for seed in range(seeds)]
    x, y = np.stack([one for one, _ in drawn]), np.stack([one for _, one in drawn])
    regression = target in ("raw", "standardised")
    if regression:
        y = y.astype(np.float32)
    if target == "standardised":
        fitted = y[:, :TRAINED]
        y = (y - fitted.mean(1, keepdims=True)) / fitted.std(1, keepdims=True)
    loss: Any = squared_error if regression else cross_entropy
    outputs = 1 if regression else int(y.max()) + 1
    networks = Networks(candidate, draw([x.shape[2], *HIDDEN, outputs], range(seeds)), [rate])
    sources = [np.random.default_rng([seed, 9]) for seed in range(seeds)]
    for _ in range(epochs):
        order = np.stack([source.permutation(TRAINED) for source in sources])
        for start in range(0, TRAINED, BATCH):
            these = order[:, start : start + BATCH]
            taken = np.take_along_axis(x, these[..., None], 1)
            _, g = loss(networks.forward(taken), np.take_along_axis(y, these, 1))
            networks.step(networks.backward(g))
    found, wanted = networks.forward(x[:, TRAINED:])[0], y[:, TRAINED:]
    if regression:
        scores = ((found[..., 0] - wanted) ** 2).mean(1) / wanted.var(1)
    else:
        scores = 100 * (found.argmax(-1) == wanted).mean(1)
    return {"score": [float(f"{value:.4g}") for value in scores]}
