"""The colours of mask classes, and masks as files that every viewer shows in them."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from medvision.data.masks import IGNORE

RGB = tuple[int, int, int]

BACKGROUND_COLOUR: RGB = (0, 0, 0)
IGNORE_COLOUR: RGB = (128, 128, 128)
# Told apart by the colour-blind (Okabe and Ito, Color Universal Design, 2008); the ones that are brightest on dark
# ultrasound come first.
_CLASS_COLOURS: tuple[RGB, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (204, 121, 167),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (0, 114, 178),
)
_LIGHTER = 0.45


def class_colour(number: int) -> RGB:
    """The colour of a class: black for the background, grey for `IGNORE`, then seven that the colour-blind tell apart.

    From the eighth class on the seven come again, each time nearer to white.

    Args:
        number: of the class, 0 to 255, 0 being the background.

    Returns:
        Red, green and blue, 0 to 255.

    >>> class_colour(1), class_colour(8)
    ((230, 159, 0), (241, 202, 115))
    """
    if number == 0:
        return BACKGROUND_COLOUR
    if number == IGNORE:
        return IGNORE_COLOUR
    turn, place = divmod(number - 1, len(_CLASS_COLOURS))
    kept = (1 - _LIGHTER) ** turn
    red, green, blue = (round(255 - kept * (255 - value)) for value in _CLASS_COLOURS[place])
    return red, green, blue


def colour_text(number: int) -> str:
    """The colour of a class as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*class_colour(number))


def palette_png(mask: npt.NDArray[np.uint8], path: Path) -> None:
    """Write a mask as a palette PNG: its pixel values are class numbers, and a viewer shows them in colour.

    The file appears complete or not at all.

    Args:
        mask: (H, W) uint8 class numbers; `IGNORE` is shown grey.
        path: the file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(palette_bytes(mask))
    part.replace(path)


def palette_bytes(mask: npt.NDArray[np.uint8]) -> bytes:
    """A mask (H, W) uint8 as the bytes of a palette PNG, see `palette_png`."""
    picture = Image.fromarray(np.ascontiguousarray(mask, dtype=np.uint8))
    picture.putpalette([value for number in range(256) for value in class_colour(number)])
    buffer = io.BytesIO()
    # 8 bits a pixel, also for two classes: every reader gives the numbers back.
    picture.save(buffer, format="PNG", bits=8)
    return buffer.getvalue()
