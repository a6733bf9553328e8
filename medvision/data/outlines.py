"""Drawn outlines become areas."""

import cv2
import numpy as np
import numpy.typing as npt

from medvision.errors import ImageError


def fill_outlines(where: str, drawn: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Drawn pixels and everything they enclose; a line whose pixels touch by their corners is closed.

    Args:
        where: the outlines come from, for messages.
        drawn: (H, W).

    Raises:
        ImageError: an outline encloses nothing.
    """
    outside = cv2.copyMakeBorder(drawn.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(outside, None, (0, 0), 2, flags=4)
    filled = outside[1:-1, 1:-1] != 2
    shapes, label = cv2.connectedComponents(filled.astype(np.uint8), connectivity=8)
    closed = np.unique(label[filled & ~drawn])
    if len(closed) < shapes - 1:
        open_ones = ~np.isin(label, closed) & (label > 0)
        row, column = np.argwhere(open_ones)[0]
        raise ImageError(
            f"{where}: {shapes - 1 - len(closed)} of {shapes - 1} outlines enclose nothing, the first at row {row}, "
            f"column {column}; close them, or fill none if the shapes are filled already"
        )
    return filled


def fill_hull(where: str, drawn: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The convex hull of all drawn pixels, for outlines with gaps.

    Args:
        where: the outline comes from, for messages.
        drawn: (H, W).

    Raises:
        ImageError: all drawn pixels lie on one line.
    """
    points = cv2.findNonZero(drawn.astype(np.uint8))
    if points is None:
        return drawn
    corners = cv2.convexHull(points)[:, 0].astype(np.float64)
    if cv2.contourArea(corners.astype(np.float32)) == 0:
        raise ImageError(f"{where}: the outline encloses nothing, its {len(points)} pixels lie on one line")
    # cv2.fillConvexPoly adds every pixel that the edge touches, which makes small shapes larger
    rows, columns = np.arange(drawn.shape[0]), np.arange(drawn.shape[1])
    left, right = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    for one, other in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        (x0, y0), (x1, y1) = (one, other) if one[1] <= other[1] else (other, one)
        crossed = slice(int(y0), int(y1) + 1)
        edge = x0 + (rows[crossed] - y0) * (x1 - x0) / max(y1 - y0, 1)
        left[crossed], right[crossed] = np.minimum(left[crossed], edge), np.maximum(right[crossed], edge)
    return ((columns >= left[:, None] - 1e-6) & (columns <= right[:, None] + 1e-6)) | drawn
