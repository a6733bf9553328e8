"""What W&B shows of a finished run: its best epoch, its metrics with intervals, and what else was asked for."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import wandb

from medvision.config.settings import Experiment, mode_of
from medvision.data.masks import IGNORE
from medvision.datamodules.base import DataModule
from medvision.datamodules.masked import MaskedDataModule
from medvision.evaluation.mask_text import MASK_SUMMARY
from medvision.evaluation.text import SUMMARY
from medvision.mask_scoring import read_saved_mask
from medvision.models.checkpoints import read_checkpoint
from medvision.reports.figures import confusion_figure
from medvision.reports.overlays import fit_size, scale_image, scale_mask
from medvision.runs import RunFolder, read_json, read_table
from medvision.tracking import current_run, finish, hash_name

MOST_IMAGES = 16
LONGEST_SIDE = 512
# `val/…` are the curves of the training: an entry of the same name would take the place of what a sweep looks at.
SECTIONS = {"val": "validation"}


def log_results(experiment: Experiment, run: RunFolder, datamodule: DataModule) -> None:
    """Record what follows from a finished run in its W&B run, and close that; nothing where none is open.

    What W&B refuses is told in a line: the run folder has everything.

    Args:
        experiment: the resolved experiment.
        run: its folder, evaluated.
        datamodule: set up.
    """
    tracked = current_run()
    if tracked is None:
        return
    try:
        tracked.summary.update(best_values(read_table(run.history), experiment.monitor))
        if run.predictions.is_file():
            metrics, table = read_json(run.metrics), read_table(run.predictions)
            tracked.summary.update(score_values(metrics))
            tracked.log(_pictures(experiment, run, datamodule, metrics, table))
        if experiment.tracking.checkpoints:
            _log_checkpoint(tracked, run)
        finish(0)
    except wandb.Error as error:
        print(f"W&B: {' '.join(str(error).split())}; the run folder has everything", flush=True)
        finish(1)


def best_values(history: pd.DataFrame, monitor: str) -> dict[str, float]:
    """The validation metrics of the epoch whose checkpoint is the best one.

    Args:
        history: a row an epoch.
        monitor: the metric that decides; of equal values the first.

    Returns:
        `best/<metric>`, such as `best/val/auroc`, and `best/epoch`, counted from 0 as in the history; empty where no
        epoch has a value.
    """
    values = history.get(monitor, pd.Series(dtype=float)).dropna()
    if not len(values):
        return {}
    best = int((values.to_numpy().argmin if mode_of(monitor) == "min" else values.to_numpy().argmax)())
    row = history.loc[values.index[best]]
    names = [name for name in map(str, history) if name.startswith("val/") and not pd.isna(row[name])]
    return {"best/epoch": int(row["epoch"])} | {f"best/{name}": float(row[name]) for name in names}


def score_values(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The main metrics of the splits that were scored, with their intervals.

    Args:
        metrics: `metrics.json`.

    Returns:
        `test/auroc`, `test/auroc_low` and `test/auroc_high` of images, `test/patient/auroc`, … of patients and studies;
        the validation split as `validation/auroc`, ….
    """
    found: dict[str, float] = {}
    for split, levels in metrics.items():
        for level, entries in levels.items():
            section = SECTIONS.get(split, split) + ("" if level == "image" else f"/{level}")
            for name in {**SUMMARY, **MASK_SUMMARY}.keys() & entries.keys():
                entry = entries[name]
                told = {"": entry["value"], "_low": entry.get("low"), "_high": entry.get("high")}
                found |= {f"{section}/{name}{end}": value for end, value in told.items() if value is not None}
    return dict(sorted(found.items()))


def _pictures(
    experiment: Experiment, run: RunFolder, datamodule: DataModule, metrics: Mapping[str, Any], table: pd.DataFrame
) -> dict[str, Any]:
    """The confusion matrix of the last split that was scored, and the images that were asked for."""
    split = list(metrics)[-1]
    section = SECTIONS.get(split, split)
    shown: dict[str, Any] = {}
    matrix = metrics[split].get("image", {}).get("confusion_matrix")
    if matrix is not None:
        # A picture: the client's own charts are artifacts, which tell the folder of the run.
        title = f"{'SIMULATED · ' if datamodule.simulated else ''}images of the {section} split"
        figure = confusion_figure(matrix["value"], matrix["classes"])
        shown[f"{section}/confusion_matrix"] = wandb.Image(figure, caption=title)
    if experiment.tracking.images:
        shown["validation/images"] = _images(run, datamodule, table[table["split"] == "val"].reset_index(drop=True))
    return shown


def _images(run: RunFolder, datamodule: DataModule, table: pd.DataFrame) -> list[wandb.Image]:
    """Some validation images, evenly over the split, with truth and answer; no name of a patient or a file."""
    salt = read_json(run.tracking)["salt"]
    row_of = {image: row for row, image in enumerate(datamodule.image_table["image"])}
    images = []
    for position in np.unique(np.linspace(0, len(table) - 1, MOST_IMAGES).astype(int)):
        case = table.iloc[position]
        pixels = datamodule.read_pixels(case["image"])
        height, width = pixels.shape[:2]
        size = fit_size(height, width, min(LONGEST_SIDE, max(height, width)))
        masks = None
        if isinstance(datamodule, MaskedDataModule) and datamodule.mask_classes:
            labels = {**dict(enumerate(datamodule.mask_classes)), IGNORE: "not scored"}
            truth = datamodule.original_mask(row_of[case["image"]])
            drawn = {"truth": truth, "prediction": read_saved_mask(run.path / case["mask"])}
            masks = {
                name: {"mask_data": scale_mask(mask, size), "class_labels": labels} for name, mask in drawn.items()
            }
        caption = _caption(case, salt, simulated=datamodule.simulated)
        images.append(wandb.Image(scale_image(pixels, size), caption=caption, masks=masks))
    return images


def _caption(case: pd.Series, salt: str, *, simulated: bool) -> str:
    patient = case.get("patient", "")
    name = f"patient {hash_name(patient, salt)}" if patient else f"image {hash_name(case['image'], salt)}"
    told = [name] if not simulated else ["SIMULATED", name]
    if "target" in case:
        told += [f"true: {case['target'] or 'none'}", f"predicted: {case['predicted'] or 'none'}"]
    return " · ".join(told)


def _log_checkpoint(tracked: wandb.Run, run: RunFolder) -> None:
    """Record the weights of the best checkpoint alone: the rest of it tells folders of this machine."""
    artifact = wandb.Artifact(f"model-{tracked.id}", type="model")
    state = read_checkpoint(run.best)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / run.best.name
        torch.save({"state_dict": state["state_dict"]}, weights)
        for file in (weights, run.preprocessing):
            # The client takes a copy at once.
            entry = artifact.add_file(str(file), name=file.name)
            entry.local_path = os.path.relpath(entry.local_path or "", run.logs)
    tracked.log_artifact(artifact)
