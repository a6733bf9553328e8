"""Curves of a classification from `curves.json`: ROC, precision and recall, reliability, net benefit.

Nothing is computed here: points, bands and areas are those of the files of a run.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medvision.evaluation.text import cut, interval_text, value_text
from medvision.reports.figures import COLOURS, INK, MOST_CURVES, STYLE, draw_grid, legend_label, new_axes
from medvision.reports.thresholds import point_text, point_thresholds, range_text

Entry = Mapping[str, Any]
Points = Mapping[str, Any]
Values = npt.NDArray[np.float64]
Panel = tuple[str, str, Axes, Axes | None]

TOP = "top"
"""Stands for a class where the reliability is that of the most probable class, whichever it is."""
BEFORE = "#8c8c8c"
# Beside the colours, for those who print in grey or do not see them.
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 1)), (0, (1, 3)))
MOST_BANDS = 4
LONGEST_NAME, SHORT_NAME = 34, 19
BINS = 20
# Below the axes, where names of any length cover no curve.
LEGEND: dict[str, Any] = {
    "loc": "outside lower center",
    "fontsize": 8.5,
    "title_fontsize": 8.5,
    "frameon": False,
    "borderpad": 0.9,
}


def roc_figure(curves: Points, metrics: Mapping[str, Entry]) -> Figure | None:
    """ROC curves, one class against the rest, with bands and operating points.

    Args:
        curves: of one level of `curves.json`; `roc` and `operating_point` are drawn.
        metrics: {metric: entry} of the same level of `metrics.json`, for the areas `auroc_<class>` in the legend.

    Returns:
        The figure with the first classes, eight at most; None where no class has a curve.
    """
    shown = _drawable(curves.get("roc") or {}, "y")
    if not shown:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(4.2, 4.1 + _legend_height(len(shown) + 1))
        axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=":")
        _draw_curves(axes, curves["roc"], shown, metrics, "auroc")
        for name, colour, point in _operating_points(curves, shown, ("sensitivity", "specificity")):
            _mark(axes, 1 - point["specificity"], point["sensitivity"], colour, _point_label(name, point, shown))
        axes.set(xlabel="1 – specificity", ylabel="sensitivity")
        _finish(figure, axes, "AUROC", shown, curves["roc"])
    return figure


def pr_figure(curves: Points, metrics: Mapping[str, Entry]) -> Figure | None:
    """Curves of precision over sensitivity, with bands, operating points, and the prevalence as the line of chance.

    Args:
        curves: of one level of `curves.json`; `pr` and `operating_point` are drawn.
        metrics: {metric: entry} of the same level of `metrics.json`, for `average_precision_<class>` in the legend.

    Returns:
        The figure with the first classes, eight at most; None where no class has a curve.
    """
    shown = _drawable(curves.get("pr") or {}, "y")
    if not shown:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(4.2, 4.1 + _legend_height(len(shown) + 2))
        _draw_prevalence(axes, curves["pr"], shown, metrics)
        _draw_curves(axes, curves["pr"], shown, metrics, "average_precision")
        for name, colour, point in _operating_points(curves, shown, ("sensitivity", "precision")):
            _mark(axes, point["sensitivity"], point["precision"], colour, _point_label(name, point, shown))
        axes.set(xlabel="sensitivity (recall)", ylabel="precision (PPV)")
        _finish(figure, axes, "average precision", shown, curves["pr"])
    return figure


def reliability_figure(curves: Points, predicted: Mapping[str, Sequence[float]] | None = None) -> Figure | None:
    """How often what was predicted with a probability is true: calibrated in colour, before the temperature in grey.

    Args:
        curves: of one level of `curves.json`; `reliability` is drawn.
        predicted: calibrated probabilities of the cases by the names in `reliability`, for histograms below; for `top`
            those of the most probable class.

    Returns:
        The figure, a panel a class and eight at most; None where there are no points.
    """
    points = curves.get("reliability") or {}
    after, before = points.get("calibrated") or {}, points.get("uncalibrated") or {}
    shown = _drawable(after, "observed")
    if not shown:
        return None
    with mpl.rc_context(STYLE):
        figure, panels = _panels(shown, below=predicted is not None)
        for name, colour, axes, below in panels:
            axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=":")
            _draw_reliability(axes, after[name], before.get(name), colour)
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
            if below is not None and predicted is not None:
                below.hist(predicted.get(name, []), BINS, range=(0, 1), color=colour, alpha=0.75)
                below.set(ylabel="cases")
                below.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
            said = _of("probability", "the predicted class" if name == TOP else name)
            (axes if below is None else below).set_xlabel(said if len(shown) == 1 else "probability")
            axes.set_ylabel("share that is right" if name == TOP else "share that shows it")
        _finish_panels(figure, panels, shown, after)
    return figure


def net_benefit_figure(curves: Points) -> Figure | None:
    """Decision curves (Vickers and Elkin 2006): net benefit of the model, of treating all, and of treating none.

    Args:
        curves: of one level of `curves.json`; `net_benefit` is drawn, and the threshold of `operating_point` marked.

    Returns:
        The figure, a panel a class and eight at most; None where there are no curves.
    """
    benefits = curves.get("net_benefit") or {}
    shown = _drawable(benefits, "model")
    if not shown:
        return None
    with mpl.rc_context(STYLE):
        figure, panels = _panels(shown, below=False)
        for name, colour, axes, _ in panels:
            _draw_benefit(axes, benefits[name], colour)
            thresholds = point_thresholds((curves.get("operating_point") or {}).get(name) or {})
            for k, threshold in enumerate(thresholds):
                said = "chosen threshold" if len(thresholds) == 1 else "thresholds of the folds"
                said += f" {range_text(thresholds)}" if len(shown) == 1 else ""
                axes.axvline(threshold, color=INK, lw=1.0, ls=(0, (1, 2)), label=None if k else said)
            said = _of("threshold probability", name) if len(shown) == 1 else "threshold"
            axes.set(xlabel=said, ylabel="net benefit")
        _finish_panels(figure, panels, shown, benefits)
    return figure


def _drawable(curves: Mapping[str, Points], key: str) -> list[str]:
    """The first classes whose curve has a point."""
    found = [name for name, points in curves.items() if points and np.isfinite(_values(points, key)).any()]
    return found[:MOST_CURVES]


def _values(points: Points, key: str) -> Values:
    """Points of a file as numbers; nan where there is none."""
    return np.array(points.get(key) or [], dtype=np.float64)


def _written(name: str, longest: int = LONGEST_NAME) -> str:
    """The name of a class as it stands before numbers: those after a name written from right to left stay in order."""
    right_to_left = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in name)
    return cut(name, longest) + ("\N{LEFT-TO-RIGHT MARK}" if right_to_left else "")


def _of(what: str, name: str) -> str:
    """`probability of sick`; a long name on a line of its own."""
    gap = " " if len(name) <= SHORT_NAME else "\n"
    return f"{what} of{gap}{_written(name)}"


def _draw_curves(
    axes: Axes, curves: Mapping[str, Points], shown: Sequence[str], metrics: Mapping[str, Entry], area: str
) -> None:
    for name, colour, dash in zip(shown, COLOURS, DASHES, strict=False):
        points = curves[name]
        x, low, high = (_values(points, key) for key in ("x", "low", "high"))
        if len(shown) <= MOST_BANDS and len(low) == len(x):
            axes.fill_between(x, low, high, color=colour, alpha=0.16, lw=0)
        label = legend_label(f"{_written(name)}  {_area(metrics.get(f'{area}_{name}'))}")
        axes.plot(x, _values(points, "y"), color=colour, lw=1.8, ls=dash, label=label)


def _area(entry: Entry | None) -> str:
    interval = "" if entry is None else interval_text(entry)
    return "" if entry is None else value_text(entry) + (f" ({interval})" if interval else "")


def _draw_prevalence(
    axes: Axes, curves: Mapping[str, Points], shown: Sequence[str], metrics: Mapping[str, Entry]
) -> None:
    for k, (name, colour) in enumerate(zip(shown, COLOURS, strict=False)):
        prevalence = curves[name].get("prevalence")
        if prevalence is None:
            continue
        one, entry = len(shown) == 1, metrics.get(f"average_precision_{name}", {"value": prevalence})
        label = f"prevalence {value_text({**entry, 'value': prevalence})}" if one else "prevalence" if k == 0 else None
        axes.axhline(prevalence, color=INK if one else colour, lw=0.9, ls=":", label=label)


def _operating_points(
    curves: Points, shown: Sequence[str], needed: Sequence[str]
) -> Iterator[tuple[str, str, Mapping[str, float]]]:
    """Name, colour and values of the classes whose operating point can be drawn."""
    chosen = curves.get("operating_point") or {}
    for name, colour in zip(shown, COLOURS, strict=False):
        point = chosen.get(name) or {}
        if all(point.get(key) is not None for key in needed):
            yield name, colour, point


def _point_label(name: str, point: Points, shown: Sequence[str]) -> str | None:
    """One line of the legend for all points."""
    if len(shown) > 1:
        return "operating points" if name == shown[0] else None
    return point_text(point)


def _mark(axes: Axes, x: float, y: float, colour: str, label: str | None) -> None:
    axes.plot([x], [y], "o", ms=8, color=colour, mec=INK, mew=1.4, ls="none", label=label, zorder=4, clip_on=False)


def _legend_height(lines: int) -> float:
    """Inches that a legend below the axes takes."""
    return 0.25 + 0.185 * lines


def _left_out(shown: Sequence[str], curves: Mapping[str, Points]) -> str:
    return f"the first {len(shown)} of {len(curves)} classes" if len(shown) == MOST_CURVES < len(curves) else ""


def _finish(figure: Figure, axes: Axes, area: str, shown: Sequence[str], curves: Mapping[str, Points]) -> None:
    axes.set(aspect="equal", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    title = "\n".join(filter(None, [f"{area} (95 % interval)", _left_out(shown, curves)]))
    figure.legend(**LEGEND, title=title)


def _panels(shown: Sequence[str], *, below: bool) -> tuple[Figure, list[Panel]]:
    """Axes a class, one beside another from the second class on, with flat ones for a histogram below each."""
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    side, flat = (3.6, 0.9) if columns == 1 else (2.1, 0.55)
    height = rows * (side + (flat if below else 0) + (0.35 if columns > 1 else 0.2))
    figure = Figure(figsize=(4.3 if columns == 1 else 4.9, height + _legend_height(3)), layout="constrained")
    ratios = [side, flat] if below else [side]
    grid = figure.add_gridspec(rows * len(ratios), columns, height_ratios=ratios * rows)
    panels: list[Panel] = []
    for k, (name, colour) in enumerate(zip(shown, COLOURS, strict=False)):
        row, column = divmod(k, columns)
        axes = figure.add_subplot(grid[row * len(ratios), column])
        histogram = figure.add_subplot(grid[row * 2 + 1, column], sharex=axes) if below else None
        draw_grid(axes)
        axes.tick_params(labelbottom=histogram is None)
        if len(shown) > 1:
            axes.set_xticks([0, 0.5, 1])
            axes.set_title(_written(name, LONGEST_NAME // 2), fontsize=9.5)
        panels.append((name, colour, axes, histogram))
    return figure, panels


def _draw_reliability(axes: Axes, after: Points, before: Points | None, colour: str) -> None:
    x, y, low, high = (_values(after, key) for key in ("predicted", "observed", "low", "high"))
    if len(low) == len(x):
        axes.vlines(x, low, high, color=colour, lw=1.6, alpha=0.75)
    axes.plot(x, y, "o-", ms=5, lw=1.2, color=colour, label="after temperature scaling" if before else "observed")
    if before:
        x, y = _values(before, "predicted"), _values(before, "observed")
        axes.plot(x, y, "s--", ms=5, mfc="none", lw=1.2, color=BEFORE, zorder=1.5, label="before temperature scaling")


def _draw_benefit(axes: Axes, points: Points, colour: str) -> None:
    x, model, low, high, everybody = (_values(points, key) for key in ("threshold", "model", "low", "high", "all"))
    if len(low) == len(x):
        axes.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
    axes.plot(x, model, color=colour, lw=1.9, label="model")
    if len(everybody) == len(x):
        axes.plot(x, everybody, color=BEFORE, lw=1.4, ls="--", label="treat all")
    axes.axhline(0, color=INK, lw=1.0, ls="-.", label="treat none")
    top = np.nanmax([*model, *high, *everybody, 0.01])
    # Far below zero nobody would choose: the interesting part stays large.
    axes.set(xlim=(0, 1), ylim=(-0.25 * top, 1.05 * top))


def _finish_panels(figure: Figure, panels: Sequence[Panel], shown: Sequence[str], curves: Mapping[str, Points]) -> None:
    """One legend for all panels, and labels at the rim only."""
    handles: dict[str, Any] = {}
    for k, (_, _, axes, histogram) in enumerate(panels):
        lines, labels = axes.get_legend_handles_labels()
        handles = dict(zip(labels, lines, strict=True)) | handles
        if k % 2 and len(panels) > 1:
            axes.set_ylabel("")
            if histogram is not None:
                histogram.set_ylabel("")
    columns = min(2, len(panels))
    figure.legend(handles.values(), handles.keys(), **LEGEND, title=_left_out(shown, curves) or None, ncols=columns)
