import numpy as np
import pytest

from medvision.config.settings import SplitSettings
from medvision.config.tiles import TileGrid
from medvision.datamodules.double_contour import DoubleContour
from medvision.errors import DataError
from medvision.phantoms.sets import generate
from tests.datamodules.reader_contract import ReaderContract


class TestDoubleContour(ReaderContract):
    name = "double_contour"
    expected_classes = ["normal", "double_contour"]  # noqa: RUF012
    published = False


class TestDoubleContourInTiles(ReaderContract):
    name = "double_contour"
    parameters = {"tiles": TileGrid(rows=2, columns=3)}  # noqa: RUF012
    expected_classes = ["normal", "double_contour"]  # noqa: RUF012
    published = False


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return generate("double_contour", tmp_path_factory.mktemp("set") / "images")


def test_fifteen_images_become_ninety_tiles_with_labels_of_their_own(root):
    datamodule = DoubleContour(root=str(root), image_size=32, tiles=TileGrid(rows=2, columns=3))
    datamodule.setup()
    table = datamodule.image_table
    assert len(table) == 90
    assert table["study"].nunique() == table["patient"].nunique() == 15
    of_positive = table[table["study"].str.startswith("double_contour/")]
    assert set(of_positive["label"]) == {"normal", "double_contour"}
    assert set(table["label"][~table.index.isin(of_positive.index)]) == {"normal"}
    assert np.array_equal(datamodule.targets, (table["label"] == "double_contour").to_numpy(dtype=np.int64))


@pytest.mark.parametrize("group", ["patient", "study"])
def test_every_image_is_left_out_once_with_all_its_tiles(root, group):
    split = SplitSettings(group=group, folds="leave_one_out", fold=0, val=0.3)
    datamodule = DoubleContour(root=str(root), image_size=32, tiles=TileGrid(rows=2, columns=3), split=split)
    datamodule.setup()
    tested = []
    for fold in range(15):
        table = datamodule.with_split(split.model_copy(update={"fold": fold}), 42).split_table()
        tested.append(sorted(table["image"][table["split"] == "test"]))
        assert table.groupby("study")["split"].nunique().max() == 1
    assert all(len(tiles) == 6 and len({tile.split("#")[0] for tile in tiles}) == 1 for tiles in tested)
    assert sorted(tile for tiles in tested for tile in tiles) == sorted(datamodule.image_table["image"])


def test_a_folder_that_is_no_class_is_named(tmp_path):
    for name in ("normal", "double_contour", "gout"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="gout is no class; expected <normal|double_contour>"):
        DoubleContour(root=str(tmp_path)).read_table()
