"""Figures as SVG: readable in print, by the colour-blind, and the same bytes for the same numbers."""

import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from medvision.evaluation.predictions import probability_columns

# Okabe and Ito's palette, told apart by people with any kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "medvision",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
MOST_CURVES = len(COLOURS)


def to_svg(figure: Figure) -> str:
    """A figure as the text of an <svg> element."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def confusion_matrix_figure(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """Counts, shaded by the share of the true class."""
    counts = np.asarray(matrix)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 1.8 + 0.75 * len(classes)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(size + 0.6, size))
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(counts.shape):
            colour = "white" if share[row, column] > 0.55 else "black"
            text = f"{counts[row, column]}\n{100 * share[row, column]:.0f} %"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
        axes.set_xticks(range(len(classes)), classes, rotation=30, ha="right")
        axes.set_yticks(range(len(classes)), classes)
        axes.set_xlabel("predicted")
        axes.set_ylabel("truth")
        for side in axes.spines.values():
            side.set_visible(False)
    return figure


def history_figure(history: pd.DataFrame, monitor: str, mode: str) -> Figure:
    """Loss, metrics and learning rate by epoch; the best epoch is marked."""
    names = [str(name) for name in history]
    metrics = [name for name in names if name.startswith("val/") and name != "val/loss"][: MOST_CURVES - 1]
    epochs = history["epoch"] + 1
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 3))
        loss, metric, rate = figure.subplots(1, 3, width_ratios=(1, 1, 0.7))
        for name, colour in (("train/loss", COLOURS[1]), ("val/loss", COLOURS[0])):
            if name in names:
                loss.plot(epochs, history[name], color=colour, label=name, marker=".")
        for name, colour in zip(metrics, COLOURS, strict=False):
            metric.plot(
                epochs, history[name], color=colour, label=name.removeprefix("val/").replace("_", " "), marker="."
            )
        rate.plot(epochs, history["lr"], color="#555555", marker=".")
        rate.set_yscale("log")
        if monitor in history and history[monitor].notna().any():
            best = int(np.nanargmax(history[monitor]) if mode == "max" else np.nanargmin(history[monitor]))
            for axes in (loss, metric):
                axes.axvline(epochs.iloc[best], color="#999999", linestyle=":", linewidth=1)
        for axes, title in ((loss, "loss"), (metric, "validation"), (rate, "learning rate")):
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
        loss.legend(frameon=False, fontsize=8)
        if metrics:
            metric.set_ylim(0, 1.02)
            metric.legend(frameon=False, fontsize=8)
        figure.tight_layout()
    return figure


def roc_figure(predictions: pd.DataFrame, classes: Sequence[str]) -> Figure:
    """One curve a class, each against the rest; of two classes that of the second."""
    shown = predictions["target"].fillna("").str.split("|")
    truth = np.array([[name in names for name in classes] for names in shown])
    scores = predictions[probability_columns(classes)].to_numpy()
    drawn = [k for k in range(len(classes)) if 0 < truth[:, k].sum() < len(truth)]
    drawn = [k for k in drawn if k == 1 or len(classes) != 2][:MOST_CURVES]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4, 3.6))
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#999999", linestyle=":", linewidth=1)
        for k, colour in zip(drawn, COLOURS, strict=False):
            false_positive, true_positive, _ = roc_curve(truth[:, k], scores[:, k])
            axes.step(false_positive, true_positive, where="post", color=colour, label=classes[k])
        axes.set_xlabel("1 − specificity")
        axes.set_ylabel("sensitivity")
        axes.set_aspect("equal")
        if drawn:
            axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure
