"""MURA: radiographs of the upper limb, normal or abnormal."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from medvision.datamodules.base import DataModule
from medvision.errors import ConfigError, DataError

BODY_PARTS = ("ELBOW", "FINGER", "FOREARM", "HAND", "HUMERUS", "SHOULDER", "WRIST")
PATH = re.compile(
    r"(?P<part>train|valid)/XR_(?P<body_part>[A-Z]+)/(?P<patient>patient\d+)/"
    r"(?P<study>study\d+_(?P<sign>positive|negative))/"
)
SPLITS = {"train": "train", "valid": "test"}


@dataclass(kw_only=True, eq=False)
class MURA(DataModule):
    """40,561 radiographs of the upper limb from 12,173 patients; every study is labelled normal or abnormal.

    Layout: `root/{train,valid}/XR_<PART>/patient<id>/study<k>_{positive,negative}/image<j>.png`, and the CSV files
    `{train,valid}_image_paths.csv` beside them, which decide where they are there. The official validation set is the
    test set; `split: {official: false}` pools all images and splits anew by patient.

    Args:
        body_parts: only these, such as `[WRIST, HAND]`; null for all seven.
    """

    body_parts: list[str] | None = None

    classes: ClassVar[tuple[str, ...] | None] = ("normal", "abnormal")
    citation: ClassVar[str] = (
        "P. Rajpurkar et al., MURA: Large Dataset for Abnormality Detection in Musculoskeletal Radiographs, "
        "arXiv:1712.06957, 2018"
    )
    licence: ClassVar[str] = "Stanford University School of Medicine MURA Dataset Research Use Agreement"
    url: ClassVar[str] = "https://stanfordmlgroup.github.io/competitions/mura/"

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        unknown = sorted(set(self.body_parts or ()) - set(BODY_PARTS))
        if unknown:
            raise ConfigError(f"data.body_parts: {', '.join(unknown)} not among {', '.join(BODY_PARTS)}")
        images = [image for part in SPLITS for image in self._images(part)]
        if not images:
            inner = Path(self.root) / "MURA-v1.1"
            hint = f"; write `root: {inner}`" if inner.is_dir() else ""
            layout = "train/XR_<PART>/patient<id>/study<k>_positive/image1.png"
            raise DataError(f"{self.root}: no MURA here; expected {layout} in it{hint}")
        found = [PATH.match(image) for image in images]
        strange = [image for image, match in zip(images, found, strict=True) if match is None]
        if strange:
            raise DataError(f"{self.root}: {len(strange)} images are not in MURA's layout, the first is {strange[0]}")
        table = pd.DataFrame([match.groupdict() for match in found if match is not None])
        table.insert(0, "image", images)
        # A study number counts within a patient and a body part.
        table["study"] = table["body_part"] + "/" + table["patient"] + "/" + table["study"]
        table["label"] = table.pop("sign").map({"negative": "normal", "positive": "abnormal"})
        table["split"] = table.pop("part").map(SPLITS)
        if self.body_parts is not None:
            table = table[table["body_part"].isin(self.body_parts)]
        return table

    def _images(self, part: str) -> list[str]:
        """Image names of `train` or `valid`, by the CSV file or, without it, by the folders."""
        root = Path(self.root)
        listed = root / f"{part}_image_paths.csv"
        if not listed.is_file():
            return sorted(
                file.relative_to(root).as_posix()
                for file in (root / part).glob("XR_*/patient*/study*/*.png")
                if not file.name.startswith(".")
            )
        paths = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()]
        # The paths begin with the name of the official folder, whatever the user has called it.
        return [path[path.index(f"{part}/") :] if f"{part}/" in path else path for path in paths]
