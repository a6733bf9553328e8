"""The figures of a cross-validation: metrics of the folds beside the pooled value, and how every network learnt."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from medvision.evaluation.mask_text import MASK_SUMMARY
from medvision.evaluation.text import SUMMARY
from medvision.reports.figures import COLOURS, INK, NAMES, STYLE, new_axes

if TYPE_CHECKING:
    from medvision.reports.inputs import FoldInputs, FoldPart

Entry = Mapping[str, Any]

SHARES = (
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "accuracy",
    "sensitivity",
    "specificity",
    "f1",
    "kappa",
    "dice",
    "iou",
    "pixel_sensitivity",
    "pixel_precision",
)
"""Metrics that share an axis: 1 is the best."""
MOST_METRICS = 3
POOLED, FOLD = COLOURS[0], COLOURS[1]
_DOT = 26


def fold_figure(entries: Mapping[str, Entry], folds: "FoldInputs", level: str) -> Figure | None:
    """The value of every fold, their mean ± SD, and the pooled value with its interval; a row a metric.

    Args:
        entries: {metric: entry} of a level, pooled.
        folds: with the summary.
        level: image, study or patient.

    Returns:
        None where no fold has a value.
    """
    found = folds.summary.get(level, {})
    shown = [name for name in SHARES if name in entries and found.get(name, {}).get("n")]
    if not shown:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(4.75, 1.3 + 0.52 * len(shown))
        for row, name in enumerate(shown):
            _draw_pooled(axes, entries[name], row - 0.17)
            _draw_folds(axes, found[name], row + 0.17)
        axes.set_yticks(range(len(shown)), [{**SUMMARY, **MASK_SUMMARY}[name] for name in shown])
        axes.set(ylim=(len(shown) - 0.4, -0.6), xlim=_reach(axes), xlabel="value")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        figure.legend(handles=_legend(), loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
    return figure


def _draw_pooled(axes: Axes, entry: Entry, place: float) -> None:
    if entry["value"] is None:
        return
    if entry["low"] is not None:
        axes.hlines(place, entry["low"], entry["high"], color=POOLED, lw=2.4)
    axes.plot([entry["value"]], [place], "D", ms=7, color=POOLED, mec=INK, mew=1.0, zorder=3)


def _draw_folds(axes: Axes, found: Mapping[str, Any], place: float) -> None:
    values = [value for value in found["values"].values() if value is not None]
    # Folds with one value are one larger dot: of single patients there are only two values.
    distinct, counts = np.unique(np.round(values, 6), return_counts=True)
    axes.scatter(distinct, np.full(len(distinct), place), s=_DOT * counts, color=FOLD, alpha=0.55, lw=0, zorder=2)
    spread = found["sd"] or 0.0
    axes.hlines(place, found["mean"] - spread, found["mean"] + spread, color=INK, lw=0.9)
    axes.plot([found["mean"]], [place], "|", ms=11, mew=1.6, color=INK, zorder=3)


def _reach(axes: Axes) -> tuple[float, float]:
    low, high = axes.dataLim.intervalx
    room = max(0.05 * (high - low), 0.02)
    return max(low - room, -1.03), min(high + room, 1.03)


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color=POOLED, marker="D", mec=INK, ms=6, lw=2.4, label="pooled, 95 % interval"),
        Line2D([], [], color=FOLD, marker="o", ms=5, ls="none", alpha=0.55, label="a fold"),
        Line2D([], [], color=INK, marker="|", ms=9, mew=1.6, lw=0.9, label="mean ± SD of folds"),
    ]


def fold_history_figures(parts: Sequence["FoldPart"]) -> dict[str, Figure]:
    """How the networks of all folds learnt, a thin line each; a dot is the epoch whose weights were evaluated.

    Args:
        parts: of which those with a history are drawn.

    Returns:
        `loss` and `metrics` (those of validation), as far as the histories have them.
    """
    known = [part for part in parts if part.history is not None and len(part.history)]
    histories = [part.history for part in known if part.history is not None]
    columns = list(dict.fromkeys(name for history in histories for name in history.columns if "/" in name))
    loss = [name for name in columns if name.endswith("/loss")]
    others = [name for name in columns if name not in loss and name.startswith("val/")]
    wanted = {"loss": (loss, "loss"), "metrics": (_told(others), "value")}
    return {name: _lines(known, shown, label) for name, (shown, label) in wanted.items() if shown}


def _told(columns: Sequence[str]) -> list[str]:
    """The most telling metrics: of many thin lines no more can be told apart."""
    telling = ["val/auroc", "val/dice", "val/balanced_accuracy", "val/f1", "val/iou"]
    found = [name for name in telling if name in columns]
    return (found or list(columns))[:MOST_METRICS]


def _lines(parts: Sequence["FoldPart"], columns: Sequence[str], label: str) -> Figure:
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(4.6, 3.0)
        for column, colour in zip(columns, COLOURS, strict=False):
            for part in parts:
                _line(axes, part, column, colour)
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        handles = [
            Line2D([], [], color=colour, lw=1.6, label=_title(column))
            for column, colour in zip(columns, COLOURS, strict=False)
        ]
        axes.legend(handles=handles, fontsize=8.5, frameon=False)
    return figure


def _line(axes: Axes, part: "FoldPart", column: str, colour: str) -> None:
    assert part.history is not None, "only folds with a history are drawn"
    if column not in part.history:
        return
    known = part.history[part.history[column].notna()]
    # An epoch is counted from 0 in the table and from 1 for readers.
    marker = "o" if len(known) == 1 else None
    axes.plot(known["epoch"] + 1, known[column], color=colour, lw=0.9, alpha=0.75, marker=marker, ms=3)
    best = known[known["epoch"] == part.best_epoch]
    if column.startswith("val/") and len(best):
        axes.plot(best["epoch"] + 1, best[column], "o", ms=4, color=colour, mec=INK, mew=0.6)


def _title(column: str) -> str:
    stage, _, name = column.rpartition("/")
    return f"{stage} {NAMES.get(name, name.replace('_', ' '))}"
