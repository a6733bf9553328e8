"""A trained run becomes its results: decision, predictions, metrics, curves, subgroups, pictures and the report."""

from typing import Any

import pandas as pd
from lightning.pytorch import Trainer

from medvision.case_pictures import save_cases
from medvision.config.settings import Experiment
from medvision.datamodules.base import DataModule
from medvision.datamodules.masked import MaskedDataModule
from medvision.environment import peak_memory
from medvision.evaluation.decision import UNCHANGED, Decision, apply_decision
from medvision.inference import load_best, predict, save_features
from medvision.mask_scoring import save_animation, save_panels
from medvision.reports.run_report import write_report
from medvision.runs import RunFolder, read_json, read_table, reads_run, write_json, write_table
from medvision.scoring import Scoring, score_report
from medvision.training_range import write_training_range


def evaluate_splits(
    experiment: Experiment,
    run_folder: RunFolder,
    datamodule: DataModule,
    splits: list[str],
    *,
    trainer: Trainer | None = None,
) -> dict[str, Any]:
    """Predict splits, and write everything that follows from the predictions; print the last split's metrics.

    Temperature and thresholds are chosen whenever the validation split is predicted, and are part of the model from
    then on.

    Args:
        experiment: the resolved experiment.
        run_folder: of a trained run.
        datamodule: set up.
        splits: what to predict; other splits that were predicted before are kept.
        trainer: the Trainer that has just trained, or None.

    Returns:
        The metrics of all splits in the run folder; empty on every device but the first.
    """
    labelled = bool(datamodule.class_names)
    if labelled and not run_folder.decision.is_file() and "val" not in splits:
        splits = ["val", *splits]
    task = load_best(experiment, run_folder, datamodule)
    predicted = predict(experiment, run_folder, task, datamodule, splits, trainer)
    if predicted is None:
        return {}
    raw, seconds_per_image = predicted
    save_features(run_folder, task, datamodule)
    _note_costs(run_folder, seconds_per_image)
    scoring = Scoring(
        classes=datamodule.class_names,
        mask_classes=datamodule.mask_classes,
        multilabel=datamodule.multilabel,
        evaluation=experiment.evaluation,
        seed=experiment.seed,
    )
    fresh, decision = _decide(run_folder, scoring, raw) if labelled else (raw, UNCHANGED)
    table = _keep_others(run_folder, fresh, splits)
    write_table(run_folder.predictions, table)
    metrics = _score(run_folder, scoring, decision, table, splits)
    if labelled:
        save_cases(task, datamodule, run_folder, table[table["split"] == splits[-1]], splits[-1])
    if isinstance(datamodule, MaskedDataModule) and "unit" in table:
        save_panels(datamodule, run_folder, table, splits[-1])
        if trainer is not None:
            save_animation(datamodule, run_folder)
    if trainer is not None or not run_folder.training_range.is_file():
        write_training_range(experiment, run_folder, datamodule, task)
    write_report(run_folder)
    print(f"\n{splits[-1]} split\n{score_report(metrics[splits[-1]])}")
    print(f"report: {run_folder.report}")
    return metrics


@reads_run
def _note_costs(run_folder: RunFolder, seconds_per_image: float) -> None:
    """Add time and memory to `environment.json`; a training that was resumed is as long as its epochs."""
    epochs = read_table(run_folder.history)["seconds"] if run_folder.history.is_file() else pd.Series(dtype=float)
    trained = {"training_seconds": round(float(epochs.sum()), 1)} if len(epochs) else {}
    spent = {**trained, "seconds_per_image": round(seconds_per_image, 4), **peak_memory()}
    write_json(run_folder.environment, {**read_json(run_folder.environment), **spent})


@reads_run
def _decide(run_folder: RunFolder, scoring: Scoring, raw: pd.DataFrame) -> tuple[pd.DataFrame, Decision]:
    """The table with calibrated probabilities and decisions; what is chosen for that is chosen on validation rows."""
    validation = raw[raw["split"] == "val"].reset_index(drop=True)
    if len(validation):
        decision = scoring.decide(validation)
        write_json(run_folder.decision, decision.to_json())
    else:
        decision = Decision.from_json(read_json(run_folder.decision))
    return apply_decision(raw, scoring.classes, decision, multilabel=scoring.multilabel), decision


@reads_run
def _keep_others(run_folder: RunFolder, fresh: pd.DataFrame, splits: list[str]) -> pd.DataFrame:
    if not run_folder.predictions.is_file():
        return fresh
    before = read_table(run_folder.predictions)
    return pd.concat([before[~before["split"].isin(splits)], fresh], ignore_index=True)


@reads_run
def _score(
    run_folder: RunFolder, scoring: Scoring, decision: Decision, predictions: pd.DataFrame, splits: list[str]
) -> dict[str, Any]:
    """Write the metrics of all splits asked for; curves and subgroups of the last one, which answers the question."""
    metrics = read_json(run_folder.metrics) if run_folder.metrics.is_file() else {}
    rows = {split: predictions[predictions["split"] == split].reset_index(drop=True) for split in splits}
    metrics |= {split: scoring.metrics(table, decision) for split, table in rows.items()}
    write_json(run_folder.metrics, metrics)
    last = splits[-1]
    for path, found in (
        (run_folder.curves, scoring.curves(rows[last], decision)),
        (run_folder.subgroups, scoring.subgroups(rows[last], decision)),
    ):
        before = read_json(path) if path.is_file() else {}
        write_json(path, {**before, last: found})
    return metrics
