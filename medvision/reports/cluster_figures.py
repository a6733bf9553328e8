"""Maps of images by their features, coloured by class, by cluster and by patient; and the silhouette of each k."""

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from medvision.reports.cluster_tables import label_text
from medvision.reports.figures import COLOURS, INK, STYLE, legend_label, new_axes

# More points would make a page heavy, and hide each other.
MOST_POINTS = 2000
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST_NAMED, MOST_LABELS, LONG_LABEL = 8, 12, 19
WIDTH, HEIGHT = 4.7, 3.9
# Width and height of a name as shares of the map.
NAME_ROOM = np.array([0.2, 0.06])
AXES = {"pca": ("first principal component", "second principal component"), "umap": ("UMAP 1", "UMAP 2")}
# The golden angle: neighbours in number are far apart in hue.
_TURN = 0.618034


def cluster_figures(table: pd.DataFrame, found: Mapping[str, Any], patients: Sequence[str]) -> dict[str, Figure]:
    """The figures by name: `map_class`, `map_cluster`, `map_patient`, `silhouettes`, as far as there is something.

    Args:
        table: `clusters.csv`.
        found: `clusters.json`.
        patients: what the patient of each row is called, in the order of the table.
    """
    rows = shown_rows(table, found["seed"])
    some = table.iloc[rows]
    labels = np.array(AXES[found["map"]])
    figures = {}
    if "label" in some:
        groups = some["label"].fillna("").astype(str)
        order = [name for name in _classes(found) if (groups == name).any()]
        if len(order) <= MOST_LABELS:
            figures["map_class"] = _group_map(some, groups, order, labels)
    clusters = some["cluster"].astype(str)
    figures["map_cluster"] = _group_map(some, clusters, [str(k + 1) for k in range(found["k"])], labels, numbered=True)
    called = pd.Series([patients[row] for row in rows], index=some.index)
    if called.duplicated().any():
        figures["map_patient"] = _patient_map(some, called, labels)
    if len(found["silhouettes"]) > 1:
        figures["silhouettes"] = silhouette_figure(found["silhouettes"], found["k"])
    return figures


def shown_rows(table: pd.DataFrame, seed: int) -> np.ndarray:
    """The rows that are drawn: all, or of many those of no training and as many others as there is room for."""
    if len(table) <= MOST_POINTS:
        return np.arange(len(table))
    mixed = np.random.default_rng(seed).permutation(len(table))
    last = (table["split"].iloc[mixed] == "train").to_numpy()
    return np.sort(mixed[np.argsort(last, kind="stable")][:MOST_POINTS])


def _classes(found: Mapping[str, Any]) -> list[str]:
    return list(next(iter(found["scores"].values())).get("classes", []))


def _learned(table: pd.DataFrame) -> np.ndarray:
    return (table["split"] == "train").to_numpy()


def _group_map(
    table: pd.DataFrame, groups: pd.Series, order: Sequence[str], labels: np.ndarray, *, numbered: bool = False
) -> Figure:
    """One colour and one shape a group; images of the training split are hollow."""
    learned = _learned(table)
    with mpl.rc_context(STYLE):
        figure, axes = _map_axes(labels)
        handles = []
        for number, name in enumerate(order):
            turn, place = divmod(number, len(COLOURS))
            colour, marker = COLOURS[place], MARKERS[(place + turn) % len(MARKERS)]
            inside = (groups == name).to_numpy()
            _draw(axes, table[inside & learned], marker, colour, hollow=True)
            _draw(axes, table[inside & ~learned], marker, colour, hollow=False)
            label = f"cluster {name}" if numbered else label_text(name)
            handles.append(Line2D([], [], marker=marker, ls="", color=colour, ms=5, label=legend_label(label)))
        _legend(figure, handles, hollow=bool(learned.any()) and not learned.all())
    return figure


def _patient_map(table: pd.DataFrame, called: pd.Series, labels: np.ndarray) -> Figure:
    """A colour a patient, and lines from the images of one patient to their middle; some of the largest are named."""
    learned = _learned(table)
    with mpl.rc_context(STYLE):
        figure, axes = _map_axes(labels)
        for number, name in enumerate(dict.fromkeys(called)):
            inside = (called == name).to_numpy()
            some, colour = table[inside], patient_colour(number)
            if len(some) > 1:
                axes.plot(*(_spokes(some[axis].to_numpy()) for axis in "xy"), color=colour, lw=0.5, alpha=0.5, zorder=1)
            _draw(axes, table[inside & learned], "o", colour, hollow=True)
            _draw(axes, table[inside & ~learned], "o", colour, hollow=False)
        for name, place in _named_places(table, called).items():
            axes.annotate(name, place, fontsize=8, ha="center", va="center", zorder=4)
        _legend(figure, [], hollow=bool(learned.any()) and not learned.all())
    return figure


def _spokes(values: np.ndarray) -> np.ndarray:
    """One coordinate of lines from each point to their middle, nan between two lines."""
    middle = np.full_like(values, values.mean())
    return np.stack([values, middle, np.full_like(values, np.nan)], axis=1).ravel()


def _named_places(table: pd.DataFrame, called: pd.Series) -> dict[str, tuple[float, float]]:
    """Where the names of the patients with the most images stand, without those that would cover another."""
    sizes = called.value_counts()
    sizes = sizes[sizes > 1]
    middles = table[["x", "y"]].groupby(called.to_numpy()).mean()
    room = NAME_ROOM * np.ptp(table[["x", "y"]].to_numpy(), axis=0)
    found: dict[str, tuple[float, float]] = {}
    for name in sizes.index:
        x, y = middles.loc[name]
        if not any(abs(x - left) < room[0] and abs(y - low) < room[1] for left, low in found.values()):
            found[str(name)] = (float(x), float(y))
        if len(found) == MOST_NAMED:
            break
    return found


def patient_colour(number: int) -> str:
    """A colour for a patient, of middle brightness, far in hue from those of the numbers beside it; `#rrggbb`."""
    lightness = (0.42, 0.52, 0.6)[number % 3]
    red, green, blue = colorsys.hls_to_rgb(number * _TURN % 1, lightness, 0.65)
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * value) for value in (red, green, blue)))


def _map_axes(labels: np.ndarray) -> tuple[Figure, Axes]:
    figure, axes = new_axes(WIDTH, HEIGHT)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    # Only who is near whom is meant: the numbers along the axes say nothing.
    axes.tick_params(labelbottom=False, labelleft=False, length=0)
    return figure, axes


def _draw(axes: Axes, table: pd.DataFrame, marker: str, colour: str, *, hollow: bool) -> None:
    if len(table):
        axes.plot(
            table["x"],
            table["y"],
            marker,
            ms=4.2,
            mfc="none" if hollow else colour,
            mec=colour,
            mew=0.8,
            alpha=0.75,
            zorder=2 if hollow else 3,
        )


def _legend(figure: Figure, handles: list[Line2D], *, hollow: bool) -> None:
    if hollow:
        mark = Line2D([], [], marker="o", ls="", color=INK, ms=5, mfc="none", label="hollow: trained on")
        handles = [*handles, mark]
    if handles:
        columns = min(len(handles), 3 if max(len(str(handle.get_label())) for handle in handles) < LONG_LABEL else 2)
        figure.legend(handles=handles, loc="outside lower center", fontsize=8.5, frameon=False, ncols=columns)


def silhouette_figure(values: Sequence[Mapping[str, Any]], k: int) -> Figure:
    """The mean silhouette for each number of clusters.

    Args:
        values: {k, silhouette} each, the silhouette None where it is undefined.
        k: the number that was chosen.
    """
    known = [(row["k"], row["silhouette"]) for row in values if row["silhouette"] is not None]
    counts, heights = zip(*known, strict=True) if known else ((), ())
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(WIDTH, 2.6)
        axes.plot(counts, heights, "-o", color=COLOURS[0], ms=4, lw=1.4)
        axes.axvline(k, color=INK, lw=0.8, ls=":", label=f"{k} clusters")
        axes.set(xlabel="clusters", ylabel="mean silhouette")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize=8.5, frameon=False)
    return figure
