"""Ultrasound of joints."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from medvision.datamodules.base import DataModule
from medvision.datamodules.folder import known_class_folders


@dataclass(kw_only=True, eq=False)
class JointUltrasound(DataModule):
    """Which joint an ultrasound image shows.

    Layout: `root/<Knee|Elbow|Ankle|Other>/<patient>_<n>.png`.
    """

    classes: ClassVar[tuple[str, ...] | None] = ("Knee", "Elbow", "Ankle", "Other")
    citation: ClassVar[str] = "your own images"
    licence: ClassVar[str] = "that of your images"

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        return known_class_folders(Path(self.root), self.classes or (), "<Knee|Elbow|Ankle|Other>/<patient>_<n>.png")
