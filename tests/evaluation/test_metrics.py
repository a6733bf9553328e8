import json

import numpy as np
import pandas as pd
import pytest

from medvision.errors import DataError
from medvision.evaluation.metrics import classification_metrics

CLASSES = ["a", "b", "c"]


def test_every_entry_has_value_interval_and_counts(draw):
    ((level, entries),) = classification_metrics(draw(), CLASSES, resamples=50).items()
    assert level == "image"
    assert entries["absent_classes"] == {"value": []}
    matrix = np.array(entries["confusion_matrix"]["value"])
    assert entries["confusion_matrix"]["classes"] == CLASSES
    assert matrix.sum() == 60
    assert np.trace(matrix) / 60 == entries["accuracy"]["value"]
    for name in set(entries) - {"absent_classes", "confusion_matrix"}:
        entry = entries[name]
        assert entry["low"] <= entry["value"] <= entry["high"], name
        assert (entry["n"], entry["patients"]) == (60, 15)


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
    assert 0.87 <= covered / 120 <= 1
