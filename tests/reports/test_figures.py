import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from medvision.reports.figures import confusion_figure, history_figures, inline_svg, save_figure, svg_text

HISTORY = pd.DataFrame(
    {"epoch": [0, 1, 2], "lr": [1e-3, 1e-3, 1e-4], "train/loss": [1.0, 0.5, 0.2], "val/loss": [1.1, np.nan, 0.4]}
).assign(**{"val/f1": np.nan, "val/auroc": [0.5, 0.7, 0.9], "train/auroc": 1.0})


def texts(svg):
    return ["".join(node.itertext()).strip() for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_confusion_matrix_holds_its_counts_and_names_as_text(tmp_path):
    inline = save_figure(confusion_figure([[11, 2], [3, 44]], ["no", "yes"]), tmp_path / "confusion.svg")
    found = texts((tmp_path / "confusion.svg").read_text())
    assert {"11", "2", "3", "44", "no", "yes", "true", "predicted"} <= set(found)
    assert len(inline) < 20_000


def test_names_are_escaped_and_never_read_as_mathematics():
    names = ["a<script>", "$x^2$", "膝", "_hidden"]
    found = texts(svg_text(confusion_figure(np.eye(4, dtype=int).tolist(), names)))
    assert set(names) <= set(found)


@pytest.mark.parametrize("classes", [2, 15, 40])
def test_many_classes_can_be_drawn(classes):
    names = [f"class number {k}" for k in range(classes)]
    assert "class number 1" in texts(svg_text(confusion_figure(np.eye(classes, dtype=int).tolist(), names)))


def test_an_absent_class_is_an_empty_row():
    assert texts(svg_text(confusion_figure([[5, 1], [0, 0]], ["a", "b"]))).count("0") == 2


def test_learning_curves_leave_gaps_and_empty_columns_out():
    figures = history_figures(HISTORY, best_epoch=2)
    assert list(figures) == ["loss", "metrics", "learning_rate"]
    loss = figures["loss"].axes[0]
    assert [line.get_label() for line in loss.lines] == ["train loss", "val loss", "evaluated"]
    np.testing.assert_array_equal(loss.lines[1].get_xdata(), [1, 3])
    assert [line.get_label() for line in figures["metrics"].axes[0].lines] == ["val AUROC", "evaluated"]
    for figure in figures.values():
        svg_text(figure)


def test_learning_rates_are_plain_numbers():
    falling = texts(svg_text(history_figures(HISTORY)["learning_rate"]))
    assert {"0.001", "0.0001"} <= set(falling)
    for rates in ([3e-4] * 3, [1e-3, 5e-4, 0]):
        svg = svg_text(history_figures(HISTORY.assign(lr=rates))["learning_rate"])
        assert "math" not in svg.replace("xmlns", "")
        assert str(rates[0]) in texts(svg)


def test_one_epoch_can_be_drawn():
    figures = history_figures(HISTORY.iloc[:1])
    assert figures["loss"].axes[0].lines[0].get_marker() == "o"
    assert [svg_text(figure) for figure in figures.values()]
    assert history_figures(pd.DataFrame({"epoch": []})) == {}


def test_the_same_figure_gives_the_same_text():
    first, second = (svg_text(history_figures(HISTORY)["loss"]) for _ in range(2))
    assert first == second
    assert "dc:date" not in first


def test_an_inline_figure_takes_the_colour_of_the_page_and_keeps_its_identifiers_apart():
    text = svg_text(history_figures(HISTORY)["loss"])
    inline = inline_svg(text, "loss")
    assert inline.startswith("<svg ")
    assert "currentColor" in inline
    assert "#010203" not in inline
    identifiers = re.findall(r'id="([^"]*)"', inline)
    assert all(name.startswith("loss-") for name in identifiers)
    assert set(re.findall(r"url\(#([^)]*)\)", inline)) <= set(identifiers)
    assert not re.search(r'<svg [^>]*height="', inline)
