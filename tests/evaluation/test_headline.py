import numpy as np
import pytest

from medvision.evaluation.cases import image_cases
from medvision.evaluation.headline import LabelSide, MaskSide, label_headline, pick_cases, pick_masks
from medvision.evaluation.metrics import score_cases
from medvision.evaluation.segmentation import CLASS_METRICS, MaskCases
from medvision.evaluation.weighted import Scorer


def counts(n, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (n, 20)).astype(float)


@pytest.mark.parametrize(
    ("classes", "multilabel", "metric"),
    [("ab", False, "auroc"), ("abc", False, "balanced_accuracy"), ("abc", True, "auroc"), ("ab", True, "auroc")],
)
def test_the_headline_is_that_of_the_scorer_under_any_weights(draw, classes, multilabel, metric):
    cases = image_cases(draw(40, tuple(classes), multilabel=multilabel), list(classes), multilabel=multilabel)
    assert label_headline(classes, multilabel=multilabel) == metric
    side, weights = LabelSide(cases), counts(40)
    assert side.score(weights, side.defined) == pytest.approx(Scorer(cases)(weights)[metric], nan_ok=True)


def test_of_two_exclusive_classes_the_second_counts(draw):
    cases = image_cases(draw(40, ("a", "b")), ["a", "b"])
    assert LabelSide(cases).defined == (1,)
    assert LabelSide(pick_cases(cases, cases.truth[:, 0])).defined == ()


def test_absent_classes_are_not_defined(draw):
    cases = image_cases(draw(60), ["a", "b", "c"])
    assert LabelSide(pick_cases(cases, ~cases.truth[:, 1])).defined == (0, 2)
    several = image_cases(draw(60, multilabel=True), ["a", "b", "c"], multilabel=True)
    assert LabelSide(pick_cases(several, several.truth[:, 0])).defined == (1, 2)


def test_a_headline_over_some_classes_by_hand(draw):
    cases = image_cases(draw(60), ["a", "b", "c"])
    right = (cases.truth & cases.predicted).sum(axis=0) / cases.truth.sum(axis=0)
    assert LabelSide(cases).score(np.ones((60, 1)), [0, 2]) == pytest.approx([(right[0] + right[2]) / 2])


def test_weights_that_leave_a_class_out_are_undefined(draw):
    cases = image_cases(draw(60), ["a", "b", "c"])
    weights = np.stack([np.ones(60), ~cases.truth[:, 1], np.zeros(60)], axis=1)
    assert np.isnan(LabelSide(cases).score(weights, [0, 1])).tolist() == [False, True, True]
    two = image_cases(draw(60, ("a", "b")), ["a", "b"])
    weights = np.stack([np.ones(60), two.truth[:, 0], np.zeros(60)], axis=1)
    assert np.isnan(LabelSide(two).score(weights, [1])).tolist() == [False, True, True]


def test_how_many_patients_a_headline_depends_on(draw):
    cases = image_cases(draw(30, ("a", "b"), patients=12), ["a", "b"])
    sides = [len(np.unique(cases.groups[cases.truth[:, k]])) for k in (0, 1)]
    assert LabelSide(cases).patients([1]) == min(sides)
    three = image_cases(draw(30, patients=12), ["a", "b", "c"])
    sides = [len(np.unique(three.groups[three.truth[:, k]])) for k in (0, 2)]
    assert LabelSide(three).patients([0, 2]) == min(sides)


def test_picked_cases_are_those_of_the_filtered_table(draw):
    frame = draw(50)
    rows = np.arange(50) % 3 == 0
    picked = pick_cases(image_cases(frame, ["a", "b", "c"]), rows)
    expected = image_cases(frame[rows], ["a", "b", "c"])
    options = {"resamples": 30, "seed": 1, "interval": "bca"}
    assert score_cases(picked, **options) == score_cases(expected, **options)


@pytest.fixture
def masks():
    """Dice of two classes in five images of four patients; the second class is undefined in three."""
    values = np.full((5, 2, len(CLASS_METRICS)), np.nan)
    values[:, :, 0] = [[0.9, 0.5], [0.8, np.nan], [0.7, 0.3], [0.6, np.nan], [0.5, np.nan]]
    return MaskCases(values, np.zeros_like(values, bool), np.array([0, 1, 1, 2, 3]), np.array([True, True]))


def test_dice_by_hand(masks):
    side = MaskSide(masks)
    assert side.defined == (0, 1)
    weights = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 2, 0], [0, 1, 0, 1, 1]], float).T
    expected = [(0.7 + 0.4) / 2, (0.7 + 0.5) / 2, np.nan]
    assert side.score(weights, (0, 1)) == pytest.approx(expected, nan_ok=True)
    assert side.score(weights, (0,)) == pytest.approx([0.7, 0.7, 1.9 / 3])
    assert (side.patients((0,)), side.patients((0, 1))) == (4, 2)


def test_picked_masks(masks):
    shown = np.array([[1, 1], [1, 0], [1, 1], [1, 0], [1, 0]], bool)
    picked = pick_masks(masks, shown, np.array([0, 1, 0, 1, 1], bool))
    assert picked.groups.tolist() == [0, 1, 2]
    assert picked.present.tolist() == [True, False]
    assert MaskSide(picked).defined == (0,)
    assert MaskSide(picked).score(np.ones((3, 1)), (0,)) == pytest.approx([1.9 / 3])
