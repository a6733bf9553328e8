"""A folder of images and a folder of masks."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medvision.data.images import is_image
from medvision.data.masks import FILE_SEPARATOR
from medvision.datamodules.folder import MOST_LISTED, add_patients, image_names, subfolders
from medvision.datamodules.masked import MaskedDataModule
from medvision.errors import ConfigError, DataError

MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif", ".npy", ".jpg", ".jpeg")


@dataclass(kw_only=True, eq=False)
class MaskFolder(MaskedDataModule):
    r"""Images and masks of the same names: `root/images/**/<name>.png` and `root/masks/**/<name>.png`.

    Endings may differ. Several masks of an image, `<name>.png`, `<name>_1.png`, are joined. With one folder a class,
    `root/masks/<class>/**/<name>.png`, whatever is not 0 shows that class; an image without a file there lacks it.
    A folder or file whose name begins with a dot or an underscore is ignored.

    Args:
        images: folder of the images, relative to `root`.
        masks: folder of the masks, relative to `root`; it may be the same.
        mask_suffix: what the name of a mask has behind that of its image, such as `_mask`.
        patient_pattern: a regular expression with a group `(?P<patient>…)`, searched in the path of each image below
            `root`, such as `(?P<patient>[^/]+)_\d+\.png$`. Further named groups become columns.
    """

    images: str = "images"
    masks: str = "masks"
    mask_suffix: str = ""
    patient_pattern: str | None = None

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        table = self.pair()
        return table if self.patient_pattern is None else add_patients(table, self.patient_pattern)

    def pair(self) -> pd.DataFrame:
        """Images with their masks: `image` and `mask`.

        Raises:
            ConfigError: images and masks cannot be told apart.
            DataError: a folder is missing, images without a mask, or masks without an image.
        """
        if Path(self.images) == Path(self.masks) and not self.mask_suffix:
            raise ConfigError("data.mask_suffix: images and masks lie in one folder; write how the names of masks end")
        root = Path(self.root)
        layout = f"{root / self.images}/<name>.png and {root / self.masks}/<name>{self.mask_suffix}.png"
        absent = [folder for folder in dict.fromkeys((self.images, self.masks)) if not (root / folder).is_dir()]
        if absent:
            raise DataError(f"{root}: no folder {' and no '.join(absent)}; expected {layout}")
        images = [file for file in _files_in(root / self.images) if is_image(file)]
        if Path(self.images) == Path(self.masks):
            images = [file for file in images if self._stem(file.stem) is None]
        classes = self._class_folders()
        cells: dict[Path, list[str]] = {file: [] for file in images}
        orphans = []
        for name in classes or [""]:
            folder = root / self.masks / name
            owners = {file.relative_to(root / self.images).with_suffix("").as_posix(): file for file in images}
            for mask in _files_in(folder):
                if mask.suffix.lower() not in MASK_SUFFIXES or mask in cells:
                    continue
                owner = self._owner(mask.relative_to(folder).with_suffix("").as_posix(), owners)
                if owner is None:
                    orphans.append(mask.relative_to(root).as_posix())
                else:
                    path = mask.relative_to(root).as_posix()
                    cells[owner].append(f"{name}={path}" if name else path)
        return self._table(cells, orphans, layout)

    def _table(self, cells: dict[Path, list[str]], orphans: list[str], layout: str) -> pd.DataFrame:
        root = Path(self.root)
        if not cells:
            raise DataError(f"{root / self.images}: no images; expected {layout}")
        bare = [file.relative_to(root).as_posix() for file, masks in cells.items() if not masks]
        problems = []
        if bare:
            problems.append(f"{root}: {listed(bare, 'images')} without a mask; expected {layout}")
        if orphans:
            problems.append(f"{root}: {listed(orphans, 'masks')} without an image; expected {layout}")
        if problems:
            raise DataError(*problems)
        rows = [(image, FILE_SEPARATOR.join(m)) for file, m in cells.items() for image in image_names(file, root)]
        return pd.DataFrame(rows, columns=["image", "mask"])

    def _class_folders(self) -> list[str]:
        """Folders of masks that are classes: none of them is a folder of images too."""
        if Path(self.images) == Path(self.masks):
            return []
        above = [folder.name for folder in subfolders(Path(self.root) / self.masks)]
        beside = {folder.name for folder in subfolders(Path(self.root) / self.images)}
        return [] if beside.intersection(above) else above

    def _stem(self, name: str) -> str | None:
        """What stands before the suffix of a mask; None in the name of something else."""
        before, found, after = name.rpartition(self.mask_suffix)
        return before if found and (not after or after.lstrip("_-").isdigit()) else None

    def _owner(self, name: str, owners: dict[str, Path]) -> Path | None:
        if self.mask_suffix:
            stem = self._stem(name)
            return None if stem is None else owners.get(stem)
        before, _, number = name.rpartition("_")
        return owners.get(name) or (owners.get(before) if number.isdigit() else None)


def _files_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.name[0] not in "._")


def listed(names: list[str], what: str) -> str:
    """How many there are, and the first of them."""
    return f"{len(names)} {what} ({', '.join(names[:MOST_LISTED])}{', …' if len(names) > MOST_LISTED else ''})"
