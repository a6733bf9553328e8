import pytest

from medvision.reports.figures import COLOURS, svg_text
from medvision.reports.forest import ForestRow, forest_figure
from tests.reports.test_curve_figures import texts

ROWS = [
    ForestRow("first", {"value": 0.2, "low": 0.1, "high": 0.3}, "+0.200\n(+0.100 to +0.300)", marked=True),
    ForestRow("second", {"value": -0.05, "low": -0.2, "high": 0.1}, "-0.050"),
]


def points(figure):
    return [line for line in figure.axes[0].lines if line.get_marker() in ("o", "D")]


def test_a_row_is_a_point_with_its_interval_its_name_and_its_number():
    figure = forest_figure(ROWS, "difference", line=0.0)
    assert [line.get_xdata()[0] for line in points(figure)] == [0.2, -0.05]
    assert [bar.get_segments()[0][:, 0].tolist() for bar in figure.axes[0].collections] == [[0.1, 0.3], [-0.2, 0.1]]
    assert {"first", "second", "+0.200", "(+0.100 to +0.300)", "-0.050", "difference"} <= set(texts(figure))


def test_a_marked_row_has_a_shape_and_a_colour():
    marked, plain = points(forest_figure(ROWS, "x"))
    assert (marked.get_marker(), marked.get_color()) == ("D", COLOURS[1])
    assert (plain.get_marker(), plain.get_color()) == ("o", COLOURS[0])


def test_the_line_is_within_the_axes_wherever_it_stands():
    figure = forest_figure(ROWS[:1], "x", line=0.0)
    (line,) = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert set(line.get_xdata()) == {0.0}
    low, high = figure.axes[0].get_xlim()
    assert low < 0 < 0.3 < high


def test_the_axes_reach_no_further_than_the_metric_can():
    row = ForestRow("a", {"value": 0.99, "low": 0.5, "high": 1.0}, "")
    assert forest_figure([row], "x", limits=(0.0, 1.0)).axes[0].get_xlim()[1] == pytest.approx(1.015)
    assert forest_figure([row], "x").axes[0].get_xlim()[1] > 1.03


def test_long_names_are_broken_and_rows_do_not_overlap():
    rows = [ForestRow("a " * 80, ROWS[0].entry, "1\n2"), *ROWS, ForestRow("膝 $x$ _", ROWS[0].entry, "")]
    figure = forest_figure(rows, "x")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0].count("\n") == 2
    assert labels[0].endswith("…")
    places = figure.axes[0].get_yticks()
    assert list(places) == sorted(places)
    low, high = figure.axes[0].get_ylim()
    assert low > places[-1] > places[0] > high == 0
    svg_text(figure)


def test_values_without_an_interval_or_at_all():
    alone = ForestRow("a", {"value": 0.0, "low": None, "high": None}, "0.000")
    none = ForestRow("b", {"value": None, "low": None, "high": None}, "–")
    figure = forest_figure([alone, none], "x")
    assert len(points(figure)) == 1
    assert not figure.axes[0].collections
    low, high = figure.axes[0].get_xlim()
    assert low < 0 < high
    assert forest_figure([none], "x") is None
    assert forest_figure([], "x") is None
