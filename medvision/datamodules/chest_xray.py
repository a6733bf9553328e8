"""Radiographs of children's chests, with pneumonia or without."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from medvision.datamodules.base import DataModule
from medvision.datamodules.table import read_labels


@dataclass(kw_only=True, eq=False)
class ChestXray(DataModule):
    """Normal or pneumonia. A set that is too easy: the shape of the image alone gives the class away.

    Layout: `root/labels.csv` (image, label, subtype, patient, …) and `root/images/`.
    """

    classes: ClassVar[tuple[str, ...] | None] = ("normal", "pneumonia")
    citation: ClassVar[str] = (
        "D. Kermany, K. Zhang, M. Goldbaum, Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for "
        "Classification, Mendeley Data, doi:10.17632/rscbjbr9sj.2; Cell 172:1122, 2018"
    )
    licence: ClassVar[str] = "CC BY 4.0"
    url: ClassVar[str] = "https://doi.org/10.17632/rscbjbr9sj.2"

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        return read_labels(Path(self.root) / "labels.csv", ["image", "label", "subtype", "patient"])
