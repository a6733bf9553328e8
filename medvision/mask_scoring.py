"""Predicted maps become masks at the size of the original images, their scores, and the panels that show them."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image

from medvision.data.masks import IGNORE
from medvision.data.pseudonyms import pseudonyms
from medvision.datamodules.masked import MaskedDataModule
from medvision.evaluation.mask_scores import score_mask
from medvision.reports.animation import write_animation
from medvision.reports.palette import palette_png
from medvision.reports.panels import PanelCase, choose_cases, name_scores, panel_sheet
from medvision.runs import RunFolder


class MaskScorer:
    """Turns the maps of a batch into saved masks and rows of scores.

    Args:
        datamodule: set up, with masks.
        run_folder: where the masks are written.
    """

    def __init__(self, datamodule: MaskedDataModule, run_folder: RunFolder) -> None:
        self.datamodule, self.run_folder = datamodule, run_folder
        self.names = mask_names(list(datamodule.image_table["image"]))

    def __call__(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Score one batch.

        Args:
            arrays: `index` int64 (B,) and `maps` float32 (B, K, S, S) in [0, 1]; others are handed on.

        Returns:
            The same with `scores` float64 (B, M) in place of the maps.
        """
        maps = arrays.pop("maps")
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            rows = list(threads.map(self._score, arrays["index"], maps))
        return {**arrays, "scores": np.array([list(scores.values()) for scores in rows], dtype=np.float64)}

    def _score(self, index: np.integer, maps: np.ndarray) -> dict[str, float]:
        data, row = self.datamodule, int(index)
        predicted = data.to_original(row, maps).argmax(axis=0).astype(np.uint8)
        palette_png(predicted, self.run_folder.path / self.names[row])
        return score_mask(data.original_mask(row), predicted, data.mask_classes, data.spacing_of(row))


def mask_names(images: list[str]) -> list[str]:
    """Where the predicted mask of each image is written, relative to the run folder.

    >>> mask_names(["images/a.png", "b.dcm#3", "c.png", "c.jpg"])
    ['masks/images/a.png', 'masks/b_3.png', 'masks/c.png', 'masks/c.jpg.png']
    """
    names: list[str] = []
    taken: set[str] = set()
    for image in images:
        file, _, frame = image.partition("#")
        parts = [part for part in PurePosixPath(file).parts if part not in ("..", ".", "/")]
        path = PurePosixPath("masks", *parts)
        number = f"_{frame}" if frame else ""
        name = str(path.with_name(f"{path.stem}{number}.png"))
        if name in taken:
            name = str(path.with_name(f"{path.name}{number}.png"))
        taken.add(name)
        names.append(name)
    return names


def save_panels(datamodule: MaskedDataModule, run_folder: RunFolder, table: pd.DataFrame, split: str) -> None:
    """Draw the best, the median and the worst predictions of a split; no picture tells a file or a patient's name.

    Args:
        datamodule: set up, with masks.
        run_folder: where the predicted masks are, and the panels go.
        table: the prediction table.
        split: which rows of it.
    """
    table = table[table["split"] == split].reset_index(drop=True)
    rows = {image: row for row, image in enumerate(datamodule.image_table["image"])}
    called = pseudonyms(datamodule.image_table)
    cases = []
    for kind, position in choose_cases(table, datamodule.mask_classes):
        row = rows[table["image"][position]]
        predicted = read_saved_mask(run_folder.path / table["mask"][position])
        image = datamodule.read_pixels(table["image"][position])
        scores = name_scores(dict(table.iloc[position]), datamodule.mask_classes)
        caption = f"{kind}: {called[row]}, row {row + 1} of split.csv"
        truth = datamodule.original_mask(row)
        cases.append(PanelCase(image=image, truth=truth, predicted=predicted, caption=caption, scores=scores))
    if cases:
        mark = "SIMULATED · " if datamodule.simulated else ""
        title = f"{mark}best, median and worst of {len(table)} images of the {split} split"
        panel_sheet(cases, datamodule.mask_classes, title).save(run_folder.panels)


def read_saved_mask(path: Path) -> np.ndarray:
    """The class numbers of a mask that `palette_png` wrote, (H, W) uint8."""
    with Image.open(path) as picture:
        return np.array(picture)


def save_animation(datamodule: MaskedDataModule, run_folder: RunFolder) -> None:
    """Make the animation of a training from the frames that were kept."""
    frames = sorted(run_folder.frames.glob("epoch_*.npz"))
    if not frames or not run_folder.history.is_file():
        return
    with np.load(run_folder.frames / "images.npz") as shown:
        images, truths = shown["images"], shown["truths"]
    predictions = np.stack([np.load(file)["predicted"] for file in frames])
    # Around the image the network may say what it likes.
    predictions[:, truths == IGNORE] = 0
    write_animation(
        images,
        truths,
        predictions,
        [int(file.stem.rpartition("_")[2]) for file in frames],
        pd.read_csv(run_folder.history),
        datamodule.mask_classes,
        run_folder.animation_gif,
        run_folder.animation_webp,
        simulated=datamodule.simulated,
    )
