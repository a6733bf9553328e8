import numpy as np
import pytest
import torch

from medvision.data.resize import Geometry
from medvision.exporting.resizing import fit_sides, from_square, to_square

FITS = ("letterbox", "stretch", "crop")


def sizes(fit):
    """Odd, tiny, thin, equal and large sizes (height, width, side of the square)."""
    generator = np.random.default_rng(FITS.index(fit))
    drawn = [tuple(map(int, (*generator.integers(1, 300, 2), generator.integers(8, 160)))) for _ in range(120)]
    return [*drawn, (1, 1, 32), (1, 200, 32), (199, 2, 64), (64, 64, 64), (128, 128, 64), (2000, 31, 96), (96, 95, 96)]


@pytest.mark.parametrize("fit", FITS)
def test_squares_are_those_of_opencv_to_within_one_grey_level(fit):
    generator = np.random.default_rng(0)
    other, pixels = 0, 0
    for height, width, size in sizes(fit):
        image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = Geometry(height, width, size, fit).apply(image).astype(np.float32)
        found = to_square(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()), size, fit)[0].permute(1, 2, 0)
        difference = np.abs(found.numpy() - expected)
        assert difference.max() <= 1, (height, width, size)
        assert (found == found.round()).all()
        other, pixels = other + (difference > 0).sum(), pixels + difference.size
    assert other / pixels < 0.15, "most are the very same"


@pytest.mark.parametrize("fit", FITS)
def test_maps_come_back_as_opencv_brings_them_back(fit):
    generator = np.random.default_rng(1)
    for height, width, size in sizes(fit):
        maps = generator.random((2, size, size), dtype=np.float32)
        expected = np.stack([Geometry(height, width, size, fit).undo(plane) for plane in maps])
        found = from_square(torch.from_numpy(maps)[None], height, width, fit)[0].numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_array_equal(found == 0, expected == 0, "nothing is said of what was not seen")


@pytest.mark.parametrize("fit", FITS)
def test_what_has_the_size_already_stays_exactly_as_it_is(fit):
    image = torch.randint(0, 256, (2, 1, 48, 48), dtype=torch.uint8)
    assert torch.equal(to_square(image, 48, fit), image.float())
    maps = torch.rand(2, 3, 48, 48)
    assert torch.equal(from_square(maps, 48, 48, fit), maps)


def test_a_worked_example():
    """Two rows of four pixels on a square of two: pairs are averaged to one row, which is centred on black."""
    image = torch.tensor([[[[10, 20, 30, 50], [20, 30, 40, 60]]]], dtype=torch.uint8)
    torch.testing.assert_close(to_square(image, 2, "letterbox"), torch.tensor([[[[20.0, 45.0], [0.0, 0.0]]]]))
    torch.testing.assert_close(to_square(image, 2, "stretch"), torch.tensor([[[[15.0, 40.0], [25.0, 50.0]]]]))
    torch.testing.assert_close(to_square(image, 2, "crop"), torch.tensor([[[[20.0, 30.0], [30.0, 40.0]]]]))
    back = from_square(torch.tensor([[[[1.0, 0.0], [9.0, 9.0]]]]), 1, 4, "letterbox")
    torch.testing.assert_close(back, torch.tensor([[[[1.0, 0.75, 0.25, 0.0]]]]))


@pytest.mark.parametrize("fit", FITS)
def test_boxes_are_those_of_the_geometry_at_any_size(fit):
    generator = np.random.default_rng(2)
    for _ in range(2000):
        height, width, size = (int(value) for value in generator.integers(1, 40_000, 3))
        geometry = Geometry(height, width, size, fit)
        rows, columns = fit_sides(height, width, size, fit)
        for box, vertical, horizontal in (
            (geometry.source, rows.seen, columns.seen),
            (geometry.target, rows.shown, columns.shown),
        ):
            found = [int(value) for value in (*vertical, *horizontal)]
            assert found == [box.top, box.height, box.left, box.width]
