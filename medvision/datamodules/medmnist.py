"""MedMNIST: small images in one archive."""

import zlib
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import ClassVar
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd

from medvision.data.mask_files import UNREADABLE_ARRAY
from medvision.data.pixels import with_channels
from medvision.datamodules.base import DataModule
from medvision.errors import ConfigError, DataError, ImageError

_UNREADABLE = (*UNREADABLE_ARRAY, BadZipFile, NotImplementedError, RuntimeError, zlib.error)
# Images are not compressed so well; labels of a single class are, and are small.
MOST_UNFOLDED = 100
ALWAYS_ALLOWED = 2**28
SPLITS = ("train", "val", "test")
# Names of the labels 0, 1, … of the sets with one label an image, as MedMNIST's own description gives them.
CLASS_NAMES = {
    "breastmnist": ("malignant", "normal or benign"),
    "pneumoniamnist": ("normal", "pneumonia"),
}


@dataclass(kw_only=True, eq=False)
class MedMNIST(DataModule):
    """One of the 2D sets of MedMNIST, an .npz file with its official split. It does not say who the patients are.

    Layout: `root/<file>.npz` with `train_images` (N, H, W) or (N, H, W, 3) uint8, `train_labels` (N, 1), and the same
    for val and test. Images are called `<file>.npz/<split>/<number>`.

    Args:
        file: name of the archive.
    """

    file: str = "pneumoniamnist.npz"

    citation: ClassVar[str] = "J. Yang et al., MedMNIST v2, Scientific Data 10:41, 2023"
    licence: ClassVar[str] = "CC BY 4.0 (most sets; see the set)"
    url: ClassVar[str] = "https://medmnist.com"

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        path = Path(self.root) / self.file
        if not path.is_file():
            found = ", ".join(sorted(file.name for file in Path(self.root).glob("*.npz"))) or "no .npz file"
            raise DataError(f"data.file: no {path}; the folder has {found}")
        try:
            _check_unfolded(path)
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except _UNREADABLE as error:
            raise DataError(f"{path}: cannot be read as an .npz archive: {error}") from error
        missing = [f"{split}_{what}" for split in SPLITS for what in ("images", "labels")]
        missing = [name for name in missing if name not in arrays]
        if missing:
            raise DataError(f"{path}: no {', '.join(missing)}; it has {', '.join(sorted(arrays))}")
        for split in SPLITS:
            images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
            if images.ndim not in (3, 4) or labels.ndim == 0:
                raise DataError(
                    f"{path}: {split} has images of shape {images.shape} and labels of shape {labels.shape}; expected "
                    "(N, H, W) or (N, H, W, 3) and (N, 1)"
                )
        return arrays

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        parts = []
        for split in SPLITS:
            labels, images_found = self._arrays[f"{split}_labels"], len(self._arrays[f"{split}_images"])
            if len(labels) != images_found:
                raise DataError(f"{self.file}: {len(labels)} labels of {images_found} images in {split}")
            labels = labels.reshape(len(labels), -1)
            if labels.shape[1] != 1:
                raise ConfigError(f"data.file: {self.file} has {labels.shape[1]} labels an image, expected one")
            if labels.dtype.kind not in "iu" or (labels < 0).any():
                raise DataError(f"{self.file}: {labels.dtype} labels in {split}, expected whole numbers from 0 on")
            images = [f"{self.file}/{split}/{number}" for number in range(len(labels))]
            parts.append(pd.DataFrame({"image": images, "label": labels[:, 0], "split": split}))
        table = pd.concat(parts, ignore_index=True)
        names = CLASS_NAMES.get(Path(self.file).stem.partition("_")[0])
        # Two digits keep sorted names in the order of the numbers.
        table["label"] = [names[k] if names and k < len(names) else f"{k:02d}" for k in table["label"]]
        return table

    def read_pixels(self, image: str) -> np.ndarray:
        """An image of the archive, (H, W) or (H, W, 3) uint8."""
        pixels = self._pixels(image)
        return with_channels(pixels, self.channels)

    def file_of(self, image: str) -> Path:
        """The archive."""
        return Path(self.root) / self.file

    def digest(self, image: str) -> str:
        """SHA-256 of the pixels."""
        return sha256(self._pixels(image).tobytes()).hexdigest()

    def _pixels(self, image: str) -> np.ndarray:
        _, split, number = image.rsplit("/", 2)
        pixels = self._arrays[f"{split}_images"][int(number)]
        if pixels.dtype != np.uint8:
            raise ImageError(f"{image}: {pixels.dtype} pixels, expected uint8")
        return np.ascontiguousarray(pixels)


def _check_unfolded(path: Path) -> None:
    with ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST_UNFOLDED * path.stat().st_size + ALWAYS_ALLOWED:
        raise DataError(f"{path}: {path.stat().st_size} bytes that unfold into {size} are no images")
