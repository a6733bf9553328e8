"""Cases to be scored: the images of a prediction table, or what those of a study or a patient say together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medvision.data.table import LABEL_SEPARATOR, MOST_LISTED
from medvision.errors import DataError
from medvision.evaluation.folds import Decisions, Rows, rows_by_decision
from medvision.evaluation.operating_point import UNCHANGED, Aggregate, Decision, check_rule, decide
from medvision.evaluation.predictions import THRESHOLD, probability_columns


@dataclass(frozen=True)
class Cases:
    """What is scored, as arrays; a case is an image, a study or a patient.

    Args:
        truth: (n, K) bool, the classes a case shows; one each unless `multilabel`.
        predicted: (n, K) bool, the classes it was said to show.
        probabilities: (n, K) float64 in [0, 1].
        groups: (n,) int64, the number of the patient, 0 to patients - 1.
        classes: K names.
        multilabel: whether a case can show several classes, or none.
    """

    truth: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    groups: np.ndarray
    classes: tuple[str, ...]
    multilabel: bool = False

    @property
    def patients(self) -> int:
        """How many patients the cases come from."""
        return int(self.groups.max()) + 1


def cases_by_level(
    frame: pd.DataFrame, classes: Sequence[str], *, multilabel: bool = False, decision: Decisions = UNCHANGED
) -> dict[str, Cases]:
    """The cases of one split, or of the tests of all folds, at every level it has.

    Images always; studies where a column `study` says which image belongs to which; patients where each has one
    target only, some have several images, and they are not the studies again. The probabilities of a study or patient
    come from its images, by default as their mean. An image without a study is a study of its own.

    Where the aggregate says that a finding in one image is enough (`max`, `noisy_or`), it says so of the truth, too:
    studies and patients may have images with different targets, and are positive if any of them is. A level with a
    unit that stands in several folds, each with a decision of its own, is left out.

    Args:
        frame: a checked prediction table; `predicted` is the decision about each image.
        classes: their names in order.
        multilabel: several classes an image, or none.
        decision: how images become one probability, and the thresholds of studies and patients; of one network or of
            those of all folds.

    Raises:
        DataError: the images of a study have different targets, and the aggregate is their mean.
    """
    images = image_cases(frame, classes, multilabel=multilabel)
    parts = rows_by_decision(decision, frame)
    enough = all(one.aggregate != "mean" for one, _ in parts)
    levels = {"image": images}
    if "study" in frame and _known(frame["study"]).any():
        study = _study_numbers(frame, images.groups)
        torn = _torn(images.truth, study)
        if len(torn) and not enough:
            raise DataError(*_describe_torn(frame, study, torn, unitable=multilabel or len(classes) == 2))
        if not _crosses(study, parts):
            levels["study"] = unite_cases(images, study, "study", parts)
    units = levels.get("study", images)
    one_target = enough or not len(_torn(images.truth, images.groups))
    if images.patients < len(units.truth) and one_target and not _crosses(images.groups, parts):
        levels["patient"] = unite_cases(images, images.groups, "patient", parts)
    return levels


def _crosses(units: np.ndarray, parts: Sequence[tuple[Decision, Rows]]) -> bool:
    """Whether any unit has images under several decisions."""
    return sum(len(np.unique(units[rows])) for _, rows in parts) > int(units.max()) + 1


def image_cases(frame: pd.DataFrame, classes: Sequence[str], *, multilabel: bool = False) -> Cases:
    """One case a row. Where neither patient nor study is known, an image is a group of its own."""
    return Cases(
        truth=_one_hot(frame["target"], classes, multilabel),
        predicted=_one_hot(frame["predicted"], classes, multilabel),
        probabilities=frame[probability_columns(classes)].to_numpy(dtype=np.float64),
        groups=patient_numbers(frame),
        classes=tuple(classes),
        multilabel=multilabel,
    )


def unite_cases(images: Cases, units: np.ndarray, level: str, parts: Sequence[tuple[Decision, Rows]]) -> Cases:
    """Aggregate the probabilities of the images of each unit, and decide anew.

    Args:
        images: one case an image.
        units: (n,) int64, the study or patient of each image, numbered from 0.
        level: study or patient.
        parts: aggregate and thresholds, with the images they are for; no unit has images in two parts.
    """
    classes, multilabel = images.classes, images.multilabel
    _, first = np.unique(units, return_index=True)
    truth, predicted = images.truth[first], np.empty_like(images.truth[first])
    probabilities = np.empty(truth.shape)
    for decision, rows in parts:
        there, own = np.unique(units[rows], return_inverse=True)
        united = aggregate_probabilities(images.probabilities[rows], own, decision.aggregate, multilabel=multilabel)
        probabilities[there] = united
        predicted[there] = decide(united, classes, decision, level, multilabel=multilabel)
        if decision.aggregate != "mean":
            shown = images.truth[rows].astype(np.float64)
            truth[there] = aggregate_probabilities(shown, own, "max", multilabel=multilabel) > 0
    return Cases(truth, predicted, probabilities, images.groups[first], classes, multilabel)


def aggregate_probabilities(
    probabilities: np.ndarray, units: np.ndarray, aggregate: Aggregate, *, multilabel: bool
) -> np.ndarray:
    """One probability a unit from those of its images.

    `mean` takes each image as one opinion about the unit; `max` and `noisy_or`, 1 - prod(1 - p), say that a finding in
    one image is enough, the latter as if images were independent (Pearl 1988, section 4.3.2).

    Args:
        probabilities: (n, K) float64 in [0, 1].
        units: (n,) int64, numbered from 0.
        aggregate: how; of two exclusive classes it is that of the second, and the first is the rest.
        multilabel: each class on its own.

    Returns:
        (units, K) float64.

    Raises:
        ConfigError: other than the mean of three exclusive classes or more.
    """
    check_rule(THRESHOLD, list(map(str, range(probabilities.shape[1]))), multilabel=multilabel, aggregate=aggregate)
    if aggregate == "mean":
        counts = np.bincount(units)
        return np.stack([np.bincount(units, column) for column in probabilities.T], axis=1) / counts[:, None]
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.diff(units[order], prepend=-1))
    ordered = probabilities[order] if multilabel else probabilities[order, 1:]
    if aggregate == "max":
        united = np.maximum.reduceat(ordered, starts)
    else:
        united = 1 - np.multiply.reduceat(1 - ordered, starts)
    return united if multilabel else np.concatenate([1 - united, united], axis=1)


def _known(values: pd.Series) -> pd.Series:
    return values.notna() & (values.astype(str) != "")


def patient_numbers(frame: pd.DataFrame) -> np.ndarray:
    """Numbers in the order of the names, so that the rows' order does not change what a resample draws.

    Where the patient is not known, the study stands for it, and where that is not known the image.
    """
    group = "image " + frame["image"].astype(str)
    for column in ("study", "patient"):
        if column in frame:
            group = (f"{column} " + frame[column].astype(str)).where(_known(frame[column]), group)
    return pd.factorize(group, sort=True)[0]


def _study_numbers(frame: pd.DataFrame, patients: np.ndarray) -> np.ndarray:
    """A study number counts within a patient."""
    image = "image " + frame["image"].astype(str)
    study = ("study " + frame["study"].astype(str)).where(_known(frame["study"]), image)
    return pd.DataFrame({"patient": patients, "study": study}).groupby(["patient", "study"]).ngroup().to_numpy()


def _torn(truth: np.ndarray, units: np.ndarray) -> np.ndarray:
    """The units whose images do not all have the same target."""
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    different = (truth != truth[first[unit]]).any(axis=1)
    return np.unique(units[different])


def _describe_torn(frame: pd.DataFrame, study: np.ndarray, torn: np.ndarray, *, unitable: bool) -> list[str]:
    cure = "leave the column study out if a study shows several"
    cure += ", or set evaluation.aggregate to max or noisy_or if a finding in one image is enough" if unitable else ""
    lines = []
    for number in torn[:MOST_LISTED]:
        rows = frame[study == number]
        patient = f" of patient {rows['patient'].iloc[0]}" if "patient" in rows else ""
        targets = ", ".join(repr(name) for name in sorted(set(rows["target"].fillna(""))))
        lines.append(f"study {rows['study'].iloc[0]}{patient}: its images have the targets {targets}; expected one")
    if len(torn) <= MOST_LISTED:
        lines[-1] += f"; {cure}"
    if len(torn) > MOST_LISTED:
        lines.append(f"and {len(torn) - MOST_LISTED} more studies; {cure}")
    return lines


def _one_hot(names: pd.Series, classes: Sequence[str], multilabel: bool) -> np.ndarray:
    names = names.fillna("").astype(str)
    if multilabel:
        split = names.str.split(LABEL_SEPARATOR)
        return np.array([[name in row for name in classes] for row in map(set, split)], dtype=bool)
    return names.to_numpy(dtype=object)[:, None] == np.array(classes, dtype=object)[None, :]
