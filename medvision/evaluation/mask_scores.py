"""How well a predicted mask agrees with the true one: the scores of one image."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medvision.data.masks import IGNORE
from medvision.errors import DataError
from medvision.evaluation.surface import assd, hd95, surface_distances

OVERLAPS = ("dice", "iou", "pixel_sensitivity", "pixel_precision")
DISTANCES = ("hd95", "assd")
MASK_METRICS = (*OVERLAPS, *DISTANCES, "area", "area_true")
"""Scores of a class in an image, in the order of their columns."""


def score_names(classes: Sequence[str]) -> list[str]:
    """The columns of the scores, class by class, without the background.

    Args:
        classes: `mask_classes`, the background first.

    Raises:
        DataError: two columns would have one name.

    >>> score_names(["rest", "fat"])[:3]
    ['dice_fat', 'iou_fat', 'pixel_sensitivity_fat']
    """
    names = [f"{metric}_{name}" for name in classes[1:] for metric in MASK_METRICS]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"mask classes {', '.join(classes)}: rename one, two would have the column {twice[0]}")
    return names


def score_mask(
    truth: npt.NDArray[np.uint8],
    predicted: npt.NDArray[np.uint8],
    classes: Sequence[str],
    spacing: tuple[float, float] = (1.0, 1.0),
) -> dict[str, float]:
    """Score the mask of one image, at its original size.

    Pixels that are `IGNORE` in the truth belong to no class in either mask. Of a class that neither mask shows only the
    areas are defined. A class that is predicted but not true has Dice, IoU and precision 0, one that is true but not
    predicted Dice, IoU and sensitivity 0; in both cases the distances are infinite and what would divide by 0 is nan.

    Args:
        truth: (H, W) uint8 numbers of `classes`, or `IGNORE`.
        predicted: (H, W) uint8 numbers of `classes`.
        classes: `mask_classes`, the background first; it is not scored.
        spacing: distances of two rows and of two columns, for instance in mm.

    Returns:
        The columns of `score_names`: ratios in [0, 1], distances in the unit of the spacing, areas in its square.

    Raises:
        DataError: two columns would have one name.
        ValueError: the masks have different sizes, a number is no class, or the spacing is not positive.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"the truth has shape {truth.shape}, the prediction {predicted.shape}; one size is needed")
    if min(spacing) <= 0:
        raise ValueError(f"spacing {spacing}: expected positive distances of rows and columns")
    ignored = truth == IGNORE
    if (predicted >= len(classes)).any() or ((truth >= len(classes)) & ~ignored).any():
        raise ValueError(f"a pixel belongs to no class; the numbers of {', '.join(classes)} end at {len(classes) - 1}")
    values: list[float] = []
    for number in range(1, len(classes)):
        values += _score_class(truth == number, (predicted == number) & ~ignored, spacing)
    return dict(zip(score_names(classes), values, strict=True))


def _score_class(
    truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_], spacing: tuple[float, float]
) -> list[float]:
    """`MASK_METRICS` of two (H, W) masks of one class."""
    hits, true, said = (int(np.count_nonzero(mask)) for mask in (truth & found, truth, found))
    overlaps = [_ratio(2 * hits, true + said), _ratio(hits, true + said - hits), _ratio(hits, true), _ratio(hits, said)]
    there, back = surface_distances(truth, found, spacing)
    pixel = spacing[0] * spacing[1]
    return [*overlaps, hd95(there, back), assd(there, back), said * pixel, true * pixel]


def _ratio(above: int, below: int) -> float:
    return above / below if below else float("nan")
