"""What all datamodules share: from the image table to batches. A new data set writes `read_table` only."""

import copy
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from lightning.pytorch import LightningDataModule
from pydantic import NonNegativeInt, PositiveInt

from medvision.config.settings import SplitSettings
from medvision.data.augmentation import augmentation
from medvision.data.cache import Inspection
from medvision.data.digests import image_digest
from medvision.data.images import parse_image_name, read_image
from medvision.data.loaders import Pools
from medvision.data.loading import EpochBatches, ImageDataset, KeptRows, PixelSource
from medvision.data.sources import ImageDecoder, open_source
from medvision.data.splits import Split, make_split
from medvision.data.table import (
    Problem,
    encode_labels,
    find_problems,
    label_names,
    normalise_table,
    require_groups,
    settle_problems,
    skipped_table,
)
from medvision.errors import ConfigError, DataError
from medvision.phantoms.files import is_simulated

MOST_WORKERS = 8


@dataclass(kw_only=True, eq=False)
class DataModule(LightningDataModule):
    """A data set as batches of uint8 images, split by patient.

    Args:
        root: the folder of the data set.
        image_size: height and width in pixels at which the network sees an image.
        resize: `letterbox` keeps the aspect ratio and pads black, `stretch` does not keep it, `crop` cuts the longer
            side to a square; `none`, for segmentation, trains on windows of `image_size` and predicts whole images.
        channels: 1 for grey, 3 for colour.
        batch_size: images a training step, of all devices together.
        num_workers: worker processes for loading; null chooses: one thread, or processes where a GPU waits for
            augmented images.
        augmentation: `none`, `ultrasound`, `ultrasound_elastic`, `radiograph`, or the path of an albumentations file.
        cache: decode every image once, into a file that later runs share.
        on_bad_image: `error` stops at images that cannot be used and lists them all; `skip` leaves them out and lists
            them in the run folder.
        split: who is trained on and who is tested; from the experiment's own section.
        seed: of splits, order and augmentation; from the experiment.
    """

    root: str
    image_size: PositiveInt = 224
    resize: Literal["letterbox", "stretch", "crop", "none"] = "letterbox"
    channels: Literal[1, 3] = 1
    batch_size: PositiveInt = 32
    num_workers: NonNegativeInt | None = None
    augmentation: str = "none"
    cache: bool = True
    on_bad_image: Literal["error", "skip"] = "error"
    split: SplitSettings = field(default_factory=SplitSettings)
    seed: int = 42

    classes: ClassVar[tuple[str, ...] | None] = None
    citation: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    url: ClassVar[str] = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.predicted_split = "test"
        self._prepared = False
        self._pools = Pools()

    # The data set's own part

    def read_table(self) -> pd.DataFrame:
        """The image table: `image` (relative to `root`), `label` or `mask`, `patient`, and whatever else is known.

        Raises:
            DataError: the folder is not laid out as expected.
        """
        raise NotImplementedError

    @property
    def multilabel(self) -> bool:
        """Whether an image can show several classes at once, or none."""
        return False

    @property
    def class_names(self) -> list[str]:
        """Classes in the order of the network's outputs; the last of two is the positive one; none without labels."""
        if self.classes is not None:
            return list(self.classes)
        if "label" not in self.image_table:
            return []
        return label_names(self.image_table["label"], multilabel=self.multilabel)

    @property
    def mask_classes(self) -> list[str]:
        """Classes of the pixels in the order of their numbers, the background first; none without masks."""
        return []

    def read_pixels(self, image: str) -> np.ndarray:
        """An image at its original size, (H, W) or (H, W, 3) uint8.

        Raises:
            ImageError: it cannot be read.
        """
        name, frame = parse_image_name(image)
        return read_image(Path(self.root) / name, self.channels, frame)

    def file_of(self, image: str) -> Path:
        """The file that holds an image."""
        return Path(self.root) / parse_image_name(image)[0]

    def digest(self, image: str) -> str:
        """SHA-256 of the file of an image, and of the frame where it has several."""
        return image_digest(self.file_of(image), parse_image_name(image)[1])

    # From the table to pixels

    def setup(self, stage: str | None = None) -> None:
        """Read and check the table, split it, open the cache. Once; every stage uses the same tables.

        Raises:
            DataError: everything that is wrong with the images, the labels or the split, a line each.
        """
        if self._prepared:
            return
        if not Path(self.root).is_dir():
            raise DataError(f"data.root: {self.root} is no folder; the data set is expected there")
        chosen = augmentation(self.augmentation, self.image_size, self.channels)
        self.augment = None if self.augmentation == "none" else chosen
        self.image_table = self.complete_table(normalise_table(self.read_table(), self.root))
        require_groups(self.image_table, self.split.group)
        pixels, inspection = self._open_pixels(list(self.image_table["image"]))
        masks, of_masks = self.open_masks(inspection)
        if self.resize == "none" and masks is None:
            raise ConfigError("data.resize: none is for masks; write letterbox, stretch or crop")
        found_in_masks = [] if of_masks is None else self.check_masks(of_masks)
        problems = find_problems(
            self.image_table,
            inspection,
            of_masks,
            classes=self.class_names,
            multilabel=self.multilabel,
            group=self.split.group,
            masks_together=found_in_masks,
        )
        dropped = settle_problems(problems, self.on_bad_image)
        kept = np.setdiff1d(np.arange(len(self.image_table)), dropped)
        self.skipped = skipped_table(problems, self.image_table)
        self.inspection, self.mask_inspection = inspection.of_rows(kept), of_masks and of_masks.of_rows(kept)
        self.image_table = self.image_table.iloc[kept].reset_index(drop=True)
        self.pixels: PixelSource = KeptRows(pixels, kept) if dropped else pixels
        self.mask_pixels: PixelSource | None = KeptRows(masks, kept) if dropped and masks is not None else masks
        self.targets = None
        if "label" in self.image_table:
            self.targets = encode_labels(self.image_table["label"], self.class_names, multilabel=self.multilabel)
        self._assign()
        self._prepared = True

    def _assign(self) -> None:
        settings = self.split
        if settings.stratify == "label" and "label" not in self.image_table:
            settings = settings.model_copy(update={"stratify": None})
        self.assignment: Split = make_split(self.image_table, settings, self.seed, multilabel=self.multilabel)

    def with_split(self, split: SplitSettings, seed: int) -> Self:
        """The same images under another split and seed: nothing is read, checked or decoded again.

        Args:
            split: with the same `group`, for which the images were checked.
            seed: of the split (unless it has one of its own), order and augmentation.

        Raises:
            DataError: the split cannot be drawn.
        """
        self.setup()
        assert split.group == self.split.group, "images are checked for one kind of group"
        other = copy.copy(self)
        other.split, other.seed, other.trainer, other.predicted_split = split, seed, None, "test"
        other._assign()
        return other

    def complete_table(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with what the settings add to it."""
        return table

    def open_masks(self, images: Inspection) -> tuple[PixelSource | None, Inspection | None]:
        """The masks by row of the table, and what was found in their files; None without masks."""
        return None, None

    def check_masks(self, found: Inspection) -> list[Problem]:
        """What the masks show together."""
        return []

    def _open_pixels(self, names: list[str]) -> tuple[PixelSource, Inspection]:
        decode = ImageDecoder(self.read_pixels, self.digest, self.image_size, self.resize)
        shape = [len(names), self.image_size, self.image_size] + ([3] if self.channels == 3 else [])
        return open_source(
            names,
            decode,
            [[self.file_of(name)] for name in names],
            {
                "reader": f"{type(self).__module__}.{type(self).__qualname__}",
                "root": str(Path(self.root).resolve()),
                "settings": [self.image_size, self.resize, self.channels],
            },
            None if self.resize == "none" else shape,
            cached=self.cache,
        )

    # What the rest of the program asks

    def summary(self) -> dict[str, Any]:
        """What a task must know of the data, as plain values: classes, channels, sizes, training counts by class."""
        rows = self.assignment.rows("train")
        counts: np.ndarray = np.zeros(0)
        if self.targets is not None:
            targets = self.targets[rows]
            counts = targets.sum(axis=0) if self.multilabel else np.bincount(targets, minlength=len(self.class_names))
        return {
            "classes": self.class_names,
            "multilabel": self.multilabel,
            "channels": self.channels,
            "image_size": self.image_size,
            "resize": self.resize,
            "train_images": len(rows),
            "train_counts": [int(count) for count in counts],
            "mask_classes": self.mask_classes,
            "train_pixels": self.count_pixels(rows),
        }

    def count_pixels(self, rows: np.ndarray) -> list[int]:
        """Pixels of each mask class in some rows of the table, as the network sees them."""
        return []

    @property
    def simulated(self) -> bool:
        """Whether the images were drawn by this program instead of seen by a device."""
        return is_simulated(Path(self.root))

    def split_table(self) -> pd.DataFrame:
        """`split.csv`: image, label, mask, patient, study, group, split, fold, SHA-256 of the files, metadata."""
        table = self.assignment.table
        known = [column for column in ("label", "mask", "patient", "study") if column in self.image_table]
        table = pd.concat([table[["image"]], self.image_table[known], table[["group", "split", "fold"]]], axis=1)
        table = table.assign(sha256=self.inspection.digests)
        if self.mask_inspection is not None:
            table = table.assign(mask_sha256=self.mask_inspection.digests)
        return table.join(self.image_table.drop(columns=table.columns, errors="ignore"))

    def dataset(self, split: str, *, augmented: bool = False) -> ImageDataset:
        """The images of a split, in the order of the table."""
        rows, augment = self.assignment.rows(split), self.augment if augmented else None
        return ImageDataset(self.pixels, rows, self.targets, augment, self.seed, self.mask_pixels)

    # Loaders

    def train_dataloader(self) -> Any:
        """Augmented batches in a new order each epoch."""
        return self._loader(self.dataset("train", augmented=True), shuffle=True)

    def val_dataloader(self) -> Any:
        """The validation images, in order, as they are."""
        return self._loader(self.dataset("val"), shuffle=False)

    def test_dataloader(self) -> Any:
        """The test images, in order, as they are."""
        return self._loader(self.dataset("test"), shuffle=False)

    def predict_dataloader(self) -> Any:
        """The images of `predicted_split`, in order, as they are."""
        return self._loader(self.dataset(self.predicted_split), shuffle=False)

    def _loader(self, dataset: ImageDataset, *, shuffle: bool, one_by_one: bool = False) -> Any:
        trainer = self.trainer
        rank, world, epoch = (trainer.global_rank, trainer.world_size, trainer.current_epoch) if trainer else (0, 1, 0)
        gpu = trainer is not None and trainer.strategy.root_device.type == "cuda"
        size = world if one_by_one else self.batch_size
        batches = EpochBatches(len(dataset), size, shuffle=shuffle, seed=self.seed, rank=rank, world=world)
        batches.set_epoch(epoch)
        workers = self.num_workers
        if workers is None and gpu and (dataset.augment is not None or not self.cache):
            workers = min(MOST_WORKERS, (os.cpu_count() or 1) - 1)
        kind = "train" if shuffle else "one by one" if one_by_one else "in order"
        return self._pools.loader(kind, dataset, batches, workers=workers, pin_memory=gpu)
