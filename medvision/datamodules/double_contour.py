"""Ultrasound of cartilage with and without the double contour sign of gout."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from medvision.datamodules.folder import known_class_folders
from medvision.datamodules.tiled import TiledDataModule


@dataclass(kw_only=True, eq=False)
class DoubleContour(TiledDataModule):
    """Cartilage of joints, normal or with a double contour: a second bright line, of urate, on its surface.

    The sign is defined by Gutierrez et al., International consensus for ultrasound lesions in gout (Rheumatology 54,
    2015).
    Layout: `root/<normal|double_contour>/<patient>_<n>.png` and, where tiles are labelled singly, `root/tiles.csv`.
    """

    classes: ClassVar[tuple[str, ...] | None] = ("normal", "double_contour")
    citation: ClassVar[str] = "your own images"
    licence: ClassVar[str] = "that of your images"

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        layout = "<normal|double_contour>/<patient>_<n>.png"
        return known_class_folders(Path(self.root), self.classes or (), layout)
