import numpy as np
import pytest

from medvision.data.crops import central_window, random_window
from medvision.data.masks import IGNORE


def numbered(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose pixels tell where they were, and a mask with one pixel of a class in a corner."""
    image = np.stack(np.meshgrid(np.arange(height), np.arange(width), [7], indexing="ij"), axis=-1)[:, :, 0, :]
    mask = np.zeros((height, width), np.uint8)
    mask[height - 2, width - 3] = 1
    return image.astype(np.uint8), mask


@pytest.mark.parametrize("seed", range(30))
def test_image_and_mask_are_cut_at_the_same_place(seed):
    image, mask = numbered(50, 70)
    part, labels = random_window(image, mask, seed, 16)
    assert part.shape == (16, 16, 3)
    top, left, _ = part[0, 0]
    np.testing.assert_array_equal(part, image[top : top + 16, left : left + 16])
    np.testing.assert_array_equal(labels, mask[top : top + 16, left : left + 16])


def test_every_third_window_shows_the_foreground():
    image, mask = numbered(200, 200)
    shown = np.mean([(random_window(image, mask, seed, 16)[1] == 1).any() for seed in range(600)])
    assert 0.28 < shown < 0.4


def test_windows_reach_every_pixel_and_repeat_with_their_seed():
    image, mask = numbered(20, 20)
    mask[:] = 0
    corners = {tuple(random_window(image, mask, seed, 18)[0][0, 0, :2]) for seed in range(200)}
    assert corners == {(row, column) for row in range(3) for column in range(3)}
    np.testing.assert_array_equal(random_window(image, mask, 5, 18)[0], random_window(image, mask, 5, 18)[0])


@pytest.mark.parametrize("cut", [random_window, central_window])
def test_around_a_small_image_nothing_is_scored(cut):
    image, mask = numbered(5, 40)
    part, labels = cut(image, mask, 3, 9)
    assert part.shape == (9, 9, 3)
    assert (labels[:2] == IGNORE).all()
    assert (labels[7:] == IGNORE).all()
    assert (labels[2:7] != IGNORE).all()
    assert (part[:2] == 0).all()


def test_the_central_window_is_the_middle():
    image, mask = numbered(9, 12)
    part, _ = central_window(image, mask, 0, 5)
    assert tuple(part[0, 0, :2]) == (2, 3)
