"""From rows of the image table to batches of pixels. Importable without Lightning, so that workers start quickly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, overload

import numpy as np
import torch
from torch.utils.data import Dataset

from medvision.data.augmentation import item_seed

Batch = dict[str, torch.Tensor]
Item = tuple[int, int]


class PixelSource(Protocol):
    """Pixels by row of the image table: (S, S) or (S, S, 3) uint8."""

    def __getitem__(self, row: int) -> np.ndarray: ...


class Augment(Protocol):
    """A seeded change of an image, and of its mask with it, that keeps shape and dtype."""

    @overload
    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray: ...
    @overload
    def __call__(self, image: np.ndarray, seed: int, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


class Window(Protocol):
    """Cuts a square out of an image that has kept its own size, and out of its mask."""

    def __call__(self, image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: D102
        ...


@dataclass(frozen=True)
class KeptRows:
    """A pixel source without the rows that were left out: row r here is row `kept[r]` there."""

    pixels: PixelSource
    kept: np.ndarray

    def __getitem__(self, row: int) -> np.ndarray:
        """The pixels of one of the kept rows."""
        return self.pixels[int(self.kept[row])]


@dataclass(frozen=True)
class ImageDataset(Dataset):
    """Some rows of an image table as batches.

    Args:
        pixels: pixels by row of the whole table.
        rows: the rows of this split, int64 (n,).
        targets: by row of the whole table, int64 class numbers, or float32 (…, K) of zeros and ones; None without
            labels.
        augment: a seeded augmentation, or None.
        seed: the seed of the experiment.
        masks: masks by row of the whole table, or None.
        window: what is cut out of images that have kept their own size; None leaves them whole.
    """

    pixels: PixelSource
    rows: np.ndarray
    targets: np.ndarray | None
    augment: Augment | None = None
    seed: int = 0
    masks: PixelSource | None = None
    window: Window | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, items: Sequence[Item]) -> Batch:
        """A collated batch.

        Args:
            items: pairs of epoch and position in `rows`. The epoch travels with the position, so that workers that
                outlive an epoch cannot repeat its augmentations.

        Returns:
            `image` uint8 (B, C, S, S); `target` int64 (B,) or float32 (B, K), where there are labels; `mask` uint8
            (B, S, S), where there are masks; `index` int64 (B,) row of the table.
        """
        return self.of_rows(self.to_rows(items))

    def to_rows(self, items: Sequence[Item]) -> list[Item]:
        """Pairs of epoch and row of the table, from pairs of epoch and position in `rows`."""
        return [(epoch, int(self.rows[position])) for epoch, position in items]

    def of_rows(self, items: Sequence[Item]) -> Batch:
        """The batch of pairs of epoch and row of the table; of no split in particular."""
        rows = np.fromiter((row for _, row in items), dtype=np.int64, count=len(items))
        images, masks = zip(*(self._item(epoch, row) for epoch, row in items), strict=True)
        pixels = torch.from_numpy(np.stack(images))
        batch = {
            "image": pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2),
            "index": torch.from_numpy(rows),
        }
        if self.targets is not None:
            batch["target"] = torch.from_numpy(self.targets[rows])
        if self.masks is not None:
            batch["mask"] = torch.from_numpy(np.stack(masks))
        return batch

    def _item(self, epoch: int, row: int) -> tuple[np.ndarray, np.ndarray | None]:
        image, seed = self.pixels[row], item_seed(self.seed, epoch, row)
        if self.masks is None:
            return image if self.augment is None else self.augment(image, seed), None
        mask = self.masks[row]
        if self.window is not None:
            image, mask = self.window(image, mask, seed)
        return (image, mask) if self.augment is None else self.augment(image, seed, mask)


class EpochBatches:
    """Batches of (epoch, position) pairs for one of several devices.

    Training order is a permutation that seed and epoch decide. It is cut into batches whose sizes differ by at most
    one: no image is left out, and no batch of one image upsets batch normalisation. Each device takes its share of
    every batch, so a batch is the same set of images on one device and on two. In order, without shuffling, each
    device takes every `world`-th image and none is repeated.

    Args:
        size: number of images.
        batch_size: images a batch, of all devices together.
        shuffle: a new order each epoch, or the order of the table.
        seed: of the experiment.
        rank: number of this device.
        world: number of devices.
    """

    def __init__(
        self, size: int, batch_size: int, *, shuffle: bool, seed: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        self.size, self.batch_size, self.shuffle = size, batch_size, shuffle
        self.seed, self.rank, self.world = seed, rank, world
        self.epoch = 0
        self.sampler = self  # where Lightning looks for `set_epoch`

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before an epoch starts."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.size // self.batch_size)

    def __iter__(self) -> Iterator[list[Item]]:
        epoch = self.epoch
        order = np.arange(self.size)
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch, 0xBA7C4]).permutation(self.size)
        for batch in np.array_split(order, len(self)):
            mine = [(epoch, int(position)) for position in batch[self.rank :: self.world]]
            if mine:
                yield mine
