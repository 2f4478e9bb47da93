"""The results of the jobs, as the page, its pictures and the bars ask for them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from candidates import Candidate
from intervals import Interval, of_seeds, of_splits

Values = NDArray[np.float64]


class NotRun(LookupError):
    """What is asked for needs a job that was not run."""


class Outcomes:
    """Results by section and candidate."""

    def __init__(self, results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        self.results = results

    def names(self, section: str) -> list[str]:
        """The candidates of a section."""
        return list(self.results.get(section, {}))

    def job(self, section: str, candidate: Candidate | str) -> Mapping[str, Any]:
        """What a job gave."""
        try:
            return self.results[section][str(candidate)]
        except KeyError:
            raise NotRun(f"{section}/{candidate}") from None

    def scores(self, section: str, candidate: Candidate | str, epoch: int | None = None) -> Values:
        """One score for each split or seed; of images, after an epoch, the last if not given."""
        found = self.job(section, candidate)
        if "score" in found:
            return np.asarray(found["score"], float)
        row = found["right"][-1 if epoch is None else epoch - 1]
        return 100 * np.asarray(row, float) / float(found["tested"])

    def of(self, section: str, values: Values) -> Interval:
        """The interval of values of a section."""
        some = next(iter(self.results[section].values()))
        return of_splits(values, some["folds"]) if "folds" in some else of_seeds(values)

    def score(self, section: str, candidate: Candidate | str, epoch: int | None = None) -> Interval:
        """The interval of the scores."""
        return self.of(section, self.scores(section, candidate, epoch))

    def apart(
        self,
        section: str,
        one: Candidate | str,
        other: Candidate | str,
        epoch: int | None = None,
    ) -> Interval:
        """The interval of the differences, pair by pair of seeds or splits."""
        difference = self.scores(section, one, epoch) - self.scores(section, other, epoch)
        return self.of(section, difference)

    def steps_to(self, section: str, candidate: Candidate | str, share: float) -> Values:
        """Steps until so many validation images are right, by seed; NaN where they never are."""
        found = self.job(section, candidate)
        reached = np.asarray(found["accuracy"]) >= share * found["validated"]
        first = (reached.argmax(0) + 1.0) * found["every"]
        steps: Values = np.where(reached.any(0), first, np.nan)
        return steps

    def dead(self, section: str, candidate: Candidate | str) -> Values:
        """Per cent of dead units after training, by seed."""
        share: Values = np.asarray(self.job(section, candidate)["dead"], float).mean(0)
        return 100 * share
