import numpy as np
import pytest

from medvision.answering.inputs import Preparation
from medvision.config.tiles import TileGrid
from medvision.data.resize import Box, Geometry, resize
from medvision.errors import ImageError


def noise(*shape):
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "crop"])
def test_an_image_becomes_what_training_made_of_it(fit):
    image = noise(20, 30, 3)
    found = Preparation(16, fit, 3).inputs("a.png", image)
    np.testing.assert_array_equal(found, resize(image, 16, fit).transpose(2, 0, 1)[None])
    assert found.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "crop"])
def test_maps_come_back_as_the_geometry_brings_them(fit):
    maps = np.random.default_rng(0).random((1, 2, 16, 16), dtype=np.float32)
    found = Preparation(16, fit, 1).restore(maps, 20, 30)
    expected = [Geometry(20, 30, 16, fit).undo(plane) for plane in maps[0]]
    np.testing.assert_array_equal(found, expected)


def test_images_that_keep_their_size_stay_as_they_are():
    whole = Preparation(16, "none", 1)
    image = noise(20, 30)
    np.testing.assert_array_equal(whole.inputs("a.png", image), image[None, None])
    maps = np.random.default_rng(0).random((1, 2, 20, 30), dtype=np.float32)
    np.testing.assert_array_equal(whole.restore(maps, 20, 30), maps[0])


def test_tiles_leave_and_find_their_places():
    tiles = Preparation(8, "stretch", 1, TileGrid(rows=2, columns=3))
    image = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, np.ones((8, 8), np.uint8))
    found = tiles.inputs("a.png", image)
    assert found.shape == (6, 1, 8, 8)
    assert found[:, 0, 0, 0].tolist() == [0, 40, 80, 120, 160, 200]
    np.testing.assert_array_equal(tiles.restore(found, 16, 24)[0], image)
    with pytest.raises(ImageError, match="thin.png: 1 x 9 pixels cannot be cut into 2 rows and 3 columns"):
        tiles.inputs("thin.png", noise(9, 1))


def test_only_a_crop_leaves_something_unseen():
    assert Preparation(8, "crop", 1).seen(10, 20) == Box(0, 5, 10, 10)
    assert Preparation(8, "letterbox", 1).seen(10, 20) is None
