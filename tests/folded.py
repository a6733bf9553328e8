"""Folders of finished folds, written without training: tables with known answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medvision.config import load_experiment, show
from medvision.config.settings import Experiment
from medvision.evaluation.decision import Decision
from medvision.evaluation.metrics import classification_metrics
from medvision.runs import RunFolder, replace_text, write_json, write_table

CLASSES = ["no", "yes"]
DATA = {"classes": CLASSES, "mask_classes": [], "multilabel": False, "train_counts": [1, 2], "train_images": 3}


def images(patients: int = 12, each: int = 2) -> pd.DataFrame:
    """An image table: every second patient has the finding."""
    rows = [(f"{p}_{n}.png", CLASSES[p % 2], f"p{p:02d}") for p in range(patients) for n in range(each)]
    return pd.DataFrame(rows, columns=["image", "label", "patient"])


def folds_of(table: pd.DataFrame, folds: int, repeat: int = 0) -> np.ndarray:
    """The fold of every image, by pairs of patients: both classes are in each fold, and each repeat has other folds."""
    pair = table["patient"].str[1:].astype(int).to_numpy() // 2
    return (pair + repeat * (pair // folds)) % folds


def experiment_in(folder: Path, *options: str) -> Experiment:
    """A resolved experiment, and `experiment.yaml` of it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plain.yaml").write_text(
        "name: plain\nseed: 3\ndata: {name: folder, root: images, image_size: 32}\n"
        "model: {task: classification, backbone: two_layer_cnn}\nsplit: {folds: 3}\nevaluation: {resamples: 20}\n"
    )
    experiment = load_experiment([folder / "plain.yaml"], list(options))
    replace_text(folder / "experiment.yaml", show(experiment))
    return experiment


def write_fold(
    run: RunFolder, table: pd.DataFrame, fold: np.ndarray, number: int, *, seconds: float = 2.0, skill: float = 1.0
) -> pd.DataFrame:
    """Write what an evaluated fold leaves behind; return its test rows.

    Args:
        run: its folder.
        table: the image table.
        fold: of every image.
        number: of this fold.
        seconds: of its training.
        skill: 1 answers rightly wherever noise does not flip it, 0 by noise alone.
    """
    for folder in (run.path, run.case_pictures):
        folder.mkdir(parents=True, exist_ok=True)
    split = np.where(fold == number, "test", np.where(fold == (number + 1) % (fold.max() + 1), "val", "train"))
    whole = table.assign(group=table["patient"], split=split, fold=fold)
    write_table(run.split, whole.assign(sha256=[f"{name}!" for name in table["image"]]))
    rows = whole[whole["split"] != "train"].rename(columns={"label": "target"}).drop(columns="group")
    noise = np.random.default_rng([number, 5]).normal(0, 0.8, len(rows))
    score = skill * np.where(rows["target"] == "yes", 1.0, -1.0) + noise
    probability = 1 / (1 + np.exp(-score))
    threshold = 0.4 + 0.1 * number
    rows["predicted"] = np.where(probability >= threshold, "yes", "no")
    rows = rows.assign(p_no=1 - probability, p_yes=probability).reset_index(drop=True)
    decision = Decision(temperature=1.5, rule="youden", thresholds=_thresholds(threshold))
    tested = rows[rows["split"] == "test"].reset_index(drop=True)
    metrics = classification_metrics(tested, CLASSES, resamples=20, seed=0, decision=decision)
    write_table(run.predictions, rows)
    write_json(run.decision, decision.to_json())
    write_json(run.metrics, {"test": metrics})
    write_json(run.environment, {"data": DATA, "training_seconds": seconds, "seconds_per_image": 0.1 * (number + 1)})
    write_json(run.cases, [_case(row) for row in tested.to_dict("records")])
    replace_text(run.report, "<html>")
    return tested


def _thresholds(threshold: float) -> dict[str, dict[str, float]]:
    return {level: {"yes": threshold} for level in ("image", "patient")}


def _case(row: dict[str, Any]) -> dict[str, Any]:
    kind = "mistake" if row["target"] != row["predicted"] else "uncertain"
    number = row["image"].removesuffix(".png")
    return {"kind": kind, "image": row["image"], "picture": f"figures/cases/{number}.jpg", "map": None}
