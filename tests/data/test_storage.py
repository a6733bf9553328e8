import numpy as np
import pytest
from PIL import Image

from medvision.data.storage import storage_of
from medvision.errors import ImageError


@pytest.mark.parametrize(
    ("array", "mode", "name", "expected"),
    [
        (np.zeros((4, 4), np.uint8), "L", "a.png", "8-bit grey"),
        (np.zeros((4, 4), np.uint8), "1", "a.png", "1-bit grey"),
        (np.zeros((4, 4), np.uint8), "P", "a.png", "8-bit colour"),
        (np.zeros((4, 4, 3), np.uint8), "RGB", "a.jpg", "8-bit colour"),
        (np.zeros((4, 4, 4), np.uint8), "RGBA", "a.png", "8-bit colour"),
        (np.zeros((4, 4), np.uint16), "I;16", "a.png", "16-bit grey"),
        (np.zeros((4, 4), np.uint16), "I;16", "a.tif", "16-bit grey"),
        (np.zeros((4, 4), np.float32), "F", "a.tif", "floating-point grey"),
    ],
)
def test_a_file_tells_depth_and_colour(tmp_path, array, mode, name, expected):
    image = Image.fromarray(array)
    (image if image.mode == mode else image.convert(mode)).save(tmp_path / name)
    assert storage_of(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wg04_RG3_JLSL.dcm", "10-bit grey"),
        ("pydicom_examples_ybr_color.dcm", "8-bit colour"),
        ("pydicom_examples_palette.dcm", "8-bit colour"),
    ],
)
def test_a_dicom_header_tells_them_too(medvision_data, name, expected):
    assert storage_of(medvision_data / "dicom" / name) == expected


def test_no_image_is_one_line(tmp_path):
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(ImageError, match="not an image"):
        storage_of(tmp_path / "a.png")
