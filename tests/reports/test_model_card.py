import pytest

from medvision.reports.model_card import NOT_CLINICAL, limits, model_card
from tests.reports.told import (
    DECISION,
    EXPERIMENT,
    LABELS,
    SEX,
    change_experiment,
    draw_inputs,
    draw_mask_inputs,
    draw_split,
)


def card(inputs):
    return {section["title"]: section["text"] for section in model_card(inputs)}


def test_the_sections_stand_in_their_order():
    assert list(card(draw_inputs())) == [
        "Intended use",
        "Model",
        "Data",
        "Performance",
        "Operating point",
        "Calibration",
        "Subgroups",
        "Limits",
        "How to cite",
    ]


@pytest.mark.parametrize("inputs", [draw_inputs(), draw_mask_inputs(), draw_inputs(simulated=True)])
def test_the_use_is_research_and_never_clinical(inputs):
    assert card(inputs)["Intended use"] == ["Research. Does this image show a torn tendon?", NOT_CLINICAL]


def test_a_run_without_a_question_says_so():
    silent = draw_inputs(experiment={**EXPERIMENT, "question": ""})
    assert card(silent)["Intended use"][0] == "Research. The experiment names no question."


def test_the_card_tells_the_figures_of_the_run():
    text = " ".join(line for lines in card(draw_inputs()).values() for line in lines)
    for figure in (
        "1,234,567 parameters",
        "224 × 224 pixels",
        "test: 18 images of 6 patients (whole 12, torn 6)",
        "AUROC 0.91 (95 % interval 0.80 to 0.97)",
        "torn 0.42",
        "sensitivity 0.80 (95 % interval 0.50 to 0.95)",
        "temperature 1.7",
        "calibration error 0.12 (95 % interval 0.08 to 0.20)",
        "in male (n = 9, 5 patients)",
        "Somebody et al. 2025",
        "CC BY 4.0",
        "https://example.org/tendons",
        "20260101-120000-ab12",
        "medvision-lightning 0.1.0",
    ):
        assert figure in text, figure


def test_masks_have_no_operating_point_and_no_calibration():
    found = card(draw_mask_inputs())
    assert "Operating point" not in found
    assert "Calibration" not in found
    assert "Dice 0.87 (95 % interval 0.80 to 0.90)" in found["Performance"][0]
    assert found["Subgroups"] == ["No subgroup was scored: nothing is known of differences."]


def test_simulated_images_are_said_to_be_so():
    found = card(draw_inputs(simulated=True))
    assert found["Data"][0].startswith("SIMULATED")
    assert found["Limits"][0] == "The images are simulated: the results say nothing about patients."
    assert not any(line.startswith("The data:") for line in found["How to cite"])


def test_few_patients_and_rare_classes_are_limits():
    found = limits(draw_inputs())
    assert "The test split has 6 patients only: its intervals say little." in found
    # Two of five patients have a torn tendon; in the test split these are p15 and p16.
    assert "Fewer than 10 patients of the test split show whole (4) and torn (2)." in found
    many = draw_split().assign(patient=[f"q{k}" for k in range(60)], split="test")
    found = " ".join(limits(draw_inputs(split=many)))
    assert "only" not in found
    assert "Fewer" not in found


def test_labels_side_by_side_are_counted_each():
    split = draw_split().assign(label="whole|torn")
    found = " ".join(limits(draw_inputs(split=split, multilabel=True)))
    assert "show whole (6) and torn (6)" in found


def test_one_data_set_is_a_limit_however_it_was_split():
    assert any("All images are of one data set (tendons): a random split" in line for line in limits(draw_inputs()))
    official = draw_inputs(split=draw_split().assign(fold=-1))
    assert any("its own split does not show" in line for line in limits(official))


def test_unknown_and_torn_patients_are_limits():
    without = draw_split().drop(columns="patient")
    found = limits(draw_inputs(split=without, experiment=change_experiment("split", group="image")))
    assert any(line.startswith("The patients are not known") for line in found)
    assert any(line.startswith("Fewer than 10 images") or "show" in line for line in found)
    some = draw_split()
    some.loc[:2, "patient"] = None
    assert "The patient is not known for 3 images." in limits(draw_inputs(split=some))
    torn = draw_split()
    torn.loc[0, "split"] = "test"
    assert "1 patient in more than one part: the result is too good." in limits(draw_inputs(split=torn))


@pytest.mark.parametrize(("split", "text"), [("val", "chose the weights"), ("train", "says nothing about others")])
def test_an_evaluation_without_a_test_is_a_limit(split, text):
    assert any(text in line for line in limits(draw_inputs(metrics={split: {"image": LABELS}})))


def test_groups_that_were_not_scored_are_limits():
    assert any(line.startswith("Sex, age, device or site") for line in limits(draw_inputs(subgroups={})))
    column = {**SEX, "left_out": [{"name": "other", "n": 2, "patients": 1}], "unknown": {"n": 3, "patients": 2}}
    found = limits(draw_inputs(subgroups={"test": {"image": [column]}}))
    assert "By sex, too few patients to score: other (n = 2)." in found
    assert "The sex is not known for 3 cases." in found


def test_what_could_not_be_chosen_is_a_limit():
    note = "sensitivity>=0.95 was not reached by any threshold"
    assert note in limits(draw_inputs(decision={**DECISION, "notes": [note]}))[-1]
