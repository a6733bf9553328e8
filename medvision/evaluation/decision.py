"""Temperature, aggregation and thresholds: chosen on the validation split, applied to every other."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from medvision.evaluation.cases import cases_by_level, image_cases
from medvision.evaluation.folds import Decisions, FoldDecisions, any_temperature, read_decision, rows_by_decision
from medvision.evaluation.operating_point import (
    UNCHANGED,
    Aggregate,
    Decision,
    check_rule,
    choose_threshold,
    decide,
)
from medvision.evaluation.predictions import (
    check_predictions,
    join_names,
    probability_columns,
    shortest_decimals,
)
from medvision.evaluation.temperature import fit_temperature, temper, untemper

__all__ = [
    "UNCHANGED",
    "Aggregate",
    "Decision",
    "Decisions",
    "FoldDecisions",
    "apply_decision",
    "check_rule",
    "choose_decision",
    "read_decision",
    "undo_temperature",
]


def choose_decision(
    raw: pd.DataFrame,
    classes: Sequence[str],
    *,
    multilabel: bool = False,
    aggregate: Aggregate = "mean",
    rule: float | str = 0.5,
    temperature: bool = True,
    split: str = "val",
) -> Decision:
    """Choose temperature and thresholds, on rows that are neither trained on nor tested with.

    Thresholds are chosen on the calibrated probabilities, at each level that the rows have.

    Args:
        raw: the rows of one split of the prediction table, with the probabilities as the network gives them.
        classes: their names in order; the second of two is the positive one.
        multilabel: several classes an image, or none.
        aggregate: how the images of a study or patient become one probability.
        rule: a threshold, `youden`, `f1`, `sensitivity>=X` or `specificity>=X`.
        temperature: whether to fit one.
        split: the name of the rows' split, for the record.

    Raises:
        ConfigError: three exclusive classes or more have no thresholds, and only the mean of probabilities.
        DataError: the table is not one that can be scored.
    """
    check_rule(rule, classes, multilabel=multilabel, aggregate=aggregate)
    check_predictions(raw, classes, multilabel=multilabel, where=f"predictions of the {split} split")
    images = image_cases(raw, classes, multilabel=multilabel)
    decision = Decision(
        aggregate=aggregate,
        rule=rule,
        chosen_on={"split": split, "n": len(images.truth), "patients": images.patients},
    )
    if temperature:
        fitted, note = fit_temperature(images.probabilities, images.truth, images.groups, multilabel=multilabel)
        decision = replace(decision, temperature=fitted, notes=(note,) if note else ())
    if len(classes) != 2 and not multilabel:
        return decision
    calibrated = apply_decision(raw, classes, decision, multilabel=multilabel)
    return _choose_thresholds(calibrated, decision, classes, multilabel)


def _choose_thresholds(
    calibrated: pd.DataFrame, decision: Decision, classes: Sequence[str], multilabel: bool
) -> Decision:
    thresholds: dict[str, dict[str, float]] = {}
    notes = list(decision.notes)
    for level, cases in cases_by_level(calibrated, classes, multilabel=multilabel, decision=decision).items():
        thresholds[level] = {}
        for k in range(len(classes)) if multilabel else [1]:
            chosen, note = choose_threshold(cases.probabilities[:, k], cases.truth[:, k], decision.rule)
            thresholds[level][classes[k]] = chosen
            if note is not None:
                notes.append(f"{level}, {classes[k]}: {note}")
    return replace(decision, thresholds=thresholds, notes=tuple(notes))


def apply_decision(
    raw: pd.DataFrame, classes: Sequence[str], decision: Decisions, *, multilabel: bool = False
) -> pd.DataFrame:
    """Calibrate the probabilities of images, and answer anew.

    Args:
        raw: rows of the prediction table, of any split, with the probabilities as the network gives them.
        classes: their names in order.
        decision: what was chosen, for one network or for those of all folds.
        multilabel: several classes an image, or none.

    Returns:
        The same rows and columns. Temperature 1 leaves the probabilities as they are.
    """
    columns = probability_columns(classes)
    table = raw.copy()
    values = raw[columns].to_numpy(dtype=np.float64, copy=True)
    answers = np.zeros(values.shape, dtype=bool)
    for one, rows in rows_by_decision(decision, raw):
        if one.temperature != 1:
            values[rows] = _shortest(temper(values[rows], one.temperature, multilabel=multilabel), multilabel)
        answers[rows] = decide(values[rows], classes, one, "image", multilabel=multilabel)
    if any_temperature(decision):
        table[columns] = values
    table["predicted"] = np.array([join_names(classes, row) for row in answers], dtype=object)
    return table


def _shortest(tempered: np.ndarray, multilabel: bool) -> np.ndarray:
    """Shortest decimals of float32; near 1 those of what is left to 1, where that stands in no other column."""
    values = shortest_decimals(tempered)
    return np.where(tempered > 0.5, 1 - shortest_decimals(1 - tempered), values) if multilabel else values


def undo_temperature(
    table: pd.DataFrame, classes: Sequence[str], decision: Decisions, *, multilabel: bool = False
) -> pd.DataFrame:
    """The table with the probabilities that the network gave; `predicted` stays the decision.

    Args:
        table: what `apply_decision` returned, or was read again from its CSV.
        classes: their names in order.
        decision: what had been applied.
        multilabel: several classes an image, or none.
    """
    if not any_temperature(decision):
        return table
    columns = probability_columns(classes)
    before = table.copy()
    values = table[columns].to_numpy(dtype=np.float64, copy=True)
    for one, rows in rows_by_decision(decision, table):
        if one.temperature != 1:
            values[rows] = untemper(values[rows], one.temperature, multilabel=multilabel)
    before[columns] = values
    return before
