import json

import numpy as np
import pandas as pd
import pytest

from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.segmentation import segmentation_metrics
from medvision.reports.animation import write_animation
from medvision.reports.contact_sheet import contact_sheet
from medvision.reports.panels import PanelCase, choose_cases, name_scores, panel_sheet
from medvision.runs import RunFolder
from tests.reports.evaluated import complete
from tests.reports.tissue import CLASSES, bend_mask, draw_mask_table, draw_tissue

EXPERIMENT = """\
name: knee_sections
seed: 42
data: {name: knee_sections, root: data/knee_sections, image_size: 224}
split: {group: patient, stratify: label, val: 0.15, test: 0.15}
model: {task: classification, backbone: vgg_small}
early_stopping: {monitor: val/f1, patience: 10}
checkpoint: {monitor: null}
evaluation: {resamples: 50}
"""

MASK_EXPERIMENT = """\
name: tissue_three_class
seed: 42
data: {name: tissue_ultrasound, root: data/tissue, image_size: 224}
split: {group: patient, val: 0.15, test: 0.15}
model: {task: segmentation, architecture: unet, encoder: resnet18, pretrained: false}
checkpoint: {monitor: val/dice}
evaluation: {resamples: 50}
"""


def draw_predictions(classes, images, study):
    random = np.random.default_rng(0)
    patients = images // 4
    table = pd.DataFrame(
        {"image": [f"{k}.png" for k in range(images)], "patient": [f"p{k // 4}" for k in range(images)]}
    )
    if study:
        table["study"] = table["patient"]
    split = random.choice(["train", "train", "val", "test"], patients)
    label = random.choice(len(classes), patients)
    table["split"], truth = np.repeat(split, 4)[:images], np.repeat(label, 4)[:images]
    logits = random.normal(size=(images, len(classes))) + 1.6 * np.eye(len(classes))[truth]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = np.array(classes, dtype=object)
    table["target"], table["predicted"] = names[truth], names[chances.argmax(axis=1)]
    return pd.concat([table, pd.DataFrame(chances, columns=[f"p_{name}" for name in classes])], axis=1)


def draw_history(epochs=14):
    random = np.random.default_rng(0)
    epoch = np.arange(epochs)
    noise = random.normal(0, 0.02, (4, epochs))
    history = pd.DataFrame({"epoch": epoch, "lr": np.where(epoch < 9, 1e-3, 1e-4), "seconds": 3.2})
    history["train/loss"] = 1.3 * np.exp(-epoch / 4) + 0.1 + noise[0]
    history["val/loss"] = 1.2 * np.exp(-epoch / 4) + 0.3 + noise[1]
    history["val/f1"] = 0.85 - 0.6 * np.exp(-epoch / 3) + noise[2]
    history["val/auroc"] = 0.95 - 0.4 * np.exp(-epoch / 3) + noise[3]
    history.loc[3, "val/auroc"] = np.nan
    return history


@pytest.fixture
def draw_run(tmp_path):
    """Writes a run folder with drawn predictions, and gives it back."""

    def run_folder(classes=("SQR", "Medial", "Lateral", "Femoral"), *, images=400, study=False, simulated=True):
        run = RunFolder(tmp_path / "20260101-120000-ab12")
        run.figures.mkdir(parents=True, exist_ok=True)
        table = draw_predictions(classes, images, study)
        kept = table[table["split"] != "train"]
        kept.to_csv(run.predictions, index=False)
        split = table[["image", "patient", "split"]].assign(label=table["target"], group=table["patient"], fold=0)
        split["sha256"] = [f"{k:064x}" for k in range(images)]
        split.to_csv(run.split, index=False)
        metrics = {
            name: classification_metrics(kept[kept["split"] == name], list(classes), resamples=50)
            for name in ("val", "test")
        }
        run.metrics.write_text(json.dumps(metrics))
        run.experiment.write_text(EXPERIMENT)
        draw_history().to_csv(run.history, index=False)
        data = {"classes": list(classes), "multilabel": False, "simulated": simulated, "url": "https://example.org"}
        data |= {"citation": "Somebody et al. 2025, A set of knees.", "licence": "CC BY 4.0"}
        environment = {
            "seed": 42,
            "device": "Some CPU",
            "git_commit": None,
            "packages": {"torch": "2.9.0"},
            "data": data,
        }
        environment |= {"model": {"parameters": 1234567, "trained_parameters": 1234567}, "training_seconds": 41.3}
        run.environment.write_text(json.dumps(environment))
        sheet = np.random.default_rng(0).integers(0, 255, (16, 64, 64), dtype=np.uint8)
        contact_sheet(sheet, ["Medial"] * 16).save(run.training_batch)
        return run

    return run_folder


@pytest.fixture
def binary(draw_run):
    """A complete run of two classes and studies, with a chosen threshold and a temperature."""
    return complete(draw_run(("no", "yes"), study=True), rule="youden")


def draw_mask_history(epochs=14):
    epoch = np.arange(epochs)
    history = pd.DataFrame({"epoch": epoch, "lr": 1e-3, "seconds": 3.2})
    history["train/loss"] = 1.3 * np.exp(-epoch / 4) + 0.1
    history["val/loss"] = 1.2 * np.exp(-epoch / 4) + 0.2
    for name, best in (("dice", 0.94), ("iou", 0.9), ("sensitivity", 0.95), ("precision", 0.93)):
        history[f"val/{name}"] = best - 0.7 * np.exp(-epoch / 3)
    return history


def draw_panels(table, size):
    rows = table[table["split"] == "test"]
    cases = []
    for kind, row in choose_cases(rows, CLASSES):
        image, truth = draw_tissue(row, *size)
        found = rows.iloc[row]
        predicted = bend_mask(truth, row, 80 * (1 - found["dice_muscle"]) * size[0] / 300)
        name = f"{kind}: {found['image']}"
        scores = name_scores(found, CLASSES)
        cases.append(PanelCase(image=image, truth=truth, predicted=predicted, caption=name, scores=scores))
    return panel_sheet(cases, CLASSES, "SIMULATED · best, median and worst images of the test split")


@pytest.fixture
def draw_mask_run(tmp_path):
    """Writes the run folder of a segmentation with drawn scores, and gives it back."""

    def run_folder(*, simulated=True, labels=False, side=24, epochs=4, unit="mm"):
        run = RunFolder(tmp_path / "20260101-130000-cd34")
        run.figures.mkdir(parents=True, exist_ok=True)
        table = draw_mask_table(unit=unit)
        label = "sick" if labels else ""
        split = table[["image", "patient", "split"]].assign(label=label, group=table["patient"], fold=0)
        split["sha256"] = [f"{k:064x}" for k in range(len(table))]
        if labels:
            truth, random = np.arange(len(table)) // 4 % 2, np.random.default_rng(0)
            chance = np.clip(0.3 + 0.4 * truth + random.normal(0, 0.2, len(table)), 0.01, 0.99)
            names = np.array(["well", "sick"], dtype=object)
            table["target"], table["predicted"] = names[truth], names[(chance > 0.5).astype(int)]
            table["p_well"], table["p_sick"] = 1 - chance, chance
            split["label"] = table["target"]
        split.to_csv(run.split, index=False)
        kept = table[table["split"] != "train"]
        kept.to_csv(run.predictions, index=False)
        metrics = {}
        for name in ("val", "test"):
            rows = kept[kept["split"] == name]
            metrics[name] = segmentation_metrics(rows, CLASSES, resamples=50)
            if labels:
                of_labels = classification_metrics(rows, ["well", "sick"], resamples=50)
                metrics[name] = {level: of_labels[level] | found for level, found in metrics[name].items()}
        run.metrics.write_text(json.dumps(metrics))
        task = "task: multitask" if labels else "task: segmentation"
        run.experiment.write_text(MASK_EXPERIMENT.replace("task: segmentation", task))
        history = draw_mask_history(epochs)
        history.to_csv(run.history, index=False)
        data = {"classes": ["well", "sick"] if labels else [], "mask_classes": CLASSES, "multilabel": False}
        data |= {"simulated": simulated, "url": "", "citation": "Drawn by a program.", "licence": "CC0"}
        environment = {"seed": 42, "device": "Some CPU", "data": data, "training_seconds": 61.5}
        run.environment.write_text(json.dumps(environment))
        draw_panels(table, (3 * side, 4 * side)).save(run.panels)
        images, truths = map(np.stack, zip(*[draw_tissue(k, 2 * side, 2 * side) for k in range(4)], strict=True))
        shifts = side * np.exp(-np.arange(epochs) / 4)
        masks = np.stack([[bend_mask(t, k, shift) for k, t in enumerate(truths)] for shift in shifts])
        files = run.animation_gif, run.animation_webp
        write_animation(images, truths, masks, range(epochs), history, CLASSES, *files, simulated=simulated)
        return run

    return run_folder
