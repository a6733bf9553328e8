"""Distances between the outlines of two masks of one class."""

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

PERCENTILE = 95
# The tree is asked once, with many points: larger leaves than scipy's 10 save more in building than they cost.
_LEAF = 32

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def edge_pixels(mask: Bools) -> npt.NDArray[np.int64]:
    """The outline of a mask: its pixels with a side on another pixel, or on the border of the image.

    This is the mask without its erosion by the cross of four neighbours.

    Args:
        mask: (H, W) bool.

    Returns:
        (E, 2) int64, row and column of each, row by row; none of an empty mask.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return np.empty((0, 2), np.int64)
    top, left = rows[0], columns[0]
    box = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    inner = np.zeros_like(box)
    inner[1:-1, 1:-1] = box[1:-1, 1:-1] & box[:-2, 1:-1] & box[2:, 1:-1] & box[1:-1, :-2] & box[1:-1, 2:]
    return np.argwhere(box & ~inner) + np.array([top, left])


def surface_distances(
    truth: Bools, predicted: Bools, spacing: tuple[float, float] = (1.0, 1.0)
) -> tuple[Floats, Floats]:
    """How far each edge pixel of a mask lies from the nearest edge pixel of the other, from centre to centre.

    Args:
        truth: (H, W) bool.
        predicted: (H, W) bool.
        spacing: distances of two rows and of two columns, for instance in mm.

    Returns:
        From the truth to the prediction, (E_true,) float64, and back, (E_predicted,) float64, in the unit of the
        spacing; infinite where the other mask is empty, and without any values where the mask itself is.
    """
    scale = np.array(spacing, np.float64)
    true, found = edge_pixels(truth) * scale, edge_pixels(predicted) * scale
    return _nearest(true, found), _nearest(found, true)


def _nearest(points: Floats, others: Floats) -> Floats:
    if len(others) == 0 or len(points) == 0:
        return np.full(len(points), np.inf)
    return np.asarray(KDTree(others, leafsize=_LEAF).query(points)[0], np.float64)


def hd95(there: Floats, back: Floats) -> float:
    """The 95th-percentile Hausdorff distance: the larger of the 95th percentiles of both directions.

    Huttenlocher et al. 1993 for the ranked distance; both directions as MONAI computes it.

    Args:
        there: (E,) float64, from one mask to the other.
        back: (F,) float64, in the other direction.

    Returns:
        In the unit of the distances; infinite if one mask is empty, nan if both are.
    """
    if len(there) == 0 or len(back) == 0:
        return _of_empty(there, back)
    return float(max(np.percentile(there, PERCENTILE), np.percentile(back, PERCENTILE)))


def assd(there: Floats, back: Floats) -> float:
    """The average symmetric surface distance: the mean over the edge pixels of both masks (Heimann et al. 2009).

    Args:
        there: (E,) float64, from one mask to the other.
        back: (F,) float64, in the other direction.

    Returns:
        In the unit of the distances; infinite if one mask is empty, nan if both are.
    """
    if len(there) == 0 or len(back) == 0:
        return _of_empty(there, back)
    return float((there.sum() + back.sum()) / (len(there) + len(back)))


def _of_empty(there: Floats, back: Floats) -> float:
    return float("nan") if len(there) == len(back) else float("inf")
