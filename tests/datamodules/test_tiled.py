"""Tiles of any data set: here of class folders, read by a class of one's own."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from medvision.config.settings import SplitSettings
from medvision.config.tiles import TileGrid
from medvision.data.tiles import tile_box
from medvision.datamodules.folder import class_folders
from medvision.datamodules.tiled import TiledDataModule
from medvision.errors import DataError

GRID = TileGrid(rows=1, columns=2)


@dataclass(kw_only=True, eq=False)
class Folders(TiledDataModule):
    def read_table(self):
        return class_folders(Path(self.root), Path(self.root))


@pytest.fixture
def root(tmp_path):
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(6):
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), generator.integers(0, 256, (10, 21), dtype=np.uint8))
    return tmp_path


def build(root, **settings):
    split = SplitSettings(group="study", val=0.2, test=0.2)
    return Folders(root=str(root), **{"tiles": GRID, "image_size": 16, "resize": "stretch", "split": split, **settings})


def test_without_a_grid_images_stay_whole(root):
    datamodule = build(root, tiles=None, split=SplitSettings(group="image", val=0.2, test=0.2))
    datamodule.setup()
    assert len(datamodule.image_table) == 12
    assert "study" not in datamodule.image_table
    assert datamodule.read_pixels("a/0.png").shape == (10, 21)


def test_tiles_are_read_as_they_lie_in_their_image(root):
    datamodule = build(root)
    datamodule.setup()
    assert list(datamodule.image_table["label"]) == ["a"] * 12 + ["b"] * 12
    whole = cv2.imread(str(root / "a" / "0.png"), cv2.IMREAD_GRAYSCALE)
    for column in (1, 2):
        tile = datamodule.read_pixels(f"a/0.png#r1c{column}")
        assert np.array_equal(tile, tile_box(10, 21, GRID, 1, column).cut(whole))
        assert tile.flags.c_contiguous
    assert datamodule.inspection.widths[:2] == [10, 11]


def test_the_network_sees_the_tile_at_its_own_size(root):
    datamodule = build(root)
    datamodule.setup()
    tile = datamodule.read_pixels("a/0.png#r1c2")
    shrunk_and_enlarged = datamodule.pixels[1]
    assert shrunk_and_enlarged.shape == (16, 16)
    assert abs(float(shrunk_and_enlarged.mean()) - float(tile.mean())) < 8


def test_digests_tell_tiles_and_grids_apart_and_copies_together(root):
    datamodule, finer = build(root), build(root, tiles=TileGrid(rows=1, columns=3))
    (root / "a" / "copy.png").write_bytes((root / "a" / "0.png").read_bytes())
    names = ["a/0.png", "a/0.png#r1c1", "a/0.png#r1c2", "a/1.png#r1c1"]
    digests = [datamodule.digest(name) for name in names]
    assert len({*digests, finer.digest("a/0.png#r1c1")}) == 5
    assert all(len(digest) == 64 for digest in digests)
    assert datamodule.digest("a/copy.png#r1c2") == digests[2]


def test_copies_of_an_image_under_another_name_are_found(root):
    (root / "a" / "copy.png").write_bytes((root / "a" / "0.png").read_bytes())
    with pytest.raises(DataError, match=r"identical images of different studys?: a/0.png#r1c1 = a/copy.png#r1c1"):
        build(root).setup()


def test_another_grid_gives_other_pixels_from_the_cache(root):
    coarse, fine = build(root), build(root, tiles=TileGrid(rows=2, columns=2))
    coarse.setup()
    fine.setup()
    assert len(fine.image_table) == 2 * len(coarse.image_table)
    assert not np.array_equal(coarse.pixels[0], fine.pixels[0])


def label(root, *rows, name="tiles.csv"):
    (root / name).write_text("image,row,column,label\n" + "".join(f"{row}\n" for row in rows))


def test_tiles_are_labelled_by_a_table_beside_the_images(root):
    label(root, "b/0.png,1,1,a", "b/0.png,1,2,b", name="doctor.csv")
    datamodule = build(root, tile_labels="doctor.csv")
    datamodule.setup()
    assert list(datamodule.image_table["label"]) == ["a"] * 13 + ["b"] * 11
    ignoring = build(root, tile_labels=None)
    ignoring.setup()
    assert list(ignoring.image_table["label"]) == ["a"] * 12 + ["b"] * 12


def test_labels_of_another_grid_are_refused(root):
    label(root, "b/0.png,1,1,a", "b/0.png,1,2,b")
    with pytest.raises(
        DataError, match=r"tiles.csv: 1 tiles without a label beside others of their image: b/0.png#r1c3"
    ):
        build(root, tiles=TileGrid(rows=1, columns=3)).setup()


def test_three_classes_have_no_tiles_labelled_singly(root):
    label(root, "b/0.png,1,1,a", "b/0.png,1,2,b")
    (root / "c").mkdir()
    cv2.imwrite(str(root / "c" / "0.png"), np.zeros((10, 21), np.uint8))
    with pytest.raises(DataError, match=r"tiles of 3 classes, expected two; write `data.tile_labels: null`"):
        build(root).setup()


def test_an_image_too_small_for_its_grid_is_listed(root):
    cv2.imwrite(str(root / "a" / "small.png"), np.zeros((10, 1), np.uint8))
    with pytest.raises(DataError, match="small.png: 1 x 10 pixels cannot be cut into 1 rows and 2 columns"):
        build(root).setup()
