"""Images that visitors hand in: they stay in memory, and what is too much is refused before it is decoded."""

from dataclasses import replace
from pathlib import Path

from medvision.answering.asked import Asked
from medvision.answering.model import Model
from medvision.data.images import MANY_FRAMES, frames_of, image_header
from medvision.data.memory_file import MemoryFile
from medvision.data.pixels import PIXEL_LIMIT
from medvision.errors import DataError, ImageError

TYPES = ("png", "jpg", "jpeg", "tif", "tiff", "dcm", "dicom")
MEGABYTES = 128
"""Of one file; 50 megapixels of 16 bits are 100."""
MOST_IMAGES = 20
"""At a time; frames of one file count each."""

MAP_BYTES = 3 * 2**29
"""Of the probabilities of all mask classes at the size of the original, 32 bits each."""


def most_pixels(model: Model) -> int:
    """How many pixels an image may have that a visitor hands in: fewer for a run that draws many classes."""
    return min(PIXEL_LIMIT, MAP_BYTES // (4 * max(1, len(model.mask_classes))))


def limits(pixels: int) -> str:
    """What a visitor should know before.

    Args:
        pixels: that an image may have.
    """
    return (
        f"PNG, JPEG, TIFF or DICOM; up to {MOST_IMAGES} images at a time, each of at most {MEGABYTES} MB and "
        f"{pixels // 1_000_000} megapixels. They stay in the memory of this computer: nothing is written to disk or "
        "sent elsewhere, and they are forgotten when you remove them, go to another page or close this one."
    )


def check_pixels(model: Model, asked: Asked) -> None:
    """Refuse an image that is too large for a run, from its header alone.

    Args:
        model: that is going to be asked.
        asked: an image with a file.

    Raises:
        ImageError: it declares more than `most_pixels`, or has no header that can be read.
    """
    assert isinstance(asked.source, Path)
    width, height, _ = image_header(asked.source)
    most = most_pixels(model)
    if width * height > most:
        raise ImageError(
            f"{asked.name}: declares {width} x {height} pixels, the limit of this run is {most // 1_000_000} "
            "megapixels; save it smaller"
        )


def images_of(name: str, content: bytes) -> list[Asked]:
    """The images of one file: its frames, where it has several.

    Args:
        name: of the file, as the visitor's computer calls it.
        content: its bytes.

    Raises:
        ImageError: its header cannot be read.
        DataError: it is too large, or has more frames than are asked about at a time.
    """
    if len(content) > MEGABYTES * 2**20:
        raise DataError(f"{name}: has {len(content) / 2**20:.0f} MB, the limit is {MEGABYTES} MB; save it smaller")
    file = MemoryFile(name, content)
    asked = Asked(file.name, file, below=file.name)
    frames = frames_of(file) if file.suffix.lower() in MANY_FRAMES else 1
    if frames > MOST_IMAGES:
        raise DataError(
            f"{file}: has {frames} frames, the limit is {MOST_IMAGES}; save those that matter as files of their own"
        )
    if frames == 1:
        return [asked]
    return [replace(asked, name=f"{asked.name}#{frame}", frame=frame) for frame in range(frames)]
