"""Lungs on radiographs of the chest."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pandas as pd

from medvision.datamodules.masked import MaskedDataModule
from medvision.datamodules.table import read_labels
from medvision.errors import DataError


@dataclass(kw_only=True, eq=False)
class LungsXray(MaskedDataModule):
    """Chest radiographs with the lungs drawn by hand; arrows and text burnt into the picture are ignored.

    Layout: `root/labels.csv` (image, mask, patient, finding, view, …), `root/images/` and `root/masks/`.

    Args:
        label: a column that becomes the label of the image, such as `view`, for the task multitask; null for none.
    """

    label: str | None = None
    mask_values: dict[str, str] | None = field(default_factory=lambda: {"0": "background", "1": "lung"})
    ignore_value: int | str | None = 255

    citation: ClassVar[str] = (
        "J. P. Cohen et al., COVID-19 Image Data Collection, arXiv:2006.11988, 2020; masks: V7 Labs, "
        "covid-19-xray-dataset"
    )
    licence: ClassVar[str] = "images: by row, column licence (CC BY 3.0, CC BY 4.0, CC BY-NC-SA); masks: CC BY 4.0"
    url: ClassVar[str] = "https://github.com/ieee8023/covid-chestxray-dataset"

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        file = Path(self.root) / "labels.csv"
        table = read_labels(file, ["image", "mask", "patient", *([] if self.label is None else [self.label])])
        if self.label is None:
            return table
        if table[self.label].isna().any():
            raise DataError(f"{file}: column '{self.label}' has empty cells; a label is needed in every row")
        return table.rename(columns={self.label: "label"})
