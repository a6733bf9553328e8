import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit, softmax
from scipy.stats import foldnorm
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from medvision.evaluation.calibration import (
    MOST_BINS,
    bin_ends,
    brier_losses,
    expected_calibration_error,
    fit_intercept,
    fit_slope,
    reliability_points,
    stated,
)
from medvision.evaluation.cases import Cases


def draw_scores(n, slope=1.0, intercept=0.0, seed=0):
    """Logits, and truths of `slope` and `intercept` on them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, n)
    return logits, random.random(n) < expit(intercept + slope * logits)


def ones(n):
    return np.ones((n, 1))


def test_brier_by_hand_and_as_in_scikit_learn():
    chances = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]])
    truth = np.array([[True, False], [True, False], [False, True]])
    np.testing.assert_allclose(brier_losses(chances, truth, multilabel=False), [0.01, 0.36, 0.09])
    expected = brier_score_loss(truth[:, 1], chances[:, 1])
    assert brier_losses(chances, truth, multilabel=False).mean() == pytest.approx(expected)
    labels = [brier_score_loss(truth[:, k], chances[:, k]) for k in range(2)]
    assert brier_losses(chances, truth, multilabel=True).mean() == pytest.approx(np.mean(labels))
    three = brier_losses(np.array([[0.5, 0.3, 0.2]]), np.array([[True, False, False]]), multilabel=False)
    np.testing.assert_allclose(three, [0.25 + 0.09 + 0.04])


def test_of_three_classes_the_confidence_is_judged():
    chances = np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]])
    truth = np.array([[True, False, False], [False, True, False]])
    ((scores, came_true),) = stated(chances, truth, multilabel=False)
    assert scores.tolist() == [0.5, 0.6]
    assert came_true.tolist() == [True, False]


def test_calibration_error_by_hand():
    scores = np.repeat([0.3, 0.8], 10)
    truth = np.concatenate([np.arange(10) < 5, np.arange(10) < 8])
    # 0.3 was said and 0.5 came true, of 10: standard error sqrt(0.025); 0.8 was said and came true, sqrt(0.016).
    wide, narrow = np.sqrt(0.025), np.sqrt(0.016)
    by_chance = foldnorm.mean(0.2 / wide, scale=wide) - 0.2, narrow * np.sqrt(2 / np.pi)
    expected = (0.2 - by_chance[0]) / 2 + (0 - by_chance[1]) / 2
    found = expected_calibration_error(scores, truth, ones(20))
    assert found[0] == pytest.approx(max(0, expected))
    # Without chance, nothing is taken off.
    assert expected_calibration_error(np.full(20, 0.7), np.ones(20, bool), ones(20))[0] == pytest.approx(0.3)


def test_what_is_taken_off_is_what_chance_adds():
    logits, truth = draw_scores(300, slope=0.4)
    chances = expit(logits)
    observed, predicted = calibration_curve(truth, chances, n_bins=MOST_BINS, strategy="quantile")
    distance, deviation = np.abs(observed - predicted), np.sqrt(observed * (1 - observed) / 20)
    noise = np.random.default_rng(0).normal(size=(200_000, MOST_BINS))
    excess = np.abs(observed - predicted + deviation * noise).mean() - distance.mean()
    found = expected_calibration_error(chances, truth, ones(300))[0]
    assert found == pytest.approx(distance.mean() - excess, abs=2e-4)
    assert found < distance.mean()


def test_debiasing_takes_a_good_part_of_the_error_of_calibrated_scores_and_leaves_true_error():
    found = {slope: [] for slope in (1.0, 0.3)}
    plain = []
    for seed in range(60):
        for slope, errors in found.items():
            logits, truth = draw_scores(300, slope=slope, seed=seed)
            errors.append(expected_calibration_error(expit(logits), truth, ones(300))[0])
            if slope == 1:
                observed, predicted = calibration_curve(truth, expit(logits), n_bins=15, strategy="quantile")
                plain.append(np.abs(observed - predicted).mean())
    assert np.mean(found[1.0]) < 0.7 * np.mean(plain)
    logits = np.random.default_rng(0).normal(0, 1.5, 100_000)
    assert np.mean(found[0.3]) == pytest.approx(np.abs(expit(logits) - expit(0.3 * logits)).mean(), abs=0.01)


def test_equal_scores_share_a_bin_and_few_cases_have_few():
    counted = np.array([[10.0, 1.0], [30.0, 2.0], [40.0, 3.0]])
    ends = bin_ends(counted)
    # Four bins of 10 wanted; the second score fills two of them. Three cases make one bin.
    assert ends[:5, 0].tolist() == [0, 1, 1, 2, 2]
    assert (ends[:, 1] == 2).all()


def test_bins_of_equal_mass_are_those_of_array_split():
    ends = bin_ends(np.arange(1.0, 1501)[:, None])
    assert (ends[:, 0] == np.arange(1, 16) * 100 - 1).all()


@pytest.mark.parametrize("seed", range(4))
def test_slope_and_intercept_are_those_of_a_logistic_regression(seed):
    logits, truth = draw_scores(150, slope=0.6, intercept=0.5, seed=seed)
    weights = np.random.default_rng(seed).integers(0, 4, (150, 5)).astype(float)
    fitted = fit_slope(logits, truth, weights, (0.0, 1.0))
    in_the_large = fit_intercept(logits, truth, weights)
    for r in range(5):
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000, solver="newton-cholesky")
        model.fit(logits[:, None], truth, sample_weight=weights[:, r])
        np.testing.assert_allclose(fitted[:, r], [model.intercept_[0], model.coef_[0, 0]], rtol=1e-6)
        balance = brentq(lambda a, w=weights[:, r]: w @ (truth - expit(a + logits)), -9, 9, xtol=1e-12)
        assert in_the_large[r] == pytest.approx(balance, abs=1e-7)


def test_slope_and_intercept_by_hand():
    # Of 0.5 and 0.8 said, shares of 0.2 and 0.5 come true: logits 0 and log 4 become -log 4 and 0.
    scores = np.repeat([0.5, 0.8], 10)
    truth = np.concatenate([np.arange(10) < 2, np.arange(10) < 5])
    intercept, slope = fit_slope(logit(scores), truth, ones(20), (0.0, 0.0))[:, 0]
    assert slope == pytest.approx(1)
    assert intercept == pytest.approx(-np.log(4))
    assert fit_intercept(logit(scores), truth, ones(20))[0] == pytest.approx(-np.log(4))


def test_far_logits_and_any_start_end_in_the_same_place():
    logits = np.array([-36.0, -36, -36, 36, 36, 36, 2, -1])
    truth = np.array([False, False, True, True, True, False, True, False])
    fits = [fit_slope(logits, truth, ones(8), start)[:, 0] for start in ((0.0, 0.0), (0.0, 1.0), (3.0, -1.0))]
    np.testing.assert_allclose(fits[1:], [fits[0]] * 2, rtol=1e-5)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000, solver="newton-cholesky")
    np.testing.assert_allclose(fits[0][1], model.fit(logits[:, None], truth).coef_[0, 0], rtol=1e-5)
    starts = [
        fit_intercept(logits[truth | (logits < 0)], truth[truth | (logits < 0)], ones(7), s)[0] for s in (-5.0, 5.0)
    ]
    assert starts[0] == pytest.approx(starts[1], abs=1e-5)


def test_what_has_no_slope_is_nan_and_no_warning():
    logits = np.array([-2.0, -1, 0, 1, 2])
    apart = np.array([False, False, False, True, True])
    mixed = np.array([False, True, False, True, True])
    assert np.isnan(fit_slope(logits, apart, ones(5), (0.0, 1.0))).all()
    assert np.isnan(fit_slope(logits, ~apart, ones(5), (0.0, 1.0))).all()
    # A tie at the border separates all the same.
    assert np.isnan(
        fit_slope(np.array([-1.0, 0, 0, 1]), np.array([False, False, True, True]), ones(4), (0.0, 1.0))
    ).all()
    assert np.isnan(fit_slope(logits, np.ones(5, bool), ones(5), (0.0, 1.0))).all()
    assert np.isnan(fit_slope(np.zeros(5), mixed, ones(5), (0.0, 1.0))).all()
    assert np.isnan(fit_intercept(logits, np.ones(5, bool), ones(5)))[0]
    # The second weighting leaves the overlapping case out, the third one of the two kinds.
    weights = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1], [1, 1, 1.0]])
    slopes = fit_slope(logits, mixed, weights, (0.0, 1.0))[1]
    assert np.isfinite(slopes).tolist() == [True, False, False]
    assert np.isfinite(fit_intercept(logits, mixed, weights)).tolist() == [True, True, False]


def draw_cases(n, classes, multilabel=False, patients=40, seed=0):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (n, len(classes)))
    if multilabel:
        chances = expit(logits)
        truth = random.random(chances.shape) < chances
    else:
        chances = softmax(logits, axis=1)
        truth = np.array([random.multinomial(1, row) for row in chances], dtype=bool)
    return Cases(truth, truth, chances, np.arange(n) % patients, tuple(classes), multilabel)


def test_points_are_those_of_scikit_learn():
    cases = draw_cases(150, ["no", "yes"])
    (points,) = reliability_points(cases, resamples=0).values()
    observed, predicted = calibration_curve(
        cases.truth[:, 1], cases.probabilities[:, 1], n_bins=15, strategy="quantile"
    )
    np.testing.assert_allclose(points["observed"], observed)
    np.testing.assert_allclose(points["predicted"], predicted)
    assert points["n"] == [10] * 15
    assert np.isnan(points["low"]).all()


def test_bands_hold_the_points_and_all_patients_are_drawn_together():
    cases = draw_cases(400, ["no", "yes"])
    (points,) = reliability_points(cases, resamples=300, seed=1).values()
    assert all(low <= o <= high for low, o, high in zip(points["low"], points["observed"], points["high"], strict=True))
    assert sum(points["n"]) == 400
    # Each case five times, as images of one patient: the band stays as wide, where images of anybody would narrow it.
    five = np.repeat(np.arange(400), 5)
    again = Cases(
        *(array[five] for array in (cases.truth, cases.predicted, cases.probabilities, cases.groups)), cases.classes
    )
    (repeated,) = reliability_points(again, resamples=300, seed=1).values()
    assert repeated["low"] == pytest.approx(points["low"])
    assert repeated["high"] == pytest.approx(points["high"])


def test_a_bin_in_which_all_came_true_has_a_band():
    truth = np.array([[False, True]] * 10 + [[True, False]] * 10)
    chances = np.where(truth[:, [1]], [[0.1, 0.9]], [[0.8, 0.2]])
    points = reliability_points(Cases(truth, truth, chances, np.arange(20), ("no", "yes")), resamples=50)["yes"]
    assert points["observed"] == [0, 1]
    # Wilson's interval of 10 of 10: 10 / (10 + 1.96²).
    assert points["low"][1] == pytest.approx(10 / (10 + 1.959964**2), abs=1e-6)
    assert points["high"] == [pytest.approx(1 - 10 / (10 + 1.959964**2), abs=1e-6), 1]


def test_labels_have_a_curve_each_and_three_classes_one():
    assert list(reliability_points(draw_cases(60, "abc", multilabel=True), resamples=5)) == ["a", "b", "c"]
    assert list(reliability_points(draw_cases(60, "abc"), resamples=5)) == ["top"]
    assert list(reliability_points(draw_cases(60, "ab"), resamples=5)) == ["b"]
