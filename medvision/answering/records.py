"""What is kept of the answer for one image, and the tables that are made of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.answering.model import Model
from medvision.evaluation.cases import aggregate_probabilities
from medvision.evaluation.operating_point import decide
from medvision.evaluation.predictions import join_names, probability_columns, shortest_decimals

Floats = npt.NDArray[np.float64]
LEVELS = ("study", "patient")
MASKS = "masks"


@dataclass(frozen=True, eq=False)
class Record:
    """The answer for one image, plain values but for `pixels`.

    Args:
        image: its name.
        stamp: of its file, see `Asked`.
        patient: None where it is not known.
        study: likewise.
        probabilities: calibrated, of each member and class; empty without labels.
        areas: of the mask that all members draw together, by mask class without the background; empty without masks.
        areas_each: those of the masks of each member, of several.
        unit: `mm` or `px`: areas are in its square; empty without masks.
        called: what its mask and pictures are called below their folders; empty where none are written.
        unlike: in what the image differs from the training images, empty where in nothing; None if that is not known.
        trained_on: whether a member has learned from this very image or was tuned on it; None of an array, and where
            the model does not tell.
        pixels: the mask, (H, W) uint8, where it is not written.
    """

    image: str
    stamp: list[int | str]
    patient: str | None
    study: str | None
    probabilities: list[list[float]]
    areas: list[float]
    areas_each: list[list[float]]
    unit: str
    called: str
    unlike: str | None
    trained_on: bool | None
    pixels: npt.NDArray[np.uint8] | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of images.

    Args:
        images: one row an image, see `medvision.predict.predict`.
        studies: one row a study that is known: `study`, `images` (how many), `predicted`, `p_<class>`, of several
            networks `sd_<class>`; None without labels or known studies.
        patients: likewise, of patients.
        skipped: `image` and `reason` of those that cannot be read.
    """

    images: pd.DataFrame
    studies: pd.DataFrame | None
    patients: pd.DataFrame | None
    skipped: pd.DataFrame


def make_answers(model: Model, records: Sequence[Record], skipped: dict[str, str]) -> Answers:
    """The tables of some records.

    Args:
        model: that has answered.
        records: of images, in the order of the table.
        skipped: image -> why it cannot be read.
    """
    levels = {level: _unite(model, records, level) for level in LEVELS}
    return Answers(
        _image_table(model, records),
        levels["study"],
        levels["patient"],
        pd.DataFrame({"image": list(skipped), "reason": list(skipped.values())}, dtype=object),
    )


def _image_table(model: Model, records: Sequence[Record]) -> pd.DataFrame:
    table = pd.DataFrame({"image": [record.image for record in records]}, dtype=object)
    for name in ("patient", "study"):
        values = [getattr(record, name) for record in records]
        if any(value is not None for value in values):
            table[name] = pd.Series(values, dtype=object)
    if model.classes:
        shape = len(records), len(model.members), len(model.classes)
        said = np.array([record.probabilities for record in records], dtype=np.float64).reshape(shape)
        _add_labels(table, model, said, model.level)
    if model.mask_classes:
        _add_masks(table, model, records)
    if model.ranges:
        table["unlike"] = pd.Series([record.unlike for record in records], dtype=object)
    known = [record.trained_on for record in records]
    table["trained_on"] = pd.Series(known, dtype=object if None in known else bool)
    return table


def _add_labels(table: pd.DataFrame, model: Model, said: Floats, level: str) -> None:
    """Add the answers to a table, from (n, members, K) float64."""
    mean = said.mean(axis=1)
    answers = decide(mean, model.classes, model.decision(level), level, multilabel=model.multilabel)
    table["predicted"] = pd.Series([join_names(model.classes, row) for row in answers], dtype=object)
    alone = len(model.members) == 1 and level == "image"
    # Those of one network are short already, as they stand in the table of its run.
    table[probability_columns(model.classes)] = mean if alone else shortest_decimals(mean)
    if len(model.members) > 1:
        table[[f"sd_{name}" for name in model.classes]] = shortest_decimals(said.std(axis=1, ddof=1))


def _add_masks(table: pd.DataFrame, model: Model, records: Sequence[Record]) -> None:
    names = model.mask_classes[1:]
    table["unit"] = pd.Series([record.unit for record in records], dtype=object)
    table[[f"area_{name}" for name in names]] = np.array([record.areas for record in records]).reshape(-1, len(names))
    if len(model.members) > 1:
        each = np.array([record.areas_each for record in records]).reshape(len(records), len(model.members), len(names))
        table[[f"sd_area_{name}" for name in names]] = shortest_decimals(each.std(axis=1, ddof=1))
    if any(record.pixels is not None for record in records):
        table["mask"] = pd.Series([record.pixels for record in records], dtype=object)
    elif any(record.called for record in records):
        table["mask"] = pd.Series([f"{MASKS}/{record.called}" for record in records], dtype=object)


def _unite(model: Model, records: Sequence[Record], level: str) -> pd.DataFrame | None:
    """The answers for the studies or patients that are known."""
    known = [record for record in records if getattr(record, level) is not None]
    # An image in tiles has taken the place of a study in training: there are no thresholds for studies of images.
    if not known or not model.classes or (level == "study" and model.preparation.tiles is not None):
        return None
    # The same number may stand for studies of several patients.
    keys = pd.DataFrame(
        {"patient": [record.patient or "" for record in known], level: [getattr(r, level) for r in known]}
    )
    units = keys.groupby(list(dict.fromkeys(keys)), sort=False).ngroup().to_numpy()
    said = np.array([record.probabilities for record in known])
    united = [
        aggregate_probabilities(said[:, k], units, member.decision.aggregate, multilabel=model.multilabel)
        for k, member in enumerate(model.members)
    ]
    first = np.unique(units, return_index=True)[1]
    table = pd.DataFrame({level: keys[level].to_numpy(dtype=object)[first], "images": np.bincount(units)})
    if level == "study" and any(keys["patient"]):
        table.insert(0, "patient", keys["patient"].to_numpy(dtype=object)[first])
    _add_labels(table, model, np.stack(united, axis=1), level)
    return table
