import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from medvision.reports.figures import svg_text
from medvision.reports.mask_figures import FEW_IMAGES, dice_figure, distance_figure
from tests.reports.test_figures import texts
from tests.reports.tissue import CLASSES, draw_mask_table


def table(**columns):
    return pd.DataFrame({"unit": "mm"} | columns, index=range(len(next(iter(columns.values())))))


def points_of(figure):
    """The values of the single points of each class, first class first."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "o" and line.get_linestyle() == "None"]
    return [np.sort(line.get_xdata()).tolist() for line in lines]


def test_boxes_hold_the_hand_worked_quartiles_and_leave_nan_out():
    dice = [0.1, 0.2, 0.3, 0.4, 0.5, np.nan]
    figure = dice_figure(table(dice_fat=dice, dice_muscle=[0.9] * 6), CLASSES)
    axes = figure.axes[0]
    box = axes.patches[0].get_path().vertices[:, 0]
    assert (box.min(), box.max()) == pytest.approx((0.2, 0.4))
    medians = [line.get_xdata()[0] for line in axes.lines if line.get_linewidth() == 2.0]
    assert medians == pytest.approx([0.3, 0.9])
    assert points_of(figure) == [dice[:5], [0.9] * 6]
    assert {"fat", "n = 5", "muscle", "n = 6", "Dice"} <= set(texts(svg_text(figure)))


def test_two_images_are_points_without_a_box():
    figure = dice_figure(table(dice_fat=[0.5, 0.7], dice_muscle=[np.nan, np.nan]), CLASSES)
    assert not figure.axes[0].patches
    assert points_of(figure) == [[0.5, 0.7], []]


def test_many_images_show_outliers_alone_as_points():
    number = FEW_IMAGES + 1
    dice = np.append(np.linspace(0.9, 0.95, number - 1), 0.2)
    figure = dice_figure(table(dice_fat=dice, dice_muscle=np.full(number, 0.8)), CLASSES)
    assert [points for points in points_of(figure) if points] == [[0.2]]
    low, high = figure.axes[0].get_xlim()
    assert low < 0.2
    assert high > 1
    assert not any(isinstance(part, PathCollection) for part in figure.axes[0].collections)


def test_infinite_distances_are_told_not_drawn():
    figure = distance_figure(table(hd95_fat=[1.0, np.inf, np.nan, np.inf], hd95_muscle=[2.0, 3.0, 4.0, 5.0]), CLASSES)
    assert points_of(figure) == [[1.0], [2.0, 3.0, 4.0, 5.0]]
    found = texts(svg_text(figure))
    assert {"n = 1, 2 infinite", "n = 4", "95th-percentile Hausdorff distance (mm)"} <= set(found)
    assert figure.axes[0].get_xlim()[0] == 0


def test_the_unit_is_that_of_the_table():
    figure = distance_figure(draw_mask_table(unit="px"), CLASSES)
    assert "95th-percentile Hausdorff distance (px)" in texts(svg_text(figure))


def test_without_values_there_is_no_figure():
    nothing = [np.nan, np.nan]
    assert dice_figure(table(dice_fat=nothing, dice_muscle=nothing), CLASSES) is None
    assert distance_figure(table(hd95_fat=[np.inf, np.nan], hd95_muscle=nothing), CLASSES) is None


@pytest.mark.parametrize("classes", [1, 12])
def test_one_and_many_classes_with_long_names_can_be_drawn(classes):
    names = ["rest", *(f"the {k}th muscle of the $lower$ leg & foot" for k in range(classes))]
    rows = table(**{f"dice_{name}": np.linspace(0.4, 0.9, 9) for name in names})
    figure = dice_figure(rows, names)
    text = svg_text(figure)
    assert text == svg_text(dice_figure(rows, names))
    assert len(figure.axes[0].patches) == classes
    assert figure.axes[0].get_window_extent().width > 100
