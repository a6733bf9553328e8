"""What models answered that were trained on more and more of the same images: checks, and one table a size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from medvision.errors import DataError
from medvision.evaluation.comparison import compare_predictions
from medvision.evaluation.folds import Decisions, FoldDecisions, fold_name
from medvision.evaluation.intervals import Entry, Method
from medvision.evaluation.learning_curve import extrapolate, measure
from medvision.evaluation.levels import read_levels
from medvision.evaluation.multiplicity import holm
from medvision.evaluation.operating_point import Decision

KEPT_OF_A_PAIR = ("a", "b", "tests", "needed")
METRICS = (
    "auroc",
    "balanced_accuracy",
    "accuracy",
    "f1",
    "average_precision",
    "kappa",
    "sensitivity",
    "specificity",
    "dice",
    "iou",
    "hd95",
)
"""What is told by number of training images, as far as it is there."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What one training came to.

    Args:
        images: how many images were trained on.
        repeat: its number, from 0.
        split: `split.csv`.
        rows: of the test split of the prediction table, in the order of their names.
        decision: temperature and thresholds.
    """

    images: int
    repeat: int
    split: pd.DataFrame
    rows: pd.DataFrame
    decision: Decision


Curves: TypeAlias = Mapping[str, Mapping[int, Sequence[Answers]]]
"""{model: {number of training images, ascending: the answers of each repeat}}."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """How answers are scored.

    Args:
        classes: of the labels, in order; empty where there are none.
        mask_classes: of the masks, the background first; empty where there are none.
        multilabel: several labels an image.
        resamples: of the bootstrap over patients.
        seed: of the bootstrap.
        interval: how intervals come from the resamples.
    """

    classes: Sequence[str]
    mask_classes: Sequence[str]
    multilabel: bool
    resamples: int
    seed: int
    interval: Method


def check_subsets(curves: Curves) -> None:
    """Refuse trainings whose images are not what a learning curve says of them.

    Raises:
        DataError: a model has not every repeat of every size, validation images differ, two models were trained on
            other images, or a smaller subset of a repeat does not lie in the larger ones.
    """
    first = next(iter(curves.values()))
    wanted = {size: [answers.repeat for answers in repeats] for size, repeats in first.items()}
    chosen = None
    trained: dict[tuple[int, int], set[str]] = {}
    for model, sizes in curves.items():
        if {size: [answers.repeat for answers in repeats] for size, repeats in sizes.items()} != wanted:
            raise DataError(f"learning curves: {model} has not the sizes and repeats of {next(iter(curves))}")
        for answers in (answers for repeats in sizes.values() for answers in repeats):
            where = f"{model}, {answers.images} images, repeat {answers.repeat}"
            validation = set(_images(answers, "val"))
            chosen = validation if chosen is None else chosen
            if validation != chosen:
                raise DataError(f"learning curves: {where} has other validation images than the rest")
            images = set(_images(answers, "train"))
            if trained.setdefault((answers.images, answers.repeat), images) != images:
                raise DataError(f"learning curves: {where} was trained on other images than {next(iter(curves))}")
    for (size, repeat), images in trained.items():
        larger = [other for (more, same), other in trained.items() if same == repeat and more > size]
        if any(images - other for other in larger):
            raise DataError(f"learning curves: the {size} images of repeat {repeat} do not lie in its larger subsets")


def _images(answers: Answers, split: str) -> list[str]:
    return list(answers.split.loc[answers.split["split"] == split, "image"])


def describe_subsets(sizes: Mapping[int, Sequence[Answers]]) -> list[dict[str, Any]]:
    """Who was trained on at every size: images, and in every repeat the groups and the images of each class.

    Args:
        sizes: of one model; all have the same subsets.
    """
    told = []
    for size, repeats in sizes.items():
        tables = [answers.split[answers.split["split"] == "train"] for answers in repeats]
        classes = [
            {str(name): int(count) for name, count in table["label"].value_counts().items()}
            for table in tables
            if "label" in table
        ]
        groups = [int(table["group"].nunique()) for table in tables]
        told.append({"images": size, "groups": groups, "classes": classes})
    return told


def describe_test(answers: Answers) -> dict[str, Any]:
    """Who was tested: images, groups, and the images of each class."""
    rows = answers.split[answers.split["split"] == "test"]
    counts = rows["label"].value_counts().items() if "label" in rows else ()
    return {
        "images": len(rows),
        "groups": int(rows["group"].nunique()),
        "classes": {str(name): int(count) for name, count in counts},
    }


def join_repeats(repeats: Sequence[Answers]) -> tuple[pd.DataFrame, Decisions]:
    """The rows of all repeats as one table, each under its own decision, as those of a repeated cross-validation are.

    Args:
        repeats: of one model and size.

    Returns:
        A prediction table, with a column `repeat` where there are several, and what was decided.
    """
    if len(repeats) == 1:
        return repeats[0].rows, repeats[0].decision
    # A training is the only fold of its repeat.
    tables = [answers.rows.assign(fold=0, repeat=answers.repeat) for answers in repeats]
    decisions = {fold_name(0, answers.repeat): answers.decision for answers in repeats}
    return pd.concat(tables, ignore_index=True), FoldDecisions(decisions)


def keep_headlines(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The metrics that are told by size, each with `sd`, its spread over `repeats`."""
    kept = {}
    for name in METRICS:
        if name in entries:
            values = entries[name].get("repeats")
            known = [value for value in values or [] if value is not None]
            kept[name] = {**entries[name], "sd": float(np.std(known, ddof=1)) if len(known) > 1 else None}
    return kept


def flatten_headlines(entries: Mapping[str, Entry]) -> dict[str, float | None]:
    """The metrics that are told by size as columns: `auroc`, `auroc_low`, `auroc_high`, and so on."""
    ends = {"": "value", "_low": "low", "_high": "high"}
    return {f"{name}{end}": entries[name][key] for name in METRICS if name in entries for end, key in ends.items()}


def compare_models(curves: Curves, question: Question) -> dict[str, dict[int, list[dict[str, Any]]]]:
    """The paired differences between models at every size, repeats averaged.

    Returns:
        {level: {number of training images: pairs of `compare_predictions`, of `METRICS` only}}, with Holm's correction
        over all sizes; empty for one model.
    """
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    if len(curves) < 2:
        return found
    for size in next(iter(curves.values())):
        joined = {model: join_repeats(sizes[size]) for model, sizes in curves.items()}
        compared = compare_predictions(
            {model: table for model, (table, _) in joined.items()},
            {model: decision for model, (_, decision) in joined.items()},
            question.classes,
            question.mask_classes,
            multilabel=question.multilabel,
            resamples=question.resamples,
            seed=question.seed,
            interval=question.interval,
        )
        for level, told in compared["levels"].items():
            pairs = [
                {
                    **{key: pair[key] for key in KEPT_OF_A_PAIR if key in pair},
                    "differences": {name: pair["differences"][name] for name in METRICS if name in pair["differences"]},
                }
                for pair in told["pairs"]
            ]
            found.setdefault(level, {})[size] = pairs
    for sizes in found.values():
        tests = [test for pairs in sizes.values() for pair in pairs for test in pair["tests"]]
        for test, p in zip(tests, holm([test["p"] for test in tests]), strict=True):
            test["p_holm"] = p
    return found


def fit_curves(curves: Curves, question: Question) -> dict[str, dict[str, Any]]:
    """The power law of the headline metric of every model.

    Returns:
        {level: {"headline": metric, "fits": {model: `extrapolate`, None where it is not defined}}}.
    """
    found: dict[str, dict[str, Any]] = {}
    for model, sizes in curves.items():
        read = {
            size: [
                read_levels(
                    answers.rows,
                    question.classes,
                    question.mask_classes,
                    multilabel=question.multilabel,
                    decision=answers.decision,
                )
                for answers in repeats
            ]
            for size, repeats in sizes.items()
        }
        for name, level in next(iter(read.values()))[0].items():
            everything = np.ones(len(level.groups), dtype=bool)
            sides = {size: [levels[name].side(everything) for levels in repeats] for size, repeats in read.items()}
            measured = measure(sides, level.groups, resamples=question.resamples, seed=question.seed)
            fit = None if measured is None else extrapolate(measured, question.seed)
            found.setdefault(name, {"headline": level.headline, "fits": {}})["fits"][model] = fit
    return found
