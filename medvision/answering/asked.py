"""Which images are asked about: files, folders, patterns, tables and arrays."""

import glob
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.data.images import MANY_FRAMES, frames_of, is_image, parse_image_name
from medvision.errors import DataError, ImageError

MOST_LISTED = 20

Source = str | Path | npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Asked:
    """One image that a network is asked about.

    Args:
        name: what the table of answers calls it: its path, or `array 0`.
        source: its file, or its pixels: (H, W) or (H, W, 3) uint8 or uint16.
        frame: of a file with several, counted from 0.
        below: its path below the folder that was named; masks and pictures of it are called so.
        patient: who is shown, where a table says it.
        study: likewise.
        spacing: distances of rows and of columns in mm, where a table says them.
    """

    name: str
    source: Path | npt.NDArray[Any]
    frame: int | None = None
    below: str = ""
    patient: str | None = None
    study: str | None = None
    spacing: tuple[float, float] | None = None

    @property
    def stamp(self) -> list[int | str]:
        """Size and time of the file, SHA-256 of an array: what has changed is asked again."""
        if not isinstance(self.source, Path):
            return [sha256(np.ascontiguousarray(self.source).tobytes()).hexdigest()]
        try:
            status = self.source.stat()
        except OSError:
            return [-1, -1]
        return [status.st_size, status.st_mtime_ns]


def find_images(sources: Source | Iterable[Source], without: Path | None = None) -> list[Asked]:
    """All images that are meant, each once, in the order given; a file with several frames is as many images.

    Args:
        sources: image files; folders, which are searched, for DICOM files without a suffix, too; patterns such as
            `scans/*.png` (`**` for folders below); tables (`.csv`) with a column `image` of paths below the folder of
            the table, and perhaps `patient`, `study`, `row_mm` and `column_mm`; arrays. Alone or several.
        without: a folder that is not searched: where the answers are written.

    Raises:
        DataError: what was named and is not there, a line each. A file that is there but cannot be read is found out
            when it is read.
    """
    several = [sources] if isinstance(sources, str | Path | np.ndarray) else list(sources)
    found: dict[str, Asked] = {}
    problems: list[str] = []
    arrays = 0
    for source in several:
        if isinstance(source, np.ndarray):
            found[f"array {arrays}"] = Asked(f"array {arrays}", source, below=f"array_{arrays}.png")
            arrays += 1
            continue
        try:
            for asked in _of_path(Path(source), without):
                found.setdefault(asked.name, asked)
        except DataError as error:
            problems += error.lines
    if problems or not found:
        raise DataError(*(problems or ["no image was named; give files or folders"]))
    return list(found.values())


def _of_path(path: Path, without: Path | None) -> list[Asked]:
    if path.is_dir():
        found = _of_folder(path, without)
        if not found:
            raise DataError(f"{path}: no image below this folder")
        return found
    if path.suffix.lower() == ".csv" and path.is_file():
        return _of_table(path)
    if path.is_file():
        return _frames(Asked(str(path), path, below=path.name))
    name, frame = parse_image_name(str(path))
    if frame is not None and Path(name).is_file():
        return [Asked(str(path), Path(name), frame, Path(name).name)]
    if glob.has_magic(str(path)):
        return _of_pattern(str(path), without)
    raise DataError(f"{path}: no such file")


def _of_folder(folder: Path, without: Path | None) -> list[Asked]:
    files = [file for file in sorted(folder.rglob("*")) if file.name[0] not in "._" and is_image(file)]
    if without is not None:
        files = [file for file in files if not file.resolve().is_relative_to(without.resolve())]
    return [one for file in files for one in _frames(Asked(str(file), file, below=file.relative_to(folder).as_posix()))]


def _of_pattern(pattern: str, without: Path | None) -> list[Asked]:
    found: list[Asked] = []
    # Path.glob knows no absolute patterns.
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):  # noqa: PTH207
        if path.is_dir():
            found += _of_folder(path, without)
        elif is_image(path):
            found += _frames(Asked(str(path), path, below=path.name))
    if not found:
        raise DataError(f"{pattern}: no image matches this pattern")
    return found


def _frames(asked: Asked) -> list[Asked]:
    """The images of a file; one of a file that cannot be read, which is told when it is read."""
    file = Path(str(asked.source))
    if asked.frame is not None or file.suffix.lower() not in MANY_FRAMES:
        return [asked]
    try:
        frames = frames_of(file)
    except ImageError:
        return [asked]
    if frames == 1:
        return [asked]
    return [replace(asked, name=f"{asked.name}#{frame}", frame=frame) for frame in range(frames)]


def _of_table(file: Path) -> list[Asked]:
    try:
        table = pd.read_csv(file, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    except (ValueError, OSError) as error:
        raise DataError(f"{file}: cannot be read as a table: {str(error).splitlines()[0]}") from error
    if "image" not in table:
        raise DataError(f"{file}: no column 'image', it has {', '.join(map(str, table.columns))}")
    found: list[Asked] = []
    problems: list[str] = []
    for number, row in enumerate(table.to_dict("records"), start=2):
        try:
            found += _frames(_of_row(file.parent, row))
        except ValueError as error:
            problems.append(f"{file}:{number}: {error}")
    if problems:
        more = [f"{file}: and {len(problems) - MOST_LISTED} more rows"] if len(problems) > MOST_LISTED else []
        raise DataError(*problems[:MOST_LISTED], *more)
    if not found:
        raise DataError(f"{file}: the table has no rows")
    return found


def _of_row(folder: Path, row: Mapping[Any, Any]) -> Asked:
    name, frame = parse_image_name(row["image"])
    if not name.strip():
        raise ValueError("the cell of the column 'image' is empty")
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise ValueError(f"{name!r} leads out of the folder of the table; give paths below it")
    known = {key: str(row[key]) for key in ("patient", "study") if row.get(key)}
    return Asked(str(folder / row["image"]), folder / name, frame, name, spacing=_spacing(row), **known)


def _spacing(row: Mapping[Any, Any]) -> tuple[float, float] | None:
    given = [row.get(key) or None for key in ("row_mm", "column_mm")]
    if given == [None, None]:
        return None
    try:
        rows, columns = (float(str(value)) for value in given)
    except ValueError:
        rows = columns = float("nan")
    if not (0 < rows < float("inf") and 0 < columns < float("inf")):
        raise ValueError(f"row_mm and column_mm are {given[0]} and {given[1]}, expected positive numbers of mm")
    return rows, columns
