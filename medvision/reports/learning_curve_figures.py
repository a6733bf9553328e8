"""Figures of learning curves from `learning_curve.json`: the metric, differences and time by number of images."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from medvision.evaluation.text import cut
from medvision.reports.figures import COLOURS, INK, MOST_CURVES, NAMES, STYLE, draw_grid, legend_label

Entry = Mapping[str, Any]
Found = Mapping[str, Any]

MARKERS = "osD^vPX*"
LONGEST_NAME = 40
SMALL = 8.5
# Factor by which points of two models at one size stand apart, that one does not hide the other.
APART = 1.035
PALE = 0.16


def learning_curve_figures(found: Found) -> dict[str, Figure]:
    """The figures by name: `learning_curve_<level>`, `difference_<level>` and `training_time`.

    Args:
        found: `learning_curve.json`.
    """
    models = list(found["models"])[:MOST_CURVES]
    figures: dict[str, Figure | None] = {}
    for name, level in found["levels"].items():
        figures[f"learning_curve_{name}"] = metric_figure(level, models)
        figures[f"difference_{name}"] = difference_figure(level)
    figures["training_time"] = time_figure(found, models)
    return {name: figure for name, figure in figures.items() if figure is not None}


def metric_figure(level: Found, models: Sequence[str]) -> Figure | None:
    """The headline metric of every model by number of training images, its power law and where that would go.

    Args:
        level: of `learning_curve.json`.
        models: to be drawn, eight at most.

    Returns:
        None where no size has a value.
    """
    headline = level["headline"]
    points = {model: _entries(level, model, headline) for model in models}
    if not any(points.values()):
        return None
    with mpl.rc_context(STYLE):
        figure, axes = _axes(5.8, 4.5)
        last = max(size for entries in points.values() for size in entries)
        for k, (model, entries) in enumerate(points.items()):
            fit = level["fits"].get(model) or {}
            if "curve" in fit:
                _draw_fit(axes, fit["curve"], last, COLOURS[k])
            else:
                axes.plot(list(entries), [e["value"] for e in entries.values()], color=COLOURS[k], lw=1.0, alpha=0.6)
            _draw_points(axes, entries, COLOURS[k], MARKERS[k], APART ** (k - (len(points) - 1) / 2))
        axes.set(xlabel="training images", ylabel=NAMES.get(headline, headline.replace("_", " ")))
        _scale_images(axes, sorted({size for entries in points.values() for size in entries}))
        _limit(axes, points.values())
        figure.legend(handles=_handles(points, level), loc="outside lower center", fontsize=SMALL, frameon=False)
    return figure


def _entries(level: Found, model: str, metric: str) -> dict[int, Entry]:
    """Entries by size, of the sizes that define the metric."""
    entries = {int(size): metrics.get(metric) for size, metrics in level["metrics"].get(model, {}).items()}
    return {size: entry for size, entry in entries.items() if entry and entry["value"] is not None}


def _draw_fit(axes: Axes, curve: Sequence[Entry], last: int, colour: str) -> None:
    banded = [point for point in curve if point["low"] is not None]
    if banded:
        images, low, high = ([point[key] for point in banded] for key in ("images", "low", "high"))
        axes.fill_between(images, low, high, color=colour, alpha=PALE, lw=0)
    # The nearest point on both sides belongs to both lines, so that they meet.
    inside = [point for point in curve if point["images"] <= last * 1.0001]
    beyond = curve[max(len(inside) - 1, 0) :]
    for part, dashes in ((inside, "-"), (beyond, (0, (4, 2.5)))):
        axes.plot([p["images"] for p in part], [p["value"] for p in part], color=colour, ls=dashes, lw=1.7)


def _draw_points(axes: Axes, entries: Mapping[int, Entry], colour: str, marker: str, shift: float) -> None:
    for size, entry in entries.items():
        if entry["low"] is not None:
            axes.vlines(size * shift, entry["low"], entry["high"], color=colour, lw=1.4)
        repeats = [value for value in entry.get("repeats") or [] if value is not None]
        axes.plot([size * shift] * len(repeats), repeats, "_", ms=8, mew=1.2, color=colour)
    axes.plot(
        [size * shift for size in entries],
        [entry["value"] for entry in entries.values()],
        marker,
        ms=7,
        color=colour,
        mec=INK,
        mew=0.9,
    )


def _handles(points: Mapping[str, Mapping[int, Entry]], level: Found) -> list[Any]:
    handles: list[Any] = [
        Line2D([], [], color=COLOURS[k], marker=MARKERS[k], mec=INK, ms=7, lw=1.7, label=legend_label(_short(model)))
        for k, model in enumerate(points)
    ]
    fits = [fit for fit in level["fits"].values() if fit and "curve" in fit]
    if any(entry.get("repeats") for entries in points.values() for entry in entries.values()):
        handles.append(Line2D([], [], color=INK, marker="_", ms=8, lw=0, label="one repeat"))
    handles.append(Line2D([], [], color=INK, marker="|", ms=10, mew=1.4, lw=0, label="95 % interval over patients"))
    if any(fit["asymptote"] for fit in fits):
        handles.append(Line2D([], [], color=INK, ls=(0, (4, 2.5)), lw=1.5, label="power law beyond the data"))
    if any(point["low"] is not None for fit in fits for point in fit["curve"]):
        handles.append(Patch(color=INK, alpha=PALE, lw=0, label="its 95 % interval over patients and repeats"))
    return handles


def difference_figure(level: Found) -> Figure | None:
    """The paired difference between two models by number of training images, a panel a pair.

    Args:
        level: of `learning_curve.json`.

    Returns:
        None where there are no pairs with a value.
    """
    headline, by_size = level["headline"], level.get("pairs") or {}
    lines: dict[tuple[str, str], dict[int, Entry]] = {}
    for size, pairs in by_size.items():
        for pair in pairs:
            entry = pair["differences"].get(headline)
            if entry and entry["value"] is not None:
                lines.setdefault((pair["a"], pair["b"]), {})[int(size)] = entry
    if not lines:
        return None
    shown = dict(list(lines.items())[:MOST_CURVES])
    with mpl.rc_context(STYLE):
        figure, axes = _axes(5.2, 3.0 + 0.22 * len(shown))
        axes.axhline(0, color=INK, lw=0.9, ls=":")
        for k, ((one, other), entries) in enumerate(shown.items()):
            shift = APART ** (k - (len(shown) - 1) / 2)
            _draw_points(axes, entries, COLOURS[k], MARKERS[k], shift)
            label = f"{_short(other)} – {_short(one)}"
            axes.plot(
                [size * shift for size in entries],
                [entry["value"] for entry in entries.values()],
                MARKERS[k],
                ls="-",
                color=COLOURS[k],
                mec=INK,
                lw=1.2,
                label=legend_label(label),
            )
        metric = NAMES.get(headline, headline.replace("_", " "))
        axes.set(xlabel="training images", ylabel=f"difference in {metric}")
        _scale_images(axes, sorted({size for entries in shown.values() for size in entries}))
        figure.legend(loc="outside lower center", fontsize=SMALL, frameon=False)
    return figure


def time_figure(found: Found, models: Sequence[str]) -> Figure | None:
    """Minutes of training by number of training images, a mark a repeat and a line through their means.

    Returns:
        None where no training was timed.
    """
    timed: dict[str, dict[int, list[float]]] = {}
    for model in models:
        for size, costs in found["models"][model]["costs"].items():
            minutes = [seconds / 60 for seconds in costs["training_seconds"] if seconds]
            if minutes:
                timed.setdefault(model, {})[int(size)] = minutes
    if not timed:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = _axes(5.2, 3.0 + 0.22 * len(timed))
        for k, (model, by_size) in enumerate(timed.items()):
            means = [sum(minutes) / len(minutes) for minutes in by_size.values()]
            axes.plot(
                list(by_size),
                means,
                MARKERS[k],
                ls="-",
                color=COLOURS[k],
                mec=INK,
                ms=6,
                lw=1.4,
                label=legend_label(_short(model)),
            )
            for size, minutes in by_size.items():
                axes.plot([size] * len(minutes), minutes, "_", ms=8, mew=1.2, color=COLOURS[k])
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="training images", ylabel="minutes of training")
        _scale_images(axes, sorted({size for by_size in timed.values() for size in by_size}))
        figure.legend(loc="outside lower center", fontsize=SMALL, frameon=False)
    return figure


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    draw_grid(axes)
    return figure, axes


def _short(name: str) -> str:
    return cut(name, LONGEST_NAME)


def _scale_images(axes: Axes, sizes: Sequence[int]) -> None:
    """A logarithmic axis with a tick at every size, and on beyond them at doublings."""
    axes.set_xscale("log")
    most = axes.get_xlim()[1]
    ticks = list(sizes)
    while ticks[-1] * 2 < most and len(sizes) > 1:
        ticks.append(ticks[-1] * 2)
    # Ticks nearer than a fifth of the axis' length over ten would write over each other.
    apart = (most / sizes[0]) ** 0.07
    kept = [tick for k, tick in enumerate(ticks) if k == 0 or tick / ticks[k - 1] >= apart or tick == sizes[-1]]
    axes.xaxis.set_major_locator(FixedLocator(kept))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _limit(axes: Axes, points: Any) -> None:
    """Bands of an early fit may be far wider than the data: what was measured decides what is seen."""
    ends = [
        value
        for entries in points
        for entry in entries.values()
        for value in (entry["value"], entry["low"], entry["high"], *(entry.get("repeats") or []))
        if value is not None
    ]
    room = max(0.02, 0.12 * (max(ends) - min(ends)))
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, min(ends) - room, -0.02), min(max(high, max(ends) + room), 1.02))
