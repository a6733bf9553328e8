"""How much of the classes is in features: a linear probe and nearest neighbours, each with few settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Inverse strength of the penalty of the linear probe, from the strongest; the validation rows choose.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
NEIGHBOURS, TEMPERATURE = 20, 0.07
MOST_STEPS = 5000
TINY = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Sides:
    """Rows of a feature table that learn, choose and are tested.

    Args:
        train: int64, rows from which a probe learns.
        val: int64, rows that choose its setting.
        test: int64, rows of which it is asked.
    """

    train: Integers
    val: Integers
    test: Integers


@dataclass(frozen=True)
class Answer:
    """What a probe says of the rows that are tested.

    Args:
        probabilities: (n, K) float64 in [0, 1].
        settings: with which it was fitted, plain values.
    """

    probabilities: Floats
    settings: dict[str, Any]


def linear_probe(features: npt.ArrayLike, targets: npt.NDArray[Any], sides: Sides) -> Answer:
    """Logistic regression on frozen features (Alain & Bengio, Understanding Intermediate Layers, 2016).

    Features are standardised by the training rows. Classes weigh alike, however many images they have. The penalty is
    the one with which the log loss on the validation rows is smallest, the strongest of equals.

    Args:
        features: (N, F) float.
        targets: (N,) int64 class numbers, each class among the training rows; or (N, K) of zeros and ones.
        sides: rows that learn, choose and are tested.
    """
    values = _standardised(features, sides.train)
    best, least = None, np.inf
    for penalty in PENALTIES:
        said = _fit_linear(values[sides.train], targets[sides.train], penalty)
        loss = _balanced_loss(said(values[sides.val]), targets[sides.val])
        if loss < least - 1e-9:
            best, least, chosen = said, loss, penalty
    assert best is not None, "a log loss is finite"
    return Answer(best(values[sides.test]), {"C": chosen})


def nearest_neighbours(features: npt.ArrayLike, targets: npt.NDArray[Any], sides: Sides) -> Answer:
    """The 20 nearest training images vote, each by its likeness (Wu et al., Instance Discrimination, CVPR 2018).

    Likeness is the cosine s of standardised features, a vote exp(s / 0.07). Nothing is chosen, so that the
    validation rows are not used.

    Args:
        features: (N, F) float.
        targets: (N,) int64 class numbers, or (N, K) of zeros and ones.
        sides: rows that learn, choose and are tested.
    """
    values = _standardised(features, sides.train)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), TINY)
    likeness = values[sides.test] @ values[sides.train].T
    k = min(NEIGHBOURS, len(sides.train))
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :k]
    votes = np.exp((np.take_along_axis(likeness, nearest, axis=1) - 1) / TEMPERATURE)
    shown = _shown(targets)[sides.train]
    sums = np.einsum("nk,nkc->nc", votes, shown[nearest])
    return Answer(sums / votes.sum(axis=1, keepdims=True), {"neighbours": k, "temperature": TEMPERATURE})


PROBES: dict[str, Callable[[npt.ArrayLike, npt.NDArray[Any], Sides], Answer]] = {
    "linear_probe": linear_probe,
    "nearest_neighbours": nearest_neighbours,
}


def _standardised(features: npt.ArrayLike, rows: Integers) -> Floats:
    """All rows by mean and deviation of some; without features that do not vary there."""
    values = np.asarray(features, dtype=np.float64)
    mean, spread = values[rows].mean(axis=0), values[rows].std(axis=0)
    varies = spread > 1e-7 * np.maximum(np.abs(mean), 1)
    return np.asarray((values[:, varies] - mean[varies]) / spread[varies])


def _shown(targets: npt.NDArray[Any]) -> Floats:
    """Targets as (N, K) of zeros and ones."""
    return targets.astype(np.float64) if targets.ndim == 2 else np.eye(int(targets.max()) + 1)[targets]


def _fit_linear(values: Floats, targets: npt.NDArray[Any], penalty: float) -> Callable[[Floats], Floats]:
    if targets.ndim == 1:
        fitted = _regression(penalty).fit(values, targets)
        return lambda rows: np.asarray(fitted.predict_proba(rows), dtype=np.float64)
    parts = []
    for column in targets.T:
        # Of a class that no training image shows, or every one, nothing can be learned.
        constant = column.min() == column.max()
        parts.append(float(column[0]) if constant else _regression(penalty).fit(values, column))

    def answer(rows: Floats) -> Floats:
        columns = [
            np.full(len(rows), part) if isinstance(part, float) else part.predict_proba(rows)[:, 1] for part in parts
        ]
        return np.stack(columns, axis=1)

    return answer


def _regression(penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, class_weight="balanced", max_iter=MOST_STEPS)


def _balanced_loss(probabilities: Floats, targets: npt.NDArray[Any]) -> float:
    """Cross-entropy in nats; the mean over the classes that occur, or over the labels of all images."""
    chances = np.clip(probabilities, TINY, 1 - TINY)
    if targets.ndim == 2:
        return float(-np.log(np.where(targets > 0, chances, 1 - chances)).mean())
    losses = -np.log(chances[np.arange(len(targets)), targets])
    return float(np.mean([losses[targets == k].mean() for k in np.unique(targets)]))
