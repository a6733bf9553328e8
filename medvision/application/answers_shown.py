"""A run is asked about one image, and what a page shows of the answer is kept small."""

import io
from dataclasses import dataclass, replace
from functools import cache
from time import perf_counter

import numpy as np
import numpy.typing as npt
from PIL import Image

from medvision.answering.asked import Asked
from medvision.answering.asking import Answer, ask_images
from medvision.answering.drawings import evidence_picture, overlay_picture
from medvision.answering.model import Model
from medvision.answering.records import Record
from medvision.answering.session import Extras
from medvision.application.opened import ASKING, Opened
from medvision.application.uploads import check_pixels
from medvision.data.memory_file import MemoryFile
from medvision.errors import ImageError, MedvisionError, ModelError
from medvision.reports.gallery import plain_picture
from medvision.reports.overlays import fit_size, scale_image, scale_mask
from medvision.reports.palette import palette_bytes

LONGEST, LEAST = 1024, 640
"""Pixels of the longer side of what is shown; masks are handed out at the size of the original."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Shown:
    """The answer for one image, without its pixels.

    Args:
        record: what the tables are made of.
        height: of the original in pixels.
        width: likewise.
        storage: how it is stored, such as `8-bit grey`.
        picture: the image as it is, RGB; of a run that draws masks over the same legend as `overlay`.
        overlay: the mask over the image; None of a run that draws none.
        evidence: Grad-CAM; None of a run that says no class, or of a network without maps.
        mask: the PNG of class numbers at the size of the original; None likewise.
        seconds: from the file to all of this, without waiting for other visitors.
    """

    record: Record
    height: int
    width: int
    storage: str
    picture: Image.Image
    overlay: Image.Image | None
    evidence: Image.Image | None
    mask: bytes | None
    seconds: float = 0.0


@cache
def explains(model: Model) -> bool:
    """Whether every network of a model can show where it saw evidence for a class."""
    try:
        Extras(gradcam=True).check(model)
    except MedvisionError:
        return False
    return True


def ask(opened: Opened, asked: Asked) -> Shown:
    """Ask a run about one image; visitors wait for each other.

    Args:
        opened: the run.
        asked: an image in memory or on disk.

    Raises:
        ImageError: in one line, why the image cannot be read.
        RunError: the folder holds no network that could be asked.
        ModelError: the data set of the run is of a class that reads files in a way of its own.
    """
    with ASKING:
        model = opened.model
        handed_in = isinstance(asked.source, MemoryFile)
        if handed_in and model.read is not None:
            raise ModelError(
                f"{opened.label}: its data set is of a class of its own, which reads files and no uploads; "
                "use `medvision predict`"
            )
        if handed_in:
            check_pixels(model, asked)
        kept: list[Shown] = []

        def keep(answer: Answer) -> Record:
            kept.append(_shown(model, answer))
            return kept[-1].record

        evidence = explains(model)
        start = perf_counter()
        for batch in ask_images(model, [asked], keep, evidence=evidence):
            for part in batch:
                if not isinstance(part, Record):
                    raise ImageError(part[1])
        return replace(kept[0], seconds=perf_counter() - start)


def _shown(model: Model, answer: Answer) -> Shown:
    record, original = answer.record, answer.original
    height, width = original.pixels.shape[:2]
    longer = max(height, width)
    # Small ones are enlarged a whole number of times: below them the legend needs room.
    times = -(-LEAST // longer)
    size = (times * height, times * width) if longer <= LONGEST else fit_size(height, width, LONGEST)
    overlay = None
    if record.pixels is None:
        picture = plain_picture(original.pixels, simulated=False)
    else:
        small, drawn = scale_image(original.pixels, size), scale_mask(record.pixels, size)
        picture = overlay_picture(model, small, np.zeros_like(drawn))
        overlay = overlay_picture(model, small, drawn)
    return Shown(
        replace(record, pixels=None),
        height,
        width,
        original.storage,
        picture,
        overlay,
        None if answer.evidence is None else evidence_picture(model, answer),
        None if record.pixels is None else palette_bytes(record.pixels),
    )


def png(picture: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
