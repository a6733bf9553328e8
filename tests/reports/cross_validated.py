"""Draws a cross-validation: the folders of evaluated folds, and the tables that are gathered from them."""

import numpy as np
import pandas as pd

from medvision.config import load_experiment, show
from medvision.evaluation.decision import apply_decision
from medvision.folds import make_plan
from medvision.parts import Part
from medvision.pooling import read_fold, write_pooled
from medvision.reports.run_report import write_report
from medvision.runs import RunFolder, replace_text, write_json, write_table
from medvision.scoring import Scoring
from tests.reports.evaluated import add_metadata, write_cases
from tests.reports.tissue import CLASSES as MASK_CLASSES
from tests.reports.tissue import draw_mask_table

EXPERIMENT = """\
name: knee_folds
question: Does this image of the knee show an effusion?
seed: 7
data: {name: folder, root: images, image_size: 64}
split: {group: patient, folds: FOLDS}
model: {task: classification, backbone: vgg_small}
early_stopping: {monitor: val/auroc, patience: 10}
evaluation: {resamples: 20, threshold: RULE}
"""


def draw_images(patients, each, classes, seed=0):
    """An image table with study and metadata; patients in turn have each class."""
    patient = np.repeat(np.arange(patients), each)
    table = pd.DataFrame({"image": [f"p{p:03d}_{k % each}.png" for k, p in enumerate(patient)]})
    table["patient"] = [f"p{p:03d}" for p in patient]
    table["label"] = np.array(classes, dtype=object)[patient % len(classes)]
    return add_metadata(table)


def folds_of(table, folds, classes, repeat=0):
    """The fold of every image; groups of patients, one of each class, are dealt out, otherwise in every repeat."""
    number = table["patient"].str[1:].astype(int).to_numpy() // classes
    return (number + repeat * (number // folds)) % folds


def draw_answers(table, classes, seed):
    """The rows of a prediction table, as a network that is too sure gives them."""
    random = np.random.default_rng(seed)
    truth = table["label"].map({name: k for k, name in enumerate(classes)}).to_numpy()
    logits = 2.5 * (random.normal(0, 0.9, (len(table), len(classes))) + 0.9 * np.eye(len(classes))[truth])
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = table.rename(columns={"label": "target"})
    rows.insert(len(rows.columns), "predicted", np.array(classes, dtype=object)[chances.argmax(axis=1)])
    return pd.concat([rows, pd.DataFrame(chances, columns=[f"p_{name}" for name in classes])], axis=1)


def draw_history(seed, epochs=12, metrics=("val/f1", "val/auroc")):
    random, epoch = np.random.default_rng(seed), np.arange(epochs)
    history = pd.DataFrame({"epoch": epoch, "lr": 1e-3})
    history["train/loss"] = 1.3 * np.exp(-epoch / 4) + 0.1 + random.normal(0, 0.02, epochs)
    history["val/loss"] = 1.1 * np.exp(-epoch / 4) + 0.35 + random.normal(0, 0.03, epochs)
    for name in metrics:
        history[name] = 0.9 - 0.5 * np.exp(-epoch / 3) + random.normal(0, 0.02, epochs)
    return history


def write_fold(run, rows, fold, number, scoring, seed):
    """Write what an evaluated fold leaves behind.

    Args:
        run: its folder.
        rows: of a prediction table, with `label` or masks, of all images.
        fold: of every image.
        number: of this fold.
        scoring: of the experiment.
        seed: of history and costs.
    """
    run.case_pictures.mkdir(parents=True, exist_ok=True)
    part = np.where(fold == number, "test", np.where(fold == (number + 1) % (fold.max() + 1), "val", "train"))
    rows = rows.assign(split=part, fold=fold)
    label = rows.get("target", "")
    split = rows[["image", "patient", "split", "fold", *({"site", "sex"} & set(rows))]]
    split = split.assign(label=label, group=rows["patient"])
    write_table(run.split, split.assign(sha256=[f"{k:064x}" for k in range(len(rows))]))
    kept = rows[rows["split"] != "train"].reset_index(drop=True)
    data = {"classes": list(scoring.classes), "mask_classes": list(scoring.mask_classes), "multilabel": False}
    data |= {"simulated": True, "url": "", "citation": "Drawn by a program", "licence": "CC0"}
    decision = None
    if scoring.classes:
        decision = scoring.decide(kept[kept["split"] == "val"].reset_index(drop=True))
        write_json(run.decision, decision.to_json())
        kept = apply_decision(kept, scoring.classes, decision)
    write_table(run.predictions, kept)
    tested = kept[kept["split"] == "test"].reset_index(drop=True)
    write_json(run.metrics, {"test": scoring.metrics(tested, decision)})
    if decision is not None:
        write_cases(run, tested, data, decision, 24)
    epochs = 8 + seed % 5
    metrics = ("val/dice",) if scoring.mask_classes else ("val/f1", "val/auroc")
    write_table(run.history, draw_history(seed, epochs, metrics))
    spent = {"training_seconds": 40.0 + seed, "seconds_per_image": 0.01, "peak_memory_mib": 2048, "device": "Some CPU"}
    write_json(run.environment, {"seed": 7, "data": data, "model": {"parameters": 1234}, **spent})
    replace_text(run.report, "<!DOCTYPE html><title>a fold</title>")


def draw_parent(
    path,
    classes=("no", "yes"),
    *,
    folds=5,
    repeats=1,
    patients=30,
    each=3,
    rule="youden",
    leave_out=(),
    choices=None,
    alone=False,
):
    """The folder of a cross-validation of labels, gathered but without its report.

    Args:
        path: of the folder.
        classes: of the labels.
        folds: how many.
        repeats: how often the folds are drawn.
        patients: of the images.
        each: images of a patient.
        rule: of the thresholds.
        leave_out: names of folds that are not finished.
        choices: what was chosen for each fold on inner folds.
        alone: every patient is a fold.
    """
    table = draw_images(patients, each, classes)

    def write(run, number, repeat, scoring, seed):
        fold = pd.factorize(table["patient"])[0] if alone else folds_of(table, folds, len(classes), repeat)
        write_fold(run, draw_answers(table, classes, seed), fold, number, scoring, seed)

    return _gather(path, write, folds, repeats, rule, list(classes), [], leave_out, choices or {})


def draw_mask_parent(path, *, folds=3):
    """The folder of a cross-validation of masks, gathered but without its report."""
    rows = draw_mask_table(unit="mm").drop(columns="split")
    fold = pd.factorize(rows["patient"])[0] % folds

    def write(run, number, repeat, scoring, seed):
        write_fold(run, rows, fold, number, scoring, seed)

    return _gather(path, write, folds, 1, 0.5, [], MASK_CLASSES, (), {})


def _gather(path, write, folds, repeats, rule, classes, mask_classes, leave_out, choices):
    path.mkdir(parents=True)
    parent = RunFolder(path)
    text = EXPERIMENT.replace("FOLDS", str(folds)).replace("RULE", str(rule))
    if mask_classes:
        text = text.replace("task: classification, backbone: vgg_small", "task: segmentation, pretrained: false")
        text = text.replace("name: folder", "name: mask_folder").replace("val/auroc", "val/dice")
    (path / "short.yaml").write_text(text)
    experiment = load_experiment([str(path / "short.yaml")], [])
    replace_text(parent.experiment, show(experiment))
    scoring = Scoring(
        classes=classes, mask_classes=mask_classes, multilabel=False, evaluation=experiment.evaluation, seed=7
    )
    parts, found = [], []
    for repeat in range(repeats):
        for number in range(folds):
            name = f"fold-{number}" if repeats == 1 else f"repeat-{repeat}-fold-{number}"
            parts.append(Part(name, experiment))
            if name not in leave_out:
                run = RunFolder(parent.parts / name)
                write(run, number, repeat, scoring, len(parts))
                found.append(read_fold(run, number, None if repeats == 1 else repeat))
    write_json(parent.plan, make_plan(parts, repeats, {}))
    write_pooled(parent, found, experiment, choices, list(leave_out))
    return parent


def page_text(parent):
    """The text of the page of a cross-validation, made anew."""
    write_report(parent)
    return parent.report.read_text()
