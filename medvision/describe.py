"""What is known of a run before its training: environment, data, split, preprocessing, what the network will see."""

from typing import Any

import numpy as np

from medvision.config.settings import Experiment
from medvision.data.loading import EpochBatches
from medvision.data.masks import IGNORE
from medvision.data.pseudonyms import pseudonyms
from medvision.datamodules.base import DataModule
from medvision.environment import describe_environment
from medvision.reports.contact_sheet import contact_sheet
from medvision.reports.overlays import as_colour, draw_fillings, draw_ignored, draw_outlines
from medvision.runs import RunFolder, write_json, write_table
from medvision.tasks.base import Task

MOST_SHOWN = 32
MOST_FRAMES = 4


def preprocessing(task: Task, summary: dict[str, Any]) -> dict[str, Any]:
    """`preprocessing.json`: what must be done to an image, and what the outputs mean."""
    wanted = ("channels", "image_size", "resize", "classes", "multilabel", "mask_classes")
    return {**{key: summary[key] for key in wanted}, "mean": list(task.mean), "std": list(task.std)}


def describe_run(experiment: Experiment, run: RunFolder, datamodule: DataModule, task: Task) -> None:
    """Write what is known before training: environment, data, split, preprocessing, a sheet of training images."""
    summary = datamodule.summary()
    data = {
        **summary,
        "simulated": datamodule.simulated,
        "citation": datamodule.citation,
        "licence": datamodule.licence,
        "url": datamodule.url,
    }
    parameters = sum(parameter.numel() for parameter in task.network.parameters())
    trained = sum(parameter.numel() for parameter in task.network.parameters() if parameter.requires_grad)
    model = {"parameters": parameters, "trained_parameters": trained}
    write_json(run.environment, {**describe_environment(experiment.seed), "data": data, "model": model})
    write_json(run.preprocessing, preprocessing(task, summary))
    write_table(run.split, datamodule.split_table())
    if len(datamodule.skipped):
        write_table(run.skipped, datamodule.skipped)
    save_sheet(experiment, run, datamodule)
    if datamodule.mask_pixels is not None:
        save_shown(run, datamodule)


def save_sheet(experiment: Experiment, run: RunFolder, datamodule: DataModule) -> None:
    """Write a contact sheet of training images as the network sees them, with their masks over them."""
    dataset = datamodule.dataset("train", augmented=True)
    batches = EpochBatches(len(dataset), MOST_SHOWN, shuffle=True, seed=experiment.seed)
    items = next(iter(batches))
    batch = dataset.__getitems__(items)
    images = batch["image"].permute(0, 2, 3, 1).numpy()
    if "mask" in batch:
        images = np.stack([_masked(image, mask) for image, mask in zip(images, batch["mask"].numpy(), strict=True)])
    table = datamodule.image_table
    shown = table["label"].astype(str).tolist() if "label" in table else pseudonyms(table)
    captions = [shown[int(dataset.rows[position])] for _, position in items]
    title = f"{'SIMULATED ' if datamodule.simulated else ''}training images as the network sees them"
    title += "; grey is not scored" if "mask" in batch else ""
    contact_sheet(images, captions, title=title).save(run.training_batch)


def _masked(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    picture = as_colour(image).copy()
    draw_fillings(picture, mask)
    draw_outlines(picture, mask, 2)
    draw_ignored(picture, mask)
    return picture


def shown_rows(datamodule: DataModule) -> list[int]:
    """Validation images with something in their masks, evenly over the split: those whose frames are kept."""
    if datamodule.mask_pixels is None:
        return []
    masks = {int(row): datamodule.mask_pixels[row] for row in datamodule.assignment.rows("val")}
    full = [row for row, mask in masks.items() if np.any((mask > 0) & (mask < IGNORE))]
    return [full[k] for k in np.unique(np.linspace(0, len(full) - 1, MOST_FRAMES).astype(int))] if full else []


def save_shown(run: RunFolder, datamodule: DataModule) -> None:
    """Write the images and true masks of the animation, as the network sees them."""
    dataset, rows = datamodule.dataset("val"), shown_rows(datamodule)
    if not rows:
        return
    position = {int(row): position for position, row in enumerate(dataset.rows)}
    batch = dataset.__getitems__([(0, position[row]) for row in rows])
    images = batch["image"].permute(0, 2, 3, 1).squeeze(-1).numpy()
    run.frames.mkdir(exist_ok=True)
    np.savez_compressed(run.frames / "images.npz", images=images, truths=batch["mask"].numpy(), rows=np.array(rows))
