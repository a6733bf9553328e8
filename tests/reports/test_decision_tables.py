import pytest

from medvision.reports.decision_tables import (
    calibration_table,
    decided_classes,
    decision_sentences,
    operating_table,
    temperature_text,
)
from tests.reports.told import DECISION, LABELS, entry

TEN = ["whole", "torn"]


def sentences(answering="test", classes=TEN, multilabel=False, **changes):
    return decision_sentences({**DECISION, **changes}, classes, answering, multilabel=multilabel)


def test_which_classes_have_a_threshold():
    assert decided_classes(TEN, multilabel=False) == ["torn"]
    assert decided_classes(TEN, multilabel=True) == TEN
    assert decided_classes(["a", "b", "c"], multilabel=False) == []


def test_the_rule_comes_with_the_split_it_was_chosen_on():
    (said,) = sentences()
    assert "Youden" in said
    assert said.endswith(
        "chosen on the validation split (12 images of 4 patients) and applied to the test split as it was."
    )
    (said,) = sentences(rule="sensitivity>=0.95")
    assert said.startswith("The threshold is that of a sensitivity of at least 0.95 with the largest specificity")
    (said,) = sentences(rule="specificity>=0.9")
    assert "a specificity of at least 0.9 with the largest sensitivity" in said
    assert "F1" in sentences(rule="f1")[0]
    assert sentences(rule=0.3) == ["The threshold 0.3 was set beforehand, not chosen from data."]
    assert "too good" in sentences("val")[0]
    assert "no threshold" in sentences(classes=["a", "b", "c"])[0]


def test_notes_are_told_where_they_belong():
    notes = ["temperature 1: the validation split has no mistakes", "image, torn: it was not reached"]
    assert sentences(notes=notes)[1:] == notes[1:]
    told = temperature_text({**DECISION, "temperature": 1.0, "notes": notes}, "test")
    assert told == "The probabilities are those of the network: temperature 1, as the validation split has no mistakes."


def test_the_temperature_is_told():
    assert "by the temperature 1.700, chosen on the validation split" in temperature_text(DECISION, "test")


def test_the_operating_point_by_level_and_class():
    matrix = {**LABELS["confusion_matrix"], "class_patients": [12, 5]}
    levels = {"image": {**LABELS, "confusion_matrix": matrix}}
    levels["study"] = levels["image"]
    table = operating_table(levels, DECISION, TEN, "test", multilabel=False)
    assert table.heads == [
        "class and level", "threshold", "have the class", "sensitivity", "specificity", "PPV", "NPV",
    ]  # fmt: skip
    (image, cells), (study, others) = table.rows
    assert (image, study) == ("torn, per image", "torn, per study")
    assert cells[0] == ("0.42", [])
    assert others[0] == ("0.37", [])
    assert cells[1] == ("6*", ["5 patients"])
    assert cells[2] == ("0.80", ["0.50–0.95"])
    assert cells[5] == ("0.95", [])
    assert "* Fewer than 10 patients have the class: torn per image (5), torn per study (5)." in table.notes


def test_several_labels_have_a_row_each():
    counts = {"classes": TEN, "value": [{"tp": 9, "fn": 1}, {"tp": 3, "fn": 2}], "class_patients": [10, 5]}
    metrics = {f"{name}_{label}": entry(0.5) for name in ("sensitivity", "specificity", "precision") for label in TEN}
    metrics |= {"accuracy": entry(0.5), "label_counts": counts}
    table = operating_table({"image": metrics}, DECISION, TEN, "test", multilabel=True)
    assert [(title, cells[0][0], cells[1][0]) for title, cells in table.rows] == [
        ("whole, per image", "0.5", "10"),
        ("torn, per image", "0.42", "5*"),
    ]
    assert "NPV" not in table.heads


def test_without_thresholds_there_is_no_table():
    assert operating_table({"image": LABELS}, DECISION, ["a", "b", "c"], "test", multilabel=False) is None


def test_calibration_by_level_before_and_after():
    before = {"brier": entry(0.2), "ece": entry(0.12, 0.08, 0.2)}
    plain = {name: value for name, value in LABELS.items() if name != "uncalibrated"}
    table = calibration_table({"image": {**LABELS, "uncalibrated": before}, "study": plain}, "test")
    assert table.heads == ["measure", "image, before", "image, after", "study"]
    rows = dict(table.rows)
    assert [cell[0] for cell in rows["Brier score"]] == ["0.20", "0.10", "0.10"]
    assert rows["calibration error (ECE)"][0] == ("0.12", ["0.08–0.20"])


def test_classes_have_their_own_slopes():
    metrics = {"accuracy": entry(1.0), "brier": entry(0.1), "calibration_slope_a": entry(0.9)}
    rows = dict(calibration_table({"image": metrics}, "test").rows)
    assert list(rows) == ["Brier score", "calibration slope: a"]


@pytest.mark.parametrize("metrics", [{}, {"image": {"accuracy": entry(1.0), "log_loss": entry(0.1)}}])
def test_nothing_measured_is_no_table(metrics):
    assert calibration_table(metrics, "test") is None
