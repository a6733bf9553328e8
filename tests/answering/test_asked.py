import os

import cv2
import numpy as np
import pytest
from PIL import Image

from medvision.answering.asked import find_images
from medvision.errors import DataError


def draw(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((4, 4), value, np.uint8))
    return path


def names(*sources, **options):
    return [asked.name for asked in find_images(list(sources), **options)]


def test_folders_are_searched_without_what_is_hidden(tmp_path):
    for name in ("b/deep/2.png", "a/1.jpg", "a/._1.jpg", "_sheet.png"):
        draw(tmp_path / name)
    (tmp_path / "notes.txt").write_text("")
    assert names(tmp_path) == [f"{tmp_path}/a/1.jpg", f"{tmp_path}/b/deep/2.png"]
    assert [asked.below for asked in find_images(tmp_path)] == ["a/1.jpg", "b/deep/2.png"]
    assert names(tmp_path, without=tmp_path / "b") == [f"{tmp_path}/a/1.jpg"]


def test_a_pattern_names_files_and_folders(tmp_path):
    for name in ("x/1.png", "x/2.png", "x/deep/3.png", "y/4.png"):
        draw(tmp_path / name)
    (tmp_path / "x" / "note.txt").write_text("")
    assert names(tmp_path / "x" / "*.png") == [f"{tmp_path}/x/1.png", f"{tmp_path}/x/2.png"]
    assert len(names(tmp_path / "*")) == 4
    assert len(names(f"{tmp_path}/**/*.png")) == 4
    with pytest.raises(DataError, match="no image matches this pattern"):
        names(tmp_path / "z*.png")


def test_a_file_that_looks_like_a_pattern_is_a_file(tmp_path):
    assert names(draw(tmp_path / "knee [1].png")) == [f"{tmp_path}/knee [1].png"]


def test_a_table_names_images_below_its_folder(tmp_path):
    draw(tmp_path / "scans" / "a.png")
    (tmp_path / "list.csv").write_text(
        "image,patient,study,row_mm,column_mm,age\nscans/a.png,p1,s1,0.5,0.25,60\nlost.png,,,,,\n"
    )
    first, second = find_images(tmp_path / "list.csv")
    assert (first.patient, first.study, first.spacing) == ("p1", "s1", (0.5, 0.25))
    assert first.source == tmp_path / "scans" / "a.png"
    assert (second.patient, second.study, second.spacing, second.stamp) == (None, None, None, [-1, -1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file\na.png\n", ["no column 'image', it has file"]),
        ("image\n", ["the table has no rows"]),
        ("", ["cannot be read as a table"]),
        ("image\n../secret.png\n/etc/passwd\n", [":2: '../secret.png' leads out", ":3: '/etc/passwd' leads out"]),
        ("image,row_mm,column_mm\na.png,1,\nb.png,0,1\n", [":2: row_mm and column_mm are 1 and None", ":3: row_mm"]),
        ("image,patient\n,p1\n", [":2: the cell of the column 'image' is empty"]),
    ],
)
def test_a_mistake_in_a_table_is_a_line_each(tmp_path, text, words):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        find_images(tmp_path / "list.csv")
    assert len(caught.value.lines) == len(words)
    for line, word in zip(caught.value.lines, words, strict=True):
        assert line.startswith(f"{tmp_path}/list.csv")
        assert word in line


def test_frames_are_images_and_each_is_asked_once(tmp_path):
    pages = [Image.fromarray(np.full((20, 20), value, np.uint8)) for value in (10, 240)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    file = f"{tmp_path}/two.tif"
    assert names(file, file) == [f"{file}#0", f"{file}#1"]
    assert names(f"{file}#1") == [f"{file}#1"]
    (tmp_path / "list.csv").write_text("image\ntwo.tif#1\n")
    assert names(tmp_path / "list.csv") == [f"{file}#1"]
    (tmp_path / "broken.tif").write_bytes(b"II*\0")
    assert names(tmp_path / "broken.tif") == [f"{tmp_path}/broken.tif"], "found out when it is read"


def test_arrays_are_numbered_and_known_by_their_pixels():
    grey = np.zeros((3, 3), np.uint8)
    found = find_images([grey, grey + 1])
    assert [asked.name for asked in found] == ["array 0", "array 1"]
    assert found[0].stamp != found[1].stamp
    assert found[0].stamp == find_images(grey)[0].stamp


def test_everything_that_is_not_there_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        names(tmp_path / "absent.png", draw(tmp_path / "a.png"), tmp_path / "empty")
    assert caught.value.lines == (
        f"{tmp_path}/absent.png: no such file",
        f"{tmp_path}/empty: no image below this folder",
    )
    with pytest.raises(DataError, match="no image was named"):
        find_images([])


def test_a_file_that_changes_has_another_stamp(tmp_path):
    file = draw(tmp_path / "a.png")
    before = find_images(file)[0].stamp
    os.utime(file, ns=(0, 1))
    assert find_images(file)[0].stamp != before
