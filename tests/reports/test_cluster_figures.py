"""Maps of drawn clusters: every image is a point, of its group and no other."""

import numpy as np
import pandas as pd
import pytest

from medvision.data.pseudonyms import pseudonyms
from medvision.reports.cluster_figures import (
    MARKERS,
    MOST_POINTS,
    cluster_figures,
    patient_colour,
    shown_rows,
    silhouette_figure,
)
from medvision.reports.figures import COLOURS, svg_text
from tests.reports.clustered import clustered
from tests.reports.test_curve_figures import texts


def points(figure, colour=None, hollow=None):
    """The points of a map, of one colour, hollow or not, as sorted pairs."""
    found = []
    for line in figure.axes[0].lines:
        plain = line.get_marker() in ("None", None, "")
        if plain or (colour is not None and line.get_markeredgecolor() != colour):
            continue
        if hollow is None or (line.get_markerfacecolor() == "none") == hollow:
            found += list(zip(line.get_xdata(), line.get_ydata(), strict=True))
    return sorted(found)


def pairs(table):
    return sorted(zip(table["x"], table["y"], strict=True))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    _, told, table = clustered(tmp_path_factory.mktemp("figures") / "run", run="r", k=10)
    return cluster_figures(table, told, pseudonyms(table)), told, table


def test_every_image_is_a_point_of_each_map(made):
    figures, _, table = made
    assert list(figures) == ["map_class", "map_cluster", "map_patient"]
    for figure in figures.values():
        assert points(figure) == pairs(table)
        assert points(figure, hollow=True) == pairs(table[table["split"] == "train"])
        assert "hollow: trained on" in texts(figure)


def test_classes_have_colours_and_shapes(made):
    figures, _, table = made
    for number, name in enumerate(("left", "none", "right")):
        assert points(figures["map_class"], COLOURS[number]) == pairs(table[table["label"] == name])
    assert {"left", "none", "right"} <= set(texts(figures["map_class"]))


def test_ten_clusters_can_be_told_apart(made):
    figures, _, _ = made
    (legend,) = figures["map_cluster"].legends
    styles = [(handle.get_color(), handle.get_marker()) for handle in legend.legend_handles[:10]]
    assert len(set(styles)) == 10
    assert len(MARKERS) == len(COLOURS)


def test_images_of_a_patient_are_joined(made):
    figures, _, table = made
    spokes = [line for line in figures["map_patient"].axes[0].lines if line.get_linestyle() == "-"]
    assert len(spokes) == table["patient"].nunique()
    first = table[table["patient"] == "P0"]
    xs = spokes[0].get_xdata()
    assert xs[0::3].tolist() == first["x"].tolist()
    assert xs[1::3] == pytest.approx([first["x"].mean()] * 3)
    assert np.isnan(xs[2::3]).all()
    named = [text for text in texts(figures["map_patient"]) if text.startswith("patient")]
    assert 1 <= len(named) <= 8
    assert not any("P" in text for text in named)


def test_patients_side_by_side_have_other_colours():
    colours = [patient_colour(number) for number in range(60)]
    assert len(set(colours)) == 60


def test_without_training_nothing_is_hollow(tmp_path):
    _, told, table = clustered(tmp_path / "frozen")
    figures = cluster_figures(table, told, pseudonyms(table))
    assert list(figures) == ["map_class", "map_cluster", "map_patient", "silhouettes"]
    assert points(figures["map_class"], hollow=True) == []
    assert "hollow: trained on" not in texts(figures["map_class"])
    single = [f"image {number}" for number in range(len(table))]
    assert "map_patient" not in cluster_figures(table, told, single)
    assert "map_class" not in cluster_figures(table.drop(columns="label"), told, single)


def test_of_many_images_those_of_no_training_are_drawn_first():
    table = pd.DataFrame({"split": ["test"] * 500 + ["train"] * 5000})
    rows = shown_rows(table, 0)
    assert len(rows) == MOST_POINTS
    assert rows[:500].tolist() == list(range(500))
    assert (np.diff(rows) > 0).all()
    assert shown_rows(table[:50], 0).tolist() == list(range(50))


def test_the_silhouette_of_each_number_is_drawn():
    values = [{"k": 2, "silhouette": 0.2}, {"k": 3, "silhouette": 0.5}, {"k": 4, "silhouette": None}]
    figure = silhouette_figure(values, 3)
    curve, mark = figure.axes[0].lines
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == ([2, 3], [0.2, 0.5])
    assert set(mark.get_xdata()) == {3}
    assert svg_text(figure) == svg_text(silhouette_figure(values, 3))
