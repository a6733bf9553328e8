import pytest

from medvision.evaluation.decision import Decision, FoldDecisions
from medvision.reports.thresholds import (
    any_decision,
    decision_notes,
    known_threshold,
    point_thresholds,
    range_text,
    source_counts,
    threshold_text,
)


def decided(threshold, *, n=10, patients=4, notes=()):
    source = {"split": "val", "n": n, "patients": patients}
    return Decision(rule="youden", thresholds={"image": {"ill": threshold}}, chosen_on=source, notes=notes)


def test_a_threshold_keeps_the_digits_that_tell_it_from_an_end():
    assert [threshold_text(value) for value in (0.5, 0.41666, 0.00123, 0.99987, 1.0)] == [
        "0.5",
        "0.417",
        "0.00123",
        "0.99987",
        "1",
    ]


def test_a_range_is_one_value_where_its_ends_look_the_same():
    assert range_text([0.3, 0.62, 0.31]) == "0.3 to 0.62"
    assert range_text([0.50001, 0.50002]) == "0.5"
    assert range_text([12, 1500], "{:,}") == "12 to 1,500"


def test_the_threshold_of_folds_is_a_range():
    folds = FoldDecisions({0: decided(0.31), 1: decided(0.62), 2: decided(0.4)})
    assert known_threshold(folds, "image", "ill") == "0.31 to 0.62"
    # No fold has chosen one for patients: the fixed one of all.
    assert known_threshold(folds, "patient", "ill") == "0.5"
    assert known_threshold(decided(0.31), "image", "ill") == "0.31"
    assert any_decision(folds) == decided(0.31)
    assert any_decision(decided(0.2)) == decided(0.2)


def test_the_thresholds_of_a_drawn_point():
    assert point_thresholds({"threshold": 0.4}) == [0.4]
    assert point_thresholds({"threshold": None, "thresholds": {"0": 0.1, "1": 0.3}}) == [0.1, 0.3]
    assert point_thresholds({"threshold": 0.2, "thresholds": {"0": 0.2, "1": 0.2}}) == [0.2]
    assert point_thresholds({"threshold": None}) == point_thresholds({}) == []


def test_the_images_that_folds_have_chosen_on():
    folds = FoldDecisions({0: decided(0.3, n=12), 1: decided(0.6, n=1500, patients=400)})
    assert source_counts(folds) == "12 to 1,500 images of 4 to 400 patients a fold"
    assert source_counts(FoldDecisions({0: Decision()})) is None


@pytest.mark.parametrize("of_temperature", [True, False])
def test_a_note_names_the_folds_of_which_it_is_so(of_temperature):
    one, other = "temperature 1: nothing is told of it", "image, ill: youden needs cases"
    folds = FoldDecisions({0: decided(0.3, notes=(one, other)), 1: decided(0.3), 2: decided(0.3, notes=(one,))})
    said = [f"In fold 0 and fold 2: {one}"] if of_temperature else [f"In fold 0: {other}"]
    assert decision_notes(folds, temperature=of_temperature) == said
    assert decision_notes(folds.by_fold["0"], temperature=of_temperature) == [one if of_temperature else other]
    many = FoldDecisions({f"repeat-0-fold-{k}": decided(0.3, notes=(one,)) for k in range(11)})
    assert decision_notes(many, temperature=True) == [f"In 11 folds: {one}"]
    few = FoldDecisions({"repeat-1-fold-0": decided(0.3, notes=(one,))})
    assert decision_notes(few, temperature=True) == [f"In repeat 1 fold 0: {one}"]
