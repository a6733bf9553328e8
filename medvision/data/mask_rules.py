"""What the values of mask files mean, and whether the masks keep to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import yaml

from medvision.data.mask_files import code_of
from medvision.data.table import Problem
from medvision.errors import ConfigError

IGNORE = 255
"""The class number of pixels that nobody scores or learns from."""

MOST_PROPOSED = 20
_BACKGROUNDS = ("background", "rest")


@dataclass(frozen=True)
class MaskRules:
    """What the values of the mask files of a data set mean.

    Args:
        values: value in the file (`0`, `255`, `#ff0000`) -> class name; several values may name one class. A class
            called background or rest comes first, else the class of the value 0, else the first one named. Colours
            apply to RGB files and to the palettes of others; without colours a palette counts by its indices. None: 0
            is the background and the one other value the foreground.
        ignore: the value of pixels that nobody scores.
        outlines: the files hold drawn outlines: `fill` adds what each encloses, `convex_hull` takes the hull of all
            pixels of a class, for outlines with gaps.
        overlap: where files or filled outlines claim a pixel for two classes: `error`, or the `last` one wins.
        classes: for one file a class, the names after the background, in order.

    Raises:
        ConfigError: every value that is no value, named twice or to be ignored too; a class without a name; no class or
            more than 255; values for one file a class.
    """

    values: Mapping[str, str] | None
    ignore: str | None = None
    outlines: Literal["fill", "convex_hull"] | None = None
    overlap: Literal["error", "last"] = "error"
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        mistakes = _mistakes(self)
        if mistakes:
            raise ConfigError(*mistakes)

    @property
    def by_colour(self) -> bool:
        """Whether colours are named, so that palettes count by their colours."""
        return any(value.startswith("#") for value in (*(self.values or ()), self.ignore or ""))


def mask_classes(rules: MaskRules) -> list[str]:
    """The class names in the order of the class numbers, the background first.

    >>> mask_classes(MaskRules({"1": "nerve", "0": "background", "2": "vessel", "3": "vessel"}))
    ['background', 'nerve', 'vessel']
    """
    if rules.values is None:
        return ["background", *(rules.classes or ("foreground",))]
    names = list(dict.fromkeys(rules.values.values()))
    of_zero = [name for value, name in rules.values.items() if code_of(value) == 0]
    first = [name for name in names if name.lower() in _BACKGROUNDS] or of_zero or names
    return [first[0], *(name for name in names if name != first[0])]


def class_numbers(rules: MaskRules) -> dict[int, int]:
    """Code of every declared value, see `mask_files.code_of` -> class number, `IGNORE` for what is to be ignored."""
    names = mask_classes(rules)
    values = {"0": names[0]} if rules.values is None else rules.values
    numbers = {code_of(value): names.index(name) for value, name in values.items()}
    return numbers if rules.ignore is None else numbers | {code_of(rules.ignore): IGNORE}


def check_masks(cells: Sequence[str], counts: Sequence[Mapping[str, int]], rules: MaskRules) -> list[Problem]:
    """What all masks together show: values that nobody declared, and classes that never occur.

    Args:
        cells: of the column `mask`.
        counts: what `read_mask` counted, one entry a cell; empty for one that could not be read.
        rules: what the values mean.
    """
    shown = sorted({value for found in counts for value, number in found.items() if number})
    if not shown:
        return []
    if rules.classes:
        return _absent([name for name in rules.classes if name not in shown], shown)
    codes = {value: code_of(value) for value in shown}
    known = class_numbers(rules)
    unnamed = sorted((value for value in shown if codes[value] not in known), key=codes.__getitem__)
    names = mask_classes(rules)
    if rules.values is None and len(unnamed) < 2:
        return [] if unnamed else _absent(names[1:], shown)
    seen = {known[code] for code in codes.values() if code in known}
    unseen = [name for number, name in enumerate(names) if number and number not in seen]
    if not unnamed:
        return _absent(unseen if len(names) > 1 else ["foreground"], shown)
    one_each = all(sum(value in unnamed for value in found) < 2 for found in counts)
    where = []
    for value in unnamed:
        rows = [row for row, found in enumerate(counts) if found.get(value)]
        pixels = sum(counts[row][value] for row in rows)
        where.append(f"{value} in {len(rows)} masks ({pixels:,} pixels), the first {cells[rows[0]]}")
    renamed = rules.values is not None and len(unnamed) == len(unseen) == 1
    what = _undeclared(rules, unnamed, unseen[0] if renamed else None, one_each)
    return [Problem(what, where), *(_absent(unseen, shown) if rules.values is not None and not renamed else [])]


def _mistakes(rules: MaskRules) -> list[str]:
    mistakes: list[str] = []
    codes: dict[int, str] = {}
    given = [(value, "data.mask_values") for value in rules.values or ()]
    for value, setting in [*given, *([] if rules.ignore is None else [(rules.ignore, "data.ignore_value")])]:
        try:
            code = code_of(value)
        except ValueError:
            mistakes.append(
                f"{setting}: {value!r} is no value of a mask; expected a whole number or a colour '#ff0000'"
            )
            continue
        if code in codes:
            mistakes.append(f"{setting}: {value} is named already, as {codes[code]} in data.mask_values; remove one")
        codes[code] = value
    names = set(rules.classes if rules.values is None else rules.values.values())
    if not all(names) or (rules.values is not None and not names):
        mistakes.append("data.mask_values: expected a name for each value, such as {0: background, 255: fat}")
    if rules.classes and rules.values is not None:
        mistakes.append("data.mask_values: with one file a class there are no values to name; remove it")
    if "background" in rules.classes or len(names) < len(rules.classes):
        listed = ", ".join(rules.classes)
        mistakes.append(f"one file a class: expected files of different classes, none of background; found {listed}")
    if len(names) + (rules.values is None) > IGNORE:
        mistakes.append(f"data.mask_values: more than {IGNORE} classes")
    return mistakes


def _absent(names: Sequence[str], shown: Sequence[str]) -> list[Problem]:
    what = f"no mask shows {', '.join(names)}; correct data.mask_values or the masks, or leave the class out"
    return [Problem(f"{what}; the masks hold", shown)] if names else []


def _undeclared(rules: MaskRules, unnamed: Sequence[str], instead_of: str | None, one_each: bool) -> str:
    """The problem, and the line that would answer it.

    Args:
        rules: as they are.
        unnamed: values that need a name.
        instead_of: the class of which no value was found, whose name the only new value then gets.
        one_each: no mask holds two of them.
    """
    none = rules.values is None
    what = "masks hold several values besides 0" if none else "masks hold values that data.mask_values does not name"
    if len(unnamed) > MOST_PROPOSED:
        return f"{what}, {len(unnamed)} of them, as a picture does and a mask hardly would; the first"
    named = {value: name for value, name in (rules.values or {"0": "background"}).items() if name != instead_of}
    alone = len(set(named.values())) == 1 and one_each
    for value in unnamed:
        new = "background" if code_of(value) == 0 and "background" not in named.values() else None
        named[value] = new or instead_of or ("foreground" if alone else f"class{value.removeprefix('#')}")
    line = {value if value.startswith("#") else int(value): name for value, name in named.items()}
    written = yaml.safe_dump(line, default_flow_style=True, sort_keys=False, width=100_000).strip()
    return f"{what}; write data.mask_values: {written}"
