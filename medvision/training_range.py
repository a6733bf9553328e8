"""Writes what the training images of a run are like, so that later images can be compared with them."""

import numpy as np
import numpy.typing as npt

from medvision.answering.model import Network
from medvision.config.settings import Experiment
from medvision.data.loading import ImageDataset
from medvision.data.storage import storage_of
from medvision.datamodules.base import DataModule
from medvision.datamodules.tiled import TiledDataModule
from medvision.errors import ImageError
from medvision.evaluation.training_range import TrainingRange, measure_range
from medvision.runs import RunFolder, write_json
from medvision.tasks.base import Task
from medvision.torch_network import TorchNetwork

MOST = {"train": 512, "val": 256}
"""So many images of a split are looked at, spread evenly over it."""


def write_training_range(experiment: Experiment, run: RunFolder, datamodule: DataModule, task: Task) -> None:
    """Write `training_range.json`.

    Args:
        experiment: the resolved experiment.
        run: the run folder.
        datamodule: set up.
        task: with the weights of the best checkpoint; it ends on the device that it came from.
    """
    before = task.device
    network = TorchNetwork(task, experiment)
    write_json(run.training_range, training_range(datamodule, network).to_json())
    task.to(before)


def training_range(datamodule: DataModule, network: Network) -> TrainingRange:
    """What the training images of a data set are like, and how a network sees them.

    Args:
        datamodule: set up.
        network: says features of them, or none.
    """
    rows = datamodule.assignment.rows("train")
    grid = datamodule.tiles if isinstance(datamodule, TiledDataModule) else None
    times = (1, 1) if grid is None else (grid.rows, grid.columns)
    heights = [datamodule.inspection.heights[row] * times[0] for row in rows]
    widths = [datamodule.inspection.widths[row] * times[1] for row in rows]
    training, validation = (_features(datamodule, network, _some(datamodule, split)) for split in ("train", "val"))
    storages = _storages(datamodule, _some(datamodule, "train"))
    return measure_range(heights, widths, storages, training, validation)


def _some(datamodule: DataModule, split: str) -> npt.NDArray[np.int64]:
    rows = datamodule.assignment.rows(split)
    return rows[np.unique(np.linspace(0, len(rows) - 1, MOST[split]).astype(int))] if len(rows) else rows


def _storages(datamodule: DataModule, rows: npt.NDArray[np.int64]) -> list[str]:
    """How the files of some rows are stored; nothing of archives, whose images are no files."""
    files = {datamodule.file_of(str(datamodule.image_table["image"].iloc[row])) for row in rows}
    try:
        return [storage_of(file) for file in sorted(files)]
    except ImageError:
        return []


def _features(datamodule: DataModule, network: Network, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32] | None:
    images = ImageDataset(datamodule.pixels, rows, None)
    # Images that have kept their own sizes do not fit into one batch.
    size = 1 if datamodule.resize == "none" else datamodule.batch_size
    found = []
    for start in range(0, len(rows), size):
        items = [(0, position) for position in range(start, min(start + size, len(rows)))]
        said = network.ask(images.__getitems__(items)["image"].numpy())
        if "features" not in said:
            return None
        found.append(said["features"])
    return np.concatenate(found) if found else None
