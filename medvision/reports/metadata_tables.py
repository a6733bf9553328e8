"""Who is in which split by the metadata of the images, as the first table of an article has it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medvision.evaluation.groups import MOST_VALUES, Grouping, find_groupings
from medvision.evaluation.predictions import LEADING
from medvision.reports.cells import Cell, count_cell

SPLITS = ("train", "val", "test")
# What `split.csv` has of its own, beside what the prediction table begins with.
_OWN = ("mask", "group", "sha256", "mask_sha256")
Rows = list[tuple[str, list[Cell]]]


def metadata_table(split: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """The table that tells the metadata of the most images.

    Args:
        split: `split.csv`; of older runs it has no metadata.
        predictions: the prediction table, which has none of the training images.
    """
    table = split.rename(columns={"label": "target"}).drop(columns=list(_OWN), errors="ignore")
    return table if set(table.columns) - {*LEADING, "target"} else predictions


def metadata_splits(table: pd.DataFrame) -> list[str]:
    """The splits whose images are in a table."""
    found = set(table["split"]) if "split" in table else set()
    return [name for name in SPLITS if name in found]


def metadata_rows(
    table: pd.DataFrame, columns: Sequence[str] | None, classes: Sequence[str], mask_classes: Sequence[str]
) -> dict[str, Rows]:
    """Images by metadata and split.

    Args:
        table: of `metadata_table`.
        columns: of the metadata; None finds them. Those that are not there are left out.
        classes: of the labels.
        mask_classes: of the masks, the background first.

    Returns:
        {column: rows of (group, a cell a split)}; a number with many values is a row with its median and its range.
    """
    splits = metadata_splits(table)
    if not splits:
        return {}
    wanted = None if columns is None else [name for name in columns if name in table]
    found = {}
    for grouping in find_groupings(table, wanted, classes, mask_classes):
        numbers = pd.to_numeric(table[grouping.column], errors="coerce")
        parts = [(table["split"] == name).to_numpy() for name in splits]
        if numbers.nunique() > MOST_VALUES:
            found[grouping.column] = _range_rows(numbers, parts)
        else:
            found[grouping.column] = _group_rows(grouping, parts)
    return found


def _group_rows(grouping: Grouping, parts: Sequence[np.ndarray]) -> Rows:
    rows: Rows = []
    for name in (*grouping.order, None):
        inside = np.array([group == name for group in grouping.names], dtype=bool)
        if inside.any():
            cells = [_share(int((inside & part).sum()), int(part.sum())) for part in parts]
            rows.append(("not known" if name is None else name, cells))
    return rows


def _range_rows(numbers: pd.Series, parts: Sequence[np.ndarray]) -> Rows:
    known = [numbers[part].dropna() for part in parts]
    ranges: list[Cell] = [
        (f"{one.median():.4g}", [f"{one.min():.4g} to {one.max():.4g}"]) if len(one) else ("–", []) for one in known
    ]
    rows: Rows = [("median, range", ranges)]
    if numbers.isna().any():
        missing = [int(part.sum()) - len(one) for part, one in zip(parts, known, strict=True)]
        rows.append(("not known", [_share(count, int(part.sum())) for count, part in zip(missing, parts, strict=True)]))
    return rows


def _share(count: int, of: int) -> Cell:
    return count_cell(count, f"{count / of:.0%}" if of else "")
