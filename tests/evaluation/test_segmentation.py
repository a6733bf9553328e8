import json
import math

import numpy as np
import pandas as pd
import pytest

from medvision.errors import DataError
from medvision.evaluation.intervals import bca_interval, percentile_interval
from medvision.evaluation.mask_scores import score_names
from medvision.evaluation.predictions import prediction_table
from medvision.evaluation.segmentation import check_segmentation, segmentation_metrics, segmentation_table
from medvision.runs import read_table, write_table

NAN, INF = math.nan, math.inf
CLASSES = ["rest", "fat"]
THREE = ["rest", "fat", "muscle"]
MEANS = ["dice", "iou", "pixel_sensitivity", "pixel_precision", "hd95", "assd"]

# Dice, IoU, sensitivity, precision, HD95, ASSD, area, true area.
EMPTY = (NAN, NAN, NAN, NAN, NAN, NAN, 0, 0)
MISSED = (0, 0, 0, NAN, INF, INF, 0, 7)
INVENTED = (0, 0, NAN, 0, INF, INF, 7, 0)


def image(dice, distance=1.0, area=10.0, true=10.0):
    return (dice, dice / 2, dice, dice, distance, distance / 2, area, true)


def frame_of(rows, patients=None, unit="mm", classes=CLASSES):
    """A prediction table of scores, one tuple of 8 numbers a class and image."""
    names = score_names(classes)
    images = pd.DataFrame({"image": [f"{k}.png" for k in range(len(rows))], "split": "test"})
    if patients is not None:
        images["patient"] = list(patients)
    scores = pd.DataFrame(np.array(rows, np.float64).reshape(len(rows), len(names)), columns=names)
    return segmentation_table(images, scores, [f"masks/{k}.png" for k in range(len(rows))], unit)


def random_frame(images=40, patients=12, seed=0, classes=THREE):
    random = np.random.default_rng(seed)
    kinds = [
        [image(*random.random(2), *random.integers(1, 90, 2)), EMPTY, MISSED, INVENTED][
            random.choice(4, p=[0.7, 0.1, 0.1, 0.1])
        ]
        for _ in range(images * (len(classes) - 1))
    ]
    rows = np.array(kinds, np.float64).reshape(images, -1)
    return frame_of(rows, random.integers(0, patients, images).astype(str), classes=classes)


def values(entries, key="value"):
    return {name: entry[key] for name, entry in entries.items() if key in entry}


# The table


def test_columns_stand_in_the_order_of_the_table():
    images = pd.DataFrame(
        {"image": ["b", "a"], "mask": ["m/b.png", "m/a.png"], "sex": "f", "patient": "p", "fold": 0, "split": "test"},
        index=[4, 2],
    )
    scores = pd.DataFrame([image(0.5), image(0.7)], columns=score_names(CLASSES))
    table = segmentation_table(images, scores, ["masks/b.png", "masks/a.png"], "px")
    assert list(table) == [
        "image", "patient", "split", "fold", "mask", "unit", *score_names(CLASSES), "mask_true", "sex"
    ]  # fmt: skip
    assert table["mask"].tolist() == ["masks/b.png", "masks/a.png"]
    assert table["mask_true"].tolist() == ["m/b.png", "m/a.png"]
    assert table["dice_fat"].tolist() == [0.5, 0.7]
    assert table["unit"].tolist() == ["px", "px"]
    assert table.index.tolist() == [0, 1]


def test_predicted_labels_stand_before_the_masks():
    images = pd.DataFrame({"image": ["a"], "label": "x", "mask": "m.png", "sex": "f", "split": "test"})
    labelled = prediction_table(images, np.array([[0.25, 0.75]], np.float32), ["x", "y"])
    table = segmentation_table(
        labelled, pd.DataFrame([image(0.5)], columns=score_names(CLASSES)), ["masks/a.png"], "mm"
    )
    leading = ["image", "split", "target", "predicted", "p_x", "p_y", "mask", "unit"]
    assert list(table) == [*leading, *score_names(CLASSES), "mask_true", "sex"]
    assert table["p_y"].tolist() == [0.75]


def test_a_column_with_a_taken_name_is_refused():
    images = pd.DataFrame({"image": ["a"], "mask": "m.png", "area_fat": 1, "unit": "cm"})
    scores = pd.DataFrame([image(0.5)], columns=score_names(CLASSES))
    with pytest.raises(DataError, match="rename the columns area_fat, unit"):
        segmentation_table(images, scores, ["masks/a.png"], "mm")
    with pytest.raises(ValueError, match="2 images, 1 rows of scores and 1 masks"):
        segmentation_table(pd.DataFrame({"image": ["a", "b"]}), scores, ["masks/a.png"], "mm")


def test_a_written_table_gives_exactly_the_same_metrics(tmp_path):
    table = random_frame()
    assert np.isinf(table["hd95_fat"]).any()
    assert table["dice_fat"].isna().any()
    write_table(tmp_path / "predictions.csv", table)
    again = read_table(tmp_path / "predictions.csv")
    pd.testing.assert_frame_equal(again, table, check_dtype=False, check_exact=True)
    settings = {"classes": THREE, "resamples": 30}
    assert segmentation_metrics(again, **settings) == segmentation_metrics(table, **settings)


def test_a_drawn_table_passes():
    check_segmentation(random_frame(), THREE)


def test_all_mistakes_are_listed_at_once():
    frame = random_frame(30).astype({"unit": object, "hd95_fat": object})
    frame.loc[0, "unit"] = "px"
    frame.loc[1, "image"] = "2.png"
    frame.loc[3, "dice_fat"] = 1.2
    frame.loc[4, "hd95_fat"] = "far"
    frame.loc[5, "area_muscle"] = NAN
    frame.loc[6, ["area_muscle", "area_true_muscle", "assd_muscle"]] = [3, 3, NAN]
    frame.loc[6, ["dice_muscle", "iou_muscle", "hd95_muscle"]] = [1, 1, 0]
    frame.loc[7, score_names(CLASSES)] = [0, 0, 0, 0, INF, INF, 0, 7]
    with pytest.raises(DataError) as caught:
        check_segmentation(frame, THREE, where="predictions.csv")
    lines = caught.value.lines
    for line in (
        "predictions.csv: column unit must hold mm in all rows or px in all, found 'mm', 'px'",
        "predictions.csv: an image stands in more than one row: 2.png",
        "predictions.csv: column dice_fat must hold numbers from 0 to 1, and does not at: 3.png",
        "predictions.csv: column hd95_fat must hold numbers from 0, and does not at: 4.png",
        "predictions.csv: column area_muscle must hold numbers from 0, and does not at: 5.png",
        "predictions.csv: column assd_muscle must be empty where the areas leave it undefined, and only there; see: "
        "6.png",
        "predictions.csv: column pixel_precision_fat must be empty where the areas leave it undefined, and only there; "
        "see: 7.png",
    ):
        assert line in lines


def test_missing_columns_and_rows_are_told():
    with pytest.raises(DataError, match="no column unit, hd95_muscle; it has image, "):
        check_segmentation(random_frame().drop(columns=["hd95_muscle", "unit"]), THREE)
    with pytest.raises(DataError, match="no rows"):
        check_segmentation(random_frame().iloc[:0], THREE)
    with pytest.raises(DataError, match="found 'cm'"):
        check_segmentation(random_frame().assign(unit="cm"), THREE)


# The metrics


def test_means_over_images_and_over_patients_by_hand():
    rows = [image(1, 1, 14), image(0.5, 2, 7), MISSED, image(0.8, 6, 10), EMPTY]
    levels = segmentation_metrics(frame_of(rows, "aaabc"), CLASSES, resamples=0)
    assert list(levels) == ["image", "patient"]
    found = levels["image"]
    # Four images of two patients count; the missed one has no precision and an infinite distance.
    assert values(found) == {
        **dict.fromkeys(["dice", "dice_fat", "pixel_sensitivity", "pixel_sensitivity_fat"], pytest.approx(2.3 / 4)),
        **dict.fromkeys(["iou", "iou_fat"], pytest.approx(2.3 / 8)),
        **dict.fromkeys(["pixel_precision", "pixel_precision_fat"], pytest.approx(2.3 / 3)),
        **dict.fromkeys(["hd95", "hd95_fat"], 3),
        **dict.fromkeys(["assd", "assd_fat"], 1.5),
        "area_error_fat": (4 + 3 + 7 + 0) / 4,
        "area_bias_fat": (4 - 3 - 7 + 0) / 4,
        "absent_mask_classes": [],
    }
    assert {found[name]["n"] for name in ("dice", "iou_fat", "area_error_fat", "area_bias_fat")} == {4}
    assert {found[name]["n"] for name in ("hd95", "assd_fat", "pixel_precision")} == {3}
    assert values(found, "infinite") == dict.fromkeys(["hd95", "assd", "hd95_fat", "assd_fat"], 1)
    assert {entry["patients"] for entry in found.values() if "low" in entry} == {2}
    by_patient = levels["patient"]
    assert by_patient["dice"]["value"] == pytest.approx((0.5 + 0.8) / 2)
    assert by_patient["pixel_precision"]["value"] == pytest.approx((0.75 + 0.8) / 2)
    assert by_patient["hd95_fat"]["value"] == pytest.approx((1.5 + 6) / 2)
    assert by_patient["area_error_fat"]["value"] == pytest.approx(14 / 3 / 2)
    assert by_patient["area_bias_fat"]["value"] == pytest.approx(-6 / 3 / 2)
    assert values(by_patient, "infinite")["hd95"] == 1
    assert {entry["n"] for entry in by_patient.values() if "low" in entry} == {2}
    assert [entries["absent_mask_classes"] for entries in levels.values()] == [
        {"value": [], "n": 5, "patients": 3},
        {"value": [], "n": 3, "patients": 3},
    ]


def test_a_mean_over_classes_weighs_classes_not_images():
    rows = [[image(1, 1), image(0.2, 9)], [image(0.6, 2), EMPTY], [image(0.8, 3), MISSED]]
    found = segmentation_metrics(frame_of(rows, classes=THREE), THREE, resamples=0)["image"]
    assert found["dice_fat"]["value"] == pytest.approx(0.8)
    assert found["dice_muscle"]["value"] == pytest.approx(0.1)
    assert found["dice"]["value"] == pytest.approx(0.45)
    assert found["hd95"]["value"] == pytest.approx((2 + 9) / 2)
    assert (found["dice"]["n"], found["dice_muscle"]["n"]) == (3, 2)
    assert (found["hd95"]["infinite"], found["hd95_fat"]["infinite"], found["hd95_muscle"]["infinite"]) == (1, 0, 1)
    assert "area_error" not in found


def test_an_absent_class_is_apart():
    rows = [[image(1), EMPTY], [image(0.6), INVENTED]]
    found = segmentation_metrics(frame_of(rows, classes=THREE), THREE, resamples=0)["image"]
    assert found["absent_mask_classes"]["value"] == ["muscle"]
    assert found["dice"]["value"] == pytest.approx(0.8)
    assert (found["hd95"]["value"], found["hd95"]["infinite"]) == (1, 0)
    # What was predicted of it is told all the same.
    assert (found["dice_muscle"]["value"], found["dice_muscle"]["n"], found["hd95_muscle"]["infinite"]) == (0, 1, 1)
    assert found["area_error_muscle"]["value"] == 7


def test_a_class_that_is_never_found_leaves_no_mean_of_what_it_lacks():
    rows = [[image(1), MISSED], [image(0.6), MISSED]]
    found = segmentation_metrics(frame_of(rows, "ab", classes=THREE), THREE, resamples=20)["image"]
    assert found["dice"]["value"] == pytest.approx(0.4)
    for name in ("hd95", "assd", "pixel_precision", "hd95_muscle", "pixel_precision_muscle"):
        assert (found[name]["value"], found[name]["low"]) == (None, None), name
    assert (found["hd95_muscle"]["n"], found["hd95_muscle"]["infinite"], found["hd95"]["infinite"]) == (0, 2, 2)
    assert found["hd95_fat"]["value"] == 1
    json.dumps(found, allow_nan=False)


def test_nothing_but_background():
    found = segmentation_metrics(frame_of([EMPTY, INVENTED, EMPTY], "abc"), CLASSES, resamples=20)["image"]
    assert found["absent_mask_classes"]["value"] == ["fat"]
    assert {found[name]["value"] for name in MEANS} == {None}
    assert {found[name]["n"] for name in MEANS} == {0}
    assert found["dice_fat"]["value"] == 0
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(("unit", "area"), [("mm", "mm²"), ("px", "px")])
def test_units_stand_beside_distances_and_areas(unit, area):
    found = segmentation_metrics(frame_of([image(1)], unit=unit), CLASSES, resamples=0)["image"]
    assert values(found, "unit") == {
        **dict.fromkeys(["hd95", "assd", "hd95_fat", "assd_fat"], unit),
        **dict.fromkeys(["area_error_fat", "area_bias_fat"], area),
    }


@pytest.mark.parametrize(
    ("patients", "levels"),
    [
        (None, ["image"]),
        (["", "", None], ["image"]),
        (["a", "b", "c"], ["image"]),
        (["a", "", ""], ["image"]),
        (["a", "a", ""], ["image", "patient"]),
    ],
)
def test_patients_are_a_level_where_some_have_several_images(patients, levels):
    frame = frame_of([image(1), image(0.5), image(0.2)], patients)
    assert list(segmentation_metrics(frame, CLASSES, resamples=0)) == levels


# The intervals


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_are_those_of_patients_drawn_and_left_out_one_by_one(method):
    frame = random_frame(30, 9)
    levels = segmentation_metrics(frame, THREE, resamples=80, seed=3, interval=method)
    numbers = pd.factorize(frame["patient"], sort=True)[0]
    random, patients = np.random.default_rng(3), range(numbers.max() + 1)
    columns = [f"{metric}_{name}" for metric in ("dice", "hd95") for name in THREE[1:]]
    scores = frame[columns].replace(INF, NAN)
    of_patient = scores.groupby(numbers).mean()
    picks = [random.integers(len(patients), size=len(patients)) for _ in range(80)]
    picks += [np.delete(patients, k) for k in patients]
    found = {
        "image": [pd.concat([scores[numbers == patient] for patient in pick]).mean() for pick in picks],
        "patient": [of_patient.loc[pick].mean() for pick in picks],
    }
    counting = of_patient.notna().sum()
    counting["dice"] = counting[["dice_fat", "dice_muscle"]].min()
    for level, entries in levels.items():
        values = pd.DataFrame(found[level])
        values["dice"] = values[["dice_fat", "dice_muscle"]].mean(axis=1, skipna=False)
        for name in (*columns, "dice"):
            drawn, left_out, entry = values[name].to_numpy()[:80], values[name].to_numpy()[80:], entries[name]
            if method == "bca":
                expected = bca_interval(drawn, entry["value"], left_out, patients=counting[name])
            else:
                expected = percentile_interval(drawn, patients=counting[name])
            assert (entry["low"], entry["high"]) == pytest.approx(expected), (level, name)
            assert entry["low"] <= entry["value"] <= entry["high"]
            assert entry["method"] == method


def test_a_class_of_one_patient_has_no_interval():
    rows = [[image(1), image(0.5)], [image(0.5), EMPTY], [image(0.7), EMPTY]]
    found = segmentation_metrics(frame_of(rows, "abc", classes=THREE), THREE, resamples=50)["image"]
    for name in ("dice", "dice_muscle"):
        assert (found[name]["value"] is None, found[name]["low"]) == (False, None), name
    assert found["dice_fat"]["low"] is not None


def test_more_images_of_the_same_patients_do_not_narrow_an_interval():
    frame = random_frame(30, 12)
    copies = [frame.assign(image=f"{k}/" + frame["image"]) for k in range(6)]
    many = pd.concat(copies, ignore_index=True)
    one, six = (segmentation_metrics(table, THREE, resamples=200)["image"] for table in (frame, many))
    for name in ("dice", "dice_fat", "hd95_muscle", "area_error_fat"):
        for end in ("low", "value", "high"):
            assert six[name][end] == pytest.approx(one[name][end]), name
    assert six["dice_fat"]["n"] == 6 * one["dice_fat"]["n"]
    assert six["dice_fat"]["patients"] == one["dice_fat"]["patients"]
    # Six times as many patients do.
    others = pd.concat([copy.assign(patient=f"{k}/" + copy["patient"]) for k, copy in enumerate(copies)])
    wide, narrow = (
        entries["dice_fat"]["high"] - entries["dice_fat"]["low"]
        for entries in (one, segmentation_metrics(others, THREE, resamples=200)["image"])
    )
    assert wide / narrow == pytest.approx(math.sqrt(6), rel=0.3)


def test_studies_stand_for_patients_that_are_not_known():
    frame = random_frame(30, 12)
    renamed = frame.rename(columns={"patient": "study"})
    levels = segmentation_metrics(renamed, THREE, resamples=50)
    assert list(levels) == ["image"]
    assert levels["image"] == segmentation_metrics(frame, THREE, resamples=50)["image"]


def test_the_order_of_the_rows_and_a_second_run_change_nothing():
    frame = random_frame()
    found = segmentation_metrics(frame, THREE, resamples=40, seed=1)
    assert found == segmentation_metrics(frame, THREE, resamples=40, seed=1)
    shuffled = segmentation_metrics(frame.sample(frac=1, random_state=0), THREE, resamples=40, seed=1)
    for level, entries in found.items():
        for name in set(entries) - {"absent_mask_classes"}:
            assert shuffled[level][name] == pytest.approx(entries[name]), name
    other = segmentation_metrics(frame, THREE, resamples=40, seed=2)
    assert other["image"]["dice"]["low"] != found["image"]["dice"]["low"]


def test_one_patient_gives_no_interval():
    rows = [image(1), image(0.5), image(0.2)]
    for patients, resamples in (("aaa", 20), ("abc", 0)):
        levels = segmentation_metrics(frame_of(rows, patients), CLASSES, resamples=resamples)
        for entries in levels.values():
            assert entries["dice"]["value"] is not None
            assert {entry["low"] for entry in entries.values() if "low" in entry} == {None}
        json.dumps(levels, allow_nan=False)


def test_a_class_of_one_patient_gives_no_interval():
    rows = [[image(1), EMPTY], [image(0.6), image(0.4)], [image(0.7), image(0.5)], [image(0.9), EMPTY]]
    found = segmentation_metrics(frame_of(rows, "abbc", classes=THREE), THREE, resamples=200)["image"]
    assert (found["dice_muscle"]["patients"], found["dice_muscle"]["n"]) == (1, 2)
    assert found["dice_muscle"]["value"] == pytest.approx(0.45)
    assert (found["dice_muscle"]["low"], found["dice"]["low"]) == (None, None)
    assert found["dice_fat"]["low"] < found["dice_fat"]["value"] < found["dice_fat"]["high"]


def test_resamples_without_a_class_are_counted():
    rows = [[image(0.7), image(k / 10) if k < 2 else EMPTY] for k in range(10)]
    found = segmentation_metrics(frame_of(rows, "abcdefghij", classes=THREE), THREE, resamples=500)["image"]
    # Ten draws leave out both of two patients with a chance of 0.8 to the tenth.
    assert found["dice_muscle"]["undefined_resamples"] / 500 == pytest.approx(0.8**10, abs=0.05)
    assert found["dice"]["undefined_resamples"] == found["dice_muscle"]["undefined_resamples"]
    assert "undefined_resamples" not in found["dice_fat"]


def test_a_drawn_table_can_be_written_as_json():
    found = segmentation_metrics(random_frame(), THREE, resamples=50)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


# Repeats


def worse(frame, by):
    """The same masks, predicted worse: every distance larger by a share, every overlap smaller."""
    columns = {name: frame[name] * (1 + by) for name in frame if name.startswith(("hd95", "assd"))}
    overlaps = ("dice_", "iou_", "pixel_")
    return frame.assign(**columns, **{name: frame[name] * (1 - by) for name in frame if name.startswith(overlaps)})


def test_masks_of_repeats_are_the_mean_over_repeats_with_patients_drawn_in_all_at_once():
    one = random_frame()
    two = worse(one, 0.2).sample(frac=1, random_state=0)
    pooled = pd.concat([one.assign(repeat=0), two.assign(repeat=1)], ignore_index=True)
    found = segmentation_metrics(pooled, THREE, resamples=60, seed=2)
    # A mean of means is the mean of the scores, as both repeats count the same images.
    averaged = [name for name in one if name.startswith((*MEANS,))]
    middle = one.assign(**{name: (one[name] + worse(one, 0.2)[name]) / 2 for name in averaged})
    expected = segmentation_metrics(middle.sort_values("image"), THREE, resamples=60, seed=2)
    assert list(found) == list(expected) == ["image", "patient"]
    for level, entries in expected.items():
        assert found[level].pop("absent_mask_classes") == entries.pop("absent_mask_classes")
        for name, entry in entries.items():
            keys = [key for key in ("value", "low", "high", "n", "patients", "infinite") if key in entry]
            assert [found[level][name][key] for key in keys] == pytest.approx([entry[key] for key in keys]), name
    alone = [segmentation_metrics(table, THREE, resamples=0)["image"]["hd95"]["value"] for table in (one, two)]
    assert found["image"]["hd95"]["repeats"] == pytest.approx(alone)
    assert "repeats" not in expected["image"]["hd95"]
    json.dumps(found, allow_nan=False)
