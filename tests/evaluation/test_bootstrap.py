import numpy as np
import pytest

from medvision.evaluation.bootstrap import bootstrap_metrics, draw_patients, jackknife_metrics
from medvision.evaluation.cases import image_cases
from medvision.evaluation.weighted import Scorer

CLASSES = ["a", "b", "c"]


def test_as_many_patients_are_drawn_as_there_are_and_blocks_do_not_matter():
    at_once = np.concatenate(list(draw_patients(7, 50, 3, 50)), axis=1)
    in_blocks = np.concatenate(list(draw_patients(7, 50, 3, 8)), axis=1)
    assert at_once.shape == (7, 50)
    assert (at_once.sum(axis=0) == 7).all()
    np.testing.assert_array_equal(at_once, in_blocks)
    assert not np.array_equal(at_once, next(draw_patients(7, 50, 4, 50)))


@pytest.mark.parametrize("block", [10, 100_000])
def test_resamples_are_those_of_literally_repeated_patients(draw, monkeypatch, block):
    monkeypatch.setattr("medvision.evaluation.bootstrap.BLOCK", block)
    frame = draw(45, patients=12)
    cases = image_cases(frame, CLASSES)
    found = bootstrap_metrics(Scorer(cases), cases.groups, 25, seed=5)
    counts = next(draw_patients(cases.patients, 25, 5, 25))
    for resample in range(25):
        rows = np.concatenate(
            [np.repeat(np.flatnonzero(cases.groups == g), int(c)) for g, c in enumerate(counts.T[resample])]
        )
        drawn = frame.iloc[rows]
        if drawn["target"].nunique() < 3:
            assert np.isnan(found["f1"][resample])
            continue
        expected = Scorer(image_cases(drawn, CLASSES))(np.ones((len(rows), 1)))
        for name, values in found.items():
            assert values[resample] == pytest.approx(expected[name][0], nan_ok=True), name


@pytest.mark.parametrize("block", [10, 100_000])
def test_the_jackknife_leaves_out_the_rows_of_one_patient_after_the_other(draw, monkeypatch, block):
    monkeypatch.setattr("medvision.evaluation.bootstrap.BLOCK", block)
    frame = draw(45, patients=12)
    cases = image_cases(frame, CLASSES)
    found = jackknife_metrics(Scorer(cases), cases.groups)
    assert {len(values) for values in found.values()} == {cases.patients}
    for patient in range(cases.patients):
        rows = frame[cases.groups != patient]
        expected = Scorer(image_cases(rows, CLASSES))(np.ones((len(rows), 1)))
        for name, values in found.items():
            assert values[patient] == pytest.approx(expected[name][0], nan_ok=True), name


def test_a_jackknife_by_hand():
    values, groups = np.array([1.0, 2, 6, 3]), np.array([0, 0, 1, 2])
    found = jackknife_metrics(lambda weights: {"mean": values @ weights / weights.sum(axis=0)}, groups)
    assert found["mean"] == pytest.approx([9 / 2, 6 / 3, 9 / 3])


def test_of_many_patients_several_are_left_out_at_once(monkeypatch):
    monkeypatch.setattr("medvision.evaluation.bootstrap.MOST_LEFT_OUT", 3)
    values, groups = np.arange(8.0), np.arange(8)
    found = jackknife_metrics(lambda weights: {"sum": values @ weights, "n": weights.sum(axis=0)}, groups)
    assert found["sum"].tolist() == [28 - 0 - 3 - 6, 28 - 1 - 4 - 7, 28 - 2 - 5]
    assert found["n"].tolist() == [5, 5, 6]


def test_a_patient_who_alone_has_a_class_leaves_it_undefined():
    truth, groups = np.array([1.0, 0, 0, 0]), np.array([0, 0, 1, 2])

    def score(weights):
        true = truth @ weights
        return {"sensitivity": np.divide(true, true, out=np.full(len(true), np.nan), where=true > 0)}

    assert jackknife_metrics(score, groups)["sensitivity"].tolist() == [pytest.approx(np.nan, nan_ok=True), 1, 1]
