import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medvision.errors import DataError
from medvision.evaluation.bootstrap import bootstrap_metrics, jackknife_metrics
from medvision.evaluation.cases import image_cases
from medvision.evaluation.decision import Decision, FoldDecisions, apply_decision
from medvision.evaluation.intervals import (
    bca_interval,
    jackknife_interval,
    mirrored_interval,
    percentile_interval,
    separated_interval,
    wilson_interval,
)
from medvision.evaluation.metrics import UNCALIBRATED, classification_metrics, patients_behind
from medvision.evaluation.weighted import Scorer

CLASSES = ["a", "b", "c"]


def test_every_entry_has_value_interval_and_counts(draw):
    ((level, entries),) = classification_metrics(draw(), CLASSES, resamples=50).items()
    assert level == "image"
    assert entries["absent_classes"] == {"value": []}
    matrix = np.array(entries["confusion_matrix"]["value"])
    assert entries["confusion_matrix"]["classes"] == CLASSES
    assert matrix.sum() == 60
    assert np.trace(matrix) / 60 == entries["accuracy"]["value"]
    frame = draw()
    assert entries["confusion_matrix"]["class_patients"] == [
        frame.loc[frame["target"] == name, "patient"].nunique() for name in CLASSES
    ]
    for name in set(entries) - {"absent_classes", "confusion_matrix"}:
        entry = entries[name]
        assert entry["low"] <= entry["value"] <= entry["high"], name
        method = "mirrored" if name == "ece" else "jackknife" if name.startswith("calibration_slope") else "bca"
        assert (entry["n"], entry["patients"], entry["method"]) == (60, 15, method)


def test_the_order_of_the_rows_and_a_second_run_change_nothing(draw):
    frame = draw()
    found = classification_metrics(frame, CLASSES, resamples=40, seed=1)
    assert found == classification_metrics(frame, CLASSES, resamples=40, seed=1)
    shuffled = classification_metrics(frame.sample(frac=1, random_state=0), CLASSES, resamples=40, seed=1)
    assert shuffled["image"]["f1"] == pytest.approx(found["image"]["f1"])
    other = classification_metrics(frame, CLASSES, resamples=40, seed=2)
    assert other["image"]["f1"]["low"] != found["image"]["f1"]["low"]


def test_undefined_is_null_never_nan(draw):
    frame = draw(90)
    found = classification_metrics(frame[frame["target"] != "c"], CLASSES, resamples=20)
    assert found["image"]["absent_classes"] == {"value": ["c"]}
    assert found["image"]["auroc_c"]["value"] is None
    assert found["image"]["auroc_c"]["low"] is None
    assert found["image"]["confusion_matrix"]["value"][2] == [0, 0, 0]
    json.dumps(found, allow_nan=False)


def test_resamples_without_a_class_are_counted(draw):
    frame = draw(60, ["a", "b"], patients=30)
    frame.loc[frame["target"] == "b", "target"] = "a"
    frame.loc[0, "target"] = "b"
    entry = classification_metrics(frame, ["a", "b"], resamples=300)["image"]["auroc"]
    # A patient is left out of a resample with a chance of about 1/e.
    assert entry["undefined_resamples"] / 300 == pytest.approx(np.exp(-1), abs=0.1)
    # The resamples that have the one patient with the class say nothing about others with it.
    assert (entry["value"] is None, entry["low"]) == (False, None)
    two = frame["patient"].unique()[:2]
    frame["target"] = np.where(frame["patient"].isin(two), "b", "a")
    entry = classification_metrics(frame, ["a", "b"], resamples=300)["image"]["auroc"]
    assert entry["undefined_resamples"] / 300 == pytest.approx(np.exp(-2), abs=0.07)
    assert entry["low"] is not None


@pytest.mark.parametrize(("patient", "resamples"), [("one", 20), (None, 0)])
def test_one_patient_or_no_resamples_give_no_interval(draw, patient, resamples):
    found = classification_metrics(draw().assign(patient=patient), CLASSES, resamples=resamples)
    assert (found["image"]["f1"]["low"], found["image"]["f1"]["high"]) == (None, None)
    assert found["image"]["f1"]["value"] is not None
    json.dumps(found, allow_nan=False)


def test_labels_have_counts_instead_of_a_matrix(draw):
    frame = draw(multilabel=True)
    entries = classification_metrics(frame, CLASSES, multilabel=True, resamples=20)["image"]
    assert "confusion_matrix" not in entries
    said, true = frame["predicted"].str.contains("b"), frame["target"].str.contains("b")
    expected = {"tp": (said & true).sum(), "fp": (said & ~true).sum(), "fn": (~said & true).sum()}
    assert entries["label_counts"]["value"][1] == {**expected, "tn": 60 - sum(expected.values())}
    json.dumps(entries, allow_nan=False)


def test_images_without_any_label_can_be_scored():
    frame = pd.DataFrame({"image": ["1", "2"], "target": ["", "a"], "predicted": "", "p_a": [0.1, 0.4], "p_b": 0.2})
    entries = classification_metrics(frame, ["a", "b"], multilabel=True, resamples=0)["image"]
    assert entries["absent_classes"] == {"value": ["b"]}
    assert (entries["accuracy"]["value"], entries["auroc"]["value"]) == (0.5, 1)


def test_nan_probabilities_are_an_error(draw):
    frame = draw()
    frame.loc[3, "p_b"] = np.nan
    with pytest.raises(DataError, match="3.png"):
        classification_metrics(frame, CLASSES)


def test_images_of_a_patient_that_go_together_make_the_interval_wider():
    random = np.random.default_rng(0)
    patients, each = 30, 8
    target = np.repeat(random.choice(["a", "b"], patients), each)
    right = np.repeat(random.random(patients) < 0.75, each)
    chances = np.where((target == "b") == right, 0.8, 0.2)
    frame = pd.DataFrame({"image": np.arange(patients * each).astype(str), "target": target})
    frame = frame.assign(predicted=np.where(chances > 0.5, "b", "a"), p_a=1 - chances, p_b=chances)
    by_image = classification_metrics(frame, ["a", "b"], resamples=500)["image"]["accuracy"]
    frame["patient"] = np.repeat(np.arange(patients).astype(str), each)
    by_patient = classification_metrics(frame, ["a", "b"], resamples=500)["image"]["accuracy"]
    assert by_patient["value"] == by_image["value"]
    widths = [entry["high"] - entry["low"] for entry in (by_patient, by_image)]
    # The images of a patient are all right or all wrong: eight images say as much as one.
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(each), rel=0.25)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(120):
        skill = np.repeat(random.beta(6, 2, 40), 5)
        right = random.random(200) < skill
        frame = pd.DataFrame({"image": np.arange(200).astype(str), "target": random.choice(["a", "b"], 200)})
        said = np.where((frame["target"] == "b") == right, "b", "a")
        chances = np.where(said == "b", 0.7, 0.3)
        frame = frame.assign(
            predicted=said, p_a=1 - chances, p_b=chances, patient=np.repeat(np.arange(40), 5).astype(str)
        )
        entry = classification_metrics(frame, ["a", "b"], resamples=200)["image"]["accuracy"]
        covered += entry["low"] <= 6 / 8 <= entry["high"]
    assert 0.9 <= covered / 120 <= 1


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_are_of_resamples_and_of_the_patients_that_decide(draw, method):
    frame = draw(80, patients=20)
    entries = classification_metrics(frame, CLASSES, resamples=60, seed=3, interval=method)["image"]
    cases = image_cases(frame, CLASSES)
    drawn = bootstrap_metrics(Scorer(cases), cases.groups, 60, 3)
    alone = [Scorer(image_cases(frame[cases.groups != k], CLASSES)) for k in range(cases.patients)]
    without = [score(np.ones((len(score.cases.truth), 1))) for score in alone]
    everybody = frame["patient"].nunique()
    sick = frame.loc[frame["target"] == "b", "patient"].nunique()
    calm = frame.loc[frame["predicted"] != "b", "patient"].nunique()
    assert sick < calm
    for name, n in (("accuracy", everybody), ("brier", everybody), ("sensitivity_b", sick), ("npv_b", calm)):
        if method == "bca":
            left_out = np.array([values[name][0] for values in without])
            expected = bca_interval(drawn[name], entries[name]["value"], left_out, patients=n)
        else:
            expected = percentile_interval(drawn[name], patients=n)
        assert (entries[name]["low"], entries[name]["high"]) == pytest.approx(expected), name
        assert entries[name]["method"] == method


def answers(truth, said, patients):
    """Two classes; every answer has a chance of its own, on its side of a half."""
    said = np.array(list(said))
    chances = np.where(said == "b", 0.6, 0.1) + np.arange(len(said)) / 1000
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(len(said))], "target": list(truth), "predicted": said})
    return frame.assign(patient=list(patients), p_a=1 - chances, p_b=chances)


def test_the_patients_behind_a_metric_by_hand():
    # Patient w has images of both classes; b is predicted for x and z alone.
    cases = image_cases(answers("aaabbab", "aababaa", "wwxwyzv"), ["a", "b"])
    behind = patients_behind(cases)
    # a: w, x, z; b: w, y, v. Predicted a: w, z, v; b: x, y. F1 of a: w, x, z, v; of b: w, y, v, x.
    expected = {
        "sensitivity_a": 3,
        "specificity_a": 3,
        "sensitivity_b": 3,
        "precision_b": 2,
        "npv_b": 3,
        "f1_a": 4,
        "f1_b": 4,
    }
    assert {name: behind[name] for name in expected} == expected
    rare = patients_behind(image_cases(answers("aaaaab", "aaaaab", "uvwxyz"), ["a", "b"]))
    expected = {"sensitivity_a": 5, "specificity_a": 1, "precision_a": 5, "npv_a": 1}
    expected |= dict.fromkeys(["auroc", "average_precision", "calibration_slope", "calibration_intercept"], 1)
    expected |= dict.fromkeys(["f1", "sensitivity", "balanced_accuracy"], 1)
    assert {name: rare[name] for name in expected} == expected
    assert "accuracy" not in rare
    # Two patients with b are few for what is said of b; a mean over classes is of all.
    few = patients_behind(image_cases(answers("aaaabb", "aaaabb", "uvwxyz"), ["a", "b"]))
    assert (few["auroc"], few["f1_b"], few["sensitivity_b"]) == (2, 2, 2)
    assert not {"f1", "sensitivity", "balanced_accuracy"} & set(few)


def test_calibration_has_intervals_of_its_own(draw):
    frame = draw(80, ["a", "b"], patients=20)
    entries = classification_metrics(frame, ["a", "b"], resamples=60, seed=3)["image"]
    cases = image_cases(frame, ["a", "b"])
    score, patients = Scorer(cases), cases.patients
    drawn = bootstrap_metrics(score, cases.groups, 60, 3)["ece"]
    expected = mirrored_interval(drawn, entries["ece"]["value"], patients)
    assert (entries["ece"]["low"], entries["ece"]["high"]) == pytest.approx(expected)
    slope = entries["calibration_slope"]
    left_out = jackknife_metrics(score, cases.groups)["calibration_slope"]
    few = patients_behind(cases)["calibration_slope"]
    assert (slope["low"], slope["high"]) == pytest.approx(jackknife_interval(slope["value"], left_out, few))
    plain = classification_metrics(frame, ["a", "b"], resamples=60, interval="percentile")["image"]
    assert (plain["calibration_slope"]["method"], plain["ece"]["method"]) == ("percentile", "mirrored")


def test_shares_of_independent_cases_have_wilsons_interval():
    # a: 3 of 4 right; b: 5 of 6 right.
    frame = answers("aaaabbbbbb", "aaabbbbbba", "qrstuvwxyz")
    entries = classification_metrics(frame, ["a", "b"], resamples=50)["image"]
    shares = {
        "accuracy": (8, 10), "sensitivity_a": (3, 4), "specificity_a": (5, 6), "sensitivity_b": (5, 6),
        "precision_a": (3, 4), "npv_a": (5, 6), "precision_b": (5, 6), "npv_b": (3, 4),
    }  # fmt: skip
    for name, (right, n) in shares.items():
        entry = entries[name]
        assert entry["value"] == pytest.approx(right / n)
        assert (entry["low"], entry["high"]) == pytest.approx(wilson_interval(right, n)), name
        assert entry["method"] == "wilson"
    assert {entries[name]["method"] for name in ("f1", "balanced_accuracy", "auroc", "brier")} == {"bca"}
    without = classification_metrics(frame, ["a", "b"], resamples=0)["image"]
    assert (without["accuracy"]["low"], "method" in without["accuracy"]) == (None, False)


def test_shares_of_none_or_all_are_of_as_many_cases_as_patients():
    # Both images of a patient: those of a are all right, of b one is wrong.
    frame = answers("aaaaaabbbbbb", "aaaaaabbbbba", "uuvvwwxxyyzz")
    entries = classification_metrics(frame, ["a", "b"], resamples=50)["image"]
    right = entries["sensitivity_a"]
    assert (right["value"], right["method"]) == (1, "wilson")
    assert (right["low"], right["high"]) == pytest.approx(wilson_interval(3, 3))
    assert entries["precision_b"]["method"] == "wilson"
    assert {entries[name]["method"] for name in ("accuracy", "sensitivity_b", "precision_a")} == {"bca"}


def test_aurocs_of_one_or_zero_have_newcombes_interval():
    frame = answers("aaaaaabbbbbb", "aaaaaabbbbbb", "uuvvwwwxxyyz")
    entries = classification_metrics(frame, ["a", "b"], resamples=50)["image"]
    for name in ("auroc", "auroc_a", "auroc_b"):
        assert (entries[name]["value"], entries[name]["method"]) == (1, "newcombe")
        assert entries[name]["low"] == pytest.approx(separated_interval(3, 4)[0])
    swapped = classification_metrics(frame.assign(p_a=frame["p_b"], p_b=frame["p_a"]), ["a", "b"], resamples=50)
    assert (swapped["image"]["auroc"]["value"], swapped["image"]["auroc"]["low"]) == (0, 0)
    assert swapped["image"]["auroc"]["high"] == pytest.approx(1 - separated_interval(3, 4)[0])


# The decision


@pytest.mark.parametrize("multilabel", [False, True])
def test_what_the_temperature_changed_is_told_beside(draw, multilabel):
    raw = draw(90, multilabel=multilabel)
    columns = [f"p_{name}" for name in CLASSES]
    # Without ties, which the digits of a calibrated table would break.
    raw[columns] = (raw[columns] + np.random.default_rng(0).uniform(0.01, 0.2, (90, 3))) / 1.25
    if not multilabel:
        raw[columns] = raw[columns].div(raw[columns].sum(axis=1), axis=0)
    decision = Decision(temperature=2.5)
    table = apply_decision(raw, CLASSES, decision, multilabel=multilabel)
    settings = {"multilabel": multilabel, "resamples": 30, "seed": 2}
    found = classification_metrics(table, CLASSES, decision=decision, **settings)["image"]
    plain = classification_metrics(raw, CLASSES, **settings)["image"]
    assert "uncalibrated" not in plain
    before = found.pop("uncalibrated")
    assert {"log_loss", "brier", "ece", "calibration_slope_b", "calibration_intercept_b"} <= set(before)
    for name, entry in before.items():
        assert name.startswith(UNCALIBRATED)
        assert entry.pop("method", None) == plain[name].pop("method", None)
        assert entry == pytest.approx(plain[name], rel=1e-4, abs=1e-5), name
        assert found[name]["value"] != pytest.approx(entry["value"], rel=1e-3), name
    json.dumps(before, allow_nan=False)


def test_the_decision_unites_images_and_sets_thresholds():
    frame = answers("bbaa", "bbaa", "xxyy").assign(p_b=[0.1, 0.7, 0.1, 0.3])
    frame["p_a"] = 1 - frame["p_b"]

    def of(decision):
        return classification_metrics(frame, ["a", "b"], resamples=0, decision=decision)["patient"]

    assert of(Decision())["sensitivity_b"]["value"] == 0
    assert of(Decision(aggregate="max"))["sensitivity_b"]["value"] == 1
    assert of(Decision(thresholds={"patient": {"b": 0.39}}))["sensitivity_b"]["value"] == 1
    assert of(Decision(thresholds={"patient": {"b": 0.2}}))["specificity_b"]["value"] == 0


def repeated(draw, seeds=(0, 1, 2), classes=("a", "b"), **options):
    """The same images and targets, answered anew in each repeat, whose rows stand in another order each."""
    first = draw(classes=classes, **options)
    tables = []
    for repeat, seed in enumerate(seeds):
        other = draw(classes=classes, seed=seed + 100, **options)
        answers = other[["predicted", *(f"p_{name}" for name in classes)]]
        one = pd.concat([first[["image", "patient", "target"]], answers], axis=1)
        tables.append(one.assign(repeat=repeat).sample(frac=1, random_state=seed))
    return tables, pd.concat(tables, ignore_index=True)


def test_a_repeated_cross_validation_is_the_mean_of_its_repeats(draw):
    tables, pooled = repeated(draw)
    found = classification_metrics(pooled, ["a", "b"], resamples=60, seed=3)["image"]
    alone = [classification_metrics(one.drop(columns="repeat"), ["a", "b"], resamples=0)["image"] for one in tables]
    for name, entry in found.items():
        if "low" not in entry:
            continue
        values = [one[name]["value"] for one in alone]
        assert entry["repeats"] == pytest.approx(values), name
        assert entry["value"] == pytest.approx(np.mean(values)), name
        assert (entry["n"], entry["patients"]) == (60, 15)
    first = classification_metrics(tables[0].drop(columns="repeat"), ["a", "b"], resamples=0)["image"]
    assert found["confusion_matrix"] == first["confusion_matrix"]


def test_the_interval_of_repeats_draws_a_patient_in_all_of_them_at_once(draw):
    """The reference resamples patients with a loop of its own and scores every repeat with scikit-learn."""
    tables, pooled = repeated(draw, seeds=(0, 1), images=40, patients=12)
    found = classification_metrics(pooled, ["a", "b"], resamples=200, seed=5, interval="percentile")["image"]
    ordered = [one.sort_values("image", ignore_index=True) for one in tables]
    patients = pd.factorize(ordered[0]["patient"], sort=True)[0]
    random, drawn = np.random.default_rng(5), []
    for _ in range(200):
        counts = np.bincount(random.integers(12, size=12), minlength=12)[patients]
        truth = ordered[0]["target"] == "b"
        if truth[counts > 0].nunique() < 2:
            drawn.append(np.nan)
            continue
        areas = [roc_auc_score(truth, one["p_b"], sample_weight=counts) for one in ordered]
        drawn.append(np.mean(areas))
    behind = patients_behind(image_cases(ordered[0], ["a", "b"]))["auroc"]
    low, high = percentile_interval(np.array(drawn), patients=behind)
    assert found["auroc"]["low"] == pytest.approx(low)
    assert found["auroc"]["high"] == pytest.approx(high)


def test_the_same_answers_repeated_are_those_answers_once(draw):
    """Repeats make no new patients: no interval becomes narrower."""
    frame = draw(classes=("a", "b"))
    thrice = pd.concat([frame.assign(repeat=k) for k in range(3)], ignore_index=True)
    once = classification_metrics(frame.sort_values("image"), ["a", "b"], resamples=80, seed=1)["image"]
    found = classification_metrics(thrice, ["a", "b"], resamples=80, seed=1)["image"]
    for name, entry in once.items():
        if "low" in entry:
            assert [found[name][key] for key in ("value", "low", "high")] == pytest.approx(
                [entry[key] for key in ("value", "low", "high")]
            ), name


def test_shares_of_independent_cases_keep_wilsons_interval_in_repeats(draw):
    frame = draw(30, classes=("a", "b")).assign(patient=[f"{k:02d}" for k in range(30)])
    other = frame.assign(predicted=np.where(frame.index < 5, "a", frame["predicted"]), repeat=1)
    pooled = pd.concat([frame.assign(repeat=0), other], ignore_index=True)
    found = classification_metrics(pooled, ["a", "b"], resamples=40)["image"]
    low, high = wilson_interval(found["accuracy"]["value"] * 30, 30)
    assert [found["accuracy"][key] for key in ("low", "high", "method")] == [low, high, "wilson"]
    # What was predicted differs, so that the precision is of other cases in each repeat.
    assert found["precision_b"]["method"] == "bca"


def test_folds_are_scored_as_their_decisions_say_before_and_after_the_temperature(draw):
    raw = draw(80, classes=("a", "b"), patients=20)
    fold = pd.factorize(raw["patient"])[0] % 2
    chosen = [Decision(temperature=t, thresholds={"image": {"b": t / 4}}) for t in (0.8, 2.5)]
    folds = FoldDecisions({0: chosen[0], 1: chosen[1]})
    raw = raw.assign(fold=fold)
    table = apply_decision(raw, ["a", "b"], folds)
    found = classification_metrics(table, ["a", "b"], resamples=0, decision=folds)["image"]
    before = classification_metrics(raw, ["a", "b"], resamples=0)["image"]
    assert found["uncalibrated"]["log_loss"]["value"] == pytest.approx(before["log_loss"]["value"], rel=1e-4)
    right = [
        (row["p_b"] >= chosen[row["fold"]].threshold("image", "b")) == (row["target"] == "b")
        for row in table.to_dict("records")
    ]
    assert found["accuracy"]["value"] == pytest.approx(np.mean(right))
