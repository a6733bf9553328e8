"""Finished runs, and finished cross-validations, as they enter a comparison."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medvision.config.yaml_file import read_values
from medvision.errors import DataError, RunError
from medvision.evaluation.decision import UNCHANGED
from medvision.evaluation.folds import Decisions, read_decision
from medvision.evaluation.same_cases import check_same_cases
from medvision.runs import RunFolder, read_json, read_table, reads_run

TEST = "test"
COSTS = (
    "device",
    "devices",
    "training_seconds",
    "seconds_per_image",
    "peak_memory_mib",
    "peak_gpu_memory_mib",
    "model",
)
_OF_THE_DATA = ("classes", "mask_classes", "multilabel")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A run that was evaluated, or a cross-validation whose folds were gathered.

    Args:
        name: in the comparison.
        run: its folder.
        experiment: the resolved experiment, as plain values.
        data: what `environment.json` knows of the data.
        table: its test rows.
        decision: temperature and thresholds, of one network or of that of each fold.
        environments: `environment.json` of each of its runs: its own, or those of its folds.
    """

    name: str
    run: RunFolder
    experiment: Mapping[str, Any]
    data: Mapping[str, Any]
    table: pd.DataFrame
    decision: Decisions
    environments: Sequence[Mapping[str, Any]]

    @property
    def cross_validated(self) -> bool:
        """Whether every image was tested, each in its fold."""
        return self.run.folds.is_file()


def read_experiment(run: RunFolder) -> dict[str, Any]:
    """The resolved experiment of a run, as plain values."""
    return read_values(run.experiment)


@reads_run
def read_candidate(name: str, run: RunFolder) -> Candidate:
    """What a comparison needs of a run.

    Args:
        name: in the comparison.
        run: that was evaluated.

    Raises:
        RunError: it was not, or not on a test split.
    """
    predictions, environment = read_table(run.predictions), read_json(run.environment)
    table = predictions[predictions["split"] == TEST].reset_index(drop=True)
    if table.empty:
        raise RunError(f"{run.predictions}: no rows of the test split; python -m medvision.evaluate {run.path}")
    parts = [read_json(path) for path in sorted(run.parts.glob("*/environment.json"))]
    return Candidate(
        name=name,
        run=run,
        experiment=read_experiment(run),
        data=environment["data"],
        table=table,
        decision=read_decision(read_json(run.decision)) if run.decision.is_file() else UNCHANGED,
        environments=parts or [environment],
    )


def name_runs(runs: Sequence[RunFolder]) -> dict[str, RunFolder]:
    """A name for each run: that of its experiment, and of its folder where two experiments have the same.

    Raises:
        RunError: fewer than two runs, or a run twice.
    """
    if len(runs) < 2:
        raise RunError(f"a comparison needs two runs or more, got {len(runs)}")
    if len({run.path for run in runs}) < len(runs):
        raise RunError("a run cannot be compared with itself: a folder was given twice")
    names = [str(read_experiment(run)["name"]) for run in runs]
    told = [
        name if names.count(name) == 1 else f"{name} {run.path.name}" for name, run in zip(names, runs, strict=True)
    ]
    return dict(zip(told, runs, strict=True))


def check_candidates(candidates: Sequence[Candidate]) -> None:
    """Refuse runs that cannot be compared.

    Raises:
        DataError: other classes, other test patients, or other targets, a line each.
    """
    first, *others = candidates
    problems = []
    for other in others:
        for key in _OF_THE_DATA:
            left, right = first.data.get(key) or None, other.data.get(key) or None
            if left != right:
                problems.append(f"{first.name} and {other.name} have other {key.replace('_', ' ')}: {left} and {right}")
    if problems:
        raise DataError(*problems)
    check_same_cases({candidate.name: candidate.table for candidate in candidates})


def shared_environment(candidates: Sequence[Candidate]) -> dict[str, Any]:
    """`environment.json` of a comparison: that of the first run, and what each run of each model took."""
    first = candidates[0].environments[0]
    kept = ("seed", "python", "system", "packages", "git_commit", "git_changes")
    of_models = {
        candidate.name: [{key: run[key] for key in COSTS if run.get(key) is not None} for run in candidate.environments]
        for candidate in candidates
    }
    return {**{key: first.get(key) for key in kept}, "data": dict(candidates[0].data), "models": of_models}


def joined_predictions(parent: RunFolder, candidates: Sequence[Candidate]) -> pd.DataFrame:
    """The test rows of all candidates in one table, with a column `model`; paths of masks are told from `parent`."""
    tables = []
    for candidate in candidates:
        table = candidate.table.copy()
        if "mask" in table:
            folder = Path(os.path.relpath(candidate.run.path, parent.path)).as_posix()
            table["mask"] = [f"{folder}/{mask}" if mask else mask for mask in table["mask"].fillna("")]
        table.insert(0, "model", candidate.name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
