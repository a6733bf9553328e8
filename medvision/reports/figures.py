"""Figures of a report as small SVG files, whose text stays text.

They are drawn on matplotlib's own objects: no window, no global figure, no state between two of them.
"""

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from medvision.runs import replace_text

# Middle tones, told apart by the colour-blind (Okabe and Ito), legible on white and on black.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7f7f7f", "#8a5fbf")
MOST_CURVES = len(COLOURS)
MOST_WRITTEN = 20
INK = "#010203"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "medvision",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # A dollar sign in the name of a class is a dollar sign.
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
NAMES = {"lr": "learning rate", "f1": "F1", "auroc": "AUROC", "dice": "Dice", "iou": "IoU"}


def confusion_figure(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """The confusion matrix; shades are shares of the true class.

    Args:
        matrix: K rows (true) of K counts (predicted).
        classes: K names.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(6.5, max(3.0, 1.5 + 0.5 * len(classes)))
    with mpl.rc_context(STYLE):
        # The reader's font may be wider than the one that is measured here.
        figure = Figure(figsize=(side + 0.8, side), layout=ConstrainedLayoutEngine(w_pad=0.15))
        axes = figure.add_subplot()
        for (row, column), share in np.ndenumerate(shares):
            axes.add_patch(mpl.patches.Rectangle((column, row), 1, 1, facecolor=COLOURS[0], alpha=0.62 * share, lw=0))
            if len(classes) <= MOST_WRITTEN:
                text = f"{counts[row, column]:.0f}"
                axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=_cell_size(len(classes)))
        longest = max(map(len, classes))
        turned = longest * len(classes) > 40
        ticks = np.arange(len(classes)) + 0.5
        axes.set_xticks(ticks, classes, rotation=45 if turned else 0, ha="right" if turned else "center")
        axes.set_yticks(ticks, classes)
        axes.set(xlim=(0, len(classes)), ylim=(len(classes), 0), aspect="equal", xlabel="predicted", ylabel="true")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set(visible=True, alpha=0.4)
    return figure


def _cell_size(classes: int) -> float:
    return 11.0 if classes <= 8 else 7.5


def history_figures(history: pd.DataFrame, best_epoch: int | None = None) -> dict[str, Figure]:
    """Learning curves.

    Args:
        history: columns epoch, lr, and metrics such as `train/loss` and `val/f1`; empty cells are left out.
        best_epoch: marked as the epoch whose weights are evaluated.

    Returns:
        `loss`, `metrics` (those of validation) and `learning_rate`, as far as the history has them.
    """
    metrics = [name for name in history.columns if "/" in name and history[name].notna().any()]
    loss = [name for name in metrics if name.endswith("/loss")]
    others = [name for name in metrics if name not in loss and name.startswith("val/")]
    wanted = {
        "loss": (loss, "loss"),
        "metrics": (others[:MOST_CURVES], "value"),
        "learning_rate": (["lr"] if "lr" in history and history["lr"].notna().any() else [], "learning rate"),
    }
    return {name: _curves(history, columns, label, best_epoch) for name, (columns, label) in wanted.items() if columns}


def _curves(history: pd.DataFrame, columns: Sequence[str], label: str, best_epoch: int | None) -> Figure:
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(4.6, 3.0)
        for column, colour in zip(columns, COLOURS, strict=False):
            known = history[history[column].notna()]
            # An epoch is counted from 0 in the table and from 1 for readers.
            marker = "o" if len(known) < 3 else None
            axes.plot(
                known["epoch"] + 1, known[column], color=colour, label=_title(column), lw=1.6, marker=marker, ms=4
            )
        if best_epoch is not None:
            axes.axvline(best_epoch + 1, color=INK, lw=0.8, ls=":", label="evaluated")
        if columns == ["lr"]:
            _scale_rates(axes, history["lr"].dropna())
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if len(columns) > 1 or best_epoch is not None:
            axes.legend(fontsize=8.5, frameon=False, ncols=2 if len(columns) > 3 else 1)
    return figure


def _scale_rates(axes: Axes, rates: pd.Series) -> None:
    if rates.min() > 0 and rates.max() > 3 * rates.min():
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:.3g}"))


def new_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one pair of axes and a pale grid, sizes in inches; to be called within `STYLE`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    draw_grid(axes)
    return figure, axes


def draw_grid(axes: Axes) -> None:
    """A grid that stays behind the curves."""
    axes.grid(alpha=0.18, lw=0.6, color=INK)


def legend_label(label: str) -> str:
    """A label as a legend takes it: matplotlib leaves one out that begins with an underscore."""
    return f" {label}" if label.startswith("_") else label


def _title(column: str) -> str:
    stage, _, name = column.rpartition("/")
    return f"{stage} {NAMES.get(name, name.replace('_', ' '))}".strip()


def svg_text(figure: Figure) -> str:
    """The figure as the text of an SVG file: the same figure gives the same text."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # Matplotlib's font has no glyph of some scripts. The reader's has: the text stays text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return buffer.getvalue()


def save_figure(figure: Figure, path: Path) -> str:
    """Write the figure as an SVG file on white paper.

    Returns:
        The same figure, to stand in a page (see `inline_svg`).
    """
    text = svg_text(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    paper = '<rect width="100%" height="100%" fill="white"/>'
    replace_text(path, re.sub(r"(<svg [^>]*>)", rf"\1{paper}", text, count=1))
    return inline_svg(text, path.stem)


def inline_svg(text: str, name: str) -> str:
    """An SVG to stand in a page: as wide as its place allows, in the colour of the page's text.

    Args:
        text: of an SVG file of `svg_text`.
        name: keeps its identifiers apart from those of other figures in the page.
    """
    body = text[text.index("<svg ") :].replace(INK, "currentColor")
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(\sid="|url\(#|xlink:href="#)', rf"\1{name}-", body)
    head, rest = body.split(">", 1)
    head = re.sub(r' height="[^"]*"', "", head)
    # The width stays the figure's own where there is room.
    return f"{head}>{rest}"
