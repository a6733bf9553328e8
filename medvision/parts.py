"""A folder of several runs, its parts: each is trained once, by whichever process comes first, and never twice."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from filelock import FileLock, Timeout

from medvision.config.settings import Experiment
from medvision.datamodules.base import DataModule
from medvision.errors import ConfigError, RunError
from medvision.execution import execute
from medvision.runs import RunFolder
from medvision.training import InterruptedTrainingError, build_datamodule, build_task


@dataclass(frozen=True)
class Part:
    """One of the runs.

    Args:
        name: of its folder.
        experiment: what is run.
    """

    name: str
    experiment: Experiment


class OpenData:
    """Data sets that were read, checked and decoded once, for all parts that use them."""

    def __init__(self) -> None:
        self._opened: dict[str, DataModule] = {}

    def get(self, experiment: Experiment) -> DataModule:
        """The data set of an experiment, under its split.

        Raises:
            DataError: what is wrong with the images or the split.
        """
        key = _data_key(experiment)
        if key not in self._opened:
            # One at a time: the parts of a data set follow each other.
            self._opened = {key: build_datamodule(experiment)}
        return self._opened[key].with_split(experiment.split, experiment.seed)


def _data_key(experiment: Experiment) -> str:
    """Parts with the same one read the same images."""
    return json.dumps([experiment.data, experiment.split.group], sort_keys=True)


def part_folder(parent: RunFolder, part: Part) -> RunFolder:
    """The run folder of a part."""
    return RunFolder(parent.parts / part.name)


def unfinished(parent: RunFolder, parts: Sequence[Part]) -> list[Part]:
    """The parts that have no report yet."""
    return [part for part in parts if not part_folder(parent, part).finished]


def run_parts(
    parent: RunFolder,
    parts: Sequence[Part],
    *,
    devices: int = 1,
    command: Sequence[str] = (),
    data: OpenData | None = None,
) -> list[Part]:
    """Run every part that is not finished and that no other process has.

    Args:
        parent: the folder of all parts; several processes, on several machines, may run the same parts in it.
        parts: in the order in which they are run.
        devices: so many processes take parts from here, each with a GPU of its own, where there are GPUs.
        command: how to start such a process, what follows `python -m`.
        data: what the caller has opened already.

    Returns:
        The parts that other processes still have; none when all are finished.

    Raises:
        ConfigError: a part asks for several devices itself.
        RunError: a process ended with a mistake, which it has told.
        InterruptedTrainingError: the user pressed Ctrl-C.
    """
    check_one_device(parts)
    parent.parts.mkdir(parents=True, exist_ok=True)
    if devices > 1 and len(unfinished(parent, parts)) > 1:
        _run_processes(devices, command)
    data = OpenData() if data is None else data
    check_models([part.experiment for part in unfinished(parent, parts)], data)
    for part in unfinished(parent, parts):
        folder = part_folder(parent, part)
        with _claimed(parent, part) as mine:
            # Somebody else may have finished it since the list was made.
            if mine and not folder.finished:
                print(f"\n{part.name} of {parent.path}", flush=True)
                _run_part(parent, part, data)
    return unfinished(parent, parts)


def check_one_device(parts: Sequence[Part]) -> None:
    """Refuse parts that want several devices: these would start the whole command again.

    Raises:
        ConfigError: where one does.
    """
    for part in parts:
        asked = part.experiment.trainer.get("devices", 1)
        if asked not in (1, "1", [0]) or part.experiment.trainer.get("num_nodes", 1) != 1:
            raise ConfigError(
                f"trainer.devices: {asked} cannot share one of several runs; leave it out, and let every device take "
                "runs of its own with --devices"
            )


def check_models(experiments: Sequence[Experiment], data: OpenData) -> None:
    """Find mistakes in the later ones of several models before hours went into the first.

    Args:
        experiments: only those that read the images of the first are checked; others would have to be opened twice.
        data: what is opened stays open.

    Raises:
        ConfigError: settings of a model that do not go together.
    """
    models = {
        json.dumps(experiment.model, sort_keys=True): experiment
        for experiment in experiments
        if _data_key(experiment) == _data_key(experiments[0])
    }
    if len(models) > 1:
        for experiment in models.values():
            build_task(experiment, data.get(experiment).summary(), weights=False)


def _run_part(parent: RunFolder, part: Part, data: OpenData) -> None:
    try:
        execute(part.experiment, part_folder(parent, part), data.get(part.experiment))
    except InterruptedTrainingError as stop:
        raise type(stop)(
            f"stopped; what is finished is kept, and the same command with --resume {parent.path} goes on"
        ) from stop


@contextmanager
def _claimed(parent: RunFolder, part: Part) -> Iterator[bool]:
    """Whether this process may run a part; the system lets go of the claim when the process ends, however it ends."""
    lock = FileLock(parent.parts / f".{part.name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _run_processes(devices: int, command: Sequence[str]) -> None:
    """Start processes, wait for all, and let them end together when this one is stopped."""
    started = []
    gpus = torch.cuda.device_count()
    for device in range(devices):
        chosen = {"CUDA_VISIBLE_DEVICES": _visible(device % gpus)} if gpus else {}
        started.append(subprocess.Popen([sys.executable, "-m", *command], env={**os.environ, **chosen}))
    try:
        codes = [process.wait() for process in started]
    except KeyboardInterrupt:
        # Ctrl-C has reached them, too; each keeps what it has finished.
        for process in started:
            process.wait()
        raise InterruptedTrainingError("interrupted; what is finished is kept, and --resume goes on") from None
    if any(codes):
        raise RunError(f"{sum(map(bool, codes))} of {devices} processes ended with a mistake, told above")


def _visible(device: int) -> str:
    """The name of a GPU among those that this process may use."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return given.split(",")[device] if given else str(device)
