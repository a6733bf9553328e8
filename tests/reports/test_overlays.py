import numpy as np
import pytest
from PIL import Image

from medvision.data.masks import IGNORE
from medvision.reports.overlays import (
    DIFFERENCES,
    KEY,
    difference_key,
    differences,
    draw_differences,
    draw_fillings,
    draw_ignored,
    draw_keys,
    draw_outlines,
    edge_pixels,
    fit_size,
    fit_text,
    hatching,
    load_font,
    mask_key,
    scale_image,
    scale_mask,
)
from medvision.reports.palette import class_colour

# Truth and prediction of seven pixels: both background, agreement, missed, invented, mistaken, not scored (twice).
TRUTH = np.array([[0, 1, 2, 0, 1, IGNORE, IGNORE]], np.uint8)
PREDICTED = np.array([[0, 1, 0, 2, 2, 0, 1]], np.uint8)


def test_every_pixel_of_the_foreground_stands_in_one_difference():
    found = differences(TRUTH, PREDICTED)
    assert list(found) == list(DIFFERENCES)
    assert {name: np.flatnonzero(region).tolist() for name, region in found.items()} == {
        "agreement": [1],
        "false positive": [3],
        "false negative": [2],
        "other class": [4],
    }


def test_differences_are_coloured_and_ignored_pixels_grey():
    picture = np.full((1, 7, 3), 100, np.uint8)
    draw_differences(picture, TRUTH, PREDICTED)
    colours = [tuple(map(int, pixel)) for pixel in picture[0]]
    assert colours[0] == (50, 50, 50)
    assert colours[5] == colours[6] == (128, 128, 128)
    assert len(set(colours)) == 6


@pytest.mark.parametrize("first", ["false positive", "false negative", "other class"])
def test_differences_are_told_apart_without_colour(first):
    keys = {name: np.asarray(difference_key(name).convert("L")) for name in DIFFERENCES}
    others = [key for name, key in keys.items() if name != first]
    assert all(np.abs(keys[first].astype(int) - key).max() > 30 for key in others)


def test_stripes_rise_fall_and_repeat():
    rising, falling = hatching("rising", 28, 28), hatching("falling", 28, 28)
    np.testing.assert_array_equal(rising[1:, :-1], rising[:-1, 1:])
    np.testing.assert_array_equal(falling[1:, 1:], falling[:-1, :-1])
    assert not np.array_equal(rising, falling)
    assert 0.2 < rising.mean() < 0.4


def test_the_edge_of_a_square_is_its_frame():
    region = np.zeros((9, 9), bool)
    region[2:7, 2:7] = True
    frame = region.copy()
    frame[3:6, 3:6] = False
    np.testing.assert_array_equal(edge_pixels(region, 1), frame)
    # The border of the image is outside.
    full = edge_pixels(np.ones((4, 5), bool), 1)
    assert full[0].all()
    assert full[:, 0].all()
    assert not full[1:-1, 1:-1].any()


def test_outlines_and_fillings_leave_background_and_ignored_pixels_as_they_are():
    mask = np.zeros((12, 12), np.uint8)
    mask[2:8, 2:8], mask[10:] = 2, IGNORE
    outlined, tinted, grey = (np.full((12, 12, 3), 90, np.uint8) for _ in range(3))
    draw_outlines(outlined, mask, 1)
    draw_fillings(tinted, mask, 1.0)
    draw_ignored(grey, mask)
    assert tuple(outlined[2, 2]) == tuple(tinted[4, 4]) == class_colour(2)
    assert (outlined[4, 4] == 90).all()
    for picture in (outlined, tinted):
        assert (picture[mask != 2] == 90).all()
    assert (grey[mask == IGNORE] == 128).all()
    assert (grey[mask != IGNORE] == 90).all()


@pytest.mark.parametrize(
    ("size", "expected"), [((100, 50), (20, 10)), ((3, 300), (1, 20)), ((1, 1), (20, 20)), ((7, 9), (16, 20))]
)
def test_the_longer_side_fits_the_box(size, expected):
    assert fit_size(*size, 20) == expected


def test_a_scaled_mask_has_no_new_classes_and_a_scaled_image_three_channels():
    mask = np.array([[0, 2], [IGNORE, 1]], np.uint8)
    np.testing.assert_array_equal(scale_mask(mask, (4, 6)), mask.repeat(2, axis=0).repeat(3, axis=1))
    for shape in ((5, 7), (5, 7, 1), (5, 7, 3)):
        assert scale_image(np.full(shape, 40, np.uint8), (10, 3)).shape == (10, 3, 3)
    assert (scale_image(np.full((50, 70), 40, np.uint8), (10, 3)) == 40).all()


def test_a_text_is_cut_to_its_room():
    font = load_font(14)
    assert fit_text("a  short\nname", font, 500) == "a short name"
    cut = fit_text("a name that nothing is wide enough for", font, 90)
    assert cut.endswith("…")
    assert font.getlength(cut) <= 90


@pytest.mark.parametrize("number", [1, 12, 40])
def test_a_legend_of_many_or_long_names_stays_in_its_width(number):
    keys = [(mask_key(k + 1), f"class {k} " + "of a long name " * (k % 3)) for k in range(number)]
    legend = draw_keys("classes", keys, 400, load_font(14))
    assert legend.width == 400
    assert legend.height % (KEY + 10) == 0
    assert isinstance(legend, Image.Image)
    # Every class has its key: the colour of its frame occurs.
    colours = {tuple(pixel) for pixel in np.asarray(legend).reshape(-1, 3).tolist()}
    assert {class_colour(k + 1) for k in range(number)} <= colours


def test_keys_have_room_beneath_a_title_that_takes_the_line():
    legend = draw_keys("network trained on SIMULATED images", [(mask_key(1), "fat")], 320, load_font(16))
    assert legend.size == (320, 2 * (KEY + 10))
    found = {tuple(pixel) for pixel in np.asarray(legend)[KEY + 10 :].reshape(-1, 3).tolist()}
    assert class_colour(1) in found
    assert (232, 234, 237) in found
