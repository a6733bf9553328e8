"""Figures of a sweep: its course, parallel coordinates, what explains the metric, and the metric by each parameter."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from medvision.evaluation.text import cut
from medvision.reports.figures import COLOURS, INK, STYLE, new_axes
from medvision.reports.sweep_importance import Importance
from medvision.reports.sweep_inputs import Parameter, SweepInputs

Floats = npt.NDArray[np.float64]

# From the worst to the best: told apart by the colour-blind, and seen on white and on black.
SHADES = LinearSegmentedColormap.from_list("trials", [COLOURS[1], "#8c8c8c", COLOURS[0]])
BEST = COLOURS[0]
PAPER = "#fefdfc"
"""Behind the numbers of an axis that lines cross; a page puts the colour of its own paper in its place."""
MOST_PARAMETERS = 8
LONGEST_NAME, LONGEST_LEVEL = 26, 16
MOST_LEVELS = 12
SMALL = 8.5
# Marks of trials with the same category would hide each other: they are spread over so much of the place of one.
SPREAD = 0.4
CROWD = 12


def sweep_figures(inputs: SweepInputs, importance: Importance) -> dict[str, Figure]:
    """The figures by name: `history`, `parallel`, `importance`, and `parameter_0` and so on; what is empty is left out.

    Args:
        inputs: of the sweep.
        importance: of its parameters.
    """
    if inputs.trials["value"].isna().all():
        return {}
    drawn = drawn_parameters(inputs, importance)
    figures = {"history": history_figure(inputs)}
    if drawn and inputs.trials["value"].notna().sum() > 1:
        if len(drawn) > 1:
            figures["parallel"] = parallel_figure(inputs, drawn)
        if importance.shares:
            figures["importance"] = importance_figure(importance)
        figures |= {f"parameter_{k}": parameter_figure(inputs, parameter) for k, parameter in enumerate(drawn)}
    return figures


def drawn_parameters(inputs: SweepInputs, importance: Importance) -> list[Parameter]:
    """The parameters that there is room for, the most important first; in the file's order where that is not known."""
    ranks = {name: rank for rank, name in enumerate(importance.shares)}
    return sorted(inputs.parameters, key=lambda p: ranks.get(p.name, len(ranks)))[:MOST_PARAMETERS]


def history_figure(inputs: SweepInputs) -> Figure:
    """The metric of every trial in the order of their beginning, and the best so far."""
    trials, values = inputs.trials, inputs.shown_values()
    known = np.flatnonzero(~np.isnan(values))
    so_far = np.maximum.accumulate if inputs.maximize else np.minimum.accumulate
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(5.8, 3.4)
        numbers = trials["trial"].to_numpy()
        axes.step(numbers[known], so_far(values[known]), where="post", color=INK, lw=1.2, label="best so far")
        _draw_trials(axes, inputs, numbers.astype(np.float64))
        axes.set(xlabel="trial", ylabel=_short(inputs.found["metric"]["name"]))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _scale_values(axes, inputs)
        figure.legend(loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    return figure


def _draw_trials(axes: Axes, inputs: SweepInputs, places: Floats) -> None:
    """A mark a trial: a circle of a finished one, an open triangle of one that was stopped, a ring of the winner."""
    values, stopped = inputs.shown_values(), (inputs.trials["state"] == "stopped").to_numpy()
    known = ~np.isnan(values) & ~np.isnan(places)
    ended, early = known & ~stopped, known & stopped
    if ended.any():
        axes.plot(places[ended], values[ended], "o", ms=5, color=BEST, mec=INK, mew=0.6, label="trial")
    if early.any():
        axes.plot(places[early], values[early], "v", ms=5.5, mfc="none", mec=COLOURS[1], mew=1.3, label="stopped early")
    best = inputs.best
    if best is not None and known[best]:
        axes.plot(places[best], values[best], "o", ms=11, mfc="none", mec=INK, mew=1.4, label="chosen")


def _scale_values(axes: Axes, inputs: SweepInputs) -> None:
    low, high = inputs.value_ends()
    room = 0.06 * (high - low) or 0.05 * (abs(high) or 1)
    axes.set_ylim(low - room, high + room)
    clipped = clipped_end(inputs)
    if clipped is not None:
        sign = "≤" if inputs.maximize else "≥"
        ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if abs(tick - clipped) > 0.12 * (high - low)]
        axes.yaxis.set_major_locator(FixedLocator([clipped, *(t for t in ticks if low <= t <= high)]))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{sign} {value:.3g}" if value == clipped else f"{value:.4g}")
        )


def clipped_end(inputs: SweepInputs) -> float | None:
    """The end of the metric's axis beyond which trials lie; None where all trials lie within."""
    low, high = inputs.value_ends()
    values = inputs.trials["value"]
    if inputs.maximize:
        return low if (values < low).any() else None
    return high if (values > high).any() else None


def parallel_figure(inputs: SweepInputs, parameters: Sequence[Parameter]) -> Figure:
    """A line a trial through its parameters to its metric, in the colour of the metric; a stopped one is dashed.

    Args:
        inputs: of the sweep.
        parameters: those with an axis, from left to right.
    """
    values = inputs.shown_values()
    low, high = inputs.value_ends()
    places = np.stack([*(_spread(p) for p in parameters), _between(values, low, high)], axis=1)
    goodness = places[:, -1] if inputs.maximize else 1 - places[:, -1]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.2 + 1.35 * len(parameters), 4.0), layout="constrained")
        axes = figure.add_subplot()
        for row in reversed(inputs.order):
            if not np.isnan(places[row]).any():
                chosen = row == inputs.best
                line = {"color": SHADES(goodness[row]), "lw": 2.6 if chosen else 1.1, "alpha": 1.0 if chosen else 0.75}
                dashes = (0, (4, 2)) if inputs.trials["state"].iloc[row] == "stopped" else "-"
                axes.plot(range(places.shape[1]), places[row], ls=dashes, solid_joinstyle="round", **line)
        for k, parameter in enumerate(parameters):
            _draw_axis(axes, k, _ticks(parameter))
        _draw_value_axis(axes, len(parameters), inputs)
        names = [*(_broken(p.name) for p in parameters), _broken(inputs.found["metric"]["name"])]
        axes.set_xticks(range(len(names)), names, fontsize=SMALL)
        axes.tick_params(axis="x", length=0, pad=6)
        axes.set(xlim=(-0.45, len(parameters) + 0.45), ylim=(-0.05, 1.05), yticks=[])
        axes.spines[:].set_visible(False)
    return figure


def _between(values: Floats, low: float, high: float) -> Floats:
    return (values - low) / (high - low) if high > low else np.where(np.isnan(values), np.nan, 0.5)


def _spread(parameter: Parameter) -> Floats:
    """Places on an axis from 0 to 1; a category has room for its trials beside each other."""
    if not parameter.levels:
        return parameter.places()
    count = len(parameter.levels)
    return (parameter.values + 0.5 + SPREAD / 2 * _offsets(parameter)) / count


def _offsets(parameter: Parameter) -> Floats:
    """(N,) float64 in [-1, 1]: trials of one category beside each other, in their order; few of them close together."""
    offsets = np.zeros(len(parameter.values))
    for level in range(len(parameter.levels)):
        rows = np.flatnonzero(parameter.values == level)
        if len(rows) > 1:
            offsets[rows] = np.linspace(-1, 1, len(rows)) * min(1, len(rows) / CROWD)
    return offsets


def _ticks(parameter: Parameter) -> list[tuple[float, str]]:
    """(place from 0 to 1, text) of the numbers or categories beside an axis."""
    low, high = parameter.ends()
    if parameter.levels:
        step = -(-len(parameter.levels) // MOST_LEVELS)
        places = [(k + 0.5) / len(parameter.levels) for k in range(len(parameter.levels))]
        return [(places[k], cut(parameter.levels[k], LONGEST_LEVEL)) for k in range(0, len(places), step)]
    if high <= low:
        return [(0.5, f"{low:.3g}")]
    if parameter.log:
        subs = (1.0,) if high / low >= 50 else (1.0, 2.0, 5.0)
        found = np.asarray(LogLocator(subs=subs, numticks=8).tick_values(low, high))
        scaled = np.log(found / low) / np.log(high / low)
    else:
        found = np.asarray(MaxNLocator(5).tick_values(low, high))
        scaled = (found - low) / (high - low)
    kept = [
        (float(place), f"{tick:.4g}") for place, tick in zip(scaled, found, strict=True) if -1e-9 <= place <= 1 + 1e-9
    ]
    return kept if len(kept) > 1 else [(0.0, f"{low:.3g}"), (1.0, f"{high:.3g}")]


def _draw_axis(axes: Axes, x: int, ticks: Sequence[tuple[float, str]]) -> None:
    axes.plot([x, x], [0, 1], color=INK, lw=1.0, zorder=4)
    paper = {"facecolor": PAPER, "alpha": 0.82, "pad": 1.2, "lw": 0}
    for place, text in ticks:
        axes.plot([x - 0.03, x], [place, place], color=INK, lw=0.9, zorder=4)
        axes.text(x - 0.06, place, text, ha="right", va="center", fontsize=SMALL, bbox=paper, zorder=5)


def _draw_value_axis(axes: Axes, x: int, inputs: SweepInputs) -> None:
    """The metric, the last axis: its line has the colours of the lines that end there."""
    low, high = inputs.value_ends()
    steps = np.linspace(0, 1, 41)
    points = np.stack([np.full(41, float(x)), steps], axis=1)
    shades = SHADES(steps[:-1] if inputs.maximize else 1 - steps[:-1])
    pieces = list(np.stack([points[:-1], points[1:]], axis=1))
    axes.add_collection(LineCollection(pieces, colors=shades, lw=5, zorder=4))
    clipped = clipped_end(inputs)
    ticks = [t for t in MaxNLocator(5).tick_values(low, high) if low <= t <= high] if high > low else [low]
    for tick in ticks:
        place = float(_between(np.array([tick]), low, high)[0])
        axes.text(x + 0.07, place, f"{tick:.4g}", ha="left", va="center", fontsize=SMALL)
    if clipped is not None:
        sign = "≤" if inputs.maximize else "≥"
        edge = 0.0 if inputs.maximize else 1.0
        axes.text(x + 0.07, edge - 0.045 + 0.09 * edge, f"{sign} {clipped:.3g}", ha="left", va="center", fontsize=SMALL)


def importance_figure(importance: Importance) -> Figure:
    """The share of the metric's variance that each parameter explains by itself, as bars."""
    shares = dict(list(importance.shares.items())[:MOST_PARAMETERS])
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(5.2, 1.1 + 0.36 * len(shares))
        rows = np.arange(len(shares))
        axes.barh(rows, list(shares.values()), color=BEST, height=0.6)
        for row, share in enumerate(shares.values()):
            axes.text(share + 0.012, row, f"{share:.0%}", va="center", fontsize=SMALL)
        axes.set_yticks(rows, [_short(name) for name in shares])
        axes.set(ylim=(len(shares) - 0.4, -0.6), xlim=(0, max(*shares.values(), 0.1) * 1.15))
        axes.grid(visible=False, axis="y")
        axes.set_axisbelow(True)
        axes.set_xlabel("share of the variance explained by itself")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    return figure


def parameter_figure(inputs: SweepInputs, parameter: Parameter) -> Figure:
    """The metric of every trial by one parameter.

    Args:
        inputs: of the sweep.
        parameter: on a logarithmic axis where it was drawn so; categories stand side by side.
    """
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(3.9, 3.0)
        places = parameter.values
        if parameter.levels:
            places = places + SPREAD / 2 * _offsets(parameter)
            _name_levels(axes, parameter.levels)
        elif parameter.log:
            axes.set_xscale("log")
            low, high = parameter.ends()
            if high / low < 50:
                axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        _draw_trials(axes, inputs, places)
        axes.set(xlabel=_short(parameter.name), ylabel=_short(inputs.found["metric"]["name"]))
        _scale_values(axes, inputs)
    return figure


def _name_levels(axes: Axes, levels: Sequence[str]) -> None:
    names = [cut(level, LONGEST_LEVEL) for level in levels]
    turned = max(map(len, names)) * len(names) > 34
    step = -(-len(names) // MOST_LEVELS)
    ticks = list(range(0, len(names), step))
    axes.set_xticks(ticks, names[::step], rotation=40 if turned else 0, ha="right" if turned else "center")
    axes.set_xlim(-0.6, len(levels) - 0.4)
    axes.xaxis.set_minor_locator(NullLocator())


def _short(name: str) -> str:
    return cut(name, LONGEST_NAME)


def _broken(name: str) -> str:
    """The name in two lines, so that those of neighbouring axes do not meet."""
    section, _, last = name.rpartition(".")
    return f"{cut(section, LONGEST_LEVEL)}.\n{cut(last, LONGEST_LEVEL)}" if section else f"\n{cut(last, LONGEST_LEVEL)}"
