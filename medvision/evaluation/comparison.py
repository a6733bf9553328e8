"""Models compared on the same patients: differences with intervals, tests, and how many patients would settle them."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from medvision.errors import DataError
from medvision.evaluation.answers import Answers
from medvision.evaluation.folds import Decisions, split_repeats
from medvision.evaluation.intervals import Entry, Method
from medvision.evaluation.levels import Level, read_levels
from medvision.evaluation.mask_scores import DISTANCES
from medvision.evaluation.multiplicity import holm
from medvision.evaluation.pair_tests import compare_pair
from medvision.evaluation.paired import Drawn, draw_together
from medvision.evaluation.same_cases import align_tables, check_same_cases
from medvision.evaluation.sample_size import ALPHA, POWER, patients_needed

__all__ = ["check_same_cases", "compare_predictions"]

# Beyond this nobody would plan a study.
MOST_PATIENTS = 1_000_000


def compare_predictions(
    tables: Mapping[str, pd.DataFrame],
    decisions: Mapping[str, Decisions],
    classes: Sequence[str],
    mask_classes: Sequence[str] = (),
    *,
    multilabel: bool = False,
    resamples: int = 2000,
    seed: int = 0,
    interval: Method = "bca",
) -> dict[str, Any]:
    """How far models differ on the same cases, and how sure that is.

    Of tables with a column `repeat` every metric is the mean over repeats, and so is every difference; each patient is
    drawn, or swapped, in all repeats at once.

    Args:
        tables: {model: rows of one split of its prediction table, or of the tests of all its folds}, calibrated and
            decided; two models or more.
        decisions: {model: what was applied to its table}.
        classes: of the labels, in order; empty where there are none.
        mask_classes: of the masks, the background first; empty where there are none.
        multilabel: several labels an image.
        resamples: of the bootstrap over patients; 0 for no intervals.
        seed: of the bootstrap and of permutations.
        interval: how the intervals of each model's metrics come from the resamples; those of differences are always
            percentile intervals, see `paired`.

    Returns:
        Plain values: `models`, their names; `levels`, {level: {n, patients; metrics, {model: {metric: entry}} as in
        `metrics.json`; pairs; holm, {tests, family}}}; `notes`, what a reader must know, a sentence each. A pair has
        `a`, `b`; `differences`, {metric: entry of b minus a, with p and the standard error as `error`}; `tests`, see
        `compare_pair`, with `p_holm`, over all tests of the level; `needed`, {metric: {patients, power, alpha,
        difference}} of every metric with a test and of the headline metric, patients None with the reason as `why`.

    Raises:
        DataError: fewer than two models, other cases, or a table that cannot be scored.
    """
    if len(tables) < 2:
        raise DataError(f"comparison: expected two models or more, got {', '.join(tables) or 'none'}")
    check_same_cases(tables)
    aligned, notes = align_tables(tables)
    answers, more = _read_answers(aligned, decisions, classes, mask_classes, multilabel)
    levels = {
        level: _compare_level(models, resamples=resamples, seed=seed, interval=interval)
        for level, models in answers.items()
    }
    return {"models": list(tables), "levels": levels, "notes": [*_notes(answers), *notes, *more]}


def _read_answers(
    tables: Mapping[str, pd.DataFrame],
    decisions: Mapping[str, Decisions],
    classes: Sequence[str],
    mask_classes: Sequence[str],
    multilabel: bool,
) -> tuple[dict[str, dict[str, Answers]], list[str]]:
    """{level: {model: answers}} of the levels whose cases are the same for all models, and what was left out."""
    read = {
        model: [
            read_levels(repeat, classes, mask_classes, multilabel=multilabel, decision=decisions[model])
            for repeat in split_repeats(table)
        ]
        for model, table in tables.items()
    }
    every = [levels for repeats in read.values() for levels in repeats]
    found, notes = {}, []
    for level in dict.fromkeys(name for levels in every for name in levels):
        if all(level in levels for levels in every) and _same_truth([levels[level] for levels in every]):
            found[level] = {
                model: Answers(tuple(levels[level] for levels in repeats)) for model, repeats in read.items()
            }
        else:
            notes.append(
                f"Level {level} is left out: not every model has it with the same truth, as where images are "
                "aggregated in another way."
            )
    return found, notes


def _same_truth(levels: Sequence[Level]) -> bool:
    first = levels[0]
    return all(
        np.array_equal(level.groups, first.groups)
        and (level.labels is None) == (first.labels is None)
        and (level.masks is None) == (first.masks is None)
        and (level.labels is None or first.labels is None or np.array_equal(level.labels.truth, first.labels.truth))
        and (level.masks is None or first.masks is None or np.array_equal(level.masks.shown, first.masks.shown))
        for level in levels[1:]
    )


def _compare_level(models: Mapping[str, Answers], *, resamples: int, seed: int, interval: Method) -> dict[str, Any]:
    drawn = draw_together(models, resamples=resamples, seed=seed, interval=interval)
    metrics = {
        name: drawn.label_entries(name) | answers.mask_entries(resamples=resamples, seed=seed, interval=interval)
        for name, answers in models.items()
    }
    pairs = [_compare_two(drawn, metrics, a, b, seed) for a, b in combinations(models, 2)]
    tests = [test for pair in pairs for test in pair["tests"]]
    for test, p in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = p
    first = next(iter(models.values()))
    return {
        "n": len(first.first.groups),
        "patients": first.patients,
        "metrics": metrics,
        "pairs": pairs,
        "holm": {
            "tests": sum(test["p"] is not None for test in tests),
            "family": "all tests of this level: every pair of models, every metric that is tested",
        },
    }


def _compare_two(drawn: Drawn, metrics: Mapping[str, Mapping[str, Entry]], a: str, b: str, seed: int) -> dict[str, Any]:
    shared = [name for name in metrics[a] if name in metrics[b]]
    differences = {
        name: drawn.difference(a, b, name) | ({"unit": unit} if (unit := metrics[a][name].get("unit")) else {})
        for name in shared
    }
    tests = compare_pair(drawn.answers[a], drawn.answers[b], seed=seed)
    wanted = dict.fromkeys([drawn.answers[a].first.headline, *(test["metric"] for test in tests)])
    needed = {name: _needed(differences[name]) for name in wanted if name in differences}
    return {"a": a, "b": b, "differences": differences, "tests": tests, "needed": needed}


def _needed(entry: Entry) -> dict[str, Any]:
    """How many patients would settle a difference; never fewer than are there where they do."""
    asked = {"power": POWER, "alpha": ALPHA, "difference": entry["value"]}
    if entry["value"] is None:
        return {"patients": None, **asked, "why": "the difference is undefined"}
    if entry["value"] == 0:
        return {"patients": None, **asked, "why": "there is no difference to be found"}
    if not entry["error"]:
        return {"patients": None, **asked, "why": "its standard error is not known"}
    if entry["p"] < ALPHA:
        return {"patients": entry["patients"], **asked, "why": "the patients here settle it"}
    patients = patients_needed(entry["value"], entry["error"], entry["patients"])
    if patients > MOST_PATIENTS:
        return {"patients": None, **asked, "why": f"more than {MOST_PATIENTS:,} patients"}
    return {"patients": max(patients, entry["patients"] + 1), **asked}


def _notes(answers: Mapping[str, Mapping[str, Answers]]) -> list[str]:
    lines = [
        "A difference is the second model's metric minus the first one's. Each resample draws patients once for all "
        "models, so what is hard for both does not blur it.",
        "Holm's correction is over all tests of a level: every pair of models and every metric that is tested. The p "
        "of a difference is that of its interval, and is not adjusted.",
    ]
    levels = list(answers.values())
    if not levels:
        return lines
    first = next(iter(levels[0].values()))
    if len(first.repeats) > 1:
        lines.append(
            f"Metrics and differences are means over {len(first.repeats)} repeats; intervals and tests draw or swap a "
            "patient in all repeats at once, and say nothing of how far further repeats would differ."
        )
    labels = first.first.labels
    if labels is not None and len(labels.classes) > 2 and not labels.multilabel:
        lines.append(
            "The AUROC of three exclusive classes or more has no test here; its difference has an interval and a p "
            "from resamples."
        )
    if first.first.masks is not None and any(_infinite(model) for models in levels for model in models.values()):
        lines.append(
            f"Infinite distances ({', '.join(DISTANCES)}) are left out of each model's mean, so that such means may be "
            "of other images than those of another model: read their difference beside that of the Dice."
        )
    return lines


def _infinite(model: Answers) -> bool:
    return any(level.masks is not None and bool(level.masks.cases.infinite.any()) for level in model.repeats)
