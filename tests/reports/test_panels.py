import numpy as np
import pandas as pd
import pytest

from medvision.data.masks import IGNORE
from medvision.reports.overlays import BACKGROUND
from medvision.reports.palette import class_colour
from medvision.reports.panels import CELL, GAP, SHEET_WIDTH, PanelCase, choose_cases, name_scores, panel_sheet
from tests.reports.tissue import CLASSES, bend_mask, draw_tissue


def table(*dice):
    return pd.DataFrame({"dice_fat": dice, "dice_muscle": dice}, index=range(100, 100 + len(dice)))


def test_best_median_and_worst_are_chosen_by_hand_worked_order():
    frame = table(0.5, 0.9, 0.1, 0.7, 0.3, 0.8, 0.2)
    assert choose_cases(frame, CLASSES, each=1) == [("best", 1), ("median", 0), ("worst", 2)]
    assert choose_cases(frame, CLASSES, each=2) == [
        ("best", 1),
        ("best", 5),
        ("median", 3),
        ("median", 0),
        ("worst", 6),
        ("worst", 2),
    ]


def test_the_mean_is_over_the_foreground_classes_that_count():
    frame = pd.DataFrame({"dice_fat": [0.9, np.nan, 0.2], "dice_muscle": [0.5, 0.8, np.nan], "dice_rest": [0, 0, 1.0]})
    assert choose_cases(frame, CLASSES) == [("best", 1), ("median", 0), ("worst", 2)]


@pytest.mark.parametrize("number", range(12))
def test_few_rows_come_once_each_and_rows_without_dice_never(number):
    frame = pd.concat([table(*np.linspace(0.2, 0.9, number)), table(np.nan, np.nan)])
    chosen = choose_cases(frame, CLASSES)
    rows = [row for _, row in chosen]
    assert sorted(rows) == sorted(set(rows))
    assert set(rows) <= set(range(number))
    assert len(rows) == min(number, 9)
    dice = frame["dice_fat"].to_numpy()[rows]
    assert (np.diff(dice) <= 0).all()


def case(height=60, width=80, colour=False, **changes):
    image, truth = draw_tissue(1, height, width)
    parts = {
        "truth": truth,
        "predicted": bend_mask(truth, 2, 2.0),
        "caption": "best: a.png",
        "scores": {"Dice fat": 0.9},
    }
    return PanelCase(image=np.repeat(image[..., None], 3, axis=-1) if colour else image, **parts | changes)


def has_colour(pixels, colour, near=12):
    return bool((np.abs(pixels.astype(int) - colour).max(axis=-1) <= near).any())


@pytest.mark.parametrize(("height", "width"), [(60, 80), (81, 33), (7, 5), (1, 1), (3, 211), (1000, 1203)])
@pytest.mark.parametrize("colour", [False, True])
def test_every_size_and_shape_fits_its_cell(height, width, colour):
    sheet = panel_sheet([case(height, width, colour)], CLASSES, "t")
    assert sheet.mode == "RGB"
    assert sheet.width == SHEET_WIDTH == 1404
    pixels = np.asarray(sheet)
    # Nothing is drawn on the paper between the cells.
    for k in range(5):
        gap = pixels[-10:, k * (CELL + GAP) : k * (CELL + GAP) + GAP]
        assert (gap == BACKGROUND).all()


def test_nine_cases_stand_below_each_other():
    one, nine = (panel_sheet([case(60, 80)] * n, CLASSES, "t") for n in (1, 9))
    step = (nine.height - one.height) / 8
    assert step == 252 + 30 + 12


def test_image_mask_prediction_and_difference_show_what_they_should():
    truth, predicted = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    truth[10:30, 5:20], predicted[10:30, 20:35] = 1, 2
    shown = PanelCase(image=np.full((40, 40), 60, np.uint8), truth=truth, predicted=predicted, caption="c")
    pixels = np.asarray(panel_sheet([shown], CLASSES, "t"))[-GAP - GAP - CELL : -GAP - GAP]
    image, mask, prediction, difference = (
        pixels[:, GAP + k * (CELL + GAP) : GAP + k * (CELL + GAP) + CELL] for k in range(4)
    )
    assert (image == 60).all()
    assert has_colour(mask, class_colour(1))
    assert not has_colour(mask, class_colour(2))
    assert has_colour(prediction, class_colour(2))
    assert not has_colour(prediction, class_colour(1))
    middle = CELL // 2
    # Inside the outline the mask shows the image, the prediction a tint.
    assert (mask[middle, CELL // 4] == 60).all()
    assert not (prediction[middle, 3 * CELL // 4] == 60).all()
    missed, invented = difference[middle, 60:150].astype(int), difference[middle, 180:270].astype(int)
    assert (missed[:, 2] > missed[:, 0]).all()
    assert (invented[:, 0] > invented[:, 2]).all()
    assert (difference[5, 5] == 30).all()


def test_ignored_pixels_are_grey_and_in_the_legend():
    truth = np.zeros((30, 30), np.uint8)
    truth[:, 15:] = IGNORE
    ignoring = PanelCase(image=truth * 0, truth=truth, predicted=truth * 0, caption="c")
    plain = PanelCase(image=truth * 0, truth=truth * 0, predicted=truth * 0, caption="c")
    grey = [np.asarray(panel_sheet([shown], CLASSES, "")) for shown in (ignoring, plain)]
    assert has_colour(grey[0][-100:], (128, 128, 128), near=0)
    legends = [pixels[40:75, :600] for pixels in grey]
    assert not np.array_equal(*legends)
    assert not has_colour(legends[1], (128, 128, 128), near=0)


def test_a_long_name_is_cut_and_its_scores_are_not():
    sheets = [
        np.asarray(panel_sheet([case(caption=f"worst: {name}", scores={"Dice fat": score})], CLASSES, "t"))
        for name, score in (("x" * 400, 0.25), ("x" * 400, 0.75), ("x" * 500, 0.75))
    ]
    assert not np.array_equal(sheets[0], sheets[1])
    np.testing.assert_array_equal(sheets[1], sheets[2])


def test_names_of_scores_come_from_the_table():
    row = pd.Series({"image": "a.png", "dice_fat": 0.5, "dice_muscle": np.nan})
    assert name_scores(row, CLASSES) == pytest.approx({"Dice fat": 0.5, "Dice muscle": np.nan}, nan_ok=True)
    assert panel_sheet([case(scores=name_scores(row, CLASSES))], CLASSES, "t").width == SHEET_WIDTH


def test_one_size_and_one_case_are_needed():
    with pytest.raises(ValueError, match="one size is needed"):
        case(predicted=np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match="at least one"):
        panel_sheet([], CLASSES, "t")
