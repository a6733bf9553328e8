"""The resizing of `data.resize.Geometry` as matrix products, so that it can lie inside an exported graph.

Every pixel of a resized image is a weighted sum over rows and columns of the original. The weights follow from the size
of the image alone. They are counted in whole numbers, exactly, and no shape depends on a value: an image of any size
goes through one graph.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from medvision.answering.inputs import Fit

# cv2.INTER_AREA leaves out what covers less of a pixel.
LEAST_COVER = 1000


class Span(NamedTuple):
    """A stretch of whole pixels along a side.

    Args:
        start: the first, an int64 scalar.
        length: how many, an int64 scalar.
    """

    start: Tensor
    length: Tensor


class Fitting(NamedTuple):
    """Which rows (or columns) of an original are seen, and which of the square show them."""

    seen: Span
    shown: Span


def fit_sides(height: int, width: int, size: int, fit: Fit) -> tuple[Fitting, Fitting]:
    """What happens to the rows and to the columns of an image; see `data.resize.Geometry`.

    Args:
        height: of the original image in pixels.
        width: likewise.
        size: side of the square.
        fit: `letterbox`, `stretch` or `crop`.
    """
    sides = [torch.full((), side, dtype=torch.int64) for side in (height, width)]
    nothing, whole = torch.zeros((), dtype=torch.int64), torch.full((), size, dtype=torch.int64)
    if fit == "letterbox":
        longer = torch.maximum(*sides)
        lengths = [_divide_rounding(side * size, longer).clamp(min=1) for side in sides]
        shown = [Span(_half(size - length), length) for length in lengths]
        seen = [Span(nothing, side) for side in sides]
    elif fit == "crop":
        shorter = torch.minimum(*sides)
        shown = [Span(nothing, whole)] * 2
        seen = [Span(_half(side - shorter), shorter) for side in sides]
    else:
        shown = [Span(nothing, whole)] * 2
        seen = [Span(nothing, side) for side in sides]
    return Fitting(seen[0], shown[0]), Fitting(seen[1], shown[1])


def to_square(images: Tensor, size: int, fit: Fit) -> Tensor:
    """Bring images into squares, as `Geometry.apply` does, to within one grey level.

    Args:
        images: (B, C, H, W) uint8.
        size: side of the square in pixels.
        fit: `letterbox`, `stretch` or `crop`.

    Returns:
        (B, C, S, S) float32, whole numbers in [0, 255].
    """
    height, width = images.shape[-2:]
    rows, columns = fit_sides(height, width, size, fit)
    down = _weights(height, size, rows.seen, rows.shown)
    across = _weights(width, size, columns.seen, columns.shown)
    return torch.round(down @ images.float() @ across.T)


def from_square(maps: Tensor, height: int, width: int, fit: Fit) -> Tensor:
    """Bring maps of squares back onto the original images, as `Geometry.undo` does; 0 where the square saw nothing.

    Args:
        maps: (B, K, S, S) float32.
        height: of the original images.
        width: likewise.
        fit: how they had become squares.

    Returns:
        (B, K, H, W) float32.
    """
    size = int(maps.shape[-1])
    rows, columns = fit_sides(height, width, size, fit)
    down = _weights(size, height, rows.shown, rows.seen)
    across = _weights(size, width, columns.shown, columns.seen)
    return down @ maps @ across.T


def _weights(given: int, wanted: int, source: Span, target: Span) -> Tensor:
    """How much each of the pixels along a side counts for each wanted one, float32 (wanted, given); rows sum to 1 or 0.

    As `cv2.resize`: fewer pixels by the share of the area that each covers (INTER_AREA), more by linear interpolation
    between their centres, the outermost repeated (INTER_LINEAR).
    """
    old, new = source.length, target.length
    row = torch.arange(wanted, dtype=torch.int64).unsqueeze(1) - target.start
    column = torch.arange(given, dtype=torch.int64).unsqueeze(0) - source.start
    # In units of 1/new pixel of the source, in which all borders are whole numbers.
    cover = torch.minimum((row + 1) * old, (column + 1) * new) - torch.maximum(row * old, column * new)
    cover = torch.where(cover * LEAST_COVER > new, cover, 0)
    # In units of half of that: centres lie between borders.
    centre = torch.minimum(((2 * row + 1) * old - new).clamp(min=0), 2 * new * (old - 1))
    near = (2 * new - (centre - 2 * new * column).abs()).clamp(min=0)
    weights = torch.where(new < old, cover.float() / old.float(), near.float() / (2 * new).float())
    inside = (row >= 0) & (row < new) & (column >= 0) & (column < old)
    return torch.where(inside, weights, 0.0)


def _half(length: Tensor) -> Tensor:
    # Unlike torch.div, // stays among whole numbers in ONNX.
    return length // 2


def _divide_rounding(number: Tensor, by: Tensor) -> Tensor:
    """Whole numbers divided and rounded to the nearest, a half to the even one, as Python's `round`."""
    quotient = number // by
    twice = 2 * (number - quotient * by)
    odd = quotient - 2 * _half(quotient)
    return quotient + ((twice > by) | ((twice == by) & (odd == 1))).to(torch.int64)
