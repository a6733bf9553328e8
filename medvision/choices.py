"""Nested cross-validation: settings are chosen for a fold on inner folds of the other images, never on its own."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medvision.config import load_experiment
from medvision.config.choices import Settings, combinations, to_options
from medvision.config.layers import parse_value
from medvision.config.settings import Experiment
from medvision.errors import RunError
from medvision.evaluation.decision import UNCHANGED, Decision, Decisions
from medvision.evaluation.folds import FoldDecisions
from medvision.evaluation.headline import label_headline
from medvision.evaluation.mask_scores import OVERLAPS
from medvision.parts import OpenData, Part, part_folder, run_parts
from medvision.runs import RunFolder, read_json, read_table, write_json
from medvision.scoring import Scoring


@dataclass(frozen=True)
class Choice:
    """What was chosen for a fold.

    Args:
        settings: {setting: value}, the best combination.
        metric: by which, of all inner folds pooled.
        level: of which cases.
        tried: every combination with the value of the metric, None where it is undefined.
        seconds: that all trainings on inner folds took.
    """

    settings: Mapping[str, Any]
    metric: str
    level: str
    tried: Sequence[Mapping[str, Any]]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they stand in the folder of the choices."""
        return {
            "settings": dict(self.settings),
            "metric": self.metric,
            "level": self.level,
            "tried": [dict(one) for one in self.tried],
            "seconds": self.seconds,
        }


def with_settings(file: Path, settings: Mapping[str, str], part: Experiment) -> Experiment:
    """The experiment of a file with other settings, on the split of a part.

    Args:
        file: the resolved experiment.
        settings: as on the command line, without `--`.
        part: whose `split` it gets.

    Raises:
        ConfigError: a setting that does not exist, or a value that it cannot have.
    """
    experiment = load_experiment([file], to_options(settings))
    return experiment.model_copy(update={"split": part.split})


def inner_parts(file: Path, part: Part, combination: Settings, number: int) -> list[Part]:
    """The runs that try a combination for a fold: one for each inner fold.

    Args:
        file: the resolved experiment of the cross-validation.
        part: the fold.
        combination: the settings to be tried.
        number: of the combination.
    """
    experiment = with_settings(file, combination, part.experiment)
    return [
        Part(
            f"{part.name}-choice-{number}-inner-{inner}",
            experiment.model_copy(update={"split": experiment.split.model_copy(update={"inner_fold": inner})}),
        )
        for inner in range(experiment.split.inner_folds)
    ]


def choices_folder(parent: RunFolder) -> RunFolder:
    """Where the runs on inner folds are, apart from those of the folds themselves."""
    return RunFolder(parent.choices)


def choice_file(parent: RunFolder, name: str) -> Path:
    """What was chosen for a fold."""
    return choices_folder(parent).path / f"{name}.json"


def read_choice(parent: RunFolder, name: str) -> dict[str, Any] | None:
    """`Choice.to_json` of a fold; None where nothing was chosen."""
    file = choice_file(parent, name)
    return read_json(file) if file.is_file() else None


def all_inner_parts(parent: RunFolder, part: Part, choices: Mapping[str, Sequence[str]]) -> list[list[Part]]:
    """For every combination the runs on inner folds of a fold."""
    tried = combinations(choices)
    return [inner_parts(parent.experiment, part, combination, k) for k, combination in enumerate(tried)]


def choose(
    parent: RunFolder, part: Part, choices: Mapping[str, Sequence[str]], data: OpenData | None = None
) -> Part | None:
    """The fold with the settings that were best on its inner folds; what is missing of these is run.

    The best has the highest AUROC (balanced accuracy of three exclusive classes or more, Dice of masks) over the pooled
    predictions of the inner folds, of studies where there are any; of equals the first.

    Args:
        parent: of the cross-validation; its `experiment.yaml` is what the settings are laid over.
        part: the fold, with the settings of the experiment.
        choices: {setting: values}.
        data: what the caller has opened already.

    Returns:
        None where other processes still have runs on its inner folds.

    Raises:
        RunError: the metric is undefined for every combination.
    """
    tried = combinations(choices)
    runs = all_inner_parts(parent, part, choices)
    file = choice_file(parent, part.name)
    if not file.is_file():
        folder = choices_folder(parent)
        if run_parts(folder, list(itertools.chain(*runs)), data=data):
            return None
        write_json(file, _choose_best(folder, part, tried, runs).to_json())
    chosen = read_json(file)["settings"]
    best = next(one for one in tried if {name: parse_value(value) for name, value in one.items()} == chosen)
    return Part(part.name, with_settings(parent.experiment, best, part.experiment))


def _choose_best(folder: RunFolder, part: Part, tried: list[Settings], runs: list[list[Part]]) -> Choice:
    scored = [_score(folder, inner) for inner in runs]
    level, metric, _ = scored[0]
    values = [value for _, _, value in scored]
    known = [value for value in values if value is not None]
    if not known:
        raise RunError(
            f"{folder.path}: {metric} is undefined on the inner folds of {part.name}, so nothing can be chosen by it; "
            "a class may have too few cases there"
        )
    settings = [{name: parse_value(value) for name, value in one.items()} for one in tried]
    environments = [read_json(part_folder(folder, one).environment) for one in itertools.chain(*runs)]
    return Choice(
        settings=settings[values.index(max(known))],
        metric=metric,
        level=level,
        tried=[{**one, metric: value} for one, value in zip(settings, values, strict=True)],
        seconds=round(sum(one.get("training_seconds", 0.0) for one in environments), 1),
    )


def _score(folder: RunFolder, inner: Sequence[Part]) -> tuple[str, str, float | None]:
    """Level, name and value of the headline metric of the pooled inner folds."""
    runs = [part_folder(folder, one) for one in inner]
    tables = [read_table(run.predictions) for run in runs]
    pooled = pd.concat([table[table["split"] == "test"] for table in tables], ignore_index=True)
    experiment, data = inner[0].experiment, read_json(runs[0].environment)["data"]
    scoring = Scoring(
        classes=data["classes"],
        mask_classes=data["mask_classes"],
        multilabel=data["multilabel"],
        evaluation=experiment.evaluation.model_copy(update={"resamples": 0}),
        seed=experiment.seed,
    )
    decision: Decisions = UNCHANGED
    if data["classes"]:
        decision = FoldDecisions({str(k): Decision.from_json(read_json(run.decision)) for k, run in enumerate(runs)})
    levels = scoring.metrics(pooled, decision)
    labelled = bool(data["classes"])
    metric = label_headline(data["classes"], multilabel=data["multilabel"]) if labelled else OVERLAPS[0]
    level = "study" if metric in levels.get("study", {}) else "image"
    return level, metric, levels[level][metric]["value"]
