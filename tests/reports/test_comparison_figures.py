import pytest

from medvision.reports.comparison_figures import comparison_figures, cost_figure, excludes_zero
from medvision.reports.figures import COLOURS, svg_text
from tests.reports.compared import UNDECIDED, WON, by_hand, draw_comparison, entry, pair
from tests.reports.test_curve_figures import texts

ENTRIES = {"a": entry(0.7, 0.6, 0.8), "b": entry(0.9)}


def test_metrics_and_differences_are_drawn_of_the_numbers():
    figures = comparison_figures(WON)
    assert list(figures) == ["metric_auroc", "difference_auroc", "cost_training_seconds", "cost_seconds_per_image"]
    assert {"scratch", "transfer", "0.70", "(0.60–0.80)", "AUROC"} <= set(texts(figures["metric_auroc"]))
    shown = texts(figures["difference_auroc"])
    assert {"transfer − scratch", "+0.20", "(+0.10 to +0.30)", "difference in AUROC"} <= set(shown)


@pytest.mark.parametrize(("inputs", "marker"), [(WON, "D"), (UNDECIDED, "o")])
def test_a_difference_is_marked_where_its_interval_leaves_zero_out(inputs, marker):
    axes = comparison_figures(inputs)["difference_auroc"].axes[0]
    (point,) = [line for line in axes.lines if line.get_marker() in ("o", "D")]
    assert point.get_marker() == marker
    assert point.get_color() == COLOURS[marker == "D"]


def test_zero():
    assert excludes_zero(entry(0.2, 0.1, 0.3))
    assert excludes_zero(entry(-0.2, -0.3, -0.1))
    assert not excludes_zero(entry(0.0, -0.3, 0.1))
    assert not excludes_zero(entry(0.2))


def test_three_classes_and_three_models_have_their_figures():
    figures = comparison_figures(draw_comparison(("scratch", "transfer", "baseline"), ("a", "b", "c")))
    assert {"metric_balanced_accuracy", "difference_balanced_accuracy", "metric_auroc"} <= set(figures)
    assert all(svg_text(figure).startswith("<?xml") for figure in figures.values())


def test_undefined_differences_are_no_figure():
    inputs = by_hand(entry(0.6), entry(0.7), pair(entry(None)))
    assert "difference_auroc" not in comparison_figures(inputs)
    assert "metric_auroc" in comparison_figures(inputs)


def test_times_far_apart_stand_on_a_logarithmic_axis_in_the_unit_of_the_longest():
    figure = cost_figure({"a": 60.0, "b": 3000.0}, ENTRIES, "time to train", "AUROC")
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "time to train (min)"
    assert [line.get_xdata()[0] for line in axes.lines] == [1.0, 50.0]
    near = cost_figure({"a": 0.002, "b": 0.004}, ENTRIES, "time an image", "AUROC").axes[0]
    assert (near.get_xscale(), near.get_xlabel()) == ("linear", "time an image (ms)")
    assert [line.get_xdata()[0] for line in near.lines] == pytest.approx([2.0, 4.0])


def test_a_time_that_was_not_measured_leaves_the_model_out():
    assert cost_figure({"a": 60.0, "b": None}, ENTRIES, "x", "y") is None
    assert cost_figure({"a": 60.0, "b": 70.0}, {**ENTRIES, "b": entry(None)}, "x", "y") is None
