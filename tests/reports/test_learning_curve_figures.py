import re

import pytest

from medvision.reports.figures import COLOURS, svg_text
from medvision.reports.learning_curve_figures import (
    difference_figure,
    learning_curve_figures,
    metric_figure,
    time_figure,
)
from tests.reports.told_curves import told


def lines_of(figure, colour):
    return [line for line in figure.axes[0].lines if line.get_color() == colour]


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_all_figures_by_name():
    assert list(learning_curve_figures(told())) == ["learning_curve_image", "difference_image", "training_time"]
    assert list(learning_curve_figures(told(models=("small",)))) == ["learning_curve_image", "training_time"]


def test_points_are_those_of_the_file_and_the_axis_is_logarithmic():
    found = told(models=("small",))
    figure = metric_figure(found["levels"]["image"], ["small"])
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_ylabel() == "AUROC"
    marked = [line for line in lines_of(figure, COLOURS[0]) if line.get_marker() == "o"]
    assert list(marked[-1].get_ydata()) == pytest.approx([0.7, 0.75, 0.8, 0.85])
    assert list(marked[-1].get_xdata()) == pytest.approx([100, 200, 400, 800])
    repeats = [line for line in lines_of(figure, COLOURS[0]) if line.get_marker() == "_"]
    assert list(repeats[0].get_ydata()) == pytest.approx([0.68, 0.72])


def test_the_curve_is_dashed_beyond_the_data():
    found = told(models=("small",))
    figure = metric_figure(found["levels"]["image"], ["small"])
    solid, dashed = [line for line in lines_of(figure, COLOURS[0]) if len(line.get_xdata()) > 4]
    assert solid.get_linestyle() == "-"
    assert dashed.get_linestyle() == "--"
    assert max(solid.get_xdata()) <= 800 * 1.001
    assert dashed.get_xdata()[0] == solid.get_xdata()[-1]
    assert max(dashed.get_xdata()) == pytest.approx(8000)
    assert "power law beyond the data" in labels(figure)
    ticks = [tick for tick in figure.axes[0].get_xticks() if tick <= 8000]
    assert ticks == [100, 200, 400, 800, 1600, 3200, 6400]


def test_three_sizes_have_no_dashes():
    found = told(models=("small",), sizes=(100, 200, 400))
    figure = metric_figure(found["levels"]["image"], ["small"])
    assert "power law beyond the data" not in labels(figure)
    assert max(max(line.get_xdata()) for line in lines_of(figure, COLOURS[0])) <= 401


def test_two_sizes_are_joined_without_a_band():
    figure = metric_figure(told(sizes=(100, 200))["levels"]["image"], ["small", "large"])
    assert labels(figure) == ["small", "large", "one repeat", "95 % interval over patients"]


def test_two_models_do_not_hide_each_other():
    figure = metric_figure(told()["levels"]["image"], ["small", "large"])
    places = [
        next(line for line in lines_of(figure, colour) if line.get_marker() == marker).get_xdata()[0]
        for colour, marker in zip(COLOURS, "os", strict=False)
    ]
    assert places[0] < 100 < places[1]


def test_a_wide_band_does_not_squeeze_the_points():
    found = told(models=("small",))
    for point in found["levels"]["image"]["fits"]["small"]["curve"]:
        point["low"] = 0.0
    low, high = metric_figure(found["levels"]["image"], ["small"]).axes[0].get_ylim()
    assert low > 0.5
    assert high <= 1.02


def test_nothing_known_is_no_figure():
    found = told(models=("small",))
    for metrics in found["levels"]["image"]["metrics"]["small"].values():
        metrics["auroc"] = {"value": None, "low": None, "high": None}
    assert metric_figure(found["levels"]["image"], ["small"]) is None
    for costs in found["models"]["small"]["costs"].values():
        costs["training_seconds"] = [None, None]
    assert time_figure(found, ["small"]) is None


def test_differences_by_size():
    figure = difference_figure(told()["levels"]["image"])
    assert labels(figure) == ["large – small"]
    assert figure.axes[0].get_ylabel() == "difference in AUROC"
    line = lines_of(figure, COLOURS[0])[-1]
    assert list(line.get_ydata()) == pytest.approx([0.05] * 4)


def test_minutes_by_size():
    figure = time_figure(told(models=("small",)), ["small"])
    line = next(line for line in lines_of(figure, COLOURS[0]) if len(line.get_xdata()) == 4)
    # 10 and 20 s at 100 images.
    assert line.get_ydata()[0] == pytest.approx(0.25)


def test_the_same_file_gives_the_same_picture():
    texts = [{name: svg_text(f) for name, f in learning_curve_figures(told()).items()} for _ in range(2)]
    assert texts[0] == texts[1]
    assert all(re.search(r"training images", text) for text in texts[0].values())
