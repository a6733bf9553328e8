import json
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medvision.answering.asked import find_images
from medvision.answering.model import Member
from medvision.answering.session import Extras, answer
from medvision.errors import ConfigError, ModelError
from medvision.evaluation.operating_point import UNCHANGED
from medvision.reports.palette import class_colour
from medvision.runs import read_table
from tests.answering.fakes import Brightness, model


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for number in range(24):
        image = np.zeros((30, 20 + number), np.uint8)
        image[:, :8] = 10 * number
        cv2.imwrite(str(folder / ("deep" if number % 2 else "") / f"{number}.png"), image)
    return folder


def both(network=None, **changes):
    network = Brightness("probabilities", "maps") if network is None else network
    return model("probabilities", "maps", members=[Member(network, UNCHANGED, None, network)], **changes)


def test_a_folder_holds_what_memory_holds(images, tmp_path):
    made, asked = both(), find_images(images)
    memory = answer(made, asked)
    written = answer(made, asked, output=tmp_path / "answers", words=["images"])
    pd.testing.assert_frame_equal(memory.images.drop(columns="mask"), written.images.drop(columns="mask"))
    read = read_table(tmp_path / "answers" / "predictions.csv")
    pd.testing.assert_frame_equal(read, written.images, check_dtype=False)
    assert set(read["mask"]) == {f"masks/{one.below}" for one in asked}
    for expected, file in zip(memory.images["mask"], read["mask"], strict=True):
        with Image.open(tmp_path / "answers" / file) as picture:
            assert picture.mode == "P"
            assert tuple(picture.getpalette()[3:6]) == class_colour(1)
            np.testing.assert_array_equal(np.array(picture), expected)
    assert "mask" not in answer(made, asked, keep_masks=False).images


def test_a_killed_run_goes_on_where_it_was(images, tmp_path):
    asked, output = find_images(images), tmp_path / "answers"
    whole = answer(both(), asked, output=tmp_path / "whole", words=["images"])

    class Killed(Brightness):
        def ask(self, pixels):
            if len(self.batches) == 5:
                raise KeyboardInterrupt
            return super().ask(pixels)

    with pytest.raises(KeyboardInterrupt):
        answer(both(Killed("probabilities", "maps")), asked, output=output, words=["images"])
    assert not (output / "predictions.csv").exists()
    # Three batches of four were written; two more were on their way.
    assert len((output / "progress.jsonl").read_text().splitlines()) == 12
    second = both()
    found = answer(second, asked, output=output, words=["images"])
    assert sum(second.members[0].network.batches) == 12
    pd.testing.assert_frame_equal(found.images, whole.images)
    third = both()
    pd.testing.assert_frame_equal(answer(third, asked, output=output, words=["images"]).images, whole.images)
    assert third.members[0].network.batches == []
    first = asked[0].source
    cv2.imwrite(str(first), np.full((30, 20), 255, np.uint8))
    fourth = both()
    changed = answer(fourth, find_images(images), output=output, words=["images"]).images
    assert fourth.members[0].network.batches == [1]
    assert changed["predicted"][0] == "bright"


@pytest.mark.parametrize("changes", [{"identity": "another"}, {"name": "another"}])
def test_the_folder_of_another_run_is_refused(images, tmp_path, changes):
    asked = find_images(images)
    answer(both(), asked, output=tmp_path / "answers", words=["images"])
    with pytest.raises(ConfigError, match="holds the answers to another question"):
        answer(replace(both(), **changes), asked, output=tmp_path / "answers", words=["images"])
    with pytest.raises(ConfigError, match="pictures differ"):
        answer(both(), asked, output=tmp_path / "answers", words=["images"], extras=Extras(overlay=True))


def test_pictures_are_written_beside_the_masks(images, tmp_path):
    (images / "deep" / "1.png").unlink()
    bright = np.full((30, 20), 250, np.uint8)
    for file in images.rglob("*.png"):
        cv2.imwrite(str(file), bright)
    output = tmp_path / "answers"
    answer(both(), find_images(images), output=output, extras=Extras(overlay=True, gradcam=True))
    for name in ("overlays", "gradcam"):
        assert sorted(
            file.relative_to(output / name).with_suffix(".png") for file in (output / name).rglob("*.jpg")
        ) == sorted(file.relative_to(images) for file in images.rglob("*.png"))
    asked = json.loads((output / "asked.json").read_text())
    assert asked["pictures"] == ["overlay", "gradcam"]
    assert asked["thresholds"] == {level: {"bright": 0.5} for level in ("image", "study", "patient")}


def test_images_that_cannot_be_read_are_listed_and_asked_again(images, tmp_path):
    (images / "x.png").write_text("no image")
    output = tmp_path / "answers"
    found = answer(both(), find_images(images), output=output)
    assert len(found.images) == 24
    assert read_table(output / "skipped.csv")["image"].tolist() == [f"{images}/x.png"]
    cv2.imwrite(str(images / "x.png"), np.zeros((4, 4), np.uint8))
    assert len(answer(both(), find_images(images), output=output).images) == 25
    assert not (output / "skipped.csv").exists()


@pytest.mark.parametrize(
    ("made", "extras", "words"),
    [
        (model(), Extras(overlay=True), "--overlay: this run draws no masks"),
        (model(), Extras(dicom_seg=True), "--dicom-seg: this run draws no masks"),
        (model("maps"), Extras(gradcam=True), "--gradcam: this run says no classes"),
        (model(), Extras(gradcam=True), "--gradcam: a baseline or an ONNX file has no feature maps"),
        (both(), Extras(overlay=True), "pictures and DICOM files need a folder"),
    ],
)
def test_what_a_model_does_not_give_is_one_line(images, made, extras, words):
    with pytest.raises(ConfigError, match=words) as caught:
        answer(made, find_images(images), extras=extras)
    assert len(caught.value.lines) == 1


def test_a_network_without_maps_is_told_of_before_anything_is_written(images, tmp_path):
    network = Brightness("probabilities", "maps", blind=True)
    with pytest.raises(ModelError, match="no maps"):
        answer(both(network), find_images(images), output=tmp_path / "new", extras=Extras(gradcam=True))
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_one_line(images, tmp_path, monkeypatch):
    def full(mask, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("medvision.answering.session.palette_png", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device; the same command goes on later"):
        answer(both(), find_images(images), output=tmp_path / "new")
