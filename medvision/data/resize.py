"""Images of any shape become squares, and maps of a square go back onto the original image."""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

Resize = Literal["letterbox", "stretch", "crop"]


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The pixels of an image inside this box, as a view."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True)
class Geometry:
    """Which part of an image lands where in the square that the network sees.

    `letterbox` shows the whole image in its proportions, centred on black; `stretch` pulls the whole image over the
    square; `crop` shows the centred square of the shorter side, in its proportions. Where an odd number of pixels is
    left over, the larger part is at the bottom and the right.

    Args:
        height: of the original image in pixels.
        width: of the original image in pixels.
        size: side of the square in pixels.
        how: `letterbox`, `stretch` or `crop`.

    >>> Geometry(100, 200, 50, "letterbox").target
    Box(top=12, left=0, height=25, width=50)
    """

    height: int
    width: int
    size: int
    how: Resize = "letterbox"

    @property
    def source(self) -> Box:
        """The part of the original image that is seen."""
        if self.how != "crop":
            return Box(0, 0, self.height, self.width)
        side = min(self.height, self.width)
        return Box((self.height - side) // 2, (self.width - side) // 2, side, side)

    @property
    def target(self) -> Box:
        """The part of the square that shows it; the rest is black."""
        if self.how != "letterbox":
            return Box(0, 0, self.size, self.size)
        longer = max(self.height, self.width)
        height, width = (max(1, round(side * self.size / longer)) for side in (self.height, self.width))
        return Box((self.size - height) // 2, (self.size - width) // 2, height, width)

    def forward(self, row: float, column: float) -> tuple[float, float]:
        """Where a point of the original image lies in the square; the centre of the first pixel is (0, 0)."""
        source, target = self.source, self.target
        return (
            (row + 0.5 - source.top) * target.height / source.height + target.top - 0.5,
            (column + 0.5 - source.left) * target.width / source.width + target.left - 0.5,
        )

    def apply(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Bring an image into the square.

        Args:
            image: (height, width) or (height, width, 3) uint8.

        Returns:
            (size, size) or (size, size, 3) uint8, an array of its own.
        """
        target = self.target
        square = np.zeros((self.size, self.size, *image.shape[2:]), np.uint8)
        target.cut(square)[:] = _interpolate(self.source.cut(image), target.height, target.width)
        return square

    def apply_mask(self, mask: npt.NDArray[Any], outside: int = 0) -> npt.NDArray[Any]:
        """Bring a mask into the square by the nearest pixel; its labels and type stay.

        Args:
            mask: (height, width), any type.
            outside: the label around it.

        Returns:
            (size, size) of the same type.
        """
        target = self.target
        square = np.full((self.size, self.size), outside, mask.dtype)
        target.cut(square)[:] = _nearest(self.source.cut(mask), target.height, target.width)
        return square

    def undo(self, square: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Bring what was computed on the square back onto the original image; 0 where the square did not see it.

        Args:
            square: (size, size). A mask of whole numbers or bool goes by the nearest pixel and keeps its labels; a
                map of floating-point numbers, such as a probability, is interpolated linearly.

        Returns:
            (height, width) of the same type.
        """
        source = self.source
        image = np.zeros((self.height, self.width), square.dtype)
        interpolate = _interpolate if square.dtype.kind == "f" else _nearest
        source.cut(image)[:] = interpolate(self.target.cut(square), source.height, source.width)
        return image


def resize(image: npt.NDArray[np.uint8], size: int, how: Resize = "letterbox") -> npt.NDArray[np.uint8]:
    """Bring an image into a square; see `Geometry`.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        size: side of the square in pixels.
        how: `letterbox`, `stretch` or `crop`.

    Returns:
        (size, size) or (size, size, 3) uint8.
    """
    return Geometry(image.shape[0], image.shape[1], size, how).apply(image)


def _interpolate(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Shrink by the mean over the area, then enlarge linearly: no aliasing one way, no overshoot the other."""
    shrunk = min(height, image.shape[0]), min(width, image.shape[1])
    for rows, columns, method in ((*shrunk, cv2.INTER_AREA), (height, width, cv2.INTER_LINEAR)):
        if image.shape[:2] != (rows, columns):
            image = cv2.resize(image, (columns, rows), interpolation=method)
    return image


def _nearest(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    # cv2.INTER_NEAREST shifts by half a pixel, and knows neither bool nor int64
    rows, columns = (
        ((np.arange(wanted) + 0.5) * given / wanted).astype(np.intp)
        for wanted, given in zip((height, width), image.shape[:2], strict=True)
    )
    return image[np.ix_(rows, columns)]
