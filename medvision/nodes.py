"""Several processes of one run, on one machine or many: what started them, who is the first, and where they write."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock, Timeout
from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from medvision.config import show
from medvision.config.settings import Experiment
from medvision.config.sweep_values import in_sweep
from medvision.errors import ConfigError, RunError
from medvision.runs import RunFolder, create_run, link_latest

RUN_VARIABLE = "MEDVISION_RUN"
SEVERAL_DEVICES = ("devices", "strategy", "num_nodes", "sync_batchnorm")
# Names of jobs that are a shell, in which somebody starts processes by hand; Lightning leaves them out, too.
SHELLS = ("bash", "interactive")
STORE_KEY = "medvision/run"
# How long a process that is ending, such as one that was preempted, may keep the run it had.
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Launch:
    """Processes that somebody else than Lightning has started together.

    Args:
        launcher: who.
        rank: number of this process among all.
        devices: processes a node.
        nodes: number of machines.
    """

    launcher: Literal["torchrun", "srun"]
    rank: int
    devices: int
    nodes: int


def find_launch() -> Launch | None:
    """What torchrun or srun says of this process; None where it was started alone.

    Tasks of srun that run a sweep have runs of their own each; so has a task that is the only one.
    """
    given = os.environ
    if "TORCHELASTIC_RUN_ID" in given:
        return Launch("torchrun", int(given["RANK"]), int(given["LOCAL_WORLD_SIZE"]), int(given["GROUP_WORLD_SIZE"]))
    tasks, nodes = int(given.get("SLURM_NTASKS", 1)), int(given.get("SLURM_NNODES", 1))
    # A batch script has most of the variables, too; a step has only what srun has started.
    if tasks == 1 or "SLURM_STEP_ID" not in given or _in_shell() or in_sweep():
        return None
    return Launch("srun", int(given["SLURM_PROCID"]), int(given.get("SLURM_NTASKS_PER_NODE", tasks // nodes)), nodes)


def match_launch(experiment: Experiment) -> Experiment:
    """The experiment with the devices and nodes that were started for it, where it does not say.

    Raises:
        ConfigError: it says something else, or wants nodes that nobody has started.
    """
    launch, given = find_launch(), experiment.trainer
    nodes = given.get("num_nodes") or 1
    if launch is None:
        if nodes > 1:
            raise ConfigError(
                f"trainer.num_nodes: {nodes}, but this process was started alone; start one on each machine with "
                "torchrun or srun (docs/clusters.md), or write trainer.num_nodes=1"
            )
        return experiment
    # `auto` is what was started, not what the machine has.
    count = _count(given.get("devices"))
    devices, count = (launch.devices, launch.devices) if count is None else (given["devices"], count)
    trainer = {"num_nodes": launch.nodes, **given, "devices": devices}
    if count * trainer["num_nodes"] != launch.devices * launch.nodes:
        raise ConfigError(
            f"trainer.devices: {trainer['devices']} on {trainer['num_nodes']} nodes, but {launch.launcher} has started "
            f"{launch.devices} processes on each of {launch.nodes}; leave out trainer.devices and trainer.num_nodes"
        )
    return experiment.model_copy(update={"trainer": trainer})


def is_alone(trainer: Mapping[str, Any]) -> bool:
    """Whether a run has a single process, whatever else was started beside it.

    Args:
        trainer: the section of the experiment.
    """
    return _count(trainer.get("devices", 1)) == 1 and trainer.get("num_nodes") in (None, 1)


def on_one_device(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """The section of an experiment without what asks for several devices.

    Args:
        trainer: the section.
    """
    return {key: value for key, value in trainer.items() if key not in SEVERAL_DEVICES}


def is_first(experiment: Experiment) -> bool:
    """Whether this process writes and prints for all processes of its run."""
    if is_alone(experiment.trainer):
        return True
    launch = find_launch()
    return os.environ.get("LOCAL_RANK", "0") == "0" if launch is None else launch.rank == 0


def cluster_environment(trainer: Mapping[str, Any]) -> ClusterEnvironment:
    """How the processes of a run find each other, decided here: a run alone must not wait for its neighbours.

    Lightning's own requeueing is off: it saves checkpoints of its own inside an epoch, and bypasses SIGTERM.

    Args:
        trainer: the section of the experiment.
    """
    launch = find_launch()
    if launch is None or is_alone(trainer):
        return LightningEnvironment()
    return TorchElasticEnvironment() if launch.launcher == "torchrun" else SLURMEnvironment(auto_requeue=False)


def take_rank(trainer: Mapping[str, Any]) -> None:
    """Let a run alone log and save: Lightning takes its rank from a launcher, whose other tasks have other runs.

    Args:
        trainer: the section of the experiment.
    """
    if is_alone(trainer):
        rank_zero_only.rank = 0


def check_shares(images: Mapping[str, int], batch_size: int, world: int) -> None:
    """Refuse batches of which a device would get nothing.

    Args:
        images: number of images by split, `train` and `val`.
        batch_size: images a batch, of all devices together.
        world: number of devices.

    Raises:
        ConfigError: which setting to change.
    """
    if world == 1:
        return
    batches = -(-images["train"] // batch_size)
    smallest = images["train"] // batches
    if smallest < world:
        raise ConfigError(
            f"data.batch_size: {batch_size} images a batch of all devices together; the smallest of {batches} batches "
            f"has {smallest} for {world} devices, give a larger batch_size or fewer devices"
        )
    if images["val"] < world:
        raise ConfigError(f"split.val: {images['val']} images for {world} devices; validate on more, or train on fewer")


def fixed_run(experiment: Experiment, output: Path, given: str | None) -> RunFolder | None:
    """The folder that a run has however often it is started: the one given, or that of its SLURM job.

    Args:
        experiment: what is run; runs of one job are told apart by what they are.
        output: the folder of all runs.
        given: with an option; else by the environment variable `MEDVISION_RUN`.

    Returns:
        Its folder, which may not be there yet; None for a run that gets a new one.
    """
    given = given or os.environ.get(RUN_VARIABLE)
    if given:
        return RunFolder(Path(given).resolve())
    job = os.environ.get("SLURM_JOB_ID")
    if not job or _in_shell() or in_sweep():
        return None
    # The tasks of an array have job numbers of their own, but people know them by these.
    if "SLURM_ARRAY_TASK_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    content = sha256(show(experiment).encode()).hexdigest()[:6]
    return RunFolder((output / experiment.name / f"slurm-{job}-{content}").resolve())


def begin_run(experiment: Experiment, output: Path, fixed: RunFolder | None) -> RunFolder:
    """The folder of a run that begins, the same for all of its processes; made by the first.

    Args:
        experiment: what is run.
        output: the folder of all runs.
        fixed: what `fixed_run` says.

    Raises:
        ConfigError: torchrun may restart the processes, which would not find the folder again.
    """
    if fixed is not None:
        if is_first(experiment):
            fixed.path.mkdir(parents=True, exist_ok=True)
            if fixed.path.parent == (output / experiment.name).resolve():
                link_latest(fixed)
        return fixed
    if find_launch() is None or is_alone(experiment.trainer):
        return create_run(output, experiment.name)
    if os.environ["TORCHELASTIC_MAX_RESTARTS"] != "0":
        raise ConfigError("torchrun --max-restarts: what is restarted must find its run again; add --run-folder DIR")
    store, rank, _ = next(torch.distributed.rendezvous("env://"))
    if rank == 0:
        store.set(STORE_KEY, str(create_run(output, experiment.name).path.resolve()))
    return RunFolder(Path(store.get(STORE_KEY).decode()))


@contextmanager
def claimed(run: RunFolder, experiment: Experiment) -> Iterator[None]:
    """Keep other processes than those of this run out of its folder.

    Raises:
        RunError: one has it.
    """
    if not is_first(experiment):
        yield
        return
    try:
        with FileLock(run.path / ".run.lock", timeout=PATIENCE_SECONDS):
            yield
    except Timeout as error:
        raise RunError(f"{run.path}: another process has it; wait, or give another --run-folder") from error


def _count(devices: Any) -> int | None:
    """Number of devices of `trainer.devices`; None where the hardware decides."""
    if isinstance(devices, list):
        return len(devices)
    number = int(devices) if str(devices).isdigit() else 0
    return number if number > 0 else None


def _in_shell() -> bool:
    return os.environ.get("SLURM_JOB_NAME") in SHELLS
