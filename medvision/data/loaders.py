"""Who prepares batches while the model works: one thread, or worker processes that the splits of a table share."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Queue
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from medvision.data.loading import Batch, EpochBatches, ImageDataset, Item

QUEUED_BATCHES = 2


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


@dataclass(frozen=True)
class TableRows(Dataset):
    """The same images by row of the table instead of by position in a split, so that all splits can share workers.

    Args:
        images: of any split.
    """

    images: ImageDataset

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, items: Sequence[Item]) -> Batch:
        """A collated batch of pairs of epoch and row of the table."""
        return self.images.of_rows(items)


class WorkerPool:
    """Worker processes that serve one loader after the other: the splits of one table, one fold after the other.

    Args:
        dataset: of one of them; the others differ in their rows only.
        workers: number of processes; they live as long as the pool.
        pin_memory: copy into page-locked memory, for a GPU.
    """

    def __init__(self, dataset: ImageDataset, *, workers: int, pin_memory: bool = False) -> None:
        self._batches: list[list[Item]] = []
        self._loader: DataLoader[Batch] = DataLoader(
            TableRows(dataset),
            batch_sampler=_Turn(self),
            num_workers=workers,
            persistent_workers=True,
            pin_memory=pin_memory,
            collate_fn=_as_is,
            # A generator of its own: the global one then gives the model the same numbers whatever the workers.
            generator=torch.Generator().manual_seed(dataset.seed),
        )

    def run(self, batches: list[list[Item]]) -> Iterator[Batch]:
        """Batches of pairs of epoch and row of the table; ends those of an earlier call."""
        self._batches = batches
        return iter(self._loader)


class _Turn:
    """The batches of the loader whose turn it is."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool

    def __len__(self) -> int:
        return len(self.pool._batches)

    def __iter__(self) -> Iterator[list[Item]]:
        return iter(self.pool._batches)


class WorkerLoader:
    """Batches prepared by worker processes.

    A class of its own around torch's, so that Lightning does not take it apart to put another sampler in.

    Args:
        dataset: where batches come from.
        batch_sampler: which images they hold.
        pool: the processes, of this table.
    """

    def __init__(self, dataset: ImageDataset, batch_sampler: EpochBatches, pool: WorkerPool) -> None:
        self.dataset, self.batch_sampler, self.pool = dataset, batch_sampler, pool

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Batch]:
        return self.pool.run([self.dataset.to_rows(items) for items in self.batch_sampler])


class Pools:
    """The worker processes of one image table, whatever its split: one pool for each kind of loader."""

    def __init__(self) -> None:
        self._pools: dict[str, tuple[tuple[object, ...], WorkerPool]] = {}

    def loader(
        self, kind: str, dataset: ImageDataset, batches: EpochBatches, *, workers: int | None, pin_memory: bool
    ) -> WorkerLoader | PrefetchLoader:
        """A loader over `batches`; without workers one prefetching thread.

        Args:
            kind: loaders of one kind never run at the same time, and share their workers.
            dataset: where batches come from.
            batches: which images they hold.
            workers: number of processes; None or 0 for the thread.
            pin_memory: page-locked batches, for a GPU.
        """
        if not workers:
            return PrefetchLoader(dataset, batches, pin_memory=pin_memory)
        wanted = (dataset.seed, dataset.augment is None, workers, pin_memory)
        if kind not in self._pools or self._pools[kind][0] != wanted:
            self._pools[kind] = wanted, WorkerPool(dataset, workers=workers, pin_memory=pin_memory)
        return WorkerLoader(dataset, batches, self._pools[kind][1])


def _as_is(batch: Any) -> Any:
    return batch
