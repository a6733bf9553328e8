from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medvision.data.masks import IGNORE
from medvision.reports.palette import class_colour, colour_text, palette_png

MASK = np.zeros((5, 7), np.uint8)
MASK[1:3, 2:5], MASK[3], MASK[4, 0] = 1, 2, IGNORE


@pytest.mark.parametrize("mask", [MASK, MASK % 2, np.zeros((1, 1), np.uint8), np.arange(256, dtype=np.uint8)[None]])
def test_pixel_values_are_class_numbers_and_a_viewer_shows_colours(tmp_path, mask):
    path = tmp_path / "masks" / "p1_0.png"
    palette_png(mask, path)
    with Image.open(path) as file:
        assert file.mode == "P"
        np.testing.assert_array_equal(np.asarray(file), mask)
        shown = np.asarray(file.convert("RGB"))
    for (row, column), number in np.ndenumerate(mask):
        assert tuple(shown[row, column]) == class_colour(int(number))
    assert [file.name for file in path.parent.iterdir()] == ["p1_0.png"]


def test_a_mask_that_is_a_view_keeps_its_pixels(tmp_path):
    palette_png(MASK.T[::-1], tmp_path / "turned.png")
    with Image.open(tmp_path / "turned.png") as file:
        np.testing.assert_array_equal(np.asarray(file), MASK.T[::-1])


def test_a_file_that_cannot_be_finished_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "mask.png"
    palette_png(MASK, path)

    def fail(file, content):
        with file.open("wb") as opened:
            opened.write(content[: len(content) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        palette_png(MASK % 2, path)
    with Image.open(path) as file:
        np.testing.assert_array_equal(np.asarray(file), MASK)


def test_background_is_black_and_what_nobody_scores_is_grey():
    assert class_colour(0) == (0, 0, 0)
    assert class_colour(IGNORE) == (128, 128, 128)
    assert colour_text(1) == "#e69f00"


def see_without_green(colour):
    """Linear RGB as a deuteranope sees it, after Machado et al. 2009, severity 1."""
    linear = (np.asarray(colour) / 255) ** 2.2
    matrix = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    return np.clip(np.asarray(matrix) @ linear, 0, 1) ** (1 / 2.2)


def test_the_first_four_classes_are_told_apart_without_green():
    seen = [see_without_green(class_colour(number)) for number in range(1, 5)]
    for first in range(4):
        for second in range(first):
            assert np.abs(seen[first] - seen[second]).max() > 0.15


def test_no_two_of_fourteen_classes_share_a_colour():
    assert len({class_colour(number) for number in range(15)}) == 15
