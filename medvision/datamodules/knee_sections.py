"""Ultrasound of the knee in its four standard sections."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from medvision.datamodules.base import DataModule
from medvision.datamodules.folder import known_class_folders


@dataclass(kw_only=True, eq=False)
class KneeSections(DataModule):
    """Standard sections of the knee: suprapatellar (SQR), medial, lateral, and femoral cartilage.

    Layout: `root/<SQR|Medial|Lateral|Femoral>/<patient>_<n>.png`.
    """

    classes: ClassVar[tuple[str, ...] | None] = ("SQR", "Medial", "Lateral", "Femoral")
    citation: ClassVar[str] = "your own images"
    licence: ClassVar[str] = "that of your images"

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        layout = "<SQR|Medial|Lateral|Femoral>/<patient>_<n>.png"
        return known_class_folders(Path(self.root), self.classes or (), layout)
