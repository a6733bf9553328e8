"""What the Demo shows of an image: from the data set where it is at hand, and from the run folder alone elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from medvision.answering.model import Member
from medvision.answers import member_runs
from medvision.application.data_at_hand import DataAtHand, open_data
from medvision.application.opened import ASKING, Opened
from medvision.application.saved_answers import SavedAnswers, read_answers
from medvision.data.images import decoding, opened, read_image
from medvision.data.pixels import check_size
from medvision.errors import MedvisionError, ModelError, RunError
from medvision.evaluation.folds import fold_name
from medvision.reports.gallery import LONGEST, map_picture, plain_picture
from medvision.reports.overlays import (
    BACKGROUND,
    DIFFERENCES,
    WRONG_CLASS,
    difference_key,
    draw_differences,
    draw_fillings,
    draw_ignored,
    draw_keys,
    draw_outlines,
    fit_size,
    ignored_key,
    load_font,
    mask_key,
    scale_image,
    scale_mask,
)
from medvision.runs import RunFolder, read_json

Pixels = npt.NDArray[np.uint8]
Row = dict[str, Any]
KEPT = 64
# In pixels.
OUTLINE, MARGIN = 3, 12
MAP, DIFFERENCE = "Grad-CAM", "difference"


@dataclass(frozen=True)
class Drawn:
    """The pictures of an image.

    Args:
        pictures: (picture, what it shows), in the order in which they are looked at.
        notes: what could not be shown, and why, a sentence each.
    """

    pictures: list[tuple[Image.Image, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@cache
def saved_answers(run: Opened) -> SavedAnswers:
    """The answers of a run, read once for all visitors."""
    return read_answers(run.folder)


@lru_cache(maxsize=KEPT)
def draw_case(run: Opened, number: int) -> Drawn:
    """The pictures of one image.

    Args:
        run: with saved answers.
        number: of its row in the prediction table, counted from 1.
    """
    answers, drawn = saved_answers(run), Drawn()
    row: Row = {str(name): value for name, value in answers.table.loc[number].items()}
    image = None
    try:
        image = _data(run).image(row["image"])
    except MedvisionError as error:
        drawn.notes.append(f"Only what the run folder holds is shown: {error.lines[0]}")
    if answers.mask_classes:
        _add_masks(drawn, run, answers, row, image)
    elif image is not None:
        drawn.pictures.append((plain_picture(image, simulated=run.simulated), "image"))
    if answers.classes and image is not None:
        _add_evidence(drawn, run, answers, row, image)
    elif answers.classes:
        _add_saved(drawn, run, row)
    return drawn


@cache
def _data(run: Opened) -> DataAtHand:
    return open_data(run.folder, run.experiment)


def _add_masks(drawn: Drawn, run: Opened, answers: SavedAnswers, row: Row, image: Pixels | None) -> None:
    """Image, truth, prediction and difference; of a run folder alone the predicted mask."""
    predicted = read_drawn_mask(run.folder, str(row["mask"]), len(answers.mask_classes))
    if image is None:
        black = np.zeros((*predicted.shape, 3), np.uint8)
        drawn.pictures.append(mask_pictures(black, predicted, predicted)[2])
        return
    try:
        truth = _data(run).truth(str(row["mask_true"]), image.shape[:2])
    except MedvisionError as error:
        drawn.notes.append(f"The true mask is not shown: {error.lines[0]}")
        drawn.pictures.extend(mask_pictures(image, predicted, predicted)[::2])
    else:
        drawn.pictures.extend(mask_pictures(image, truth, predicted))


def mask_pictures(image: Pixels, truth: Pixels, predicted: Pixels) -> list[tuple[Image.Image, str]]:
    """An image as it is, with its true mask, with the predicted one, and with what differs.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        truth: (H, W) uint8 class numbers, with `IGNORE`.
        predicted: (H, W) uint8 class numbers.

    Returns:
        Four pictures whose longer side is 640 pixels, each with what it shows.

    Raises:
        RunError: the sizes differ.
    """
    if not image.shape[:2] == truth.shape == predicted.shape:
        raise RunError(f"a saved mask has the shape {predicted.shape}, its image {image.shape[:2]}")
    size = fit_size(truth.shape[0], truth.shape[1], LONGEST)
    plain, truth, predicted = scale_image(image, size), scale_mask(truth, size), scale_mask(predicted, size)
    outlined, tinted, compared = plain.copy(), plain.copy(), plain.copy()
    draw_ignored(outlined, truth)
    draw_outlines(outlined, truth, OUTLINE)
    draw_fillings(tinted, predicted)
    draw_outlines(tinted, predicted, OUTLINE)
    draw_differences(compared, truth, predicted)
    texts = ("image", "true mask", "predicted mask", DIFFERENCE)
    return [(Image.fromarray(one), text) for one, text in zip((plain, outlined, tinted, compared), texts, strict=True)]


def mask_legend(mask_classes: Sequence[str], *, compared: bool) -> Image.Image:
    """What the colours of `mask_pictures` mean.

    Args:
        mask_classes: the background first.
        compared: whether a difference is among the pictures.
    """
    keys = [(mask_key(number), name) for number, name in enumerate(mask_classes) if number]
    if compared:
        keys += [(difference_key(name), name) for name in DIFFERENCES if name != WRONG_CLASS or len(mask_classes) > 2]
        keys.append((ignored_key(), "not scored"))
    return ImageOps.expand(draw_keys("", keys, 2 * LONGEST, load_font(18)), MARGIN, BACKGROUND)


def read_drawn_mask(folder: RunFolder, name: str, classes: int) -> Pixels:
    """A mask that a run has saved, (H, W) uint8 class numbers.

    Args:
        folder: of the run, which may be somebody else's.
        name: of the file, relative to it.
        classes: how many there are.

    Raises:
        RunError: outside the folder, or no such mask.
        ImageError: it cannot be read.
    """
    path = folder.inside(name)
    with opened(path) as file, decoding(path, file) as picture:
        check_size(path, *picture.size)
        mask = np.array(picture)
    if mask.ndim != 2 or mask.dtype != np.uint8 or mask.max(initial=0) >= classes:
        raise RunError(f"{name}: no mask of {classes} classes, as medvision writes them")
    return mask


def _add_evidence(drawn: Drawn, run: Opened, answers: SavedAnswers, row: Row, image: Pixels) -> None:
    """The image under a map of the evidence for its answer, by the network that gave it."""
    named = [k for k, name in enumerate(answers.classes) if name in str(row["predicted"]).split("|")]
    shown = max(named or range(len(answers.classes)), key=lambda k: float(row[f"p_{answers.classes[k]}"]))
    name = answers.classes[shown]
    try:
        member = _member(run, row)
        if member.explainer is None:
            raise ModelError("a classical baseline has none")
        # A tile is an image of its own here.
        how = replace(run.model.preparation, tiles=None)
        with ASKING:
            maps, empty = member.explainer.evidence(how.inputs("image", image), np.array([shown]))
    except MedvisionError as error:
        drawn.notes.append(f"No map of the evidence: {error.lines[0]}")
        return
    height, width = image.shape[:2]
    evidence = how.restore(maps[:, None], height, width)[0].astype(np.float32)
    text = f"no positive evidence for {name}" if empty[0] else f"evidence for {name}"
    seen = how.seen(height, width)
    picture = map_picture(image, evidence, text, simulated=run.simulated, seen=seen, scale=not empty[0])
    drawn.pictures.append((picture, f"{MAP}: {text}"))


def _member(run: Opened, row: Row) -> Member:
    """The network that answered for a row: of a cross-validation that of its fold."""
    members = run.model.members
    if len(members) == 1:
        return members[0]
    name = fold_name(row["fold"], row.get("repeat"))
    names = [one.path.name.removeprefix("fold-") for one in member_runs(run.folder)]
    if name not in names:
        raise RunError(f"{run.label}: its table names fold {name}, and there is none")
    return members[names.index(name)]


def _add_saved(drawn: Drawn, run: Opened, row: Row) -> None:
    """The pictures that the run has saved of its mistakes and least certain images."""
    cases = read_json(run.folder.cases) if run.folder.cases.is_file() else []
    case = next((one for one in cases if one["image"] == row["image"]), None)
    if case is None:
        drawn.notes.append("The run folder holds pictures of mistakes and of the least certain images only.")
        return
    for key, text in (("picture", "image"), ("map", f"{MAP}: evidence for {case['class_shown']}")):
        if case.get(key):
            pixels = read_image(Path(run.folder.inside(case[key])), 3)
            drawn.pictures.append((Image.fromarray(pixels), text))
