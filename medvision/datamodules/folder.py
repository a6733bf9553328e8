"""Class folders of images: the layout of most small data sets."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medvision.data.images import IMAGE_SUFFIXES, frames_of
from medvision.datamodules.base import DataModule
from medvision.errors import ConfigError, DataError, ImageError

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
MANY_FRAMES = (".dcm", ".dicom", ".tif", ".tiff", "")
MOST_LISTED = 5


@dataclass(kw_only=True, eq=False)
class Folder(DataModule):
    r"""Images in one folder a class, `root/<class>/**/<image>`, with or without train, val and test above the classes.

    A name of a class that begins with a dot or an underscore is ignored. Frames of a multi-frame file are images of
    one study.

    Args:
        patient_pattern: a regular expression with a group `(?P<patient>…)`, and perhaps `(?P<study>…)`, that is
            searched in the path of each image below `root`, such as `(?P<patient>[^/]+)_\d+\.png$`.
    """

    patient_pattern: str | None = None

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        root = Path(self.root)
        official = {name: split for name, split in SPLIT_FOLDERS.items() if (root / name).is_dir()}
        if official:
            parts = [class_folders(root / name, root).assign(split=split) for name, split in official.items()]
            table = pd.concat(parts, ignore_index=True)
        else:
            table = class_folders(root, root)
        if table.empty:
            raise DataError(
                f"{root}: no images in class folders; expected {root}/<class>/<image> or "
                f"{root}/train/<class>/<image>, with images ending in {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        return table if self.patient_pattern is None else add_patients(table, self.patient_pattern)


def class_folders(folder: Path, root: Path) -> pd.DataFrame:
    """All images below the folders of `folder`, which are the classes: `image` relative to `root`, and `label`."""
    rows: list[tuple[str, str]] = []
    for class_folder in sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._"):
        for file in sorted(class_folder.rglob("*")):
            if file.name[0] not in "._" and file.suffix.lower() in IMAGE_SUFFIXES and file.is_file():
                rows += [(image, class_folder.name) for image in image_names(file, root)]
    return pd.DataFrame(rows, columns=["image", "label"])


def image_names(file: Path, root: Path) -> list[str]:
    """The names of the images in a file: one, or one a frame."""
    name = file.relative_to(root).as_posix()
    if file.suffix.lower() not in MANY_FRAMES:
        return [name]
    try:
        frames = frames_of(file)
    except ImageError:
        # Reported with all other unreadable files, when they are decoded.
        return [name]
    return [name] if frames == 1 else [f"{name}#{frame}" for frame in range(frames)]


def add_patients(table: pd.DataFrame, pattern: str) -> pd.DataFrame:
    """The table with `patient`, and `study` where the pattern has one, found in the image names.

    Raises:
        ConfigError: no regular expression, or one without a group `patient`.
        DataError: images in whose name nothing is found.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"data.patient_pattern: {pattern!r} is no regular expression: {error}") from error
    if "patient" not in expression.groupindex:
        raise ConfigError(f"data.patient_pattern: {pattern!r} has no group (?P<patient>…)")
    found = [expression.search(name) for name in table["image"]]
    strange = [name for name, match in zip(table["image"], found, strict=True) if match is None]
    if strange:
        raise DataError(
            f"data.patient_pattern: {len(strange)} of {len(table)} images do not match {pattern!r}: "
            f"{', '.join(strange[:MOST_LISTED])}{' …' if len(strange) > MOST_LISTED else ''}"
        )
    groups = [name for name in ("patient", "study") if name in expression.groupindex]
    return table.assign(**{name: [match[name] for match in found if match is not None] for name in groups})


def known_class_folders(root: Path, classes: tuple[str, ...], layout: str) -> pd.DataFrame:
    """Class folders of a data set whose classes and file names are known: `<class>/<patient>_<n>.<suffix>`.

    Raises:
        DataError: no class folder, or folders that are no class.
    """
    folders = {path.name for path in root.iterdir() if path.is_dir() and path.name[0] not in "._"}
    foreign = sorted(folders - set(classes))
    if foreign or not folders:
        found = f"the folders {', '.join(foreign)} are no class" if foreign else "it has no class folders"
        raise DataError(f"{root}: {found}; expected {layout}")
    table = class_folders(root, root)
    if table.empty:
        raise DataError(f"{root}: the class folders hold no images; expected {layout}")
    return add_patients(table, r"(?P<patient>[^/]+)_[^/_]+$")
