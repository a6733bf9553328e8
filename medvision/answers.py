"""A run folder, or that of a cross-validation, becomes a model that can be asked about any image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from medvision.answering.inputs import Preparation
from medvision.answering.model import Member, Model
from medvision.config import load_experiment
from medvision.config.settings import Experiment
from medvision.datamodules.base import DataModule
from medvision.datamodules.creation import create_datamodule
from medvision.datamodules.medmnist import MedMNIST
from medvision.datamodules.tiled import TiledDataModule
from medvision.errors import RunError
from medvision.evaluation.operating_point import UNCHANGED, Decision
from medvision.evaluation.training_range import TrainingRange
from medvision.folds import fold_runs
from medvision.inference import load_weights
from medvision.models.checkpoints import read_checkpoint
from medvision.runs import RunFolder, open_run, read_json, read_table, reads_run
from medvision.tasks.baseline import BaselineTask
from medvision.torch_network import TorchNetwork
from medvision.training import build_task

LEARNED_FROM = ("train", "val")


@dataclass(frozen=True)
class _Opened:
    folder: RunFolder
    experiment: Experiment
    data: dict[str, Any]
    member: Member
    identity: str


def open_model(run: str | Path | RunFolder) -> Model:
    """The network of a run, or those of all folds of a cross-validation.

    Raises:
        RunError: no run, one without a checkpoint, one whose files do not fit together, or a folder of several
            experiments.
    """
    return _open_all(run if isinstance(run, RunFolder) else open_run(run))


@reads_run
def _open_all(folder: RunFolder) -> Model:
    opened = [_open(one) for one in member_runs(folder)]
    first = opened[0]
    datamodule = create_datamodule(first.experiment)
    tables = [read_table(one.folder.split) for one in opened]
    return Model(
        name=f"{first.experiment.name}/{folder.path.name}",
        identity=sha256("".join(one.identity for one in opened).encode()).hexdigest(),
        members=tuple(one.member for one in opened),
        classes=tuple(first.data["classes"]),
        multilabel=bool(first.data["multilabel"]),
        mask_classes=tuple(first.data.get("mask_classes", ())),
        preparation=Preparation(
            datamodule.image_size,
            datamodule.resize,
            datamodule.channels,
            datamodule.tiles if isinstance(datamodule, TiledDataModule) else None,
        ),
        batch_size=datamodule.batch_size,
        patients=len({group for table in tables for group in table.loc[table["split"] == "val", "group"]}),
        known=frozenset(
            digest for table in tables for digest in table.loc[table["split"].isin(LEARNED_FROM), "sha256"]
        ),
        read=_own_reader(datamodule),
        simulated=bool(first.data.get("simulated", False)),
    )


def member_runs(folder: RunFolder) -> Sequence[RunFolder]:
    """The run itself, or all folds of a cross-validation.

    Raises:
        RunError: a folder of several experiments, or folds that are not finished.
    """
    if not folder.plan.is_file():
        return [folder]
    if read_json(folder.plan).get("kind") != "cross_validation":
        raise RunError(f"{folder.path}: holds runs of several experiments; name one of them, below {folder.parts}")
    return fold_runs(folder)


def _open(folder: RunFolder) -> _Opened:
    experiment = load_experiment([str(folder.experiment)], [])
    data = read_json(folder.environment)["data"]
    content = read_checkpoint(folder.best)
    task = build_task(experiment, data, weights=False)
    load_weights(task, content, folder)
    decision = Decision.from_json(read_json(folder.decision)) if folder.decision.is_file() else UNCHANGED
    saved = folder.training_range
    known = _read_range(saved) if saved.is_file() else None
    network = TorchNetwork(task, experiment)
    member = Member(network, decision, known, None if isinstance(task, BaselineTask) else network)
    parts = [file.read_bytes() for file in (folder.best, folder.decision, saved) if file.is_file()]
    return _Opened(
        folder, experiment, data, member, sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()
    )


def _read_range(path: Path) -> TrainingRange:
    try:
        return TrainingRange.from_json(read_json(path))
    except (LookupError, TypeError, ValueError) as error:
        raise RunError(f"{path}: damaged, or of another version of medvision; without it predict works, too") from error


def _own_reader(datamodule: DataModule) -> Callable[[str], np.ndarray] | None:
    """How a data set of somebody else's reads a file; that of an archive is for what lies within."""
    usual = (DataModule.read_pixels, TiledDataModule.read_pixels, MedMNIST.read_pixels)
    anywhere = Path("/image.png").absolute()
    if type(datamodule).read_pixels in usual or datamodule.file_of(str(anywhere)) != anywhere:
        return None
    return datamodule.read_pixels
