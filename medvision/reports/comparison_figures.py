"""Figures of a comparison: each model's metrics, the differences between models, and what an answer costs."""

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from medvision.evaluation.mask_text import title_with_unit
from medvision.reports.cells import entry_cell, gap_cell
from medvision.reports.comparison_inputs import (
    TITLES,
    UNDEFINED,
    ComparisonInputs,
    Entry,
    drawn_metrics,
    entry_of,
    pair_name,
)
from medvision.reports.figures import COLOURS, INK, STYLE, legend_label, new_axes
from medvision.reports.forest import ForestRow, forest_figure
from medvision.reports.model_costs import model_costs

_UNITS = (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 0.001))
_MARKERS = "osD^vP*X"
# From this ratio of times on the axis is logarithmic.
_WIDE = 5


def comparison_figures(inputs: ComparisonInputs) -> dict[str, Figure]:
    """The figures by name: `metric_<metric>`, `difference_<metric>` of the level that answers, and `cost_<what>`."""
    level = inputs.level
    figures: dict[str, Figure | None] = {}
    for metric in drawn_metrics(inputs):
        figures[f"metric_{metric}"] = metric_figure(inputs, level, metric)
        figures[f"difference_{metric}"] = difference_figure(inputs, level, metric)
    costs = {model.name: model_costs(model) for model in inputs.models}
    entries = {name: entry_of(inputs, level, name, inputs.primary) for name in inputs.names}
    title = TITLES[inputs.primary]
    for key, label in (("training_seconds", "time to train"), ("seconds_per_image", "time an image")):
        figures[f"cost_{key}"] = cost_figure({name: cost[key] for name, cost in costs.items()}, entries, label, title)
    return {name: figure for name, figure in figures.items() if figure is not None}


def metric_figure(inputs: ComparisonInputs, level: str, metric: str) -> Figure | None:
    """A metric of every model with its interval."""
    entries = [entry_of(inputs, level, name, metric) for name in inputs.names]
    rows = [ForestRow(name, entry, _value(entry)) for name, entry in zip(inputs.names, entries, strict=True)]
    measured = "unit" in entries[0]
    # Kappa can be negative; a distance has no upper end.
    limits = None if measured or metric == "kappa" else (0.0, 1.0)
    return forest_figure(rows, title_with_unit(TITLES[metric], entries[0]), limits=limits)


def difference_figure(inputs: ComparisonInputs, level: str, metric: str) -> Figure | None:
    """A metric of one model minus that of another, for every pair; marked where its interval leaves 0 out."""
    rows = []
    unit: Entry = UNDEFINED
    for pair in inputs.comparison["levels"][level]["pairs"]:
        entry = pair["differences"].get(metric, UNDEFINED)
        unit = entry if "unit" in entry else unit
        value, below = gap_cell(entry)
        text = "\n".join([value, *(f"({line})" for line in below)])
        rows.append(ForestRow(pair_name(pair), entry, text, marked=excludes_zero(entry)))
    return forest_figure(rows, f"difference in {title_with_unit(TITLES[metric], unit)}", line=0.0) if rows else None


def excludes_zero(entry: Entry) -> bool:
    """Whether an interval lies on one side of 0."""
    return entry.get("low") is not None and bool(entry["low"] > 0 or entry["high"] < 0)


def cost_figure(
    seconds: Mapping[str, float | None], entries: Mapping[str, Entry], label: str, title: str
) -> Figure | None:
    """The metric that answers against a time, a point a model; None where fewer than two models have both.

    Args:
        seconds: of each model; None where it was not measured.
        entries: the metric of each model.
        label: what the time is.
        title: of the metric.
    """
    known = {name: each for name, each in seconds.items() if each and entries[name]["value"] is not None}
    if len(known) < 2:
        return None
    low, high = min(known.values()), max(known.values())
    unit, size = next(((unit, size) for unit, size in _UNITS if high >= size), _UNITS[-1])
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(4.6, 3.2)
        for number, (name, each) in enumerate(known.items()):
            colour, marker = COLOURS[number % len(COLOURS)], _MARKERS[number % len(_MARKERS)]
            entry = entries[name]
            if entry["low"] is not None:
                axes.vlines(each / size, entry["low"], entry["high"], color=colour, lw=1.6)
            (point,) = axes.plot([each / size], [entry["value"]], marker, color=colour, ms=8, mec=INK)
            point.set_label(legend_label(name))
        if high > _WIDE * low:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlim(low / size / 1.6, 1.6 * high / size)
        else:
            axes.set_xlim(0, 1.15 * high / size)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set(xlabel=f"{label} ({unit})", ylabel=title)
        figure.legend(loc="outside upper center", fontsize=8.5, frameon=False, ncols=2)
    return figure


def _value(entry: Entry) -> str:
    value, below = entry_cell(entry)
    return "\n".join([value, *(f"({line})" for line in below[:1] if entry["low"] is not None)])
