import multiprocessing
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from medvision.data.loaders import Pools, PrefetchLoader
from medvision.data.loading import EpochBatches, ImageDataset


def add_noise(image: np.ndarray, seed: int) -> np.ndarray:
    return image + np.random.default_rng(seed).integers(0, 50, image.shape, dtype=np.uint8)


def dataset(augment=add_noise) -> ImageDataset:
    pixels = np.arange(20, dtype=np.uint8).reshape(-1, 1, 1) * np.ones((20, 6, 6), dtype=np.uint8)
    rows = np.arange(0, 20, 2)
    return ImageDataset(pixels, rows, np.arange(20) % 3, augment, seed=7)


def epochs(workers: int, count: int = 3) -> list[dict[str, torch.Tensor]]:
    data = dataset()
    batches = EpochBatches(len(data), 4, shuffle=True, seed=7)
    loader = Pools().loader("train", data, batches, workers=workers, pin_memory=False)
    found = []
    for epoch in range(count):
        batches.set_epoch(epoch)
        found += list(loader)
    return found


def equal(left, right) -> bool:
    return len(left) == len(right) and all(
        torch.equal(a[key], b[key]) for a, b in zip(left, right, strict=True) for key in ("image", "target", "index")
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_worker_processes_give_the_pixels_of_one_thread(workers):
    assert equal(epochs(0), epochs(workers))


def in_table_order(batches) -> torch.Tensor:
    order = torch.cat([batch["index"] for batch in batches]).argsort()
    return torch.cat([batch["image"] for batch in batches])[order]


def test_epochs_and_images_get_their_own_augmentation():
    batches = epochs(0)
    by_epoch = [in_table_order(batches[start : start + 3]) for start in (0, 3, 6)]
    assert not torch.equal(by_epoch[0], by_epoch[1])
    assert not torch.equal(by_epoch[1], by_epoch[2])
    noise = by_epoch[0].float() - torch.arange(0, 20, 2).view(-1, 1, 1, 1)
    assert len({tuple(image.flatten().tolist()) for image in noise}) == 10


def test_a_resumed_epoch_repeats_its_pixels():
    data = dataset()
    batches = EpochBatches(len(data), 4, shuffle=True, seed=7)
    batches.set_epoch(2)
    assert equal(list(PrefetchLoader(data, batches)), epochs(0)[6:])


def test_an_error_in_the_thread_reaches_the_caller():
    def fail(image, seed):
        raise RuntimeError("broken augmentation")

    data = dataset(fail)
    with pytest.raises(RuntimeError, match="broken augmentation"):
        list(PrefetchLoader(data, EpochBatches(len(data), 4, shuffle=False)))


def test_leaving_early_ends_the_thread():
    data = dataset()
    iterator = iter(PrefetchLoader(data, EpochBatches(len(data), 1, shuffle=False)))
    next(iterator)
    iterator.close()
    assert "prefetch" not in {thread.name for thread in threading.enumerate()}


def test_folds_share_their_workers_and_keep_their_images():
    pools, whole = Pools(), dataset()
    seen, processes = [], []
    others = {child.pid for child in multiprocessing.active_children()}
    for rows in (np.arange(0, 20, 2), np.arange(1, 20, 2)):
        fold = replace(whole, rows=rows)
        loader = pools.loader("train", fold, EpochBatches(10, 4, shuffle=True, seed=7), workers=2, pin_memory=False)
        batches = list(loader)
        assert equal(batches, list(PrefetchLoader(fold, EpochBatches(10, 4, shuffle=True, seed=7))))
        seen.append(sorted(torch.cat([batch["index"] for batch in batches]).tolist()))
        processes.append({child.pid for child in multiprocessing.active_children()} - others)
    assert seen == [list(range(0, 20, 2)), list(range(1, 20, 2))]
    assert processes[0] == processes[1]
    assert len(processes[0]) == 2


def test_another_seed_takes_other_workers():
    pools = Pools()
    for seed in (7, 8):
        data = replace(dataset(), seed=seed)
        batches = EpochBatches(10, 4, shuffle=False)
        found = list(pools.loader("train", data, batches, workers=1, pin_memory=False))
        assert equal(found, list(PrefetchLoader(data, batches)))
