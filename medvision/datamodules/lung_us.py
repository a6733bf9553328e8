"""Ultrasound of the lung at the point of care."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from medvision.datamodules.base import DataModule
from medvision.datamodules.table import read_labels


@dataclass(kw_only=True, eq=False)
class LungUltrasound(DataModule):
    """Frames of lung ultrasound: COVID-19, bacterial pneumonia, or regular. A video is a study.

    Frames of a video look alike, so that a split by image is worthless.
    Layout: `root/labels.csv` (image, label, patient, video, probe, …) and `root/images/`.

    Args:
        viral: keep viral pneumonia as a fourth class; the set has few patients with it.
    """

    viral: bool = False

    citation: ClassVar[str] = (
        "J. Born et al., Accelerating Detection of Lung Pathologies with Explainable Ultrasound Image Analysis, "
        "Applied Sciences 11(2):672, 2021"
    )
    licence: ClassVar[str] = "by image, column licence: CC BY 4.0, CC BY 2.0, CC BY-NC 4.0, CC BY-NC-SA"
    url: ClassVar[str] = "https://github.com/jannisborn/covid19_ultrasound"

    @property
    def class_names(self) -> list[str]:
        """Three classes, or four."""
        return ["covid", "pneumonia", "regular", *(["viral"] if self.viral else [])]

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        table = read_labels(Path(self.root) / "labels.csv", ["image", "label", "patient", "video", "probe", "licence"])
        kept = ["image", "label", "patient", "video", "kind", "probe", "licence"]
        table = table[[column for column in kept if column in table]].rename(columns={"video": "study"})
        return table if self.viral else table[table["label"] != "viral"]
