"""What the report of a cross-validation needs beside pooled tables, read from the run folders of its folds."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from medvision.data.splits import UNUSED
from medvision.reports.inputs import FoldInputs, FoldPart, best_epoch
from medvision.runs import RunFolder, read_json, read_table

TESTED = "test"


def is_cross_validation(run: RunFolder) -> bool:
    """Whether a run folder holds folds."""
    return run.folds.is_file() and run.plan.is_file() and read_json(run.plan)["kind"] == "cross_validation"


def read_folds(
    run: RunFolder, experiment: Mapping[str, Any], predictions: pd.DataFrame, split: pd.DataFrame
) -> FoldInputs:
    """What `folds.json` and the folders of the folds tell; what a folder has lost is left out.

    Args:
        run: the parent of the folds.
        experiment: the resolved experiment.
        predictions: the pooled prediction table.
        split: `split.csv`, once an image.

    Raises:
        RunError: the folds were not gathered yet.
    """
    saved = read_json(run.folds)
    used = split[split["split"] != UNUSED]
    alone = bool((used.groupby("fold")["group"].nunique() == 1).all())
    return FoldInputs(
        parts=[_read_part(run, name, told, experiment) for name, told in saved["parts"].items()],
        # A single patient has one class: precision or kappa would be 0 or 1 whatever the network says.
        summary={} if alone else saved[TESTED],
        alone=alone,
        choices=saved.get("choices") or {},
        missing=saved.get("missing") or [],
        repeats=predictions["repeat"].nunique() if "repeat" in predictions else 1,
    )


def _read_part(parent: RunFolder, name: str, told: Mapping[str, Any], experiment: Mapping[str, Any]) -> FoldPart:
    part = RunFolder(parent.parts / name)
    history = read_table(part.history) if part.history.is_file() else None
    environment = read_json(part.environment) if part.environment.is_file() else {}
    return FoldPart(
        name=name,
        link=part.report.relative_to(parent.path).as_posix() if part.report.is_file() else None,
        environment={**told, **environment},
        split=read_table(part.split) if part.split.is_file() else None,
        history=history,
        best_epoch=best_epoch(experiment, history),
    )


def once_tested(split: pd.DataFrame) -> pd.DataFrame:
    """The `split.csv` of a cross-validation, once an image, as one in which every image of a fold is tested.

    Args:
        split: with a column fold, and a column repeat where images stand in it once a repeat.
    """
    first = split[split["repeat"] == split["repeat"].min()] if "repeat" in split else split
    kept = first["split"] if "split" in first else pd.Series(TESTED, index=first.index)
    return first.assign(split=kept.where(kept == UNUSED, TESTED)).reset_index(drop=True)


def add_fold_summary(entries_by_level: Mapping[str, Any], folds: FoldInputs) -> None:
    """Write `folds`, the mean and the standard deviation over folds, into each entry of the pooled metrics.

    Args:
        entries_by_level: {level: {metric: entry}}, pooled.
        folds: with the summary.
    """
    for level, entries in entries_by_level.items():
        for metric, found in folds.summary.get(level, {}).items():
            if metric in entries:
                entries[metric]["folds"] = {**found, "of": len(found["values"])}
