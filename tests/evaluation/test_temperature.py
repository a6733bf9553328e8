import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from medvision.evaluation.temperature import SPREAD, fit_temperature, temper, untemper


def draw_classes(n, k, sharp, seed=0):
    """Probabilities `sharp` times too sure, as float32, and what came true."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (n, k))
    truth = np.array([random.multinomial(1, row) for row in softmax(logits, axis=1)], dtype=bool)
    return softmax(logits * sharp, axis=1).astype(np.float32).astype(np.float64), truth


def draw_labels(n, k, sharp, seed=0):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (n, k))
    truth = random.random((n, k)) < expit(logits)
    return expit(logits * sharp).astype(np.float32).astype(np.float64), truth


def test_two_classes_by_hand():
    # Logits 2 log 3 and 0, halved: odds of 9 become odds of 3.
    np.testing.assert_allclose(temper(np.array([[0.9, 0.1]]), 2, multilabel=False), [[0.75, 0.25]])
    np.testing.assert_allclose(temper(np.array([[0.9, 0.1]]), 2, multilabel=True), [[0.75, 0.25]])


def alone(truth):
    """Every image of another patient."""
    return np.arange(len(truth))


def test_the_temperature_of_two_classes_is_that_of_a_logistic_regression_without_intercept():
    chances, truth = draw_classes(400, 2, 2.5)
    fitted, note = fit_temperature(chances, truth, alone(truth), multilabel=False)
    slope = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(logit(chances[:, 1:]), truth[:, 1])
    # The prior draws 400 patients towards 1 by a fraction of their own standard error.
    assert 1 < fitted < 1 / slope.coef_[0, 0]
    assert fitted == pytest.approx(1 / slope.coef_[0, 0], rel=0.02)
    assert fitted == pytest.approx(2.5, rel=0.2)
    assert note is None


def test_the_temperature_of_labels_is_that_of_all_their_logits_together():
    chances, truth = draw_labels(2000, 4, 0.5)
    fitted, note = fit_temperature(chances, truth, alone(truth), multilabel=True)
    slope = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(
        logit(chances.reshape(-1, 1)), truth.ravel()
    )
    assert fitted == pytest.approx(1 / slope.coef_[0, 0], rel=0.02)
    assert note is None


def test_the_temperature_of_several_classes_is_the_most_probable_one_on_a_grid():
    chances, truth = draw_classes(60, 4, 3)
    fitted, _ = fit_temperature(chances, truth, alone(truth), multilabel=False)
    grid = np.linspace(1, 6, 5001)
    logits = np.log(chances)
    likelihood = np.array(
        [-60 * log_loss(truth.argmax(axis=1), softmax(logits / t, axis=1), labels=range(4)) for t in grid]
    )
    prior = norm.logpdf(np.log(grid), 0, np.log(2))
    assert np.log(2) == SPREAD
    assert fitted == pytest.approx(grid[np.argmax(likelihood + prior)], abs=0.002)
    # Without the prior it would be larger.
    assert fitted < grid[np.argmax(likelihood)] - 0.05


def test_the_images_of_a_patient_count_once():
    chances, truth = draw_classes(12, 2, 4)
    once, _ = fit_temperature(chances, truth, alone(truth), multilabel=False)
    repeated = [np.repeat(array, 5, axis=0) for array in (chances, truth, alone(truth))]
    assert fit_temperature(*repeated, multilabel=False)[0] == pytest.approx(once, rel=1e-5)
    apart, _ = fit_temperature(*repeated[:2], alone(repeated[0]), multilabel=False)
    assert apart > once * 1.1


@pytest.mark.parametrize("multilabel", [False, True])
def test_few_patients_without_mistakes_make_a_network_only_a_little_surer(multilabel):
    truth = np.array([[True, False], [False, True], [True, False]])
    fitted, note = fit_temperature(np.where(truth, 0.9, 0.1), truth, alone(truth), multilabel=multilabel)
    assert 0.7 < fitted < 1
    assert note is None


def test_few_patients_give_temperatures_that_vary_little():
    small = [fit_temperature(*draw_classes(9, 2, 1, seed), np.arange(9), multilabel=False)[0] for seed in range(200)]
    assert np.quantile(small, 0.025) > 0.5
    assert np.quantile(small, 0.975) < 2
    assert np.median(small) == pytest.approx(1, abs=0.1)


def test_one_class_says_nothing():
    truth = np.array([[True, False], [True, False]])
    assert fit_temperature(np.full((2, 2), 0.5), truth, alone(truth), multilabel=False)[0] == 1
    assert "one class only" in fit_temperature(np.full((2, 2), 0.5), truth, alone(truth), multilabel=False)[1]
    everything = ~np.zeros((2, 2), bool)
    assert "one class only" in fit_temperature(np.full((2, 2), 0.5), everything, alone(truth), multilabel=True)[1]


def test_worse_than_chance_is_hardly_anything_but_chance():
    chances, truth = draw_classes(200, 2, 1)
    fitted, _ = fit_temperature(chances[:, ::-1], truth, alone(truth), multilabel=False)
    assert fitted > 4
    hopeless, note = fit_temperature(
        *(np.tile(a, (60, 1)) for a in (chances[:, ::-1], truth)), np.arange(12000), multilabel=False
    )
    assert hopeless == 1
    assert "better than chance" in note


def test_a_single_mistake_among_many_timid_answers_is_too_extreme_to_trust():
    truth = np.zeros((4000, 2), dtype=bool)
    truth[:, 0] = np.arange(4000) % 2 == 0
    truth[:, 1] = ~truth[:, 0]
    chances = np.where(truth, 0.52, 0.48)
    chances[0] = chances[0, ::-1]
    fitted, note = fit_temperature(chances, truth, alone(truth), multilabel=False)
    # One in 4000 wrong asks for odds of 3999 where 0.52 / 0.48 is said.
    assert np.log(0.52 / 0.48) / np.log(3999) < 0.05
    assert fitted == 1
    assert "too extreme" in note


def test_certain_mistakes_are_finite():
    truth = np.array([[True, False], [False, True]] * 5)
    chances = truth.astype(np.float64)
    chances[0] = [0, 1]
    for multilabel in (False, True):
        fitted, note = fit_temperature(chances, truth, alone(truth), multilabel=multilabel)
        assert note is None
        assert np.isfinite(temper(chances, fitted, multilabel=multilabel)).all()


@pytest.mark.parametrize("temperature", [0.3, 0.9, 1.7, 12])
def test_the_most_probable_class_and_the_order_within_a_label_stay(temperature):
    chances, _ = draw_classes(300, 5, 4)
    tempered = temper(chances, temperature, multilabel=False)
    assert (tempered.argmax(axis=1) == chances.argmax(axis=1)).all()
    np.testing.assert_allclose(tempered.sum(axis=1), 1)
    labels, _ = draw_labels(300, 3, 2)
    order = np.argsort(labels[:, 0])
    assert (np.diff(temper(labels, temperature, multilabel=True)[order, 0]) >= 0).all()


@pytest.mark.parametrize("temperature", [0.5, 0.9, 1.7, 12])
@pytest.mark.parametrize("multilabel", [False, True])
def test_tempering_can_be_undone(temperature, multilabel):
    chances = draw_labels(300, 3, 4)[0] if multilabel else draw_classes(300, 3, 4)[0]
    chances[0] = [1, 0, 0]
    again = untemper(temper(chances, temperature, multilabel=multilabel), temperature, multilabel=multilabel)
    np.testing.assert_allclose(again, chances, atol=1e-6)
