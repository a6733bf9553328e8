"""Where the pixels of a table's rows come from: the cache, or the files again each time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from medvision.data.cache import Decoded, Inspection, cache_key, inspect_images, open_cache
from medvision.data.images import parse_image_name
from medvision.data.loading import PixelSource
from medvision.data.masks import IGNORE, MaskRules, parse_mask_cell, read_mask
from medvision.data.resize import Geometry, resize
from medvision.errors import ImageError

Fit = Literal["letterbox", "stretch", "crop", "none"]


class ImageDecoder:
    """Reads one image and brings it to the size of the network.

    Args:
        read_pixels: image name -> (H, W) or (H, W, 3) uint8.
        digest: image name -> SHA-256.
        size: side of the square in pixels.
        fit: how an image becomes the square; `none` leaves it as it is.
    """

    def __init__(
        self, read_pixels: Callable[[str], np.ndarray], digest: Callable[[str], str], size: int, fit: Fit
    ) -> None:
        self.read_pixels, self.digest = read_pixels, digest
        self.resize = _as_it_is if fit == "none" else partial(resize, size=size, how=fit)

    def __call__(self, image: str) -> Decoded:
        """The image as the cache stores it."""
        pixels = self.read_pixels(image)
        height, width = pixels.shape[:2]
        return Decoded(self.resize(pixels), height, width, self.digest(image))

    def pixels(self, image: str) -> np.ndarray:
        """The same without its digest."""
        return self.resize(self.read_pixels(image))


@dataclass(frozen=True)
class MaskDecoder:
    """Reads the mask of an image and brings it to the size of the network; around the image nothing is scored.

    Args:
        root: folder of the data set.
        rules: what the values of the files mean.
        sizes: mask cell -> height and width of its image.
        size: side of the square in pixels.
        fit: how an image becomes the square.
    """

    root: Path
    rules: MaskRules
    sizes: dict[str, tuple[int, int]]
    size: int
    fit: Fit

    def __call__(self, cell: str) -> Decoded:
        """The mask as the cache stores it, with the pixel counts of its file."""
        mask, counts = self._read(cell)
        content = b"".join((self.root / parse_image_name(name)[0]).read_bytes() for _, name in parse_mask_cell(cell))
        height, width = mask.shape
        return Decoded(self._resized(mask), height, width, sha256(content).hexdigest(), counts)

    def pixels(self, cell: str) -> np.ndarray:
        """The same without digest and counts."""
        return self._resized(self._read(cell)[0])

    def _read(self, cell: str) -> tuple[np.ndarray, dict[str, int]]:
        if min(self.sizes[cell]) == 0:
            raise ImageError(f"{cell}: its image cannot be read")
        return read_mask(cell, self.root, self.rules, self.sizes[cell])

    def _resized(self, mask: np.ndarray) -> np.ndarray:
        if self.fit == "none":
            return mask
        height, width = mask.shape
        return Geometry(height, width, self.size, self.fit).apply_mask(mask, outside=IGNORE)


class DecodedRows:
    """A pixel source that reads the files each time.

    Args:
        decode: reads one.
        names: by row.
    """

    def __init__(self, decode: ImageDecoder | MaskDecoder, names: Sequence[str]) -> None:
        self.decode, self.names = decode, list(names)

    def __getitem__(self, row: int) -> np.ndarray:
        """The pixels of one row."""
        return self.decode.pixels(self.names[row])


def open_source(
    names: Sequence[str],
    decode: ImageDecoder | MaskDecoder,
    files: Sequence[Sequence[Path]],
    description: dict[str, Any],
    shape: Sequence[int] | None,
    *,
    cached: bool,
) -> tuple[PixelSource, Inspection]:
    """Pixels by row, and what was found in the files.

    Args:
        names: of the images, or the cells of the masks.
        decode: reads one.
        files: those behind each name; a change of their size or time builds the cache anew.
        description: everything else that decides the pixels, plain values.
        shape: of all pixels together; None where every image keeps its own size.
        cached: decode once, into a file that later runs share.
    """
    if not cached:
        return DecodedRows(decode, names), inspect_images(names, decode, keep=lambda row, pixels: None)
    stamps = [(name, *[_size_and_time(file) for file in some]) for name, some in zip(names, files, strict=True)]
    return open_cache(cache_key({**description, "files": stamps}), shape, names, decode)


def _size_and_time(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _as_it_is(image: np.ndarray) -> np.ndarray:
    return image
