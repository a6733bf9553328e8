"""Metrics of one split of the prediction table, with intervals, as they stand in `metrics.json`."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from medvision.evaluation.cases import Cases, cases_by_level
from medvision.evaluation.decision import undo_temperature
from medvision.evaluation.folds import Decisions, Score, any_temperature, average, split_repeats, values_by_repeat
from medvision.evaluation.intervals import (
    Entry,
    Method,
    Resampled,
    interval_entry,
    jackknife_interval,
    mirrored_interval,
    resample,
    separated_interval,
    wilson_interval,
)
from medvision.evaluation.operating_point import UNCHANGED
from medvision.evaluation.predictions import check_predictions
from medvision.evaluation.weighted import Scorer

UNCALIBRATED = ("log_loss", "brier", "ece", "calibration_slope", "calibration_intercept")
"""What a temperature changes; of three classes or more slope and intercept have the name of a class, too."""

OF_THE_SECOND = ("auroc", "average_precision", "calibration_slope", "calibration_intercept")
"""Of two exclusive classes these are of the second, not a mean."""


def classification_metrics(
    predictions: pd.DataFrame,
    classes: Sequence[str],
    *,
    multilabel: bool = False,
    resamples: int = 2000,
    seed: int = 0,
    interval: Method = "bca",
    decision: Decisions = UNCHANGED,
) -> dict[str, dict[str, Entry]]:
    """How good the predictions of one split, or of the tests of all folds, are, and how sure that is.

    Of a repeated cross-validation (column `repeat`) a value is the mean of those of the repeats; its interval draws
    each patient in all repeats at once, for repeats do not make patients more.

    Args:
        predictions: the rows of one split of the prediction table, with the decision applied.
        classes: their names in order; the second of two is the positive one.
        multilabel: several classes an image, or none.
        resamples: of the bootstrap over patients; 0 for no intervals.
        seed: of the bootstrap.
        interval: how intervals come from the resamples.
        decision: what was applied, of one network or of those of all folds: images are united and decided upon as it
            says.

    Returns:
        {level: {metric: {value, low, high, method, n, patients}}}, level image, study or patient; None where undefined,
        and `undefined_resamples` where some resamples were. `method` is `interval`; `wilson` for proportions of cases
        that are independent, each of another patient, and for those of 0 or 1; `newcombe` for AUROCs of 0 or 1;
        `mirrored` for `ece`, and instead of `bca` `jackknife` for slopes.
        `confusion_matrix` (rows true, columns predicted) or, for several labels, `label_counts`, both with
        `class_patients`, how many have each class; and `absent_classes`. Where there is a temperature, `uncalibrated`
        holds the entries of `UNCALIBRATED` of the probabilities without it. Of several repeats an entry holds
        `repeats`, the value of each; the counts of answers are those of the first.

    Raises:
        DataError: the table is not one that can be scored.
    """
    tables = split_repeats(predictions)
    for table in tables:
        check_predictions(table, classes, multilabel=multilabel)
    levels = [cases_by_level(table, classes, multilabel=multilabel, decision=decision) for table in tables]
    found = {
        level: score_repeats([cases[level] for cases in levels], resamples=resamples, seed=seed, interval=interval)
        for level in levels[0]
        if all(level in cases for cases in levels)
    }
    if any_temperature(decision):
        before = [undo_temperature(table, classes, decision, multilabel=multilabel) for table in tables]
        levels = [cases_by_level(table, classes, multilabel=multilabel, decision=decision) for table in before]
        for level, entries in found.items():
            repeats = [cases[level] for cases in levels]
            entries["uncalibrated"] = _score_uncalibrated(repeats, resamples, seed, interval)
    return found


def score_cases(cases: Cases, *, resamples: int, seed: int, interval: Method) -> dict[str, Entry]:
    """All metrics of one level.

    Args:
        cases: images, studies or patients.
        resamples: of the bootstrap over patients; 0 for no intervals.
        seed: of the bootstrap.
        interval: how intervals come from the resamples.
    """
    return score_repeats([cases], resamples=resamples, seed=seed, interval=interval)


def score_repeats(repeats: Sequence[Cases], *, resamples: int, seed: int, interval: Method) -> dict[str, Entry]:
    """All metrics of one level, each the mean over repeats of a cross-validation.

    Args:
        repeats: the same images, studies or patients, in the same order, as each repeat answered them.
        resamples: of the bootstrap over patients; 0 for no intervals.
        seed: of the bootstrap.
        interval: how intervals come from the resamples.
    """
    scorers = [Scorer(cases) for cases in repeats]
    first = repeats[0]
    entries = _averaged_entries(scorers, repeats, resamples=resamples, seed=seed, interval=interval)
    entries |= {"label_counts": _label_counts(first)} if first.multilabel else {"confusion_matrix": _confusion(first)}
    absent = [name for name, there in zip(first.classes, scorers[0].present, strict=True) if not there]
    return {**entries, "absent_classes": {"value": absent}}


def _averaged_entries(
    scorers: Sequence[Score], repeats: Sequence[Cases], *, resamples: int, seed: int, interval: Method
) -> dict[str, Entry]:
    """The entries of what each scorer says of its repeat."""
    score = average(scorers)
    resampled = resample(score, repeats[0].groups, resamples=resamples, seed=seed, method=interval)
    whole = np.ones((len(repeats[0].truth), 1))
    entries = metric_entries(repeats, score(whole), resampled)
    if len(scorers) > 1:
        for name, values in values_by_repeat(scorers, whole).items():
            entries[name]["repeats"] = values
    return entries


def metric_entries(
    repeats: Sequence[Cases], values: dict[str, np.ndarray], resampled: Resampled | None
) -> dict[str, Entry]:
    """Value and interval of metrics, the interval from resamples or, where it is due, from a formula.

    Args:
        repeats: the same images, studies or patients, as each repeat answered them.
        values: (1,) float64, of all cases, for every metric wanted.
        resampled: at least these metrics; None for no intervals.
    """
    cases = repeats[0]
    counts = {"n": len(cases.truth), "patients": cases.patients}
    behind = _fewest_behind(repeats)
    entries = {
        name: {**interval_entry(name, float(value[0]), resampled, behind.get(name, cases.patients)), **counts}
        for name, value in values.items()
    }
    if resampled is not None:
        counted = [proportions(one) for one in repeats]
        for name in counted[0]:
            if name in entries:
                entries[name] |= _exact_share(entries[name], [one[name] for one in counted], cases.groups)
        for name, k in _areas(cases).items():
            if name in entries:
                entries[name] |= _exact_area(entries[name], cases.truth[:, k], cases.groups)
        for name in entries:
            entries[name] |= _calibration_interval(name, entries[name], resampled, behind.get(name, cases.patients))
    return entries


def _score_uncalibrated(repeats: Sequence[Cases], resamples: int, seed: int, interval: Method) -> dict[str, Entry]:
    def score(scorer: Scorer, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {name: value for name, value in scorer(weights).items() if name.startswith(UNCALIBRATED)}

    scorers = [partial(score, Scorer(cases)) for cases in repeats]
    return _averaged_entries(scorers, repeats, resamples=resamples, seed=seed, interval=interval)


def _fewest_behind(repeats: Sequence[Cases]) -> dict[str, int]:
    """See `patients_behind`; of what depends on the answers, in the repeat where these are fewest."""
    counts = [patients_behind(cases) for cases in repeats]
    names = dict.fromkeys(name for one in counts for name in one)
    return {name: min(one.get(name, repeats[0].patients) for one in counts) for name in names}


def patients_behind(cases: Cases) -> dict[str, int]:
    """How many patients a metric depends on, where these are not all: those with the rarer side of what it compares.

    A sensitivity is known as well as from the patients with the class, whoever else is in the split; an AUROC as from
    the patients with the class or from those without, whichever are fewer. A mean over classes depends on all patients,
    unless one of them alone decides what is said of a class.
    """
    positive, negative = (_count_patients(rows, cases.groups) for rows in (cases.truth, ~cases.truth))
    fewer = np.minimum(positive, negative)
    by_class = {
        "sensitivity": positive,
        "specificity": negative,
        "precision": _count_patients(cases.predicted, cases.groups),
        "npv": _count_patients(~cases.predicted, cases.groups),
        "f1": _count_patients(cases.truth | cases.predicted, cases.groups),
        "auroc": fewer,
        "average_precision": fewer,
        "calibration_slope": fewer,
        "calibration_intercept": fewer,
    }
    behind = {
        f"{name}_{label}": int(n) for name, ns in by_class.items() for label, n in zip(cases.classes, ns, strict=True)
    }
    two = len(cases.classes) == 2 and not cases.multilabel
    for name, counts in by_class.items():
        compared = counts[(positive > 0) & (counts > 0)]
        least = int(compared.min()) if len(compared) else 0
        of_the_second = two and name in OF_THE_SECOND
        behind |= {name: least} if least < 2 or of_the_second else {}
    return {**behind, "balanced_accuracy": behind["sensitivity"]} if "sensitivity" in behind else behind


def _count_patients(cases: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(n, K) bool -> (K,) int64, the patients with such a case."""
    return np.array([len(np.unique(groups[column])) for column in cases.T])


def proportions(cases: Cases) -> dict[str, np.ndarray]:
    """The metrics that are shares of cases, and which cases count in each, (n,) bool."""
    counted = {"accuracy": np.ones(len(cases.truth), dtype=bool)}
    for k, name in enumerate(cases.classes):
        true, said = cases.truth[:, k], cases.predicted[:, k]
        counted |= {f"sensitivity_{name}": true, f"specificity_{name}": ~true}
        counted |= {f"precision_{name}": said, f"npv_{name}": ~said}
    return counted


def _areas(cases: Cases) -> dict[str, int]:
    """The AUROCs that are of one class, and which."""
    areas = {f"auroc_{name}": k for k, name in enumerate(cases.classes)}
    return areas if cases.multilabel or len(cases.classes) != 2 else {**areas, "auroc": 1}


def _exact_share(entry: Entry, counted: Sequence[np.ndarray], groups: np.ndarray) -> Entry:
    """Wilson's interval where it is due, with what the entry says of it; empty elsewhere.

    Where all or none of several images of a patient are right, in every patient, each resample is the same. The images
    then say at least as much as one of each patient would, so the interval is that of as many cases as patients. The
    mean over repeats is that of cases which are right in a part of the repeats; such a mean varies less than a share.

    Args:
        entry: of the share.
        counted: (n,) bool for every repeat, the cases that the share is of.
        groups: (n,) int64, their patients.
    """
    patients = min(len(np.unique(groups[rows])) for rows in counted)
    independent = all((rows == counted[0]).all() for rows in counted) and patients == int(counted[0].sum())
    extreme = entry["value"] in (0, 1)
    if entry["value"] is None or not (independent or extreme):
        return {}
    low, high = wilson_interval(entry["value"] * patients, patients)
    return {"low": low, "high": high, "method": "wilson"}


def _exact_area(entry: Entry, truth: np.ndarray, groups: np.ndarray) -> Entry:
    """Newcombe's interval of an AUROC of 0 or 1, of as many cases as patients; empty elsewhere."""
    if entry["value"] not in (0, 1):
        return {}
    low, high = separated_interval(len(np.unique(groups[truth])), len(np.unique(groups[~truth])))
    if entry["value"] == 0:
        low, high = 1 - high, 1 - low
    return {"low": low, "high": high, "method": "newcombe"}


def _calibration_interval(name: str, entry: Entry, resampled: Resampled, patients: int) -> Entry:
    """The intervals of what resamples distort, with what the entry says of them; empty for other metrics."""
    if entry["low"] is None:
        return {}
    method, ends = "", None
    if name == "ece":
        method, ends = "mirrored", mirrored_interval(resampled.drawn[name], entry["value"], patients)
    elif name.startswith("calibration_slope") and resampled.method == "bca":
        method, ends = "jackknife", jackknife_interval(entry["value"], resampled.left_out[name], patients)
    return {} if ends is None else {"low": ends[0], "high": ends[1], "method": method}


def _confusion(cases: Cases) -> Entry:
    matrix = cases.truth.T.astype(np.int64) @ cases.predicted.astype(np.int64)
    return {"value": matrix.tolist(), **_class_counts(cases)}


def _label_counts(cases: Cases) -> Entry:
    true, said = cases.truth, cases.predicted
    named = {"tp": true & said, "fp": ~true & said, "fn": true & ~said, "tn": ~true & ~said}
    counts = {name: array.sum(axis=0) for name, array in named.items()}
    rows = [{name: int(count[k]) for name, count in counts.items()} for k in range(len(cases.classes))]
    return {"value": rows, **_class_counts(cases)}


def _class_counts(cases: Cases) -> Entry:
    patients = _count_patients(cases.truth, cases.groups)
    return {"classes": list(cases.classes), "class_patients": patients.tolist(), "n": len(cases.truth)}
