"""The values that a mask file holds, as they are stored.

A value is handled as one whole number, its code: a grey value or palette index is its own code, a colour whose channels
differ is `COLOUR` plus 0xrrggbb. Black is 0 in both ways of writing it, so grey and RGB files of one set agree.
"""

import re
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from medvision.data.images import check_end_of_png, count_frames, decoding, opened, seek_frame, upright
from medvision.data.pixels import check_size
from medvision.errors import ImageError

COLOUR = 1 << 24
"""Codes from here on are colours; grey values and palette indices lie below."""

UNREADABLE_ARRAY = (OSError, ValueError, EOFError, MemoryError, SyntaxError, TokenError)
"""What numpy raises on a damaged `.npy`, whose header is a piece of Python."""

_LOWEST = -(1 << 23)
_SCALED_UP = {"L;2": 85, "L;4": 17}  # Pillow spreads grey values of 2 and 4 bits over [0, 255]


def code_of(text: str) -> int:
    """The code of a value as it is written in the experiment file.

    Raises:
        ValueError: neither a whole number nor a colour.

    >>> code_of("255"), code_of("#ffffff"), code_of("#FF0000") == COLOUR + 0xFF0000
    (255, 255, True)
    """
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        red, green, blue = bytes.fromhex(text[1:])
        return red if red == green == blue else COLOUR + int(text[1:], 16)
    if not re.fullmatch(r"-?[0-9]{1,9}", text) or not _LOWEST <= int(text) < COLOUR:
        raise ValueError(text)
    return int(text)


def text_of(code: int, by_colour: bool) -> str:
    """How a value is written; with `by_colour` also the greys as colours.

    >>> text_of(255, by_colour=False), text_of(255, by_colour=True), text_of(COLOUR + 0xFF, by_colour=False)
    ('255', '#ffffff', '#0000ff')
    """
    if code >= COLOUR:
        return f"#{code - COLOUR:06x}"
    return f"#{code * 0x010101:06x}" if by_colour and 0 <= code <= 255 else str(code)


def tally_codes(codes: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp], npt.NDArray[Any]]:
    """Count codes without sorting the pixels.

    Args:
        codes: (H, W) uint8, uint16 or int32.

    Returns:
        (N,) different codes, (N,) how often each occurs (0 is possible), and (H * W,) the place of each pixel's code.
    """
    flat = codes.ravel()
    if codes.dtype == np.int32:
        index, found = pd.factorize(flat)
        return found, np.bincount(index, minlength=len(found)), index
    length = np.iinfo(codes.dtype).max + 1
    return np.arange(length), np.bincount(flat, minlength=length), flat


def nearest_codes(codes: npt.NDArray[Any], declared: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Undo the noise of a lossy file: each code becomes the nearest declared one, if that is near enough.

    Args:
        codes: (N,).
        declared: (K,) codes that were drawn.

    Returns:
        (N,) codes; unchanged where no declared colour lies within half the smallest distance between two of them, as
        Euclidean distances of red, green and blue.

    >>> nearest_codes(np.array([3, 90, 120, 250]), np.array([0, 128, 255])).tolist()
    [0, 128, 128, 255]
    """
    declared = declared[((declared >= 0) & (declared < 256)) | (declared >= COLOUR)]
    if len(declared) < 2:
        return codes
    drawn, seen = _colours(declared), _colours(codes)
    between = np.linalg.norm(drawn[:, None] - drawn[None], axis=-1)
    reach = between[~np.eye(len(drawn), dtype=bool)].min() / 2
    away = np.linalg.norm(seen[:, None] - drawn[None], axis=-1)
    return np.where(away.min(axis=1) <= reach, declared[away.argmin(axis=1)], codes)


def read_codes(path: Path, frame: int | None, by_colour: bool) -> tuple[npt.NDArray[Any], bool]:
    """Read the values of one mask file; nothing is scaled, blended or turned into grey.

    Args:
        path: an image file or a `.npy` of a two-dimensional array.
        frame: page of a TIFF or frame of a GIF, counted from 0.
        by_colour: of a palette, the colours count and not the indices.

    Returns:
        (H, W) codes, uint8, uint16 or int32, upright as `read_image` turns the image; and whether the file is a JPEG,
        whose values are only roughly those that were drawn. Where an alpha channel is 0 the value is 0. The palette of
        a GIF is the writer's own affair: there the colours always count.

    Raises:
        ImageError: in one line that names the file, why it cannot be read as a mask.
    """
    with opened(path) as file:
        if path.suffix.lower() == ".npy":
            return _numpy_codes(path, file), False
        with decoding(path, file) as image:
            frames = count_frames(image)
            if frame is None and frames > 1:
                raise ImageError(f"{path}: holds {frames} frames, a mask is one; write {path.name}#0 to {frames - 1}")
            seek_frame(path, image, frame)
            check_size(path, *image.size)
            stored = _raw_mode(image)
            image.load()
            if image.format == "PNG":
                check_end_of_png(path, file)
            lossy = image.format in ("JPEG", "MPO")
            by_colour = by_colour or image.format == "GIF"
            return _codes(path, upright(image), stored, by_colour), lossy


def _colours(codes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Red, green and blue of codes, (N,) to (N, 3)."""
    codes = codes.astype(np.int64)
    packed = np.where(codes >= COLOUR, codes - COLOUR, codes * 0x010101)
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)


def _numpy_codes(path: Path, file: BinaryIO) -> npt.NDArray[Any]:
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read_header(file)
        if len(shape) != 2 or kind.kind not in "biuf":
            raise ImageError(
                f"{path}: expected a two-dimensional array of whole numbers or bool, found {kind} of shape {shape}"
            )
        check_size(path, shape[1], shape[0])
        file.seek(0)
        return _whole(path, np.lib.format.read_array(file, allow_pickle=False))
    except UNREADABLE_ARRAY as error:
        raise ImageError(f"{path}: cannot be read as a .npy file: {' '.join(str(error).split())}") from error


def _raw_mode(image: Image.Image) -> str:
    """How the pixels lie in the file; Pillow knows it until they are loaded."""
    tiles: Any = getattr(image, "tile", ())
    if not tiles:
        return image.mode
    arguments = tiles[0][3]
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _codes(path: Path, image: Image.Image, stored: str, by_colour: bool) -> npt.NDArray[Any]:
    if image.mode in ("RGB", "RGBA", "LA") and ";16" in stored:
        raise ImageError(f"{path}: holds colours or transparency of 16 bits; save the mask as 8-bit colours or grey")
    if image.mode in ("1", "L") or image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        return values // _SCALED_UP.get(stored[:3], 1) if image.mode == "L" else _whole(path, values)
    if image.mode in ("P", "PA") and not by_colour:
        return np.asarray(image if image.mode == "P" else image.getchannel(0))
    if image.mode in ("LA", "PA", "RGBA"):
        rgba = np.asarray(image.convert("RGBA"))
        return _packed(np.where(rgba[..., 3:] > 0, rgba[..., :3], np.uint8(0)))
    return _packed(np.asarray(image.convert("RGB")))


def _packed(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    red, green, blue = (rgb[..., channel] for channel in range(3))
    grey = (red == green) & (green == blue)
    if grey.all():
        return np.ascontiguousarray(red)
    packed = red.astype(np.int32) << 16 | green.astype(np.int32) << 8 | blue
    return np.where(grey, red, packed | COLOUR).astype(np.int32)


def _whole(path: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers of any type as uint8, uint16 or int32."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.round(values)).all()):
        raise ImageError(f"{path}: holds fractions; a mask holds whole numbers, one for each class")
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if low < _LOWEST or high >= COLOUR:
        raise ImageError(f"{path}: holds values from {low} to {high}; the value of a class lies below {COLOUR}")
    small = next((kind for kind in (np.uint8, np.uint16) if low >= 0 and high <= np.iinfo(kind).max), np.int32)
    return values.astype(small)
