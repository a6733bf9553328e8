import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.special import expit
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from medvision.evaluation.calibration import expected_calibration_error
from medvision.evaluation.cases import image_cases
from medvision.evaluation.weighted import Scorer, rank_cases, ranked_areas

CLASSES = ["a", "b", "c"]


def reference(frame, classes, weights):
    """The metrics of scikit-learn with `sample_weight`."""
    y, said, w = frame["target"], frame["predicted"], weights
    chances = frame[[f"p_{name}" for name in classes]].to_numpy()
    settings = {"labels": classes, "average": None, "sample_weight": w, "zero_division": np.nan}
    found = {
        "accuracy": sk.accuracy_score(y, said, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(y, said, sample_weight=w),
        "f1": sk.f1_score(y, said, labels=classes, average="macro", sample_weight=w),
        "kappa": sk.cohen_kappa_score(y, said, labels=classes, sample_weight=w),
        "log_loss": sk.log_loss(y, chances, labels=classes, sample_weight=w),
    }
    of_class = {
        "sensitivity": sk.recall_score(y, said, **settings),
        "precision": sk.precision_score(y, said, **settings),
        "npv": [sk.precision_score(y != c, said != c, sample_weight=w) for c in classes],
        "f1": sk.f1_score(y, said, **settings),
        "specificity": [sk.recall_score(y != c, said != c, sample_weight=w) for c in classes],
        "auroc": [sk.roc_auc_score(y == c, frame[f"p_{c}"], sample_weight=w) for c in classes],
        "average_precision": [sk.average_precision_score(y == c, frame[f"p_{c}"], sample_weight=w) for c in classes],
    }
    for name, values in of_class.items():
        found |= {f"{name}_{c}": value for c, value in zip(classes, values, strict=True)}
    for name in ("auroc", "average_precision"):
        found[name] = of_class[name][1] if len(classes) == 2 else np.mean(of_class[name])
    return found | reference_calibration(frame, classes, w)


def reference_calibration(frame, classes, w):
    truth = np.array([frame["target"] == c for c in classes]).T
    chances = frame[[f"p_{name}" for name in classes]].to_numpy()
    if len(classes) == 2:
        found = {"brier": sk.brier_score_loss(truth[:, 1], chances[:, 1], sample_weight=w)}
        scores, came_true = chances[:, 1], truth[:, 1]
    else:
        found = {"brier": len(classes) * sk.mean_squared_error(truth.astype(float), chances, sample_weight=w)}
        scores, came_true = chances.max(axis=1), (frame["target"] == frame["predicted"]).to_numpy()
    rows = np.repeat(np.arange(len(frame)), w.astype(int))
    found["ece"] = expected_calibration_error(scores[rows], came_true[rows], np.ones((len(rows), 1)))[0]
    for k, name in enumerate(classes):
        if len(classes) == 2 and k == 0:
            continue
        suffix = "" if len(classes) == 2 else f"_{name}"
        least = np.finfo(np.float64).eps
        logits = np.log(np.maximum(chances[:, k], least) / np.maximum(1 - chances[:, k], least))
        model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000, solver="newton-cholesky")
        model.fit(logits[:, None], truth[:, k], sample_weight=w)
        found[f"calibration_slope{suffix}"] = model.coef_[0, 0]
        balance = brentq(lambda a, z=logits, t=truth[:, k]: w @ (t - expit(a + z)), -20, 20, xtol=1e-13)
        found[f"calibration_intercept{suffix}"] = balance
    return found


def close(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        fitted = name.startswith("calibration")
        assert float(found[name][0]) == pytest.approx(value, abs=1e-6 if fitted else 1e-12, nan_ok=True), name


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "c"]])
@pytest.mark.parametrize("seed", range(4))
def test_every_metric_is_that_of_scikit_learn_with_ties_and_weights(draw, classes, seed):
    frame = draw(80, classes, seed=seed)
    score = Scorer(image_cases(frame, classes))
    close(score(np.ones((80, 1))), reference(frame, classes, np.ones(80)))
    weights = np.random.default_rng(seed).integers(0, 4, 80)
    close(score(weights[:, None].astype(float)), reference(frame, classes, weights))


@pytest.mark.parametrize("multilabel", [False, True])
def test_a_weight_is_a_repeated_row(draw, multilabel):
    frame = draw(40, CLASSES, multilabel=multilabel)
    weights = np.random.default_rng(1).integers(0, 4, 40)
    repeated = frame.loc[np.repeat(frame.index, weights)]
    found = Scorer(image_cases(frame, CLASSES, multilabel=multilabel))(weights[:, None].astype(float))
    again = Scorer(image_cases(repeated, CLASSES, multilabel=multilabel))(np.ones((len(repeated), 1)))
    for name in found:
        np.testing.assert_allclose(found[name], again[name], rtol=1e-8, atol=1e-10, err_msg=name)


def test_labels_are_those_of_scikit_learn(draw):
    frame = draw(70, CLASSES, multilabel=True)
    cases = image_cases(frame, CLASSES, multilabel=True)
    weights = np.random.default_rng(0).integers(0, 4, 70)
    found = {name: float(value[0]) for name, value in Scorer(cases)(weights[:, None].astype(float)).items()}
    y, said, chances = cases.truth, cases.predicted, cases.probabilities
    with_weights = {"average": "macro", "sample_weight": weights}
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(y, said, sample_weight=weights))
    assert found["f1"] == pytest.approx(sk.f1_score(y, said, **with_weights))
    assert found["sensitivity"] == pytest.approx(sk.recall_score(y, said, **with_weights))
    assert found["specificity"] == pytest.approx(sk.recall_score(~y, ~said, **with_weights))
    assert found["auroc"] == pytest.approx(sk.roc_auc_score(y, chances, **with_weights))
    assert found["average_precision"] == pytest.approx(sk.average_precision_score(y, chances, **with_weights))
    losses = [sk.log_loss(y[:, k], chances[:, k], labels=[0, 1], sample_weight=weights) for k in range(3)]
    assert found["log_loss"] == pytest.approx(np.mean(losses))
    briers = [sk.brier_score_loss(y[:, k], chances[:, k], sample_weight=weights) for k in range(3)]
    assert found["brier"] == pytest.approx(np.mean(briers))
    each = [expected_calibration_error(chances[:, k], y[:, k], weights[:, None].astype(float))[0] for k in range(3)]
    assert found["ece"] == pytest.approx(np.mean(each))
    assert {name for name in found if "calibration" in name} == {
        f"calibration_{what}_{name}" for what in ("slope", "intercept") for name in CLASSES
    }
    assert "kappa" not in found
    assert "balanced_accuracy" not in found


def test_numbers_worked_by_hand():
    frame = pd.DataFrame(
        {
            "image": list("12345"),
            "target": ["a", "a", "a", "b", "b"],
            "predicted": ["a", "a", "b", "b", "a"],
            "p_b": [0.1, 0.3, 0.6, 0.6, 0.3],
        }
    )
    frame["p_a"] = 1 - frame["p_b"]
    found = {name: v[0] for name, v in Scorer(image_cases(frame, ["a", "b"]))(np.ones((5, 1))).items()}
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["sensitivity_b"] == pytest.approx(1 / 2)
    assert found["specificity_b"] == pytest.approx(2 / 3)
    assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["precision_a"] == pytest.approx(2 / 3)
    assert found["npv_b"] == pytest.approx(2 / 3)
    assert found["brier"] == pytest.approx((0.01 + 0.09 + 0.36 + 0.16 + 0.49) / 5)
    assert found["f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    # Of 2 × 3 pairs: 0.6 beats 0.1 and 0.3 and ties with 0.6; 0.3 beats 0.1, ties with 0.3, loses to 0.6.
    assert found["auroc"] == pytest.approx((2.5 + 1.5) / 6)
    # Chance agreement: (3 × 3 + 2 × 2) / 25.
    assert found["kappa"] == pytest.approx((3 / 5 - 13 / 25) / (1 - 13 / 25))
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.7, 0.4, 0.6, 0.3]).mean())


def test_many_weightings_are_each_scored_alone(draw):
    frame = draw(50)
    score = Scorer(image_cases(frame, CLASSES))
    weights = np.random.default_rng(0).integers(0, 4, (50, 6)).astype(float)
    together = score(weights)
    for column in range(6):
        alone = score(weights[:, [column]])
        for name in together:
            np.testing.assert_allclose(together[name][column], alone[name][0], rtol=1e-12, atol=1e-14, err_msg=name)


def test_an_absent_class_is_in_no_mean(draw):
    frame = draw(90)
    frame = frame[frame["target"] != "c"]
    found = {name: v[0] for name, v in Scorer(image_cases(frame, CLASSES))(np.ones((len(frame), 1))).items()}
    undefined = {name for name, value in found.items() if np.isnan(value)}
    of_class = ("sensitivity", "precision", "npv", "f1", "auroc", "average_precision")
    assert undefined == {f"{name}_c" for name in (*of_class, "calibration_slope", "calibration_intercept")}
    for name in ("f1", "auroc", "average_precision"):
        assert found[name] == pytest.approx((found[f"{name}_a"] + found[f"{name}_b"]) / 2)
    assert found["balanced_accuracy"] == pytest.approx((found["sensitivity_a"] + found["sensitivity_b"]) / 2)


def test_a_mean_is_undefined_where_the_weights_leave_a_class_out(draw):
    frame = draw(60)
    weights = (frame["target"] != "c").to_numpy(float)[:, None]
    found = Scorer(image_cases(frame, CLASSES))(weights)
    assert np.isnan([found[name][0] for name in ("f1", "auroc", "balanced_accuracy", "auroc_c")]).all()
    assert np.isfinite(found["accuracy"][0])


def test_one_class_alone_defines_no_area_and_no_kappa(draw):
    frame = draw(30, ["a", "b"])
    frame = frame[frame["target"] == "b"].assign(predicted="b")
    found = Scorer(image_cases(frame, ["a", "b"]))(np.ones((len(frame), 1)))
    undefined = ("auroc", "average_precision", "kappa", "specificity_b", "calibration_slope", "calibration_intercept")
    assert np.isnan([found[name][0] for name in undefined]).all()
    assert found["accuracy"][0] == found["balanced_accuracy"][0] == 1


def test_equal_scores_are_one_threshold():
    ranking = rank_cases(np.full(4, 0.5), np.array([True, False, False, False]))
    auroc, precision = ranked_areas(ranking, np.ones((4, 1)))
    assert (auroc[0], precision[0]) == (0.5, 0.25)


def test_a_certain_mistake_costs_as_much_as_in_scikit_learn():
    frame = pd.DataFrame({"image": ["1", "2"], "target": ["a", "b"], "predicted": "b", "p_a": 0.0, "p_b": 1.0})
    found = Scorer(image_cases(frame, ["a", "b"]))(np.ones((2, 1)))
    assert found["log_loss"][0] == pytest.approx(sk.log_loss(["a", "b"], [[0.0, 1.0], [0.0, 1.0]]))


def test_classes_that_the_probabilities_separate_have_no_slope():
    frame = pd.DataFrame({"image": list("1234"), "target": ["a", "a", "b", "b"], "p_b": [0.1, 0.3, 0.6, 0.9]})
    frame = frame.assign(p_a=1 - frame["p_b"], predicted=frame["target"])
    found = Scorer(image_cases(frame, ["a", "b"]))(np.ones((4, 2)))
    assert np.isnan(found["calibration_slope"]).all()
    balance = brentq(lambda a: 2 - expit(a + np.log(frame["p_b"] / frame["p_a"])).sum(), -9, 9)
    np.testing.assert_allclose(found["calibration_intercept"], balance, atol=1e-8)
