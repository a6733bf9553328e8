"""Figures of segmentation results: how Dice and surface distances spread over the images."""

import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medvision.reports.figures import INK, STYLE
from medvision.reports.palette import colour_text

# So few images are drawn as points, too: a box of them says little.
FEW_IMAGES = 40
_SPREAD = 0.16
_LABEL = 22

Values = npt.NDArray[np.float64]


def dice_figure(rows: pd.DataFrame, classes: Sequence[str]) -> Figure | None:
    """Box plots of Dice over images, one a class.

    Args:
        rows: of one split of the prediction table, with columns `dice_<class>` in [0, 1].
        classes: `mask_classes`, the background first.

    Returns:
        The figure; None where no image has a Dice.
    """
    values = [_column(rows, f"dice_{name}") for name in classes[1:]]
    if not any(map(len, values)):
        return None
    labels = [f"{_wrapped(name)}\nn = {len(found)}" for name, found in zip(classes[1:], values, strict=True)]
    lowest = min(found.min() for found in values if len(found))
    with mpl.rc_context(STYLE):
        figure = _boxes(values, labels, "Dice")
        figure.axes[0].set_xlim(max(-0.02, min(0.9, lowest - 0.05)) if lowest > 0.3 else -0.02, 1.005)
    return figure


def distance_figure(rows: pd.DataFrame, classes: Sequence[str]) -> Figure | None:
    """Box plots of the 95th-percentile Hausdorff distance over images, one a class.

    Infinite distances, of a class that is missing in truth or prediction alone, are counted in the label of the class.

    Args:
        rows: of one split of the prediction table, with columns `hd95_<class>` and one `unit` for all.
        classes: `mask_classes`, the background first.

    Returns:
        The figure; None where no image has a distance.
    """
    values = [_column(rows, f"hd95_{name}") for name in classes[1:]]
    finite = [found[np.isfinite(found)] for found in values]
    if not any(map(len, finite)):
        return None
    labels = []
    for name, found, shown in zip(classes[1:], values, finite, strict=True):
        infinite = len(found) - len(shown)
        labels.append(f"{_wrapped(name)}\nn = {len(shown)}" + (f", {infinite} infinite" if infinite else ""))
    with mpl.rc_context(STYLE):
        figure = _boxes(finite, labels, f"95th-percentile Hausdorff distance ({rows['unit'].iloc[0]})")
        figure.axes[0].set_xlim(left=0)
    return figure


def _wrapped(name: str) -> str:
    return "\n".join(textwrap.wrap(name, _LABEL, break_on_hyphens=False)) or name


def _column(rows: pd.DataFrame, name: str) -> Values:
    """The values of a column but nan."""
    values = rows[name].to_numpy(dtype=np.float64)
    return values[~np.isnan(values)]


def _boxes(values: Sequence[Values], labels: Sequence[str], title: str) -> Figure:
    """Horizontal boxes, the first class on top: names of any length fit, and so do many classes."""
    figure = Figure(figsize=(4.8, 1.1 + 0.58 * len(values)), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="x", alpha=0.18, lw=0.6, color=INK)
    for place, found in enumerate(values):
        _box(axes, found, place, colour_text(place + 1))
    axes.set_yticks(range(len(values)), labels)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(title)
    return figure


def _box(axes: Axes, values: Values, place: int, colour: str) -> None:
    few = len(values) <= FEW_IMAGES
    line = {"color": INK, "lw": 1.0}
    if len(values) > 2:
        axes.boxplot(
            values,
            positions=[place],
            orientation="horizontal",
            widths=0.52,
            patch_artist=True,
            showfliers=not few,
            manage_ticks=False,
            boxprops={"facecolor": colour, "edgecolor": INK, "alpha": 0.55, "lw": 1.0},
            medianprops={"color": INK, "lw": 2.0},
            whiskerprops=line,
            capprops=line,
            flierprops={"marker": "o", "ms": 3, "markerfacecolor": "none", "markeredgecolor": INK, "alpha": 0.7},
        )
    if few:
        # Spread evenly, not at random: the same table gives the same figure.
        offsets = _SPREAD * np.where(np.arange(len(values)) % 2, 1, -1) * (np.arange(len(values)) % 3) / 2
        axes.plot(values, place + offsets, "o", ms=3.2, color=INK, alpha=0.6, mew=0)
