"""Nerves and vessels in ultrasound of arms, necks and legs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pandas as pd

from medvision.datamodules.masked import MaskedDataModule
from medvision.datamodules.table import read_labels

# The same picture, drawn twice in different ways: nobody knows which is right.
KNOWN_COPIES = ("images/0043.png", "images/0077.png")


@dataclass(kw_only=True, eq=False)
class NerveUltrasound(MaskedDataModule):
    """Ultrasound of five regions with nerves and vessels; nobody says who the volunteers are.

    One picture stands twice in the set with two different masks; both are left out.
    Layout: `root/labels.csv` (image, mask), `root/images/` and `root/masks/`.
    """

    mask_values: dict[str, str] | None = field(default_factory=lambda: {"0": "background", "1": "nerve", "2": "vessel"})

    citation: ClassVar[str] = "T. M. K. (tmkand), usgra-seg, github.com/tmkand/usgra-seg, 2025"
    licence: ClassVar[str] = "CC BY 4.0"
    url: ClassVar[str] = "https://github.com/tmkand/usgra-seg"

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        table = read_labels(Path(self.root) / "labels.csv", ["image", "mask"])
        return table[~table["image"].isin(KNOWN_COPIES)]
