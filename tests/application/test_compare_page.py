import json
from dataclasses import replace

import pytest

from medvision.answering.asked import Asked
from medvision.answering.model import Member
from medvision.application import compare_page
from medvision.application.compare_page import TESTED, image_of_run, show
from medvision.errors import DataError
from medvision.evaluation.operating_point import UNCHANGED
from medvision.runs import read_table
from tests.answering.fakes import Brightness
from tests.application.fakes import draw_page, grey, image_bytes, opened_fake, shown_texts, upload

BRIGHT = image_bytes(grey(255, 16, 16))


@pytest.fixture
def two(tmp_path):
    """Two runs of one app; the second says of everything that it is half as bright."""
    shelf = {}
    first = opened_fake(tmp_path / "a", label="first/1", shelf=shelf)
    dim = [Member(Brightness("probabilities", gain=0.25), UNCHANGED)]
    return first, opened_fake(tmp_path / "b", label="second/1", shelf=shelf, members=dim)


def test_two_runs_answer_side_by_side(two):
    drawn = draw_page(show, two[0])
    assert drawn.selectbox[0].options == ["second/1"]
    upload(drawn, ("a.png", BRIGHT))
    texts = shown_texts(drawn)
    assert [text for text in texts if "Answer" in text] == [
        "**Answer: bright (1.00)**",
        "**Answer: dark (0.75)**",
    ]
    assert "**first/1**" in texts
    assert "**second/1**" in texts


def test_a_run_that_cannot_answer_does_not_silence_the_other(two):
    two[1].__dict__["_model"] = replace(two[1].model, read=lambda name: grey(1))
    texts = shown_texts(upload(draw_page(show, two[0]), ("a.png", BRIGHT)))
    assert "**Answer: bright (1.00)**" in texts
    assert any("second/1: its data set is of a class of its own" in text for text in texts)


def test_one_run_alone_is_told_how_to_compare(tmp_path):
    drawn = draw_page(show, opened_fake(tmp_path / "run"))
    assert any("RUN RUN" in text for text in shown_texts(drawn))
    texts = shown_texts(upload(drawn, ("a.png", BRIGHT)))
    assert texts.count("**Answer: bright (1.00)**") == 2


def test_an_image_of_the_test_split(two, tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(BRIGHT)
    names = []

    def image(opened, name, called):
        names.append((opened.label, name))
        return Asked(called, tmp_path / "a.png")

    monkeypatch.setattr(compare_page, "image_of_run", image)
    drawn = draw_page(show, two[0])
    drawn.radio[0].set_value(TESTED).run()
    choice = drawn.selectbox[1]
    # Those of validation, at the end of the table, are left out.
    assert len(choice.options) == 90
    choice.set_value(4).run()
    texts = shown_texts(drawn)
    assert names[-1] == ("first/1", read_table(two[0].folder.predictions)["image"][3])
    assert sum("Answer" in text for text in texts) == 2
    # A file name may be a patient's.
    assert not any("3.png" in text for text in texts)


def test_a_data_set_that_is_elsewhere_is_told_of(two):
    settings = {"name": "discs", "data": {"name": "folder", "root": "/nowhere"}, "model": {"task": "classification"}}
    two[0].folder.experiment.write_text(json.dumps(settings))
    drawn = draw_page(show, two[0])
    drawn.radio[0].set_value(TESTED).run()
    assert any(text.startswith("data.root: /nowhere is no folder here") for text in shown_texts(drawn))


class Data:
    """What `open_data` gives: one image, in a file or in an archive."""

    def __init__(self, file, pixels):
        self.datamodule, self.file, self.pixels = self, file, pixels

    def image(self, name):
        if name != "a.png":
            raise DataError("changed")
        return self.pixels

    def file_of(self, name):
        return self.file


def test_an_image_of_a_run_is_its_file_where_it_has_one(two, tmp_path, monkeypatch):
    pixels = grey(3)
    (tmp_path / "a.png").write_bytes(image_bytes(pixels))
    two[0].__dict__["experiment"] = None
    for file, source in ((tmp_path / "a.png", tmp_path / "a.png"), (tmp_path / "a.npz", pixels)):
        monkeypatch.setattr(compare_page, "open_data", lambda folder, experiment, file=file: Data(file, pixels))
        asked = image_of_run(two[0], "a.png", "image 1")
        assert asked.name == "image 1"
        assert asked.source is pixels if source is pixels else asked.source == source
        with pytest.raises(DataError, match="changed"):
            image_of_run(two[0], "b.png", "image 2")
