import numpy as np
import pytest

from medvision.answering.originals import read_original
from medvision.application import uploads
from medvision.application.uploads import MOST_IMAGES, TYPES, check_pixels, images_of, limits, most_pixels
from medvision.data.pixels import PIXEL_LIMIT
from medvision.errors import DataError, ImageError
from tests.answering.fakes import model
from tests.application.fakes import grey, image_bytes
from tests.data.test_dicom import write


def dicom(tmp_path, frames):
    stored = np.arange(frames, dtype=np.uint8)[:, None, None] * np.full((1, 4, 6), 10, np.uint8)
    return write(tmp_path / "made.dcm", stored, 8, {"PixelSpacing": [0.5, 0.2]})


def test_a_file_is_one_image():
    (asked,) = images_of("/home/ann/knee.png", image_bytes(grey(7)))
    assert (asked.name, asked.frame) == ("knee.png", None)
    assert (read_original(asked, 1).pixels == grey(7)).all()


def test_a_file_of_several_frames_is_as_many_images(tmp_path):
    several = images_of("cine.dcm", dicom(tmp_path, 3).read_bytes())
    assert [one.name for one in several] == ["cine.dcm#0", "cine.dcm#1", "cine.dcm#2"]
    assert [int(read_original(one, 1).pixels[0, 0]) for one in several] == [0, 10, 20]
    assert read_original(several[2], 1).spacing == (0.5, 0.2)


def test_more_frames_or_bytes_than_the_limit_are_refused(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=f"cine.dcm: has {MOST_IMAGES + 1} frames, the limit is {MOST_IMAGES}"):
        images_of("cine.dcm", dicom(tmp_path, MOST_IMAGES + 1).read_bytes())
    monkeypatch.setattr(uploads, "MEGABYTES", 1)
    assert images_of("x.png", bytes(2**20))
    with pytest.raises(DataError, match="x.png: has 1 MB, the limit is 1 MB"):
        images_of("x.png", bytes(2**20 + 1))


def test_a_damaged_header_is_told_of():
    with pytest.raises(ImageError, match="x.tif: a damaged or truncated TIFF"):
        images_of("x.tif", b"II*\0")


def test_pixels_are_counted_before_they_are_decoded():
    mean = model("probabilities")
    assert most_pixels(mean) == PIXEL_LIMIT
    # 1.5 GiB of 32-bit probabilities: 20 classes leave 20,132,659 pixels.
    many = model("maps", mask_classes=tuple(map(str, range(20))))
    assert most_pixels(many) == 20_132_659
    (asked,) = images_of("wide.png", image_bytes(np.zeros((4500, 4500), np.uint8)))
    check_pixels(mean, asked)
    with pytest.raises(ImageError, match="wide.png: declares 4500 x 4500 pixels, the limit of this run is 20 mega"):
        check_pixels(many, asked)


def test_the_limits_are_told_beforehand():
    told = limits(20_132_659)
    for word in (*("PNG", "JPEG", "TIFF", "DICOM"), "128 MB", "20 megapixels", "20 images", "nothing is written"):
        assert word in told
    assert {"png", "jpg", "jpeg", "tif", "tiff", "dcm", "dicom"} == set(TYPES)
