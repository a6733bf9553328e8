"""What a small run knows, worked by hand: 20 patients with three images each, two classes."""

from dataclasses import replace

import pandas as pd

from medvision.reports.inputs import ReportInputs

EXPERIMENT = {
    "name": "tendon",
    "question": "Does this image show a torn tendon?",
    "seed": 7,
    "data": {
        "name": "tendons",
        "image_size": 224,
        "resize": "letterbox",
        "batch_size": 16,
        "augmentation": "ultrasound",
    },
    "split": {
        "group": "patient",
        "stratify": "label",
        "val": 0.2,
        "test": 0.3,
        "folds": 5,
        "fold": None,
        "official": True,
    },
    "model": {"task": "classification", "backbone": "vgg_small", "pretrained": False, "class_weights": "balanced"},
    "optimizer": {"name": "adamw", "lr": 0.001, "weight_decay": 0.01},
    "schedule": {"name": "plateau"},
    "early_stopping": {"monitor": "val/auroc", "patience": 10},
    "checkpoint": {"monitor": None},
    "evaluation": {"resamples": 2000, "flips": False},
}
ENVIRONMENT = {
    "python": "3.11.7",
    "packages": {"medvision-lightning": "0.1.0", "torch": "2.15.0"},
    "device": "Some CPU",
    "git_commit": "0123456789abcdef",
    "git_changes": False,
    "training_seconds": 1234.5,
    "data": {"channels": 1, "train_counts": [18, 12]},
    "model": {"parameters": 1234567},
}
DECISION = {
    "temperature": 1.7,
    "aggregate": "max",
    "rule": "youden",
    "thresholds": {"image": {"torn": 0.42}, "study": {"torn": 0.37}},
    "chosen_on": {"split": "val", "n": 12, "patients": 4},
    "notes": [],
}


def entry(value, low=None, high=None, method="bca", n=18, patients=6):
    """An entry of `metrics.json`."""
    found = {"value": value, "low": low, "high": high, "n": n, "patients": patients}
    return found if low is None else {**found, "method": method}


LABELS = {
    "accuracy": entry(0.889, 0.7, 0.96),
    "balanced_accuracy": entry(0.85, 0.7, 0.95),
    "auroc": entry(0.912, 0.8, 0.97),
    "sensitivity_torn": entry(0.8, 0.5, 0.95, "wilson"),
    "specificity_torn": entry(0.9, 0.7, 1.0),
    "precision_torn": entry(0.75, 0.4, 0.9),
    "npv_torn": entry(0.95),
    "brier": entry(0.1, 0.05, 0.15),
    "ece": entry(0.04, 0.01, 0.09),
    "uncalibrated": {"ece": entry(0.12, 0.08, 0.2)},
    "confusion_matrix": {"value": [[11, 1], [1, 5]], "classes": ["whole", "torn"], "n": 18},
    "absent_classes": {"value": []},
}
MASKS = {
    "dice": {**entry(0.87, 0.8, 0.9)},
    "dice_tendon": entry(0.87, 0.8, 0.9),
    "iou": entry(0.77, 0.7, 0.82),
    "pixel_sensitivity": entry(0.9, 0.8, 0.95),
    "pixel_precision": entry(0.85, 0.8, 0.9),
    "hd95": {**entry(2.5, 2.0, 3.1), "unit": "mm", "infinite": 0},
    "hd95_tendon": {**entry(2.5, 2.0, 3.1), "unit": "mm", "infinite": 0},
    "assd": {**entry(0.9, 0.7, 1.1), "unit": "mm", "infinite": 0},
    "absent_mask_classes": {"value": [], "n": 18, "patients": 6},
}
SELECTION = {"sweep": "tendon_lr", "metric": "val/auroc", "goal": "maximize", "trials": 24, "value": 0.91234}
HALF = {"n": 9, "patients": 5}
FEMALE = {"name": "female", **HALF, "metrics": {"auroc": entry(0.95, 0.8, 1.0, **HALF)}, "gap": {}}
MALE = {"name": "male", **HALF, "metrics": {"auroc": entry(0.8, 0.6, 0.94, **HALF)}}
SEX = {
    "column": "sex",
    "metric": "auroc",
    "groups": [FEMALE, {**MALE, "gap": {"value": -0.16, "low": -0.3, "high": 0.02}}],
    "worst": "male",
    "smallest": {"name": "male", "n": 9, "patients": 5},
    "left_out": [],
    "unknown": None,
    "notes": [],
}
CASE = {"kind": "mistake", "image": "p01_1.png", "patient": "patient 1", "map": "figures/cases/01_map.jpg"}
CASE |= {"no_evidence": False}


def draw_split():
    """`split.csv`: patients p00 to p09 train, p10 to p13 val, p14 to p19 test; two of five have a torn tendon."""
    patient = [f"p{k:02d}" for k in range(20) for _ in range(3)]
    part = ["train"] * 30 + ["val"] * 12 + ["test"] * 18
    split = pd.DataFrame(
        {"image": [f"{p}_{k % 3}.png" for k, p in enumerate(patient)], "patient": patient, "split": part}
    )
    split["label"] = ["torn" if int(p[1:]) % 5 < 2 else "whole" for p in patient]
    return split.assign(group=patient, fold=[int(p[1:]) % 5 for p in patient], sha256=[f"{k:064x}" for k in range(60)])


def draw_inputs(**changes):
    """The inputs of a report; `changes` are fields of `ReportInputs`."""
    history = pd.DataFrame({"epoch": range(14), "val/auroc": 0.9})
    inputs = ReportInputs(
        folder="20260101-120000-ab12",
        experiment=EXPERIMENT,
        experiment_text="",
        environment=ENVIRONMENT,
        split=draw_split(),
        predictions=pd.DataFrame(),
        metrics={"test": {"image": LABELS}},
        classes=["whole", "torn"],
        history=history,
        citation="Somebody et al. 2025, A set of tendons.",
        licence="CC BY 4.0",
        url="https://example.org/tendons",
        decision=DECISION,
        curves={"test": {"image": {"roc": {"torn": {}}, "net_benefit": {"torn": {}}, "pr": {}}}},
        subgroups={"test": {"image": [SEX]}},
        cases=[CASE, {**CASE, "kind": "uncertain"}],
    )
    return replace(inputs, **changes)


def change_experiment(section, **values):
    """The experiment with other values in one section."""
    return {**EXPERIMENT, section: {**EXPERIMENT[section], **values}}


def draw_mask_inputs(**changes):
    """The inputs of the report of a segmentation, without labels."""
    model = {"task": "segmentation", "architecture": "unet", "encoder": "resnet18", "pretrained": True}
    fields = {"classes": [], "mask_classes": ["background", "tendon"], "metrics": {"test": {"image": MASKS}}}
    fields |= {"experiment": {**EXPERIMENT, "model": model}, "split": draw_split().assign(label="")}
    fields |= {"decision": None, "curves": {}, "subgroups": {}, "cases": []}
    return draw_inputs(**{**fields, **changes})
