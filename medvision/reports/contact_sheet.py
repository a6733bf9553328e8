"""Many small images on one sheet, each with its caption."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

CELL = 128
CAPTION = 18
GAP = 6
PAPER, INK = (24, 26, 30), (230, 232, 236)


def contact_sheet(images: npt.NDArray[np.uint8], captions: Sequence[str], columns: int = 8) -> Image.Image:
    """A sheet of images in rows, as many as there are.

    Args:
        images: (N, H, W, 1) or (N, H, W, 3) uint8.
        captions: N short texts; long ones are cut.
        columns: images a row.
    """
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    step, down = CELL + GAP, CELL + CAPTION + GAP
    sheet = Image.new("RGB", (columns * step + GAP, rows * down + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=12)
    for number, (pixels, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = GAP + number % columns * step, GAP + number // columns * down
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        sheet.paste(picture.convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS), (left, top))
        draw.text((left, top + CELL + 1), _fitting(caption, font), fill=INK, font=font)
    return sheet


def _fitting(caption: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The caption, cut to the width of a cell."""
    if font.getlength(caption) <= CELL:
        return caption
    while caption and font.getlength(f"{caption}…") > CELL:
        caption = caption[:-1]
    return f"{caption}…"
