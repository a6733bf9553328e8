import cv2
import numpy as np
import pytest

from medvision.phantoms.nerves import BACKGROUND, NERVE, VESSEL, draw_nerve
from medvision.phantoms.ultrasound import draw_examination

SIZE = (128, 140)


def draw(seed, *, vessels=True, size=SIZE):
    generator = np.random.default_rng(seed)
    return draw_nerve(draw_examination(generator), generator, size, vessels=vessels)


@pytest.fixture(scope="module")
def drawn():
    return [draw(seed) for seed in range(16)]


def inside_and_ring(image, mask, value):
    """Mean brightness within a structure and in a ring of four pixels around it."""
    inner = (mask == value).astype(np.uint8)
    ring = (cv2.dilate(inner, np.ones((9, 9), np.uint8)) > 0) & (mask == BACKGROUND)
    return image[inner > 0].mean(), image[ring].mean()


def test_images_and_masks_have_the_size_and_the_classes(drawn):
    for image, mask in drawn:
        assert image.shape == mask.shape == SIZE
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) == {BACKGROUND, NERVE, VESSEL}
        assert image.std() > 10


def test_without_vessels_there_are_none():
    for seed in range(6):
        assert set(np.unique(draw(seed, vessels=False)[1])) == {BACKGROUND, NERVE}


def test_vessels_are_dark_and_nerves_are_bright(drawn):
    vessels = np.array([inside_and_ring(*pair, VESSEL) for pair in drawn])
    nerves = np.array([inside_and_ring(*pair, NERVE) for pair in drawn])
    assert (vessels[:, 0] < vessels[:, 1] - 10).all()
    assert np.mean(nerves[:, 0] - nerves[:, 1]) > 8


def test_nerves_have_a_bright_rim_around_dark_fascicles():
    brighter = []
    for seed in range(8):
        image, mask = draw(seed, vessels=False, size=(256, 280))
        core = cv2.erode((mask == NERVE).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        middle = cv2.erode((mask == NERVE).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        brighter.append(image[middle & ~core].mean() - image[core].mean())
        assert image[core].std() > 8
    assert np.mean(brighter) > 5


def test_the_screen_is_black_above_and_below_the_image(drawn):
    for image, mask in drawn:
        empty = (image == 0).all(axis=1)
        assert not mask[empty].any()
    assert any((image[:3] == 0).all() and (image[-3:] == 0).all() for image, _ in drawn)


def test_the_same_patient_and_hand_draw_the_same(drawn):
    image, mask = draw(2)
    assert np.array_equal(image, drawn[2][0])
    assert np.array_equal(mask, drawn[2][1])
