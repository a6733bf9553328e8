import numpy as np
import pytest

from medvision.reports.contact_sheet import CELL, GAP, LETTERS, contact_sheet

STEP = CELL + LETTERS + 6 + GAP


def test_images_stand_in_rows_with_captions():
    images = np.stack([np.full((CELL, CELL), 10 * k, np.uint8) for k in range(10)])
    sheet = contact_sheet(images, list("abcdefghij"), columns=4)
    assert sheet.size == (4 * (CELL + GAP) + GAP, 3 * STEP + GAP)
    pixels = np.asarray(sheet)
    assert (pixels[GAP : GAP + CELL, GAP : GAP + CELL] == 0).all()
    top, left = GAP + 2 * STEP, GAP + CELL + GAP
    assert (pixels[top : top + CELL, left : left + CELL] == 90).all()
    assert pixels[top + CELL : top + STEP - GAP, left : left + CELL].max() > 200


@pytest.mark.parametrize("shape", [(2, 28, 28), (2, 28, 28, 1), (2, 28, 28, 3), (2, 900, 700), (2, 5, 400)])
def test_grey_and_colour_small_and_large_become_one_size(shape):
    sheet = contact_sheet(np.zeros(shape, np.uint8), ["a", "b"])
    assert sheet.mode == "RGB"
    assert sheet.size == (2 * (CELL + GAP) + GAP, STEP + GAP)


def test_colours_keep_their_order():
    image = np.zeros((1, CELL, CELL, 3), np.uint8) + np.array([200, 100, 50], np.uint8)
    assert contact_sheet(image, [""]).getpixel((GAP + 5, GAP + 5)) == (200, 100, 50)


def test_a_long_caption_stays_below_its_image():
    images = np.zeros((1, CELL, CELL), np.uint8)
    pixels = np.asarray(contact_sheet(images, ["a caption that no picture is wide enough for"]))
    assert pixels[:, GAP + CELL + 1 :].max() < 60


def test_a_missing_caption_is_refused():
    with pytest.raises(ValueError, match="one caption an image"):
        contact_sheet(np.zeros((2, 8, 8), np.uint8), ["a"])
