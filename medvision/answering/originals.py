"""One original image: its pixels, and what its file says of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from medvision.answering.asked import Asked
from medvision.data.dicom import DICOM_SUFFIXES, is_dicom
from medvision.data.dicom_tags import DicomTags, dicom_tags
from medvision.data.digests import image_digest
from medvision.data.images import read_image
from medvision.data.pixels import scale_by_depth, with_channels
from medvision.data.storage import storage_of
from medvision.errors import ImageError

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Original:
    """An image as it came.

    Args:
        pixels: (H, W) for 1 channel, (H, W, 3) RGB for 3, uint8.
        storage: how it is stored, such as `8-bit grey`.
        digest: SHA-256 of its file and frame, as `split.csv` has it; None of an array.
        dicom: whether it came as DICOM.
        patient: as a table says, or a pseudonym from the DICOM header; None where neither does.
        study: likewise.
        spacing: distances of rows and of columns in mm; None where nobody says them.
    """

    pixels: Pixels
    storage: str
    digest: str | None
    dicom: bool
    patient: str | None
    study: str | None
    spacing: tuple[float, float] | None


def read_original(
    asked: Asked, channels: Literal[1, 3], read: Callable[[str], npt.NDArray[Any]] | None = None
) -> Original:
    """Read an image. Safe to call from several threads.

    Args:
        asked: which.
        channels: 1 for grey, 3 for RGB.
        read: how the data set of the run reads an image, by its whole name, where it has a way of its own.

    Raises:
        ImageError: in one line, why it cannot be read.
    """
    if not isinstance(asked.source, Path):
        pixels, storage = _of_array(asked.name, asked.source, channels)
        return Original(pixels, storage, None, False, asked.patient, asked.study, asked.spacing)
    file = asked.source
    whole = str(file.absolute()) if asked.frame is None else f"{file.absolute()}#{asked.frame}"
    pixels = read_image(file, channels, asked.frame) if read is None else read(whole)
    tags = _tags(file)
    return Original(
        pixels,
        storage_of(file),
        image_digest(file, asked.frame),
        tags is not None,
        asked.patient or (tags["patient"] if tags else None),
        asked.study or (tags["study"] if tags else None),
        asked.spacing or _spacing(tags),
    )


def _tags(file: Path) -> DicomTags | None:
    return dicom_tags(file) if file.suffix.lower() in (*DICOM_SUFFIXES, "") and is_dicom(file) else None


def _spacing(tags: DicomTags | None) -> tuple[float, float] | None:
    if tags is None or tags["row_mm"] is None or tags["column_mm"] is None:
        return None
    return tags["row_mm"], tags["column_mm"]


def _of_array(name: str, array: npt.NDArray[Any], channels: Literal[1, 3]) -> tuple[Pixels, str]:
    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[-1] == 3
    if array.dtype not in (np.uint8, np.uint16) or not (grey or colour) or not array.size:
        raise ImageError(
            f"{name}: is {array.dtype} of shape {array.shape}; expected uint8 or uint16 of shape (H, W) or (H, W, 3)"
        )
    storage = f"{8 * array.dtype.itemsize}-bit {'grey' if grey else 'colour'}"
    if array.dtype == np.uint16:
        # As files are read: grey by the depth that holds its maximum, of colour the upper 8 bits.
        array = scale_by_depth(array) if grey else (array >> 8).astype(np.uint8)
    return with_channels(array, channels), storage
