"""The one metric by which groups are compared, of any part of the cases and under any weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from medvision.evaluation.cases import Cases
from medvision.evaluation.mask_scores import OVERLAPS
from medvision.evaluation.metrics import patients_behind
from medvision.evaluation.segmentation import MEANS, MaskCases
from medvision.evaluation.weighted import Scorer, ranked_areas

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
DICE = MEANS.index(OVERLAPS[0])


class Side(Protocol):
    """Cases on one side of a comparison; the metric is a mean over classes, of which two sides may have others."""

    @property
    def defined(self) -> tuple[int, ...]:
        """The classes of which these cases define the metric."""

    def score(self, weights: Floats, classes: Sequence[int]) -> Floats:
        """The mean over classes under weights (n, R), (R,) float64; nan where the weights leave one undefined."""

    def patients(self, classes: Sequence[int]) -> int:
        """How many patients the metric depends on, over these classes."""


def label_headline(classes: Sequence[str], *, multilabel: bool) -> str:
    """`auroc` of two classes or several labels, `balanced_accuracy` of three exclusive classes or more."""
    return "auroc" if multilabel or len(classes) == 2 else "balanced_accuracy"


@dataclass(frozen=True)
class LabelSide:
    """The headline metric of labels.

    Args:
        cases: some of those of a level.
    """

    cases: Cases

    @cached_property
    def _scorer(self) -> Scorer:
        return Scorer(self.cases)

    @property
    def _ranks(self) -> bool:
        return label_headline(self.cases.classes, multilabel=self.cases.multilabel) == "auroc"

    @cached_property
    def defined(self) -> tuple[int, ...]:
        """See `Side`; of two exclusive classes only the second."""
        if not self._ranks:
            return tuple(int(k) for k in np.flatnonzero(self._scorer.present))
        positive = range(len(self.cases.classes)) if self.cases.multilabel else (1,)
        return tuple(k for k in positive if k in self._scorer.ranked)

    def score(self, weights: Floats, classes: Sequence[int]) -> Floats:
        """See `Side`."""
        if self._ranks:
            rows = [ranked_areas(self._scorer.ranked[k], weights)[0] for k in classes]
        else:
            hits, true, _ = self._scorer.counted
            rows = [_ratio(hits[k] @ weights, true[k] @ weights) for k in classes]
        return np.mean(rows, axis=0)

    def patients(self, classes: Sequence[int]) -> int:
        """See `Side`."""
        behind = patients_behind(self.cases)
        name = "auroc" if self._ranks else "sensitivity"
        return min(behind[f"{name}_{self.cases.classes[k]}"] for k in classes)


@dataclass(frozen=True)
class MaskSide:
    """The Dice coefficient of masks.

    Args:
        masks: some of those of a level.
    """

    masks: MaskCases

    @cached_property
    def _counted(self) -> Bools:
        return np.isfinite(self.masks.values[:, :, DICE])

    @cached_property
    def defined(self) -> tuple[int, ...]:
        """See `Side`: the classes that occur in the true masks."""
        return tuple(int(k) for k in np.flatnonzero(self.masks.present))

    def score(self, weights: Floats, classes: Sequence[int]) -> Floats:
        """See `Side`."""
        dice = np.where(self._counted, self.masks.values[:, :, DICE], 0)
        return np.mean([_ratio(dice[:, k] @ weights, self._counted[:, k] @ weights) for k in classes], axis=0)

    def patients(self, classes: Sequence[int]) -> int:
        """See `Side`."""
        return min(len(np.unique(self.masks.groups[self._counted[:, k]])) for k in classes)


def pick_cases(cases: Cases, rows: Bools) -> Cases:
    """Some of the cases, (n,) bool; patients are numbered anew."""
    return Cases(
        cases.truth[rows],
        cases.predicted[rows],
        cases.probabilities[rows],
        _number(cases.groups[rows]),
        cases.classes,
        cases.multilabel,
    )


def pick_masks(masks: MaskCases, shown: Bools, rows: Bools) -> MaskCases:
    """Some of the masks, (n,) bool; patients are numbered anew.

    Args:
        masks: of images or patients.
        shown: (n, C) bool, which classes the true masks show.
        rows: (n,) bool, which to take.
    """
    present = np.asarray(shown[rows].any(axis=0))
    return MaskCases(masks.values[rows], masks.infinite[rows], _number(masks.groups[rows]), present)


def _number(groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.unique(groups, return_inverse=True)[1]


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
