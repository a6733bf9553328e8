"""The best checkpoint of a run says what it thinks of every image of a split."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import FSDPStrategy

from medvision.callbacks import PredictionCollector
from medvision.config.settings import Experiment
from medvision.datamodules.base import DataModule
from medvision.datamodules.masked import MaskedDataModule
from medvision.errors import RunError
from medvision.evaluation.mask_scores import score_names
from medvision.evaluation.predictions import prediction_table
from medvision.evaluation.segmentation import segmentation_table
from medvision.mask_scoring import MaskScorer, mask_names
from medvision.models.checkpoints import read_checkpoint
from medvision.nodes import on_one_device
from medvision.runs import RunFolder, write_table
from medvision.tasks.base import Task
from medvision.tasks.baseline import BaselineTask
from medvision.training import build_task, build_trainer

MEASURED_AT_ONCE = 64


def load_best(experiment: Experiment, run: RunFolder, datamodule: DataModule) -> Task:
    """The task with the weights of the best checkpoint.

    Args:
        experiment: the resolved experiment.
        run: the run folder.
        datamodule: set up.

    Raises:
        RunError: there is no best checkpoint, or it cannot be read, or is of another network.
        ModelError: a baseline whose estimator cannot be read.
    """
    content = read_checkpoint(run.best)
    task = build_task(experiment, datamodule.summary(), weights=False)
    load_weights(task, content, run)
    return task


def load_weights(task: Task, checkpoint: Mapping[str, Any], run: RunFolder) -> None:
    """Fill a task with the weights of a checkpoint.

    Args:
        task: of the same network.
        checkpoint: from `read_checkpoint`.
        run: whose it is, for the message.

    Raises:
        RunError: it is of another network.
        ModelError: a baseline whose estimator cannot be read.
    """
    try:
        task.load_state_dict(checkpoint["state_dict"])
    except (RuntimeError, LookupError, TypeError, AttributeError, ValueError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError(
            f"{run.best}: not the weights of the network in experiment.yaml, or of another version of medvision: "
            f"{reason[-1].strip()}"
        ) from error


def predict(
    experiment: Experiment,
    run: RunFolder,
    task: Task,
    datamodule: DataModule,
    splits: list[str],
    trainer: Trainer | None = None,
) -> tuple[pd.DataFrame, float] | None:
    """The prediction table of some splits, with the probabilities as the network gives them.

    Args:
        experiment: the resolved experiment.
        run: the run folder; predicted masks are saved there.
        task: with the weights to be used.
        datamodule: set up.
        splits: which splits.
        trainer: the Trainer that has trained, so that its devices are used again; None for a new one.

    Returns:
        Rows of the splits in the order of the image table, and how many seconds an image took, reading and saving
        included; None on every device but the first.
    """
    if trainer is not None and isinstance(trainer.strategy, FSDPStrategy):
        # A network that was sharded for one split cannot be sharded again for the next.
        if not trainer.is_global_zero:
            return None
        trainer = None
    if trainer is None:
        # One device is enough to predict, and gives the numbers that several would.
        alone = on_one_device(experiment.trainer)
        trainer = build_trainer(experiment.model_copy(update={"trainer": alone}), [], [], 1)
    collector = next(callback for callback in trainer.callbacks if isinstance(callback, PredictionCollector))
    if isinstance(datamodule, MaskedDataModule) and datamodule.mask_classes:
        collector.reduce = MaskScorer(datamodule, run)
    tables = []
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for split in splits:
            datamodule.predicted_split = split
            collector.path = Path(folder) / f"{split}.npz"
            trainer.predict(task, datamodule=datamodule, return_predictions=False)
            if trainer.is_global_zero:
                with np.load(collector.path) as arrays:
                    tables.append(_rows(datamodule, split, dict(arrays)))
    if not tables:
        return None
    table = pd.concat(tables, ignore_index=True)
    return table, (time.perf_counter() - start) / len(table)


def save_features(run: RunFolder, task: Task, datamodule: DataModule) -> None:
    """Write `features.csv`: what a baseline measures in every image, without augmentation; nothing of other tasks.

    Args:
        run: the run folder.
        task: fitted.
        datamodule: set up.
    """
    if not isinstance(task, BaselineTask) or not task.measured:
        return
    images, parts = len(datamodule.image_table), []
    for first in range(0, images, MEASURED_AT_ONCE):
        rows = range(first, min(first + MEASURED_AT_ONCE, images))
        pixels = torch.from_numpy(np.stack([datamodule.pixels[row] for row in rows]))
        parts.append(task.measure(pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)).numpy())
    features = pd.DataFrame(np.concatenate(parts), columns=task.measured)
    table = datamodule.split_table().rename(columns={"label": "target"})
    known = [name for name in ("image", "patient", "study", "split", "fold", "target") if name in table]
    write_table(run.features, pd.concat([table[known], features], axis=1))


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
