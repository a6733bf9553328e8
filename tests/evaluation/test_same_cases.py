import numpy as np
import pandas as pd
import pytest

from medvision.errors import DataError
from medvision.evaluation.same_cases import align_tables, check_same_cases, compared_columns


def masks(images=4):
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(images)], "patient": "1", "unit": "mm"})
    return frame.assign(dice_disc=0.8, area_disc=3.0, area_true_disc=np.arange(images) + 0.1)


def lines(tables):
    with pytest.raises(DataError) as error:
        check_same_cases(tables)
    return error.value.lines


def test_the_same_cases_in_another_order_may_be_compared(draw):
    table = draw().assign(fold=0)
    check_same_cases({"a": table, "b": table.sample(frac=1, random_state=0).assign(fold=1, predicted="a", p_a=0.1)})
    # A number that was read beside an empty cell is the same number.
    known = table.assign(patient=np.arange(60) % 9)
    check_same_cases({"a": known, "b": known.assign(patient=known["patient"].astype(float))})
    check_same_cases({"a": known, "b": known.assign(patient=known["patient"].astype(str))})


def test_other_images_are_counted_and_a_few_are_named(draw):
    table = draw(30)
    assert lines({"one": table, "two": table[:-2]}) == (
        "one and two: 2 images (28.png, 29.png) tested by one and not by two; "
        "compare runs of the same data, split and seed",
    )
    both = lines({"one": table[5:], "two": table[:-15]})
    assert [line.partition(";")[0] for line in both] == [
        "one and two: 15 images (15.png, 16.png, 17.png, 18.png, 19.png, 20.png, 21.png, 22.png, 23.png, 24.png and 5 "
        "more) tested by one and not by two",
        "two and one: 5 images (0.png, 1.png, 2.png, 3.png, 4.png) tested by two and not by one",
    ]


def test_other_patients_and_targets_are_told_for_each_model(draw):
    table = draw(20)
    target = table.assign(target=["c" if k == 3 else name for k, name in enumerate(table["target"])])
    assert table["target"][3] != "c"
    patient = table.assign(patient=[f"{name}0" if k < 2 else name for k, name in enumerate(table["patient"])])
    found = lines({"one": table, "two": target, "three": patient})
    assert [line.partition(";")[0] for line in found] == [
        "one and two: 1 image (3.png) with another target",
        "one and three: 2 images (0.png, 1.png) with another patient",
    ]
    # Unknown patients are not those of the other table.
    assert "20 images" in lines({"one": table, "two": table.drop(columns="patient")})[0]
    studies = table.assign(study="s")
    assert "another study" in lines({"one": studies, "two": studies.assign(study="t")})[0]


def test_true_areas_of_masks_must_be_the_same():
    check_same_cases({"one": masks(), "two": masks().assign(dice_disc=0.1)})
    other = masks().assign(area_true_disc=[0.1, 1.1, 2.5, 3.1])
    assert "1 image (2.png) with another true area of disc" in lines({"one": masks(), "two": other})[0]
    assert "unit of distances" in lines({"one": masks(), "two": masks().assign(unit="px")})[0]
    absent = masks().drop(columns="area_true_disc")
    assert "4 images" in lines({"one": masks(), "two": absent})[0]


def test_repeats_are_part_of_a_case(draw):
    table = draw(6)
    twice = pd.concat([table.assign(repeat=k) for k in range(2)], ignore_index=True)
    check_same_cases({"one": twice, "two": twice.iloc[::-1]})
    assert "of repeat 1" in lines({"one": twice, "two": twice[:-1]})[0]
    # Repeats on one side only.
    assert len(lines({"one": twice, "two": table})) == 2
    assert "in more than one row" in lines({"one": twice.drop(columns="repeat"), "two": table})[0]


def test_tables_without_rows_or_with_another_question(draw):
    assert "predict the test split first" in lines({"one": draw()[:0], "two": draw()})[0]
    labels = draw(4).assign(patient="1")
    assert lines({"one": labels, "two": masks()}) == (
        "comparison: one has labels, two has masks; compare models that answer the same question",
    )


def test_what_only_some_models_predict_is_not_compared(draw):
    labels = draw(4).assign(patient="1")
    both = labels.merge(masks().drop(columns="patient"), on="image")
    assert compared_columns({"one": labels, "two": both}) == ["patient", "target"]
    aligned, notes = align_tables({"one": labels, "two": both.iloc[::-1]})
    assert notes == ["Only two predicts masks; they are not compared."]
    assert "unit" not in aligned["two"]
    assert list(aligned["one"]["image"]) == list(aligned["two"]["image"])


def test_other_folds_are_said(draw):
    table = draw(6).assign(fold=[0, 0, 0, 1, 1, 1])
    assert align_tables({"one": table, "two": table})[1] == []
    _, notes = align_tables({"one": table, "two": table.assign(fold=[1, 0, 0, 1, 1, 0])})
    assert notes == ["The folds are not the same: an image was tested by models that were trained on other patients."]
