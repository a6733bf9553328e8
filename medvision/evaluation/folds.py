"""What several folds say together: a decision for each, the repeats of a pooled table, and mean ± SD over folds.

Out-of-fold rows of all folds make one table, in which a patient stands once a repeat. Pooled metrics are computed from
that table, with patients resampled; the mean and the standard deviation over folds describe how much training and test
sets matter, and are no interval: the training sets of two folds overlap.

Source: Bengio & Grandvalet, No Unbiased Estimator of the Variance of K-Fold Cross-Validation (JMLR 5, 2004).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.errors import DataError
from medvision.evaluation.operating_point import Decision

Rows: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Score: TypeAlias = Callable[[Floats], dict[str, Floats]]


@dataclass(frozen=True)
class FoldDecisions:
    """What is done to the probabilities of each fold's network, as chosen on the validation split of that fold.

    Args:
        by_fold: {fold: decision}; the names are those of `fold_names`, numbers are taken as text.
    """

    by_fold: Mapping[Any, Decision]

    def __post_init__(self) -> None:
        named = {str(name): decision for name, decision in self.by_fold.items()}
        if not named:
            raise DataError("decisions: of no fold; evaluate the folds first")
        object.__setattr__(self, "by_fold", named)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they stand in the `decision.json` of a cross-validation."""
        return {"folds": {name: decision.to_json() for name, decision in self.by_fold.items()}}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "FoldDecisions":
        """What `to_json` has made plain."""
        return cls({name: Decision.from_json(decision) for name, decision in saved["folds"].items()})


Decisions: TypeAlias = Decision | FoldDecisions
"""Everything that applies a decision takes one of either kind."""


def read_decision(saved: Mapping[str, Any]) -> Decisions:
    """The decision of one network, or of the networks of all folds, from what stands in `decision.json`."""
    return FoldDecisions.from_json(saved) if "folds" in saved else Decision.from_json(saved)


def fold_name(fold: Any, repeat: Any = None) -> str:
    """What a fold is called in decisions: `3`, or where a cross-validation is repeated `repeat-1-fold-3`.

    >>> fold_name(3), fold_name(3.0, repeat=1)
    ('3', 'repeat-1-fold-3')
    """
    number = _plain(fold)
    return number if repeat is None else f"repeat-{_plain(repeat)}-fold-{number}"


def fold_names(table: pd.DataFrame) -> npt.NDArray[Any]:
    """The name of the fold of every row, from the columns fold and, where it is there, repeat.

    Args:
        table: rows of a prediction table.

    Returns:
        (n,) object.

    Raises:
        DataError: there is no column fold.
    """
    if "fold" not in table:
        raise DataError("prediction table: no column fold, and each fold has decisions of its own")
    repeats = table["repeat"] if "repeat" in table else [None] * len(table)
    return np.array([fold_name(*row) for row in zip(table["fold"], repeats, strict=True)], dtype=object)


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def rows_by_decision(decision: Decisions, table: pd.DataFrame) -> list[tuple[Decision, Rows]]:
    """Each decision with the rows it is for.

    Args:
        decision: of one network, which is for all rows, or of the networks of folds.
        table: n rows of a prediction table.

    Returns:
        Pairs of a decision and (m,) int64 positions, ascending; each of the n rows is in one pair.

    Raises:
        DataError: a fold of the table has no decision.
    """
    if isinstance(decision, Decision):
        return [(decision, np.arange(len(table)))]
    names = fold_names(table)
    unknown = sorted(set(names) - set(decision.by_fold))
    if unknown:
        raise DataError(
            f"prediction table: rows of fold {', '.join(unknown)}, and decisions only of {', '.join(decision.by_fold)}"
        )
    return [(one, rows) for name, one in decision.by_fold.items() if len(rows := np.flatnonzero(names == name))]


def any_temperature(decision: Decisions) -> bool:
    """Whether some probabilities are not those of the network."""
    decisions = [decision] if isinstance(decision, Decision) else decision.by_fold.values()
    return any(one.temperature != 1 for one in decisions)


def thresholds_by_fold(decision: Decisions, level: str, name: str) -> dict[str, Any]:
    """The threshold of a class.

    Args:
        decision: of one network, or of the networks of folds.
        level: image, study or patient.
        name: of the class.

    Returns:
        `threshold`, None where folds have different ones; of folds also `thresholds`, {fold: threshold}.
    """
    if isinstance(decision, Decision):
        return {"threshold": decision.threshold(level, name)}
    found = {fold: one.threshold(level, name) for fold, one in decision.by_fold.items()}
    distinct = set(found.values())
    return {"threshold": distinct.pop() if len(distinct) == 1 else None, "thresholds": found}


def split_repeats(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each repeat of a cross-validation, in the order of their numbers.

    Args:
        table: pooled rows of a prediction table; without a column repeat there is one repeat, the table itself.

    Returns:
        Tables with the same images, in the same order.

    Raises:
        DataError: a repeat has not tested all images that another has.
    """
    if "repeat" not in table:
        return [table]
    repeats = {
        name: rows.sort_values("image", kind="stable", ignore_index=True)
        for name, rows in table.groupby("repeat", sort=True)
    }
    sizes = {name: rows["image"].nunique() for name, rows in repeats.items()}
    images = table["image"].nunique()
    fewer = [f"repeat {_plain(name)} has {size}" for name, size in sizes.items() if size < images]
    if fewer:
        raise DataError(
            f"prediction table: {', '.join(fewer)} of {images} images; repeats are averaged over the same images, so "
            "finish their folds first"
        )
    return list(repeats.values())


def average(scores: Sequence[Score]) -> Score:
    """Score the same cases as several repeats answered them: the mean, nan where it is undefined in any.

    Args:
        scores: metrics of weights (n, R), (R,) each; of every repeat.
    """
    if len(scores) == 1:
        return scores[0]

    def score(weights: Floats) -> dict[str, Floats]:
        found = [one(weights) for one in scores]
        return {name: np.mean([values[name] for values in found], axis=0) for name in found[0]}

    return score


def values_by_repeat(scores: Sequence[Score], weights: Floats) -> dict[str, list[float | None]]:
    """The value of each metric in every repeat, None where undefined.

    Args:
        scores: as in `average`.
        weights: (n, 1) float64.
    """
    found = [one(weights) for one in scores]
    return {name: [_known(float(values[name][0])) for values in found] for name in found[0]}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def first_repeat(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first repeat, for what cannot be averaged, such as curves."""
    if "repeat" not in table or table.empty:
        return table
    return table[table["repeat"] == table["repeat"].min()].reset_index(drop=True)


def fold_summary(metrics_by_part: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Mean and standard deviation of every metric over folds.

    Args:
        metrics_by_part: {name of the part: {level: {metric: entry}}} of one split.

    Returns:
        {level: {metric: {mean, sd, n, values: {part: value or None}}}}. `n` is how many folds define the metric; `sd`,
        with n - 1 below, is None of fewer than two, and `mean` of none. What is no number, such as a confusion matrix,
        is left out; a level or metric that a fold lacks has None there.
    """
    names: dict[str, dict[str, None]] = {}
    for levels in metrics_by_part.values():
        for level, entries in levels.items():
            names.setdefault(level, {}).update(dict.fromkeys(name for name, entry in _scored(entries)))
    return {
        level: {
            metric: _mean_and_sd(
                {
                    part: (levels.get(level, {}).get(metric) or {}).get("value")
                    for part, levels in metrics_by_part.items()
                }
            )
            for metric in metrics
        }
        for level, metrics in names.items()
    }


def _scored(entries: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, entry) for name, entry in entries.items() if "value" in entry and "low" in entry)


def _mean_and_sd(values: dict[str, float | None]) -> dict[str, Any]:
    known = np.array([value for value in values.values() if value is not None], dtype=np.float64)
    return {
        "mean": float(known.mean()) if len(known) else None,
        "sd": float(known.std(ddof=1)) if len(known) > 1 else None,
        "n": len(known),
        "values": values,
    }
