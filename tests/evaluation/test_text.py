import numpy as np
import pandas as pd
import pytest

from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.text import (
    class_count_texts,
    classification_report,
    count_text,
    few_events,
    interval_text,
    supported_digits,
    value_text,
)

NAMES = ["Suprapatellar quadriceps", "Medial", "Lateral", "Femoral"]


def report(frame, classes, **settings):
    return classification_report(classification_metrics(frame, classes, **{"resamples": 30, **settings}))


def test_a_report_holds_values_counts_and_the_matrix(draw):
    frame = draw(60, ["no", "yes"])
    text = report(frame, ["no", "yes"])
    accuracy = (frame["target"] == frame["predicted"]).mean()
    assert "60 images of 15 patients" in text
    assert f"accuracy                 {accuracy:.2f} [" in text
    assert "Confusion matrix, per image (rows: true, columns: predicted)" in text
    for line in (
        "AUROC",
        "Cohen's kappa",
        "Brier score",
        "calibration error (ECE)",
        "calibration slope",
        "sensitivity",
        "By class, per image",
    ):
        assert line in text


@pytest.mark.parametrize("classes", [["a", "b"], NAMES, [f"class {k}" for k in range(15)], list(map(str, range(40)))])
def test_no_line_is_wider_than_the_terminal(draw, classes):
    frame = draw(400, classes, patients=90)
    frame["study"] = frame["image"]
    text = report(frame, classes)
    assert max(map(len, text.splitlines())) <= 100
    assert "400 studies of" in text


def test_what_is_absent_or_uncertain_is_said(draw):
    frame = draw(90, NAMES)
    frame = frame[frame["target"] != "Medial"]
    assert "Not in this split, and in no mean: Medial." in report(frame, NAMES)
    assert "No intervals: one patient says nothing about others." in report(frame.assign(patient="1"), NAMES)
    assert "No intervals: no resamples." in report(frame, NAMES, resamples=0)
    perfect = frame.assign(predicted=frame["target"])
    assert "all of them give the same value" in " ".join(report(perfect, NAMES).split())


def test_too_few_patients_for_an_interval_are_said(draw):
    frame = draw(60, ["a", "b", "c"], patients=30).assign(target="a")
    frame.loc[:1, "target"] = ["b", "c"]
    assert "fewer than half of the resamples" in report(frame, ["a", "b", "c"], resamples=200)


def test_intervals_from_few_patients_come_with_a_warning(draw):
    few = draw(200, ["a", "b"], patients=19)
    assert "Only 19 patients: interpret the intervals with care." in report(few, ["a", "b"])
    assert "with care" not in report(draw(200, ["a", "b"], patients=20), ["a", "b"])
    assert "with care" not in report(few, ["a", "b"], resamples=0)
    alone = draw(19, ["a", "b"]).drop(columns="patient")
    assert "Only 19 images: interpret the intervals with care." in report(alone, ["a", "b"])


def rare(images=200, patients=40, sick=7):
    """Of the patients a few are sick; every image has one answer."""
    number = np.arange(images) % patients
    p = np.where(number < sick, 0.6, 0.2) + np.arange(images) / 1000
    target = np.where(number < sick, "sick", "well")
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(images)], "target": target, "predicted": target})
    return frame.assign(patient=number.astype(str), p_well=1 - p, p_sick=p)


def test_a_class_of_few_patients_is_marked_and_told():
    metrics = classification_metrics(rare(), ["well", "sick"], resamples=30)
    assert few_events(metrics["image"]) == {"sick": 7}
    assert class_count_texts(metrics["image"]) == {"well": "165", "sick": "35*"}
    text = classification_report(metrics)
    assert "* Fewer than 10 patients have the class, so interpret what is said of it with care: sick (7)." in text
    assert "\nsick   35*  " in text
    assert "\nsick   7*  " in text
    enough = classification_metrics(rare(sick=10), ["well", "sick"], resamples=30)
    assert few_events(enough["image"]) == {}
    assert "*" not in classification_report(enough)
    labels = classification_metrics(rare(), ["well", "sick"], multilabel=True, resamples=0)
    assert few_events(labels["image"]) == {"sick": 7}


def test_a_class_of_nobody_is_absent_not_few():
    metrics = classification_metrics(rare(sick=0), ["well", "sick"], resamples=0)
    assert few_events(metrics["image"]) == {}


def test_intervals_by_formula_are_told(draw):
    frame = rare(80)
    frame.loc[0, "predicted"] = "well"
    notes = classification_report(classification_metrics(frame, ["well", "sick"], resamples=30))
    # The one mistake is an image of a sick patient, whose other image is right.
    said = (
        "Per image, Wilson's intervals where all or none of the answers are right, of as many cases as patients: "
        "sensitivity (well), specificity (sick), precision (sick), NPV (well)."
    )
    assert said in notes.replace("\n", " ")
    assert "Per patient, each case is of another patient: Wilson's intervals of accuracy" in notes
    assert "Per image, Newcombe's intervals of AUROCs of 0 or 1." in notes
    blurred = classification_report(classification_metrics(draw(), ["a", "b", "c"], resamples=30))
    assert "Wilson" not in blurred
    assert "Newcombe" not in blurred
    assert "Wilson" not in classification_report(classification_metrics(frame, ["well", "sick"], resamples=0))


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(None, None, ""), (0.1, 0.25, "0.100–0.250"), (-0.3, -0.1, "-0.300 to -0.100"), (-1e-5, 0.1, "0.000 to 0.100")],
)
def test_intervals_are_text(low, high, text):
    assert interval_text({"low": low, "high": high}) == text


@pytest.mark.parametrize(
    ("n", "digits"), [(0, 2), (1, 2), (10, 2), (11, 2), (100, 2), (101, 3), (1000, 3), (100_000, 3)]
)
def test_an_entry_has_as_many_digits_as_its_cases_support(n, digits):
    assert supported_digits({"n": n}) == digits
    assert supported_digits({"n": n}, 2) == min(digits, 2)


def test_what_is_no_share_of_cases_has_the_digits_that_are_asked_for():
    assert supported_digits({}) == 3
    assert supported_digits({}, 2) == 2
    assert supported_digits({"n": 5, "unit": "mm"}) == 3
    assert supported_digits({"n": 5, "unit": "mm"}, 1) == 1


@pytest.mark.parametrize(
    ("n", "value", "interval", "below_zero"),
    [
        (100, "0.81", "0.68–0.91", "-0.29 to 0.91"),
        (101, "0.812", "0.679–0.912", "-0.288 to 0.912"),
    ],
)
def test_a_value_and_its_interval_have_the_same_digits(n, value, interval, below_zero):
    entry = {"value": 0.8123, "low": 0.6789, "high": 0.9123, "n": n}
    assert (value_text(entry), interval_text(entry)) == (value, interval)
    assert interval_text({**entry, "low": -0.2877}) == below_zero
    assert value_text({**entry, "value": None}) == "–"
    lengths = {**entry, "unit": "mm"}
    assert (value_text(lengths, 2), interval_text(lengths, 2)) == ("0.81", "0.68–0.91")


@pytest.mark.parametrize(("images", "digits"), [(100, 2), (101, 3)])
def test_a_report_has_no_more_digits_than_its_cases_support(draw, images, digits):
    frame = draw(images, ["no", "yes"]).drop(columns="patient")
    accuracy = (frame["target"] == frame["predicted"]).mean()
    assert f"accuracy                 {accuracy:.{digits}f} [" in report(frame, ["no", "yes"])


def test_labels_have_a_report_without_a_matrix(draw):
    text = report(draw(multilabel=True), ["a", "b", "c"], multilabel=True)
    assert "Confusion matrix" not in text
    assert "sensitivity (mean)" in text


def test_counts_are_words(draw):
    metrics = classification_metrics(draw(30).assign(patient="1"), ["a", "b", "c"], resamples=0)
    assert count_text(metrics["image"], "image") == "30 images of 1 patient"
    metrics = classification_metrics(draw(30).assign(patient=None), ["a", "b", "c"], resamples=0)
    assert count_text(metrics["image"], "image") == "30 images"
