import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from medvision.evaluation.temperature import fit_temperature, temper, untemper


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


def test_the_temperature_of_two_classes_is_that_of_a_logistic_regression_without_intercept():
    chances, truth = draw_classes(400, 2, 2.5)
    fitted, note = fit_temperature(chances, truth, multilabel=False)
    slope = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(logit(chances[:, 1:]), truth[:, 1])
    assert fitted == pytest.approx(1 / slope.coef_[0, 0], rel=1e-4)
    assert fitted == pytest.approx(2.5, rel=0.2)
    assert note is None


def test_the_temperature_of_labels_is_that_of_all_their_logits_together():
    chances, truth = draw_labels(300, 4, 0.5)
    fitted, note = fit_temperature(chances, truth, multilabel=True)
    slope = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(
        logit(chances.reshape(-1, 1)), truth.ravel()
    )
    assert fitted == pytest.approx(1 / slope.coef_[0, 0], rel=1e-4)
    assert note is None


def test_the_temperature_of_several_classes_has_the_smallest_log_loss_on_a_grid():
    chances, truth = draw_classes(500, 4, 3)
    fitted, _ = fit_temperature(chances, truth, multilabel=False)
    grid = np.linspace(1, 6, 501)
    logits = np.log(chances)
    losses = [log_loss(truth.argmax(axis=1), softmax(logits / t, axis=1), labels=range(4)) for t in grid]
    assert fitted == pytest.approx(grid[np.argmin(losses)], abs=0.01)


@pytest.mark.parametrize("multilabel", [False, True])
def test_without_mistakes_the_temperature_stays_1(multilabel):
    truth = np.array([[True, False], [False, True], [True, False]])
    fitted, note = fit_temperature(np.where(truth, 0.9, 0.1), truth, multilabel=multilabel)
    assert (fitted, note) == (1, "temperature 1: the validation split has no mistakes, which says nothing of it")


def test_one_class_says_nothing():
    truth = np.array([[True, False], [True, False]])
    assert fit_temperature(np.full((2, 2), 0.5), truth, multilabel=False)[0] == 1
    assert "one class only" in fit_temperature(np.full((2, 2), 0.5), truth, multilabel=False)[1]
    assert "one class only" in fit_temperature(np.full((2, 2), 0.5), ~np.zeros((2, 2), bool), multilabel=True)[1]


def test_worse_than_chance_is_not_mended_by_a_temperature():
    chances, truth = draw_classes(200, 2, 1)
    fitted, note = fit_temperature(chances[:, ::-1], truth, multilabel=False)
    assert fitted == 1
    assert "better than chance" in note


def test_a_single_mistake_among_many_timid_answers_is_too_extreme_to_trust():
    truth = np.zeros((4000, 2), dtype=bool)
    truth[:, 0] = np.arange(4000) % 2 == 0
    truth[:, 1] = ~truth[:, 0]
    chances = np.where(truth, 0.52, 0.48)
    chances[0] = chances[0, ::-1]
    fitted, note = fit_temperature(chances, truth, multilabel=False)
    # One in 4000 wrong asks for odds of 3999 where 0.52 / 0.48 is said.
    assert np.log(0.52 / 0.48) / np.log(3999) < 0.05
    assert fitted == 1
    assert "too extreme" in note


def test_certain_mistakes_are_finite():
    truth = np.array([[True, False], [False, True]] * 5)
    chances = truth.astype(np.float64)
    chances[0] = [0, 1]
    for multilabel in (False, True):
        fitted, note = fit_temperature(chances, truth, multilabel=multilabel)
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
