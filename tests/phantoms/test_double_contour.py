from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from medvision.config.tiles import TileGrid
from medvision.phantoms.double_contour import GRID, draw_cartilage, positive_tiles, write_double_contour
from medvision.phantoms.ultrasound import draw_examination

SIZE = (240, 320)
KNEES = range(12)


def draw(gout, knee, hand=0):
    return draw_cartilage(gout, draw_examination(np.random.default_rng(knee)), np.random.default_rng(hand), SIZE)


def test_pixels_are_grey_and_the_same_hand_draws_them_again():
    first, line = draw(True, 0)
    again, same_line = draw(True, 0)
    assert first.dtype == np.uint8
    assert first.shape == SIZE
    assert line.shape == (320,)
    assert np.array_equal(first, again)
    assert np.array_equal(line, same_line, equal_nan=True)
    assert not np.array_equal(first, draw(True, 0, hand=1)[0])


def test_a_healthy_knee_has_no_second_line():
    assert all(np.isnan(draw(False, knee)[1]).all() for knee in KNEES)


def test_gout_changes_nothing_but_the_band_and_what_lies_below_it():
    for knee in KNEES:
        (healthy, _), (ill, line) = draw(False, knee), draw(True, knee)
        changed = np.argwhere(np.abs(healthy.astype(int) - ill) > 12)
        there = np.flatnonzero(np.isfinite(line))
        assert len(there) >= 40
        # The beam and the blur of the pulse reach a few columns beyond the band.
        assert changed[:, 1].min() >= there.min() - 8
        assert changed[:, 1].max() <= there.max() + 8
        assert changed[:, 0].min() >= np.nanmin(line) - 16


def test_the_band_is_bright_over_dark_cartilage_over_bright_bone():
    """The sign as it is defined: two bright lines, with a dark band between them."""
    for knee in KNEES:
        pixels, line = draw(True, knee)
        columns = np.flatnonzero(np.isfinite(line))
        bands, gaps, bones = [], [], []
        for column in columns:
            row = round(line[column])
            below = pixels[row + 1 :, column].astype(float)
            bone = int(below[4:40].argmax()) + 4
            bands.append(pixels[max(0, row - 2) : row + 3, column].max())
            gaps.append(below[:bone].min())
            bones.append(below[bone])
        assert np.median(bands) > np.median(gaps) + 60, knee
        assert np.median(bones) > np.median(gaps) + 60, knee


def test_the_normal_line_is_thinner_and_fainter_than_urate():
    def brightness(gout):
        found = []
        for knee in KNEES:
            pixels, _ = draw(gout, knee)
            where = draw(True, knee)[1]
            columns = np.flatnonzero(np.isfinite(where))
            found.append(np.mean([pixels[round(where[c]) - 1 : round(where[c]) + 2, c].mean() for c in columns]))
        return np.array(found)

    assert (brightness(True) > brightness(False) + 20).all()


def test_positive_tiles_by_hand():
    line = np.full(320, np.nan)
    line[100:125] = 119.9
    line[300:309] = 200
    grid = TileGrid(rows=2, columns=3)
    # Columns 100 to 105 are in the first tile: too few. 106 to 124 are in the second. 300 to 308 are nine of the third.
    assert positive_tiles(line, SIZE, grid).tolist() == [[False, True, False], [False, False, False]]
    line[300:310] = 200
    assert positive_tiles(line, SIZE, grid).tolist() == [[False, True, False], [False, False, True]]
    assert not positive_tiles(np.full(320, np.nan), SIZE, grid).any()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("double_contour")
    write_double_contour(root, 0, 15, 1)
    return root


def test_fifteen_images_have_about_one_positive_tile_of_six(folder):
    table = pd.read_csv(folder / "tiles.csv")
    assert len(table) == 15 * GRID.rows * GRID.columns
    assert 13 <= (table["label"] == "double_contour").sum() <= 18
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png")) == sorted(set(table["image"]))


def test_an_image_lies_in_the_folder_of_its_tiles(folder):
    table = pd.read_csv(folder / "tiles.csv")
    positive = (table["label"] == "double_contour").groupby(table["image"]).any()
    assert ((positive.index.str.split("/").str[0] == "double_contour") == positive.to_numpy()).all()
    assert positive.sum() == 6


def test_all_images_of_a_patient_have_the_same_class(tmp_path):
    write_double_contour(tmp_path, 1, 5, 3)
    names = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")]
    classes = {name.split("/")[1].split("_")[0]: set() for name in names}
    for name in names:
        classes[name.split("/")[1].split("_")[0]].add(name.split("/")[0])
    assert len(names) == 15
    assert all(len(found) == 1 for found in classes.values())
    assert all(cv2.imread(str(tmp_path / name), cv2.IMREAD_GRAYSCALE).std() > 20 for name in names)
