"""Tissues in musculoskeletal ultrasound: fat, or fat and muscle, against the rest."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from medvision.data.masks import MaskRules
from medvision.datamodules.folder import PATIENT_AND_NUMBER, match_names
from medvision.datamodules.mask_folder import MaskFolder, listed
from medvision.errors import ConfigError, DataError

REST = "rest"


@dataclass(kw_only=True, eq=False)
class TissueUltrasound(MaskFolder):
    """Ultrasound images with the fat, or the fat and the muscle, drawn by hand.

    Layout: `root/images/<patient>_<n>.png` and `root/masks/<patient>_<n>.png`; a name of another form needs
    `patient_pattern`.

    Args:
        tissues: `[fat, muscle]` for three classes, `[fat]` for fat against everything else.
    """

    tissues: list[Literal["fat", "muscle"]] = field(default_factory=lambda: ["fat", "muscle"])
    mask_values: dict[str, str] | None = field(default_factory=lambda: {"0": "rest", "1": "fat", "2": "muscle"})

    @property
    def mask_rules(self) -> MaskRules | None:
        """The values of the files; a tissue that is not asked for belongs to the rest."""
        rules = super().mask_rules
        if rules is None or rules.values is None:
            raise ConfigError("data.mask_values: write the values of the tissues, such as {0: rest, 1: fat, 2: muscle}")
        asked = {value: name if name in self.tissues else REST for value, name in rules.values.items()}
        missing = [tissue for tissue in self.tissues if tissue not in asked.values()]
        if missing:
            raise ConfigError(f"data.mask_values: no value is {' or '.join(missing)}, which data.tissues asks for")
        return MaskRules(asked, rules.ignore, rules.outlines, rules.overlap)

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        if self.patient_pattern is not None:
            return super().read_table()
        table, strange = match_names(self.pair(), PATIENT_AND_NUMBER)
        if strange:
            raise DataError(
                f"{Path(self.root)}: {listed(strange, 'images')} do not say the patient; expected "
                "images/<patient>_<n>.png, or write data.patient_pattern"
            )
        return table
