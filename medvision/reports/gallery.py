"""Pictures of single cases: an image as it is, and the same image under a map of the evidence for a class."""

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from medvision.data.resize import Box
from medvision.reports.overlays import (
    BACKGROUND,
    INK,
    SOFT,
    Font,
    Pixels,
    as_colour,
    fit_size,
    fit_text,
    load_font,
    scale_image,
)

Map = npt.NDArray[np.float32]

LONGEST, LEAST = 640, 320
QUALITY = 80
READING = (
    "A map (Grad-CAM, Selvaraju et al. 2017) shows where the last features of the network spoke for the class, not why "
    "they did. It is coarse, and relative to the strongest place of the same image: maps of two images cannot be "
    "compared in strength."
)
# Perceptually uniform and told apart by the colour-blind (van der Walt and Smith, 2015).
_COLOURS = "inferno"
# The strongest evidence lets this much of the image through; the darkest quarter of the colours looks like no evidence.
_OPACITY, _DARKEST = 0.65, 0.25
_UNSEEN = 0.35
_TEXT, _LINE, _GAP = 18, 26, 8
_BAR = 70


def plain_picture(image: Pixels, *, simulated: bool) -> Image.Image:
    """An image as it is, over a line that says so.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8.
        simulated: whether it was drawn by this program.

    Returns:
        RGB. The longer side of the image becomes at most 640 pixels; one below 320 is enlarged a whole number of
        times, pixel by pixel.
    """
    shown = _fit(image)
    strip = _strip("SIMULATED image" if simulated else "image", max(shown.shape[1], LEAST), bar=False)
    return _stack(shown, strip)


def map_picture(
    image: Pixels, evidence: Map, text: str, *, simulated: bool, seen: Box | None = None, scale: bool = True
) -> Image.Image:
    """An image under a map: the stronger the evidence, the brighter and the denser the colour.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8.
        evidence: (H, W) float32 in [0, 1].
        text: the line below, such as `evidence for pneumonia`.
        simulated: whether the image was drawn by this program.
        seen: the part of the image that the network saw, in pixels; all else is darkened. None for the whole.
        scale: show the scale of the colours behind the text; not where the map is empty.

    Returns:
        RGB, of the width of the image's own `plain_picture`, and of its height unless the text takes two lines.
    """
    shown = _fit(image)
    height, width = shown.shape[:2]
    values = cv2.resize(evidence, (width, height), interpolation=cv2.INTER_LINEAR).clip(0, 1)
    blended = blend(shown, values)
    if seen is not None:
        inside = np.zeros(image.shape[:2], dtype=np.uint8)
        seen.cut(inside)[:] = 1
        outside = cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) == 0
        blended[outside] = (blended[outside] * _UNSEEN).astype(np.uint8)
    said = f"SIMULATED · {text}" if simulated else text
    return _stack(blended, _strip(said, max(width, LEAST), bar=scale))


def blend(picture: Pixels, values: Map) -> Pixels:
    """Lay the colours of a map over a picture; where the map is 0 the picture stays as it is.

    Args:
        picture: (H, W, 3) uint8.
        values: (H, W) float32 in [0, 1].

    Returns:
        (H, W, 3) uint8.
    """
    colours = matplotlib.colormaps[_COLOURS](_DARKEST + (1 - _DARKEST) * values)[..., :3] * 255
    opacity = (_OPACITY * values)[..., None]
    return np.asarray(((1 - opacity) * picture + opacity * colours).round(), dtype=np.uint8)


def _fit(image: Pixels) -> Pixels:
    """The image in colour, at the size at which it is shown."""
    longer = max(image.shape[:2])
    if longer < LEAST:
        times = -(-LEAST // longer)
        return as_colour(image).repeat(times, axis=0).repeat(times, axis=1)
    if longer <= LONGEST:
        return as_colour(image)
    return scale_image(image, fit_size(image.shape[0], image.shape[1], LONGEST))


def _strip(text: str, width: int, *, bar: bool) -> Image.Image:
    """Lines of text below a picture, and the scale of the colours; at least two lines, so that pictures match."""
    font = load_font(_TEXT)
    lines = _wrap(text, font, width - 2 * _GAP)
    strip = Image.new("RGB", (width, 2 * _GAP + _LINE * max(len(lines) + bar, 2)), BACKGROUND)
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        draw.text((_GAP, _GAP + _LINE * number), line, font=font, fill=INK)
    if bar:
        top = _GAP + _LINE * len(lines)
        draw.text((_GAP, top), "none", font=font, fill=SOFT)
        left = 2 * _GAP + round(font.getlength("none"))
        scale = np.broadcast_to(np.linspace(0, 1, _BAR, dtype=np.float32), (_TEXT, _BAR))
        grey = np.full((_TEXT, _BAR, 3), 128, dtype=np.uint8)
        strip.paste(Image.fromarray(blend(grey, scale)), (left, top + 2))
        draw.text((left + _BAR + _GAP, top), "most in this image", font=font, fill=SOFT)
    return strip


def _wrap(text: str, font: Font, width: float) -> list[str]:
    """The text in at most two lines, cut off where that is not enough."""
    words = text.split()
    if font.getlength(" ".join(words)) <= width or len(words) == 1:
        return [fit_text(text, font, width)]
    first = words[:1]
    while font.getlength(" ".join([*first, words[len(first)]])) <= width:
        first.append(words[len(first)])
    return [fit_text(" ".join(first), font, width), fit_text(" ".join(words[len(first) :]), font, width)]


def _stack(shown: Pixels, strip: Image.Image) -> Image.Image:
    height, width = shown.shape[:2]
    picture = Image.new("RGB", (strip.width, height + strip.height), BACKGROUND)
    picture.paste(Image.fromarray(shown), ((strip.width - width) // 2, 0))
    picture.paste(strip, (0, height))
    return picture
