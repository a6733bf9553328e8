import numpy as np
import pytest

from medvision.evaluation.bootstrap import bootstrap_metrics, draw_patients, percentile_interval
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


def test_the_interval_is_the_middle_of_the_defined_values():
    values = np.append(np.arange(101.0), [np.nan] * 50)
    assert percentile_interval(values) == pytest.approx((2.5, 97.5))
    assert percentile_interval(values, level=0.5) == pytest.approx((25, 75))


def test_no_interval_where_most_resamples_are_undefined():
    assert percentile_interval(np.array([1.0, np.nan, np.nan])) is None
    assert percentile_interval(np.array([np.nan, np.nan])) is None
    assert percentile_interval(np.array([1.0, np.nan])) == (1, 1)
