import numpy as np
import pytest

from medvision.reports.figures import COLOURS, svg_text
from medvision.reports.subgroup_figures import subgroup_figure
from tests.reports.test_curve_figures import texts


def group(name, value=0.8, low=0.7, high=0.9, n=40, patients=10):
    return {
        "name": name,
        "n": n,
        "patients": patients,
        "metrics": {"auroc": {"value": value, "low": low, "high": high}},
    }


def column(*groups, worst=None, metric="auroc"):
    return {"column": "sex", "metric": metric, "groups": list(groups), "worst": worst}


OVERALL = {"value": 0.85, "low": 0.8, "high": 0.9}
TWO = column(group("female"), group("male", 0.7, 0.5, 0.85, n=1, patients=1), worst="male")


def test_a_group_is_a_point_with_its_interval_and_its_size():
    figure = subgroup_figure(TWO, OVERALL)
    axes = figure.axes[0]
    points = [line for line in axes.lines if line.get_marker() in ("o", "D")]
    assert [line.get_xdata()[0] for line in points] == [0.8, 0.7]
    assert [segments.get_segments()[0][:, 0].tolist() for segments in axes.collections] == [[0.7, 0.9], [0.5, 0.85]]
    found = texts(figure)
    assert {"female", "n = 40, 10 patients", "0.800", "(0.700–0.900)", "0.700", "(0.500–0.850)", "AUROC"} <= set(found)


def test_the_worst_group_has_a_word_a_shape_and_a_colour():
    figure = subgroup_figure(TWO)
    female, male = (line for line in figure.axes[0].lines if line.get_marker() in ("o", "D"))
    assert (female.get_marker(), male.get_marker()) == ("o", "D")
    assert (female.get_color(), male.get_color()) == (COLOURS[0], COLOURS[1])
    assert [text for text in texts(figure) if "worst" in text] == ["n = 1 · worst"]


def test_the_value_of_all_is_a_line():
    figure = subgroup_figure(TWO, OVERALL)
    (line,) = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert set(line.get_xdata()) == {0.85}
    assert "all: 0.850" in texts(figure)
    assert not subgroup_figure(TWO).legends
    assert not subgroup_figure(TWO, {"value": None, "low": None, "high": None}).legends


def test_everything_drawn_is_within_the_axes():
    for overall in (None, OVERALL, {"value": 0.2, "low": 0.1, "high": 0.3}):
        low, high = subgroup_figure(TWO, overall).axes[0].get_xlim()
        assert low < (0.1 if overall and overall["value"] == 0.2 else 0.5)
        assert 0.9 < high <= 1.01


def test_one_group_can_be_drawn():
    assert "only" in texts(subgroup_figure(column(group("only")), OVERALL))


def test_many_groups_with_odd_and_long_names_keep_their_order_and_do_not_overlap():
    names = ["膝", "ركبة", "_x", "$a$", "x" * 100, "Saint Somebody University Hospital of the Northern Region"]
    figure = subgroup_figure(column(*map(group, [*names, *map(str, range(6))])))
    places = figure.axes[0].get_yticks()
    assert len(places) == 12
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    lines = np.array([label.count("\n") + 1 for label in labels])
    assert (np.diff(places) >= (lines[1:] + lines[:-1]) / 2).all()
    low, high = figure.axes[0].get_ylim()
    assert low > places[-1] > places[0] > high == 0
    assert [label.split("\n")[0] for label in labels][:4] == names[:4]
    assert max(map(len, "\n".join(labels).split("\n"))) <= 28
    svg_text(figure)


def test_a_group_without_a_value_keeps_its_row():
    figure = subgroup_figure(column(group("a"), group("b", None, None, None), group("c", 1.0, None, None)))
    found = texts(figure)
    assert {"b", "–", "1.000"} <= set(found)
    assert len([line for line in figure.axes[0].lines if line.get_marker() == "o"]) == 2


@pytest.mark.parametrize("groups", [[], [group("a", None, None, None)], [group("a") | {"metrics": {}}]])
def test_nothing_to_draw_is_no_figure(groups):
    assert subgroup_figure(column(*groups), OVERALL) is None


def test_other_metrics_have_their_titles():
    dice = {"name": "a", "n": 3, "patients": 3, "metrics": {"dice": {"value": 0.9, "low": None, "high": None}}}
    assert {"Dice", "n = 3"} <= set(texts(subgroup_figure(column(dice, metric="dice"))))


def test_the_same_column_gives_the_same_text():
    assert svg_text(subgroup_figure(TWO, OVERALL)) == svg_text(subgroup_figure(TWO, OVERALL))
