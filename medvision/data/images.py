"""Reading one image file of any supported format into 8-bit pixels.

Pillow decodes everything but DICOM: it gives the pixels of OpenCV at nearly its speed, refuses truncated files that
OpenCV half accepts, and knows palettes, transparency and the orientation.
"""

import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from medvision.data import dicom
from medvision.data.pixels import check_size, scale_by_depth, scale_own_range, with_channels
from medvision.errors import ImageError

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM")
IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".jp2", ".pgm", ".ppm"),
    *dicom.DICOM_SUFFIXES,
)
"""What a folder is searched for, in lower case; files without a suffix count where `dicom.is_dicom` says so."""
MANY_FRAMES = (".dcm", ".dicom", ".tif", ".tiff", ".gif", "")
"""Files that may hold several images."""

# A camera's JPEG (MPO) or an animated PNG holds previews, not further images: only these formats have frames.
_FORMATS_WITH_FRAMES = ("TIFF", "GIF")
_ORIENTATION_TAG = 0x0112
_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WIDE_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_PNG_END = b"IEND\xaeB`\x82"
_BEGINNINGS = {
    b"\x89PNG": "a damaged or truncated PNG",
    b"\xff\xd8\xff": "a damaged or truncated JPEG",
    b"II*\x00": "a damaged or truncated TIFF",
    b"MM\x00*": "a damaged or truncated TIFF",
    b"BM": "a damaged or truncated BMP",
    b"version https://git-lfs": "a Git LFS pointer and not the image itself; run `git lfs pull`",
    b"<!DOCTYPE": "a web page and not an image; download it again",
    b"<html": "a web page and not an image; download it again",
    b"%PDF": "a PDF and not an image",
    b"PK\x03\x04": "a zip archive and not an image; unpack it",
    b"\x1f\x8b": "a gzip archive and not an image; unpack it",
}

# Pillow warns from 89 megapixels on and goes on decoding; as an error it cannot be missed.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


def read_image(path: Path, channels: Literal[1, 3], frame: int | None = None) -> npt.NDArray[np.uint8]:
    """Read one image, or one frame of a file that holds several. Safe to call from several threads.

    Rules: an EXIF orientation is applied; transparency is laid on black, the background of ultrasound and radiographs;
    16-bit grey is scaled by the smallest of 8, 10, 12, 14 and 16 bits that holds its maximum; floating-point grey and
    whole numbers outside [0, 65535] by their own finite minimum and maximum; of 16-bit colour the upper 8 bits count;
    colour becomes grey by `with_channels`. DICOM has rules of its own: `medvision.data.dicom`.

    Args:
        path: the file.
        channels: 1 for grey, 3 for RGB.
        frame: page of a TIFF, frame of a GIF or DICOM, counted from 0; None reads the first.

    Returns:
        (H, W) for 1 channel and (H, W, 3) RGB for 3, uint8 in [0, 255], contiguous.

    Raises:
        ImageError: in one line that names the file, why it cannot be read.
    """
    with opened(path) as file:
        if dicom.has_magic(file) or path.suffix.lower() in dicom.DICOM_SUFFIXES:
            return with_channels(dicom.read_pixels(path, frame), channels)
        with decoding(path, file) as image:
            seek_frame(path, image, frame)
            check_size(path, *image.size)
            image.load()
            if image.format == "PNG":
                check_end_of_png(path, file)
            return with_channels(_pixels(image), channels)


def frames_of(path: Path) -> int:
    """Number of frames of a DICOM, TIFF or GIF, 1 for every other image; no pixel is decoded.

    Raises:
        ImageError: the file is no image, or its header cannot be read.
    """
    with opened(path) as file:
        if dicom.has_magic(file) or path.suffix.lower() in dicom.DICOM_SUFFIXES:
            return dicom.frames_of(path)
        with decoding(path, file) as image:
            return count_frames(image)


def image_header(path: Path) -> tuple[int, int, str]:
    """Width, height and mode of an image as stored, before an EXIF rotation; no pixel is decoded.

    Returns:
        Width and height in pixels, and Pillow's mode (`L`, `RGB`, `I;16`, ...) or `DICOM`.

    Raises:
        ImageError: the file is no image, or its header cannot be read.
    """
    with opened(path) as file:
        if dicom.has_magic(file) or path.suffix.lower() in dicom.DICOM_SUFFIXES:
            return (*dicom.size_of(path), "DICOM")
        with decoding(path, file) as image:
            return (*image.size, image.mode)


def parse_image_name(name: str) -> tuple[str, int | None]:
    """Split the name of an image in the table into the file and the frame.

    >>> parse_image_name("scans/a.dcm#3")
    ('scans/a.dcm', 3)
    >>> parse_image_name("scans/b #2.png")
    ('scans/b #2.png', None)
    """
    match = re.fullmatch(r"(.+)#(\d+)", name, re.DOTALL)
    return (match[1], int(match[2])) if match else (name, None)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, or say in one line why it cannot be opened."""
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise ImageError(f"{path}: empty file (0 bytes)")
            file.seek(0)
            yield file
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path}: is a folder, expected an image file") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be opened: {error.strerror or error}") from error


@contextmanager
def decoding(path: Path, file: BinaryIO) -> Iterator[Image.Image]:
    """Open with Pillow, and turn whatever its decoders raise on a damaged file into one line."""
    try:
        file.seek(0)
        with Image.open(file, formats=FORMATS) as image:
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path}: {str(error).split(',')[0]}") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"{path}: {_what_it_is(file)}") from error
    except (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, zlib.error) as error:
        raise ImageError(f"{path}: damaged or truncated: {' '.join(str(error).split())}") from error


def _what_it_is(file: BinaryIO) -> str:
    file.seek(0)
    beginning = file.read(32)
    known = next((text for start, text in _BEGINNINGS.items() if beginning.startswith(start)), None)
    return known or f"not an image of a supported format ({', '.join(FORMATS)}, DICOM)"


def check_end_of_png(path: Path, file: BinaryIO) -> None:
    """Refuse a PNG whose end is missing."""
    # Pillow accepts a PNG without its last chunk: harmless for the pixels, but the copy is not whole
    file.seek(max(0, file.seek(0, os.SEEK_END) - 2**20))
    if _PNG_END not in file.read():
        raise ImageError(f"{path}: damaged or truncated: the end of the PNG is missing")


def count_frames(image: Image.Image) -> int:
    """How many images a file holds; previews do not count."""
    return int(getattr(image, "n_frames", 1)) if image.format in _FORMATS_WITH_FRAMES else 1


def seek_frame(path: Path, image: Image.Image, frame: int | None) -> None:
    """Go to a frame, counted from 0; None is the first."""
    if not frame:
        return
    count = count_frames(image)
    if frame >= count:
        raise ImageError(f"{path}: has no frame {frame}, its {count} frames are counted from 0")
    image.seek(frame)


def _pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    """A loaded image as (H, W) or (H, W, 3) uint8, upright."""
    image = upright(image)
    if image.mode in _WIDE_MODES:
        return _scaled(np.asarray(image))
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA")).astype(np.uint16)
        return ((rgba[..., :3] * rgba[..., 3:] + 127) // 255).astype(np.uint8)
    if image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return np.array(image)


def upright(image: Image.Image) -> Image.Image:
    """A loaded image turned as its EXIF block says."""
    try:
        orientation = int(image.getexif().get(_ORIENTATION_TAG, 1))
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error):
        return image  # a damaged EXIF block says nothing about the pixels
    if orientation not in _ORIENTATIONS:
        return image
    turned = image.transpose(_ORIENTATIONS[orientation])
    if "transparency" in image.info:
        turned.info["transparency"] = image.info["transparency"]
    return turned


def _scaled(grey: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if grey.dtype.kind in "iu" and grey.min() >= 0 and grey.max() < 2**16:
        return scale_by_depth(grey)
    return scale_own_range(grey)


def is_image(file: Path) -> bool:
    """Whether a file is taken for an image: by its suffix or, without one, as DICOM by its content."""
    if not file.is_file():
        return False
    return dicom.is_dicom(file) if file.suffix == "" else file.suffix.lower() in IMAGE_SUFFIXES
