"""Grey values of any depth and colour become 8 bits here, by the same rules for every file format."""

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from medvision.errors import ImageError

PIXEL_LIMIT = 80_000_000
"""Pixels of one frame. The largest radiographs have 25 million; a file that declares more is refused before it is
decoded. Pillow's own limit (89 million) lies just above."""

BIT_DEPTHS = (8, 10, 12, 14, 16)
BLOCK = 2**20


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse an image that is too large to be decoded safely.

    Raises:
        ImageError: the header declares more than `PIXEL_LIMIT` pixels.
    """
    if width * height > PIXEL_LIMIT:
        raise ImageError(
            f"{path}: declares {width} x {height} pixels, the limit is {PIXEL_LIMIT // 1_000_000} megapixels; "
            "save it smaller"
        )


def scale_by_depth(grey: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Scale whole numbers by the smallest usual bit depth (8, 10, 12, 14, 16) that holds the maximum.

    A detector of 12 bits writes 16-bit files whose largest value is 4095: dividing by 65535 would leave them black, and
    the image's own maximum would change the brightness from image to image.

    Args:
        grey: (H, W) whole numbers in [0, 65535].

    Returns:
        (H, W) uint8, rounded to the nearest.

    >>> scale_by_depth(np.array([[0, 2048, 4095]]))
    array([[  0, 128, 255]], dtype=uint8)
    """
    highest = int(grey.max(initial=0))
    depth = next(bits for bits in BIT_DEPTHS if highest < 2**bits)
    if depth == 8:
        return grey.astype(np.uint8)
    return scale_range(grey, 0, 2**depth - 1)


def scale_range(grey: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Scale so that `low` becomes 0 and `high` 255; what lies outside is clipped, what is not finite becomes 0.

    >>> scale_range(np.array([[-1.0, 0.0, 1.0, 2.0, np.nan]]), 0, 2)
    array([[  0,   0, 128, 255,   0]], dtype=uint8)
    """
    # 32 bits hold every grey value of 16 bits; wider numbers need 64, or a narrow range far from 0 would be lost
    narrow = grey.dtype.itemsize <= 2 or grey.dtype == np.float32
    return _scale(grey, low, high, np.float32 if narrow else np.float64)


def _scale(grey: npt.NDArray[Any], low: float, high: float, kind: type[np.floating]) -> npt.NDArray[np.uint8]:
    """Some rows at a time: the largest images would take gigabytes as floating-point numbers."""
    scaled = np.empty(grey.shape, np.uint8)
    rows = max(1, BLOCK * len(grey) // max(1, grey.size))
    for start in range(0, len(grey), rows):
        values = grey[start : start + rows].astype(kind)
        values[~np.isfinite(values)] = low
        values = np.clip(values, low, high) - low
        scaled[start : start + rows] = values * 255 / (high - low if high > low else 1) + 0.5
    return scaled


def scale_own_range(grey: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Scale by the finite minimum and maximum of the image itself; an image of one value becomes black."""
    finite = grey[np.isfinite(grey)]
    if not finite.size:
        return np.zeros(grey.shape, np.uint8)
    # The difference of two float32 may be too large for another.
    return _scale(grey, float(finite.min()), float(finite.max()), np.float64)


def with_channels(image: npt.NDArray[np.uint8], channels: Literal[1, 3]) -> npt.NDArray[np.uint8]:
    """Turn a grey or RGB image into one of the asked number of channels.

    Grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), so that a grey picture stored as RGB keeps its values exactly.

    Args:
        image: (H, W) or (H, W, 3) uint8, RGB.
        channels: 1 or 3.

    Returns:
        (H, W) for 1 and (H, W, 3) for 3, uint8, contiguous and writable.
    """
    if channels == 1 and image.ndim == 3:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    if channels == 3 and image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.require(image, np.uint8, ["C", "W"])
