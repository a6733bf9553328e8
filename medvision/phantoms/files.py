"""Writing simulated images and tables, each image with a mark that it is simulated."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

MARK = "SIMULATED by medvision, not an image of a patient"
# Beside the images of a simulated set; the readers of data sets look for it.
MARK_FILE = "SIMULATED.json"


def write_image(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write a PNG or, by its suffix, a JPEG with `MARK` as its comment.

    Args:
        path: the file; its folder is made.
        pixels: (H, W) or (H, W, 3) uint8.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if path.suffix == ".jpg":
        image.save(path, quality=92, comment=MARK.encode())
        return
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", MARK)
    image.save(path, pnginfo=text, compress_level=1)


def write_csv(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write rows of equal keys, with the keys as header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
