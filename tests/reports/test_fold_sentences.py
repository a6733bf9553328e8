from dataclasses import replace

import pytest

from medvision.reports.checklist import checklist
from medvision.reports.checklist_items import CLAIM, TRIPOD
from medvision.reports.data_sentences import (
    assignment_sentence,
    count_sentence,
    disjoint_sentence,
    has_official_split,
    share_sentence,
    unused_sentence,
)
from medvision.reports.fold_sentences import (
    first_repeat_note,
    fold_facts,
    missing_folds_sentence,
    pooling_sentences,
)
from medvision.reports.inputs import FoldInputs, FoldPart
from medvision.reports.model_card import limits, model_card
from medvision.reports.model_sentences import combination_sentence, selection_sentence, training_sentence
from medvision.reports.result_sentences import (
    interval_sentence,
    performance_sentence,
    temperature_sentence,
    threshold_sentence,
)
from tests.reports.told import DECISION, LABELS, change_experiment, draw_inputs, draw_mask_inputs, draw_split, entry

SPLIT = draw_split().assign(split="test")
FOLDS = FoldInputs(parts=[FoldPart(name=f"fold-{k}") for k in range(5)], summary={})
OTHER = {**DECISION, "temperature": 0.8, "thresholds": {"image": {"torn": 0.6}}}


def crossed(folds=FOLDS, **changes):
    """The inputs of a cross-validation of five folds, of which no image is trained on by its own network."""
    fields = {"split": SPLIT, "decision": {"folds": {"0": DECISION, "1": OTHER}}, "history": None, "folds": folds}
    return draw_inputs(**{**fields, **changes})


def test_it_is_said_what_pooled_values_and_their_spread_are():
    told = pooling_sentences(crossed())
    assert len(told) == 3
    assert "test predictions of all 5 folds together" in told[0]
    assert "not the uncertainty of the pooled value" in told[1]
    assert "probabilities of different networks" in told[2]
    repeated = pooling_sentences(crossed(replace(FOLDS, parts=FOLDS.parts * 2, repeats=2)))
    assert "all 2 × 5 folds together" in repeated[0]
    assert "drawn 2 times" in repeated[2]
    alone = pooling_sentences(crossed(replace(FOLDS, alone=True)))
    assert alone[0].endswith("Below a value stands its interval.")
    assert alone[1].startswith("Each fold is a single patient, of which most metrics")
    assert not any("±" in text for text in alone)
    assert pooling_sentences(draw_inputs()) == []
    assert len(pooling_sentences(draw_mask_inputs(folds=FOLDS, split=SPLIT))) == 2


def test_what_shows_the_first_repeat_says_so():
    assert first_repeat_note(crossed(replace(FOLDS, repeats=3))) == "Of the first of 3 repeats."
    assert first_repeat_note(crossed()) == first_repeat_note(draw_inputs()) == ""


def test_folds_that_are_missing_are_named():
    few = crossed(replace(FOLDS, missing=["fold-2", "repeat-1-fold-0"]))
    said = (
        "Not in this report: fold 2 and repeat 1 fold 0; `cross_validate --resume` runs them. The results are of the "
        "other folds."
    )
    assert missing_folds_sentence(few) == said
    assert said in limits(few)
    many = missing_folds_sentence(crossed(replace(FOLDS, missing=[f"fold-{k}" for k in range(12)])))
    assert "fold 9 and 2 more;" in many
    assert missing_folds_sentence(crossed()) is missing_folds_sentence(draw_inputs()) is None


def test_overlap_is_counted_between_folds_and_within_each():
    torn = draw_split().assign(split=["test", *draw_split()["split"][1:]])
    parts = [FoldPart(name="fold-0", split=draw_split()), FoldPart(name="fold-1", split=torn), FoldPart(name="fold-2")]
    facts = fold_facts(crossed(replace(FOLDS, parts=parts)))
    expected = {"groups": 20, "shared_groups": 0, "shared_patients": 0, "shared_files": 0}
    assert facts == {**expected, "torn_folds": 1, "counted_folds": 2}
    two = SPLIT.assign(fold=[4, *SPLIT["fold"][1:]])
    assert fold_facts(crossed(split=two))["shared_patients"] == 1
    assert disjoint_sentence(crossed(split=two)).startswith("NOT disjoint: 1 of 20 patients are in more than one fold.")
    assert "1 patient in more than one fold: the result is too good." in limits(crossed(split=two))


def test_the_data_are_told_by_fold():
    inputs = crossed()
    assert assignment_sentence(inputs) == (
        "Cross-validation: 5 folds by patient (seed 7). Each fold is tested by a network trained on the others, with "
        "validation images drawn from these."
    )
    assert count_sentence(inputs).startswith("Fold 0: 12 images of 4 patients (whole 0, torn 12); fold 1: ")
    assert count_sentence(inputs).endswith("; all folds: 60 images of 20 patients (whole 36, torn 24).")
    assert "all folds: whole 60%, torn 40%" in share_sentence(inputs)
    assert disjoint_sentence(inputs).startswith("Disjoint by patient: of 20 patients none is in more than one fold.")
    assert "are in a fold" in unused_sentence(inputs)
    assert "are in no fold" in unused_sentence(crossed(split=draw_split().assign(split=["unused"] + ["test"] * 59)))
    alone = SPLIT.assign(fold=range(60))
    assert count_sentence(crossed(split=alone)) == "All folds: 60 images of 20 patients (whole 36, torn 24)."
    assert not has_official_split(crossed(split=SPLIT.assign(fold=-1)))


def test_the_answer_is_that_of_the_pooled_folds_with_their_spread():
    spread = {"mean": 0.9, "sd": 0.05, "n": 4, "of": 5, "values": {}}
    metrics = {"test": {"image": {**LABELS, "auroc": {**entry(0.912, 0.8, 0.97), "folds": spread}}}}
    said = performance_sentence(crossed(metrics=metrics))
    assert said.startswith("On 18 images of 6 patients of 5 folds pooled: ")
    assert "AUROC 0.91 (95 % interval 0.80 to 0.97; over folds 0.90 ± 0.05 (4 of 5))" in said
    many = {"test": {"image": {**LABELS, "auroc": {**entry(0.912, 0.8, 0.97, n=180), "folds": spread}}}}
    assert "AUROC 0.912 (95 % interval 0.800 to 0.970; over folds 0.900 ± 0.050 (4 of 5))" in performance_sentence(
        crossed(metrics=many)
    )
    repeated = replace(FOLDS, parts=FOLDS.parts * 2, repeats=2)
    assert "over patients, each patient in all 2 repeats at once, 2,000" in interval_sentence(crossed(repeated))
    masks = {"dice": {**entry(0.87, 0.8, 0.9), "folds": spread}}
    inputs = draw_mask_inputs(folds=FOLDS, split=SPLIT)
    inputs = replace(inputs, metrics={"test": {"image": {**inputs.metrics["test"]["image"], **masks}}})
    assert "Dice 0.87 (95 % interval 0.80 to 0.90; over folds 0.90 ± 0.05 (4 of 5))" in performance_sentence(inputs)


def test_decisions_are_those_of_the_folds():
    inputs = crossed()
    assert threshold_sentence(inputs) == (
        "Threshold per image: torn 0.42 to 0.6; chosen in every fold on its validation split (12 images of 4 patients "
        "a fold) for the largest sensitivity + specificity (Youden)."
    )
    assert "a temperature of its own, 0.8 to 1.7, fitted on the validation" in temperature_sentence(inputs)
    fixed = {**DECISION, "rule": 0.4, "thresholds": {}, "temperature": 1.0, "chosen_on": None}
    plain = crossed(decision={"folds": {"0": fixed, "1": fixed}})
    assert threshold_sentence(plain) == "Threshold per image: torn 0.4; set beforehand, not chosen from data."
    assert temperature_sentence(plain) == "The probabilities are those of the network: no temperature was applied."


def test_the_models_are_several():
    assert training_sentence(crossed()).startswith("5 models trained, one a fold: adamw")
    nested = crossed(replace(FOLDS, choices={"fold-0": {"settings": {}}}))
    assert "one a fold, each with the settings that did best on inner folds" in training_sentence(nested)
    assert "1,234 s together on Some CPU" in training_sentence(crossed())
    assert selection_sentence(crossed()) == "In each fold the weights of the epoch with the highest val/auroc."
    metrics = {"test": {"image": LABELS, "study": LABELS}}
    assert combination_sentence(crossed(metrics=metrics)) == (
        "No ensemble: the network of one fold alone, which has not trained on it, predicts an image. The probability "
        "of a study is the highest of those of its images."
    )


@pytest.mark.parametrize(
    ("guideline", "number", "said"),
    [
        (CLAIM, "6", "evaluated by cross-validation on images of the same data set"),
        (CLAIM, "19", "Cross-validation: 5 folds by patient"),
        (CLAIM, "32", "The test images of each fold are held-out data"),
        (TRIPOD, "12f", "the test images of a fold are predicted by its model as it was trained"),
        (TRIPOD, "12g", "By the saved networks of the folds"),
        (TRIPOD, "22", "such as parts/fold-0 and parts/fold-4, hold network, decisions and all settings"),
    ],
)
def test_the_checklists_answer_for_folds(guideline, number, said):
    (item,) = [one for one in checklist(crossed()) if (one["guideline"], one["item"]) == (guideline, number)]
    assert said in item["answer"]


def test_the_card_tells_the_limits_of_a_cross_validation():
    found = limits(crossed())
    assert any("a cross-validation does not show how the model does with other devices" in text for text in found)
    by_site = crossed(experiment=change_experiment("split", fold_by="site"))
    assert any("a cross-validation by site within it does not show" in text for text in limits(by_site))
    few = crossed(split=SPLIT[SPLIT["patient"] < "p05"])
    assert "All folds together have 5 patients only: the intervals say little." in limits(few)
    assert "Fewer than 10 patients of the test folds show torn (8)." in limits(crossed())
    noted = {"folds": {"0": {**DECISION, "notes": ["temperature 1: too few"]}, "1": OTHER}}
    assert "In fold 0: temperature 1: too few" in limits(crossed(decision=noted))
    performance = next(part["text"] for part in model_card(crossed()) if part["title"] == "Performance")
    assert pooling_sentences(crossed())[1] in performance
