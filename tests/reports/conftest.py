import json

import numpy as np
import pandas as pd
import pytest

from medvision.evaluation.metrics import classification_metrics
from medvision.reports.contact_sheet import contact_sheet
from medvision.runs import RunFolder

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
    for k, name in enumerate(classes):
        table[f"p_{name}"] = chances[:, k]
    return table


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
        run.figures.mkdir(parents=True)
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
