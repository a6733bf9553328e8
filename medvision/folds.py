"""A cross-validation: its folds as parts of one folder, and their out-of-fold predictions as one result."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from filelock import FileLock

from medvision.choices import all_inner_parts, choices_folder, choose, read_choice
from medvision.config.differences import differences
from medvision.config.settings import Experiment, mode_of
from medvision.config.yaml_file import read_values, values_of
from medvision.data.folds import are_given, fold_count
from medvision.datamodules.base import DataModule
from medvision.errors import ConfigError, DataError, RunError
from medvision.parts import OpenData, Part, part_folder, run_parts, unfinished
from medvision.pooling import Fold, read_fold, write_pooled
from medvision.reports.run_report import write_report
from medvision.runs import RunFolder, read_json, read_table, reads_run, replace_text, write_json

KIND = "cross_validation"


def plan_folds(experiment: Experiment, datamodule: DataModule, repeats: int = 1) -> list[Part]:
    """The runs of a cross-validation.

    Repeat r draws its folds with the seed of the split plus r; first weights, order and augmentation stay those of the
    experiment's seed.

    Args:
        experiment: whose images are split into folds; its `split.fold` is not looked at.
        datamodule: with its images, set up.
        repeats: how often they are split.

    Returns:
        Parts named `fold-3`, of several repeats `repeat-1-fold-3`, both counted from 0.

    Raises:
        ConfigError: repeats of folds that no seed can draw anew.
        DataError: a fold cannot be drawn, a line each.
    """
    if repeats > 1 and are_given(experiment.split):
        setting = "split.fold_by" if experiment.split.fold_by is not None else "split.folds: leave_one_out"
        raise ConfigError(f"--repeats: {setting} says what the folds are, so that every repeat would have the same")
    parts = fold_parts(experiment, fold_count(datamodule.image_table, experiment.split), repeats)
    problems: dict[str, None] = {}
    for part in parts:
        try:
            datamodule.with_split(part.experiment.split, part.experiment.seed)
        except DataError as error:
            problems |= {f"{part.name}: {line}": None for line in error.lines}
    if problems:
        raise DataError(*problems)
    return parts


def fold_parts(experiment: Experiment, folds: int, repeats: int = 1) -> list[Part]:
    """The same of a known number of folds, without looking at images."""
    base = experiment.seed if experiment.split.seed is None else experiment.split.seed
    parts = []
    for repeat in range(repeats):
        drawn = {} if repeats == 1 else {"seed": base + repeat}
        for fold in range(folds):
            split = experiment.split.model_copy(update={"fold": fold, "inner_fold": None, **drawn})
            name = f"fold-{fold}" if repeats == 1 else f"repeat-{repeat}-fold-{fold}"
            parts.append(Part(name, experiment.model_copy(update={"split": split})))
    return parts


def make_plan(parts: Sequence[Part], repeats: int, choices: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """`plan.json` of a cross-validation: what was asked for, and the names of its runs."""
    return {
        "kind": KIND,
        "folds": len(parts) // repeats,
        "repeats": repeats,
        "choose": {name: list(values) for name, values in choices.items()},
        "parts": [part.name for part in parts],
    }


def read_plan(parent: RunFolder) -> dict[str, Any]:
    """`plan.json` of a cross-validation.

    Raises:
        RunError: the folder holds something else.
    """
    if not parent.plan.is_file():
        raise RunError(
            f"{parent.path}: no cross-validation, but a single run; `medvision fit --resume` goes on with it"
        )
    plan: dict[str, Any] = read_json(parent.plan)
    if plan.get("kind") != KIND:
        raise RunError(f"{parent.path}: no cross-validation but a {str(plan.get('kind')).replace('_', ' ')}")
    if len(plan["parts"]) != plan["folds"] * plan["repeats"]:
        raise RunError(f"{parent.plan}: names {len(plan['parts'])} runs of {plan['folds'] * plan['repeats']}")
    return plan


def join_parent(parent: RunFolder, text: str, plan: Mapping[str, Any]) -> None:
    """Make the folder of a cross-validation, or join the one that another process has made.

    Args:
        parent: where its parts will be.
        text: of the resolved experiment.
        plan: what `make_plan` says.

    Raises:
        RunError: the folder holds something else.
        ConfigError: it holds another cross-validation; what differs.
    """
    parent.path.mkdir(parents=True, exist_ok=True)
    with FileLock(parent.path / ".parent.lock"):
        if not parent.experiment.is_file():
            write_json(parent.plan, plan)
            replace_text(parent.experiment, text)
            return
        there = _asked(read_values(parent.experiment), read_plan(parent))
    here = _asked(values_of(text), plan)
    differing = differences(there, here)
    if differing:
        raise ConfigError(f"{parent.path}: holds another cross-validation: {differing}; give another --parent")


def _asked(values: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """All settings, and the options that are part of the plan."""
    options = {f"--{name}": plan[name] for name in ("folds", "repeats", "choose")}
    return {**values, **options}


@reads_run
def planned_parts(parent: RunFolder, experiment: Experiment) -> list[Part]:
    """The parts of a cross-validation as its `plan.json` has them.

    Args:
        parent: of the folds.
        experiment: its resolved experiment.
    """
    plan = read_plan(parent)
    return fold_parts(experiment, plan["folds"], plan["repeats"])


@reads_run
def fold_runs(parent: RunFolder) -> list[RunFolder]:
    """The finished runs of all folds, whose networks are an ensemble.

    Raises:
        RunError: no cross-validation, or one whose folds are not all finished.
    """
    runs = [RunFolder(parent.parts / name) for name in read_plan(parent)["parts"]]
    missing = [run.path.name for run in runs if not run.finished]
    if missing:
        raise RunError(
            f"{parent.path}: {', '.join(missing)} not finished; "
            f"python -m medvision.cross_validate --resume {parent.path} goes on"
        )
    return runs


def run_folds(
    parent: RunFolder,
    parts: Sequence[Part],
    choices: Mapping[str, Sequence[str]],
    *,
    devices: int = 1,
    command: Sequence[str] = (),
    data: OpenData | None = None,
) -> list[Part]:
    """Run every fold that is not finished and that no other process has; with choices, first those on inner folds.

    Args:
        parent: of the folds.
        parts: some of the folds.
        choices: {setting: values} between which is chosen for every fold; empty for none.
        devices: so many processes.
        command: how to start such a process, what follows `python -m`.
        data: what the caller has opened already.

    Returns:
        The folds that are not finished, because other processes have them or one of their inner folds.
    """
    if not choices:
        return run_parts(parent, parts, devices=devices, command=command, data=data)
    if devices > 1:
        inner = [one for part in parts for runs in all_inner_parts(parent, part, choices) for one in runs]
        run_parts(choices_folder(parent), inner, devices=devices, command=command, data=data)
    for part in unfinished(parent, parts):
        chosen = choose(parent, part, choices, data)
        if chosen is not None:
            run_parts(parent, [chosen], data=data)
    return unfinished(parent, parts)


def is_gathered(parent: RunFolder) -> bool:
    """Whether the pooled tables and the report are there, of all folds."""
    return parent.finished and parent.folds.is_file() and not read_json(parent.folds)["missing"]


def finish(parent: RunFolder, parts: Sequence[Part]) -> list[Part]:
    """Pool the folds once all are finished, in one process only.

    Args:
        parent: of the folds.
        parts: all folds.

    Returns:
        The folds that are not finished.
    """
    left = unfinished(parent, parts)
    if not left:
        with FileLock(parent.path / ".gather.lock"):
            if not is_gathered(parent):
                gather(parent, parts)
    return left


@reads_run
def gather(parent: RunFolder, parts: Sequence[Part]) -> RunFolder:
    """Pool the finished folds, and write every table of the parent, its figures and its report.

    Folds that are not finished are left out and named in `folds.json`; of a repeated cross-validation only repeats of
    which every fold is finished enter.

    Args:
        parent: of the folds.
        parts: all folds, in their order, with the settings of the experiment.

    Raises:
        RunError: no fold is finished, or the folds do not belong together.
    """
    folds = _read_folds(parent, parts)
    names = [fold.name for fold in folds]
    missing = [part.name for part in parts if part.name not in names]
    choices = {name: found for name in names if (found := read_choice(parent, name)) is not None}
    # A page that stands there is one of the tables beside it.
    parent.report.unlink(missing_ok=True)
    parent.figures.mkdir(exist_ok=True)
    write_pooled(parent, folds, parts[0].experiment, choices, missing)
    write_report(parent)
    return parent


def validation_values(parent: RunFolder, parts: Sequence[Part]) -> dict[str, list[float]]:
    """By what a cross-validation is judged that looks at no test fold: every validation metric in its best epoch.

    Args:
        parent: of the folds.
        parts: all folds, finished.

    Returns:
        {metric: one value a fold}, without metrics that some fold defined in no epoch.
    """
    histories = [read_table(part_folder(parent, part).history) for part in parts]
    found = {}
    for name in (column for column in map(str, histories[0]) if column.startswith("val/")):
        values = [history[name].min() if mode_of(name) == "min" else history[name].max() for history in histories]
        if all(map(math.isfinite, values)):
            found[name] = [float(value) for value in values]
    return found


def _read_folds(parent: RunFolder, parts: Sequence[Part]) -> list[Fold]:
    """The finished folds, of complete repeats."""
    plan = read_plan(parent)
    open_parts = {part.name for part in unfinished(parent, parts)}
    folds = []
    for repeat in range(plan["repeats"]):
        own = parts[repeat * plan["folds"] : (repeat + 1) * plan["folds"]]
        if plan["repeats"] > 1 and any(part.name in open_parts for part in own):
            continue
        numbers = [(number, part) for number, part in enumerate(own) if part.name not in open_parts]
        named = None if plan["repeats"] == 1 else repeat
        folds += [read_fold(part_folder(parent, part), number, named) for number, part in numbers]
    if not folds:
        whole = "no fold" if plan["repeats"] == 1 else "no repeat with all of its folds"
        raise RunError(
            f"{parent.path}: {whole} is finished; python -m medvision.cross_validate --resume {parent.path} goes on"
        )
    return folds
