import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from medvision.errors import DataError
from medvision.evaluation.bootstrap import draw_patients
from medvision.evaluation.calibration import reliability_points
from medvision.evaluation.cases import cases_by_level
from medvision.evaluation.curves import GRID, THRESHOLDS, curves, precision_at, sensitivity_at
from medvision.evaluation.decision import Decision, FoldDecisions, apply_decision
from medvision.evaluation.intervals import percentile_interval


def reference_roc(truth, scores):
    """The upper end of scikit-learn's curve at each value of the grid."""
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    heights = []
    for x in GRID:
        there = true[np.isclose(false, x, rtol=0, atol=1e-12)]
        if len(there):
            heights.append(there.max())
            continue
        left, right = np.flatnonzero(false < x)[-1], np.flatnonzero(false > x)[0]
        share = (x - false[left]) / (false[right] - false[left])
        heights.append(true[left] + share * (true[right] - true[left]))
    return np.array(heights)


def reference_pr(truth, scores):
    """The precision of the highest threshold that reaches each sensitivity of the grid."""
    precision, recall, _ = precision_recall_curve(truth, scores)
    # The last point, (0, 1), belongs to no threshold.
    precision, recall = precision[:-1], recall[:-1]
    return np.array([precision[(recall > 0) & (recall >= x - 1e-12)][-1] for x in GRID])


def two_classes(targets, chances, patients=None):
    """A table whose positive class is `ill`, decided at 0.5."""
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(len(targets))]})
    frame["patient"] = [f"p{k}" for k in range(len(targets))] if patients is None else patients
    frame["target"] = np.where(targets, "ill", "well")
    frame["predicted"] = np.where(np.array(chances) >= 0.5, "ill", "well")
    return frame.assign(p_well=1 - np.array(chances), p_ill=chances)


@pytest.mark.parametrize("seed", range(3))
def test_curves_are_those_of_scikit_learn_with_ties(draw, seed):
    frame = draw(70, ("well", "ill"), seed=seed)
    truth, scores = frame["target"] == "ill", frame["p_ill"]
    found = curves(frame, ["well", "ill"], resamples=0)["image"]
    assert list(found["roc"]) == list(found["pr"]) == ["ill"]
    roc, pr = found["roc"]["ill"], found["pr"]["ill"]
    assert (roc["x"], roc["y"][0]) == ([0, *GRID], 0)
    assert roc["y"][1:] == pytest.approx(reference_roc(truth, scores), abs=1e-5)
    assert pr["x"] == list(GRID)
    assert pr["y"] == pytest.approx(reference_pr(truth, scores), abs=1e-5)
    assert pr["prevalence"] == pytest.approx(truth.mean(), abs=1e-5)
    assert roc["low"] == roc["high"] == pr["low"] == pr["high"] == []


def test_curves_of_exclusive_classes_are_one_against_the_rest(draw):
    frame = draw(60)
    found = curves(frame, ["a", "b", "c"], resamples=0)["image"]
    for name in "abc":
        truth, scores = frame["target"] == name, frame[f"p_{name}"]
        assert found["roc"][name]["y"][1:] == pytest.approx(reference_roc(truth, scores), abs=1e-5)
        assert found["pr"][name]["y"] == pytest.approx(reference_pr(truth, scores), abs=1e-5)
    assert found["net_benefit"] == found["operating_point"] == {}
    assert list(found["reliability"]["calibrated"]) == ["top"]


def test_curves_of_several_labels(draw):
    frame = draw(60, multilabel=True)
    found = curves(frame, ["a", "b", "c"], multilabel=True, resamples=0)["image"]
    truth = frame["target"].str.split("|").map(lambda names: "b" in names)
    assert found["roc"]["b"]["y"][1:] == pytest.approx(reference_roc(truth, frame["p_b"]), abs=1e-5)
    for kind in ("roc", "pr", "net_benefit", "operating_point"):
        assert list(found[kind]) == ["a", "b", "c"]


def test_bands_are_those_of_resampled_patients(draw):
    frame = draw(50, ("well", "ill"), patients=12, seed=5)
    found = curves(frame, ["well", "ill"], resamples=60, seed=3)["image"]
    patients = pd.factorize(frame["patient"], sort=True)[0]
    truth, scores = (frame["target"] == "ill").to_numpy(), frame["p_ill"].to_numpy()
    lines = {"roc": [], "pr": [], "net_benefit": []}
    for counts in next(draw_patients(12, 60, 3, 60)).T:
        rows = np.repeat(np.arange(50), counts[patients].astype(int))
        lines["roc"].append(reference_roc(truth[rows], scores[rows]))
        lines["pr"].append(reference_pr(truth[rows], scores[rows]))
        said = scores[rows] >= 0.3
        lines["net_benefit"].append([((said & truth[rows]).sum() - (said & ~truth[rows]).sum() * 3 / 7) / len(rows)])
    ill = len(np.unique(patients[truth]))
    well = len(np.unique(patients[~truth]))
    for kind, at, column in (("roc", 21, 20), ("roc", 55, 54), ("pr", 50, 50), ("net_benefit", 30, 0)):
        expected = percentile_interval(
            np.array(lines[kind])[:, column], patients=12 if kind == "net_benefit" else min(ill, well)
        )
        points = found[kind]["ill"]
        assert (points["low"][at], points["high"][at]) == pytest.approx(expected, abs=1e-5)
        assert points["low"][at] < points["high"][at]
    assert (found["roc"]["ill"]["low"][0], found["roc"]["ill"]["high"][0]) == (0, 0)


def test_the_upper_end_is_taken_where_a_curve_is_vertical():
    hits, alarms = np.array([[1.0, 2, 2, 4]]), np.array([[0.0, 0, 1, 2]])
    line = sensitivity_at(hits, alarms)[0]
    assert line[[0, 25, 50, 75, 100]].tolist() == [0.5, 0.5, 0.5, 0.75, 1.0]


def test_precision_is_of_the_highest_threshold_that_is_sensitive_enough():
    hits, said = np.array([[0.0, 1, 1, 2]]), np.array([[1.0, 2, 3, 4]])
    line = precision_at(hits, said)[0]
    assert line[[0, 1, 50, 51, 100]].tolist() == [0.5, 0.5, 0.5, 0.5, 0.5]
    assert precision_at(np.array([[2.0, 2, 4]]), np.array([[2.0, 3, 5]]))[0][[50, 51]].tolist() == [1.0, 0.8]


def test_the_area_under_the_steps_is_the_average_precision():
    # A hundred cases with the class, so that the steps of the curve are those of the grid.
    random = np.random.default_rng(2)
    truth = np.repeat([True, False], [100, 150])
    scores = np.round(random.normal(truth, 1), 1)
    order = np.argsort(-scores)
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits, said = np.cumsum(truth[order])[ends], ends + 1
    line = precision_at(hits[None].astype(float), said[None].astype(float))[0]
    assert line[1:].mean() == pytest.approx(average_precision_score(truth, scores))


def test_what_has_no_weight_is_undefined():
    ones, none = np.array([[1.0, 2.0]]), np.zeros((1, 2))
    assert np.isnan(sensitivity_at(none, ones)).all()
    assert np.isnan(sensitivity_at(ones, none)).all()
    assert np.isnan(precision_at(none, ones)).all()


def test_net_benefit_by_hand():
    frame = two_classes([1, 1, 0, 0, 0], [0.9, 0.2, 0.6, 0.2, 0.1])
    points = curves(frame, ["well", "ill"], resamples=0)["image"]["net_benefit"]["ill"]
    assert points["threshold"] == list(THRESHOLDS)
    # From 0.2 on two are found for two alarms, above it one for one.
    assert points["model"][20] == pytest.approx((2 - 2 * 0.25) / 5)
    assert points["model"][21] == pytest.approx((1 - 21 / 79) / 5, abs=1e-5)
    assert points["model"][60] == pytest.approx((1 - 1.5) / 5)
    assert points["model"][95] == 0
    assert points["model"][0] == points["all"][0] == pytest.approx(0.4)
    assert points["all"][50] == pytest.approx(0.4 - 0.6)


def test_operating_points_by_hand():
    decision = Decision(rule="youden", thresholds={"image": {"ill": 0.3}, "patient": {"ill": 0.55}})
    frame = two_classes([1, 1, 1, 0, 0, 0], [0.9, 0.4, 0.2, 0.35, 0.1, 0.3], list("aabccd"))
    frame = apply_decision(frame, ["well", "ill"], decision)
    found = curves(frame, ["well", "ill"], resamples=0, decision=decision)
    expected = {"sensitivity": 0.66667, "specificity": 0.33333, "precision": 0.5, "threshold": 0.3}
    assert found["image"]["operating_point"] == {"ill": expected}
    expected = {"sensitivity": 0.5, "specificity": 1, "precision": 1, "threshold": 0.55}
    assert found["patient"]["operating_point"] == {"ill": expected}


def test_an_operating_point_lies_on_its_curves(draw):
    frame = draw(80, ("well", "ill"), seed=4)
    found = curves(frame, ["well", "ill"], resamples=0)["image"]
    point = found["operating_point"]["ill"]
    false, true, _ = roc_curve(frame["target"] == "ill", frame["p_ill"], drop_intermediate=False)
    distance = np.hypot(false - (1 - point["specificity"]), true - point["sensitivity"])
    assert distance.min() == pytest.approx(0, abs=2e-5)


def test_without_any_yes_the_precision_is_undefined():
    frame = two_classes([1, 0, 0], [0.4, 0.3, 0.1])
    point = curves(frame, ["well", "ill"], resamples=0)["image"]["operating_point"]["ill"]
    assert point == {"sensitivity": 0, "specificity": 1, "precision": None, "threshold": 0.5}


def test_reliability_before_and_after_the_temperature(draw):
    raw = draw(80, ("well", "ill"), seed=6)
    decision = Decision(temperature=2.0)
    frame = apply_decision(raw, ["well", "ill"], decision)
    found = curves(frame, ["well", "ill"], resamples=50, seed=1, decision=decision)
    for level, cases in cases_by_level(frame, ["well", "ill"]).items():
        after = found[level]["reliability"]["calibrated"]["ill"]
        expected = reliability_points(cases, 50, 1)["ill"]
        assert after["n"] == expected["n"]
        for key in ("predicted", "observed", "low", "high"):
            assert after[key] == pytest.approx(expected[key], abs=1e-5)
    before = found["image"]["reliability"]["uncalibrated"]["ill"]
    expected = reliability_points(cases_by_level(raw, ["well", "ill"])["image"], 50, 1)["ill"]
    assert before["predicted"] == pytest.approx(expected["predicted"], abs=1e-4)
    assert "uncalibrated" not in curves(raw, ["well", "ill"], resamples=0)["image"]["reliability"]


def test_studies_and_patients_have_curves_of_their_own(draw):
    frame = draw(60, ("well", "ill"), patients=15, seed=7)
    frame["target"] = np.where(frame["patient"].astype(int) % 2, "ill", "well")
    found = curves(frame, ["well", "ill"], resamples=0)
    assert list(found) == ["image", "patient"]
    united = frame.groupby("patient").agg(target=("target", "first"), p_ill=("p_ill", "mean"))
    expected = reference_roc(united["target"] == "ill", united["p_ill"])
    assert found["patient"]["roc"]["ill"]["y"][1:] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("targets", [[0, 0, 0], [1, 1, 1]])
def test_one_class_alone_has_no_curves(targets):
    found = curves(two_classes(targets, [0.9, 0.4, 0.2]), ["well", "ill"], resamples=20)["image"]
    assert [found[kind] for kind in ("roc", "pr", "net_benefit", "operating_point")] == [{}] * 4
    assert len(found["reliability"]["calibrated"]["ill"]["n"]) == 1


def test_an_absent_class_has_no_curves(draw):
    frame = draw(40)
    frame = frame[frame["target"] != "b"].reset_index(drop=True)
    found = curves(frame, ["a", "b", "c"], resamples=20)["image"]
    assert list(found["roc"]) == list(found["pr"]) == ["a", "c"]


def test_one_patient_has_no_bands(draw):
    found = curves(draw(20, ("well", "ill"), patients=1, seed=2), ["well", "ill"], resamples=20)["image"]
    assert found["roc"]["ill"]["low"] == found["net_benefit"]["ill"]["high"] == []


def test_points_can_be_written(draw):
    # Few with the class: some resamples have none, and others of it lie in one bin alone.
    frame = two_classes([1, 0, 0, 0, 0, 0], [0.7, 0.6, 0.2, 0.1, 0.3, 0.4])
    found = curves(frame, ["well", "ill"], resamples=100)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    several = curves(draw(30, multilabel=True), ["a", "b", "c"], multilabel=True, resamples=20)
    assert json.loads(json.dumps(several, allow_nan=False)) == several


def test_the_same_seed_gives_the_same_bands_in_any_order_of_rows(draw):
    frame = draw(40, ("well", "ill"), seed=8)
    first = curves(frame, ["well", "ill"], resamples=30, seed=1)
    assert curves(frame.sample(frac=1, random_state=0), ["well", "ill"], resamples=30, seed=1) == first
    assert curves(frame, ["well", "ill"], resamples=30, seed=2) != first


def test_a_table_that_cannot_be_scored_is_refused(draw):
    with pytest.raises(DataError, match="no column p_ill"):
        curves(draw(10, ("well", "sick")), ["well", "ill"])


def test_curves_of_folds_have_the_thresholds_of_all_and_of_repeats_the_first(draw):
    frame = draw(60, classes=("well", "ill"))
    fold = pd.factorize(frame["patient"])[0] % 2
    folds = FoldDecisions({k: Decision(thresholds={"image": {"ill": value}}) for k, value in ((0, 0.3), (1, 0.6))})
    table = apply_decision(frame.assign(fold=fold), ["well", "ill"], folds)
    found = curves(table, ["well", "ill"], resamples=0, decision=folds)
    point = found["image"]["operating_point"]["ill"]
    assert point["threshold"] is None
    assert point["thresholds"] == {"0": 0.3, "1": 0.6}
    said = frame["p_ill"].to_numpy() >= np.where(fold == 0, 0.3, 0.6)
    assert point["sensitivity"] == pytest.approx(said[frame["target"] == "ill"].mean(), abs=1e-5)
    # The order of the curve itself is that of the probabilities, whatever the fold.
    alone = curves(frame, ["well", "ill"], resamples=0)["image"]["roc"]
    assert found["image"]["roc"] == alone
    again = draw(60, classes=("well", "ill"), seed=9).assign(target=frame["target"], patient=frame["patient"])
    pooled = pd.concat([again.assign(repeat=1), frame.assign(repeat=0)], ignore_index=True)
    assert curves(pooled, ["well", "ill"], resamples=0)["image"]["roc"] == alone
