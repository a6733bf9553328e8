"""The data set of a run, where it is at hand: single images and true masks, checked to be those of the run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medvision.config.settings import Experiment
from medvision.data.sources import MaskDecoder
from medvision.data.table import normalise_table
from medvision.datamodules.base import DataModule
from medvision.datamodules.creation import create_datamodule
from medvision.datamodules.masked import MaskedDataModule
from medvision.errors import DataError
from medvision.runs import RunFolder, read_table, reads_run

Pixels = npt.NDArray[np.uint8]
CHANGED = "is not the file that the run has seen: its content has changed since"


@dataclass(frozen=True, eq=False)
class DataAtHand:
    """Images of the data set of a run; nothing but the file that is asked for is read.

    Args:
        datamodule: not set up; its image table is that of the run.
        digests: {image: SHA-256} as `split.csv` has them.
        mask_digests: {mask: SHA-256} likewise; empty of older runs.
    """

    datamodule: DataModule
    digests: Mapping[str, str]
    mask_digests: Mapping[str, str]

    def image(self, name: str) -> Pixels:
        """An image at its original size, (H, W) or (H, W, 3) uint8.

        Args:
            name: as the tables of the run have it.

        Raises:
            DataError: it is not the image that the run has seen, or not there; without its name, which may be a
                patient's.
            ImageError: it cannot be read.
        """
        if name not in self.digests:
            raise DataError("the image is in no split of the run")
        try:
            if self.datamodule.digest(name) != self.digests[name]:
                raise DataError(f"the image {CHANGED}")
            return np.asarray(self.datamodule.read_pixels(name), dtype=np.uint8)
        except OSError as error:
            raise DataError(f"the image cannot be read: {error.strerror or error}") from error

    def truth(self, cell: str, size: tuple[int, int]) -> Pixels:
        """The true mask of an image, (H, W) uint8 class numbers with `IGNORE`.

        Args:
            cell: of the column `mask_true` of the prediction table.
            size: height and width of the image.

        Raises:
            DataError: it is not the mask that the run has seen, or not there.
            ImageError: it cannot be read.
        """
        data = self.datamodule
        rules = data.mask_rules if isinstance(data, MaskedDataModule) else None
        if rules is None or cell not in set(data.image_table["mask"]):
            raise DataError("the mask is in no split of the run")
        try:
            decoded = MaskDecoder(Path(data.root), rules, {cell: size}, data.image_size, "none")(cell)
        except OSError as error:
            raise DataError(f"the mask cannot be read: {error.strerror or error}") from error
        if self.mask_digests.get(cell, decoded.digest) != decoded.digest:
            raise DataError(f"the mask {CHANGED}")
        return np.asarray(decoded.pixels, dtype=np.uint8)


@reads_run
def open_data(folder: RunFolder, experiment: Experiment) -> DataAtHand:
    """The data set that a run was made on, where it is still there; none of its images is read yet.

    Args:
        folder: of the run.
        experiment: of the run; a class of somebody else's that it names is imported, as `predict` does.

    Raises:
        DataError: its folder is not there, or the run names files outside of it.
    """
    data = create_datamodule(experiment)
    if not Path(data.root).is_dir():
        raise DataError(f"data.root: {data.root} is no folder here")
    split = read_table(folder.split)
    named = split[[name for name in ("image", "label", "mask") if name in split]]
    data.image_table = normalise_table(named, str(folder.split))
    seen = split.drop_duplicates("image")
    masks = dict(zip(seen["mask"], seen["mask_sha256"], strict=True)) if "mask_sha256" in seen else {}
    return DataAtHand(data, dict(zip(seen["image"], seen["sha256"], strict=True)), masks)
