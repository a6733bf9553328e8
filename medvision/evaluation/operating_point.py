"""From which probability on the answer is yes: rules, and the threshold that a rule finds on the validation split.

Sources: Youden, Index for rating diagnostic tests (Cancer 3, 1950); Zou et al., Receiver-operating characteristic
analysis (Circulation 115, 2007), for thresholds at a wanted sensitivity or specificity.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from medvision.errors import ConfigError
from medvision.evaluation.predictions import THRESHOLD

Aggregate = Literal["mean", "max", "noisy_or"]
TARGET = re.compile(r"(sensitivity|specificity)>=([0-9.]+)")
# Shares of counts differ in their last digits where they are the same.
TIE = 1e-12


@dataclass(frozen=True)
class Decision:
    """What is done to the probabilities of a network; chosen on the validation split and saved with the model.

    Args:
        temperature: what the logits are divided by.
        aggregate: how the images of a study or patient become one probability.
        rule: how thresholds were found, or the fixed one.
        thresholds: {level: {class: threshold}}, of two exclusive classes only the second; yes is from it on. Empty for
            three exclusive classes or more, whose answer is the most probable class.
        chosen_on: split, n (images) and patients that temperature and thresholds come from.
        notes: what could not be chosen as asked, a sentence each.
    """

    temperature: float = 1.0
    aggregate: Aggregate = "mean"
    rule: float | str = THRESHOLD
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    chosen_on: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def threshold(self, level: str, name: str) -> float:
        """The threshold of a class; where none was chosen for the level, the fixed one of the rule, or 0.5."""
        fixed = THRESHOLD if isinstance(self.rule, str) else float(self.rule)
        return self.thresholds.get(level, {}).get(name, fixed)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they stand in `decision.json`."""
        return {
            "temperature": self.temperature,
            "aggregate": self.aggregate,
            "rule": self.rule,
            "thresholds": {level: dict(names) for level, names in self.thresholds.items()},
            "chosen_on": None if self.chosen_on is None else dict(self.chosen_on),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Decision":
        """What `to_json` has made plain."""
        return cls(**{**saved, "notes": tuple(saved["notes"])})


# Probabilities as they are, their mean, and thresholds of 0.5.
UNCHANGED = Decision()


def check_rule(rule: float | str, classes: Sequence[str], *, multilabel: bool, aggregate: Aggregate = "mean") -> None:
    """Refuse what three exclusive classes or more cannot have: thresholds, and aggregates that sum to no 1.

    Args:
        rule: a number, `youden`, `f1`, `sensitivity>=X` or `specificity>=X`.
        classes: their names.
        multilabel: several classes an image.
        aggregate: of the images of a study or patient.

    Raises:
        ConfigError: a line for each setting.
    """
    if multilabel or len(classes) <= 2:
        return
    problems = []
    if rule != THRESHOLD:
        problems.append(
            f"evaluation.threshold: {rule} asks for one class against another, and there are {len(classes)} exclusive "
            "ones, of which the most probable is the answer; leave the setting out"
        )
    if aggregate != "mean":
        problems.append(
            f"evaluation.aggregate: {aggregate} is for two classes or several labels an image, and there are "
            f"{len(classes)} exclusive classes; use mean"
        )
    if problems:
        raise ConfigError(*problems)


def decide(
    probabilities: np.ndarray, classes: Sequence[str], decision: Decision, level: str, *, multilabel: bool
) -> np.ndarray:
    """The answer to every case.

    Args:
        probabilities: (n, K) float64 in [0, 1], calibrated.
        classes: K names.
        decision: with the thresholds.
        level: image, study or patient.
        multilabel: each class on its own.

    Returns:
        (n, K) bool; one True a row unless `multilabel`.
    """
    if multilabel:
        return probabilities >= np.array([decision.threshold(level, name) for name in classes])
    if len(classes) == 2:
        positive = probabilities[:, 1] >= decision.threshold(level, classes[1])
        return np.stack([~positive, positive], axis=1)
    return np.eye(len(classes), dtype=bool)[probabilities.argmax(axis=1)]


def choose_threshold(scores: np.ndarray, truth: np.ndarray, rule: float | str) -> tuple[float, str | None]:
    """The threshold that a rule finds.

    Candidates lie midway between neighbouring distinct scores, below all and above all. Of candidates that serve the
    rule equally well the one nearest 0.5 is taken; of those that reach a sensitivity with the same specificity (or the
    other way round) first the one with more of it.

    Args:
        scores: (n,) float64 in [0, 1].
        truth: (n,) bool.
        rule: a number, `youden`, `f1`, `sensitivity>=X` or `specificity>=X`.

    Returns:
        The threshold, and what must be said of it, or None.
    """
    if not isinstance(rule, str):
        return float(rule), None
    if truth.all() or not truth.any():
        return THRESHOLD, f"{rule} needs cases with and without the class; threshold 0.5"
    candidates = _candidates(scores)
    hits, alarms = (_count_from(scores[kind], candidates) for kind in (truth, ~truth))
    sensitivity, specificity = hits / truth.sum(), 1 - alarms / (~truth).sum()
    target = TARGET.fullmatch(rule)
    if target is not None:
        pair = (sensitivity, specificity) if target[1] == "sensitivity" else (specificity, sensitivity)
        return _reach(candidates, *pair, target)
    if rule == "youden":
        return float(candidates[_best(candidates, sensitivity + specificity - 1)]), None
    if rule == "f1":
        return float(candidates[_best(candidates, 2 * hits / (truth.sum() + hits + alarms))]), None
    raise ConfigError(
        f"evaluation.threshold: expected a number, youden, f1, sensitivity>=0.95 or specificity>=0.95, got {rule!r}"
    )


def _count_from(scores: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """How many scores lie at or above each candidate."""
    return len(scores) - np.searchsorted(np.sort(scores), candidates)


def _candidates(scores: np.ndarray) -> np.ndarray:
    distinct = np.unique(scores)
    below, above = distinct[:1] / 2, (distinct[-1:] + 1) / 2
    # From 1 on nothing lies above all scores.
    ends = above[above > distinct[-1]]
    return np.concatenate([below, (distinct[1:] + distinct[:-1]) / 2, ends])


def _best(candidates: np.ndarray, *merits: np.ndarray) -> int:
    """The candidate that is best by the first merit, among those by the second, and so on; then nearest to 0.5."""
    left = np.arange(len(candidates))
    for merit in (*merits, -np.abs(candidates - THRESHOLD)):
        left = left[merit[left] >= merit[left].max() - TIE]
    return int(left[0])


def _reach(
    candidates: np.ndarray, reached: np.ndarray, other: np.ndarray, target: re.Match[str]
) -> tuple[float, str | None]:
    enough = np.flatnonzero(reached >= float(target[2]) - TIE)
    if len(enough) == 0:
        best = _best(candidates, reached, other)
        note = f"{target[0]} was not reached by any threshold; the closest gives {reached[best]:.3f}"
        return float(candidates[best]), note
    best = int(enough[_best(candidates[enough], other[enough], reached[enough])])
    if other[best] > 0:
        return float(candidates[best]), None
    answer = "yes" if target[1] == "sensitivity" else "no"
    return float(candidates[best]), f"{target[0]} was reached only where the answer to every case is {answer}"
