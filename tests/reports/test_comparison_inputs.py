from dataclasses import replace

from medvision.reports.comparison_inputs import drawn_metrics, entry_of, headlines, pair_name
from tests.reports.compared import draw_comparison, entry


def test_two_classes_are_answered_by_the_auroc_more_by_the_balanced_accuracy():
    assert headlines(draw_comparison(), "image") == ["auroc", "balanced_accuracy", "accuracy", "kappa"]
    three = draw_comparison(classes=("a", "b", "c"))
    assert three.primary == "balanced_accuracy"
    assert headlines(three, "image") == ["balanced_accuracy", "auroc", "accuracy", "kappa"]
    assert drawn_metrics(three) == ["balanced_accuracy", "auroc"]


def test_masks_are_answered_by_dice():
    metrics = {name: {"dice": entry(0.9), "hd95": entry(3.0, unit="mm"), "iou": entry(0.8)} for name in ("a", "b")}
    level = {"n": 9, "patients": 3, "metrics": metrics, "pairs": [], "holm": {}}
    comparison = {"models": ["a", "b"], "levels": {"image": level}, "notes": []}
    inputs = replace(draw_comparison(), comparison=comparison, classes=[])
    assert inputs.primary == "dice"
    assert drawn_metrics(inputs) == ["dice", "hd95"]


def test_studies_answer_where_there_are_any():
    inputs = draw_comparison()
    levels = inputs.comparison["levels"]
    assert inputs.level == "image"
    with_studies = {"image": levels["image"], "study": levels["image"]}
    assert draw_comparison(comparison={**inputs.comparison, "levels": with_studies}).level == "study"


def test_a_metric_that_a_model_lacks_has_no_value():
    inputs = draw_comparison()
    assert entry_of(inputs, "image", "scratch", "dice")["value"] is None
    assert entry_of(inputs, "image", "scratch", "auroc")["value"] > 0.5
    assert pair_name({"a": "x", "b": "y"}) == "y − x"
