"""Simulated data sets by name: drawn complete or not at all, and marked as what they are."""

import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medvision import DISTRIBUTION
from medvision.config.suggestions import suggest
from medvision.errors import ConfigError, DataError
from medvision.phantoms import double_contour, labelled, layouts, masked
from medvision.phantoms.files import MARK, MARK_FILE

Writer = Callable[[Path, int, int, int], None]


@dataclass(frozen=True)
class SimulatedSet:
    """A data set that can be drawn.

    Args:
        write: draws it: folder, seed, patients, images.
        patients: how many, unless asked otherwise.
        images: of each view of a patient, unless asked otherwise.
        least: patients below which a class would be missing.
        most_images: more cannot be had of a patient; None without a limit.
        reads: what an experiment must say in `data`, or in `split`, beside name and root.
    """

    write: Writer
    patients: int
    images: int
    least: int = 4
    most_images: int | None = None
    reads: str = ""


SETS = {
    "folder": SimulatedSet(layouts.write_folder, 60, 3, reads=r"data.patient_pattern: '(?P<patient>[^/]+)_\d+\.png$'"),
    "table": SimulatedSet(
        labelled.write_table, 72, 3, least=6, reads="for several labels at once: data.label: [fracture, implant]"
    ),
    "knee_sections": SimulatedSet(layouts.write_knee_sections, 40, 2, least=1),
    "joint_ultrasound": SimulatedSet(layouts.write_joint_ultrasound, 48, 3),
    "mura": SimulatedSet(layouts.write_mura, 100, 3, least=10),
    "medmnist": SimulatedSet(layouts.write_medmnist, 400, 1, least=8, reads="split.group: image"),
    "knee_xray": SimulatedSet(labelled.write_knee_xray, 120, 2, least=6, most_images=2),
    "lung_us": SimulatedSet(labelled.write_lung_us, 50, 6, least=10),
    "chest_xray": SimulatedSet(labelled.write_chest_xray, 120, 2, least=5),
    "hip_us": SimulatedSet(labelled.write_hip_us, 51, 1, least=5, most_images=1, reads="split.group: image"),
    "double_contour": SimulatedSet(
        double_contour.write_double_contour,
        15,
        1,
        least=5,
        reads="for the tiles that tiles.csv labels: data.tiles: {rows: 2, columns: 3}, evaluation.aggregate: max",
    ),
    "tissue_ultrasound": SimulatedSet(
        masked.write_tissue_ultrasound, 40, 3, reads="for fat against everything else: data.tissues: [fat]"
    ),
    "mask_folder": SimulatedSet(
        masked.write_mask_folder, 40, 3, reads=r"data.patient_pattern: '(?P<patient>[^/]+)_\d+\.png$'"
    ),
    "nerve_us": SimulatedSet(masked.write_nerve_us, 80, 1, most_images=1, reads="split.group: image"),
    "fetal_head_us": SimulatedSet(masked.write_fetal_head_us, 60, 2, most_images=2),
    "lungs_xray": SimulatedSet(
        masked.write_lungs_xray, 60, 2, reads="for view and lungs at once: data.label: view, model.task: multitask"
    ),
}


def generate(
    name: str, folder: Path | str, *, seed: int = 0, patients: int | None = None, images: int | None = None
) -> Path:
    """Draw a simulated data set.

    The folder appears when the set is complete; an interruption leaves nothing.

    Args:
        name: of the datamodule that reads it.
        folder: the root of the set; must not exist or be empty.
        seed: the same seed gives the same pixels, and a larger set begins with the patients of a smaller one.
        patients: how many; None for the set's own number.
        images: of each view (section, joint, study, video) of a patient; None for the set's own number.

    Returns:
        The folder.

    Raises:
        ConfigError: no such set, or a number out of range.
        DataError: the folder holds something, or cannot be written.
    """
    folder = Path(folder).resolve()
    if name not in SETS:
        raise ConfigError(f"no simulated data set '{name}'{suggest(name, SETS)}")
    chosen = SETS[name]
    patients = chosen.patients if patients is None else patients
    images = chosen.images if images is None else images
    _check(name, chosen, seed, patients, images)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is a file"
        raise DataError(f"{folder}: {what}; nothing is written over, name a new folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as draft:
            root = Path(draft) / "set"
            root.mkdir()
            chosen.write(root, seed, patients, images)
            _mark(root, name, chosen.reads, {"seed": seed, "patients": patients, "images": images})
            if folder.is_dir():
                folder.rmdir()
            shutil.move(root, folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return folder


def _check(name: str, chosen: SimulatedSet, seed: int, patients: int, images: int) -> None:
    problems = []
    if seed < 0:
        problems.append(f"seed: {seed} is negative")
    if patients < chosen.least:
        problems.append(f"patients: {patients} are too few for {name}; at least {chosen.least}")
    if images < 1 or (chosen.most_images is not None and images > chosen.most_images):
        limit = "" if chosen.most_images is None else f" and at most {chosen.most_images}"
        problems.append(f"images: {images} is out of range for {name}; at least 1{limit}")
    if problems:
        raise ConfigError(*problems)


def _mark(root: Path, name: str, reads: str, numbers: dict[str, int]) -> None:
    try:
        version = importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        version = "unknown (not installed)"
    content = {"simulated": True, "note": MARK, "set": name, "version": version, **numbers}
    (root / MARK_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    options = " ".join(f"--{key}={value}" for key, value in numbers.items())
    lines = [
        f"{MARK}.",
        "Drawn for first runs and tests; scores on these images say nothing about patients.",
        "",
        f"Drawn by:    python -m medvision.samples {name} <folder> {options}   (medvision {version})",
        f"Read by:     data: {{name: {name}, root: <folder>}}",
        *([f"It needs:    {reads}" if not reads.startswith("for ") else f"Or, {reads}"] if reads else []),
    ]
    (root / "README.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
