import csv

import numpy as np
import pytest
from PIL import Image

from medvision.phantoms.files import MARK, write_csv, write_image, write_mask

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_a_png_keeps_every_pixel_and_has_the_mark(tmp_path):
    path = tmp_path / "new" / "a.png"
    write_image(path, RAMP)
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), RAMP)
        assert image.info["Comment"] == MARK


def test_a_jpeg_has_the_mark(tmp_path):
    path = tmp_path / "a.jpg"
    write_image(path, np.stack([RAMP] * 3, axis=-1))
    with Image.open(path) as image:
        assert image.format == "JPEG"
        assert image.mode == "RGB"
        assert image.info["comment"] == MARK.encode()


def test_the_mark_says_simulated():
    assert MARK.startswith("SIMULATED")


def test_a_table_has_the_keys_as_its_header(tmp_path):
    path = tmp_path / "labels.csv"
    write_csv(path, [{"image": "é,1.png", "label": 0}, {"image": "b.png", "label": 1}])
    assert path.read_bytes().startswith(b"image,label\n")
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[1:] == [["é,1.png", "0"], ["b.png", "1"]]


CLASSES = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)


@pytest.mark.parametrize(("palette", "mode"), [(False, "L"), (True, "P")])
def test_a_mask_keeps_its_values_and_has_the_mark(tmp_path, palette, mode):
    path = tmp_path / "new" / "a.png"
    write_mask(path, CLASSES, palette=palette)
    with Image.open(path) as image:
        assert image.mode == mode
        assert np.array_equal(np.asarray(image), CLASSES)
        assert image.info["Comment"] == MARK


def test_a_palette_shows_values_as_colours(tmp_path):
    path = tmp_path / "a.png"
    write_mask(path, CLASSES, palette=True)
    with Image.open(path) as image:
        colours = np.asarray(image.convert("RGB"))
    assert colours[0].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
