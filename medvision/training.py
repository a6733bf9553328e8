"""Where an experiment becomes datamodule, task and Trainer: the one place in which they meet."""

import difflib
import logging
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.strategies import FSDPStrategy
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException

from medvision.callbacks import (
    EpochLine,
    EpochSeed,
    FrameRecorder,
    History,
    LastCheckpoint,
    PredictionCollector,
    SharedRun,
)
from medvision.config import find_class, typed_arguments
from medvision.config.settings import Experiment, PlateauSchedule, mode_of
from medvision.config.sweep_values import in_sweep
from medvision.data.tiles import tiles_differ
from medvision.datamodules.base import DataModule
from medvision.datamodules.creation import create_datamodule
from medvision.describe import shown_rows
from medvision.errors import ConfigError, MedvisionError, RunError
from medvision.evaluation.decision import check_rule
from medvision.evaluation.groups import check_columns
from medvision.models.checkpoints import read_checkpoint
from medvision.nodes import check_shares, cluster_environment, take_rank
from medvision.runs import RunFolder, read_json, read_table, reads_run
from medvision.tasks.base import Task
from medvision.tracking import wandb_logger


class InterruptedTrainingError(MedvisionError):
    """The user stopped a training, which can go on later."""

    exit_code = 130


class TerminatedTrainingError(InterruptedTrainingError):
    """A scheduler or the system stopped a training, which can go on later."""

    exit_code = 143


def build_datamodule(experiment: Experiment) -> DataModule:
    """The datamodule of an experiment, set up: its tables are checked, its split is drawn, its cache is open.

    Raises:
        DataError: what is wrong with the data, a line each.
        ConfigError: three classes or more have no thresholds.
    """
    datamodule = create_datamodule(experiment)
    datamodule.setup()
    _check_evaluation(experiment, datamodule)
    return datamodule


def _check_evaluation(experiment: Experiment, datamodule: DataModule) -> None:
    """What would otherwise be missed only after the training."""
    evaluation = experiment.evaluation
    check_rule(
        evaluation.threshold, datamodule.class_names, multilabel=datamodule.multilabel, aggregate=evaluation.aggregate
    )
    check_columns(evaluation.subgroups or [], list(datamodule.image_table.columns))
    if evaluation.aggregate == "mean" and tiles_differ(datamodule.image_table):
        raise ConfigError(
            "evaluation.aggregate: mean, but tiles of one image have labels of their own, so that one of them speaks "
            "for the image; write max or noisy_or"
        )


def build_task(experiment: Experiment, summary: dict[str, Any], *, weights: bool = True) -> Task:
    """The task of an experiment.

    Args:
        experiment: the resolved experiment.
        summary: what the datamodule says of the data.
        weights: load pretrained weights; False where a checkpoint will replace them.
    """
    settings = typed_arguments("model", experiment.model)
    # Random first weights follow from the seed of the experiment.
    seed_everything(experiment.seed, workers=False, verbose=False)
    kind = find_class("model", experiment.model["task"])
    if not weights and "pretrained" in settings:
        settings["pretrained"] = False
    task = kind(
        dataset=summary,
        optimizer=experiment.optimizer.model_dump(mode="json"),
        schedule=experiment.schedule.model_dump(mode="json"),
        **settings,
    )
    task.flips, task.window_overlap = experiment.evaluation.flips, experiment.evaluation.window_overlap
    _check_monitors(experiment, task)
    return task


def _check_monitors(experiment: Experiment, task: Task) -> None:
    """A metric that nobody logs would only be missed after the first epoch."""
    asked = {"checkpoint.monitor": experiment.checkpoint.monitor}
    if experiment.early_stopping is not None:
        asked["early_stopping.monitor"] = experiment.early_stopping.monitor
    if isinstance(experiment.schedule, PlateauSchedule):
        asked["schedule.monitor"] = experiment.schedule.monitor
    logged = [f"{stage}/{name}" for stage in ("val", "train") for name in task.metric_names]
    problems = []
    for setting, metric in asked.items():
        if metric is not None and logged and metric not in logged:
            near = difflib.get_close_matches(metric, logged, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(logged)}"
            problems.append(f"{setting}: nothing is logged as '{metric}'; {hint}")
    if problems:
        raise ConfigError(*problems)


def build_trainer(experiment: Experiment, callbacks: list[Callback], loggers: list[Logger], batches: int) -> Trainer:
    """Lightning's Trainer with our defaults: one device, bf16 where a GPU has it, no sanity check."""
    settings: dict[str, Any] = {
        "devices": 1,
        "num_sanity_val_steps": 0,
        "enable_model_summary": False,
        "log_every_n_steps": max(1, min(50, batches)),
        **experiment.trainer,
    }
    gpu = torch.cuda.is_available() and settings.get("accelerator", "auto") in ("auto", "gpu", "cuda")
    settings.setdefault("precision", "bf16-mixed" if gpu and torch.cuda.is_bf16_supported() else "32-true")
    # Lightning's own messages (devices found, tips) say nothing about the experiment; its warnings are kept.
    for name in ("pytorch.utilities.rank_zero", "fabric.utilities.rank_zero", "fabric.utilities.distributed"):
        logging.getLogger(f"lightning.{name}").setLevel(logging.WARNING)
    # Lightning's about its own use of torch; nobody who runs an experiment could mend it.
    warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\).*is deprecated")
    # On a resume the folder of checkpoints is meant to be filled.
    warnings.filterwarnings("ignore", r"Checkpoint directory .* exists and is not empty")
    # Lightning looks for srun itself; what processes a run has is decided in `nodes`.
    warnings.filterwarnings("ignore", r"The `srun` command is available")
    take_rank(settings)
    bar = settings.pop("enable_progress_bar", True) and sys.stderr.isatty()
    try:
        return Trainer(
            **settings,
            callbacks=[*callbacks, PredictionCollector(), *([TQDMProgressBar(refresh_rate=20)] if bar else [])],
            logger=loggers or False,
            enable_progress_bar=bar,
            enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
            use_distributed_sampler=False,
            plugins=cluster_environment(settings),
        )
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        raise ConfigError(f"trainer: {str(error).splitlines()[0]}") from error


def training_callbacks(experiment: Experiment, run: RunFolder, shown: list[int]) -> list[Callback]:
    """Everything that a training run does beside the steps themselves.

    Args:
        experiment: the resolved experiment.
        run: where everything is written.
        shown: rows of the image table whose predicted masks are kept after each epoch.
    """
    monitor = experiment.monitor
    callbacks: list[Callback] = [
        EpochSeed(experiment.seed),
        History(run.history),
        LastCheckpoint(run.last),
        ModelCheckpoint(
            dirpath=run.best.parent,
            filename=run.best.stem,
            monitor=monitor,
            mode=mode_of(monitor),
            # Lightning puts the averaged weights only into complete checkpoints.
            save_weights_only=experiment.ema is None,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        ),
    ]
    if experiment.early_stopping is not None:
        stopping = experiment.early_stopping
        callbacks.append(
            EarlyStopping(
                monitor=stopping.monitor,
                mode=mode_of(stopping.monitor),
                patience=stopping.patience,
                min_delta=stopping.min_delta,
            )
        )
    if experiment.ema is not None:
        callbacks.append(EMAWeightAveraging(decay=experiment.ema.decay))
    if shown:
        callbacks.append(FrameRecorder(run.frames, shown))
    if not sys.stderr.isatty():
        callbacks.append(EpochLine())
    return callbacks


def train(
    experiment: Experiment, run: RunFolder, datamodule: DataModule, task: Task, *, resume: bool = False
) -> Trainer:
    """Train, and leave the best and the last checkpoint in the run folder.

    Args:
        experiment: the resolved experiment.
        run: where everything is written.
        datamodule: set up.
        task: with its first weights.
        resume: go on from the last finished epoch.

    Raises:
        InterruptedTrainingError: the user pressed Ctrl-C.
        TerminatedTrainingError: SIGTERM; in a run of a sweep that has finished an epoch it ends the training, no more.
    """
    take_rank(experiment.trainer)
    loggers: list[Logger] = [TensorBoardLogger(run.logs, name="", version="tensorboard")]
    loggers += wandb_logger(experiment, run)
    batches = -(-len(datamodule.assignment.rows("train")) // datamodule.batch_size)
    callbacks = training_callbacks(experiment, run, shown_rows(datamodule))
    callbacks.append(SharedRun(run, partial(check_same_data, run)))
    usual = {} if task.usual_epochs is None else {"max_epochs": task.usual_epochs}
    full = experiment.model_copy(update={"trainer": {**usual, **experiment.trainer, "default_root_dir": run.logs}})
    trainer = build_trainer(full, callbacks, loggers, batches)
    images = {split: len(datamodule.assignment.rows(split)) for split in ("train", "val")}
    check_shares(images, datamodule.batch_size, trainer.num_devices * trainer.num_nodes)
    task.check_trainer(trainer)
    checkpoint = run.last if resume and run.started else None
    if checkpoint is not None and is_finished(checkpoint, trainer.max_epochs):
        return trainer
    if checkpoint is not None and isinstance(trainer.strategy, FSDPStrategy):
        raise RunError(f"{checkpoint}: fsdp cannot go on with a training yet; train anew in another folder, or use ddp")
    try:
        trainer.fit(task, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as stop:
        if not trainer.interrupted:
            raise
        terminated = isinstance(stop, SIGTERMException)
        if terminated and in_sweep() and run.best.is_file():
            print("stopped by the sweep; what is trained so far is scored", flush=True)
            return trainer
        kind = TerminatedTrainingError if terminated else InterruptedTrainingError
        raise kind(
            f"{'terminated' if terminated else 'interrupted'}; the last finished epoch is kept, this goes on: "
            f"python -m medvision.fit --resume {run.path}"
        ) from stop
    return trainer


def is_finished(checkpoint: Path, max_epochs: int | None) -> bool:
    """Whether a checkpoint stands at the end of a training: stopped early, or at its last epoch."""
    state = read_checkpoint(checkpoint)
    done = state["callbacks"].get(LastCheckpoint.__name__, {})
    return bool(done.get("stopped")) or (max_epochs is not None and state["epoch"] >= max_epochs > 0)


@reads_run
def check_single_run(run: RunFolder) -> None:
    """Refuse a folder of several runs.

    Raises:
        RunError: which command takes it.
    """
    if run.plan.is_file():
        verb = "cross_validate" if read_json(run.plan).get("kind") == "cross_validation" else "compare"
        raise RunError(
            f"{run.path}: holds several runs; python -m medvision.{verb} --resume {run.path} goes on with them"
        )


@reads_run
def check_same_data(run: RunFolder, datamodule: DataModule) -> None:
    """Refuse to go on with images or a split other than those of the run.

    Raises:
        RunError: what has changed.
    """
    before, now = read_table(run.split), datamodule.split_table()
    if list(before["image"]) != list(now["image"]):
        raise RunError(f"{run.split}: the data set has other images now ({len(before)} before, {len(now)} now)")
    for column, meaning in (("sha256", "content"), ("mask_sha256", "mask"), ("split", "split")):
        if column not in now:
            continue
        changed = list(before["image"][before[column].to_numpy() != now[column].to_numpy()])
        if changed:
            raise RunError(f"{run.split}: {len(changed)} images have another {meaning} now, first {changed[0]}")
