"""How predicted masks formed during training: one frame an epoch, with the loss curve growing beside them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw

from medvision.reports.figures import STYLE
from medvision.reports.overlays import (
    BACKGROUND,
    INK,
    KEY,
    SOFT,
    Pixels,
    draw_fillings,
    draw_keys,
    draw_outlines,
    fit_size,
    load_font,
    mask_key,
    scale_image,
    scale_mask,
)

CELL = 224
GAP = 8
CURVES_WIDTH = 400
MOST_FRAMES = 120
FRAME_MILLISECONDS = 200
LAST_MILLISECONDS = 2000
MOST_BYTES = 2_000_000
# Scale, colours of a GIF (one of the 256 stays free for pixels that are as before), quality of a WebP; until it fits.
_FORMS = ((1.0, 255, 70), (0.8, 96, 55), (0.6, 48, 40))
_TITLE, _TEXT = 20, 15
_HEAD = 36
_LEAST_HEIGHT = 330
_TRUTH = (255, 255, 255)
# Column of the history, its colour, its name in the picture; the axis above, then the one below.
_LOSSES = (("train/loss", "#9aa5b1", "train loss"), ("val/loss", "#e69f00", "val loss"))
_SCORES = (("val/dice", "#56b4e9", "val Dice"),)


def animation_frames(
    images: Pixels,
    truths: Pixels,
    predictions: Pixels,
    epochs: Sequence[int],
    history: pd.DataFrame,
    classes: Sequence[str],
    *,
    simulated: bool = False,
) -> list[Image.Image]:
    """One frame an epoch: the same images each time, predictions tinted, the truth outlined in white.

    Args:
        images: (n, S, S) or (n, S, S, 3) uint8, n at least 1; four read well.
        truths: (n, S, S) uint8 class numbers, with `IGNORE`.
        predictions: (E, n, S, S) uint8 class numbers, E at least 1.
        epochs: E epochs, counted from 0 as in the history; readers see them counted from 1.
        history: a row an epoch, with `epoch` and, as far as they are known, `train/loss`, `val/loss`, `val/dice`.
        classes: `mask_classes`, the background first.
        simulated: the images were drawn by a program; every frame says so.

    Returns:
        E RGB pictures of one size.

    Raises:
        ValueError: the arrays do not fit each other.
    """
    _check_shapes(images, truths, predictions, epochs)
    size = fit_size(truths.shape[1], truths.shape[2], CELL)
    plain = [scale_image(image, size) for image in images]
    outlines = [scale_mask(truth, size) for truth in truths]
    columns = 1 if len(images) == 1 else 2
    rows = -(-len(images) // columns)
    body = max(rows * (size[0] + GAP) - GAP, _LEAST_HEIGHT)
    left = columns * (size[1] + GAP) + GAP
    curves = _Curves(history, (CURVES_WIDTH, body))
    width = left + (CURVES_WIDTH + GAP if curves.lines else 0)
    legend = _legend(classes, width - 2 * GAP)
    frames = []
    for epoch, masks in zip(epochs, predictions, strict=True):
        frame = Image.new("RGB", (width, _HEAD + body + GAP + legend.height), BACKGROUND)
        for place, (image, truth, mask) in enumerate(zip(plain, outlines, masks, strict=True)):
            row, column = divmod(place, columns)
            cell = _cell(image, truth, scale_mask(mask, size))
            frame.paste(cell, (GAP + column * (size[1] + GAP), _HEAD + row * (size[0] + GAP)))
        if curves.lines:
            frame.paste(curves.draw(epoch), (left, _HEAD))
        frame.paste(legend, (GAP, _HEAD + body + GAP // 2))
        _write_head(frame, f"epoch {epoch + 1} of {max(epochs) + 1}", simulated)
        frames.append(frame)
    return frames


def write_animation(
    images: Pixels,
    truths: Pixels,
    predictions: Pixels,
    epochs: Sequence[int],
    history: pd.DataFrame,
    classes: Sequence[str],
    gif: Path,
    webp: Path,
    *,
    simulated: bool = False,
) -> None:
    """Write the frames of `animation_frames` as GIF and as WebP, five a second, the last one held two seconds, forever.

    Of more than 120 epochs evenly chosen ones are shown, the first and the last among them. The files appear complete
    or not at all.

    Args:
        images: see `animation_frames`, as is all up to `classes`.
        truths: (n, S, S) uint8.
        predictions: (E, n, S, S) uint8.
        epochs: E epochs, counted from 0.
        history: a row an epoch.
        classes: `mask_classes`.
        gif: the one file; its folder is made.
        webp: the other.
        simulated: the images were drawn by a program.

    Raises:
        ValueError: the arrays do not fit each other.
    """
    _check_shapes(images, truths, predictions, epochs)
    shown = thin_out(len(epochs), MOST_FRAMES)
    chosen = [epochs[k] for k in shown]
    frames = animation_frames(images, truths, predictions[shown], chosen, history, classes, simulated=simulated)
    _save(frames, gif, "GIF")
    _save(frames, webp, "WEBP")


def thin_out(number: int, most: int) -> list[int]:
    """At most `most` of the numbers 0 to `number` - 1, evenly spaced, the first and the last among them.

    >>> thin_out(9, 5)
    [0, 2, 4, 6, 8]
    """
    return [int(k) for k in np.linspace(0, number - 1, min(number, most)).round()]


class _Curves:
    """The learning curves up to an epoch, on axes that span the whole training."""

    def __init__(self, history: pd.DataFrame, size: tuple[int, int]) -> None:
        groups = [[entry for entry in group if _known(history, entry[0])] for group in (_LOSSES, _SCORES)]
        self.lines: list[tuple[Line2D, Line2D, npt.NDArray[np.float64], npt.NDArray[np.float64]]] = []
        ink, soft = ("#{:02x}{:02x}{:02x}".format(*colour) for colour in (INK, SOFT))
        style = STYLE | {"text.color": ink, "axes.labelcolor": soft, "axes.edgecolor": soft}
        with mpl.rc_context(style | {"xtick.color": soft, "ytick.color": soft}):
            paper = "#{:02x}{:02x}{:02x}".format(*BACKGROUND)
            figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, layout="constrained", facecolor=paper)
            self.canvas = FigureCanvasAgg(figure)
            shown = [group for group in groups if group]
            last = max(1, int(history["epoch"].max()) + 1) if len(history) else 1
            for place, group in enumerate(shown, start=1):
                axes = figure.add_subplot(len(shown), 1, place, facecolor=paper)
                axes.set_xlim(1 if last > 1 else 0.5, max(last, 1.5))
                self._add(axes, history, group)
                if place == len(shown):
                    axes.set_xlabel("epoch")
            self.canvas.draw()
            # The places of the axes are found once, not for every frame.
            figure.set_layout_engine("none")

    def _add(self, axes: Axes, history: pd.DataFrame, group: Sequence[tuple[str, str, str]]) -> None:
        axes.grid(alpha=0.16, lw=0.6)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        values = history[[column for column, _, _ in group]].to_numpy(dtype=np.float64)
        finite = values[np.isfinite(values)]
        low, high = (0.0, 1.0) if group[0] in _SCORES else (min(0.0, float(finite.min())), float(finite.max()))
        axes.set_ylim(low, high + 0.05 * (high - low or 1.0))
        for column, colour, name in group:
            found = history[np.isfinite(history[column].astype(float))]
            (line,) = axes.plot([], [], color=colour, lw=1.8, label=name)
            (dot,) = axes.plot([], [], "o", color=colour, ms=5, clip_on=False)
            dot.set_in_layout(False)
            self.lines.append(
                (line, dot, found["epoch"].to_numpy(dtype=np.float64), found[column].to_numpy(np.float64))
            )
        # Above the axes, where no curve runs.
        axes.legend(fontsize=9, frameon=False, loc="lower left", bbox_to_anchor=(0, 0.98), ncols=len(group))

    def draw(self, epoch: int) -> Image.Image:
        """The curves up to an epoch, as an RGB picture."""
        for line, dot, epochs, values in self.lines:
            past = epochs <= epoch
            line.set_data(epochs[past] + 1, values[past])
            dot.set_data(epochs[past][-1:] + 1, values[past][-1:])
        self.canvas.draw()
        return Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB")


def _known(history: pd.DataFrame, column: str) -> bool:
    return column in history and bool(np.isfinite(history[column].astype(float)).any())


def _check_shapes(images: Pixels, truths: Pixels, predictions: Pixels, epochs: Sequence[int]) -> None:
    fits = len(images) > 0 and images.shape[:3] == truths.shape and len(epochs) > 0
    if not fits or predictions.shape != (len(epochs), *truths.shape):
        raise ValueError(
            f"images {images.shape}, truths {truths.shape}, predictions {predictions.shape} and {len(epochs)} epochs "
            "do not fit; expected (n, S, S) or (n, S, S, 3), (n, S, S) and (epochs, n, S, S)"
        )


def _cell(image: Pixels, truth: Pixels, predicted: Pixels) -> Image.Image:
    picture = image.copy()
    draw_fillings(picture, predicted, 0.45)
    draw_outlines(picture, truth, 1, _TRUTH)
    return Image.fromarray(picture)


def _legend(classes: Sequence[str], width: int) -> Image.Image:
    outline = np.full((KEY, KEY, 3), 70, np.uint8)
    draw_outlines(outline, np.ones((KEY, KEY), np.uint8), 1, _TRUTH)
    keys = [(mask_key(number), f"{name}, predicted") for number, name in enumerate(classes) if number > 0]
    return draw_keys("", [*keys, (Image.fromarray(outline), "truth")], width, load_font(_TEXT))


def _write_head(frame: Image.Image, text: str, simulated: bool) -> None:
    draw = ImageDraw.Draw(frame)
    draw.text((GAP, _HEAD // 2), text, font=load_font(_TITLE), fill=INK, anchor="lm")
    if simulated:
        draw.text((frame.width - GAP, _HEAD // 2), "SIMULATED", font=load_font(_TEXT), fill=SOFT, anchor="rm")


def _share_palette(frames: Sequence[Image.Image], colours: int) -> list[Image.Image]:
    """All frames in one palette of their own colours: what stays the same costs nothing in the file."""
    some = [frames[k] for k in thin_out(len(frames), 4)]
    joined = Image.new("RGB", (some[0].width, sum(frame.height for frame in some)))
    for place, frame in enumerate(some):
        joined.paste(frame, (0, place * frame.height))
    palette = joined.quantize(colours, method=Image.Quantize.MEDIANCUT)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def _save(frames: Sequence[Image.Image], path: Path, kind: Literal["GIF", "WEBP"]) -> None:
    """Write the frames, smaller and coarser where the file would else be too large to be sent around."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    durations = [FRAME_MILLISECONDS] * (len(frames) - 1) + [LAST_MILLISECONDS]
    for scale, colours, quality in _FORMS:
        width, height = round(scale * frames[0].width), round(scale * frames[0].height)
        scaled = [frame.resize((width, height), Image.Resampling.LANCZOS) if scale < 1 else frame for frame in frames]
        if kind == "GIF":
            first, *others = _share_palette(scaled, colours)
            first.save(part, kind, save_all=True, append_images=others, duration=durations, loop=0)
        else:
            first, *others = scaled
            first.save(
                part, kind, save_all=True, append_images=others, duration=durations, loop=0, quality=quality, method=2
            )
        if part.stat().st_size <= MOST_BYTES:
            break
    part.replace(path)
