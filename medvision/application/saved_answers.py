"""The answers that a run has saved, as the Demo goes through them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medvision.data.pseudonyms import pseudonyms
from medvision.data.table import LABEL_SEPARATOR
from medvision.errors import RunError
from medvision.evaluation.cases import image_cases
from medvision.evaluation.decimals import supported_decimals
from medvision.evaluation.folds import Decisions, read_decision, rows_by_decision
from medvision.evaluation.operating_point import UNCHANGED, Decision
from medvision.evaluation.predictions import check_predictions, probability_columns
from medvision.evaluation.segmentation import check_segmentation
from medvision.reports.fold_inputs import is_cross_validation
from medvision.reports.inputs import SPLITS
from medvision.runs import RunFolder, read_json, read_table, reads_run

SAVED, MISTAKES, UNCERTAIN, LOWEST = "saved", "mistakes", "uncertain", "dice"
ORDERS = {
    SAVED: "all, as they are saved",
    MISTAKES: "mistakes, the most confident first",
    UNCERTAIN: "least certain first",
    LOWEST: "lowest Dice first",
}
"""In which order images are gone through, and what a visitor reads; mistakes leave out all others."""


@dataclass(frozen=True, eq=False)
class SavedAnswers:
    """What a run has answered for the images of a split.

    Args:
        table: its rows of the prediction table; the index is their number in the whole table, counted from 1.
        split: test, or what is there in its place.
        classes: of the labels; none without labels.
        mask_classes: of the masks, the background first; none without masks.
        multilabel: several labels an image, or none.
        decision: of the network, or of those of all folds.
        called: {image: what its patient is called where names must not be told}.
    """

    table: pd.DataFrame
    split: str
    classes: Sequence[str]
    mask_classes: Sequence[str]
    multilabel: bool
    decision: Decisions
    called: Mapping[str, str]

    @property
    def tested(self) -> bool:
        """Whether these images were kept for the test."""
        return self.split == "test"

    @property
    def orders(self) -> list[str]:
        """Those of `ORDERS` that these answers can have."""
        return [SAVED, *((MISTAKES, UNCERTAIN) if self.classes else ()), *((LOWEST,) if self.mask_classes else ())]

    def decision_of(self, number: int) -> Decision:
        """What was done to the probabilities of a row: of folds, the decision of its own."""
        ((one, _),) = rows_by_decision(self.decision, self.table.loc[[number]])
        return one

    def thresholds(self, number: int) -> dict[str, float]:
        """From which probability on the answer is yes; none of three exclusive classes or more.

        Args:
            number: of the row.
        """
        decided = list(self.classes) if self.multilabel else list(self.classes[1:]) if len(self.classes) == 2 else []
        decision = self.decision_of(number)
        return {name: decision.threshold("image", name) for name in decided}

    def digits(self, number: int) -> int:
        """Decimals of the probabilities of a row, as many as the patients support that they were calibrated on."""
        return supported_decimals((self.decision_of(number).chosen_on or {}).get("patients", 0))

    def pick(self, order: str, name: str | None = None) -> list[int]:
        """Numbers of rows in an order.

        Mistakes are ordered by the probability of the class that was wrongly predicted; of several labels an image by
        the largest distance of a wrong one from the truth. Least certain is who is nearest to another answer: to a
        threshold, or of three exclusive classes or more the nearest of the two largest probabilities. An image in which
        no Dice is defined comes last.

        Args:
            order: one of `orders`.
            name: only images that truly show this class; None for all.
        """
        rows = self.table if name is None else self.table[self._shows(name)]
        if order == SAVED or rows.empty:
            return list(rows.index)
        if order == LOWEST:
            scores = rows[[f"dice_{one}" for one in self.mask_classes[1:]]].mean(axis=1)
            return list(scores.sort_values(kind="stable", na_position="last").index)
        keys = self._errors(rows) if order == MISTAKES else self._distances(rows)
        return list(keys.sort_values(kind="stable").index)

    def _shows(self, name: str) -> "pd.Series[bool]":
        shown = pd.Series(False, index=self.table.index)
        if name in self.classes:
            shown |= self.table["target"].fillna("").map(lambda cell: name in str(cell).split(LABEL_SEPARATOR))
        if name in self.mask_classes[1:]:
            shown |= self.table[f"area_true_{name}"] > 0
        return shown

    def _errors(self, rows: pd.DataFrame) -> "pd.Series[float]":
        cases = image_cases(rows.reset_index(drop=True), self.classes, multilabel=self.multilabel)
        wrong = cases.truth != cases.predicted
        asked = wrong if self.multilabel else wrong & cases.predicted.astype(bool)
        error = np.where(asked, np.abs(cases.truth - cases.probabilities), -1.0).max(axis=1)
        return -pd.Series(error, index=rows.index)[wrong.any(axis=1)]

    def _distances(self, rows: pd.DataFrame) -> "pd.Series[float]":
        values = rows[probability_columns(self.classes)].to_numpy(dtype=np.float64)
        if not self.multilabel and len(self.classes) > 2:
            largest = np.sort(values, axis=1)
            return pd.Series(largest[:, -1] - largest[:, -2], index=rows.index)
        thresholds = np.full(values.shape, np.nan)
        for one, places in rows_by_decision(self.decision, rows):
            thresholds[places] = [one.threshold("image", name) for name in self.classes]
        distance = np.abs(values - thresholds)
        return pd.Series(distance.min(axis=1) if self.multilabel else distance[:, -1], index=rows.index)


@reads_run
def read_answers(folder: RunFolder) -> SavedAnswers:
    """What a run, or a cross-validation, has answered: on its test images, or those of validation if none were tested.

    Raises:
        RunError: it was not evaluated, or holds several experiments.
        DataError: its prediction table is not one that can be scored.
    """
    if folder.plan.is_file() and not is_cross_validation(folder):
        raise RunError(
            f"{folder.path.name}: holds runs of several experiments, which have no answers in common; start the app "
            "with one of the folders below its `parts`"
        )
    data: dict[str, Any] = read_json(folder.environment)["data"]
    whole = read_table(folder.predictions)
    whole.index = pd.RangeIndex(1, len(whole) + 1)
    split = next((name for name in SPLITS if (whole["split"] == name).any()), "")
    rows = whole[whole["split"] == split]
    if rows.empty:
        raise RunError(f"{folder.path.name}: its prediction table has no images; `medvision evaluate` writes it anew")
    classes, mask_classes = list(data["classes"]), list(data.get("mask_classes", []))
    if classes:
        check_predictions(rows, classes, multilabel=data["multilabel"])
    if mask_classes:
        check_segmentation(rows, mask_classes)
    decision = read_decision(read_json(folder.decision)) if folder.decision.is_file() else UNCHANGED
    images = read_table(folder.split)
    called = dict(zip(images["image"], pseudonyms(images), strict=True))
    return SavedAnswers(rows, split, classes, mask_classes, data["multilabel"], decision, called)
