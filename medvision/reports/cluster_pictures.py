"""Small pictures of the images nearest to the centre of a cluster, without names."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from medvision.reports.overlays import BACKGROUND, INK, fit_size, load_font, scale_image

SIDE = 152
QUALITY = 85
_LINE, _TEXT = 18, 13


def save_exemplar(image: npt.NDArray[np.uint8], path: Path, *, simulated: bool) -> None:
    """Write an image as a small JPEG; a simulated one says so below.

    Args:
        image: (H, W) or (H, W, 3) uint8; its longer side becomes 152 pixels.
        path: the file; its folder is made.
        simulated: whether it was drawn by this program.
    """
    height, width = fit_size(image.shape[0], image.shape[1], SIDE)
    shown = scale_image(image, (height, width))
    picture = Image.new("RGB", (width, height + (_LINE if simulated else 0)), BACKGROUND)
    picture.paste(Image.fromarray(shown), (0, 0))
    if simulated:
        place = (width // 2, height + 1)
        ImageDraw.Draw(picture).text(place, "SIMULATED", font=load_font(_TEXT), fill=INK, anchor="ma")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, "JPEG", quality=QUALITY)
