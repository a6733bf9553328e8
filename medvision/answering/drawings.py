"""Pictures of answers: the mask over the original image, and the evidence for a class."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from medvision.answering.asking import Answer
from medvision.answering.model import Model
from medvision.reports.gallery import map_picture
from medvision.reports.overlays import (
    BACKGROUND,
    as_colour,
    draw_fillings,
    draw_keys,
    draw_outlines,
    load_font,
    mask_key,
)

LEAST_SIDE, MARGIN = 320, 8
QUALITY = 90
TAUGHT_BY_DRAWINGS = "network trained on SIMULATED images"


def overlay_picture(model: Model, image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> Image.Image:
    """A mask over its image, and below it what the colours mean.

    Args:
        model: that has drawn the mask.
        image: (H, W) or (H, W, 3) uint8.
        mask: (H, W) uint8 class numbers.

    Returns:
        RGB. The image has its own size; one whose longer side is below 320 pixels is enlarged a whole number of times,
        pixel by pixel.
    """
    times = -(-LEAST_SIDE // max(mask.shape))
    shown, drawn = (plane.repeat(times, axis=0).repeat(times, axis=1) for plane in (as_colour(image), mask))
    draw_fillings(shown, drawn)
    draw_outlines(shown, drawn, max(1, round(max(drawn.shape) / 400)))
    keys = [(mask_key(number), name) for number, name in enumerate(model.mask_classes) if number]
    width = max(shown.shape[1], LEAST_SIDE)
    legend = draw_keys(TAUGHT_BY_DRAWINGS if model.simulated else "", keys, width - 2 * MARGIN, load_font(15))
    picture = Image.new("RGB", (width, shown.shape[0] + legend.height + 2 * MARGIN), BACKGROUND)
    picture.paste(Image.fromarray(shown), ((width - shown.shape[1]) // 2, 0))
    picture.paste(legend, (MARGIN, shown.shape[0] + MARGIN))
    return picture


def evidence_picture(model: Model, answer: Answer) -> Image.Image:
    """The image under a map of the evidence for the class that it was said to show.

    Args:
        model: that has answered.
        answer: with evidence.
    """
    assert answer.evidence is not None, "evidence was not asked for"
    image, evidence = answer.original.pixels, answer.evidence
    height, width = image.shape[:2]
    name = model.classes[evidence.shown]
    whole = model.preparation.restore(evidence.maps[:, None], height, width)[0]
    text = f"no positive evidence for {name}" if evidence.empty else f"evidence for {name}"
    if not evidence.empty and model.preparation.tiles is not None:
        text += ", each tile by its own strongest place"
    if model.simulated:
        text += f"; {TAUGHT_BY_DRAWINGS}"
    seen = model.preparation.seen(height, width)
    return map_picture(image, whole.astype(np.float32), text, simulated=False, seen=seen, scale=not evidence.empty)


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a JPEG; it appears complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    # Full colour resolution: thin outlines would smear otherwise.
    picture.save(part, format="JPEG", quality=QUALITY, subsampling=0)
    part.replace(path)
