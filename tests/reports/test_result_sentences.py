import pytest

from medvision.reports.result_sentences import (
    answering_level,
    calibration_sentence,
    explanation_sentence,
    failure_sentence,
    interval_sentence,
    metrics_sentence,
    operating_sentence,
    optimism_sentence,
    performance_sentence,
    said,
    subgroup_sentences,
    temperature_sentence,
    threshold_sentence,
)
from tests.reports.told import (
    CASE,
    DECISION,
    LABELS,
    SELECTION,
    SEX,
    change_experiment,
    draw_inputs,
    draw_mask_inputs,
    draw_split,
    entry,
)


def test_a_value_is_said_with_its_interval():
    assert said(entry(0.91234, 0.8, 0.97, n=101)) == "0.912 (95 % interval 0.800 to 0.970)"
    assert said(entry(0.91234, 0.8, 0.97, n=100)) == "0.91 (95 % interval 0.80 to 0.97)"
    assert said(entry(0.91234, 0.8, 0.97, n=10)) == "0.91 (95 % interval 0.80 to 0.97)"
    assert said(entry(0.5, n=101)) == "0.500"
    assert said(entry(0.5)) == "0.50"
    assert said(entry(None)) == "undefined"


def test_the_performance_is_that_of_the_answering_split():
    values = "AUROC 0.91 (95 % interval 0.80 to 0.97) and balanced accuracy 0.85 (95 % interval 0.70 to 0.95)"
    assert performance_sentence(draw_inputs()) == f"On 18 images of 6 patients of the test split: {values}."
    val = draw_inputs(metrics={"val": {"image": LABELS}}, simulated=True)
    assert "of the validation split, all of them simulated: AUROC" in performance_sentence(val)
    assert "Dice 0.87 (95 % interval 0.80 to 0.90)" in performance_sentence(draw_mask_inputs())


def test_studies_answer_where_there_are_any():
    study = draw_inputs(metrics={"test": {"image": LABELS, "study": LABELS, "patient": LABELS}})
    assert answering_level(study) == "study"
    assert threshold_sentence(study).startswith("Threshold per study: torn 0.37;")
    assert operating_sentence(study).startswith("Per study, torn: sensitivity 0.80 (95 % interval 0.50 to 0.95)")
    assert answering_level(draw_mask_inputs()) == "image"


def test_a_threshold_says_where_it_comes_from():
    assert threshold_sentence(draw_inputs()) == (
        "Threshold per image: torn 0.42; chosen on the validation split (12 images of 4 patients) for the largest "
        "sensitivity + specificity (Youden)."
    )
    wanted = threshold_sentence(draw_inputs(decision={**DECISION, "rule": "sensitivity>=0.95"}))
    assert wanted.endswith("for sensitivity>=0.95.")
    fixed = {**DECISION, "rule": 0.3, "thresholds": {}}
    assert threshold_sentence(draw_inputs(decision=fixed)) == (
        "Threshold per image: torn 0.3; set beforehand, not chosen from data."
    )
    assert "torn 0.5;" in threshold_sentence(draw_inputs(decision=None))


def test_there_is_no_threshold_of_three_exclusive_classes():
    assert "no threshold" in threshold_sentence(draw_inputs(classes=["a", "b", "c"]))
    several = threshold_sentence(draw_inputs(classes=[f"c{k}" for k in range(9)], multilabel=True))
    assert "c5 0.5 and 3 more in decision.json" in several
    assert threshold_sentence(draw_mask_inputs()) is None


def test_the_operating_point_has_all_four_values():
    assert operating_sentence(draw_inputs()) == (
        "Per image, torn: sensitivity 0.80 (95 % interval 0.50 to 0.95), specificity 0.90 (95 % interval 0.70 to "
        "1.00), PPV 0.75 (95 % interval 0.40 to 0.90), NPV 0.95."
    )
    assert operating_sentence(draw_mask_inputs()) is None


def test_calibration_is_told_where_it_was_measured():
    told = calibration_sentence(draw_inputs())
    assert "0.10 (95 % interval 0.05 to 0.15)" in told
    assert "0.04 (95 % interval 0.01 to 0.09)" in told
    assert told.endswith("Before temperature scaling: calibration error 0.12 (95 % interval 0.08 to 0.20).")
    once = {name: found for name, found in LABELS.items() if name != "uncalibrated"}
    assert "Before" not in calibration_sentence(draw_inputs(metrics={"test": {"image": once}}))
    never = {name: found for name, found in once.items() if name not in ("brier", "ece")}
    assert calibration_sentence(draw_inputs(metrics={"test": {"image": never}})) is None


def test_a_temperature_is_told_where_one_was_fitted():
    fitted = "The network's outputs are divided by the temperature 1.7, fitted on the validation split."
    assert temperature_sentence(draw_inputs()) == fitted
    assert "no temperature" in temperature_sentence(draw_inputs(decision={**DECISION, "temperature": 1.0}))
    assert temperature_sentence(draw_inputs(decision=None)) is None
    assert temperature_sentence(draw_mask_inputs()) is None


def test_metrics_and_plots_are_those_of_the_files():
    assert metrics_sentence(draw_inputs()).endswith("Plots: ROC curves and decision curves.")
    assert "AUROC" in metrics_sentence(draw_inputs())
    masks = metrics_sentence(draw_mask_inputs())
    assert masks.startswith("Dice, IoU")
    assert "Plots" not in masks


def test_intervals_say_how_they_were_made():
    assert interval_sentence(draw_inputs()) == (
        "95 % intervals: bootstrap over patients, 2,000 resamples, bias-corrected and accelerated; "
        "Wilson's for proportions of independent cases and for those of 0 or 1."
    )
    unknown = draw_inputs(
        split=draw_split().assign(patient=""), experiment=change_experiment("evaluation", resamples=50)
    )
    assert interval_sentence(unknown).startswith("95 % intervals: bootstrap over images, 50 resamples")
    plain = {"auroc": entry(0.9, 0.8, 0.95, "percentile"), "accuracy": LABELS["accuracy"] | {"low": None}}
    assert interval_sentence(draw_inputs(metrics={"test": {"image": plain}})).endswith("percentile.")
    none = {"auroc": entry(0.9), "accuracy": entry(0.8)}
    assert interval_sentence(draw_inputs(metrics={"test": {"image": none}})) is None


def test_the_worst_group_is_named_with_its_gap():
    assert subgroup_sentences(draw_inputs()) == (
        "By sex: lowest AUROC 0.80 (95 % interval 0.60 to 0.94) in male (n = 9, 5 patients), -0.16 (95 % interval "
        "-0.30 to +0.02) against the others."
    )
    equal = draw_inputs(subgroups={"test": {"image": [{**SEX, "worst": None}]}})
    assert subgroup_sentences(equal) == "By sex: 2 groups, none is named the worst."
    without = draw_inputs(subgroups={"test": {"image": [{**SEX, "worst": "female"}]}})
    assert "against" not in subgroup_sentences(without)


@pytest.mark.parametrize(
    ("sizes", "gap"),
    [((400, 101), "-0.160 (95 % interval -0.300 to +0.020)"), ((400, 60), "-0.16 (95 % interval -0.30 to +0.02)")],
)
def test_a_gap_has_no_more_digits_than_its_smaller_side_supports(sizes, gap):
    for male, female in (sizes, sizes[::-1]):
        groups = [{**found, "n": n} for found, n in zip(SEX["groups"], (female, male), strict=True)]
        told = subgroup_sentences(draw_inputs(subgroups={"test": {"image": [{**SEX, "groups": groups}]}}))
        assert f", {gap} against the others." in told
    left_out = [{"name": "other", "n": 60, "patients": 30}]
    alone = {**SEX, "groups": [{**SEX["groups"][1], "n": 400}], "left_out": left_out}
    told = subgroup_sentences(draw_inputs(subgroups={"test": {"image": [alone]}}))
    assert ", -0.16 (95 % interval -0.30 to +0.02) against the others." in told


def test_a_gap_that_rounds_to_nothing_is_no_minus():
    tiny = {**SEX, "groups": [SEX["groups"][0], {**SEX["groups"][1], "gap": {"value": -0.002, "low": None}}]}
    assert ", +0.00 against the others." in subgroup_sentences(draw_inputs(subgroups={"test": {"image": [tiny]}}))


@pytest.mark.parametrize(
    "subgroups", [{}, {"test": {}}, {"test": {"image": []}}, {"test": {"image": [{**SEX, "groups": []}]}}]
)
def test_without_subgroups_nothing_is_told(subgroups):
    assert subgroup_sentences(draw_inputs(subgroups=subgroups)) is None


def test_clusters_are_places_and_devices():
    columns = [SEX, {**SEX, "column": "Device"}]
    told = subgroup_sentences(draw_inputs(subgroups={"test": {"image": columns}}), clusters_only=True)
    assert told.startswith("By Device: lowest")
    assert "sex" not in told
    assert subgroup_sentences(draw_inputs(), clusters_only=True) is None


def test_many_columns_are_cut_and_it_is_said():
    columns = [{**SEX, "column": f"column {k}"} for k in range(6)]
    told = subgroup_sentences(draw_inputs(subgroups={"test": {"image": columns}}))
    assert told.count("lowest") == 4
    assert told.endswith("2 more columns in the table.")


def test_mistakes_are_counted_from_the_confusion_matrix():
    assert failure_sentence(draw_inputs()) == (
        "Of 18 images 2 got a wrong class. The most confident mistakes are shown: 1 image."
    )
    assert failure_sentence(draw_inputs(cases=[])) == "Of 18 images 2 got a wrong class."
    assert failure_sentence(draw_mask_inputs()) is None
    assert failure_sentence(draw_mask_inputs(panels="panels.png")) == "The best, median and worst masks are shown."


def test_maps_without_evidence_are_counted():
    assert explanation_sentence(draw_inputs()).startswith("Grad-CAM maps of 2 images. The maps were not checked")
    empty = explanation_sentence(draw_inputs(cases=[CASE, {**CASE, "no_evidence": True}]))
    assert "in 1 of them there was no positive evidence" in empty
    assert explanation_sentence(draw_inputs(cases=[{**CASE, "map": None}])) is None
    assert explanation_sentence(draw_inputs(cases=[])) is None


def test_a_result_that_is_not_of_a_test_says_so():
    validation = {"val": {"image": LABELS}}
    assert optimism_sentence(draw_inputs()) == ""
    assert optimism_sentence(draw_inputs(metrics=validation)) == (
        "Validation results alone: the test split was not evaluated. This split chose the weights: expect less on new "
        "patients."
    )
    chosen = optimism_sentence(draw_inputs(metrics=validation, selection=SELECTION))
    assert "This split chose the weights and the settings: expect less" in chosen
    untested = draw_split().query("split != 'test'")
    assert "there is no test split" in optimism_sentence(draw_inputs(metrics=validation, split=untested))
    assert optimism_sentence(draw_inputs(metrics={"train": {"image": LABELS}})).startswith("Training results alone")
