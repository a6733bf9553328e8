import numpy as np
import pandas as pd
import pytest

from medvision.config.tiles import TileGrid
from medvision.data.tiles import (
    cut_table,
    cut_tile,
    label_tiles,
    parse_tile_name,
    read_tile_labels,
    tile_box,
    tile_name,
    tile_names,
    tiles_differ,
)
from medvision.errors import DataError, ImageError

GRID = TileGrid(rows=2, columns=3)


@pytest.mark.parametrize("image", ["a.png", "scans/a.dcm#3", "a #2.png", "a#r1c1.png", "line\nbreak.png"])
def test_a_name_is_put_together_and_taken_apart(image):
    assert parse_tile_name(image) == (image, None)
    assert parse_tile_name(tile_name(image, 12, 3)) == (image, (12, 3))


def test_names_go_row_by_row():
    assert tile_names("a", GRID) == ["a#r1c1", "a#r1c2", "a#r1c3", "a#r2c1", "a#r2c2", "a#r2c3"]


@pytest.mark.parametrize(("height", "width"), [(2, 3), (5, 7), (240, 320), (241, 319)])
@pytest.mark.parametrize("colour", [(), (3,)])
def test_tiles_put_side_by_side_are_the_image(height, width, colour):
    image = np.random.default_rng(0).integers(0, 256, (height, width, *colour), dtype=np.uint8)
    rows = [np.hstack([cut_tile(image, tile_name("a", r, c), GRID) for c in (1, 2, 3)]) for r in (1, 2)]
    np.testing.assert_array_equal(np.vstack(rows), image)
    boxes = [tile_box(height, width, GRID, r, c) for r in (1, 2) for c in (1, 2, 3)]
    for sides in ({box.height for box in boxes}, {box.width for box in boxes}):
        assert max(sides) - min(sides) <= 1


def test_boxes_by_hand():
    # 7 columns in three parts begin at 0, floor(7/3), floor(14/3).
    assert [tile_box(4, 7, GRID, 1, c).left for c in (1, 2, 3)] == [0, 2, 4]
    assert [tile_box(4, 7, GRID, 1, c).width for c in (1, 2, 3)] == [2, 2, 3]


@pytest.mark.parametrize("shape", [(1, 3), (2, 2)])
def test_an_image_smaller_than_its_grid_is_named(shape):
    with pytest.raises(ImageError, match=r"a.png: . x . pixels cannot be cut into 2 rows and 3 columns"):
        cut_tile(np.zeros(shape, np.uint8), "a.png#r1c1", GRID)


@pytest.mark.parametrize("name", ["a.png#r0c1", "a.png#r3c1", "a.png#r1c4", "a.png"])
def test_a_tile_beyond_the_grid_is_named(name):
    with pytest.raises(ImageError, match=f"{name}: no tile of 2 rows and 3 columns"):
        cut_tile(np.zeros((20, 30), np.uint8), name, GRID)


@pytest.fixture
def images():
    rows = [("n/a.png", "n", "A", "F"), ("p/b.png", "p", "B", "M")]
    return pd.DataFrame(rows, columns=["image", "label", "patient", "sex"], index=[7, 3])


@pytest.fixture
def tiles(images):
    return cut_table(images, TileGrid(rows=1, columns=2))


def test_a_table_of_tiles_keeps_all_columns_and_makes_the_image_the_study(images):
    table = cut_table(images.assign(study="visit"), GRID)
    assert list(table.index) == list(range(12))
    assert list(table["image"][5:8]) == ["n/a.png#r2c3", "p/b.png#r1c1", "p/b.png#r1c2"]
    assert list(table["study"]) == ["n/a.png"] * 6 + ["p/b.png"] * 6
    assert list(table["sex"]) == ["F"] * 6 + ["M"] * 6
    assert list(images.columns) == ["image", "label", "patient", "sex"], "the table that was given is left as it was"


def labels(*rows):
    return pd.DataFrame(rows, columns=["image", "label"])


def test_tiles_have_their_own_labels_and_other_images_keep_theirs(tiles):
    found = label_tiles(tiles, labels(("p/b.png#r1c2", "p"), ("p/b.png#r1c1", "n")), "p", "tiles.csv")
    assert list(found["label"]) == ["n", "n", "n", "p"]
    assert list(tiles["label"]) == ["n", "n", "p", "p"]
    assert tiles_differ(found)
    assert not tiles_differ(tiles)


def test_everything_wrong_with_labels_of_tiles_is_told_at_once(tiles):
    wrong = labels(("n/a.png#r1c1", "n"), ("n/a.png#r1c1", "n"), ("p/b.png#r2c1", "p"), ("c.png#r1c1", "n"))
    with pytest.raises(DataError) as caught:
        label_tiles(tiles, wrong, "p", "tiles.csv")
    assert caught.value.lines == (
        "tiles.csv: 1 tiles labelled twice: n/a.png#r1c1",
        "tiles.csv: 2 tiles of no image or beyond data.tiles: p/b.png#r2c1, c.png#r1c1",
        "tiles.csv: 3 tiles without a label beside others of their image: n/a.png#r1c2, p/b.png#r1c1, p/b.png#r1c2",
    )


@pytest.mark.parametrize(
    ("given", "image"),
    [
        ([("p/b.png#r1c1", "n"), ("p/b.png#r1c2", "n")], "p/b.png"),
        ([("n/a.png#r1c1", "n"), ("n/a.png#r1c2", "p")], "n/a"),
    ],
)
def test_an_image_is_positive_if_and_only_if_a_tile_is(tiles, given, image):
    with pytest.raises(
        DataError, match=rf"1 images of another class than their tiles: {image}.*; an image is p if one"
    ):
        label_tiles(tiles, labels(*given), "p", "tiles.csv")


def test_tiles_differ_only_where_there_are_tiles(images):
    whole = pd.DataFrame({"image": ["a", "b"], "study": ["s", "s"], "label": ["n", "p"]})
    assert not tiles_differ(whole), "images of a study, which are no tiles"
    assert not tiles_differ(images)
    assert not tiles_differ(whole.drop(columns="label"))


def write(tmp_path, text):
    (tmp_path / "tiles.csv").write_text(text)
    return tmp_path / "tiles.csv"


def test_labels_are_read(tmp_path):
    found = read_tile_labels(write(tmp_path, "label,image,row,column,by\nn,x/NA.png,1,02,me\n,x/1.png,2,1,me\n"))
    assert found.to_dict("list") == {"image": ["x/NA.png#r1c2", "x/1.png#r2c1"], "label": ["n", ""]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "tiles.csv: cannot be read as CSV"),
        ("image,row\na,1\n", "tiles.csv: no column column, label; expected image, row, column, label"),
        ("image,row,column,label\na,1,1,n\nb,top,1,n\n", "tiles.csv:3: row 'top' and column '1'; expected whole"),
    ],
)
def test_a_table_that_is_none_is_one_line(tmp_path, text, words):
    with pytest.raises(DataError) as caught:
        read_tile_labels(write(tmp_path, text))
    assert len(caught.value.lines) == 1
    assert words in str(caught.value)
