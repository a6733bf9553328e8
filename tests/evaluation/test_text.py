import pytest

from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.text import classification_report, count_text

NAMES = ["Suprapatellar quadriceps", "Medial", "Lateral", "Femoral"]


def report(frame, classes, **settings):
    return classification_report(classification_metrics(frame, classes, **{"resamples": 30, **settings}))


def test_a_report_holds_values_counts_and_the_matrix(draw):
    frame = draw(60, ["no", "yes"])
    text = report(frame, ["no", "yes"])
    accuracy = (frame["target"] == frame["predicted"]).mean()
    assert "60 images of 15 patients" in text
    assert f"accuracy           {accuracy:.3f} [" in text
    assert "Confusion matrix, per image (rows: true, columns: predicted)" in text
    for line in ("AUROC", "Cohen's kappa", "sensitivity", "By class, per image"):
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
    assert "An interval without width" in report(perfect, NAMES)


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


def test_labels_have_a_report_without_a_matrix(draw):
    text = report(draw(multilabel=True), ["a", "b", "c"], multilabel=True)
    assert "Confusion matrix" not in text
    assert "sensitivity (mean)" in text


def test_counts_are_words(draw):
    metrics = classification_metrics(draw(30).assign(patient="1"), ["a", "b", "c"], resamples=0)
    assert count_text(metrics["image"], "image") == "30 images of 1 patient"
    metrics = classification_metrics(draw(30).assign(patient=None), ["a", "b", "c"], resamples=0)
    assert count_text(metrics["image"], "image") == "30 images"
