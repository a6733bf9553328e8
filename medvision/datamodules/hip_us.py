"""Ultrasound of infants' hips: the standard plane, or not."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from medvision.datamodules.base import DataModule
from medvision.datamodules.table import read_labels

# The same file as standard_0, as the set ships it.
KNOWN_COPY = "images/standard_1.png"


@dataclass(kw_only=True, eq=False)
class HipUltrasound(DataModule):
    """51 images of which one is a copy and is left out; nobody says who the patients are.

    Layout: `root/labels.csv` (image, label, reason) and `root/images/`.
    """

    classes: ClassVar[tuple[str, ...] | None] = ("substandard", "standard")
    citation: ClassVar[str] = "NHBS-Net, standard-plane judgement data set, github.com/hidden-ops/NHBS-Net_SPJ_dataset"
    licence: ClassVar[str] = "Apache-2.0"
    url: ClassVar[str] = "https://github.com/hidden-ops/NHBS-Net_SPJ_dataset"

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        table = read_labels(Path(self.root) / "labels.csv", ["image", "label"])
        return table[table["image"] != KNOWN_COPY]
