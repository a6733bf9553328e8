"""Many small images with captions on one sheet, to be looked at."""

import numpy as np
from PIL import Image, ImageDraw

from medvision.reports.overlays import BACKGROUND, INK, fit_text, load_font

CELL = 128
GAP = 8
LETTERS = 14


def contact_sheet(images: np.ndarray, captions: list[str], columns: int = 8, title: str = "") -> Image.Image:
    """Images side by side, each with its caption below.

    Args:
        images: uint8 of shape (N, H, W, C), C being 1 or 3, N at least 1.
        captions: one an image; a long one is shortened to the width of its image.
        columns: images in a row, at most.
        title: a line above the images; empty for none.

    Returns:
        An RGB sheet; the longer side of every image is 128 pixels.
    """
    if len(images) != len(captions) or len(images) == 0:
        raise ValueError(f"{len(images)} images and {len(captions)} captions; one caption an image is needed")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    font = load_font(LETTERS)
    line = LETTERS + 6
    head = line if title else 0
    sheet = Image.new("RGB", (columns * (CELL + GAP) + GAP, head + rows * (CELL + line + GAP) + GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP // 2), title, font=font, fill=INK)
    for position, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(position, columns)
        left, top = GAP + column * (CELL + GAP), head + GAP + row * (CELL + line + GAP)
        thumbnail = _thumbnail(image)
        sheet.paste(thumbnail, (left + (CELL - thumbnail.width) // 2, top + (CELL - thumbnail.height) // 2))
        draw.text((left + CELL // 2, top + CELL + 2), fit_text(caption, font, CELL), font=font, fill=INK, anchor="ma")
    return sheet


def _thumbnail(image: np.ndarray) -> Image.Image:
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")
    scale = CELL / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
