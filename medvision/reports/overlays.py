"""Masks drawn over their image: outlines, fillings, and where prediction and truth differ."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from medvision.data.masks import IGNORE
from medvision.reports.palette import IGNORE_COLOUR, RGB, class_colour

Pixels = npt.NDArray[np.uint8]
Font = ImageFont.FreeTypeFont

BACKGROUND: RGB = (24, 26, 30)
INK: RGB = (232, 234, 237)
SOFT: RGB = (165, 172, 182)
KEY = 20
FILLED = 0.38
# Colour, and a pattern that also tells them apart without colour.
AGREEMENT, FALSE_POSITIVE, FALSE_NEGATIVE, WRONG_CLASS = "agreement", "false positive", "false negative", "other class"
DIFFERENCES: dict[str, tuple[RGB, str]] = {
    AGREEMENT: ((0, 158, 115), "plain"),
    FALSE_POSITIVE: ((255, 130, 30), "rising"),
    FALSE_NEGATIVE: ((60, 150, 255), "falling"),
    WRONG_CLASS: ((240, 228, 66), "dots"),
}
_STRIPES = 14


def as_colour(image: Pixels) -> Pixels:
    """A grey or colour image as (H, W, 3) uint8."""
    plane = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    return np.repeat(plane[..., None], 3, axis=-1) if plane.ndim == 2 else plane


def fit_size(height: int, width: int, box: int) -> tuple[int, int]:
    """Height and width, at least 1, of an image whose longer side becomes `box`."""
    scale = box / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def scale_image(image: Pixels, size: tuple[int, int]) -> Pixels:
    """Bring an image to (height, width).

    Args:
        image: (H, W) or (H, W, 3) uint8.
        size: height and width.

    Returns:
        (height, width, 3) uint8.
    """
    smaller = size[0] < image.shape[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(as_colour(image)), size[::-1], interpolation=how), dtype=np.uint8)


def scale_mask(mask: Pixels, size: tuple[int, int]) -> Pixels:
    """Bring class numbers to (height, width) without new ones in between."""
    how = cv2.INTER_NEAREST_EXACT
    return np.asarray(cv2.resize(np.ascontiguousarray(mask), size[::-1], interpolation=how), dtype=np.uint8)


def edge_pixels(region: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.bool_]:
    """The pixels of a region that lie less than `width` from its outside; the border of the image is outside."""
    padded = np.pad(region.astype(np.uint8), 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    inner = cv2.erode(padded, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)[1:-1, 1:-1]
    return region & (inner == 0)


def draw_outlines(picture: Pixels, mask: Pixels, width: int, colour: RGB | None = None) -> None:
    """Outline every class but the background inside its own region.

    Args:
        picture: (H, W, 3) uint8, drawn upon.
        mask: (H, W) uint8 class numbers; `IGNORE` is no class.
        width: of the line in pixels.
        colour: of all lines; None for the colour of each class.
    """
    for number in foreground(mask):
        picture[edge_pixels(mask == number, width)] = class_colour(number) if colour is None else colour


def draw_fillings(picture: Pixels, mask: Pixels, share: float = FILLED) -> None:
    """Tint every class but the background in its colour.

    Args:
        picture: (H, W, 3) uint8, drawn upon.
        mask: (H, W) uint8 class numbers; `IGNORE` is no class.
        share: of the colour, 0 to 1; the rest is the image.
    """
    for number in foreground(mask):
        _tint(picture, mask == number, class_colour(number), share)


def draw_ignored(picture: Pixels, mask: Pixels) -> None:
    """Show the pixels that nobody scores in grey."""
    picture[mask == IGNORE] = IGNORE_COLOUR


def foreground(mask: Pixels) -> list[int]:
    """The class numbers in a mask, without background and `IGNORE`."""
    return [int(number) for number in np.unique(mask) if number not in (0, IGNORE)]


def differences(truth: Pixels, predicted: Pixels) -> dict[str, npt.NDArray[np.bool_]]:
    """Where a prediction agrees with the truth about the foreground, and where it does not.

    Args:
        truth: (H, W) uint8 class numbers; its `IGNORE` belongs to none of the four.
        predicted: (H, W) uint8 class numbers.

    Returns:
        (H, W) bool for each key of `DIFFERENCES`; `false positive` is a class on true background, `false negative`
        background on a true class, `other class` one class taken for another.
    """
    scored = truth != IGNORE
    there, said = scored & (truth > 0), scored & (predicted > 0)
    return {
        AGREEMENT: there & (truth == predicted),
        FALSE_POSITIVE: said & ~there,
        FALSE_NEGATIVE: there & ~said,
        WRONG_CLASS: there & said & (truth != predicted),
    }


def draw_differences(picture: Pixels, truth: Pixels, predicted: Pixels) -> None:
    """Darken the image and lay the `differences` over it, each in its colour and pattern."""
    picture[:] = (picture * 0.5).astype(np.uint8)
    for name, region in differences(truth, predicted).items():
        colour, pattern = DIFFERENCES[name]
        if pattern == "plain":
            _tint(picture, region, colour, 0.4)
            continue
        marked = hatching(pattern, picture.shape[0], picture.shape[1])
        _tint(picture, region & ~marked, colour, 0.62)
        _tint(picture, region & marked, colour, 1.0)
    draw_ignored(picture, truth)


def hatching(pattern: str, height: int, width: int) -> npt.NDArray[np.bool_]:
    """(height, width) bool of a pattern: `rising` or `falling` stripes, or `dots`."""
    rows, columns = np.ogrid[:height, :width]
    if pattern == "dots":
        half = _STRIPES // 2
        return np.asarray((rows % _STRIPES < half) & (columns % _STRIPES < half))
    along = rows + columns if pattern == "rising" else rows - columns
    return np.asarray(along % _STRIPES < _STRIPES // 4 + 1)


def _tint(picture: Pixels, region: npt.NDArray[np.bool_], colour: RGB, share: float) -> None:
    picture[region] = ((1 - share) * picture[region] + share * np.asarray(colour)).round().astype(np.uint8)


def load_font(size: int) -> Font:
    """Matplotlib's own font: Pillow's lacks most letters beyond English."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def fit_text(text: str, font: Font, width: float) -> str:
    """The text in one line, its end cut off where it is longer than `width` pixels."""
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def mask_key(number: int) -> Image.Image:
    """The key of a class in a legend: tinted and outlined as in the panels."""
    cell = np.full((KEY, KEY, 3), 70, np.uint8)
    mask = np.full((KEY, KEY), number, np.uint8)
    draw_fillings(cell, mask)
    draw_outlines(cell, mask, 3)
    return Image.fromarray(cell)


def difference_key(name: str) -> Image.Image:
    """The key of one of `DIFFERENCES` in a legend."""
    truth, predicted = {
        AGREEMENT: (1, 1),
        FALSE_POSITIVE: (0, 1),
        FALSE_NEGATIVE: (1, 0),
        WRONG_CLASS: (1, 2),
    }[name]
    size = (2 * KEY, 4 * KEY)
    cell = np.full((*size, 3), 110, np.uint8)
    draw_differences(cell, np.full(size, truth, np.uint8), np.full(size, predicted, np.uint8))
    return Image.fromarray(cell).reduce(2)


def ignored_key() -> Image.Image:
    """The key of the pixels that nobody scores."""
    cell = np.full((KEY, KEY, 3), 70, np.uint8)
    draw_ignored(cell, np.full((KEY, KEY), IGNORE, np.uint8))
    return Image.fromarray(cell)


def draw_keys(title: str, keys: Sequence[tuple[Image.Image, str]], width: int, font: Font) -> Image.Image:
    """A legend in as many lines as it needs.

    Args:
        title: stands before the first key; empty for none.
        keys: pictures at most `KEY` high, and what each means.
        width: of the legend in pixels.
        font: of its texts.
    """
    line = KEY + 10
    places: list[tuple[int, int, Image.Image, str]] = []
    left = indent = round(font.getlength(f"{title}:")) + 14 if title else 0
    top = 0
    if 2 * indent > width:
        left, indent, top = 0, 0, line
    for key, text in keys:
        shown = fit_text(text, font, width - indent - key.width - 8)
        needed = key.width + 8 + round(font.getlength(shown))
        if left > indent and left + needed > width:
            left, top = indent, top + line
        places.append((left, top, key, shown))
        left += needed + 24
    legend = Image.new("RGB", (width, top + line), BACKGROUND)
    draw = ImageDraw.Draw(legend)
    if title:
        draw.text((0, line // 2), f"{title}:", font=font, fill=SOFT, anchor="lm")
    for left, top, picture, text in places:
        legend.paste(picture, (left, top + (line - picture.height) // 2))
        draw.text((left + picture.width + 8, top + line // 2), text, font=font, fill=INK, anchor="lm")
    return legend
