import pytest

from medvision.answering.model import Member
from medvision.answering.records import make_answers
from medvision.answering.sentences import notes, rows_of
from medvision.evaluation.operating_point import UNCHANGED
from medvision.evaluation.training_range import measure_range
from tests.answering.fakes import Brightness, model
from tests.answering.test_records import record

UNKNOWN = "This run does not know what its training images were like: unlike ones are not marked."


def told(made, *records, level="image"):
    answers = make_answers(made, records, {})
    return rows_of(made, answers.images if level == "image" else answers.patients, level)


def test_two_classes_are_told_by_the_probability_of_the_second():
    assert told(model(), record("new/a.png", 0.08761), record("b.png", 0.8)) == [
        ["image", "answer", "bright"],
        ["new/a.png", "dark", "0.09"],
        ["b.png", "bright", "0.80"],
    ]


@pytest.mark.parametrize(("patients", "shown"), [(4, "0.09"), (500, "0.088")])
def test_decimals_follow_from_how_many_patients_the_thresholds_come_from(patients, shown):
    assert told(model(patients=patients), record("a", 0.08761))[1][-1] == shown


def test_networks_that_disagree_are_told_with_their_spread():
    made = model(members=[Member(Brightness(), UNCHANGED)] * 2)
    rows = told(made, record("a", 0.05, 0.15))
    assert rows[1][-1] == "0.10 ± 0.07"
    assert "Mean of 2 networks ± standard deviation over them." in notes(made, make_answers(made, [], {}).images)


def test_images_of_the_training_are_marked():
    records = [record("a", 0.1, trained_on=True), record("b", 0.1), record("array 0", 0.1, trained_on=None)]
    assert told(model(), *records)[1][1] == "dark (trained on)"
    (line, last) = notes(model(), make_answers(model(), records, {}).images)
    assert line.startswith("1 of 3 images are among those that the run has learned from or was tuned on")
    assert last == UNKNOWN


def test_many_classes_are_told_by_their_name_alone_and_several_labels_by_all():
    many = model(classes=tuple("abcde"))
    assert told(many, record("x", probabilities=[[0.1, 0.5, 0.2, 0.1, 0.1]]))[0] == ["image", "answer"]
    several = model(classes=("a", "b"), multilabel=True)
    rows = told(several, record("x", probabilities=[[0.1, 0.2]]), record("y", probabilities=[[0.9, 0.8]]))
    assert rows == [["image", "answer", "a", "b"], ["x", "none", "0.10", "0.20"], ["y", "a|b", "0.90", "0.80"]]


def test_areas_are_told_with_their_unit():
    made = model("maps")
    rows = told(made, record("x", areas=[12.34], unit="mm"), record("y", areas=[1200.0], unit="px"))
    assert rows == [["image", "light area"], ["x", "12.3 mm²"], ["y", "1200 px"]]


def test_patients_are_told_with_how_many_images_they_have():
    rows = told(model(), record("x", 0.2, patient="p"), record("y", 0.4, patient="p"), level="patient")
    assert rows == [["patient", "images", "answer", "bright"], ["p", "2", "dark", "0.30"]]


def test_what_is_unlike_is_told_and_a_simulated_training_too():
    known = measure_range([4], [4], [])
    made = model(members=[Member(Brightness(), UNCHANGED, known)], simulated=True)
    records = [record(f"{n}.png", 0.1, unlike="too wide" if n else "") for n in range(7)]
    lines = notes(made, make_answers(made, records, {}).images)
    assert lines[0].startswith("SIMULATED: the run was trained on images that a program drew")
    assert lines[1:] == [f"{n}.png is unlike the training images: too wide." for n in range(1, 5)] + [
        "And 2 more images; see the column `unlike`."
    ]
