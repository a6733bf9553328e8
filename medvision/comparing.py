"""Several models on the same test patients: they are run where need be, and compared from their tables."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from medvision import folds
from medvision.candidates import TEST, check_candidates, joined_predictions, read_candidate, shared_environment
from medvision.config import show
from medvision.config.settings import EvaluationSettings, Experiment
from medvision.datamodules.base import DataModule
from medvision.errors import ConfigError, RunError
from medvision.evaluation.comparison import compare_predictions
from medvision.learning_curves import gather_learning_curves, learning_curve_parts
from medvision.parts import OpenData, Part, check_models, run_parts
from medvision.reports.comparison_report import read_comparison_inputs, write_comparison
from medvision.reports.comparison_text import comparison_text
from medvision.runs import RunFolder, read_json, reads_run, replace_text, write_json, write_table
from medvision.training import build_task

__all__ = ["compare_runs", "finish", "write_comparison"]

KIND = "comparison"
LEARNING_CURVES = "learning_curves"
# Settings of `data` that change what a network sees of an image, and not which images there are.
PICTURES = ("image_size", "resize", "channels", "batch_size", "num_workers", "augmentation", "cache")


def check_experiments(
    experiments: Sequence[Experiment], data: OpenData, repeats: int | None = None
) -> dict[str, list[Part]]:
    """Refuse, before anything is trained, experiments that would not be tested on the same images.

    Args:
        experiments: two or more.
        data: keeps the data set of the first one open.
        repeats: of a cross-validation; None for a single run each.

    Returns:
        {experiment: its parts}: the folds of a cross-validation, or the experiment alone.

    Raises:
        ConfigError: one name for two experiments, or settings that make their test images differ.
        DataError: what is wrong with the data of one of them.
        ModelError: what is wrong with its network.
    """
    names = [experiment.name for experiment in experiments]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigError(f"expected two experiments or more, each with its own name, got {', '.join(names) or 'none'}")
    if any(experiment.trainer.get("fast_dev_run") for experiment in experiments):
        raise ConfigError("trainer.fast_dev_run: nothing is evaluated, so that nothing can be compared; leave it out")
    parts, tested = {}, {}
    for experiment in reversed(experiments):
        datamodule = data.get(experiment)
        # A missing weight file is told now, not after the hours that the others take.
        build_task(experiment, datamodule.summary())
        alone = [Part(experiment.name, experiment)]
        parts[experiment.name] = alone if repeats is None else folds.plan_folds(experiment, datamodule, repeats)
        drawn = parts[experiment.name][0].experiment
        tested[experiment.name] = _tested_images(
            datamodule.with_split(drawn.split, drawn.seed), folded=repeats is not None
        )
    first, *others = experiments
    problems = [_differing(first, other, tested) for other in others if tested[other.name] != tested[first.name]]
    if problems:
        raise ConfigError(*problems)
    return parts


def _tested_images(datamodule: DataModule, *, folded: bool) -> dict[str, str]:
    """Image -> its label; of a cross-validation every image with its fold, else those of the test split."""
    table = datamodule.split_table()
    rows = table if folded else table[table["split"] == TEST]
    labels = rows["label"].fillna("").astype(str) if "label" in rows else [""] * len(rows)
    numbers = rows["fold"].astype(str) if folded else [""] * len(rows)
    return {str(image): f"{label} {fold}" for image, label, fold in zip(rows["image"], labels, numbers, strict=True)}


def _differing(one: Experiment, other: Experiment, tested: Mapping[str, Mapping[str, str]]) -> str:
    left, right = tested[one.name], tested[other.name]
    images = sum(left.get(image) != right.get(image) for image in {**left, **right})
    settings = [experiment.model_dump(mode="json") for experiment in (one, other)]
    told = [
        f"{section}.{key} {settings[0][section].get(key)} and {settings[1][section].get(key)}"
        for section in ("data", "split")
        for key in {**settings[0][section], **settings[1][section]}
        if key not in PICTURES and settings[0][section].get(key) != settings[1][section].get(key)
    ]
    told += [f"seed {one.seed} and {other.seed}"] if one.seed != other.seed else []
    return (
        f"{one.name} and {other.name} would not be tested on the same ({images} images differ); give both the same "
        f"data, split and seed: {'; '.join(told) or 'no setting differs, but what is in their folders'}"
    )


def begin_comparison(
    parent: RunFolder, experiments: Sequence[Experiment], parts: Mapping[str, Sequence[Part]], repeats: int | None
) -> None:
    """Write what will be run: the folder of every model, and last the plan.

    Args:
        parent: the folder of the comparison, new.
        experiments: checked.
        parts: what `check_experiments` returned.
        repeats: of a cross-validation; None for a single run each.
    """
    runs = {experiment.name: RunFolder(parent.parts / experiment.name) for experiment in experiments}
    for experiment in experiments if repeats is not None else []:
        run = runs[experiment.name]
        run.path.mkdir(parents=True, exist_ok=True)
        replace_text(run.experiment, show(experiment))
        write_json(run.plan, folds.make_plan(parts[experiment.name], repeats or 1, {}))
    values = {experiment.name: experiment.model_dump(mode="json") for experiment in experiments}
    replace_text(parent.experiment, show(experiments[0]))
    write_json(parent.plan, make_plan(parent, runs, values, trained=True, cross_validated=repeats is not None))


def make_plan(
    parent: RunFolder,
    runs: Mapping[str, RunFolder],
    experiments: Mapping[str, Any],
    *,
    trained: bool,
    cross_validated: bool,
) -> dict[str, Any]:
    """`plan.json` of a comparison: which runs, told from the folder of the comparison, and of which experiments.

    Args:
        parent: the folder of the comparison.
        runs: by name; they need not be there yet.
        experiments: of each, resolved, as plain values.
        trained: the runs are parts of the comparison.
        cross_validated: each run is a cross-validation.
    """
    models = [
        {
            "name": name,
            "run": Path(os.path.relpath(run.path, parent.path)).as_posix(),
            "experiment": dict(experiments[name]),
        }
        for name, run in runs.items()
    ]
    return {"kind": KIND, "trained": trained, "cross_validated": cross_validated, "models": models}


def planned_runs(parent: RunFolder) -> dict[str, RunFolder]:
    """The runs of a comparison by name, as its `plan.json` has them; what it has trained lies within."""
    plan = read_json(parent.plan)
    place = parent.inside if plan["trained"] else parent.path.joinpath
    return {model["name"]: RunFolder(place(model["run"]).resolve()) for model in plan["models"]}


def read_experiments(values: Sequence[Mapping[str, Any]]) -> list[Experiment]:
    """Experiments that stand in a plan as plain values."""
    try:
        return [Experiment.model_validate_json(json.dumps(one), strict=True) for one in values]
    except ValueError as error:
        raise RunError(f"plan.json: damaged, an experiment in it is none: {str(error).splitlines()[0]}") from error


def begin_learning_curves(
    parent: RunFolder, experiments: Sequence[Experiment], sizes: Sequence[int], repeats: int
) -> None:
    """Write what will be run: every experiment at every size, with so many seeds."""
    values = [experiment.model_dump(mode="json") for experiment in experiments]
    replace_text(parent.experiment, show(experiments[0]))
    plan = {"kind": LEARNING_CURVES, "sizes": list(sizes), "repeats": repeats, "experiments": values}
    write_json(parent.plan, plan)


def finish(parent: RunFolder, *, devices: int = 1, data: OpenData | None = None) -> int:
    """Run what is not finished and no other process has; when nothing is left, compare, and print the result.

    Args:
        parent: of a comparison or of learning curves, with its plan.
        devices: so many processes share the parts.
        data: what the caller has opened already.

    Returns:
        How many parts other processes still have.

    Raises:
        RunError: the folder holds something else.
    """
    plan: dict[str, Any] = read_json(parent.plan) if parent.plan.is_file() else {"kind": "single_run"}
    if plan["kind"] not in (KIND, LEARNING_CURVES):
        raise RunError(f"{parent.path}: no comparison but a {plan['kind'].replace('_', ' ')}")
    data = OpenData() if data is None else data
    if plan["kind"] == KIND:
        left = run_models(parent, devices=devices, data=data)
        if not left:
            close_comparison(parent)
            print(f"\n{comparison_text(read_comparison_inputs(parent))}", flush=True)
        return left
    experiments = read_experiments(plan["experiments"])
    parts = learning_curve_parts(experiments, plan["sizes"], plan["repeats"], data)
    left = len(run_parts(parent, parts, devices=devices, command=_command(parent), data=data))
    if not left:
        with _closing(parent):
            if not parent.finished:
                reads_run(gather_learning_curves)(parent, parts)
    return left


def _command(parent: RunFolder) -> list[str]:
    return ["medvision.compare", "--resume", str(parent.path)]


def _closing(parent: RunFolder) -> FileLock:
    """Of several processes that end together one writes the result."""
    return FileLock(parent.path / ".closing.lock")


def run_models(parent: RunFolder, *, devices: int, data: OpenData) -> int:
    """Run every part of a comparison that is not finished and that no other process has.

    Args:
        parent: the folder of the comparison, with its plan.
        devices: so many processes share the parts.
        data: what the caller has opened already.

    Returns:
        How many parts other processes still have.
    """
    plan = read_json(parent.plan)
    if not plan["trained"]:
        return 0
    experiments = read_experiments([model["experiment"] for model in plan["models"]])
    if not plan["cross_validated"]:
        parts = [Part(experiment.name, experiment) for experiment in experiments]
        return len(run_parts(parent, parts, devices=devices, command=_command(parent), data=data))
    check_models(experiments, data)
    left = 0
    for experiment in experiments:
        run = RunFolder(parent.parts / experiment.name)
        parts = folds.planned_parts(run, experiment)
        left += len(run_parts(run, parts, devices=devices, command=_command(parent), data=data))
    return left


def close_comparison(parent: RunFolder) -> None:
    """Compare the models when all are finished; of several processes one does it, and not again.

    Raises:
        DataError: the models were not tested on the same patients with the same targets.
        RunError: a model was not evaluated.
    """
    plan = read_json(parent.plan)
    with _closing(parent):
        if parent.finished:
            return
        runs = planned_runs(parent)
        if plan["trained"] and plan["cross_validated"]:
            for model in plan["models"]:
                run = runs[model["name"]]
                (experiment,) = read_experiments([model["experiment"]])
                if not folds.is_gathered(run):
                    folds.gather(run, folds.planned_parts(run, experiment))
        compare_runs(parent, runs)


@reads_run
def compare_runs(parent: RunFolder, runs: Mapping[str, RunFolder]) -> dict[str, Any]:
    """Compare runs from their tables, and write everything that follows, the page last.

    Args:
        parent: where it is written; its plan names the runs.
        runs: by their names.

    Returns:
        What stands in `comparison.json`.

    Raises:
        DataError: the runs were not tested on the same patients with the same targets.
        RunError: a run was not evaluated.
    """
    candidates = [read_candidate(name, run) for name, run in runs.items()]
    check_candidates(candidates)
    first = candidates[0]
    evaluation = EvaluationSettings(**(first.experiment.get("evaluation") or {}))
    found = compare_predictions(
        {candidate.name: candidate.table for candidate in candidates},
        {candidate.name: candidate.decision for candidate in candidates},
        first.data["classes"],
        first.data.get("mask_classes", []),
        multilabel=first.data["multilabel"],
        resamples=evaluation.resamples,
        seed=first.experiment["seed"],
        interval=evaluation.interval,
    )
    parent.figures.mkdir(parents=True, exist_ok=True)
    write_json(parent.environment, shared_environment(candidates))
    write_table(parent.predictions, joined_predictions(parent, candidates))
    write_json(parent.comparison, found)
    write_comparison(parent)
    return found
