import numpy as np
import pandas as pd
import pytest

from medvision.data.table import MOST_LISTED
from medvision.errors import ConfigError, DataError
from medvision.evaluation.cases import aggregate_probabilities, cases_by_level
from medvision.evaluation.folds import FoldDecisions
from medvision.evaluation.operating_point import Decision

CLASSES = ["no", "yes"]


def table(**columns):
    chances = np.array(columns.pop("p_yes"))
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(len(chances))], **columns})
    predicted = np.where(chances >= 0.5, "yes", "no")
    return frame.assign(predicted=predicted, p_no=1 - chances, p_yes=chances)


def test_a_study_is_the_mean_of_its_images_by_hand():
    frame = table(
        patient=["1", "1", "1", "2"],
        study=["x", "x", "y", "x"],
        target=["yes", "yes", "no", "no"],
        p_yes=[0.9, 0.2, 0.4, 0.3],
    )
    levels = cases_by_level(frame, CLASSES)
    assert list(levels) == ["image", "study"]
    study = levels["study"]
    np.testing.assert_allclose(study.probabilities[:, 1], [0.55, 0.4, 0.3])
    assert study.predicted[:, 1].tolist() == [True, False, False]
    assert study.truth[:, 1].tolist() == [True, False, False]
    assert study.groups.tolist() == [0, 0, 1]
    assert levels["image"].patients == study.patients == 2


def test_patients_are_a_level_where_each_has_one_target():
    frame = table(patient=["b", "a", "b"], target=["yes", "no", "yes"], p_yes=[0.6, 0.1, 0.2])
    patient = cases_by_level(frame, CLASSES)["patient"]
    np.testing.assert_allclose(patient.probabilities[:, 1], [0.1, 0.4])
    assert patient.truth[:, 1].tolist() == [False, True]


def test_patients_are_no_level_when_they_are_the_studies_or_the_images_again():
    frame = table(patient=["b", "a", "b"], study=["1", "2", "1"], target=["yes", "no", "yes"], p_yes=[0.6, 0.1, 0.2])
    assert list(cases_by_level(frame, CLASSES)) == ["image", "study"]
    frame = frame.assign(patient=["a", "b", "c"]).drop(columns="study")
    assert list(cases_by_level(frame, CLASSES)) == ["image"]


def test_a_study_with_two_targets_is_named():
    frame = table(patient="7", study=["x", "x"], target=["yes", "no"], p_yes=[0.6, 0.1])
    with pytest.raises(DataError, match="study x of patient 7: its images have the targets 'no', 'yes'"):
        cases_by_level(frame, CLASSES)


def test_many_torn_studies_are_counted():
    names = [str(k // 2) for k in range(40)]
    frame = table(study=names, target=["yes", "no"] * 20, p_yes=[0.5] * 40)
    with pytest.raises(DataError, match=f"and {20 - MOST_LISTED} more studies; leave the column study out") as caught:
        cases_by_level(frame, CLASSES)
    assert len(caught.value.lines) == MOST_LISTED + 1


def test_an_unknown_patient_is_a_group_of_its_own():
    frame = table(target=["yes", "no", "no"], p_yes=[0.6, 0.1, 0.2])
    assert cases_by_level(frame, CLASSES)["image"].patients == 3
    frame["patient"] = ["a", None, ""]
    assert cases_by_level(frame, CLASSES)["image"].patients == 3
    frame["patient"] = ["a", None, "a"]
    assert cases_by_level(frame, CLASSES)["image"].groups.tolist() == [1, 0, 1]


def test_a_study_stands_for_an_unknown_patient():
    frame = table(study=["x", "x", "y"], target=["yes", "yes", "no"], p_yes=[0.6, 0.1, 0.2])
    levels = cases_by_level(frame, CLASSES)
    assert levels["image"].groups.tolist() == [0, 0, 1]
    assert levels["study"].groups.tolist() == [0, 1]


def test_an_image_without_a_study_is_a_study_of_its_own():
    frame = table(study=["x", None, None, "x"], target=["no", "yes", "no", "no"], p_yes=[0.2, 0.1, 0.3, 0.4])
    frame["patient"] = "1"
    assert sorted(cases_by_level(frame, CLASSES)["study"].probabilities[:, 1]) == pytest.approx([0.1, 0.3, 0.3])
    assert "study" not in cases_by_level(frame.assign(study=None), CLASSES)


def test_labels_of_a_study_are_decided_at_one_half(draw):
    frame = pd.DataFrame(
        {"image": ["1", "2"], "patient": "p", "study": "s", "target": "a|b", "predicted": ["a", "b"]}
    ).assign(p_a=[0.6, 0.4], p_b=[0.1, 0.8])
    study = cases_by_level(frame, ["a", "b"], multilabel=True)["study"]
    assert study.truth.tolist() == [[True, True]]
    assert study.predicted.tolist() == [[True, False]]


def test_max_and_noisy_or_by_hand():
    chances = np.array([[0.8, 0.2], [0.6, 0.4], [0.5, 0.5], [0.1, 0.9]])
    units = np.array([1, 1, 0, 1])
    found = aggregate_probabilities(chances, units, "max", multilabel=False)
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.1, 0.9]])
    found = aggregate_probabilities(chances, units, "noisy_or", multilabel=False)
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.8 * 0.6 * 0.1, 1 - 0.8 * 0.6 * 0.1]])
    found = aggregate_probabilities(chances, units, "max", multilabel=True)
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.8, 0.9]])
    found = aggregate_probabilities(chances, units, "noisy_or", multilabel=True)
    np.testing.assert_allclose(found, [[0.5, 0.5], [1 - 0.2 * 0.4 * 0.9, 1 - 0.8 * 0.6 * 0.1]])
    found = aggregate_probabilities(chances, units, "mean", multilabel=True)
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.5, 0.5]])


def test_one_certain_finding_is_enough():
    chances = np.array([[0.0, 1.0], [1.0, 0.0]])
    for aggregate in ("max", "noisy_or"):
        assert aggregate_probabilities(chances, np.zeros(2, int), aggregate, multilabel=False).tolist() == [[0, 1]]


def test_three_exclusive_classes_have_a_mean_only():
    with pytest.raises(ConfigError, match="there are 3 exclusive classes; use mean"):
        aggregate_probabilities(np.full((2, 3), 1 / 3), np.zeros(2, int), "max", multilabel=False)


def test_a_study_and_a_patient_are_decided_at_their_own_thresholds():
    frame = table(
        patient=["1", "1", "1", "2"],
        study=["x", "x", "y", "z"],
        target=["yes", "yes", "yes", "no"],
        p_yes=[0.9, 0.2, 0.3, 0.3],
    )
    decision = Decision(aggregate="max", rule="youden", thresholds={"study": {"yes": 0.3}, "patient": {"yes": 0.95}})
    levels = cases_by_level(frame, CLASSES, decision=decision)
    np.testing.assert_allclose(levels["study"].probabilities[:, 1], [0.9, 0.3, 0.3])
    assert levels["study"].predicted[:, 1].tolist() == [True, True, True]
    np.testing.assert_allclose(levels["patient"].probabilities[:, 1], [0.9, 0.3])
    assert levels["patient"].predicted[:, 1].tolist() == [False, False]
    # What was said of the images stands in the table.
    assert levels["image"].predicted[:, 1].tolist() == [True, False, False, False]


@pytest.mark.parametrize("aggregate", ["max", "noisy_or"])
def test_one_image_with_a_finding_makes_its_study_and_its_patient_positive(aggregate):
    frame = table(
        patient=["1", "1", "1", "2", "2", "2"],
        study=["x", "x", "y", "z", "z", "w"],
        target=["no", "yes", "no", "no", "no", "no"],
        p_yes=[0.2, 0.9, 0.1, 0.3, 0.1, 0.2],
    )
    levels = cases_by_level(frame, CLASSES, decision=Decision(aggregate=aggregate))
    assert list(levels) == ["image", "study", "patient"]
    assert levels["image"].truth[:, 1].tolist() == [False, True, False, False, False, False]
    # Patient 1 has x and y, patient 2 w and z.
    assert levels["study"].truth.tolist() == [[False, True], [True, False], [True, False], [True, False]]
    assert levels["patient"].truth[:, 1].tolist() == [True, False]
    assert levels["patient"].predicted[:, 1].tolist() == [True, False]


def test_of_several_labels_a_study_shows_all_that_its_images_show():
    frame = pd.DataFrame({"image": ["0", "1", "2"], "study": ["x", "x", "y"], "target": ["a", "b", ""]})
    frame = frame.assign(predicted=["a", "b", "b"], p_a=[0.9, 0.1, 0.2], p_b=[0.2, 0.8, 0.6])
    study = cases_by_level(frame, ["a", "b"], multilabel=True, decision=Decision(aggregate="max"))["study"]
    assert study.truth.tolist() == [[True, True], [False, False]]
    assert study.predicted.tolist() == [[True, True], [False, True]]


def test_a_torn_study_says_which_aggregate_would_unite_it():
    frame = table(study=["x", "x"], target=["yes", "no"], p_yes=[0.6, 0.1])
    with pytest.raises(DataError, match="or set evaluation.aggregate to max or noisy_or"):
        cases_by_level(frame, CLASSES)
    three = pd.DataFrame({"image": ["0", "1"], "study": "x", "target": ["a", "b"], "predicted": "a"})
    three = three.assign(p_a=0.6, p_b=0.3, p_c=0.1)
    with pytest.raises(DataError, match="leave the column study out if a study shows several$"):
        cases_by_level(three, ["a", "b", "c"])


def test_units_are_united_and_decided_as_their_own_fold_says():
    frame = table(
        patient=["1", "1", "2", "2", "3", "3"],
        fold=[0, 0, 1, 1, 0, 0],
        target=["yes", "yes", "no", "no", "no", "no"],
        p_yes=[0.1, 0.6, 0.2, 0.7, 0.3, 0.3],
    )
    low, high = (Decision(thresholds={"patient": {"yes": value}}) for value in (0.3, 0.6))
    patient = cases_by_level(frame, CLASSES, decision=FoldDecisions({0: low, 1: high}))["patient"]
    np.testing.assert_allclose(patient.probabilities[:, 1], [0.35, 0.45, 0.3])
    assert patient.predicted[:, 1].tolist() == [True, False, True]
    apart = [
        cases_by_level(frame[frame["fold"] == k], CLASSES, decision=one)["patient"] for k, one in enumerate((low, high))
    ]
    np.testing.assert_array_equal(patient.probabilities[[0, 2]], apart[0].probabilities)
    np.testing.assert_array_equal(patient.predicted[[1]], apart[1].predicted)


def test_a_level_whose_units_stand_in_several_folds_is_left_out():
    frame = table(patient=["1", "1", "2"], fold=[0, 1, 0], target=["yes", "yes", "no"], p_yes=[0.1, 0.6, 0.2])
    folds = FoldDecisions({0: Decision(), 1: Decision()})
    assert list(cases_by_level(frame, CLASSES, decision=folds)) == ["image"]
    assert list(cases_by_level(frame, CLASSES)) == ["image", "patient"]
