import pytest

from medvision.answering.model import Member
from medvision.config.tiles import TileGrid
from medvision.evaluation.operating_point import Decision
from medvision.evaluation.training_range import measure_range
from tests.answering.fakes import Brightness, model


def member(threshold, known=None):
    return Member(Brightness(), Decision(thresholds={"image": {"bright": threshold}}), known)


def test_thresholds_are_the_mean_of_the_members():
    made = model(members=[member(0.1), member(0.5), member(0.6)])
    assert made.decision("image").threshold("image", "bright") == pytest.approx(0.4)
    assert made.decision("study").threshold("study", "bright") == 0.5, "none was chosen"


def test_the_training_is_known_only_if_every_member_tells():
    known = measure_range([4], [4], [])
    assert model(members=[member(0.5, known), member(0.5, known)]).ranges == (known, known)
    assert model(members=[member(0.5, known), member(0.5)]).ranges == ()


def test_an_image_in_tiles_is_a_study():
    made = model()
    assert made.level == "image"
    tiled = type(made.preparation)(8, "stretch", 1, TileGrid(rows=1, columns=2))
    assert model(preparation=tiled).level == "study"
