"""Metrics of one split of the prediction table, with intervals, as they stand in `metrics.json`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from medvision.evaluation.bootstrap import bootstrap_metrics, percentile_interval
from medvision.evaluation.cases import Cases, cases_by_level
from medvision.evaluation.predictions import check_predictions
from medvision.evaluation.weighted import Scorer

Entry = dict[str, Any]


def classification_metrics(
    predictions: pd.DataFrame,
    classes: Sequence[str],
    *,
    multilabel: bool = False,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, dict[str, Entry]]:
    """How good the predictions of one split are, and how sure that is.

    Args:
        predictions: the rows of one split of the prediction table.
        classes: their names in order; the second of two is the positive one.
        multilabel: several classes an image, or none.
        resamples: of the bootstrap over patients; 0 for no intervals.
        seed: of the bootstrap.

    Returns:
        {level: {metric: {value, low, high, n, patients}}}, level image, study or patient; None where undefined, and
        `undefined_resamples` where some resamples were. `confusion_matrix` (rows true, columns predicted) or, for
        several labels, `label_counts`; and `absent_classes`.

    Raises:
        DataError: the table is not one that can be scored.
    """
    check_predictions(predictions, classes, multilabel=multilabel)
    levels = cases_by_level(predictions, classes, multilabel=multilabel)
    return {level: score_cases(cases, resamples=resamples, seed=seed) for level, cases in levels.items()}


def score_cases(cases: Cases, *, resamples: int, seed: int) -> dict[str, Entry]:
    """All metrics of one level.

    Args:
        cases: images, studies or patients.
        resamples: of the bootstrap over patients; 0 for no intervals.
        seed: of the bootstrap.
    """
    score = Scorer(cases)
    n, patients = len(cases.truth), cases.patients
    values = score(np.ones((n, 1)))
    # One patient says nothing about others.
    drawn = bootstrap_metrics(score, cases.groups, resamples, seed) if resamples > 0 and patients > 1 else {}
    entries = {
        name: _entry(float(value[0]), drawn.get(name), {"n": n, "patients": patients}) for name, value in values.items()
    }
    entries |= {"label_counts": _label_counts(cases)} if cases.multilabel else {"confusion_matrix": _confusion(cases)}
    absent = [name for name, there in zip(cases.classes, score.present, strict=True) if not there]
    return {**entries, "absent_classes": {"value": absent}}


def _entry(value: float, drawn: np.ndarray | None, counts: dict[str, int]) -> Entry:
    if not np.isfinite(value):
        return {"value": None, "low": None, "high": None, **counts}
    interval = None if drawn is None else percentile_interval(drawn)
    low, high = interval if interval is not None else (None, None)
    undefined = 0 if drawn is None else int((~np.isfinite(drawn)).sum())
    entry: Entry = {"value": value, "low": low, "high": high, **counts}
    return {**entry, "undefined_resamples": undefined} if undefined else entry


def _confusion(cases: Cases) -> Entry:
    matrix = cases.truth.T.astype(np.int64) @ cases.predicted.astype(np.int64)
    return {"value": matrix.tolist(), "classes": list(cases.classes), "n": len(cases.truth)}


def _label_counts(cases: Cases) -> Entry:
    true, said = cases.truth, cases.predicted
    named = {"tp": true & said, "fp": ~true & said, "fn": true & ~said, "tn": ~true & ~said}
    counts = {name: array.sum(axis=0) for name, array in named.items()}
    rows = [{name: int(count[k]) for name, count in counts.items()} for k in range(len(cases.classes))]
    return {"value": rows, "classes": list(cases.classes), "n": len(cases.truth)}
