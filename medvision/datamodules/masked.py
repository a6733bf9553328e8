"""What datamodules with masks share: how masks are read, and how large a pixel is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import PositiveFloat

from medvision.data.cache import Inspection
from medvision.data.crops import central_window, random_window
from medvision.data.dicom import is_dicom
from medvision.data.dicom_tags import dicom_tags
from medvision.data.images import parse_image_name
from medvision.data.loading import ImageDataset, PixelSource
from medvision.data.masks import IGNORE, MaskRules, check_masks, mask_classes, parse_mask_cell, read_mask
from medvision.data.resize import Geometry
from medvision.data.sources import MaskDecoder, open_source
from medvision.data.table import Problem
from medvision.datamodules.base import DataModule
from medvision.errors import ConfigError, DataError, ImageError
from medvision.evaluation.mask_scores import score_names

PIXEL = (1.0, 1.0)


@dataclass(kw_only=True, eq=False)
class MaskedDataModule(DataModule):
    """Images with a mask each: which class every pixel belongs to. The image table has a column `mask`.

    Args:
        mask_values: value in the mask files -> class, such as `{0: background, 1: nerve}` or `{"#ff0000": fat}`; null
            where the files hold 0 and one other value, or where there is one file a class.
        ignore_value: the value of pixels that are neither learned from nor scored.
        outlines: `fill` where the masks are drawn outlines, `convex_hull` where these have gaps; null for areas.
        overlap: what happens where two classes claim a pixel: `error`, or the `last` one named has it.
        pixel_spacing: side of a pixel of the original image in mm, a column that tells it for each image, or null: what
            DICOM files say, and pixels as the unit otherwise.
    """

    mask_values: dict[str, str] | None = None
    ignore_value: int | str | None = None
    outlines: Literal["fill", "convex_hull"] | None = None
    overlap: Literal["error", "last"] = "error"
    pixel_spacing: PositiveFloat | str | None = None

    # How masks are read

    @property
    def mask_rules(self) -> MaskRules | None:
        """What the values of the mask files mean; None where the table has no masks.

        Raises:
            ConfigError: settings that contradict each other or the table.
        """
        if "mask" not in self.image_table:
            return None
        cells = self.image_table["mask"].dropna()
        parts = [part for cell in cells if "=" in cell for part in _parts(cell)]
        named = {name for name, _ in parts if name is not None}
        ignore = None if self.ignore_value is None else str(self.ignore_value)
        return MaskRules(self.mask_values, ignore, self.outlines, self.overlap, tuple(sorted(named)))

    @property
    def mask_classes(self) -> list[str]:
        """Classes of the pixels in the order of their numbers, the background first; none without masks."""
        rules = self.mask_rules
        return [] if rules is None else mask_classes(rules)

    def open_masks(self, images: Inspection) -> tuple[PixelSource | None, Inspection | None]:
        """The masks by row of the table, and what was found in their files; None without masks."""
        rules = self.mask_rules
        if rules is None:
            return None, None
        taken = {"unit", "mask_true", *score_names(mask_classes(rules))}.intersection(self.image_table)
        if taken:
            raise DataError(
                f"{self.root}: the image table has a column {' and a column '.join(sorted(taken))}, a name that the "
                "prediction table needs; rename it"
            )
        cells = list(self.image_table["mask"].fillna(""))
        sizes = dict(zip(cells, zip(images.heights, images.widths, strict=True), strict=True))
        decode = MaskDecoder(Path(self.root), rules, sizes, self.image_size, self.resize)
        description = {
            "root": str(Path(self.root).resolve()),
            "rules": repr(rules),
            "sizes": [sizes[cell] for cell in cells],
            "settings": [self.image_size, self.resize],
        }
        shape = None if self.resize == "none" else [len(cells), self.image_size, self.image_size]
        files = [[Path(self.root) / parse_image_name(file)[0] for _, file in _parts(cell)] for cell in cells]
        return open_source(cells, decode, files, description, shape, cached=self.cache)

    def check_masks(self, found: Inspection) -> list[Problem]:
        """Values that nobody declared, and classes that no mask shows."""
        rules = self.mask_rules
        return [] if rules is None else check_masks(list(self.image_table["mask"].fillna("")), found.counts, rules)

    def count_pixels(self, rows: np.ndarray) -> list[int]:
        """Pixels of each mask class in some rows of the table, as the network sees them."""
        if self.mask_pixels is None:
            return []
        counts = np.zeros(IGNORE + 1, dtype=np.int64)
        for row in rows:
            counts += np.bincount(self.mask_pixels[row].ravel(), minlength=IGNORE + 1)
        return counts[: len(self.mask_classes)].tolist()

    # How large a pixel is

    def complete_table(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with `row_mm` and `column_mm`, as far as the size of a pixel is known."""
        given = self.pixel_spacing
        if isinstance(given, float | int):
            return table.assign(row_mm=float(given), column_mm=float(given))
        if isinstance(given, str):
            if given not in table:
                raise ConfigError(
                    f"data.pixel_spacing: the image table has no column '{given}'; it has {', '.join(table.columns)}"
                )
            values = pd.to_numeric(table[given], errors="coerce")
            wrong = ~(values > 0) | ~np.isfinite(values)
            if wrong.any():
                problem = f"data.pixel_spacing: column '{given}' must be a positive number of mm in every row"
                raise DataError(str(Problem(problem, list(table["image"][wrong]))))
            return table.assign(row_mm=values.astype(float), column_mm=values.astype(float))
        return self._with_dicom_spacing(table)

    def _with_dicom_spacing(self, table: pd.DataFrame) -> pd.DataFrame:
        """The spacing that the headers give; none unless all images are DICOM and say it."""
        if {"row_mm", "column_mm"} <= set(table):
            return table.astype({"row_mm": float, "column_mm": float})
        spacings = []
        for image in table["image"]:
            file = Path(self.root) / parse_image_name(image)[0]
            try:
                tags = dicom_tags(file) if file.is_file() and is_dicom(file) else None
            except ImageError:
                tags = None
            if tags is None or tags["row_mm"] is None:
                return table
            spacings.append((tags["row_mm"], tags["column_mm"]))
        rows, columns = zip(*spacings, strict=True)
        return table.assign(row_mm=rows, column_mm=columns)

    @property
    def unit(self) -> str:
        """`mm` where the size of a pixel is known for every image, otherwise `px`."""
        return "mm" if {"row_mm", "column_mm"} <= set(self.image_table) else "px"

    def spacing_of(self, row: int) -> tuple[float, float]:
        """Distances of two rows and of two columns of an original image, in `unit`."""
        if self.unit == "px":
            return PIXEL
        return float(self.image_table["row_mm"][row]), float(self.image_table["column_mm"][row])

    # The original image

    def original_mask(self, row: int) -> np.ndarray:
        """The mask of an image at its original size, (H, W) uint8 class numbers."""
        rules = self.mask_rules
        assert rules is not None, "a table without masks"
        size = self.inspection.heights[row], self.inspection.widths[row]
        return read_mask(self.image_table["mask"][row], Path(self.root), rules, size)[0]

    def to_original(self, row: int, maps: np.ndarray) -> np.ndarray:
        """Maps of the network's square, (K, S, S) float32, on the original image, (K, H, W)."""
        height, width = self.inspection.heights[row], self.inspection.widths[row]
        if self.resize == "none":
            return maps[:, :height, :width]
        geometry = Geometry(height, width, self.image_size, self.resize)
        return np.stack([geometry.undo(plane) for plane in maps])

    # Windows of images that keep their own size

    def dataset(self, split: str, *, augmented: bool = False) -> ImageDataset:
        """The images of a split, in the order of the table; with `resize: none` windows of them."""
        whole = super().dataset(split, augmented=augmented)
        if self.resize != "none":
            return whole
        cut: Callable[..., Any] = random_window if augmented else central_window
        window = partial(cut, size=self.image_size)
        return ImageDataset(
            whole.pixels, whole.rows, whole.targets, whole.augment, self.seed, whole.masks, window=window
        )

    def predict_dataloader(self) -> Any:
        """The images of `predicted_split`, in order, as they are; with `resize: none` whole, one at a time."""
        if self.resize != "none":
            return super().predict_dataloader()
        return self._loader(super().dataset(self.predicted_split), shuffle=False, one_by_one=True)


def _parts(cell: str) -> list[tuple[str | None, str]]:
    """Classes and files of a cell; none of one that cannot be parsed, which is reported when it is read."""
    try:
        return parse_mask_cell(cell)
    except ImageError:
        return []
