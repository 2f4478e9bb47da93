"""Repeated cross-validation; within each fold a part chooses the learning rate and the epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candidates import Candidate
from data import Table, table
from images import summary
from initial import draw
from networks import Networks, cross_entropy, squared_error


def splits(
    data: Table, folds: int, repeats: int, inner: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], list[NDArray[np.intp]]]:
    """Indices to fit, to choose and to test with; those to fit and to choose are cut to one length.

    All splits are trained as one array, which wants one length; it costs a split an example or two.
    """
    from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

    classes = data.y if data.task == "classification" else None
    kind = KFold if classes is None else StratifiedKFold
    fits, choices, tests = [], [], []
    for repeat in range(repeats):
        cuts = kind(folds, shuffle=True, random_state=repeat).split(data.x, data.y)
        for fold, (rest, test) in enumerate(cuts):
            fit, choice = train_test_split(
                rest,
                test_size=inner,
                random_state=1000 * repeat + fold,
                stratify=None if classes is None else classes[rest],
            )
            fits.append(fit)
            choices.append(choice)
            tests.append(test)

    def stacked(parts: list[NDArray[np.intp]]) -> NDArray[np.intp]:
        return np.stack([part[: min(map(len, parts))] for part in parts])

    return stacked(fits), stacked(choices), tests


def cross_validate(
    dataset: str,
    candidate: Candidate,
    hidden: Sequence[int],
    folds: int = 10,
    repeats: int = 1,
    epochs: int = 60,
    batch: int = 16,
    rates: Sequence[float] = (1e-2, 3e-2, 1e-1, 3e-1),
    inner: float = 0.2,
    alike: bool = False,
) -> dict[str, Any]:
    """Score every split: per cent of right labels, or the mean squared error in the target's unit.

    The learning rate and the epoch are those of the least loss on the inner part of what is not
    tested on.

    Parameters
    ----------
    inner : float
        How large that part is.
    alike : bool
        Whether all features are of one kind, as pixels are, and standardised as one.
    """
    data = table(dataset)
    fit, choice, test = splits(data, folds, repeats, inner)
    count, examples = fit.shape
    # Tests of several lengths are padded by examples of no weight.
    longest = max(map(len, test))
    padded = np.stack([np.resize(indices, longest) for indices in test])
    weight = np.stack([(np.arange(longest) < len(one)) / len(one) for one in test])

    axes = (1, 2) if alike else 1
    mean, deviation = data.x[fit].mean(axes, keepdims=True), data.x[fit].std(axes, keepdims=True)
    deviation[deviation < 1e-6] = 1
    x_fit, x_choice, x_test = ((data.x[i] - mean) / deviation for i in (fit, choice, padded))
    y_fit, y_choice, y_test = (data.y[i] for i in (fit, choice, padded))
    regression = data.task == "regression"
    unit = np.ones((count, 1))
    if regression:
        middle, unit = y_fit.mean(1, keepdims=True), y_fit.std(1, keepdims=True)
        y_fit, y_choice, y_test = (
            ((y - middle) / unit).astype(np.float32) for y in (y_fit, y_choice, y_test)
        )
    loss: Any = squared_error if regression else cross_entropy
    outputs = 1 if regression else int(data.y.max()) + 1

    networks = Networks(candidate, draw([data.x.shape[1], *hidden, outputs], range(count)), rates)
    shape = len(rates), count
    best, score, when = np.full(shape, np.inf), np.zeros(shape), np.zeros(shape, int)
    steepness = [np.zeros_like(k) for k in networks.k]
    sources = [np.random.default_rng([split, 7]) for split in range(count)]
    for epoch in range(epochs):
        order = np.stack([source.permutation(examples) for source in sources])
        for start in range(0, examples - batch + 1, batch):
            these = order[:, start : start + batch]
            x = np.take_along_axis(x_fit, these[..., None], 1)
            _, g = loss(networks.forward(x), np.take_along_axis(y_fit, these, 1))
            networks.step(networks.backward(g))
        chosen_by = np.nan_to_num(loss(networks.forward(x_choice), y_choice)[0], nan=np.inf)
        found = networks.forward(x_test)
        if regression:
            scores = ((found[..., 0] - y_test) ** 2 * weight * unit**2).sum(-1)
        else:
            scores = 100 * ((found.argmax(-1) == y_test) * weight).sum(-1)
        better = chosen_by < best
        best[better], score[better], when[better] = chosen_by[better], scores[better], epoch + 1
        for kept, k in zip(steepness, networks.k, strict=True):
            kept[better] = k[better]

    rate = best.argmin(0), np.arange(count)
    result: dict[str, Any] = {
        "score": [float(f"{value:.6g}") for value in score[rate]],
        "epoch": when[rate].tolist(),
        "rate": [rates[i] for i in rate[0]],
        "folds": folds,
        "fitted": examples,
    }
    if candidate.learns:
        result["k"] = [summary(kept[rate]) for kept in steepness]
    return result
