"""A run that the app shows: its folder, and what is read from it once for all visitors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from medvision.answering.model import Model
from medvision.answers import open_model
from medvision.config import load_experiment
from medvision.config.settings import Experiment
from medvision.runs import RunFolder, open_run, read_json, reads_run

ASKING = RLock()
"""Held while a network is opened or asked; one for all runs: visitors wait for each other, as two images of 50
megapixels at a time would take twice the memory, and no less time."""


@dataclass(frozen=True, eq=False)
class Opened:
    """A run folder as it was when it was first looked at; several visitors share it.

    Every property raises RunError where its file is missing or damaged.

    Args:
        label: what the app calls it, in its list and in the address; unlike any other of the same app.
        folder: of one run, of a cross-validation, or of a comparison.
        shelf: all runs of the same app by their labels, this one among them.
    """

    label: str
    folder: RunFolder
    shelf: Mapping[str, "Opened"] = field(default_factory=dict, repr=False)

    @cached_property
    def experiment(self) -> Experiment:
        """What was asked."""
        return _read_experiment(self.folder)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Content of `environment.json`."""
        content: dict[str, Any] = read_json(self.folder.environment)
        return content

    @property
    def data(self) -> dict[str, Any]:
        """What the run says of its data: `classes`, `mask_classes`, `multilabel`, `licence`, ….

        Empty of a comparison.
        """
        return self.environment.get("data") or {}

    @cached_property
    def simulated(self) -> bool:
        """Whether its images were drawn by a program; of a comparison, those of any of its runs."""
        inner = self.folder.parts.glob("*/environment.json") if self.folder.plan.is_file() else ()
        found = [self.data, *((read_json(file).get("data") or {}) for file in inner)]
        return any(bool(one.get("simulated", False)) for one in found)

    @property
    def model(self) -> Model:
        """The network, opened when it is first needed. Ask it only while `ASKING` is held."""
        with ASKING:
            return self._model

    @cached_property
    def _model(self) -> Model:
        model = open_model(self.folder)
        size = model.preparation.size
        # The first batch of a process takes seconds more; no visitor should wait for them with an image.
        for member in model.members:
            member.network.ask(np.zeros((1, model.preparation.channels, size, size), np.uint8))
        return model


@reads_run
def _read_experiment(folder: RunFolder) -> Experiment:
    return load_experiment([str(folder.experiment)], [])


@cache
def open_runs(names: tuple[str, ...]) -> tuple[Opened, ...]:
    """The runs that the app was started with, each once; the same objects for every visitor.

    Args:
        names: of run folders, as `open_run` takes them.

    Raises:
        RunError: the first that is no run folder.
    """
    folders = {folder.path: folder for folder in map(open_run, names)}
    labels = _labels(list(folders))
    shelf: dict[str, Opened] = {}
    shelf.update({label: Opened(label, folder, shelf) for label, folder in zip(labels, folders.values(), strict=True)})
    return tuple(shelf.values())


def _labels(paths: Sequence[Path]) -> list[str]:
    """Names of run folders, short and each different."""
    short = [f"{path.parent.name}/{path.name}" for path in paths]
    return [name if short.count(name) == 1 else f"{place}:{name}" for place, name in enumerate(short, start=1)]
