import io
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from medvision.answering.asked import Asked
from medvision.answering.model import Member
from medvision.application.answers_shown import LONGEST, ask, explains, png
from medvision.application.opened import ASKING
from medvision.application.uploads import images_of
from medvision.errors import ImageError, ModelError
from medvision.evaluation.operating_point import UNCHANGED
from medvision.reports.palette import class_colour
from tests.answering.fakes import Brightness, model
from tests.application.fakes import grey, image_bytes, opened_fake
from tests.data.test_dicom import write


def member(*says, **options):
    network = Brightness(*says, **options)
    return Member(network, UNCHANGED, None, network)


@pytest.fixture
def half():
    """An image whose right half is white."""
    pixels = grey(0, 16, 16)
    pixels[:, 8:] = 255
    return pixels


def test_a_class_with_its_evidence(tmp_path, half):
    one = opened_fake(tmp_path / "run", members=[member("probabilities")])
    shown = ask(one, *images_of("x.png", image_bytes(half)))
    assert shown.record.probabilities == [[0.5, 0.5]]
    assert (shown.height, shown.width, shown.storage) == (16, 16, "8-bit grey")
    assert shown.evidence is not None
    assert shown.overlay is shown.mask is shown.record.pixels is None
    assert shown.seconds > 0


def test_a_mask_at_the_size_of_the_original(tmp_path, half):
    one = opened_fake(tmp_path / "run", "maps")
    shown = ask(one, *images_of("x.png", image_bytes(half)))
    with Image.open(io.BytesIO(shown.mask)) as mask:
        assert mask.mode == "P"
        assert (np.asarray(mask) == (half > 0)).all()
        assert tuple(mask.getpalette()[3:6]) == class_colour(1)
    assert shown.record.areas == [128.0]
    assert shown.record.unit == "px"
    assert shown.picture.size == shown.overlay.size
    # 16 pixels are shown 40 times as large; the left half is background, and as the image is.
    left, right = ((0, 0, 300, 640), (340, 0, 640, 640))
    assert shown.picture.crop(left).tobytes() == shown.overlay.crop(left).tobytes()
    assert shown.picture.crop(right).tobytes() != shown.overlay.crop(right).tobytes()
    assert (np.asarray(shown.picture.crop(right)) == 255).all()


def test_areas_are_in_square_millimetres_where_the_file_says_its_spacing(tmp_path, half):
    file = write(tmp_path / "x.dcm", half, 8, {"PixelSpacing": [0.5, 0.25], "PatientID": "7"})
    shown = ask(opened_fake(tmp_path / "run", "maps"), *images_of("x.dcm", file.read_bytes()))
    assert (shown.record.areas, shown.record.unit) == ([128 * 0.125], "mm")
    assert shown.record.patient not in (None, "7")


def test_large_images_are_shown_smaller_and_keep_their_mask(tmp_path):
    pixels = np.zeros((300, 2 * LONGEST), np.uint8)
    shown = ask(opened_fake(tmp_path / "run", "maps"), *images_of("x.png", image_bytes(pixels)))
    assert shown.overlay.width == LONGEST
    with Image.open(io.BytesIO(shown.mask)) as mask:
        assert mask.size == (2 * LONGEST, 300)


def test_a_network_without_maps_shows_no_evidence(tmp_path, half):
    assert explains(model(members=[member("probabilities")]))
    assert not explains(model(members=[member("probabilities", blind=True)]))
    assert not explains(model())
    assert not explains(model("maps"))
    shown = ask(opened_fake(tmp_path / "run"), *images_of("x.png", image_bytes(half)))
    assert shown.evidence is None


def test_what_cannot_be_read_is_one_line(tmp_path):
    one = opened_fake(tmp_path / "run")
    for name, content, reason in (
        ("x.png", b"no image", "not an image"),
        ("x.png", b"", "empty file"),
        ("x.jpg", image_bytes(grey(1), "JPEG")[:-40], "damaged or truncated"),
        ("x.dcm", b"\0" * 128 + b"DICM", "DICOM"),
    ):
        with pytest.raises(ImageError, match=f"^{name}: .*{reason}") as caught:
            ask(one, *images_of(name, content))
        assert len(caught.value.lines) == 1


def test_too_many_pixels_are_refused_for_uploads_alone(tmp_path):
    many = opened_fake(tmp_path / "run", "maps")
    many.__dict__["_model"] = replace(many.model, mask_classes=tuple(map(str, range(255))))
    with pytest.raises(ImageError, match="declares 1400 x 1400 pixels, the limit of this run is 1 megapixels"):
        ask(many, *images_of("x.png", image_bytes(np.zeros((1400, 1400), np.uint8))))


def test_a_data_set_that_reads_files_in_its_own_way_takes_no_uploads(tmp_path, half):
    one = opened_fake(tmp_path / "run", read=lambda name: grey(255, 16, 16))
    with pytest.raises(ModelError, match="use `medvision predict`"):
        ask(one, *images_of("x.png", image_bytes(half)))
    (tmp_path / "x.png").write_bytes(image_bytes(half))
    assert ask(one, Asked("x.png", tmp_path / "x.png")).record.probabilities == [[0.0, 1.0]]


def test_visitors_wait_for_each_other(tmp_path, half):
    one, done = opened_fake(tmp_path / "run"), []
    visitor = threading.Thread(target=lambda: done.append(ask(one, *images_of("x.png", image_bytes(half)))))
    with ASKING:
        visitor.start()
        visitor.join(0.1)
        assert not done
    visitor.join()
    assert done[0].record.probabilities == [[0.5, 0.5]]
    # Who was asked in the meantime is not counted.
    assert done[0].seconds < 5


def test_a_picture_is_a_png():
    with Image.open(io.BytesIO(png(Image.fromarray(grey(9))))) as read:
        assert (np.asarray(read) == grey(9)).all()
