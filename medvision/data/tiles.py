"""Images cut into tiles, which are images of their own in the image table and one study together.

A tile is called as its image, with the row and the column behind it, both counted from 1: `scans/a.png#r1c2`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pandas as pd

from medvision.config.tiles import TileGrid
from medvision.data.resize import Box
from medvision.errors import DataError, ImageError

COLUMNS = ("image", "row", "column", "label")
MOST_LISTED = 5
_NAME = re.compile(r"(.+)#r(\d+)c(\d+)", re.DOTALL)


def tile_name(image: str, row: int, column: int) -> str:
    """The name of a tile.

    >>> tile_name("scans/a.dcm#3", 1, 2)
    'scans/a.dcm#3#r1c2'
    """
    return f"{image}#r{row}c{column}"


def parse_tile_name(name: str) -> tuple[str, tuple[int, int] | None]:
    """Split the name of an image in the table into the whole image, and row and column of the tile.

    >>> parse_tile_name("scans/a.png#r1c2")
    ('scans/a.png', (1, 2))
    >>> parse_tile_name("scans/a.dcm#3")
    ('scans/a.dcm#3', None)
    """
    match = _NAME.fullmatch(name)
    return (match[1], (int(match[2]), int(match[3]))) if match else (name, None)


def tile_names(image: str, grid: TileGrid) -> list[str]:
    """The names of all tiles of an image, row by row."""
    return [tile_name(image, row, column) for row in range(1, grid.rows + 1) for column in range(1, grid.columns + 1)]


def tile_box(height: int, width: int, grid: TileGrid, row: int, column: int) -> Box:
    """Where a tile lies in its image. Tiles leave nothing out, do not overlap, and differ by one pixel at most.

    Args:
        height: of the image in pixels.
        width: of the image in pixels.
        grid: how many tiles.
        row: counted from 1.
        column: counted from 1.

    >>> tile_box(5, 9, TileGrid(rows=2, columns=3), row=2, column=3)
    Box(top=2, left=6, height=3, width=3)
    """
    top, bottom = ((row - 1) * height // grid.rows, row * height // grid.rows)
    left, right = ((column - 1) * width // grid.columns, column * width // grid.columns)
    return Box(top, left, bottom - top, right - left)


def cut_tile(image: npt.NDArray[Any], name: str, grid: TileGrid) -> npt.NDArray[Any]:
    """The pixels of a tile, as a view.

    Args:
        image: (H, W) or (H, W, 3), the whole image.
        name: of the tile.
        grid: how many tiles.

    Raises:
        ImageError: the image has fewer pixels than tiles, or the grid no such tile.
    """
    whole, place = parse_tile_name(name)
    height, width = image.shape[:2]
    if height < grid.rows or width < grid.columns:
        raise ImageError(
            f"{whole}: {width} x {height} pixels cannot be cut into {grid.rows} rows and {grid.columns} columns"
        )
    if place is None or not (1 <= place[0] <= grid.rows and 1 <= place[1] <= grid.columns):
        raise ImageError(f"{name}: no tile of {grid.rows} rows and {grid.columns} columns, which are counted from 1")
    return tile_box(height, width, grid, *place).cut(image)


def cut_table(table: pd.DataFrame, grid: TileGrid) -> pd.DataFrame:
    """The image table with a row for each tile in place of each image.

    Args:
        table: one row an image.
        grid: how many tiles.

    Returns:
        All columns as they were, but for `image`, the name of the tile, and `study`, the name of the whole image.
    """
    times = grid.rows * grid.columns
    tiles = table.loc[table.index.repeat(times)].reset_index(drop=True)
    names = [name for image in table["image"] for name in tile_names(image, grid)]
    return tiles.assign(image=names, study=[parse_tile_name(name)[0] for name in names])


def read_tile_labels(file: Path) -> pd.DataFrame:
    """A table of tiles that are labelled singly: `image`, `row`, `column`, `label`; row and column from 1.

    Returns:
        `image` (the name of the tile) and `label`, strings.

    Raises:
        DataError: no such table, in one line.
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as CSV: {' '.join(str(error).split())}") from error
    absent = [name for name in COLUMNS if name not in table]
    if absent:
        raise DataError(f"{file}: no column {', '.join(absent)}; expected {', '.join(COLUMNS)}")
    strange = table[~(table["row"].str.fullmatch(r"\d+") & table["column"].str.fullmatch(r"\d+"))]
    if len(strange):
        first = strange.iloc[0]
        raise DataError(
            f"{file}:{strange.index[0] + 2}: row {first['row']!r} and column {first['column']!r}; expected whole "
            "numbers, counted from 1"
        )
    rows = zip(table["image"], table["row"], table["column"], strict=True)
    return pd.DataFrame({"image": [tile_name(image, int(r), int(c)) for image, r, c in rows], "label": table["label"]})


def label_tiles(tiles: pd.DataFrame, labels: pd.DataFrame, positive: str, where: str) -> pd.DataFrame:
    """Tiles with labels of their own in place of that of their image.

    An image of which no tile is labelled keeps its label for all of them.

    Args:
        tiles: from `cut_table`, with the labels of the images.
        labels: from `read_tile_labels`.
        positive: the class that an image has if one of its tiles has it.
        where: what messages call the table of labels.

    Raises:
        DataError: tiles that are labelled twice, that do not exist, or that are missing; images of another class than
            their tiles say.
    """
    known, given = set(tiles["image"]), labels["image"]
    own = dict(zip(given, labels["label"], strict=True))
    labelled = {parse_tile_name(name)[0] for name in given}
    of_labelled = tiles[tiles["study"].isin(labelled)]
    findings = [
        ("labelled twice", given[given.duplicated()]),
        ("of no image or beyond data.tiles", given[~given.isin(known)]),
        ("without a label beside others of their image", of_labelled["image"][~of_labelled["image"].isin(own)]),
    ]
    problems = [f"{where}: {len(names)} tiles {what}: {_listed(names)}" for what, names in findings if len(names)]
    if problems:
        raise DataError(*problems)
    new = tiles.assign(label=[own.get(name, label) for name, label in zip(tiles["image"], tiles["label"], strict=True)])
    torn = _contradicted(tiles, new, positive)
    if torn:
        raise DataError(
            f"{where}: {len(torn)} images of another class than their tiles: {_listed(torn)}; an image is {positive} "
            "if one of its tiles is"
        )
    return new


def tiles_differ(table: pd.DataFrame) -> bool:
    """Whether an image has tiles with different labels, so that only a finding in one of them can speak for it."""
    if "label" not in table or "study" not in table:
        return False
    tiles = table[[parse_tile_name(name)[1] is not None for name in table["image"]]]
    return bool((tiles.groupby("study")["label"].nunique() > 1).any())


def _contradicted(before: pd.DataFrame, after: pd.DataFrame, positive: str) -> list[str]:
    image_is = (before["label"] == positive).groupby(before["study"]).any()
    a_tile_is = (after["label"] == positive).groupby(after["study"]).any()
    return list(image_is.index[image_is != a_tile_is])


def _listed(names: Sequence[str] | pd.Series) -> str:
    more = len(names) - MOST_LISTED
    return ", ".join(list(names)[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
