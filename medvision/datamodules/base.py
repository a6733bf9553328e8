"""What all datamodules share: from the image table to batches. A new data set writes `read_table` only."""

import json
import os
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from lightning.pytorch import LightningDataModule
from pydantic import NonNegativeInt, PositiveInt

from medvision.config.settings import SplitSettings
from medvision.data.augmentation import augmentation
from medvision.data.cache import Decoded, Inspection, cache_key, inspect_images, open_cache
from medvision.data.images import parse_image_name, read_image
from medvision.data.loading import EpochBatches, ImageDataset, KeptRows, PixelSource, make_loader
from medvision.data.resize import resize
from medvision.data.splits import Split, make_split
from medvision.data.table import (
    LABEL_SEPARATOR,
    Problem,
    check_duplicates,
    check_labels,
    check_studies,
    normalise_table,
    require_groups,
    settle_problems,
)
from medvision.errors import DataError
from medvision.phantoms.files import MARK_FILE

MOST_WORKERS = 8


@dataclass(kw_only=True, eq=False)
class DataModule(LightningDataModule):
    """A data set as batches of uint8 images, split by patient.

    Args:
        root: the folder of the data set.
        image_size: height and width in pixels at which the network sees an image.
        resize: `letterbox` keeps the aspect ratio and pads black, `stretch` does not keep it, `crop` cuts the longer
            side to a square.
        channels: 1 for grey, 3 for colour.
        batch_size: images a training step, of all devices together.
        num_workers: worker processes for loading; null chooses: one thread, or processes where a GPU waits for
            augmented images.
        augmentation: `none`, `ultrasound`, `radiograph`, or the path of an albumentations file.
        cache: decode every image once, into a file that later runs share.
        on_bad_image: `error` stops at images that cannot be used and lists them all; `skip` leaves them out and lists
            them in the run folder.
        split: who is trained on and who is tested; from the experiment's own section.
        seed: of splits, order and augmentation; from the experiment.
    """

    root: str
    image_size: PositiveInt = 224
    resize: Literal["letterbox", "stretch", "crop"] = "letterbox"
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

    # The data set's own part

    def read_table(self) -> pd.DataFrame:
        """The image table: `image` (relative to `root`), `label`, `patient`, and whatever else is known.

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
        """Classes in the order of the network's outputs; the last of two is the positive one."""
        if self.classes is not None:
            return list(self.classes)
        labels = self.image_table["label"].dropna()
        names = labels.str.split(LABEL_SEPARATOR).explode() if self.multilabel else labels
        return sorted(set(names) - {""})

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
        frame = parse_image_name(image)[1]
        content = self.file_of(image).read_bytes() + (b"" if frame is None else f"#{frame}".encode())
        return sha256(content).hexdigest()

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
        self.augment = augmentation(self.augmentation, self.image_size, self.channels)
        self.image_table = normalise_table(self.read_table(), self.root)
        require_groups(self.image_table, self.split.group)
        pixels, inspection = self._open_pixels(list(self.image_table["image"]))
        problems = self._find_problems(inspection)
        dropped = settle_problems(problems, self.on_bad_image)
        kept = np.setdiff1d(np.arange(len(self.image_table)), dropped)
        self.skipped = pd.DataFrame(
            [(self.image_table["image"][row], problem.what) for problem in problems for row in problem.rows],
            columns=["image", "reason"],
        )
        self.digests = [inspection.digests[row] for row in kept]
        self.image_table = self.image_table.iloc[kept].reset_index(drop=True)
        self.pixels: PixelSource = KeptRows(pixels, kept) if dropped else pixels
        self.assignment: Split = make_split(self.image_table, self.split, self.seed, multilabel=self.multilabel)
        self.targets = self._targets()
        self._prepared = True

    def _find_problems(self, inspection: Inspection) -> list[Problem]:
        problems = [
            Problem(why, [self.image_table["image"][row]], [row]) for row, why in sorted(inspection.errors.items())
        ]
        problems += check_labels(self.image_table, self.class_names, self.multilabel)
        problems += check_studies(self.image_table)
        return problems + check_duplicates(self.image_table, inspection.digests, self.split.group)

    def _open_pixels(self, names: list[str]) -> tuple[PixelSource, Inspection]:
        decode = _Decoder(self)
        if not self.cache:
            return _DecodedRows(decode, names), inspect_images(names, decode, keep=lambda row, pixels: None)
        shape = [len(names), self.image_size, self.image_size] + ([3] if self.channels == 3 else [])
        files = {name: self.file_of(name) for name in names}
        description = {
            "reader": f"{type(self).__module__}.{type(self).__qualname__}",
            "root": str(Path(self.root).resolve()),
            "images": [(name, *_size_and_time(files[name])) for name in names],
            "settings": [self.image_size, self.resize, self.channels],
        }
        return open_cache(cache_key(description), shape, names, decode)

    def _targets(self) -> np.ndarray:
        number = {name: k for k, name in enumerate(self.class_names)}
        if not self.multilabel:
            return self.image_table["label"].map(number).to_numpy(dtype=np.int64)
        targets = np.zeros((len(self.image_table), len(number)), dtype=np.float32)
        for row, label in enumerate(self.image_table["label"].fillna("")):
            for name in filter(None, label.split(LABEL_SEPARATOR)):
                targets[row, number[name]] = 1
        return targets

    # What the rest of the program asks

    def summary(self) -> dict[str, Any]:
        """What a task must know of the data, as plain values: classes, channels, sizes, training counts by class."""
        rows = self.assignment.rows("train")
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
        }

    @property
    def simulated(self) -> bool:
        """Whether the images were drawn by this program instead of seen by a device."""
        mark = Path(self.root) / MARK_FILE
        return mark.is_file() and bool(json.loads(mark.read_text(encoding="utf-8")))

    def split_table(self) -> pd.DataFrame:
        """`split.csv`: image, label, patient, study, group, split, fold and the SHA-256 of the file."""
        table = self.assignment.table
        known = [column for column in ("label", "patient", "study") if column in self.image_table]
        table = pd.concat([table[["image"]], self.image_table[known], table[["group", "split", "fold"]]], axis=1)
        return table.assign(sha256=self.digests)

    def dataset(self, split: str, *, augmented: bool = False) -> ImageDataset:
        """The images of a split, in the order of the table."""
        rows = self.assignment.rows(split)
        augment = self.augment if augmented and self.augmentation != "none" else None
        return ImageDataset(self.pixels, rows, self.targets[rows], augment, self.seed)

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

    def _loader(self, dataset: ImageDataset, *, shuffle: bool) -> Any:
        trainer = self.trainer
        rank, world, epoch = (trainer.global_rank, trainer.world_size, trainer.current_epoch) if trainer else (0, 1, 0)
        on_gpu = trainer is not None and trainer.strategy.root_device.type == "cuda"
        batches = EpochBatches(len(dataset), self.batch_size, shuffle=shuffle, seed=self.seed, rank=rank, world=world)
        batches.set_epoch(epoch)
        workers = self.num_workers
        if workers is None and on_gpu and (dataset.augment is not None or not self.cache):
            workers = min(MOST_WORKERS, (os.cpu_count() or 1) - 1)
        return make_loader(dataset, batches, workers=workers, pin_memory=on_gpu and torch.cuda.is_available())


class _Decoder:
    """Reads and resizes one image: what the cache stores, and what is done anew for each batch without it."""

    def __init__(self, datamodule: DataModule) -> None:
        self.read_pixels, self.digest = datamodule.read_pixels, datamodule.digest
        self.resize = partial(resize, size=datamodule.image_size, how=datamodule.resize)

    def __call__(self, image: str) -> Decoded:
        pixels = self.read_pixels(image)
        height, width = pixels.shape[:2]
        return Decoded(self.resize(pixels), height, width, self.digest(image))


class _DecodedRows:
    """A pixel source that decodes an image each time."""

    def __init__(self, decode: _Decoder, names: list[str]) -> None:
        self.decode, self.names = decode, names

    def __getitem__(self, row: int) -> np.ndarray:
        return self.decode.resize(self.decode.read_pixels(self.names[row]))


def _size_and_time(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns
