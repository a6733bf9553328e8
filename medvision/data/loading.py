"""From rows of the image table to batches of pixels. Importable without Lightning, so that workers start quickly."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Queue
from typing import Any, Protocol, overload

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from medvision.data.augmentation import item_seed

Batch = dict[str, torch.Tensor]
Item = tuple[int, int]
QUEUED_BATCHES = 2


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
        targets: int64 (n,) class numbers, or float32 (n, K) of zeros and ones; None without labels.
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
        positions = np.fromiter((position for _, position in items), dtype=np.int64, count=len(items))
        images, masks = zip(*(self._item(epoch, int(self.rows[position])) for epoch, position in items), strict=True)
        pixels = torch.from_numpy(np.stack(images))
        batch = {
            "image": pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2),
            "index": torch.from_numpy(self.rows[positions]),
        }
        if self.targets is not None:
            batch["target"] = torch.from_numpy(self.targets[positions])
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


class PrefetchLoader:
    """Batches prepared by one thread while the model works on the one before.

    Decoding, resizing and copying release the interpreter lock, and nothing has to be handed from process to process:
    for images that come from the cache this is faster than worker processes.

    Args:
        dataset: where batches come from.
        batch_sampler: which images they hold.
        pin_memory: copy into page-locked memory, for a GPU.
    """

    def __init__(self, dataset: ImageDataset, batch_sampler: EpochBatches, *, pin_memory: bool = False) -> None:
        self.dataset, self.batch_sampler, self.pin_memory = dataset, batch_sampler, pin_memory

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Batch]:
        queue: Queue[Batch | BaseException | None] = Queue(QUEUED_BATCHES)
        stopped = threading.Event()

        def produce() -> None:
            try:
                for items in self.batch_sampler:
                    if stopped.is_set():
                        return
                    batch = self.dataset.__getitems__(items)
                    queue.put({k: v.pin_memory() for k, v in batch.items()} if self.pin_memory else batch)
                queue.put(None)
            except BaseException as error:  # noqa: BLE001 - carried to the thread that waits for the batch, which raises it
                queue.put(error)

        thread = threading.Thread(target=produce, name="prefetch", daemon=True)
        thread.start()
        try:
            while (batch := queue.get()) is not None:
                if isinstance(batch, BaseException):
                    raise batch
                yield batch
        finally:
            stopped.set()
            while thread.is_alive():
                _drain(queue)
                thread.join(timeout=0.05)


def _drain(queue: Queue) -> None:
    while not queue.empty():
        queue.get_nowait()


class WorkerLoader:
    """Batches prepared by worker processes, which live as long as the loader.

    A class of its own around torch's, so that Lightning does not take it apart to put another sampler in.

    Args:
        dataset: where batches come from.
        batch_sampler: which images they hold.
        workers: number of processes.
        pin_memory: copy into page-locked memory, for a GPU.
    """

    def __init__(
        self, dataset: ImageDataset, batch_sampler: EpochBatches, *, workers: int, pin_memory: bool = False
    ) -> None:
        self.dataset, self.batch_sampler = dataset, batch_sampler
        self._loader: DataLoader[Batch] = DataLoader(
            dataset,
            batch_sampler=batch_sampler,
            num_workers=workers,
            persistent_workers=True,
            pin_memory=pin_memory,
            collate_fn=_as_is,
            # A generator of its own: the global one then gives the model the same numbers whatever the workers.
            generator=torch.Generator().manual_seed(dataset.seed),
        )

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._loader)


def make_loader(
    dataset: ImageDataset, batches: EpochBatches, *, workers: int | None, pin_memory: bool
) -> WorkerLoader | PrefetchLoader:
    """A loader over `batches`.

    Args:
        dataset: where batches come from.
        batches: which images they hold.
        workers: number of worker processes; None or 0 for one prefetching thread.
        pin_memory: page-locked batches, for a GPU.
    """
    if workers:
        return WorkerLoader(dataset, batches, workers=workers, pin_memory=pin_memory)
    return PrefetchLoader(dataset, batches, pin_memory=pin_memory)


def _as_is(batch: Any) -> Any:
    return batch
