import numpy as np
import pytest

from medvision.data.resize import Box, Geometry, Resize, resize

WAYS: tuple[Resize, ...] = ("letterbox", "stretch", "crop")
SHAPES = [(100, 200), (200, 100), (64, 64), (37, 53), (500, 301), (7, 900), (1, 1), (3, 2)]


def smooth(height: int, width: int) -> np.ndarray:
    """A plane of grey, which every interpolation keeps."""
    rows, columns = np.mgrid[:height, :width]
    return np.round(20 + 100 * (rows + 0.5) / height + 100 * (columns + 0.5) / width).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_shape_and_type(shape: tuple[int, int], how: Resize, channels: tuple[int, ...]) -> None:
    image = np.full((*shape, *channels), 200, np.uint8)
    square = resize(image, 64, how)
    assert square.shape == (64, 64, *channels)
    assert square.dtype == np.uint8
    assert square.flags.c_contiguous
    assert set(np.unique(square)) <= {0, 200}
    assert not np.shares_memory(square, image)


def test_letterbox_is_centred_on_black() -> None:
    square = resize(np.full((50, 100), 200, np.uint8), 40, "letterbox")
    assert (square[10:30] == 200).all()
    assert not square[:10].any()
    assert not square[30:].any()
    assert Geometry(50, 99, 40).target == Box(10, 0, 20, 40)
    assert Geometry(51, 100, 41).target == Box(10, 0, 21, 41)


def test_crop_shows_the_centre_and_stretch_shows_all() -> None:
    image = np.zeros((20, 60), np.uint8)
    image[:, 20:40] = 200
    assert (resize(image, 30, "crop") == 200).all()
    stretched = resize(image, 30, "stretch")
    assert (stretched[:, 11:19] == 200).all()
    assert not stretched[:, :9].any()


def test_shrinking_is_the_mean_over_the_area() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    expected = image.reshape(16, 4, 16, 4).mean(axis=(1, 3))
    assert np.abs(resize(image, 16, "stretch") - expected).max() <= 0.51


def test_enlarging_does_not_overshoot() -> None:
    image = np.array([[100, 200], [200, 100]], np.uint8)
    enlarged = resize(image, 64, "stretch")
    assert enlarged.min() == 100
    assert enlarged.max() == 200


def test_the_same_size_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for how in WAYS:
        np.testing.assert_array_equal(resize(image, 32, how), image)


@pytest.mark.parametrize("shape", [(1, 60_000), (60_000, 1), (2, 70_000)])
@pytest.mark.parametrize("how", WAYS)
def test_extreme_proportions_stay_small(shape: tuple[int, int], how: Resize) -> None:
    assert resize(np.full(shape, 9, np.uint8), 32, how).max() == 9


@pytest.mark.parametrize("shape", [(100, 200), (200, 100), (37, 53), (500, 301)])
@pytest.mark.parametrize("how", WAYS)
def test_forward_finds_the_pixel(shape: tuple[int, int], how: Resize) -> None:
    geometry = Geometry(*shape, 96, how)
    row, column = shape[0] // 2 + 5, shape[1] // 2 - 9
    image = np.zeros(shape, np.uint8)
    image[row - 3 : row + 4, column - 3 : column + 4] = 250
    square = geometry.apply(image).astype(float)
    rows, columns = np.mgrid[:96, :96]
    centre = (rows * square).sum() / square.sum(), (columns * square).sum() / square.sum()
    assert geometry.forward(row, column) == pytest.approx(centre, abs=0.1)


@pytest.mark.parametrize("shape", [(100, 200), (37, 53), (500, 301), (64, 64), (5, 3)])
@pytest.mark.parametrize("how", WAYS)
def test_undo_brings_a_map_back(shape: tuple[int, int], how: Resize) -> None:
    geometry = Geometry(*shape, 128, how)
    image = smooth(*shape)
    back = geometry.undo(geometry.apply(image).astype(np.float32) / 255)
    assert back.shape == shape
    assert back.dtype == np.float32
    seen = geometry.source.cut(back)
    inner = (slice(1, -1), slice(1, -1))
    assert np.abs(seen[inner] * 255 - geometry.source.cut(image)[inner]).max(initial=0) < 4
    assert back.sum() == pytest.approx(seen.sum(), rel=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
@pytest.mark.parametrize("how", WAYS)
def test_masks_keep_labels_and_type(dtype: type, how: Resize) -> None:
    mask = np.zeros((90, 60), dtype)
    mask[30:60, 15:40] = 1
    if dtype is not bool:
        mask[40:50, 20:30] = 7
    geometry = Geometry(90, 60, 128, how)
    square = geometry.apply_mask(mask)
    back = geometry.undo(square)
    assert square.dtype == back.dtype == dtype
    assert set(np.unique(square)) == set(np.unique(mask))
    assert back.shape == mask.shape
    assert (geometry.source.cut(back) != geometry.source.cut(mask)).mean() < 0.03


def test_an_enlarged_mask_comes_back_exactly() -> None:
    mask = np.random.default_rng(0).integers(0, 5, (40, 50))
    for how in WAYS:
        geometry = Geometry(40, 50, 128, how)
        seen = geometry.source
        np.testing.assert_array_equal(seen.cut(geometry.undo(geometry.apply_mask(mask))), seen.cut(mask))
