import numpy as np
import pandas as pd
import pytest

from medvision.errors import DataError
from medvision.evaluation.groups import MOST_COLUMNS, check_columns, find_groupings, group_column


def names(column, values):
    return group_column(column, pd.Series(values)).names.tolist()


def found(table, classes=(), mask_classes=()):
    return [one.column for one in find_groupings(table, None, classes, mask_classes)]


@pytest.fixture
def table():
    """60 images of 30 patients, with the columns of a prediction table."""
    k = np.arange(60)
    return pd.DataFrame(
        {
            "image": [f"{row}.png" for row in k],
            "patient": [f"p{row // 2}" for row in k],
            "split": "test",
            "fold": k % 5,
            "target": np.where(k % 3, "well", "ill"),
            "predicted": np.where(k % 4, "well", "ill"),
            "p_well": k % 2 / 2 + 0.25,
            "p_ill": 0.75 - k % 2 / 2,
        }
    )


@pytest.mark.parametrize("column", ["age", "Age", "patient_age", "PatientAge", "age_years"])
def test_ages_are_banded(column):
    ages = [0, 17.9, 18, 39, 40, 59, 60, 79, 80, 101]
    bands = ["0-17", "0-17", "18-39", "18-39", "40-59", "40-59", "60-79", "60-79", "80+", "80+"]
    assert names(column, ages) == names(column, [str(age) for age in ages]) == bands
    assert group_column(column, pd.Series(ages[::-1])).order == ("0-17", "18-39", "40-59", "60-79", "80+")


def test_ages_of_dicom_are_read():
    ages = ["045Y", "006M", "215M", "217M", "300W", "010D", "082y"]
    assert names("PatientAge", ages) == ["40-59", "0-17", "0-17", "18-39", "0-17", "0-17", "80+"]


def test_what_is_no_age_is_unknown():
    assert names("age", ["30", "-1", "412", "", None, "unknown", "Y045", 50]) == ["18-39", *[None] * 6, "40-59"]


def test_words_for_ages_stay_words():
    assert names("age", ["old", "young", "old"]) == ["old", "young", "old"]


def test_ages_in_one_band_are_thirds():
    grouping = group_column("age", pd.Series(np.arange(15) / 2))
    assert grouping.order == ("0 to 2", "2.5 to 4.5", "5 to 7")
    assert group_column("age", pd.Series([3, 4, 5])).order == ("0-17",)


def test_other_numbers_are_thirds_with_their_bounds():
    grouping = group_column("bmi", pd.Series([np.nan, *np.arange(18, 33)]))
    assert grouping.order == ("18 to 22", "23 to 27", "28 to 32")
    assert grouping.names.tolist() == [None] + ["18 to 22"] * 5 + ["23 to 27"] * 5 + ["28 to 32"] * 5


def test_bounds_have_as_many_digits_as_tell_the_thirds_apart():
    values = 1000 + np.arange(15) / 100
    assert group_column("x", pd.Series(values)).order == ("1000 to 1000.04", "1000.05 to 1000.09", "1000.1 to 1000.14")
    assert group_column("x", pd.Series(values * 1e6 - 1e9)).order[2] == "100000 to 140000"
    assert group_column("x", pd.Series(-values[::-1])).order[0] == "-1000.14 to -1000.1"


def test_thirds_of_many_equal_numbers():
    grouping = group_column("x", pd.Series([0.0] * 40 + list(range(1, 15))))
    assert grouping.order == ("0", "1 to 14")


def test_few_numbers_are_their_values_in_order():
    grouping = group_column("grade", pd.Series([10.0, 9.0, np.nan, 9.0]))
    assert (grouping.order, grouping.names.tolist()) == (("9", "10"), ["10", "9", None, "9"])
    assert names("grade", ["10", "9", "", "9"]) == ["10", "9", None, "9"]


@pytest.mark.parametrize("nothing", [None, np.nan, "", " ", "NaN", "Unknown", "N/A"])
def test_what_is_not_known(nothing):
    assert names("sex", ["F", nothing, "M "]) == ["F", None, "M"]


def test_truth_values_are_words():
    assert group_column("contrast", pd.Series([True, False, True])).order == ("False", "True")
    assert group_column("contrast", pd.Series([True, None], dtype=object)).names.tolist() == ["True", None]


def test_a_column_without_any_value():
    grouping = group_column("sex", pd.Series([None, ""]))
    assert (grouping.order, grouping.names.tolist()) == ((), [None, None])


def test_metadata_are_found_and_the_rest_is_not(table):
    k = np.arange(60)
    shown = {"device": k % 4, "sex": np.where(k // 2 % 2, "F", "M"), "bmi": 20 + (k // 2 * 7) % 30 / 10}
    hidden = {
        "v7_id": k % 3,
        "AccessionNumber": k % 5,
        "StudyInstanceUID": k % 7 // 2,
        "source_url": np.where(k % 7, "https://a.org/x", "https://b.org"),
        "licence": np.where(k % 5, "CC BY 4.0", "CC0"),
        "pixel_size_mm": 0.1 + k % 11 / 100,
        "row_mm": 0.1 + k % 11 / 100,
        "study_date": 20200101 + k % 3,
        "counter": (k * 7) % 60 + 1000,
        "report": [f"findings of {row}" for row in k],
        "mask_true": k % 2,
        "constant": "x",
        "mostly_empty": np.where(k == 3, "x", ""),
        "subtype": np.where(k % 3, "none", np.where(k % 2, "a", "b")),
    }
    frame = table.assign(**hidden, **shown)
    assert found(frame, ["well", "ill"]) == ["device", "sex", "bmi"]


def test_scores_of_masks_are_no_metadata(table):
    frame = table.drop(columns=["target", "predicted", "p_well", "p_ill"])
    scores = {f"dice_{name}": np.arange(60) % 7 / 7 for name in ("nerve", "vessel")}
    frame = frame.assign(**scores, unit="px", mask="m.png", side=np.where(np.arange(60) % 2, "L", "R"))
    assert found(frame, mask_classes=["background", "nerve", "vessel"]) == ["side"]


def test_a_column_that_divides_like_another_is_named_only(table):
    size = np.arange(60) * 37 % 60 + 0.5
    frame = table.assign(head_mm=size, ellipse_mm=size * 1.01, other=np.arange(60) * 17 % 60 + 0.5)
    first, second = find_groupings(frame, None, ["well", "ill"], [])
    assert (first.column, second.column) == ("head_mm", "other")
    assert first.notes == ("ellipse_mm divides the images almost as head_mm does, and is not shown.",)
    assert second.notes == ()


def test_of_many_columns_well_known_ones_are_first(table):
    random = np.random.default_rng(0)
    many = {f"m{c}": random.integers(0, 3, 60) for c in range(10)} | {"PatientSex": random.integers(0, 2, 60)}
    groupings = find_groupings(table.assign(**many), None, ["well", "ill"], [])
    assert [one.column for one in groupings] == ["PatientSex", *(f"m{c}" for c in range(MOST_COLUMNS - 1))]
    assert groupings[-1].notes == ("Not scored apart, unless named in evaluation.subgroups: m7, m8, m9.",)


def test_columns_asked_for_are_taken_as_they_are(table):
    frame = table.assign(v7_id=np.arange(60), licence="CC0")
    groupings = find_groupings(frame, ["licence", "v7_id"], ["well", "ill"], [])
    assert [one.column for one in groupings] == ["licence", "v7_id"]
    assert groupings[0].order == ("CC0",)
    assert find_groupings(frame, [], ["well", "ill"], []) == []


def test_a_column_that_is_not_there_is_refused(table):
    with pytest.raises(DataError, match="no column gender, scaner in the image table; its metadata are sex$"):
        find_groupings(table.assign(sex="F"), ["gender", "sex", "scaner"], ["well", "ill"], [])
    with pytest.raises(DataError, match="metadata are none"):
        check_columns(["sex"], list(table.columns))
