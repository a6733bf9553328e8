"""What a finished run tells with its exported network: numbers and names of classes, no file and no patient."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from medvision import DISTRIBUTION
from medvision.answering.model import Model
from medvision.answering.model_info import ModelInfo, Precision
from medvision.config import load_experiment
from medvision.config.registry import DATAMODULES, TASKS
from medvision.config.settings import Experiment
from medvision.data.augmentation import PRESETS
from medvision.errors import RunError
from medvision.reports.page_tables import count_splits
from medvision.runs import RunFolder, read_json, read_table, reads_run

SCORED = ("val", "test")
SPACING = ("row_mm", "column_mm")
OWN = "own"
"""In place of a class or a file of the user's own, whose name tells of a machine."""

# How the images of a data set are seen; all its other settings may name files, folders and columns.
SEEN = ("image_size", "resize", "channels", "batch_size")
RESEARCH_ONLY = (
    "Research only; not for clinical use: no diagnosis, treatment or decision about a person may rest on it."
)
SIMULATED = "It was trained on SIMULATED images, which a program drew: its answers say nothing of patients."


@reads_run
def describe_run(folder: RunFolder, model: Model, precision: Precision) -> ModelInfo:
    """What is handed on with the network of a run.

    Args:
        folder: a finished run, no folder of several.
        model: as `answers.open_model` opens it.
        precision: of the network that is handed on.

    Raises:
        RunError: several networks, or files that do not fit together.
    """
    if len(model.members) != 1:
        raise RunError(f"{folder.path}: holds {len(model.members)} networks; export the run of one fold, below parts")
    experiment = load_experiment([str(folder.experiment)], [])
    data = read_json(folder.environment)["data"]
    split = read_table(folder.split)
    scores = read_json(folder.metrics) if folder.metrics.is_file() else {}
    member, preparation, simulated = model.members[0], model.preparation, bool(data.get("simulated", False))
    return ModelInfo(
        format=1,
        name=experiment.name,
        identity=model.identity,
        task=experiment.model["task"] if experiment.model["task"] in TASKS else OWN,
        question=experiment.question,
        classes=model.classes,
        multilabel=model.multilabel,
        mask_classes=model.mask_classes,
        image_size=preparation.size,
        resize=preparation.fit,
        channels=preparation.channels,
        tiles=preparation.tiles,
        window_overlap=experiment.evaluation.window_overlap if preparation.fit == "none" else None,
        batch_size=model.batch_size,
        patients=model.patients,
        decision=member.decision.to_json(),
        training_range=None if member.training_range is None else member.training_range.to_json(),
        pixel_spacing=_spacing(split),
        simulated=simulated,
        precision=precision,
        medvision=importlib.metadata.version(DISTRIBUTION),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        licence=data.get("licence", ""),
        citation=data.get("citation", ""),
        data=_counts(split, model.classes),
        metrics={part: scores[part] for part in SCORED if part in scores},
        intended_use=_intended_use(experiment.question, model, simulated=simulated),
        experiment=portable(experiment),
    )


def portable(experiment: Experiment) -> dict[str, Any]:
    """The resolved experiment without what tells of a machine, a data set's files or an account.

    Args:
        experiment: of the run.

    Returns:
        Plain values; `Experiment.model_validate` takes them.
    """
    values = experiment.model_dump(mode="json", exclude={"tracking"})
    data, model = values["data"], values["model"]
    augmentation = data.get("augmentation", "none")
    values["data"] = {
        "name": data["name"] if data["name"] in DATAMODULES else OWN,
        **{key: data[key] for key in SEEN if key in data},
        "augmentation": augmentation if augmentation in PRESETS else OWN,
    }
    shipped = model["task"] in TASKS
    values["model"] = {**(model if shipped else {}), "task": model["task"] if shipped else OWN}
    if isinstance(model.get("pretrained"), str):
        values["model"]["pretrained"] = OWN
    return values


def _spacing(split: pd.DataFrame) -> tuple[float, float] | None:
    """The distances of rows and columns that all images have, in mm."""
    if not set(SPACING) <= set(split):
        return None
    pairs = split[list(SPACING)].astype(float).drop_duplicates().to_numpy()
    if len(pairs) != 1 or np.isnan(pairs).any():
        return None
    return float(pairs[0, 0]), float(pairs[0, 1])


def _counts(split: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """{split: {`images`, `patients`, `classes`}}, the counts of each."""
    labelled = classes if "label" in split else ()
    return {
        row["name"]: {"images": row["images"], "patients": row["patients"], "classes": row["counts"]}
        for row in count_splits(split, labelled)
    }


def _intended_use(question: str, model: Model, *, simulated: bool) -> str:
    asked = f"It answers, for images like those of its data: {question}" if question else _what_it_says(model)
    return " ".join([RESEARCH_ONLY, asked, *([SIMULATED] if simulated else [])])


def _what_it_says(model: Model) -> str:
    parts: Mapping[str, Sequence[str]] = {"every image": model.classes, "every pixel": model.mask_classes[1:]}
    told = [f"{', '.join(names)} for {what}" for what, names in parts.items() if names]
    return f"It tells {' and '.join(told)} of images like those of its data."
