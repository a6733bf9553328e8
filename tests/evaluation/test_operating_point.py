import json

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_curve

from medvision.errors import ConfigError
from medvision.evaluation.operating_point import UNCHANGED, Decision, check_rule, choose_threshold, decide

# From high to low: yes yes no yes no no.
SCORES = np.array([0.9, 0.8, 0.7, 0.4, 0.3, 0.1])
TRUTH = np.array([True, True, False, True, False, False])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (0.3, 0.3),
        # J is 2/3 between 0.8 and 0.7 and between 0.4 and 0.3; 0.35 lies nearer to 0.5 than 0.75.
        ("youden", 0.35),
        # F1 = 2 * 3 / (3 + 4) there; 2 * 2 / (3 + 2) above 0.7.
        ("f1", 0.35),
        ("sensitivity>=0.95", 0.35),
        ("sensitivity>=0.5", 0.75),
        ("specificity>=0.95", 0.75),
        ("specificity>=0.6", 0.35),
    ],
)
def test_rules_by_hand(rule, expected):
    threshold, note = choose_threshold(SCORES, TRUTH, rule)
    assert threshold == pytest.approx(expected)
    assert note is None


@pytest.mark.parametrize("seed", range(5))
def test_youden_and_targets_are_those_of_the_roc_curve(seed):
    random = np.random.default_rng(seed)
    scores = random.random(80).round(2)
    truth = random.random(80) < scores
    alarms, sensitivity, _ = roc_curve(truth, scores, drop_intermediate=False)
    for rule in ("youden", "sensitivity>=0.9", "specificity>=0.8"):
        threshold, _ = choose_threshold(scores, truth, rule)
        said = scores >= threshold
        found = said[truth].mean(), (~said[~truth]).mean()
        if rule == "youden":
            assert sum(found) - 1 == pytest.approx((sensitivity - alarms).max())
        elif rule.startswith("sensitivity"):
            assert found[0] >= 0.9
            assert found[1] == pytest.approx((1 - alarms)[sensitivity >= 0.9].max())
        else:
            assert found[1] >= 0.8
            assert found[0] == pytest.approx(sensitivity[1 - alarms >= 0.8 - 1e-12].max())


def test_f1_is_the_best_that_scikit_learn_finds():
    random = np.random.default_rng(0)
    scores = random.random(60).round(2)
    truth = random.random(60) < scores
    threshold, _ = choose_threshold(scores, truth, "f1")
    best = max(f1_score(truth, scores >= t) for t in np.unique(scores))
    assert f1_score(truth, scores >= threshold) == pytest.approx(best)


def test_of_equal_specificity_the_higher_sensitivity_is_taken():
    scores, truth = np.array([0.8, 0.5, 0.4, 0.2]), np.array([True, True, True, False])
    assert choose_threshold(scores, truth, "sensitivity>=0.6")[0] == pytest.approx(0.3)


def test_a_target_of_a_share_of_counts_is_met_exactly():
    scores = np.arange(1, 41) / 50
    truth = np.arange(40) >= 20
    # 19 of 20 are 0.95, whatever their digits.
    scores[20] = 0.001
    threshold, _ = choose_threshold(scores, truth, "sensitivity>=0.95")
    assert (scores[truth] >= threshold).mean() == 0.95
    assert (scores[~truth] >= threshold).sum() == 0


def test_one_class_alone_gives_one_half_and_says_so():
    assert choose_threshold(SCORES, np.ones(6, bool), "f1") == (
        0.5,
        "f1 needs cases with and without the class; threshold 0.5",
    )
    assert choose_threshold(SCORES, np.ones(6, bool), 0.2) == (0.2, None)


def test_a_target_that_costs_everything_says_so():
    scores, truth = np.array([0.9, 0.6, 0.2]), np.array([False, False, True])
    threshold, note = choose_threshold(scores, truth, "sensitivity>=0.95")
    assert threshold == pytest.approx(0.1)
    assert note == "sensitivity>=0.95 was reached only where the answer to every case is yes"
    threshold, note = choose_threshold(scores, truth, "specificity>=0.95")
    assert threshold == pytest.approx(0.95)
    assert note == "specificity>=0.95 was reached only where the answer to every case is no"


def test_a_target_out_of_reach_gives_the_closest_and_says_so():
    scores, truth = np.array([1.0, 1.0, 0.4, 0.2]), np.array([False, True, False, True])
    threshold, note = choose_threshold(scores, truth, "specificity>=0.95")
    assert threshold == pytest.approx(0.7)
    assert note == "specificity>=0.95 was not reached by any threshold; the closest gives 0.500"


def test_equal_scores_leave_all_or_nothing():
    threshold, _ = choose_threshold(np.full(4, 0.4), np.array([True, False, True, False]), "youden")
    # 0.2 and 0.7 serve equally badly; 0.7 is nearer to 0.5.
    assert threshold == pytest.approx(0.7)


def test_an_unknown_rule_is_named():
    with pytest.raises(ConfigError, match="expected a number, youden, f1, .* got 'best'"):
        choose_threshold(SCORES, TRUTH, "best")


def test_three_exclusive_classes_have_no_threshold_and_only_the_mean():
    check_rule(0.5, ["a", "b", "c"], multilabel=False)
    check_rule("youden", ["a", "b"], multilabel=False, aggregate="noisy_or")
    check_rule(0.2, ["a", "b", "c"], multilabel=True, aggregate="max")
    with pytest.raises(ConfigError) as caught:
        check_rule("youden", ["a", "b", "c"], multilabel=False, aggregate="max")
    assert len(caught.value.lines) == 2
    assert "evaluation.threshold: youden asks for one class against another, and there are 3" in caught.value.lines[0]
    assert "evaluation.aggregate: max is for two classes" in caught.value.lines[1]


def test_a_decision_is_the_same_after_json():
    decision = Decision(
        temperature=1.3,
        aggregate="max",
        rule="youden",
        thresholds={"image": {"yes": 0.4}},
        chosen_on={"split": "val", "n": 9, "patients": 3},
        notes=("one", "two"),
    )
    for one in (decision, UNCHANGED):
        assert Decision.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_thresholds_of_levels_that_were_not_there():
    decision = Decision(rule="youden", thresholds={"image": {"yes": 0.2}})
    assert decision.threshold("image", "yes") == 0.2
    assert decision.threshold("study", "yes") == 0.5
    assert Decision(rule=0.3).threshold("study", "yes") == 0.3


def test_yes_is_from_the_threshold_on():
    chances = np.array([[0.7, 0.3], [0.71, 0.29]])
    decision = Decision(rule=0.3)
    assert decide(chances, ["a", "b"], decision, "image", multilabel=False).tolist() == [[False, True], [True, False]]
    assert decide(chances, ["a", "b"], decision, "image", multilabel=True).tolist() == [[True, True], [True, False]]
    three = np.array([[0.2, 0.3, 0.5], [0.4, 0.3, 0.3]])
    assert decide(three, ["a", "b", "c"], UNCHANGED, "image", multilabel=False).argmax(axis=1).tolist() == [2, 0]
