"""Class folders of images: the layout of most small data sets."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medvision.data.images import IMAGE_SUFFIXES, MANY_FRAMES, frames_of, is_image, parse_image_name
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
PATIENT_AND_NUMBER = re.compile(r"(?P<patient>[^/]+)_[^/_]+$")
MOST_LISTED = 5


@dataclass(kw_only=True, eq=False)
class Folder(DataModule):
    r"""Images in one folder a class, `root/<class>/**/<image>`, with or without train, val and test above the classes.

    A folder whose name begins with a dot or an underscore is ignored. The frames of a file with several are images of
    one study.

    Args:
        patient_pattern: a regular expression with a group `(?P<patient>…)`, and perhaps `(?P<study>…)`, that is
            searched in the path of each file below `root`, such as `(?P<patient>[^/]+)_\d+\.png$`. Further named
            groups become columns.
        class_order: the classes in the order of the outputs, the positive one of two last; null for sorted.
    """

    patient_pattern: str | None = None
    class_order: list[str] | None = None

    @property
    def class_names(self) -> list[str]:
        """The given order, or the sorted names of the folders."""
        return super().class_names if self.class_order is None else list(self.class_order)

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        root = Path(self.root)
        layout = f"{root}/<class>/<image> or {root}/train/<class>/<image>"
        folders = subfolders(root)
        official = [folder for folder in folders if folder.name in SPLIT_FOLDERS]
        foreign = [folder.name for folder in folders if folder not in official]
        if official and foreign:
            found = f"{', '.join(folder.name for folder in official)} beside {', '.join(foreign)}"
            raise DataError(f"{root}: folders of splits and of classes, {found}; expected {layout}")
        parts = [class_folders(folder, root).assign(split=SPLIT_FOLDERS[folder.name]) for folder in official]
        empty = [folder for folder, part in zip(official, parts, strict=True) if part.empty]
        table = pd.concat(parts, ignore_index=True) if official else class_folders(root, root)
        if empty or table.empty:
            where = ", ".join(map(str, empty)) or str(root)
            endings = ", ".join(IMAGE_SUFFIXES)
            raise DataError(f"{where}: no images in class folders; expected {layout}, with images ending in {endings}")
        return with_frames(table if self.patient_pattern is None else add_patients(table, self.patient_pattern))


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without those whose name begins with a dot or an underscore."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._")


def class_folders(folder: Path, root: Path) -> pd.DataFrame:
    """All images below the folders of `folder`, which are the classes: `image` relative to `root`, and `label`."""
    rows: list[tuple[str, str]] = []
    for class_folder in subfolders(folder):
        for file in sorted(class_folder.rglob("*")):
            if file.name[0] not in "._" and is_image(file):
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


def with_frames(table: pd.DataFrame) -> pd.DataFrame:
    """The table with each file as a `study`, where a file has several frames and no studies are known."""
    parsed = [parse_image_name(image) for image in table["image"]]
    if "study" in table or all(frame is None for _, frame in parsed):
        return table
    return table.assign(study=[file for file, _ in parsed])


def add_patients(table: pd.DataFrame, pattern: str) -> pd.DataFrame:
    """The table with `patient`, and `study` where the pattern has one, found in the names of the files.

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
    taken = sorted({"image", "label", "split"}.intersection(expression.groupindex))
    if taken:
        raise ConfigError(f"data.patient_pattern: {', '.join(taken)} may not be the name of a group")
    table, strange = match_names(table, expression)
    if strange:
        raise DataError(f"data.patient_pattern: {_listed(strange, len(table))} do not match {pattern!r}")
    return table


def match_names(table: pd.DataFrame, expression: re.Pattern[str]) -> tuple[pd.DataFrame, list[str]]:
    """The table with the named groups of an expression as columns, and the files that it does not match."""
    found = [expression.search(parse_image_name(image)[0]) for image in table["image"]]
    strange = [image for image, match in zip(table["image"], found, strict=True) if match is None]
    table = table.copy()
    for name in expression.groupindex:
        table[name] = [None if match is None else match[name] for match in found]
    return table, strange


def _listed(names: list[str], total: int) -> str:
    shown = ", ".join(names[:MOST_LISTED]) + (", …" if len(names) > MOST_LISTED else "")
    return f"{len(names)} of {total} images ({shown})"


def known_class_folders(root: Path, classes: tuple[str, ...], layout: str) -> pd.DataFrame:
    """Class folders of a data set whose classes and file names are known: `<class>/<patient>_<n>.<suffix>`.

    Raises:
        DataError: a class folder is absent, a folder is no class, or files are named otherwise.
    """
    names = [folder.name for folder in subfolders(root)]
    foreign, absent = [name for name in names if name not in classes], [name for name in classes if name not in names]
    if foreign or absent:
        found = [f"{', '.join(foreign)} is no class"] if foreign else []
        found += [f"no folder {', '.join(absent)}"] if absent else []
        raise DataError(f"{root}: {'; '.join(found)}; expected {layout}")
    table = class_folders(root, root)
    if table.empty:
        raise DataError(f"{root}: the class folders hold no images; expected {layout}")
    table, strange = match_names(table, PATIENT_AND_NUMBER)
    if strange:
        raise DataError(f"{root}: {_listed(strange, len(table))} do not say the patient; expected {layout}")
    return with_frames(table)
