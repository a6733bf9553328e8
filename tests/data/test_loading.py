import numpy as np
import pytest
import torch

from medvision.data.loading import EpochBatches, ImageDataset, KeptRows


def add_noise(image: np.ndarray, seed: int) -> np.ndarray:
    return image + np.random.default_rng(seed).integers(0, 50, image.shape, dtype=np.uint8)


def dataset(augment=add_noise, colour=False) -> ImageDataset:
    shape = (20, 6, 6, 3) if colour else (20, 6, 6)
    pixels = np.arange(20, dtype=np.uint8).reshape(-1, *[1] * (len(shape) - 1)) * np.ones(shape, dtype=np.uint8)
    rows = np.arange(0, 20, 2)
    return ImageDataset(pixels, rows, np.arange(20) % 3, augment, seed=7)


def test_two_devices_share_each_batch():
    whole = EpochBatches(21, 6, shuffle=True, seed=1)
    halves = [EpochBatches(21, 6, shuffle=True, seed=1, rank=rank, world=2) for rank in (0, 1)]
    for batch, left, right in zip(whole, *halves, strict=True):
        assert sorted(left + right) == sorted(batch)
        assert abs(len(left) - len(right)) <= 1


def test_every_image_once_and_no_small_batch():
    batches = EpochBatches(33, 16, shuffle=True, seed=0)
    sizes = [len(batch) for batch in batches]
    assert (len(batches), sizes) == (3, [11, 11, 11])
    assert sorted(position for batch in batches for _, position in batch) == list(range(33))


def test_validation_on_two_devices_has_no_duplicate():
    shares = [
        [position for batch in EpochBatches(17, 5, shuffle=False, rank=rank, world=2) for _, position in batch]
        for rank in (0, 1)
    ]
    assert sorted(shares[0] + shares[1]) == list(range(17))


@pytest.mark.parametrize(("colour", "channels"), [(False, 1), (True, 3)])
def test_batch_has_channels_first_and_rows_of_the_table(colour, channels):
    batch = dataset(None, colour).__getitems__([(0, 3), (0, 1)])
    assert batch["image"].shape == (2, channels, 6, 6)
    assert batch["image"].dtype == torch.uint8
    assert batch["image"].float().mean(dim=(1, 2, 3)).tolist() == [6, 2]
    assert batch["index"].tolist() == [6, 2]
    assert batch["target"].tolist() == [0, 2]


def test_kept_rows_shift():
    assert KeptRows(np.arange(10), np.array([2, 5]))[1] == 5
