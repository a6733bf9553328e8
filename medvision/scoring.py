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
from medvision.datamodules.masked import MaskedDataModule
from medvision.errors import RunError
from medvision.evaluation.mask_scores import score_names
from medvision.evaluation.mask_text import segmentation_report
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.predictions import prediction_table
from medvision.evaluation.segmentation import segmentation_metrics, segmentation_table
from medvision.evaluation.text import classification_report
from medvision.mask_scoring import MaskScorer, mask_names, save_animation, save_panels
from medvision.reports.page_tables import label_half, mask_half
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
    if isinstance(datamodule, MaskedDataModule) and datamodule.mask_classes:
        collector.reduce = MaskScorer(datamodule, run)
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for split in splits:
            datamodule.predicted_split = split
            collector.path = Path(folder) / f"{split}.npz"
            trainer.predict(task, datamodule=datamodule, return_predictions=False)
            if trainer.is_global_zero:
                with np.load(collector.path) as arrays:
                    tables.append(_rows(datamodule, split, dict(arrays)))
    return pd.concat(tables, ignore_index=True) if tables else None


def _rows(datamodule: DataModule, split: str, arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """The prediction table of a split, of labels, of masks, or of both."""
    index = arrays["index"]
    table = datamodule.image_table.iloc[index].reset_index(drop=True)
    fold = datamodule.assignment.table["fold"].to_numpy()[index]
    table = table.assign(split=split, fold=fold)
    if "probabilities" in arrays:
        classes, multilabel = datamodule.class_names, datamodule.multilabel
        table = prediction_table(table, arrays["probabilities"], classes, multilabel=multilabel)
    if "scores" not in arrays or not isinstance(datamodule, MaskedDataModule):
        return table
    scores = pd.DataFrame(arrays["scores"], columns=score_names(datamodule.mask_classes))
    names = mask_names(list(datamodule.image_table["image"]))
    return segmentation_table(table, scores, [names[row] for row in index], datamodule.unit)


def score_split(
    table: pd.DataFrame, classes: list[str], mask_classes: list[str], *, multilabel: bool, resamples: int, seed: int
) -> dict[str, Any]:
    """The metrics of one split by level: those of the labels, those of the masks, or both.

    Args:
        table: the rows of the split.
        classes: of the labels.
        mask_classes: of the masks, the background first.
        multilabel: several labels an image.
        resamples: of the bootstrap over patients.
        seed: of the bootstrap.
    """
    levels: dict[str, Any] = {}
    if "target" in table:
        levels = classification_metrics(table, classes, multilabel=multilabel, resamples=resamples, seed=seed)
    if "unit" in table:
        masks = segmentation_metrics(table, mask_classes, resamples=resamples, seed=seed)
        levels = {level: {**levels.get(level, {}), **masks.get(level, {})} for level in {**masks, **levels}}
    return levels


def score_report(levels: dict[str, Any]) -> str:
    """The metrics of one split for the terminal."""
    labels, masks = label_half(levels), mask_half(levels)
    parts = [classification_report(labels)] if labels else []
    return "\n\n".join([*parts, segmentation_report(masks)] if masks else parts)


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
        seconds: how long the training took, for the report, where it has just ended.

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
        metrics[split] = score_split(
            fresh[fresh["split"] == split].reset_index(drop=True),
            datamodule.class_names,
            datamodule.mask_classes,
            multilabel=datamodule.multilabel,
            resamples=experiment.evaluation.resamples,
            seed=experiment.seed,
        )
    write_json(run_folder.metrics, metrics)
    if seconds is not None:
        write_json(run_folder.environment, {**read_json(run_folder.environment), "training_seconds": round(seconds, 1)})
    if isinstance(datamodule, MaskedDataModule) and "unit" in fresh:
        save_panels(datamodule, run_folder, fresh, splits[-1])
        if seconds is not None:
            save_animation(datamodule, run_folder)
    write_report(run_folder)
    print(f"\n{splits[-1]} split\n{score_report(metrics[splits[-1]])}")
    print(f"report: {run_folder.report}")
    return metrics
