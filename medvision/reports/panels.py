"""Panels of segmentation: image, mask, prediction and their difference, a row a case."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw

from medvision.data.masks import IGNORE
from medvision.reports.overlays import (
    BACKGROUND,
    DIFFERENCES,
    INK,
    SOFT,
    WRONG_CLASS,
    Font,
    Pixels,
    difference_key,
    draw_differences,
    draw_fillings,
    draw_ignored,
    draw_keys,
    draw_outlines,
    fit_size,
    fit_text,
    ignored_key,
    load_font,
    mask_key,
    scale_image,
    scale_mask,
)

COLUMNS = ("image", "mask", "prediction", "difference")
CELL = 336
GAP = 12
SHEET_WIDTH = len(COLUMNS) * (CELL + GAP) + GAP
KINDS = ("best", "median", "worst")
_TITLE, _TEXT = 24, 18
_LINE = 30
# Overlays are drawn twice as large and reduced: their lines come out smooth.
_FINE = 2
_OUTLINE = 5


@dataclass(frozen=True, kw_only=True)
class PanelCase:
    """One row of a sheet of panels.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        truth: (H, W) uint8 class numbers, with `IGNORE` where nobody scores.
        predicted: (H, W) uint8 class numbers.
        caption: what the case is, such as `best: patient 7`.
        scores: name -> value, written behind the caption, such as `{"Dice fat": 0.97}`; nan is written as a dash.
    """

    image: Pixels
    truth: Pixels
    predicted: Pixels
    caption: str
    scores: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.image.shape[:2] == self.truth.shape == self.predicted.shape:
            shapes = f"{self.image.shape}, {self.truth.shape} and {self.predicted.shape}"
            raise ValueError(
                f"{self.caption}: image, truth and prediction have the shapes {shapes}; one size is needed"
            )


def choose_cases(frame: pd.DataFrame, classes: Sequence[str], each: int = 3) -> list[tuple[str, int]]:
    """Best, median and worst rows of a prediction table by the mean Dice of the foreground classes.

    Rows without any Dice are left out, and none comes twice: of fewer than 3 `each` rows each kind gets its share.

    Args:
        frame: with a column `dice_<class>` for each foreground class.
        classes: `mask_classes`, the background first.
        each: rows of a kind, at most.

    Returns:
        (`best`, `median` or `worst`; position of the row in the frame), in the order of falling Dice.
    """
    scores = frame[[f"dice_{name}" for name in classes[1:]]].mean(axis=1).to_numpy(dtype=np.float64)
    order = [int(row) for row in np.argsort(-scores, kind="stable") if not math.isnan(scores[row])]
    share, rest = divmod(len(order), len(KINDS))
    best = min(each, share + (rest > 0))
    worst = min(each, share + (rest > 1))
    left = order[best : len(order) - worst]
    start = (len(left) - min(each, len(left))) // 2
    chosen = (order[:best], left[start : start + each], order[len(order) - worst :])
    return [(kind, row) for kind, rows in zip(KINDS, chosen, strict=True) for row in rows]


def panel_sheet(cases: Sequence[PanelCase], classes: Sequence[str], title: str) -> Image.Image:
    """Cases below each other: image, mask (outlined), prediction (tinted and outlined) and difference.

    Args:
        cases: at least one; every size and shape of image is brought into a cell of 336 pixels.
        classes: `mask_classes`, the background first.
        title: the first line; says so if the images are simulated.

    Returns:
        An RGB sheet, 1404 pixels wide.
    """
    if not cases:
        raise ValueError("no cases; at least one is needed")
    large, font = load_font(_TITLE), load_font(_TEXT)
    sizes = [fit_size(case.truth.shape[0], case.truth.shape[1], CELL) for case in cases]
    legend = _legend(cases, classes, font)
    head = GAP + _TITLE + GAP + legend.height + _LINE
    height = head + sum(_LINE + size[0] + GAP for size in sizes) + GAP
    sheet = Image.new("RGB", (SHEET_WIDTH, height), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), fit_text(title, large, SHEET_WIDTH - 2 * GAP), font=large, fill=INK)
    sheet.paste(legend, (0, GAP + _TITLE + GAP))
    for column, name in enumerate(COLUMNS):
        centre = GAP + column * (CELL + GAP) + CELL // 2
        draw.text((centre, head - _LINE // 2), name, font=font, fill=SOFT, anchor="mm")
    top = head
    for case, size in zip(cases, sizes, strict=True):
        _write_caption(draw, case, top, font)
        for column, cell in enumerate(_cells(case, size)):
            sheet.paste(cell, (GAP + column * (CELL + GAP) + (CELL - cell.width) // 2, top + _LINE))
        top += _LINE + size[0] + GAP
    return sheet


def _cells(case: PanelCase, size: tuple[int, int]) -> list[Image.Image]:
    fine = (_FINE * size[0], _FINE * size[1])
    plain = scale_image(case.image, fine)
    truth, predicted = scale_mask(case.truth, fine), scale_mask(case.predicted, fine)
    outlined, tinted, compared = plain.copy(), plain.copy(), plain.copy()
    draw_ignored(outlined, truth)
    draw_outlines(outlined, truth, _OUTLINE)
    draw_fillings(tinted, predicted)
    draw_outlines(tinted, predicted, _OUTLINE)
    draw_differences(compared, truth, predicted)
    return [Image.fromarray(cell).reduce(_FINE) for cell in (plain, outlined, tinted, compared)]


def _write_caption(draw: ImageDraw.ImageDraw, case: PanelCase, top: int, font: Font) -> None:
    """Name and scores; a long name is cut, the scores are not."""
    scores = " · ".join(f"{name} {'–' if math.isnan(value) else f'{value:.2f}'}" for name, value in case.scores.items())
    scores = fit_text(scores, font, 0.7 * SHEET_WIDTH)
    room = SHEET_WIDTH - 2 * GAP - font.getlength(scores) - 40
    caption = fit_text(case.caption, font, room)
    middle = top + _LINE // 2
    draw.text((GAP, middle), caption, font=font, fill=INK, anchor="lm")
    draw.text((GAP + font.getlength(caption) + 30, middle), scores, font=font, fill=SOFT, anchor="lm")


def _legend(cases: Sequence[PanelCase], classes: Sequence[str], font: Font) -> Image.Image:
    """Keys of the classes, and of the differences that these cases may show."""
    keys = [(mask_key(number), name) for number, name in enumerate(classes) if number > 0]
    if any((case.truth == IGNORE).any() for case in cases):
        keys.append((ignored_key(), "not scored"))
    kinds = [name for name in DIFFERENCES if name != WRONG_CLASS or len(classes) > 2]
    compared = [(difference_key(name), name) for name in kinds]
    room = SHEET_WIDTH - 2 * GAP
    parts = [draw_keys("classes", keys, room, font), draw_keys("difference", compared, room, font)]
    legend = Image.new("RGB", (SHEET_WIDTH, sum(part.height for part in parts)), BACKGROUND)
    top = 0
    for part in parts:
        legend.paste(part, (GAP, top))
        top += part.height
    return legend


def name_scores(row: Mapping[str, npt.ArrayLike], classes: Sequence[str]) -> dict[str, float]:
    """The Dice of every foreground class of a row of the prediction table, as a `PanelCase` takes it."""
    return {f"Dice {name}": float(np.asarray(row[f"dice_{name}"])) for name in classes[1:]}
