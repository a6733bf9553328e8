"""What is scored at each level of a split, labels and masks together, so that any part of it can be scored alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.evaluation import segmentation
from medvision.evaluation.cases import Cases, cases_by_level, patient_numbers
from medvision.evaluation.folds import Decisions
from medvision.evaluation.headline import LabelSide, MaskSide, Side, label_headline, pick_cases, pick_masks
from medvision.evaluation.intervals import Entry, Method
from medvision.evaluation.metrics import score_cases
from medvision.evaluation.predictions import check_predictions

Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MaskLevel:
    """The masks of a level.

    Args:
        cases: of images or patients.
        shown: (m, C) bool, which classes the true masks show.
        names: the C foreground classes.
        unit: of distances, `mm` or `px`.
    """

    cases: segmentation.MaskCases
    shown: Bools
    names: tuple[str, ...]
    unit: str


@dataclass(frozen=True, eq=False)
class Level:
    """Labels, masks or both of the m cases of a level.

    Args:
        units: (n,) int64, the case of each image.
        groups: (m,) int64, the patient of each case.
        labels: None without labels.
        masks: None without masks.
    """

    units: Numbers
    groups: Numbers
    labels: Cases | None
    masks: MaskLevel | None

    @property
    def headline(self) -> str:
        """The name of the metric by which parts are compared: of the labels, where there are labels."""
        if self.labels is None:
            return "dice"
        return label_headline(self.labels.classes, multilabel=self.labels.multilabel)

    def side(self, rows: Bools) -> Side:
        """The headline metric of some cases, (m,) bool."""
        if self.labels is not None:
            return LabelSide(pick_cases(self.labels, rows))
        assert self.masks is not None, "a level has labels or masks"
        return MaskSide(pick_masks(self.masks.cases, self.masks.shown, rows))

    def metrics(self, rows: Bools, *, resamples: int, seed: int, interval: Method) -> dict[str, Entry]:
        """The metrics of some cases.

        Args:
            rows: (m,) bool.
            resamples: of the bootstrap over their patients; 0 for no intervals.
            seed: of the bootstrap.
            interval: how intervals come from the resamples.
        """
        entries: dict[str, Entry] = {}
        if self.labels is not None:
            cases = pick_cases(self.labels, rows)
            scored = score_cases(cases, resamples=resamples, seed=seed, interval=interval)
            entries |= {name: entry for name, entry in scored.items() if "low" in entry}
        if self.masks is not None:
            masks = pick_masks(self.masks.cases, self.masks.shown, rows)
            names, unit = self.masks.names, self.masks.unit
            scored = segmentation.score_repeats([masks], names, unit, resamples=resamples, seed=seed, interval=interval)
            entries |= {name: entry for name, entry in scored.items() if "low" in entry}
        return entries


def read_levels(
    table: pd.DataFrame,
    classes: Sequence[str],
    mask_classes: Sequence[str],
    *,
    multilabel: bool,
    decision: Decisions,
) -> dict[str, Level]:
    """The levels of one split: those of `classification_metrics` and of `segmentation_metrics`.

    Args:
        table: the rows of one split of the prediction table, with labels (`target`), masks (`unit`) or both.
        classes: of the labels, in order.
        mask_classes: of the masks, the background first.
        multilabel: several labels an image.
        decision: what has been applied to the table.

    Raises:
        DataError: the table is not one that can be scored.
    """
    labels: dict[str, Cases] = {}
    if "target" in table:
        check_predictions(table, classes, multilabel=multilabel)
        labels = cases_by_level(table, classes, multilabel=multilabel, decision=decision)
    masks = _mask_levels(table, mask_classes) if "unit" in table else {}
    levels = {}
    for name in {**labels, **masks}:
        groups = labels[name].groups if name in labels else masks[name].cases.groups
        levels[name] = Level(unit_numbers(table, name), groups, labels.get(name), masks.get(name))
    return levels


def _mask_levels(table: pd.DataFrame, mask_classes: Sequence[str]) -> dict[str, MaskLevel]:
    segmentation.check_segmentation(table, mask_classes)
    images = segmentation.image_cases(table, mask_classes)
    names, unit = tuple(mask_classes[1:]), str(table["unit"].iloc[0])
    shown = table[[f"area_true_{name}" for name in names]].to_numpy(np.float64) > 0
    levels = {"image": MaskLevel(images, shown, names, unit)}
    if "patient" in table:
        named = table["patient"].fillna("").astype(str)
        if named[named != ""].duplicated().any():
            by_patient = pd.DataFrame(shown).groupby(images.groups).any().to_numpy()
            levels["patient"] = MaskLevel(segmentation.patient_cases(images), by_patient, names, unit)
    return levels


def unit_numbers(table: pd.DataFrame, level: str) -> Numbers:
    """The number of the case of each image at a level, in the order of `cases_by_level`.

    Args:
        table: the rows of one split of the prediction table.
        level: image, study or patient.

    Returns:
        (n,) int64.
    """
    if level == "image":
        return np.arange(len(table))
    patients = patient_numbers(table)
    if level == "patient":
        return patients
    # A study number counts within a patient.
    studies = patient_numbers(table.drop(columns="patient", errors="ignore"))
    return np.unique(np.stack([patients, studies]), axis=1, return_inverse=True)[1].ravel()


def unit_names(names: np.ndarray, units: Numbers) -> np.ndarray | None:
    """The group of each study or patient.

    Args:
        names: (n,) object, the group of each image, None where it is not known.
        units: (n,) int64, the study or patient of each image, numbered from 0.

    Returns:
        (units,) object, that of its images with a known one, None where there are none; or None where some unit has
        images in several groups.
    """
    by_unit = pd.Series(names, dtype=object).groupby(units)
    if (by_unit.nunique() > 1).any():
        return None
    first = by_unit.first().astype(object)
    return first.where(first.notna(), None).to_numpy()
