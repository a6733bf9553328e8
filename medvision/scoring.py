"""A trained run becomes its prediction table, its metrics and its report."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning.pytorch import Trainer

from medvision.callbacks import PredictionCollector
from medvision.config.settings import Experiment
from medvision.datamodules.base import DataModule
from medvision.errors import RunError
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.predictions import prediction_table
from medvision.evaluation.text import classification_report
from medvision.reports.run_report import write_report
from medvision.runs import RunFolder, read_json, read_table, write_json, write_table
from medvision.training import build_task, build_trainer

SEVERAL_DEVICES = ("devices", "strategy", "num_nodes", "sync_batchnorm")


def predict(
    experiment: Experiment, run: RunFolder, datamodule: DataModule, splits: list[str], trainer: Trainer | None = None
) -> pd.DataFrame | None:
    """The prediction table of some splits, by the best checkpoint.

    Args:
        experiment: the resolved experiment.
        run: the run folder.
        datamodule: set up.
        splits: which splits.
        trainer: the Trainer that has trained, so that its devices are used again; None for a new one.

    Returns:
        Rows of the splits in the order of the image table; None on every device but the first.

    Raises:
        RunError: there is no best checkpoint.
    """
    if not run.best.is_file():
        raise RunError(f"{run.best}: no checkpoint; the run was stopped before its first epoch was validated")
    task = build_task(experiment, datamodule.summary(), weights=False)
    if trainer is None:
        # One device is enough to predict, and gives the numbers that several would.
        alone = {key: value for key, value in experiment.trainer.items() if key not in SEVERAL_DEVICES}
        trainer = build_trainer(experiment.model_copy(update={"trainer": alone}), [], [], 1)
    task.load_state_dict(torch.load(run.best, weights_only=True, map_location="cpu")["state_dict"])
    collector = next(callback for callback in trainer.callbacks if isinstance(callback, PredictionCollector))
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for split in splits:
            datamodule.predicted_split = split
            collector.path = Path(folder) / f"{split}.npz"
            trainer.predict(task, datamodule=datamodule, return_predictions=False)
            if trainer.is_global_zero:
                with np.load(collector.path) as arrays:
                    tables.append(_rows(datamodule, split, arrays["index"], arrays["probabilities"]))
    return pd.concat(tables, ignore_index=True) if tables else None


def _rows(datamodule: DataModule, split: str, index: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    table = datamodule.image_table.iloc[index].reset_index(drop=True)
    fold = datamodule.assignment.table["fold"].to_numpy()[index]
    table = table.assign(split=split, fold=fold)
    return prediction_table(table, probabilities, datamodule.class_names, multilabel=datamodule.multilabel)


def evaluate_splits(
    experiment: Experiment,
    run_folder: RunFolder,
    datamodule: DataModule,
    splits: list[str],
    *,
    trainer: Trainer | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Predict splits, and write `predictions.csv`, `metrics.json` and `report.html`; print the last split's metrics.

    Args:
        experiment: the resolved experiment.
        run_folder: of a trained run.
        datamodule: set up.
        splits: what to predict; other splits that were predicted before are kept.
        trainer: the Trainer that has trained, or None.
        seconds: how long the training took, for the report.

    Returns:
        The metrics of all splits in the run folder; empty on every device but the first.
    """
    fresh = predict(experiment, run_folder, datamodule, splits, trainer)
    if fresh is None:
        return {}
    if run_folder.predictions.is_file():
        before = read_table(run_folder.predictions)
        fresh = pd.concat([before[~before["split"].isin(splits)], fresh], ignore_index=True)
    write_table(run_folder.predictions, fresh)
    metrics = read_json(run_folder.metrics) if run_folder.metrics.is_file() else {}
    for split in splits:
        metrics[split] = classification_metrics(
            fresh[fresh["split"] == split].reset_index(drop=True),
            datamodule.class_names,
            multilabel=datamodule.multilabel,
            resamples=experiment.evaluation.resamples,
            seed=experiment.seed,
        )
    write_json(run_folder.metrics, metrics)
    if seconds is not None:
        write_json(run_folder.environment, {**read_json(run_folder.environment), "training_seconds": round(seconds, 1)})
    write_report(run_folder)
    print(f"\n{splits[-1]} split\n{classification_report(metrics[splits[-1]])}")
    print(f"report: {run_folder.report}")
    return metrics
