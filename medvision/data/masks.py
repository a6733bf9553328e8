"""Masks the way they come: values, colours, one file a class and outlines become class numbers; nothing is guessed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.data.images import parse_image_name
from medvision.data.mask_files import nearest_codes, read_codes, tally_codes, text_of
from medvision.data.mask_rules import IGNORE, MaskRules, check_masks, class_numbers, mask_classes
from medvision.data.outlines import fill_hull, fill_outlines
from medvision.errors import ImageError

__all__ = ["IGNORE", "MaskRules", "check_masks", "mask_classes", "parse_mask_cell", "read_mask"]

FILE_SEPARATOR = "|"


def parse_mask_cell(cell: str) -> list[tuple[str | None, str]]:
    """Split a cell of the column `mask` into class and file; the class is None where a file holds a whole mask.

    What stands before the first `=` is the class, unless it holds a `/` and so belongs to a path.

    Raises:
        ImageError: a file name is missing.

    >>> parse_mask_cell("fat=masks/fat/1.png|muscle=masks/muscle/1.png")
    [('fat', 'masks/fat/1.png'), ('muscle', 'masks/muscle/1.png')]
    >>> parse_mask_cell("a_1.png|a_2.png")
    [(None, 'a_1.png'), (None, 'a_2.png')]
    """
    files = []
    for part in map(str.strip, cell.split(FILE_SEPARATOR)):
        before, found, after = part.partition("=")
        named = bool(found) and "/" not in before and "\\" not in before
        name, file = (before.strip(), after.strip()) if named else (None, part)
        if not file or name == "":
            raise ImageError(f"mask {cell!r}: expected a file, class=file, or several of them joined by |")
        files.append((name, file))
    return files


def read_mask(
    cell: str, root: Path, rules: MaskRules, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], dict[str, int]]:
    """Read the mask of one image. Safe to call from several threads.

    Files are read by `mask_files.read_codes`: grey, palette and colour images, and `.npy` arrays. A JPEG does not keep
    its values: there each becomes the nearest declared one (0 and 255 where none are) if it lies within half the
    smallest distance between two of them.

    Args:
        cell: of the column `mask`, see `parse_mask_cell`; several files without a class are joined. `#2` behind a file
            names one of its frames.
        root: folder that the files are relative to.
        rules: what the values mean.
        size: height and width of the image in pixels.

    Returns:
        (H, W) uint8 numbers of `mask_classes`, with `IGNORE` for values that are to be ignored or that nobody declared;
        and the number of pixels by value as the files hold them, or by class for one file a class.

    Raises:
        ImageError: a file cannot be read or has another size than the image; classes overlap; an outline encloses
            nothing; a class is unknown.
    """
    mask = np.zeros(size, np.uint8)
    ignored = np.zeros(size, np.bool_)
    counts: dict[str, int] = {}
    for name, file in parse_mask_cell(cell):
        found, of_file = _read_file(file, name, root, rules, size)
        for value, pixels in of_file.items():
            counts[value] = counts.get(value, 0) + pixels
        ignored |= found == IGNORE
        for layer in _layers(str(root / file), found, rules):
            _lay_over(mask, layer, cell, rules)
    mask[ignored] = IGNORE
    return mask, counts


def _read_file(
    file: str, name: str | None, root: Path, rules: MaskRules, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], dict[str, int]]:
    """Class numbers and counts of one file; `name` is the class of all it shows."""
    path, frame = parse_image_name(file)
    codes, lossy = read_codes(root / path, frame, rules.by_colour)
    if codes.shape != size:
        raise ImageError(
            f"{root / path}: the mask has {codes.shape[1]} x {codes.shape[0]} pixels, its image {size[1]} x {size[0]}; "
            "draw or export it at the size of the image"
        )
    known = class_numbers(rules)
    found, pixels, index = tally_codes(codes)
    if lossy:
        found = nearest_codes(found, np.array([*known, *([255] if rules.values is None else [])]))
    others = np.unique(found[(pixels > 0) & ~np.isin(found, list(known))])
    numbers = np.full(len(found), IGNORE if rules.values is not None else 1, np.uint8)
    if name is not None or rules.classes:
        numbers[:] = _class_number(root / path, name, others, rules)
    for code, number in known.items():
        numbers[found == code] = number
    counts: dict[str, int] = {}
    for code, count in zip(found[pixels > 0], pixels[pixels > 0], strict=True):
        text = text_of(int(code), rules.by_colour)
        counts[text] = counts.get(text, 0) + int(count)
    if name is not None:
        counts = {name: int(pixels[np.isin(found, others)].sum())}
    return numbers[index].reshape(size), counts


def _class_number(path: Path, name: str | None, others: npt.NDArray[Any], rules: MaskRules) -> int:
    if name not in rules.classes:
        known = ", ".join(rules.classes) or "none"
        raise ImageError(f"{path}: expected class=file with one of the classes ({known}), found {name or 'no class'}")
    if len(others) > 1:
        found = ", ".join(text_of(int(code), rules.by_colour) for code in others[:5]) + ", ..." * (len(others) > 5)
        raise ImageError(f"{path}: expected 0 and one other value in the mask of {name}, found {found}")
    return 1 + rules.classes.index(name)


def _layers(where: str, found: npt.NDArray[np.uint8], rules: MaskRules) -> Iterator[npt.NDArray[np.uint8]]:
    """The classes that a file claims, 0 elsewhere; outlines are filled, each class on a layer of its own."""
    if rules.outlines is None:
        yield np.where(found == IGNORE, np.uint8(0), found)
        return
    fill = fill_outlines if rules.outlines == "fill" else fill_hull
    for number in range(1, len(mask_classes(rules))):
        drawn = found == number
        if drawn.any():
            yield fill(where, drawn).astype(np.uint8) * np.uint8(number)


def _lay_over(mask: npt.NDArray[np.uint8], layer: npt.NDArray[np.uint8], cell: str, rules: MaskRules) -> None:
    claimed = layer > 0
    clash = claimed & (mask > 0) & (mask != layer)
    if rules.overlap == "error" and clash.any():
        names = mask_classes(rules)
        pairs, pixels = np.unique(np.stack([mask[clash], layer[clash]]), axis=1, return_counts=True)
        listed = "; ".join(
            f"{names[one]} and {names[other]} both claim {count:,} pixels"
            for (one, other), count in zip(pairs.T, pixels, strict=True)
        )
        raise ImageError(f"{cell}: {listed}; mend the mask, or write data.overlap: last to let the later one have them")
    np.copyto(mask, layer, where=claimed)
