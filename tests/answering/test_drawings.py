import numpy as np
import pytest

from medvision.answering.asked import Asked
from medvision.answering.asking import Answer, Evidence
from medvision.answering.drawings import evidence_picture, overlay_picture, save_picture
from medvision.answering.inputs import Preparation
from medvision.answering.originals import Original
from medvision.config.tiles import TileGrid
from medvision.reports.overlays import as_colour
from medvision.reports.palette import class_colour
from tests.answering.fakes import model
from tests.answering.test_records import record


def answer(pixels, maps, empty=False):
    original = Original(pixels, "8-bit grey", None, False, None, None, None)
    return Answer(Asked("a", pixels), original, record("a", 0.9), Evidence(1, maps, empty))


def test_a_mask_lies_over_its_image_which_stays_as_it_is_elsewhere():
    image = np.random.default_rng(0).integers(0, 255, (400, 500), np.uint8)
    mask = np.zeros((400, 500), np.uint8)
    mask[100:200, 100:300] = 1
    picture = np.asarray(overlay_picture(model("maps"), image, mask))
    assert picture.shape[1] == 500
    assert picture.shape[0] > 400
    np.testing.assert_array_equal(picture[:400][mask == 0], as_colour(image)[mask == 0])
    assert tuple(picture[100, 150]) == class_colour(1), "its outline"
    tinted = 0.62 * image[150, 200] + 0.38 * np.array(class_colour(1))
    assert np.abs(picture[150, 200] - tinted).max() <= 1


def test_a_small_image_is_enlarged_pixel_by_pixel():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    picture = np.asarray(overlay_picture(model("maps"), image, np.zeros((3, 4), np.uint8)))
    assert picture.shape[1] == 320
    np.testing.assert_array_equal(picture[:240, :, 0], image.repeat(80, axis=0).repeat(80, axis=1))


def test_evidence_lies_where_it_was_seen():
    image = np.full((400, 400), 60, np.uint8)
    maps = np.zeros((1, 8, 8), np.float32)
    maps[0, :4, :4] = 1
    found = np.asarray(evidence_picture(model(), answer(image, maps))).astype(int)
    assert np.ptp(found[20, 20]) > 50, "coloured"
    assert tuple(found[380, 380]) == (60, 60, 60)
    plain = np.asarray(evidence_picture(model(), answer(image, 0 * maps, empty=True)))
    np.testing.assert_array_equal(plain[:400], np.full((400, 400, 3), 60))


def test_evidence_of_tiles_lies_in_its_tile():
    made = model(preparation=Preparation(8, "stretch", 1, TileGrid(rows=1, columns=2)))
    maps = np.stack([np.zeros((8, 8)), np.ones((8, 8))]).astype(np.float32)
    found = np.asarray(evidence_picture(made, answer(np.full((400, 400), 60, np.uint8), maps))).astype(int)
    assert tuple(found[200, 100]) == (60, 60, 60)
    assert np.ptp(found[200, 300]) > 50


def test_a_network_that_learned_from_simulated_images_says_so(monkeypatch):
    image = np.zeros((400, 400), np.uint8)
    plain, marked = (
        np.asarray(overlay_picture(model("maps", simulated=simulated), image, image)) for simulated in (False, True)
    )
    assert plain.shape != marked.shape or (plain != marked).any()
    said = []
    monkeypatch.setattr("medvision.answering.drawings.map_picture", lambda *args, **rest: said.append(args[2]))
    evidence_picture(model(simulated=True), answer(image, np.ones((1, 8, 8), np.float32)))
    assert said == ["evidence for bright; network trained on SIMULATED images"]


@pytest.mark.parametrize("name", ["a.jpg", "deep/er/a.jpg"])
def test_pictures_are_whole_or_absent(tmp_path, name):
    image = np.zeros((400, 400), np.uint8)
    save_picture(overlay_picture(model("maps"), image, image), tmp_path / name)
    assert [file.name for file in (tmp_path / name).parent.iterdir()] == ["a.jpg"]
