import os
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

from medvision.data.elastic import MOST_REACH, coarse_elastic, deform, displaced_pixels
from medvision.data.mask_rules import IGNORE

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
albumentations = pytest.importorskip("albumentations")


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)


def places(seed: int, knots: int, reach: float, height: int, width: int) -> np.ndarray:
    furthest = reach * min(height, width) / knots
    shifts = np.random.default_rng(seed).uniform(-furthest, furthest, (knots, knots, 2))
    return displaced_pixels(shifts.astype(np.float32), height, width)


def compose(**arguments: Any) -> Any:
    return albumentations.Compose([coarse_elastic(albumentations)(p=1, **arguments)], seed=0)


def test_equal_shifts_move_the_whole_image(image: np.ndarray) -> None:
    shifts = np.full((4, 4, 2), [3, -2], np.float32)
    columns, rows = np.moveaxis(displaced_pixels(shifts, 48, 64), -1, 0)
    np.testing.assert_allclose(columns, np.arange(64)[None].repeat(48, axis=0) + 3, atol=1e-5)
    np.testing.assert_allclose(rows, np.arange(48)[:, None].repeat(64, axis=1) - 2, atol=1e-5)
    moved = deform(image, displaced_pixels(shifts, 48, 64), cv2.INTER_LINEAR, 7)
    expected = np.full_like(image, 7)
    expected[2:, :-3] = image[:-2, 3:]
    np.testing.assert_array_equal(moved, expected)


def test_a_knot_is_where_its_cell_has_its_centre() -> None:
    """With 3 by 3 knots of 30 by 30 pixels the middle one lies between pixels 14 and 15."""
    shifts = np.zeros((3, 3, 2), np.float32)
    shifts[1, 1] = [4, 0]
    right = displaced_pixels(shifts, 30, 30)[..., 0] - np.arange(30)
    assert right[14:16, 14:16] == pytest.approx(4, abs=0.05)
    assert right.max() < 4.01
    np.testing.assert_allclose(right, right[::-1, ::-1], atol=1e-4)
    assert np.abs(right[:, [4, 25]]).max() < 0.3  # the knots of the outer columns have not moved


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_pixels_are_those_of_scipy(image: np.ndarray, channels: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*image.shape, *channels), dtype=np.uint8)
    where = places(2, 5, 0.2, *image.shape)
    moved = deform(pixels, where, cv2.INTER_LINEAR, 0)
    assert (moved.shape, moved.dtype) == (pixels.shape, np.uint8)
    planes = pixels.reshape(*image.shape, -1)
    coordinates = [where[..., 1], where[..., 0]]
    expected = [
        ndimage.map_coordinates(planes[..., c].astype(float), coordinates, order=1, mode="grid-constant")
        for c in range(planes.shape[2])
    ]
    # OpenCV places pixels to a 32nd: on noise of 8 bits that is up to 255 / 32 in each direction
    assert np.abs(moved.reshape(planes.shape) - np.stack(expected, axis=-1)).max() < 10


def test_labels_are_those_of_the_nearest_pixel(image: np.ndarray) -> None:
    where = places(3, 4, 0.2, *image.shape)
    moved = deform(image, where, cv2.INTER_NEAREST, IGNORE)
    coordinates = [where[..., 1], where[..., 0]]
    expected = ndimage.map_coordinates(image, coordinates, order=0, mode="grid-constant", cval=IGNORE)
    assert (moved != expected).mean() < 0.002  # places half way between two pixels


@pytest.mark.parametrize("knots", [2, 3, 5, 8, 16])
def test_nothing_folds_over(knots: int) -> None:
    for seed in range(100):
        where = places(seed, knots, MOST_REACH, 128, 160)
        along, down = np.diff(where, axis=1)[:-1], np.diff(where, axis=0)[:, :-1]
        area = along[..., 0] * down[..., 1] - along[..., 1] * down[..., 0]
        assert area.min() > 0


def test_image_and_mask_get_the_same_places(image: np.ndarray) -> None:
    pipeline = compose(reach=0.25)
    smooth = cv2.GaussianBlur(image, (0, 0), 6)
    mask = (smooth > 127).astype(np.uint8)
    for _ in range(20):
        changed = pipeline(image=mask * np.uint8(200), mask=mask)
        inside = changed["mask"] != IGNORE
        assert ((changed["image"] > 100) == (changed["mask"] == 1))[inside].mean() > 0.98
        assert changed["image"][~inside].max(initial=0) <= 100


def test_shifts_stay_within_reach() -> None:
    """Far out in a ramp the grey value is the place a pixel comes from."""
    ramp = np.arange(100, dtype=np.uint8)[None].repeat(100, axis=0)
    pipeline = compose(knots=4, reach=0.2)
    furthest = []
    for _ in range(60):
        shift = pipeline(image=ramp)["image"][20:80, 20:80].astype(int) - np.arange(20, 80)
        furthest.append(np.abs(shift).max())
    assert 4 <= max(furthest) <= 0.2 * 25 * 1.375**2 + 1  # bicubic interpolation overshoots by up to 3/8 a direction


def test_fill_and_no_reach(image: np.ndarray) -> None:
    same = compose(reach=0)(image=image, mask=image)
    np.testing.assert_array_equal(same["image"], image)
    np.testing.assert_array_equal(same["mask"], image)
    white = np.full_like(image, 255)
    changed = [compose(reach=0.25, fill=9, fill_mask=3)(image=white, mask=white) for _ in range(10)]
    assert min(each["image"].min() for each in changed) == 9
    assert set(np.unique([each["mask"] for each in changed])) == {3, 255}


def test_it_is_written_and_read_by_albumentations() -> None:
    transform = compose(knots=7, reach=0.1)
    written = albumentations.to_dict(transform)
    step = written["transform"]["transforms"][0]
    expected = {"__class_fullname__": "CoarseElastic", "knots": 7, "reach": 0.1, "fill": 0, "fill_mask": IGNORE, "p": 1}
    assert step == expected
    again = albumentations.from_dict(written).transforms[0]
    assert (again.knots, again.reach, again.fill_mask) == (7, 0.1, IGNORE)
    assert coarse_elastic(albumentations) is type(again)


@pytest.mark.parametrize("arguments", [{"knots": 1}, {"knots": 17}, {"reach": 0.26}, {"reach": -1}, {"fill": 256}])
def test_unusable_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        coarse_elastic(albumentations)(strict=True, **arguments)
