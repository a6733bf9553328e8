"""Radiographs of knees with the Kellgren-Lawrence grade of osteoarthritis."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd

from medvision.datamodules.base import DataModule
from medvision.datamodules.table import read_labels


@dataclass(kw_only=True, eq=False)
class KneeXray(DataModule):
    """One knee an image, both knees of a patient, graded KL0 (healthy) to KL4 (severe).

    Layout: `root/labels.csv` (image, label, kl_grade, patient, side, original_split) and `root/images/`.

    Args:
        grading: `binary` sets KL0 against KL3 and KL4 and leaves the doubtful grades out; `five` keeps all grades.
    """

    grading: Literal["binary", "five"] = "binary"

    citation: ClassVar[str] = (
        "P. Chen, Knee Osteoarthritis Severity Grading Dataset, Mendeley Data V1, 2018, doi:10.17632/56rmx5bjcr.1; "
        "made from the Osteoarthritis Initiative (OAI)"
    )
    licence: ClassVar[str] = "CC BY 4.0"
    url: ClassVar[str] = "https://doi.org/10.17632/56rmx5bjcr.1"

    @property
    def class_names(self) -> list[str]:
        """KL grades; of two classes, osteoarthritis is the positive one."""
        return ["KL0", "KL3-4"] if self.grading == "binary" else [f"KL{grade}" for grade in range(5)]

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        table = read_labels(Path(self.root) / "labels.csv", ["image", "label", "patient", "side"])
        if self.grading == "five":
            return table
        table = table[table["label"].isin(["KL0", "KL3", "KL4"])].copy()
        table["label"] = table["label"].replace({"KL3": "KL3-4", "KL4": "KL3-4"})
        return table
