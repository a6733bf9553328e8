"""Images worth looking at: the most confident mistakes, and those about which the network was least certain."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from medvision.evaluation.cases import Cases, image_cases
from medvision.evaluation.folds import Decisions, rows_by_decision
from medvision.evaluation.operating_point import UNCHANGED

MISTAKE, UNCERTAIN = "mistake", "uncertain"
MOST = 12
# One patient with bad images must not fill the gallery.
MOST_OF_A_PATIENT = 2
# Of a dozen images the twelve least certain would be all of them, most without any doubt.
MOST_UNCERTAIN = 0.25
CHOICE = (
    f"At most {MOST} mistakes are shown, the most confident first, and at most {MOST} of the least certain other "
    f"images, no more than {MOST_UNCERTAIN:.0%} of all; of one patient no more than {MOST_OF_A_PATIENT} of each kind."
)


def notable_cases(
    table: pd.DataFrame,
    classes: Sequence[str],
    *,
    multilabel: bool = False,
    decision: Decisions = UNCHANGED,
    most: int = MOST,
) -> pd.DataFrame:
    """Choose rows of a prediction table that a reader should see.

    Mistakes come first, by falling error: of exclusive classes the probability of the class that was wrongly
    predicted; of several labels an image the distance of the probability from the truth, 0 or 1, at the label that was
    decided wrongly by the largest distance. Least certain among all that are left, wrong or right, are the images whose
    probability is nearest to its threshold; of three exclusive classes or more those whose two largest probabilities
    are nearest to each other; at most a quarter of the rows counts as uncertain. Of one patient at most two images are
    taken for each kind. Of equals the upper row comes first.

    Args:
        table: the rows of one split, checked.
        classes: K names in order.
        multilabel: several classes an image, or none.
        decision: with the thresholds that made `predicted`.
        most: images of each kind.

    Returns:
        A row a case: `row`, its position in the table; `kind`, `mistake` or `uncertain`; `class_shown`, the class in
        question, of exclusive ones the predicted; `probability` of that class in [0, 1]; `score`, by which the kind
        is sorted: the error in [0, 1], falling, or the distance in [0, 1], rising.
    """
    cases = image_cases(table, classes, multilabel=multilabel)
    wrong = cases.truth != cases.predicted
    shown, error = _errors(cases, wrong)
    mistakes = _take(np.argsort(-error, kind="stable"), wrong.any(axis=1), cases.groups, most)
    left = np.ones(len(table), dtype=bool)
    left[mistakes] = False
    doubted, distance = _distances(cases, _thresholds(table, classes, decision))
    few = min(most, math.ceil(MOST_UNCERTAIN * len(table)))
    uncertain = _take(np.argsort(distance, kind="stable"), left, cases.groups, few)
    rows = np.array(mistakes + uncertain, dtype=np.int64)
    first = np.arange(len(rows)) < len(mistakes)
    label = np.where(first, shown[rows], doubted[rows])
    return pd.DataFrame(
        {
            "row": rows,
            "kind": np.where(first, MISTAKE, UNCERTAIN).astype(object),
            "class_shown": np.array(list(classes), dtype=object)[label],
            "probability": cases.probabilities[rows, label],
            "score": np.where(first, error[rows], distance[rows]),
        }
    )


def _errors(cases: Cases, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The class number in question and the error of each case, both (n,); of no use where nothing is wrong."""
    error = np.where(wrong, np.abs(cases.truth - cases.probabilities), -1.0)
    label = error.argmax(axis=1) if cases.multilabel else cases.predicted.argmax(axis=1)
    return label, np.take_along_axis(error, label[:, None], axis=1)[:, 0]


def _thresholds(table: pd.DataFrame, classes: Sequence[str], decision: Decisions) -> np.ndarray:
    """(n, K) float64, those of each image."""
    thresholds = np.empty((len(table), len(classes)))
    for one, rows in rows_by_decision(decision, table):
        thresholds[rows] = [one.threshold("image", name) for name in classes]
    return thresholds


def _distances(cases: Cases, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The class number in question and its distance to another decision, both (n,)."""
    probabilities, classes = cases.probabilities, cases.classes
    if cases.multilabel:
        distance = np.abs(probabilities - thresholds)
        label = distance.argmin(axis=1)
        return label, np.take_along_axis(distance, label[:, None], axis=1)[:, 0]
    label = cases.predicted.argmax(axis=1)
    if len(classes) == 2:
        return label, np.abs(probabilities[:, 1] - thresholds[:, 1])
    largest = np.sort(probabilities, axis=1)
    return label, largest[:, -1] - largest[:, -2]


def _take(order: np.ndarray, allowed: np.ndarray, groups: np.ndarray, most: int) -> list[int]:
    """The first rows of an order that are allowed, no patient more often than it may come."""
    taken: list[int] = []
    times = np.zeros(int(groups.max()) + 1 if len(groups) else 0, dtype=np.int64)
    for row in order:
        if len(taken) == most:
            break
        if allowed[row] and times[groups[row]] < MOST_OF_A_PATIENT:
            taken.append(int(row))
            times[groups[row]] += 1
    return taken
