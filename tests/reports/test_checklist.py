import pytest

from medvision.reports.checklist import ANSWERS, AUTHOR, checklist
from medvision.reports.checklist_items import CLAIM, ITEMS, TRIPOD
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

# Nobody but the author knows these, whatever the run.
OPEN_CLAIM = (2, 3, 5, 8, 13, 14, 15, 16, 17, 18, 21, 30, 34, 36, 40, 41, 44)
OPEN_TRIPOD = """1 2 3a 3b 3c 5b 6a 6b 6c 8a 8b 8c 9c 10 18a 18b 18c 18d 19 20b 25 26 27a 27b 27c"""
OPEN = {(CLAIM, str(number)) for number in OPEN_CLAIM} | {(TRIPOD, number) for number in OPEN_TRIPOD.split()}


def answers(inputs):
    return {(row["guideline"], row["item"]): row["answer"] for row in checklist(inputs)}


def test_every_item_is_there_once_in_its_order():
    rows = checklist(draw_inputs())
    assert [(row["guideline"], row["item"], row["section"], row["asked"]) for row in rows] == [tuple(i) for i in ITEMS]
    assert set(rows[0]) == {"guideline", "item", "section", "asked", "answer"}


def test_every_answer_belongs_to_an_item():
    assert set(ANSWERS) <= {(item.guideline, item.number) for item in ITEMS}


@pytest.mark.parametrize("inputs", [draw_inputs(), draw_inputs(simulated=True), draw_mask_inputs()])
def test_what_only_the_author_knows_stays_open(inputs):
    found = answers(inputs)
    assert {found[key] for key in OPEN} == {None}


def test_a_full_run_answers_all_that_is_not_open():
    # No person is asked where a run has real images, and no cluster was scored.
    not_here = {(CLAIM, "11"), (TRIPOD, "17"), (TRIPOD, "12d"), (TRIPOD, "23b")}
    unanswered = {key for key, answer in answers(draw_inputs()).items() if answer is None}
    assert unanswered == OPEN | not_here


def test_an_answer_is_made_of_sentences():
    for inputs in (draw_inputs(), draw_mask_inputs(), draw_inputs(simulated=True)):
        for answer in filter(None, answers(inputs).values()):
            assert answer == answer.strip()
            assert answer[-1] in ".?"
            assert "None " not in answer.replace("None in this run", "")
            assert "  " not in answer


@pytest.mark.parametrize(
    ("key", "changes", "before", "after"),
    [
        ((CLAIM, "1"), {"experiment": change_experiment("model", backbone="resnet50")}, "vgg_small", "resnet50"),
        ((CLAIM, "4"), {"experiment": {**EXPERIMENT, "question": "Which one?"}}, "torn tendon", "Which one?"),
        ((CLAIM, "6"), {"metrics": {"val": {"image": LABELS}}}, "held-out", "which also chose its weights"),
        ((CLAIM, "7"), {"citation": "Another 2020"}, "Somebody et al.", "Another 2020."),
        ((CLAIM, "9"), {"experiment": change_experiment("data", augmentation="none")}, "(ultrasound)", "not augmented"),
        ((CLAIM, "12"), {"skipped": 4}, "No image was left out", "4 images"),
        ((CLAIM, "19"), {"split": draw_split().iloc[:59]}, "test: 18 images", "test: 17 images"),
        (
            (CLAIM, "20"),
            {"split": draw_split().assign(patient="p")},
            "Disjoint by patient",
            "NOT disjoint: 1 of 1 patient",
        ),
        ((CLAIM, "24"), {"experiment": change_experiment("model", pretrained=True)}, "Random", "Published"),
        ((CLAIM, "29"), {"experiment": change_experiment("evaluation", resamples=99)}, "2,000", "99 resamples"),
        ((CLAIM, "38"), {"decision": {**DECISION, "thresholds": {"image": {"torn": 0.7}}}}, "torn 0.42", "torn 0.7;"),
        ((TRIPOD, "13"), {"decision": {**DECISION, "temperature": 2.5}}, "temperature 1.7", "temperature 2.5"),
        ((TRIPOD, "14"), {"subgroups": {"test": {"image": [{**SEX, "worst": "female"}]}}}, "in male", "in female"),
        ((TRIPOD, "18e"), {"simulated": True}, "example.org", "a program drew them"),
        ((TRIPOD, "20c"), {"classes": ["torn"]}, "whole 60%", "training: torn 40%"),
        ((TRIPOD, "22"), {"decision": None}, "decision.json", "preprocessing.json"),
        ((TRIPOD, "23a"), {"subgroups": {}}, "By sex", "AUROC 0.91 "),
        ((TRIPOD, "24"), {"decision": None}, "comes from the val split", "as it was trained."),
    ],
)
def test_an_answer_changes_with_the_run(key, changes, before, after):
    first, second = answers(draw_inputs())[key], answers(draw_inputs(**changes))[key]
    assert before in first
    assert before not in second
    assert after in second


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ((CLAIM, "4"), {"experiment": {**EXPERIMENT, "question": " "}}),
        ((CLAIM, "7"), {"citation": "your own images"}),
        ((CLAIM, "29"), {"metrics": {"test": {"image": {"accuracy": {"value": 1, "low": None, "high": None}}}}}),
        ((CLAIM, "31"), {"cases": []}),
        ((CLAIM, "43"), {"url": ""}),
        ((TRIPOD, "4"), {"experiment": {**EXPERIMENT, "question": ""}}),
        ((TRIPOD, "16"), {"split": draw_split().assign(fold=-1)}),
        ((TRIPOD, "18e"), {"url": ""}),
    ],
)
def test_what_the_run_does_not_know_is_open(key, changes):
    told = {(item.guideline, item.number): ANSWERS.get((item.guideline, item.number)) for item in ITEMS}
    assert told[key](draw_inputs())
    assert told[key](draw_inputs(**changes)) is None


def test_an_evaluation_without_a_test_does_not_pass_for_one():
    found = answers(draw_inputs(metrics={"val": {"image": LABELS}}))
    assert found[CLAIM, "32"] is None
    assert found[TRIPOD, "12f"] is None
    assert found[TRIPOD, "24"] is None


def test_clusters_and_simulated_persons_have_their_answers():
    site = draw_inputs(subgroups={"test": {"image": [{**SEX, "column": "site"}]}}, simulated=True)
    found = answers(site)
    assert found[TRIPOD, "23b"].startswith("By site: lowest AUROC 0.80 (95 % interval 0.60 to 0.94)")
    assert found[TRIPOD, "17"] == found[CLAIM, "11"] == "Not applicable: the images are simulated, no person took part."


def test_what_is_left_of_an_item_is_named():
    found = answers(draw_inputs())
    assert found[CLAIM, "39"].endswith(f"{AUTHOR} what the mistakes have in common.")
    assert found[TRIPOD, "5a"].endswith(f"{AUTHOR} why these data, and whom they represent.")


def test_masks_have_no_operating_point():
    found = answers(draw_mask_inputs())
    assert found[CLAIM, "38"] is None
    assert "Dice 0.87 (95 % interval 0.80 to 0.90)" in found[CLAIM, "37"]
    assert found[TRIPOD, "15"] == "The output is for every pixel one of background and tendon."


def test_a_run_without_patients_works():
    without = draw_split().drop(columns="patient")
    by_image = change_experiment("split", group="image")
    found = answers(draw_inputs(split=without, experiment=by_image))
    assert "Patients are not known" in found[CLAIM, "20"]
    assert "Disjoint" not in found[CLAIM, "20"]


def test_an_old_run_that_knows_little_works():
    bare = {
        "name": "old",
        "data": {"name": "tendons"},
        "split": EXPERIMENT["split"],
        "model": {"task": "classification"},
        "evaluation": {"resamples": 10},
    }
    old = draw_inputs(experiment=bare, environment={}, history=None, citation="", licence="", url="", decision=None)
    found = answers(old)
    assert found[CLAIM, "23"] is found[CLAIM, "9"] is found[CLAIM, "4"] is None
    assert found[CLAIM, "20"]
