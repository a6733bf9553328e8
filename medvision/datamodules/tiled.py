"""What datamodules share whose images are cut into tiles."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medvision.config.tiles import TileGrid
from medvision.data.digests import tile_digest
from medvision.data.tiles import cut_table, cut_tile, label_tiles, parse_tile_name, read_tile_labels
from medvision.datamodules.base import DataModule
from medvision.errors import DataError


@dataclass(kw_only=True, eq=False)
class TiledDataModule(DataModule):
    """Images whose tiles the network sees one by one. The tiles of an image are a study: they are never parted.

    `read_table` knows whole images. A tile has the label of its image, unless `tile_labels` says better.

    Args:
        tiles: how many rows and columns of tiles an image is cut into; null leaves images whole.
        tile_labels: a table below `root` of tiles that are labelled singly: image, row, column, label, with rows and
            columns counted from 1. It may be absent; null ignores it. Two classes only: an image is of the second if
            one of its tiles is.
    """

    tiles: TileGrid | None = None
    tile_labels: str | None = "tiles.csv"

    def complete_table(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with a row a tile."""
        if self.tiles is None:
            return table
        cut = cut_table(table, self.tiles)
        file = None if self.tile_labels is None else Path(self.root) / self.tile_labels
        if file is None or not file.is_file():
            return cut
        classes = list(self.classes or sorted(set(table["label"].dropna())))
        if len(classes) != 2:
            raise DataError(f"{file}: tiles of {len(classes)} classes, expected two; write `data.tile_labels: null`")
        return label_tiles(cut, read_tile_labels(file), classes[1], str(file))

    def read_pixels(self, image: str) -> np.ndarray:
        """A tile, or a whole image, at its original size, (H, W) or (H, W, 3) uint8.

        Raises:
            ImageError: it cannot be read or cut.
        """
        whole, place = parse_tile_name(image)
        pixels = super().read_pixels(whole)
        if place is None or self.tiles is None:
            return pixels
        return np.ascontiguousarray(cut_tile(pixels, image, self.tiles))

    def file_of(self, image: str) -> Path:
        """The file that holds an image or a tile of it."""
        return super().file_of(parse_tile_name(image)[0])

    def digest(self, image: str) -> str:
        """SHA-256 of the file of an image, and of the tile where it is cut."""
        whole, place = parse_tile_name(image)
        digest = super().digest(whole)
        if place is None or self.tiles is None:
            return digest
        return tile_digest(digest, *place, self.tiles)
