"""Fetal heads in ultrasound, with the size of a pixel."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pandas as pd
from pydantic import PositiveFloat

from medvision.datamodules.masked import MaskedDataModule
from medvision.datamodules.table import read_labels


@dataclass(kw_only=True, eq=False)
class FetalHeadUltrasound(MaskedDataModule):
    """The standard plane of fetal heads; the circumference that a sonographer has measured is kept as a column.

    Layout: `root/labels.csv` (image, mask, patient, pixel_size_mm, head_circumference_mm, …), `root/images/` and
    `root/masks/` of filled heads.
    """

    mask_values: dict[str, str] | None = field(default_factory=lambda: {"0": "background", "1": "head"})
    pixel_spacing: PositiveFloat | str | None = "pixel_size_mm"

    citation: ClassVar[str] = (
        "T. L. A. van den Heuvel, D. de Bruijn, C. L. de Korte, B. van Ginneken. Automated measurement of fetal head "
        "circumference using 2D ultrasound images. PLoS ONE 13(8):e0200412, 2018"
    )
    licence: ClassVar[str] = "CC BY 4.0"
    url: ClassVar[str] = "https://doi.org/10.5281/zenodo.1327317"

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        return read_labels(Path(self.root) / "labels.csv", ["image", "mask", "patient", "pixel_size_mm"])
