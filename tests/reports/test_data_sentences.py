import pytest

from medvision.reports.data_sentences import (
    assignment_sentence,
    availability_sentence,
    count_sentence,
    counted,
    disjoint_sentence,
    has_official_split,
    known_patients,
    listed,
    missing_sentence,
    share_sentence,
    source_sentence,
    unknown_patients,
    unused_sentence,
)
from tests.reports.told import change_experiment, draw_inputs, draw_mask_inputs, draw_split


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [(1, "image", "1 image"), (0, "image", "0 images"), (1234, "image", "1,234 images"), (2, "study", "2 studies")],
)
def test_a_number_agrees_with_its_unit(number, unit, text):
    assert counted(number, unit) == text


def test_names_are_listed():
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_images_patients_and_labels_of_every_part_are_counted():
    assert count_sentence(draw_inputs()) == (
        "Training: 30 images of 10 patients (whole 18, torn 12); validation: 12 images of 4 patients (whole 6, "
        "torn 6); test: 18 images of 6 patients (whole 12, torn 6)."
    )
    assert count_sentence(draw_mask_inputs()).startswith("Training: 30 images of 10 patients; validation")
    bare = draw_mask_inputs(split=draw_split().drop(columns="patient"))
    assert count_sentence(bare) == "Training: 30 images; validation: 12 images; test: 18 images."


def test_shares_are_of_the_images_of_a_part():
    assert share_sentence(draw_inputs()) == (
        "Share of the images, training: whole 60%, torn 40%; validation: whole 50%, torn 50%; "
        "test: whole 67%, torn 33%."
    )
    assert share_sentence(draw_mask_inputs()) is None
    assert share_sentence(draw_inputs(classes=[f"c{k}" for k in range(20)])) is None


def test_a_random_split_names_group_fractions_and_seed():
    assert assignment_sentence(draw_inputs()) == (
        "Drawn at random by patient, keeping the proportions of the label, about 20% for validation and 30% for the "
        "test (seed 7)."
    )
    assert "proportions" not in assignment_sentence(draw_mask_inputs())
    assert "by image" in assignment_sentence(draw_inputs(experiment=change_experiment("split", group="image")))


def test_a_fold_has_the_number_of_its_folder():
    said = assignment_sentence(draw_inputs(experiment=change_experiment("split", fold=1)))
    assert said == (
        "Fold 1 (counted from 0) of the folds by patient is the test; validation was drawn from the rest (seed 7)."
    )
    nested = change_experiment("split", fold=1, inner_fold=2, inner_folds=4, seed=11)
    assert assignment_sentence(draw_inputs(experiment=nested)) == (
        "Fold 1 (counted from 0) of the folds by patient was put aside; inner fold 2 of 4 of the rest is the test; "
        "validation was drawn from what is left (seed 11)."
    )
    site = change_experiment("split", fold=0, fold_by="site")
    assert "the folds by the column site, patient by patient is" in assignment_sentence(draw_inputs(experiment=site))
    alone = change_experiment("split", fold=0, folds="leave_one_out")
    assert "the folds by patient, one in each (leave one out) is" in assignment_sentence(draw_inputs(experiment=alone))


def test_an_official_split_is_known_by_its_absent_folds():
    official = draw_inputs(split=draw_split().assign(fold=-1))
    assert has_official_split(official)
    assert assignment_sentence(official).startswith("The split that the data set brings")
    assert not has_official_split(draw_inputs())
    few = draw_split().assign(fold=-1)
    assert not has_official_split(draw_inputs(split=few.assign(group=few["split"])))
    mine = change_experiment("split", official=False)
    assert not has_official_split(draw_inputs(split=draw_split().assign(fold=-1), experiment=mine))


def test_disjoint_patients_are_counted():
    assert disjoint_sentence(draw_inputs()) == (
        "Disjoint by patient: of 20 patients none is in more than one part. "
        "Image files with an identical copy in another part: none."
    )


def test_a_torn_patient_and_a_copied_file_are_told():
    split = draw_split()
    split.loc[0, "split"] = "test"
    split.loc[59, "sha256"] = split["sha256"][1]
    said = disjoint_sentence(draw_inputs(split=split))
    assert "NOT disjoint: 1 of 20 patients are in more than one part." in said
    assert said.endswith("in another part: 1.")


def test_unknown_patients_prove_nothing():
    without = draw_split().drop(columns="patient")
    said = disjoint_sentence(draw_inputs(split=without, experiment=change_experiment("split", group="image")))
    assert said.startswith("Patients are not known, so images of one patient may be in two parts.")
    assert "Disjoint" not in said
    by_video = change_experiment("split", group="video")
    assert disjoint_sentence(draw_inputs(split=without, experiment=by_video)).startswith(
        "Disjoint by video: of 20 videos"
    )
    some = draw_split()
    some.loc[:4, "patient"] = ""
    inputs = draw_inputs(split=some)
    assert (known_patients(inputs), unknown_patients(inputs)) == (19, 5)
    assert "of 19 patients none is in more than one part. Of 5 images the patient is not known." in disjoint_sentence(
        inputs
    )


def test_what_is_missing_is_counted():
    assert (
        missing_sentence(draw_inputs()) == "No image was left out. Every image has a label. Every image has a patient."
    )
    split = draw_split()
    split.loc[0, "label"] = None
    split.loc[:1, "patient"] = None
    assert missing_sentence(draw_inputs(split=split, skipped=3)) == (
        "Left out because unusable: 3 images; skipped.csv says why. Without a label: 1 image. "
        "The patient is unknown for 2 images."
    )
    assert "label" not in missing_sentence(draw_inputs(multilabel=True))
    assert "label" not in missing_sentence(draw_mask_inputs())


def test_the_source_is_that_of_the_data_set():
    assert source_sentence(draw_inputs()) == (
        "Somebody et al. 2025, A set of tendons. Licence: CC BY 4.0. https://example.org/tendons"
    )
    assert source_sentence(draw_inputs(citation="your own images")) is None
    assert source_sentence(draw_inputs(citation="")) is None
    assert source_sentence(draw_inputs(citation="", simulated=True)) == "SIMULATED: the images were drawn by a program."
    assert "Modelled on: Somebody" in source_sentence(draw_inputs(simulated=True))


def test_data_without_an_address_are_not_said_to_be_had():
    assert availability_sentence(draw_inputs(url="")) is None
    assert availability_sentence(draw_inputs()) == "The data are at https://example.org/tendons (licence: CC BY 4.0)."
    assert "a program drew them" in availability_sentence(draw_inputs(simulated=True))


def test_a_smaller_subset_is_told():
    assert unused_sentence(draw_inputs()) == "All 60 usable images of the data set are in a part, each of them whole."
    assert "whole" not in unused_sentence(draw_inputs(experiment=change_experiment("data", resize="crop")))
    split = draw_split()
    split.loc[:8, "split"] = "unused"
    assert unused_sentence(draw_inputs(split=split)) == "Of 60 images 9 were put aside, to train on a smaller subset."
