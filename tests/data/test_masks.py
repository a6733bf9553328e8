from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from medvision.data.masks import IGNORE, MaskRules, parse_mask_cell, read_mask
from medvision.errors import ImageError

THREE = MaskRules({"0": "rest", "1": "fat", "2": "muscle"})
SIZE = (40, 60)


@pytest.fixture
def labels() -> np.ndarray:
    """(40, 60) uint8 of 0, 1 and 2, no symmetry."""
    drawn = np.zeros(SIZE, np.uint8)
    drawn[5:20, 10:50] = 1
    drawn[20:30, 12:45] = 2
    return drawn


def save(path: Path, array: np.ndarray) -> str:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(array).save(path)
    return path.name


def mistake(cell: str, root: Path, rules: MaskRules) -> str:
    with pytest.raises(ImageError) as caught:
        read_mask(cell, root, rules, SIZE)
    (line,) = caught.value.lines
    return line


@pytest.mark.parametrize(
    ("cell", "files"),
    [
        ("a.png", [(None, "a.png")]),
        ("fat=m/a.png | muscle=m/b.png", [("fat", "m/a.png"), ("muscle", "m/b.png")]),
        ("sub/te=3.png", [(None, "sub/te=3.png")]),
        ("fat=sub/te=3.png", [("fat", "sub/te=3.png")]),
    ],
)
def test_cells(cell: str, files: list[tuple[str | None, str]]) -> None:
    assert parse_mask_cell(cell) == files


@pytest.mark.parametrize("cell", ["", "a.png|", "fat=", "=a.png", " | "])
def test_cells_without_a_file(cell: str) -> None:
    with pytest.raises(ImageError, match="expected a file, class=file"):
        parse_mask_cell(cell)


def test_label_values(tmp_path: Path, labels: np.ndarray) -> None:
    rules = MaskRules({"7": "vessel", "0": "background", "100": "nerve", "9": "vessel"}, ignore="255")
    values = np.array([0, 100, 7, 9, 255, 33], np.uint8)
    stored = np.random.default_rng(0).choice(values, SIZE)
    mask, counts = read_mask(save(tmp_path / "a.png", stored), tmp_path, rules, SIZE)
    expected = np.select([stored == 0, stored == 100, np.isin(stored, [7, 9])], [0, 2, 1], IGNORE)
    np.testing.assert_array_equal(mask, expected)
    assert (mask.dtype, mask.flags.c_contiguous, mask.flags.writeable) == (np.uint8, True, True)
    assert counts == {str(value): int((stored == value).sum()) for value in values}


@pytest.mark.parametrize("foreground", [1, 255])
def test_without_values_the_one_other_value_is_foreground(tmp_path: Path, foreground: int) -> None:
    stored = np.zeros(SIZE, np.uint8)
    stored[:3] = foreground
    mask, counts = read_mask(save(tmp_path / "a.png", stored), tmp_path, MaskRules(None), SIZE)
    np.testing.assert_array_equal(mask, stored > 0)
    assert counts == {"0": 37 * 60, str(foreground): 180}


def test_without_values_an_ignored_one_may_be_named(tmp_path: Path, labels: np.ndarray) -> None:
    mask, _ = read_mask(save(tmp_path / "a.png", labels), tmp_path, MaskRules(None, ignore="2"), SIZE)
    np.testing.assert_array_equal(mask, np.where(labels == 2, IGNORE, labels))


def test_colours(tmp_path: Path, labels: np.ndarray) -> None:
    palette = np.array([[0, 0, 0], [255, 0, 0], [255, 255, 255]], np.uint8)
    rules = MaskRules({"#000000": "background", "#FF0000": "fat", "#ffffff": "muscle"})
    save(tmp_path / "rgb.png", palette[labels])
    indexed = Image.fromarray(labels).convert("P")
    indexed.putpalette(palette.tobytes())
    indexed.save(tmp_path / "palette.png")
    for cell in ("rgb.png", "palette.png"):
        mask, counts = read_mask(cell, tmp_path, rules, SIZE)
        np.testing.assert_array_equal(mask, labels)
        assert counts == {"#000000": 40 * 60 - 930, "#ff0000": 600, "#ffffff": 330}
    mask, counts = read_mask("palette.png", tmp_path, THREE, SIZE)
    np.testing.assert_array_equal(mask, labels)
    assert counts == {"0": 40 * 60 - 930, "1": 600, "2": 330}


def test_undeclared_colours_are_ignored_and_counted(tmp_path: Path) -> None:
    rgb = np.zeros((*SIZE, 3), np.uint8)
    rgb[0, 0], rgb[0, 1] = [255, 0, 0], [254, 0, 0]
    mask, counts = read_mask(
        save(tmp_path / "a.png", rgb), tmp_path, MaskRules({"#000000": "rest", "#ff0000": "fat"}), SIZE
    )
    assert mask[0, :3].tolist() == [1, IGNORE, 0]
    assert counts == {"#000000": 2398, "#ff0000": 1, "#fe0000": 1}


def test_a_jpeg_gets_its_values_back(tmp_path: Path, labels: np.ndarray) -> None:
    save(tmp_path / "a.jpg", np.uint8([0, 127, 255])[labels])
    with Image.open(tmp_path / "a.jpg") as stored:
        assert len(np.unique(stored)) > 3
    mask, counts = read_mask("a.jpg", tmp_path, MaskRules({"0": "rest", "127": "fat", "255": "muscle"}), SIZE)
    assert (mask != labels).mean() < 0.01
    assert sum(counts.values()) == 2400
    assert set(counts) == {"0", "127", "255"}
    save(tmp_path / "b.jpg", np.uint8([0, 255, 255])[labels])
    mask, counts = read_mask("b.jpg", tmp_path, MaskRules(None), SIZE)
    np.testing.assert_array_equal(mask, labels > 0)
    assert counts == {"0": 1470, "255": 930}


def test_a_jpeg_of_neighbouring_values_is_not_guessed(tmp_path: Path) -> None:
    ramp = np.arange(60, dtype=np.uint8)[None].repeat(40, axis=0) * 2
    _, counts = read_mask(save(tmp_path / "a.jpg", ramp), tmp_path, THREE, SIZE)
    assert len(counts) > 20


def test_one_file_a_class(tmp_path: Path, labels: np.ndarray) -> None:
    save(tmp_path / "fat" / "1.png", (labels == 1).astype(np.uint8) * 255)
    save(tmp_path / "muscle" / "1.png", labels == 2)
    rules = MaskRules(None, classes=("fat", "muscle"))
    mask, counts = read_mask("muscle=muscle/1.png|fat=fat/1.png", tmp_path, rules, SIZE)
    np.testing.assert_array_equal(mask, labels)
    assert counts == {"fat": 600, "muscle": 330}
    mask, counts = read_mask("fat=fat/1.png", tmp_path, rules, SIZE)
    np.testing.assert_array_equal(mask, labels == 1)
    assert counts == {"fat": 600}
    assert "expected class=file with one of the classes (fat, muscle), found no class" in mistake(
        "fat/1.png", tmp_path, rules
    )
    assert "(fat, muscle), found bone" in mistake("bone=fat/1.png", tmp_path, rules)
    assert "(none), found fat" in mistake("fat=fat/1.png", tmp_path, THREE)


def test_one_file_a_class_holds_one_value(tmp_path: Path, labels: np.ndarray) -> None:
    save(tmp_path / "a.png", labels)
    rules = MaskRules(None, classes=("fat",))
    assert mistake("fat=a.png", tmp_path, rules).endswith("one other value in the mask of fat, found 1, 2")
    save(tmp_path / "b.png", np.arange(2400, dtype=np.uint16).reshape(SIZE))
    assert mistake("fat=b.png", tmp_path, rules).endswith("found 1, 2, 3, 4, 5, ...")
    mask, counts = read_mask("fat=a.png", tmp_path, MaskRules(None, ignore="2", classes=("fat",)), SIZE)
    np.testing.assert_array_equal(mask, np.where(labels == 2, IGNORE, labels))
    assert counts == {"fat": 600}


def test_overlapping_classes(tmp_path: Path, labels: np.ndarray) -> None:
    save(tmp_path / "fat.png", labels == 1)
    save(tmp_path / "muscle.png", (labels == 2) | (labels == 1) & (np.arange(40) == 19)[:, None])
    rules = MaskRules(None, classes=("fat", "muscle"))
    cell = "fat=fat.png|muscle=muscle.png"
    assert mistake(cell, tmp_path, rules).startswith(f"{cell}: fat and muscle both claim 40 pixels; mend the mask")
    last = MaskRules(None, overlap="last", classes=("fat", "muscle"))
    assert (read_mask(cell, tmp_path, last, SIZE)[0][19, 10:50] == 2).all()
    assert (read_mask("muscle=muscle.png|fat=fat.png", tmp_path, last, SIZE)[0][19, 10:50] == 1).all()


def test_several_files_of_one_mask_are_joined(tmp_path: Path) -> None:
    first, second = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    first[2:6], second[4:10] = 255, 255
    save(tmp_path / "a.png", first)
    save(tmp_path / "b.png", second)
    mask, counts = read_mask("a.png|b.png", tmp_path, MaskRules(None), SIZE)
    np.testing.assert_array_equal(mask, (first | second) > 0)
    assert counts == {"0": 2 * 2400 - 600, "255": 600}


def test_ignored_in_one_file_is_ignored_in_all(tmp_path: Path, labels: np.ndarray) -> None:
    ignoring = labels.copy()
    ignoring[0], ignoring[10] = 9, 9
    save(tmp_path / "a.png", ignoring)
    save(tmp_path / "b.png", labels)
    for cell in ("a.png|b.png", "b.png|a.png"):
        mask, _ = read_mask(cell, tmp_path, THREE, SIZE)
        np.testing.assert_array_equal(mask, np.where(ignoring == 9, IGNORE, labels))


@pytest.mark.parametrize("outlines", ["fill", "convex_hull"])
def test_outlines_become_areas(tmp_path: Path, outlines: str) -> None:
    rules = MaskRules({"0": "rest", "1": "fat", "2": "muscle"}, ignore="9", outlines=outlines)
    drawn, expected = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    for number, corners in ((1, ((5, 5), (25, 20))), (2, ((30, 8), (55, 35)))):
        cv2.rectangle(drawn, *corners, number)
        cv2.rectangle(expected, *corners, number, -1)
    drawn[10, 10] = expected[10, 10] = 9
    mask, counts = read_mask(save(tmp_path / "a.png", drawn), tmp_path, rules, SIZE)
    np.testing.assert_array_equal(mask, np.where(expected == 9, IGNORE, expected))
    assert counts == {"0": 2400 - 70 - 104 - 1, "1": 70, "2": 104, "9": 1}
    mask, _ = read_mask(save(tmp_path / "b.png", np.zeros(SIZE, np.uint8)), tmp_path, rules, SIZE)
    assert not mask.any()


def test_outlines_inside_each_other(tmp_path: Path) -> None:
    drawn, expected = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    for number, corners in ((1, ((5, 5), (50, 30))), (2, ((20, 10), (35, 25)))):
        cv2.rectangle(drawn, *corners, number)
        cv2.rectangle(expected, *corners, number, -1)
    values = {"0": "rest", "1": "wall", "2": "cavity"}
    cell = save(tmp_path / "a.png", drawn)
    assert "wall and cavity both claim 256 pixels" in mistake(cell, tmp_path, MaskRules(values, outlines="fill"))
    mask, _ = read_mask(cell, tmp_path, MaskRules(values, outlines="fill", overlap="last"), SIZE)
    np.testing.assert_array_equal(mask, expected)


def test_an_open_outline_names_its_file(tmp_path: Path) -> None:
    drawn = np.zeros(SIZE, bool)
    drawn[5, 5:20] = True
    cell = save(tmp_path / "a.png", drawn)
    for outlines in ("fill", "convex_hull"):
        line = mistake(cell, tmp_path, MaskRules(None, outlines=outlines))
        assert line.startswith(f"{tmp_path / 'a.png'}: ")
        assert "nothing" in line


def test_another_size_names_both(tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.zeros((60, 40), np.uint8))
    assert mistake("a.png", tmp_path, THREE) == (
        f"{tmp_path / 'a.png'}: the mask has 40 x 60 pixels, its image 60 x 40; "
        "draw or export it at the size of the image"
    )
    assert "no such file" in mistake("b.png", tmp_path, THREE)


def test_a_frame_is_named_behind_the_file(tmp_path: Path, labels: np.ndarray) -> None:
    pages = [Image.fromarray(labels), Image.fromarray(2 - labels)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(read_mask("a.tif#1", tmp_path, THREE, SIZE)[0], 2 - labels)


def test_threads_read_the_same(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    arrays = [generator.integers(0, 3, SIZE, dtype=np.uint8) for _ in range(40)]
    cells = [save(tmp_path / f"{number}.png", array) for number, array in enumerate(arrays)]
    with ThreadPoolExecutor(4) as pool:
        masks = list(pool.map(lambda cell: read_mask(cell, tmp_path, THREE, SIZE)[0], cells))
    np.testing.assert_array_equal(masks, arrays)
