import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from medvision.evaluation.delong import compare_areas, placements


def definition(first, second, truth, groups):
    """Obuchowski's areas and standard error of their difference, pair by pair and patient by patient."""

    def kernel(a, b):
        return 1.0 if a > b else 0.5 if a == b else 0.0

    sick, well = np.flatnonzero(truth), np.flatnonzero(~truth)
    m, n, everyone = len(sick), len(well), sorted(set(groups))
    areas, of_sick, of_well = [], [], []
    for scores in (first, second):
        against_well = {i: sum(kernel(scores[i], scores[j]) for j in well) / n for i in sick}
        against_sick = {j: sum(kernel(scores[i], scores[j]) for i in sick) / m for j in well}
        area = sum(against_well.values()) / m
        areas.append(area)
        of_sick.append([sum(against_well[i] - area for i in sick if groups[i] == g) for g in everyone])
        of_well.append([sum(against_sick[j] - area for j in well if groups[j] == g) for g in everyone])
    with_sick, with_well = (len({groups[k] for k in rows}) for rows in (sick, well))

    def covariance(r, s):
        s10 = with_sick / ((with_sick - 1) * m) * sum(a * b for a, b in zip(of_sick[r], of_sick[s], strict=True))
        s01 = with_well / ((with_well - 1) * n) * sum(a * b for a, b in zip(of_well[r], of_well[s], strict=True))
        factor = len(everyone) / (len(everyone) - 1)
        s11, s11_turned = (
            factor * sum(a * b for a, b in zip(of_sick[x], of_well[y], strict=True)) for x, y in ((r, s), (s, r))
        )
        return s10 / m + s01 / n + (s11 + s11_turned) / (m * n)

    return areas, np.sqrt(covariance(0, 0) + covariance(1, 1) - 2 * covariance(0, 1))


def compare(first, second, truth, groups):
    return compare_areas(placements(first, truth), placements(second, truth), truth, groups)


def test_five_cases_by_hand():
    truth = np.array([False, False, True, True, True])
    first, second = np.array([0.1, 0.2, 0.6, 0.7, 0.8]), np.array([0.3, 0.6, 0.2, 0.7, 0.9])
    np.testing.assert_allclose(placements(second, truth), [2 / 3, 2 / 3, 0, 1, 1])
    # Sick: -1, 0, 0 around -1/3, variance 1/3 of 3 cases; well: -1/3 both, no variance.
    found = compare(first, second, truth, np.arange(5))
    assert (found.difference, found.error) == (pytest.approx(-1 / 3), pytest.approx(1 / 3))
    assert (found.statistic, found.p) == (pytest.approx(-1), pytest.approx(2 * norm.cdf(-1)))


def test_the_error_of_one_area_is_that_of_the_published_ratings():
    # 109 CT images, rated 1 to 5 (Hanley & McNeil, Radiology 143, 1982). Stata's manual, roctab: area 0.8932, DeLong's
    # standard error 0.0307. A constant score has an area of 0.5 without any error.
    well, sick = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    ratings = np.repeat([1, 2, 3, 4, 5, 1, 2, 3, 4, 5], [*well, *sick]).astype(np.float64)
    truth = np.repeat([False, True], [sum(well), sum(sick)])
    found = compare(np.zeros(109), ratings, truth, np.arange(109))
    assert found.difference + 0.5 == pytest.approx(0.8932, abs=5e-5)
    assert found.error == pytest.approx(0.0307, abs=5e-5)


@pytest.mark.parametrize("seed", range(4))
def test_placements_are_shares_of_pairs_and_their_mean_is_the_area(seed):
    random = np.random.default_rng(seed)
    scores, truth = random.integers(0, 6, 40) / 5, random.random(40) < 0.4
    placed = placements(scores, truth)
    for k, score in enumerate(scores):
        others = scores[truth != truth[k]]
        right = (others < score) if truth[k] else (others > score)
        assert placed[k] == pytest.approx((right + (others == score) / 2).mean())
    area = roc_auc_score(truth, scores)
    assert (placed[truth].mean(), placed[~truth].mean()) == (pytest.approx(area), pytest.approx(area))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("patients", [None, 12])
def test_the_error_is_that_of_its_definition(seed, patients):
    random = np.random.default_rng(seed)
    truth = random.random(40) < 0.4
    first, second = random.integers(0, 9, (2, 40)) / 8 + truth * 0.2
    groups = np.arange(40) if patients is None else np.unique(random.integers(0, patients, 40), return_inverse=True)[1]
    areas, error = definition(first, second, truth, groups)
    found = compare(first, second, truth, groups)
    assert (found.difference, found.error) == (pytest.approx(areas[1] - areas[0]), pytest.approx(error))
    assert found.p == pytest.approx(2 * norm.sf(abs(areas[1] - areas[0]) / error))


def test_images_that_say_the_same_again_tell_no_more():
    random = np.random.default_rng(0)
    truth = np.arange(30) % 2 == 0
    first, second = random.random((2, 30)) + truth * 0.5
    alone = compare(first, second, truth, np.arange(30))
    again = compare(*(np.repeat(array, 4) for array in (first, second, truth, np.arange(30))))
    by_image = compare(*(np.repeat(array, 4) for array in (first, second, truth)), np.arange(120))
    assert (again.difference, again.error) == (pytest.approx(alone.difference), pytest.approx(alone.error))
    assert by_image.error == pytest.approx(alone.error / 2, rel=0.05)


def test_what_has_no_error():
    truth = np.array([True, True, False, False])
    same = compare(np.arange(4.0), np.arange(4.0), truth, np.arange(4))
    assert (same.difference, same.error, same.statistic, same.p) == (0, 0, 0, 1)
    opposite = compare(np.array([3.0, 2, 1, 0]), np.array([0.0, 1, 2, 3]), truth, np.arange(4))
    assert (opposite.difference, opposite.error) == (-1, 0)
    assert np.isnan([opposite.statistic, opposite.p]).all()
    # All sick images are of one patient.
    alone = compare(np.array([3.0, 1, 2, 0]), np.arange(4.0), truth, np.array([0, 0, 1, 2]))
    assert np.isnan([alone.error, alone.p]).all()
    assert alone.difference == pytest.approx(-0.75)
