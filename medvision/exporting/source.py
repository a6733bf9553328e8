"""A run with all that exporting it needs: its network, and the images that it is compared on."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from medvision.answering.inputs import Pixels
from medvision.answering.model import Model
from medvision.answers import open_model
from medvision.config import load_experiment
from medvision.config.settings import Experiment
from medvision.data.loading import ImageDataset
from medvision.datamodules.base import DataModule
from medvision.errors import DataError, RunError
from medvision.exporting.graph import AnswerGraph
from medvision.runs import RunFolder
from medvision.torch_network import TorchNetwork
from medvision.training import build_datamodule, check_same_data


@dataclass(frozen=True, eq=False)
class Source:
    """A run with all that exporting it needs.

    Args:
        run: a folder of one run.
        experiment: of the run.
        described: the model as `predict` opens it.
        datamodule: set up, with the images of the run.
    """

    run: RunFolder
    experiment: Experiment
    described: Model
    datamodule: DataModule

    @cached_property
    def model(self) -> Model:
        """The model to which a tile is an image of its own, as it is to the data set and to a graph."""
        return replace(self.described, preparation=replace(self.described.preparation, tiles=None))

    @cached_property
    def trained(self) -> TorchNetwork:
        """The network as `predict` asks it, on its device and in its precision."""
        network = self.model.members[0].network
        assert isinstance(network, TorchNetwork)
        return network

    @cached_property
    def reference(self) -> TorchNetwork:
        """The network in 32 bits on the CPU, which a file is compared with wherever it is written."""
        settings = {"accelerator": "cpu", "precision": "32-true"}
        task = copy.deepcopy(self.trained.task).cpu().float()
        return TorchNetwork(task, self.experiment.model_copy(update={"trainer": settings}))

    def graph(self, *, half: bool = False) -> AnswerGraph:
        """The graph of the run."""
        return AnswerGraph(
            self.trained.task,
            size=self.model.preparation.size,
            fit=self.model.preparation.fit,
            temperature=self.model.members[0].decision.temperature,
            multilabel=self.model.multilabel,
            half=half,
        )

    @property
    def validation_images(self) -> int:
        """How many validation images there are."""
        return len(self.datamodule.assignment.rows("val"))

    def validation(self) -> Iterator[tuple[str, Pixels]]:
        """Names and originals of the validation images."""
        for row in self.datamodule.assignment.rows("val"):
            name = str(self.datamodule.image_table["image"].iloc[row])
            yield name, self.datamodule.read_pixels(name)

    def squares(self, split: str, most: int) -> Iterator[Pixels]:
        """Images of a split, spread evenly over it, as the network sees them, in batches (B, C, S, S) uint8."""
        rows = self.datamodule.assignment.rows(split)
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, most).astype(int))]
        images, size = ImageDataset(self.datamodule.pixels, rows, None), self.model.preparation.size
        for start in range(0, len(rows), self.model.batch_size):
            places = range(start, min(start + self.model.batch_size, len(rows)))
            if self.model.preparation.fit == "none":
                whole = [images.__getitems__([(0, place)])["image"].numpy() for place in places]
                yield np.concatenate([_middle(pixels, size) for pixels in whole])
            else:
                yield images.__getitems__([(0, place) for place in places])["image"].numpy()


def _middle(pixels: Pixels, size: int) -> Pixels:
    """The window in the middle of images (B, C, H, W); black where they are smaller."""
    top, left = (max(side - size, 0) // 2 for side in pixels.shape[-2:])
    cut = pixels[..., top : top + size, left : left + size]
    return np.pad(cut, ((0, 0), (0, 0), (0, size - cut.shape[-2]), (0, size - cut.shape[-1])))


def open_source(run: RunFolder) -> Source:
    """Open a run for its export.

    Raises:
        RunError: several runs, a baseline, no validation images, or other images than those of the run.
        DataError: the data set is not at hand.
    """
    if run.plan.is_file():
        raise RunError(f"{run.path}: holds several runs; export one of them, below {run.parts}")
    experiment = load_experiment([str(run.experiment)], [])
    if experiment.model["task"] == "baseline":
        raise RunError(f"{run.path}: a baseline is no network that a file could hold; hand on the run folder itself")
    model = open_model(run)
    try:
        datamodule = build_datamodule(experiment)
    except DataError as error:
        needed = f"{run.path}: its data set is needed: what is exported is compared with the run on validation images"
        raise DataError(*error.lines, needed) from error
    check_same_data(run, datamodule)
    source = Source(run, experiment, model, datamodule)
    if not source.validation_images:
        raise RunError(f"{run.split}: no validation images, on which an exported file could be compared with the run")
    return source
