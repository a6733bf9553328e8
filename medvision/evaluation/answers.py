"""What a model says to the cases of a level, once or in several repeats, scored under any weights of the cases."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.evaluation.folds import average
from medvision.evaluation.intervals import Entry, Method, Resampled
from medvision.evaluation.levels import Level, MaskLevel
from medvision.evaluation.metrics import metric_entries, patients_behind
from medvision.evaluation.segmentation import CLASS_METRICS, MEANS, score_repeats
from medvision.evaluation.weighted import Scorer

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MaskScorer:
    """Scores masks under any weights of the cases, as `Scorer` does labels.

    Args:
        masks: of a level.
    """

    masks: MaskLevel

    @cached_property
    def chosen(self) -> dict[str, tuple[int, list[int]]]:
        """Name of a metric -> its position in `CLASS_METRICS`, and the classes that it averages."""
        present = [int(c) for c in np.flatnonzero(self.masks.cases.present)]
        means = {metric: (m, present) for m, metric in enumerate(MEANS)}
        return means | {
            f"{metric}_{name}": (m, [c])
            for c, name in enumerate(self.masks.names)
            for m, metric in enumerate(CLASS_METRICS)
        }

    @cached_property
    def patients(self) -> dict[str, int]:
        """How many patients each metric depends on: of the class with the fewest that count."""
        cases = self.masks.cases
        behind = {}
        for name, (m, which) in self.chosen.items():
            counted = np.isfinite(cases.values[:, which, m])
            fewest = [len(np.unique(cases.groups[column])) for column in counted.T]
            behind[name] = min(fewest, default=int(cases.groups.max()) + 1)
        return behind

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """All metrics under each weighting, (n, R) -> (R,) float64 each; nan where undefined."""
        values = self.masks.cases.values
        counted = np.isfinite(values)
        n, shape = len(values), (*values.shape[1:], weights.shape[1])
        sums = (np.where(counted, values, 0).reshape(n, -1).T @ weights).reshape(shape)
        counts = (counted.reshape(n, -1).astype(np.float64).T @ weights).reshape(shape)
        means = np.divide(sums, counts, out=np.full(shape, np.nan), where=counts > 0)
        undefined = np.full(weights.shape[1], np.nan)
        return {name: means[which, m].mean(axis=0) if which else undefined for name, (m, which) in self.chosen.items()}


@dataclass(frozen=True, eq=False)
class Answers:
    """What one model says to the cases of a level; of several repeats metrics are averaged.

    Args:
        repeats: the same cases in the same order in each.
    """

    repeats: tuple[Level, ...]

    @property
    def first(self) -> Level:
        """The first repeat, or the only one."""
        return self.repeats[0]

    @property
    def patients(self) -> int:
        """How many patients the cases come from."""
        return int(self.first.groups.max()) + 1

    @cached_property
    def _scorers(self) -> list[list[Scorer | MaskScorer]]:
        """Those of labels and of masks, as far as they are there, of each repeat."""
        return [
            [
                *([Scorer(level.labels)] if level.labels is not None else []),
                *([MaskScorer(level.masks)] if level.masks is not None else []),
            ]
            for level in self.repeats
        ]

    @cached_property
    def score(self) -> Callable[[Floats], dict[str, Floats]]:
        """All metrics under weights (n, R), the mean over repeats: (R,) float64 each."""
        return average([_join(scorers) for scorers in self._scorers])

    @cached_property
    def values(self) -> dict[str, Floats]:
        """(L,) float64 for every metric: its value in each repeat."""
        ones = np.ones((len(self.first.groups), 1))
        found = [_join(scorers)(ones) for scorers in self._scorers]
        return {name: np.concatenate([repeat[name] for repeat in found]) for name in found[0]}

    @cached_property
    def behind(self) -> dict[str, int]:
        """How many patients each metric depends on; in the repeat in which these are fewest."""
        fewest = dict.fromkeys(self.values, self.patients)
        for scorers in self._scorers:
            for scorer in scorers:
                counts = patients_behind(scorer.cases) if isinstance(scorer, Scorer) else scorer.patients
                fewest |= {name: min(fewest[name], n) for name, n in counts.items() if name in fewest}
        return fewest

    def label_entries(self, resampled: Resampled | None) -> dict[str, Entry]:
        """The metrics of labels with intervals as in `metrics.json`; empty where there are none.

        Args:
            resampled: at least these metrics; None for no intervals.
        """
        labels = [level.labels for level in self.repeats if level.labels is not None]
        if not labels:
            return {}
        ones = np.ones((len(self.first.groups), 1))
        means = average([Scorer(cases) for cases in labels])(ones)
        entries = metric_entries(labels, means, resampled)
        return {name: entry | repeat_values(self.values[name]) for name, entry in entries.items()}

    def mask_entries(self, *, resamples: int, seed: int, interval: Method) -> dict[str, Entry]:
        """The metrics of masks with intervals as in `metrics.json`; empty where there are none.

        Args:
            resamples: of the bootstrap over patients; 0 for no intervals.
            seed: of the bootstrap.
            interval: how intervals come from the resamples.
        """
        masks = [level.masks for level in self.repeats if level.masks is not None]
        if not masks:
            return {}
        cases = [level.cases for level in masks]
        entries = score_repeats(cases, masks[0].names, masks[0].unit, resamples=resamples, seed=seed, interval=interval)
        return {name: entry for name, entry in entries.items() if "low" in entry}


def _join(scorers: list[Scorer | MaskScorer]) -> Callable[[Floats], dict[str, Floats]]:
    def score(weights: Floats) -> dict[str, Floats]:
        return {name: values for scorer in scorers for name, values in scorer(weights).items()}

    return score


def repeat_values(values: Floats) -> dict[str, Any]:
    """The values of several repeats, (L,) float64, None where undefined, as `repeats`; empty of one."""
    if len(values) < 2:
        return {}
    return {"repeats": [float(value) if np.isfinite(value) else None for value in values]}
