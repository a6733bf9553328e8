import numpy as np
import pytest

from medvision.answering.inputs import Preparation
from medvision.answering.model import Member
from medvision.answering.records import Record, make_answers
from medvision.config.tiles import TileGrid
from medvision.evaluation.operating_point import Decision
from medvision.evaluation.training_range import measure_range
from tests.answering.fakes import Brightness, model


def record(image, *p, patient=None, study=None, **changes):
    """What members have said: the probability of `bright`."""
    given = {
        "image": image,
        "stamp": [1, 2],
        "patient": patient,
        "study": study,
        "probabilities": [[1 - value, value] for value in p],
        "areas": [],
        "areas_each": [],
        "unit": "",
        "called": "",
        "unlike": None,
        "trained_on": False,
    }
    return Record(**{**given, **changes})


def members(*decisions):
    return [Member(Brightness(), decision) for decision in decisions]


def test_one_network_answers_by_its_threshold():
    made = model(members=members(Decision(thresholds={"image": {"bright": 0.3}})))
    table = make_answers(made, [record("a", 0.3), record("b", 0.29)], {}).images
    assert list(table) == ["image", "predicted", "p_dark", "p_bright", "trained_on"]
    assert list(table["predicted"]) == ["bright", "dark"]
    assert list(table["p_bright"]) == [0.3, 0.29]
    assert table["trained_on"].dtype == bool


def test_networks_answer_together_with_their_spread():
    made = model(members=members(*(Decision(thresholds={"image": {"bright": t}}) for t in (0.2, 0.6))))
    table = make_answers(made, [record("a", 0.3, 0.5), record("b", 0.1, 0.6)], {}).images
    assert list(table["p_bright"]) == pytest.approx([0.4, 0.35])
    assert list(table["predicted"]) == ["bright", "dark"], "the mean of the thresholds is 0.4"
    assert table["sd_bright"][0] == pytest.approx(np.std([0.3, 0.5], ddof=1))


def test_studies_and_patients_answer_with_their_own_thresholds():
    decision = Decision(
        thresholds={"image": {"bright": 0.5}, "study": {"bright": 0.35}, "patient": {"bright": 0.45}}, aggregate="max"
    )
    said = [
        record("a", 0.1, patient="p1", study="s1"),
        record("b", 0.4, patient="p1", study="s1"),
        record("c", 0.5, patient="p1", study="s2"),
        record("d", 0.2, patient="p2", study="s1"),
        record("e", 0.9),
    ]
    answers = make_answers(model(members=members(decision)), said, {})
    studies, patients = answers.studies, answers.patients
    assert studies[["patient", "study", "images"]].to_numpy().tolist() == [
        ["p1", "s1", 2],
        ["p1", "s2", 1],
        ["p2", "s1", 1],
    ]
    assert list(studies["p_bright"]) == [0.4, 0.5, 0.2]
    assert list(studies["predicted"]) == ["bright", "bright", "dark"]
    assert patients[["patient", "images", "p_bright", "predicted"]].to_numpy().tolist() == [
        ["p1", 3, 0.5, "bright"],
        ["p2", 1, 0.2, "dark"],
    ]
    assert list(answers.images["patient"]) == ["p1", "p1", "p1", "p2", None]
    plain = make_answers(model(), [record("a", 0.3)], {})
    assert plain.studies is None
    assert plain.patients is None


def test_networks_unite_studies_each_by_its_own_aggregate():
    made = model(members=members(Decision(aggregate="mean"), Decision(aggregate="max")))
    said = [record("a", 0.1, 0.2, study="s"), record("b", 0.3, 0.8, study="s")]
    studies = make_answers(made, said, {}).studies
    assert studies["p_bright"][0] == pytest.approx((0.2 + 0.8) / 2)
    assert studies["sd_bright"][0] == pytest.approx(np.std([0.2, 0.8], ddof=1))


def test_an_image_in_tiles_has_the_place_of_a_study():
    made = model(
        members=members(Decision(thresholds={"study": {"bright": 0.2}})),
        preparation=Preparation(8, "stretch", 1, TileGrid(rows=1, columns=2)),
    )
    answers = make_answers(made, [record("a", 0.3, patient="p", study="s")], {})
    assert list(answers.images["predicted"]) == ["bright"]
    assert answers.studies is None
    assert answers.patients is not None


def test_masks_are_told_by_area_with_the_spread_of_networks():
    made = model("maps", members=[Member(Brightness("maps"), Decision())] * 2)
    mask = np.ones((2, 3), np.uint8)
    said = record("a", areas=[6.0], areas_each=[[6.0], [4.0]], unit="px", pixels=mask)
    table = make_answers(made, [said], {}).images
    assert list(table) == ["image", "unit", "area_light", "sd_area_light", "mask", "trained_on"]
    assert table["sd_area_light"][0] == pytest.approx(np.sqrt(2))
    np.testing.assert_array_equal(table["mask"][0], mask)
    written = record("a", areas=[6.0], areas_each=[[6.0], [4.0]], unit="px", called="x/a.png")
    assert make_answers(made, [written], {}).images["mask"][0] == "masks/x/a.png"


def test_unlike_is_told_only_where_the_training_is_known():
    known = measure_range([4], [4], [])
    made = model(members=[Member(Brightness(), Decision(), known)])
    table = make_answers(made, [record("a", 0.1, unlike="too wide")], {}).images
    assert list(table["unlike"]) == ["too wide"]


def test_no_answer_at_all_is_a_table_without_rows():
    answers = make_answers(model("probabilities", "maps"), [], {"a.png": "a.png: damaged"})
    assert answers.images.empty
    assert {"image", "predicted", "p_bright", "area_light"} <= set(answers.images)
    assert answers.skipped.to_dict("records") == [{"image": "a.png", "reason": "a.png: damaged"}]


def test_what_a_network_has_learned_from_is_not_known_of_arrays():
    table = make_answers(model(), [record("a", 0.1), record("array 0", 0.1, trained_on=None)], {}).images
    assert list(table["trained_on"]) == [False, None]
