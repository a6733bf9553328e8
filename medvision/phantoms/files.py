"""Writing simulated images and tables, each image with a mark that it is simulated."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

MARK = "SIMULATED by medvision, not an image of a patient"
# Beside the images of a simulated set; the readers of data sets look for it.
MARK_FILE = "SIMULATED.json"
# Of classes 0, 1, 2 in a palette, as drawing programs choose them.
PALETTE = (0, 0, 0, 128, 0, 0, 0, 128, 0)


def is_simulated(root: Path) -> bool:
    """Whether the mark of simulated images lies in the folder of a data set."""
    mark = root / MARK_FILE
    return mark.is_file() and bool(json.loads(mark.read_text(encoding="utf-8")))


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
    image.save(path, pnginfo=_comment(), compress_level=1)


def write_mask(path: Path, mask: npt.NDArray[np.uint8], *, palette: bool = False) -> None:
    """Write the values of a mask as a PNG with `MARK` as its comment.

    Args:
        path: the file; its folder is made.
        mask: (H, W) uint8; in a palette 0, 1 and 2.
        palette: show the values as colours of `PALETTE` instead of as grey.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask)
    if palette:
        # The values stay; only their meaning becomes a colour.
        image.putpalette(PALETTE)
    image.save(path, pnginfo=_comment(), compress_level=6)


def _comment() -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", MARK)
    return text


def write_csv(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write rows of equal keys, with the keys as header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
