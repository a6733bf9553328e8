import numpy as np
import pandas as pd

from medvision.reports.figures import COLOURS
from medvision.reports.fold_figures import FOLD, fold_figure, fold_history_figures
from medvision.reports.inputs import FoldInputs, FoldPart
from tests.reports.told import entry


def found(values):
    known = [value for value in values if value is not None]
    named = {f"fold-{k}": value for k, value in enumerate(values)}
    return {"mean": np.mean(known), "sd": np.std(known, ddof=1), "n": len(known), "values": named}


def part(number, **columns):
    history = pd.DataFrame({"epoch": range(4), **columns}) if columns else None
    return FoldPart(name=f"fold-{number}", history=history, best_epoch=2 if columns else None)


def test_dots_are_the_folds_and_the_bar_is_the_pooled_interval():
    folds = FoldInputs(parts=[part(k) for k in range(4)], summary={"image": {"auroc": found([0.7, 0.9, 0.9, None])}})
    figure = fold_figure({"auroc": entry(0.85, 0.75, 0.95), "brier": entry(0.1)}, folds, "image")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["AUROC"]
    pooled, dots, spread = axes.collections
    assert pooled.get_segments()[0][:, 0].tolist() == [0.75, 0.95]
    np.testing.assert_allclose(dots.get_offsets()[:, 0], [0.7, 0.9])
    # Two folds with the same value are one dot of twice the area.
    assert dots.get_sizes()[1] == 2 * dots.get_sizes()[0]
    assert dots.get_facecolor()[0][:3].round(2).tolist() == [
        round(int(FOLD[k : k + 2], 16) / 255, 2) for k in (1, 3, 5)
    ]
    mean, sd = np.mean([0.7, 0.9, 0.9]), np.std([0.7, 0.9, 0.9], ddof=1)
    np.testing.assert_allclose(spread.get_segments()[0][:, 0], [mean - sd, mean + sd])
    assert [line.get_xdata()[0] for line in axes.lines] == [0.85, mean]
    low, high = axes.get_xlim()
    assert low < 0.7
    assert high <= 1.03


def test_a_level_without_values_has_no_figure():
    nothing = {"mean": None, "sd": None, "n": 0, "values": {"fold-0": None}}
    folds = FoldInputs(parts=[part(0)], summary={"image": {"auroc": nothing}})
    assert fold_figure({"auroc": entry(None)}, folds, "image") is None
    assert fold_figure({"auroc": entry(0.9)}, folds, "patient") is None


def test_a_single_fold_has_no_spread():
    alone = {"mean": 0.8, "sd": None, "n": 1, "values": {"fold-0": 0.8}}
    folds = FoldInputs(parts=[part(0)], summary={"image": {"dice": alone}})
    (axes,) = fold_figure({"dice": entry(0.8)}, folds, "image").axes
    assert axes.collections[-1].get_segments()[0][:, 0].tolist() == [0.8, 0.8]


def test_each_fold_is_a_line_and_its_evaluated_epoch_a_dot():
    loss, auroc = [3.0, 2.0, 1.0, 1.5], [0.5, np.nan, 0.8, 0.7]
    parts = [part(k, **{"train/loss": loss, "val/loss": loss, "val/auroc": auroc, "lr": 1e-3}) for k in range(3)]
    figures = fold_history_figures([*parts, part(3)])
    assert list(figures) == ["loss", "metrics"]
    (axes,) = figures["loss"].axes
    # Three folds: lines of training, lines of validation, and a dot on each of the latter.
    assert len(axes.lines) == 9
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in dots] == [(3, 1.0)] * 3
    assert {line.get_color() for line in dots} == {COLOURS[1]}
    (axes,) = figures["metrics"].axes
    assert axes.lines[0].get_xdata().tolist() == [1, 3, 4]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["val AUROC"]
    assert fold_history_figures([part(0)]) == {}


def test_few_metrics_are_drawn_and_a_fold_may_lack_one():
    columns = {f"val/{name}": [0.5] * 4 for name in ("f1", "auroc", "kappa", "balanced_accuracy", "iou")}
    figures = fold_history_figures([part(0, **columns), part(1, **{"val/auroc": [0.5] * 4})])
    texts = [text.get_text() for text in figures["metrics"].axes[0].get_legend().get_texts()]
    assert texts == ["val AUROC", "val balanced accuracy", "val F1"]
    other = fold_history_figures([part(0, **{"val/kappa": [0.5] * 4})])
    assert [text.get_text() for text in other["metrics"].axes[0].get_legend().get_texts()] == ["val kappa"]
