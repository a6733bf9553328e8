import numpy as np
import pandas as pd
import pytest

from medvision.evaluation.mask_scores import score_mask
from medvision.evaluation.mask_text import (
    MASK_BY_CLASS,
    MASK_SUMMARY,
    mask_class_count_texts,
    mask_count_text,
    mask_notes,
    measure_digits,
    segmentation_report,
    title_with_unit,
)
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.segmentation import segmentation_metrics, segmentation_table

CLASSES = ["rest", "fat", "muscle"]
LONG = ["background", "Suprapatellar quadriceps tendon", "Subcutaneous fat of the medial thigh"]


def draw(images=60, patients=25, classes=CLASSES, seed=0, unit="mm", spacing=(0.3, 0.2), shown=1.0, found=1.0):
    """Squares of each class at random places, shown and found with these chances; a prediction is shifted."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(images):
        truth, predicted = np.zeros((2, 30, 30 * len(classes)), np.uint8)
        for number in range(1, len(classes)):
            row, column = random.integers(2, 8), 30 * number + random.integers(2, 8)
            height, width, shift = random.integers(8, 20), random.integers(8, 20), random.integers(0, 3)
            if random.random() < shown:
                truth[row : row + height, column : column + width] = number
                if random.random() < found:
                    predicted[row + shift : row + height, column : column + width + shift] = number
        rows.append(score_mask(truth, predicted, classes, spacing))
    names = [f"{k}.png" for k in range(images)]
    table = pd.DataFrame({"image": names, "patient": random.integers(0, patients, images).astype(str)})
    return segmentation_table(table, pd.DataFrame(rows), names, unit)


def measure(frame, classes=CLASSES, resamples=40):
    return segmentation_metrics(frame, classes, resamples=resamples)


def report(frame, classes=CLASSES, resamples=40):
    return segmentation_report(measure(frame, classes, resamples))


def lines_of(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


def test_a_report_holds_values_counts_and_units():
    frame = draw()
    text, metrics = report(frame), measure(frame)
    dice = frame[["dice_fat", "dice_muscle"]].mean().mean()
    patients = f"{frame['patient'].nunique()} patients"
    assert text.startswith(f"95 % intervals                60 images of {patients}  {patients}\n")
    assert lines_of(text, "Dice")[0].split()[1] == f"{dice:.2f}"
    assert lines_of(text, "Hausdorff distance HD95 (mm)")
    assert "Masks by class, per image\n" in text
    assert "Masks by class, per patient\n" in text
    assert "class   HD95 (mm)       ASSD (mm)       area error (mm²)" in text
    first, second = lines_of(text, "fat")[:2]
    assert first.split()[:3] == ["fat", "60", f"{frame['dice_fat'].mean():.2f}"]
    assert second.split()[1] == f"{frame['hd95_fat'].mean():.2f}"
    interval = metrics["image"]["area_error_fat"]
    assert second.endswith(f"{interval['low']:.2f}–{interval['high']:.2f}")


@pytest.mark.parametrize("classes", [["rest", "fat"], CLASSES, LONG, [f"class {k}" for k in range(12)]])
@pytest.mark.parametrize("spacing", [(0.05, 0.05), (10, 120)])
def test_no_line_is_wider_than_the_terminal(classes, spacing):
    frame = draw(120, 40, classes, shown=0.7, found=0.7, spacing=spacing)
    text = report(frame, classes)
    assert max(map(len, text.splitlines())) <= 100
    assert f"120 images of {frame['patient'].nunique()} patients" in text


def test_every_title_is_of_a_metric_and_tells_its_unit():
    entries = measure(draw(unit="px", spacing=(1, 1)))["image"]
    by_class = {f"{name}_fat": title for name, title in MASK_BY_CLASS.items()}
    titles = [title_with_unit(title, entries[name]) for name, title in (MASK_SUMMARY | by_class).items()]
    assert [title for title in titles if "(" in title] == [
        "Hausdorff distance HD95 (px)", "surface distance ASSD (px)",
        "HD95 (px)", "ASSD (px)", "area error (px)", "area bias (px)",
    ]  # fmt: skip


@pytest.mark.parametrize(("value", "digits"), [(0.123, 2), (9.9, 2), (-12.3, 1), (123.4, 0), (None, 2)])
def test_measures_have_as_many_digits_as_say_something(value, digits):
    assert measure_digits({"value": value}) == digits


def test_counts_are_words():
    alone = measure(draw(30).assign(patient="1"), resamples=0)
    assert mask_count_text(alone["image"], "image") == "30 images of 1 patient"
    assert mask_count_text(alone["patient"], "patient") == "1 patient"
    nobody = measure(draw(30).assign(patient=None), resamples=0)
    assert mask_count_text(nobody["image"], "image") == "30 images"


def test_an_even_split_needs_no_notes():
    assert mask_notes(measure(draw(60, 25))) == []


def test_images_that_are_not_counted_are_told():
    frame = draw(80, 60, shown=0.8)
    fat, muscle = (int(frame[f"dice_{name}"].isna().sum()) for name in ("fat", "muscle"))
    assert min(fat, muscle) > 0
    (note,) = mask_notes(measure(frame))
    assert note.startswith("Not counted, as neither true nor predicted mask shows the class (of 80 images): ")
    assert note.endswith(f": fat ({fat}), muscle ({muscle}).")


def test_infinite_distances_are_told():
    frame = draw(80, 60, found=0.8)
    fat, muscle = (int(np.isinf(frame[f"hd95_{name}"]).sum()) for name in ("fat", "muscle"))
    assert min(fat, muscle) > 0
    assert mask_notes(measure(frame)) == [
        "HD95 and ASSD are infinite, and in no mean, where only one of the two masks shows the class (of 80 images): "
        f"fat ({fat}), muscle ({muscle})."
    ]


def test_an_absent_class_is_told_once():
    three = draw(classes=[*CLASSES, "bone"], seed=1)
    three.loc[:, "area_true_bone"] = 0.0
    three.loc[:, ["dice_bone", "iou_bone", "pixel_precision_bone"]] = 0.0
    three.loc[:, ["hd95_bone", "assd_bone"]] = np.inf
    three.loc[:, "pixel_sensitivity_bone"] = np.nan
    notes = mask_notes(measure(three, [*CLASSES, "bone"]))
    assert notes[0] == "In no true mask of this split, and in no mean over classes: bone (predicted in 60)."
    assert not any("infinite" in note for note in notes)
    two = draw(classes=[*CLASSES, "bone"]).drop(columns="dice_bone").assign(dice_bone=np.nan)
    empty = [f"{name}_bone" for name in MASK_SUMMARY]
    two.loc[:, empty], two.loc[:, ["area_bone", "area_true_bone"]] = np.nan, 0.0
    assert "In no true mask of this split, and in no mean over classes: bone." in mask_notes(
        measure(two, [*CLASSES, "bone"])
    )


def test_intervals_that_say_little_are_told():
    assert "No intervals: one patient says nothing about others." in report(draw().assign(patient="1"))
    assert "No intervals: no resamples." in report(draw(), resamples=0)
    assert "Only 6 patients: interpret the intervals with care." in report(draw(60, 6))
    assert "Only 15 images: interpret the intervals with care." in report(draw(15).drop(columns="patient"))
    same = draw(40, 30)
    same.loc[:, "dice_fat"] = 0.5
    assert "all of them give the same value" in " ".join(report(same).split())


def test_a_class_of_few_patients_is_told():
    frame = draw(40).assign(patient=[str(k) for k in range(40)])
    neither = [f"{name}_muscle" for name in MASK_SUMMARY]
    frame.loc[5:, neither], frame.loc[5:, ["area_muscle", "area_true_muscle"]] = np.nan, 0.0
    assert "* Fewer than 20 images count for a class, so interpret its intervals with care: muscle (5)." in mask_notes(
        measure(frame)
    )
    assert mask_class_count_texts(measure(frame)["image"]) == {"fat": "40", "muscle": "5*"}
    assert [line.split()[:2] for line in lines_of(report(frame), "muscle")[:1]] == [["muscle", "5*"]]
    frame.loc[1:, neither], frame.loc[1:, ["area_muscle", "area_true_muscle"]] = np.nan, 0.0
    notes = mask_notes(measure(frame))
    assert any(note.startswith("No interval where one patient alone counts") for note in notes)


def test_nothing_to_count_has_a_report():
    text = report(draw(30, shown=0))
    assert lines_of(text, "Dice")[0].split() == ["Dice", "–", "–"]
    assert lines_of(text, "fat")[0].split() == ["fat", "0", "–", "–", "–", "–"]
    assert "In no true mask of this split, and in no mean over classes: fat, muscle." in text
    assert "No interval" not in text


def test_metrics_of_labels_beside_those_of_masks_change_nothing():
    frame = draw()
    labels = frame.assign(target="a", predicted="a", p_a=0.5, p_b=0.5)
    both = classification_metrics(labels, ["a", "b"], resamples=0)["image"] | measure(frame)["image"]
    assert segmentation_report({"image": both}) == segmentation_report({"image": measure(frame)["image"]})
