"""A small experiment for each task, on drawn data: what both must do is tested over `KINDS`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from medvision import fit
from medvision.runs import RunFolder
from tests.drawings import draw_folder, draw_masks

SHARED = {
    "name": "discs",
    "seed": 3,
    "split": {"val": 0.2, "test": 0.2},
    "optimizer": {"lr": 0.01},
    "schedule": {"name": "plateau", "patience": 0},
    "trainer": {"max_epochs": 3, "accelerator": "cpu"},
    "evaluation": {"resamples": 50},
}
DATA = {
    "patient_pattern": "(?P<patient>[^/]+)_[0-9]+.png$",
    "image_size": 32,
    "batch_size": 8,
    "augmentation": "ultrasound",
}
FILES = [
    "experiment.yaml",
    "environment.json",
    "split.csv",
    "checkpoints/best.ckpt",
    "checkpoints/last.ckpt",
    "preprocessing.json",
    "history.csv",
    "predictions.csv",
    "metrics.json",
    "curves.json",
    "subgroups.json",
    "report.html",
    "figures/training_batch.png",
]


@dataclass(frozen=True)
class Kind:
    """A task with data drawn for it, and what its runs leave behind."""

    draw: Callable[[Path, int], Path]
    data: dict[str, Any]
    model: dict[str, Any]
    files: list[str]
    history: set[str]
    columns: list[str]
    classes: tuple[list[str], list[str]]
    metric: str


KINDS = {
    "classification": Kind(
        draw=draw_folder,
        data={"name": "folder", **DATA},
        model={"task": "classification", "backbone": "two_layer_cnn", "dropout": 0.2},
        files=[*FILES, "decision.json", "cases.json"],
        history={"train/accuracy", "val/f1", "val/auroc"},
        columns=["target", "predicted", "p_class0"],
        classes=(["class0", "class1"], []),
        metric="accuracy",
    ),
    "segmentation": Kind(
        draw=draw_masks,
        data={
            "name": "mask_folder",
            **DATA,
            "augmentation": "ultrasound_elastic",
            "mask_values": {0: "background", 1: "disc", 2: "bar"},
        },
        model={"task": "segmentation", "architecture": "unet", "encoder": "tu-test_resnet"},
        files=[*FILES, "frames/images.npz", "figures/panels.png", "figures/training.gif", "figures/training.webp"],
        history={"train/dice", "val/dice", "val/iou"},
        columns=["mask", "unit", "dice_disc"],
        classes=([], ["background", "disc", "bar"]),
        metric="dice",
    ),
}


def write_experiment(root: Path, kind: Kind, patients: int = 18, **sections: Any) -> Path:
    """Draw the data into `root/images` and write `root/discs.yaml`; sections replace those of `SHARED`."""
    kind.draw(root / "images", patients)
    content = {**SHARED, **sections, "data": {**kind.data, "root": str(root / "images")}, "model": kind.model}
    (root / "discs.yaml").write_text(yaml.safe_dump(content))
    return root


def run(folder: Path, output: Path, *options: str) -> RunFolder | None:
    """Fit the experiment of a folder as users do."""
    return fit.main([str(folder / "discs.yaml"), f"--output={output}", *options])


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def same_weights(left: Path, right: Path) -> bool:
    a, b = weights(left), weights(right)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
