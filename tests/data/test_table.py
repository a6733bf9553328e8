import pandas as pd
import pytest

from medvision.data.table import (
    check_duplicates,
    check_labels,
    check_studies,
    normalise_table,
    require_groups,
    settle_problems,
)
from medvision.errors import DataError


def table(**columns):
    return pd.DataFrame({"image": ["a", "b", "c"], "label": ["x", "y", "x"], **columns})


def test_normalised_table_has_text_and_a_range_index():
    found = normalise_table(pd.DataFrame({"image": ["a"], "label": [1], "patient": [7]}, index=[5]), "here")
    assert found.to_dict("list") == {"image": ["a"], "label": ["1"], "patient": ["7"]}
    assert list(found.index) == [0]


def test_no_rows_and_no_label_column_are_refused():
    with pytest.raises(DataError, match="here: no images found"):
        normalise_table(pd.DataFrame({"image": [], "label": []}), "here")
    with pytest.raises(DataError, match="no column label; it has image"):
        normalise_table(pd.DataFrame({"image": ["a"]}), "here")


@pytest.mark.parametrize("name", ["target", "predicted", "p_x"])
def test_names_of_the_prediction_table_are_refused(name):
    with pytest.raises(DataError, match=f"column {name}, a name that the prediction table needs"):
        normalise_table(table(**{name: 1}), "here")


def test_no_patient_information_says_what_to_add():
    with pytest.raises(DataError, match="data.patient_pattern.*group: image"):
        require_groups(table(), "patient")
    require_groups(table(), "image")
    with pytest.raises(DataError, match="'patient' is empty in 1 rows: b"):
        require_groups(table(patient=["1", None, "2"]), "patient")


def test_labels_that_are_absent_or_no_class_are_listed():
    found = check_labels(table(label=["x", None, "z"]), ["x", "y"], multilabel=False)
    assert [str(problem) for problem in found] == [
        "1 images without a label: b",
        "labels 'z' are none of the classes x, y: c",
    ]
    assert check_labels(table(label=["x|y", "", "y"]), ["x", "y"], multilabel=True) == []
    assert "'z'" in str(check_labels(table(label=["x|z", "", "y"]), ["x", "y"], multilabel=True)[0])


def test_identical_images_of_two_patients_and_with_two_labels_are_found():
    patients = table(label=["x", "x", "y"], patient=["1", "2", "1"])
    (across,) = check_duplicates(patients, ["same", "same", "other"], "patient")
    assert str(across) == "identical images of different patients: a = b"
    assert across.rows == [1]
    (contradictory,) = check_duplicates(patients, ["one", "two", "one"], "patient")
    assert str(contradictory) == "identical images with different labels: a (x) = c (y)"
    assert contradictory.rows == [0, 2]
    assert check_duplicates(table(patient=["1", "1", "1"], label="x"), ["s", "s", "s"], "patient") == []


def test_a_row_that_names_an_image_again_is_one_problem():
    twice = pd.DataFrame({"image": ["a", "a"], "label": ["x", "x"], "patient": ["1", "1"]})
    (problem,) = check_duplicates(twice, ["s", "s"], "patient")
    assert (str(problem), problem.rows) == ("1 rows name an image again: a", [1])


def test_problems_stop_or_are_skipped():
    problems = check_labels(table(label=["x", None, "x"]), ["x"], multilabel=False)
    with pytest.raises(DataError) as caught:
        settle_problems(problems, "error")
    assert caught.value.lines == ("1 images without a label: b", "data.on_bad_image: skip leaves these images out")
    assert settle_problems(problems, "skip") == [1]
    unmendable = check_labels(table(label=["x", "q", "x"]), ["x"], multilabel=False)
    with pytest.raises(DataError, match="'q'"):
        settle_problems(unmendable, "skip")
    assert settle_problems([], "error") == []


def test_long_lists_are_cut():
    many = pd.DataFrame({"image": [f"i{k}" for k in range(30)], "label": None})
    assert str(check_labels(many, ["x"], multilabel=False)[0]).endswith("i9 and 20 more")


def test_a_study_has_one_label():
    (problem,) = check_studies(table(patient=["1", "1", "2"], study=["s", "s", "s"]))
    assert str(problem) == "1 studies have images with different labels; leave the study out or mend them: 1/s"
    assert check_studies(table(patient=["1", "2", "1"], study=["s", "s", "s"])) == []
    assert check_studies(table()) == []
