from hashlib import sha256

import cv2
import numpy as np
import pytest

from medvision.answering.asked import Asked, find_images
from medvision.answering.originals import read_original
from medvision.data.images import read_image
from medvision.errors import ImageError


def test_a_file_and_its_array_give_the_same_pixels(tmp_path):
    generator = np.random.default_rng(0)
    grey, deep = generator.integers(0, 256, (9, 7), np.uint8), generator.integers(0, 4096, (9, 7)).astype(np.uint16)
    colour = generator.integers(0, 256, (9, 7, 3), np.uint8)
    for number, array in enumerate((grey, deep, colour)):
        file = tmp_path / f"{number}.png"
        cv2.imwrite(str(file), array[..., ::-1] if array.ndim == 3 else array)
        for channels in (1, 3):
            of_file, of_array = (read_original(find_images(source)[0], channels) for source in (file, array))
            np.testing.assert_array_equal(of_file.pixels, of_array.pixels)
            np.testing.assert_array_equal(of_file.pixels, read_image(file, channels))
            assert of_file.storage == of_array.storage
            assert of_array.digest is None
            assert of_file.digest == sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)],
)
def test_other_arrays_are_refused_in_one_line(array):
    with pytest.raises(ImageError, match="expected uint8 or uint16 of shape") as caught:
        read_original(Asked("array 0", array), 1)
    assert len(caught.value.lines) == 1


def test_a_header_tells_patient_study_and_spacing_and_a_table_knows_better(medvision_data):
    file = medvision_data / "dicom" / "wg04_RG3_JLSL.dcm"
    found = read_original(Asked("a", file), 1)
    assert found.dicom
    assert found.storage == "10-bit grey"
    assert len(found.patient) == len(found.study) == 16
    assert found.spacing is None or min(found.spacing) > 0
    told = read_original(Asked("a", file, patient="p1", spacing=(0.5, 0.5)), 1)
    assert (told.patient, told.study, told.spacing) == ("p1", found.study, (0.5, 0.5))


def test_the_own_way_of_a_data_set_is_used(tmp_path):
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), np.zeros((4, 4), np.uint8))
    asked_for = []

    def read(name):
        asked_for.append(name)
        return np.ones((2, 2), np.uint8)

    assert read_original(Asked("a.png", file, frame=3), 1, read).pixels.sum() == 4
    assert asked_for == [f"{file}#3"]


def test_a_lost_or_damaged_file_is_one_line(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    for name in ("a.png", "lost.png"):
        with pytest.raises(ImageError, match=name):
            read_original(Asked(name, tmp_path / name), 1)
