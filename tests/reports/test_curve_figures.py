import xml.etree.ElementTree as ET

import numpy as np
import pytest

from medvision.reports.curve_figures import net_benefit_figure, pr_figure, reliability_figure, roc_figure
from medvision.reports.figures import COLOURS, svg_text

X = [0.0, 0.5, 1.0]
ROC = {"x": X, "y": [0.2, 0.8, 1.0], "low": [0.1, 0.6, 0.9], "high": [0.3, 0.9, 1.0]}
PR = {"x": X, "y": [None, 0.7, 0.3], "low": [None, 0.5, 0.2], "high": [None, 0.9, 0.4], "prevalence": 0.3}
POINT = {"sensitivity": 0.8, "specificity": 0.6, "precision": 0.5, "threshold": 0.42}
POINTS = {"predicted": [0.1, 0.4, 0.9], "observed": [0.0, 0.5, 0.8], "low": [0.0, 0.3, 0.6], "high": [0.2, 0.7, 0.9]}
BENEFIT = {"threshold": [0.1, 0.5, 0.9], "model": [0.3, 0.1, -0.1], "low": [0.2, 0.0, -0.2], "high": [0.4, 0.2, 0.0]}
BENEFIT["all"] = [0.25, -0.4, -6.0]
METRICS = {
    "auroc_sick": {"value": 0.9123, "low": 0.85, "high": 0.96},
    "average_precision_sick": {"value": 0.7, "low": None, "high": None},
}
CURVES = {
    "roc": {"sick": ROC},
    "pr": {"sick": PR},
    "operating_point": {"sick": POINT},
    "reliability": {"calibrated": {"sick": POINTS}},
    "net_benefit": {"sick": BENEFIT},
}
ODD = ["膝", "ركبة", "_hidden", "$x^2$", "a <name> & more"]


def several(names):
    """The curves of several labels an image."""
    curves = {kind: dict.fromkeys(names, one["sick"]) for kind, one in CURVES.items() if kind != "reliability"}
    return curves | {"reliability": {"calibrated": dict.fromkeys(names, POINTS)}}


def draw_all(curves, metrics):
    return [
        roc_figure(curves, metrics),
        pr_figure(curves, metrics),
        reliability_figure(curves),
        net_benefit_figure(curves),
    ]


def texts(figure):
    nodes = ET.fromstring(svg_text(figure)).iter("{http://www.w3.org/2000/svg}text")
    return [" ".join("".join(node.itertext()).split()) for node in nodes]


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found


def bands(axes):
    return [band for band in axes.collections if "FillBetween" in type(band).__name__]


def test_a_roc_curve_is_that_of_the_file_with_band_area_and_operating_point():
    figure = roc_figure(CURVES, METRICS)
    axes = figure.axes[0]
    curve = line(axes, "sick  0.912 (0.850–0.960)")
    np.testing.assert_array_equal(curve.get_xydata(), np.column_stack([X, ROC["y"]]))
    point = line(axes, "operating point, threshold 0.42")
    np.testing.assert_allclose(point.get_xydata(), [[0.4, 0.8]])
    (band,) = bands(axes)
    corners = set(map(tuple, np.round(band.get_paths()[0].vertices, 6)))
    assert {(0.5, 0.6), (0.5, 0.9), (0.0, 0.1), (0.0, 0.3)} <= corners
    assert figure.legends[0].get_title().get_text() == "AUROC (95 % interval)"


def test_a_precision_curve_leaves_gaps_and_shows_the_prevalence():
    figure = pr_figure(CURVES, METRICS)
    axes = figure.axes[0]
    curve = line(axes, "sick  0.700")
    np.testing.assert_array_equal(curve.get_ydata(), [np.nan, 0.7, 0.3])
    np.testing.assert_allclose(line(axes, "prevalence 0.300").get_ydata(), 0.3)
    np.testing.assert_allclose(line(axes, "operating point, threshold 0.42").get_xydata(), [[0.8, 0.5]])


@pytest.mark.parametrize(("n", "prevalence"), [(10, "0.30"), (100, "0.30"), (101, "0.300")])
def test_a_prevalence_has_no_more_digits_than_its_cases_support(n, prevalence):
    metrics = {name: {**entry, "n": n} for name, entry in METRICS.items()}
    assert f"prevalence {prevalence}" in labels(pr_figure(CURVES, metrics))


def test_an_area_that_is_undefined_or_not_known_is_not_invented():
    undefined = {"auroc_sick": {"value": None, "low": None, "high": None}}
    assert labels(roc_figure(CURVES, undefined))[0] == "sick  –"
    assert labels(roc_figure(CURVES, {}))[0].strip() == "sick"


def test_an_operating_point_without_a_value_is_not_drawn():
    curves = CURVES | {"operating_point": {"sick": POINT | {"precision": None, "threshold": None}}}
    assert labels(roc_figure(curves, METRICS))[-1] == "operating point"
    assert not [text for text in labels(pr_figure(curves, METRICS)) if "operating" in text]
    assert len(labels(roc_figure(CURVES | {"operating_point": {}}, METRICS))) == 1


def test_reliability_is_shown_before_and_after_temperature_scaling():
    before = POINTS | {"predicted": [0.0, 0.2, 1.0]}
    curves = {"reliability": {"calibrated": {"sick": POINTS}, "uncalibrated": {"sick": before}}}
    axes = reliability_figure(curves).axes[0]
    after = line(axes, "after temperature scaling")
    np.testing.assert_array_equal(after.get_xydata(), np.column_stack([POINTS["predicted"], POINTS["observed"]]))
    old = line(axes, "before temperature scaling")
    np.testing.assert_array_equal(old.get_xdata(), [0.0, 0.2, 1.0])
    red, green, blue = (int(old.get_color()[k : k + 2], 16) for k in (1, 3, 5))
    assert red == green == blue
    ends = [segment[:, 1].tolist() for segment in axes.collections[0].get_segments()]
    assert ends == [[0.0, 0.2], [0.3, 0.7], [0.6, 0.9]]
    assert labels(reliability_figure(CURVES)) == ["observed"]


def test_a_histogram_counts_every_prediction():
    figure = reliability_figure(CURVES, {"sick": [0.0, 0.01, 0.51, 1.0]})
    heights = [bar.get_height() for bar in figure.axes[1].patches]
    assert (heights[0], heights[10], heights[-1], sum(heights)) == (2, 1, 1, 4)
    assert len(reliability_figure(CURVES).axes) == 1


def test_reliability_of_many_classes_is_that_of_the_predicted_one():
    figure = reliability_figure({"reliability": {"calibrated": {"top": POINTS}}})
    found = texts(figure)
    assert "probability of the predicted class" in found
    assert "share that is right" in found


def test_net_benefit_stands_beside_treating_all_and_none():
    figure = net_benefit_figure(CURVES)
    axes = figure.axes[0]
    np.testing.assert_array_equal(line(axes, "model").get_ydata(), BENEFIT["model"])
    np.testing.assert_array_equal(line(axes, "treat all").get_ydata(), BENEFIT["all"])
    np.testing.assert_array_equal(line(axes, "treat none").get_ydata(), [0, 0])
    assert set(line(axes, "chosen threshold 0.42").get_xdata()) == {0.42}
    low, high = axes.get_ylim()
    # Treating all falls to -6 here: the part where a choice is open stays large.
    assert -0.2 < low < 0 < 0.4 < high < 0.5


def test_a_threshold_near_an_end_keeps_its_digits():
    curves = CURVES | {"operating_point": {"sick": POINT | {"threshold": 0.00123}}}
    assert "chosen threshold 0.00123" in labels(net_benefit_figure(curves))


def test_several_classes_have_a_colour_and_a_dash_each_and_panels():
    curves = several(["a", "b", "c"])
    roc = roc_figure(curves, {f"auroc_{name}": METRICS["auroc_sick"] for name in "abc"})
    drawn = [found for found in roc.axes[0].lines if "0.912" in str(found.get_label())]
    assert [found.get_color() for found in drawn] == list(COLOURS[:3])
    assert len({found.get_linestyle() for found in drawn}) == 3
    assert labels(roc).count("operating points") == 1
    assert len(bands(roc.axes[0])) == 3
    for figure in (reliability_figure(curves), net_benefit_figure(curves)):
        assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c"]
        assert len(set(labels(figure))) == len(labels(figure))
    assert len(reliability_figure(curves, {"a": [0.5], "b": [0.5], "c": []}).axes) == 6


def test_of_many_classes_the_first_eight_are_drawn_and_it_is_said():
    curves = several([f"class {k}" for k in range(14)])
    for figure in draw_all(curves, {}):
        assert "the first 8 of 14 classes" in texts(figure)
        assert "class 7" in " ".join(texts(figure))
        assert "class 8" not in " ".join(texts(figure))
    assert not bands(roc_figure(curves, {}).axes[0])


def test_eight_classes_are_all_drawn_without_a_note():
    assert "first" not in " ".join(texts(roc_figure(several([f"class {k}" for k in range(8)]), {})))


def test_names_are_text_whatever_they_are():
    for figure in draw_all(several(ODD), {}):
        found = " ".join(texts(figure)).replace("\N{LEFT-TO-RIGHT MARK}", "")
        assert all(name in found for name in ODD)


def test_numbers_after_a_name_from_right_to_left_stay_in_order():
    metrics = {"auroc_ركبة": METRICS["auroc_sick"]}
    assert labels(roc_figure(several(["ركبة"]), metrics))[0] == "ركبة\N{LEFT-TO-RIGHT MARK}  0.912 (0.850–0.960)"


def test_a_long_name_has_a_line_of_its_own():
    name = "a rare finding in children"
    figure = net_benefit_figure(several([name]))
    assert figure.axes[0].get_xlabel() == f"threshold probability of\n{name}"
    assert net_benefit_figure(CURVES).axes[0].get_xlabel() == "threshold probability of sick"
    assert reliability_figure(several([name])).axes[0].get_xlabel() == f"probability of\n{name}"


def test_a_long_name_is_cut():
    found = " ".join(texts(roc_figure(several(["x" * 200]), {})))
    assert "x" * 33 + "…" in found
    assert "x" * 34 not in found


@pytest.mark.parametrize("curves", [{}, {kind: {} for kind in CURVES}])
def test_no_curves_no_figure(curves):
    assert draw_all(curves, METRICS) == [None, None, None, None]


def test_curves_without_a_point_are_left_out():
    empty = {"x": X, "y": [None] * 3, "low": [None] * 3, "high": [None] * 3}
    assert roc_figure({"roc": {"sick": empty}}, {}) is None
    assert labels(roc_figure({"roc": {"well": empty, "sick": ROC}}, METRICS)) == ["sick  0.912 (0.850–0.960)"]
    assert net_benefit_figure({"net_benefit": {"sick": {"threshold": [], "model": [], "all": []}}}) is None


def test_curves_without_a_band_can_be_drawn():
    bare = {"x": X, "y": ROC["y"], "low": [None] * 3, "high": [None] * 3}
    curves = {"roc": {"sick": bare}, "pr": {"sick": bare}}
    curves["reliability"] = {"calibrated": {"sick": POINTS | {"low": [None] * 3, "high": [None] * 3}}}
    curves["net_benefit"] = {"sick": {key: BENEFIT[key] for key in ("threshold", "model", "all")}}
    for figure in draw_all(curves, {}):
        assert len(svg_text(figure)) > 1000


def test_the_same_curves_give_the_same_text_of_modest_size():
    for first, second in zip(draw_all(CURVES, METRICS), draw_all(CURVES, METRICS), strict=True):
        assert svg_text(first) == svg_text(second)
        assert len(svg_text(first)) < 30_000
