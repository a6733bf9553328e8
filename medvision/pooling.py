"""The tables of finished folds laid together: each image as the network answered that had not seen its patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medvision.config.settings import Experiment
from medvision.data.splits import UNUSED
from medvision.errors import RunError
from medvision.evaluation.decision import UNCHANGED, Decision, FoldDecisions
from medvision.evaluation.folds import first_repeat, fold_name, fold_summary
from medvision.evaluation.notable import notable_cases
from medvision.runs import RunFolder, read_json, read_table, write_json, write_table
from medvision.scoring import Scoring

TEST = "test"
PICTURES = ("picture", "map")
PEAKS = ("peak_memory_mib", "peak_gpu_memory_mib")
# What `environment.json` says of the training images of one fold is not true of all.
OF_ONE_FOLD = ("train_images", "train_counts", "train_pixels")


@dataclass(frozen=True, eq=False)
class Fold:
    """A finished fold, as its folder tells of it.

    Args:
        run: its folder, whose name it has.
        number: of the fold.
        repeat: of the cross-validation; None where it is not repeated.
        split: its `split.csv`.
        rows: its test rows in the prediction table.
        environment: its `environment.json`.
        metrics: of the test rows, {level: {metric: entry}}.
    """

    run: RunFolder
    number: int
    repeat: int | None
    split: pd.DataFrame
    rows: pd.DataFrame
    environment: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.run.path.name

    def costs(self) -> dict[str, Any]:
        """How large it was, and what it cost, as far as that was measured."""
        sizes = {name: int((self.split["split"] == name).sum()) for name in ("train", "val", TEST)}
        patients = {"patients": int(self.rows["patient"].nunique())} if "patient" in self.rows else {}
        measured = ("training_seconds", "seconds_per_image", *PEAKS)
        known = {name: self.environment[name] for name in measured if name in self.environment}
        return {"n": len(self.rows), **patients, **sizes, **known}


def read_fold(run: RunFolder, number: int, repeat: int | None) -> Fold:
    """What is needed of a finished fold.

    Args:
        run: its folder.
        number: of the fold.
        repeat: of the cross-validation; None where it is not repeated.

    Raises:
        RunError: the folder lacks a table.
    """
    table, split = read_table(run.predictions), read_table(run.split)
    rows = table[table["split"] == TEST].reset_index(drop=True)
    if repeat is not None:
        rows.insert(list(rows.columns).index("fold"), "repeat", repeat)
        split.insert(list(split.columns).index("fold"), "repeat", repeat)
    return Fold(run, number, repeat, split, rows, read_json(run.environment), read_json(run.metrics)[TEST])


def pool_predictions(parent: RunFolder, folds: Sequence[Fold]) -> pd.DataFrame:
    """The test rows of all folds; paths of masks lead from the parent.

    Raises:
        RunError: the folds have other images, or an image was tested twice in one repeat.
    """
    _check_same_images(folds)
    tables = []
    for fold in folds:
        rows = fold.rows
        if "mask" in rows:
            inside = fold.run.path.relative_to(parent.path).as_posix()
            rows = rows.assign(mask=[f"{inside}/{name}" if name else name for name in rows["mask"]])
        tables.append(rows)
    pooled = pd.concat(tables, ignore_index=True)
    keys = [name for name in ("repeat", "image") if name in pooled]
    twice = pooled[pooled.duplicated(keys, keep=False)]
    if len(twice):
        first = twice["image"].iloc[0]
        tested = ", ".join(fold.name for fold in folds if (fold.rows["image"] == first).any())
        raise RunError(
            f"{parent.path}: {twice['image'].nunique()} images are tested in more than one fold, first {first} "
            f"({tested}); an image has one fold, so these folds are not of one cross-validation"
        )
    return pooled


def _check_same_images(folds: Sequence[Fold]) -> None:
    first = folds[0]
    for fold in folds[1:]:
        if list(fold.split["image"]) != list(first.split["image"]):
            raise RunError(
                f"{fold.run.split}: other images than {first.name} ({len(fold.split)} and {len(first.split)}); the "
                "data set has changed in between; remove the folder of the older fold, and --resume runs it again"
            )
        for column, meaning in (("sha256", "content"), ("mask_sha256", "mask")):
            if column not in first.split:
                continue
            changed = first.split["image"][fold.split[column].to_numpy() != first.split[column].to_numpy()]
            if len(changed):
                raise RunError(
                    f"{fold.run.split}: {len(changed)} images have another {meaning} than in {first.name}, first "
                    f"{changed.iloc[0]}; remove the folder of the older fold, and --resume runs it again"
                )


def pool_splits(folds: Sequence[Fold]) -> pd.DataFrame:
    """Every image with the fold in which it is tested, once a repeat; images of folds that are missing are unused."""
    by_repeat = {fold.repeat: fold.split for fold in reversed(folds)}
    tables = []
    for repeat in sorted(by_repeat, key=lambda number: number or 0):
        tested = [fold.number for fold in folds if fold.repeat == repeat]
        table = by_repeat[repeat]
        tables.append(table.assign(split=[TEST if fold in tested else UNUSED for fold in table["fold"]]))
    return pd.concat(tables, ignore_index=True)


def pool_decisions(folds: Sequence[Fold]) -> FoldDecisions | None:
    """The decision of every fold; None of masks, which have none."""
    found = {
        fold_name(fold.number, fold.repeat): Decision.from_json(read_json(fold.run.decision))
        for fold in folds
        if fold.run.decision.is_file()
    }
    return FoldDecisions(found) if found else None


def pool_environments(folds: Sequence[Fold], choosing: float = 0.0) -> dict[str, Any]:
    """`environment.json` of all folds together: the time of all, the largest memory of any.

    Args:
        folds: of one experiment; versions and device are those of the first.
        choosing: seconds that trainings on inner folds took.
    """
    first = folds[0].environment
    pooled = {**first, "data": {key: value for key, value in first["data"].items() if key not in OF_ONE_FOLD}}
    environments = [fold.environment for fold in folds]
    for name in ("training_seconds", "seconds_per_image"):
        # Of some folds only, the sum would be taken for that of all.
        pooled.pop(name, None)
    if all("training_seconds" in one for one in environments):
        pooled["training_seconds"] = round(sum(one["training_seconds"] for one in environments) + choosing, 1)
    if all("seconds_per_image" in one for one in environments):
        counts = [len(fold.rows) for fold in folds]
        spent = sum(one["seconds_per_image"] * n for one, n in zip(environments, counts, strict=True))
        pooled["seconds_per_image"] = round(spent / sum(counts), 4)
    for name in PEAKS:
        known = [fold.environment[name] for fold in folds if name in fold.environment]
        if known:
            pooled[name] = max(known)
    return pooled


def pool_cases(
    parent: RunFolder, folds: Sequence[Fold], pooled: pd.DataFrame, decision: FoldDecisions
) -> list[dict[str, Any]]:
    """The mistakes and uncertain images of all folds that a reader should see, with the pictures of the folds.

    Of a repeated cross-validation those of the first repeat. An image that its own fold has not drawn is left out.

    Args:
        parent: from which the paths of pictures lead.
        folds: all of them.
        pooled: their test rows.
        decision: of every fold.
    """
    data = folds[0].environment["data"]
    table = first_repeat(pooled)
    chosen = notable_cases(table, data["classes"], multilabel=data["multilabel"], decision=decision)
    drawn = {}
    for fold in folds:
        if fold.repeat != folds[0].repeat or not fold.run.cases.is_file():
            continue
        inside = fold.run.path.relative_to(parent.path).as_posix()
        for case in read_json(fold.run.cases):
            paths = {key: case[key] and f"{inside}/{case[key]}" for key in PICTURES}
            drawn[case["kind"], case["image"]] = {**case, **paths, "fold": fold.name}
    images = table["image"].iloc[chosen["row"]]
    found = (drawn.get(key) for key in zip(chosen["kind"], images, strict=True))
    return [case for case in found if case is not None]


def write_pooled(
    parent: RunFolder,
    folds: Sequence[Fold],
    experiment: Experiment,
    choices: Mapping[str, Mapping[str, Any]],
    missing: Sequence[str],
) -> None:
    """Write every table of a cross-validation.

    Args:
        parent: where they are written.
        folds: that are finished.
        experiment: the resolved experiment of all.
        choices: {fold: what was chosen on its inner folds}; empty where nothing was.
        missing: names of the folds that are not finished.

    Raises:
        RunError: the folds do not belong together.
    """
    pooled, decision = pool_predictions(parent, folds), pool_decisions(folds)
    choosing = sum(found["seconds"] for found in choices.values())
    write_json(parent.environment, pool_environments(folds, choosing))
    write_table(parent.split, pool_splits(folds))
    write_table(parent.predictions, pooled)
    if folds[0].run.skipped.is_file():
        write_table(parent.skipped, read_table(folds[0].run.skipped))
    if decision is not None:
        write_json(parent.decision, decision.to_json())
        write_json(parent.cases, pool_cases(parent, folds, pooled, decision))
    data, said = folds[0].environment["data"], UNCHANGED if decision is None else decision
    scoring = Scoring(
        classes=data["classes"],
        mask_classes=data["mask_classes"],
        multilabel=data["multilabel"],
        evaluation=experiment.evaluation,
        seed=experiment.seed,
    )
    write_json(parent.metrics, {TEST: scoring.metrics(pooled, said)})
    write_json(parent.curves, {TEST: scoring.curves(pooled, said)})
    write_json(parent.subgroups, {TEST: scoring.subgroups(pooled, said)})
    write_json(
        parent.folds,
        {
            TEST: fold_summary({fold.name: fold.metrics for fold in folds}),
            "parts": {fold.name: {**fold.costs(), **_choosing(choices.get(fold.name))} for fold in folds},
            "missing": list(missing),
            "chosen": {name: found["settings"] for name, found in choices.items()},
            "choices": {name: dict(found) for name, found in choices.items()},
        },
    )


def _choosing(choice: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if choice is None else {"choosing_seconds": choice["seconds"]}
