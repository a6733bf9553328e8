"""Finished parts of a learning curve whose truth is known: drawn answers in place of trainings."""

from pathlib import Path

import numpy as np
import pandas as pd

from medvision.config.settings import Experiment
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.operating_point import UNCHANGED
from medvision.evaluation.training_sizes import Answers
from medvision.parts import Part, part_folder
from medvision.runs import RunFolder, write_json, write_table

CLASSES = ["well", "sick"]
TEST_PATIENTS, TRAINING_PATIENTS, IMAGES = 60, 500, 2
SIZES = (100, 200, 400, 800)
# How far apart the scores of the classes are, by model: the second learns more from every image.
GAIN = {"small": 0.13, "large": 0.22}


def experiment(name: str, *, resamples: int = 200, seed: int = 7, **split: object) -> Experiment:
    """An experiment that nobody trains."""
    return Experiment(
        name=name,
        question="Is this patient sick?",
        seed=seed,
        data={"name": "folder", "root": "/home/somebody/images"},
        model={"task": "classification", "backbone": name},
        split={"group": "patient", **split},
        evaluation={"resamples": resamples},
    )


def draw_answers(model: str, images: int, repeat: int) -> Answers:
    """Scores that tell the classes apart the better the more images were trained on."""
    return Answers(images, repeat, draw_split(images, repeat), draw_rows(model, images, repeat), UNCHANGED)


def draw_split(images: int, repeat: int) -> pd.DataFrame:
    """Nested training subsets; validation and test stay."""
    order = np.random.default_rng([repeat, 5]).permutation(TRAINING_PATIENTS)
    train = pd.DataFrame({"patient": [f"t{k}" for k in np.repeat(order, IMAGES)]})
    train["split"] = np.where(np.arange(len(train)) < images, "train", "unused")
    others = [
        pd.DataFrame({"patient": [f"{name[0]}{k}" for k in np.repeat(np.arange(count), IMAGES)], "split": name})
        for name, count in (("val", 10), ("test", TEST_PATIENTS))
    ]
    table = pd.concat([train, *others], ignore_index=True)
    shot = table.groupby("patient").cumcount().astype(str)
    odd = table["patient"].str.slice(1).astype(int) % 2
    label = np.array(CLASSES, dtype=object)[odd.to_numpy()]
    return table.assign(image=table["patient"] + "_" + shot + ".png", label=label, group=table["patient"], fold=-1)


def draw_rows(model: str, images: int, repeat: int) -> pd.DataFrame:
    """The test rows: patients are as hard for every model, size and repeat."""
    table = draw_split(images, repeat).query("split == 'test'").sort_values("image", ignore_index=True)
    sick = (table["label"] == "sick").to_numpy()
    patients = pd.factorize(table["patient"], sort=True)[0]
    hard = np.random.default_rng(1).normal(0, 0.5, TEST_PATIENTS)[patients]
    random = np.random.default_rng([len(model), images, repeat])
    apart = GAIN[model] * np.log2(images / 25) + random.normal(0, 0.1)
    logits = apart * (2 * sick - 1) + hard + random.normal(0, 1, len(table))
    chance = np.round(1 / (1 + np.exp(-logits)), 6)
    predicted = np.array(CLASSES, dtype=object)[(chance >= 0.5).astype(int)]
    rows = table[["image", "patient", "split", "fold"]].assign(target=table["label"], predicted=predicted)
    return rows.assign(p_well=1 - chance, p_sick=chance)


def write_part(parent: RunFolder, part: Part, first_seed: int, *, simulated: bool = True) -> None:
    """The tables that a finished run of a part leaves behind."""
    run = part_folder(parent, part)
    run.path.mkdir(parents=True, exist_ok=True)
    repeat = part.experiment.seed - first_seed
    answers = draw_answers(part.experiment.name, part.experiment.split.train_images, repeat)
    write_table(run.split, answers.split)
    write_table(run.predictions, answers.rows)
    write_json(run.decision, UNCHANGED.to_json())
    write_json(run.metrics, {"test": classification_metrics(answers.rows, CLASSES, resamples=50)})
    data = {"classes": CLASSES, "mask_classes": [], "multilabel": False, "simulated": simulated, "url": ""}
    data |= {"citation": "Drawn by a program", "licence": "CC0"}
    seconds = 0.1 * answers.images + 5 * repeat
    environment = {"data": data, "model": {"parameters": 12345, "trained_parameters": 12345}, "device": "Some CPU"}
    write_json(run.environment, {**environment, "training_seconds": seconds, "seconds_per_image": 0.002})
    run.report.write_text("done")


def make_parts(models: tuple[str, ...], sizes: tuple[int, ...], repeats: int, resamples: int = 200) -> list[Part]:
    """The parts as `learning_curve_parts` names them, without data."""
    return [
        Part(f"{name}-{size}-{repeat}", experiment(name, resamples=resamples, seed=7 + repeat, train_images=size))
        for name in models
        for size in sizes
        for repeat in range(repeats)
    ]


def write_parts(
    path: Path,
    models: tuple[str, ...] = ("small", "large"),
    sizes: tuple[int, ...] = SIZES,
    repeats: int = 3,
    *,
    simulated: bool = True,
) -> tuple[RunFolder, list[Part]]:
    """A folder with all parts finished."""
    parent = RunFolder(path)
    parts = make_parts(models, sizes, repeats)
    for part in parts:
        write_part(parent, part, 7, simulated=simulated)
    return parent, parts
