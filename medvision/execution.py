"""One run from its beginning to its report: whatever is not yet in its folder is done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from medvision import training
from medvision.config import show
from medvision.config.settings import Experiment
from medvision.config.sweep_values import in_sweep
from medvision.datamodules.base import DataModule
from medvision.describe import describe_run
from medvision.environment import forget_peak_memory
from medvision.nodes import is_first
from medvision.results import evaluate_splits
from medvision.runs import RunFolder, replace_text
from medvision.tasks.base import Task
from medvision.tracking import finish
from medvision.tracking_results import log_results


def begin(experiment: Experiment, run: RunFolder, datamodule: DataModule, task: Task) -> None:
    """Write what is known before the training.

    Args:
        experiment: the resolved experiment.
        run: its folder, which may be new.
        datamodule: set up.
        task: with its first weights.
    """
    for folder in (run.best.parent, run.figures, run.logs):
        folder.mkdir(parents=True, exist_ok=True)
    replace_text(run.experiment, show(experiment))
    describe_run(experiment, run, datamodule, task)


def execute(experiment: Experiment, run: RunFolder, datamodule: DataModule) -> None:
    """Train, evaluate and report, from wherever the folder stands.

    Args:
        experiment: the resolved experiment.
        run: its folder; one that holds a run goes on from its last finished epoch.
        datamodule: set up.

    Raises:
        RunError: the folder holds a run on other images or another split, or several runs.
        InterruptedTrainingError: the user pressed Ctrl-C.
    """
    training.check_single_run(run)
    forget_peak_memory()
    if run.split.is_file():
        training.check_same_data(run, datamodule)
    task = training.build_task(experiment, datamodule.summary(), weights=not run.started)
    if is_first(experiment):
        if run.started:
            replace_text(run.experiment, show(experiment))
        else:
            begin(experiment, run, datamodule, task)
    train_and_evaluate(experiment, run, datamodule, task)


def train_and_evaluate(experiment: Experiment, run: RunFolder, datamodule: DataModule, task: Task) -> None:
    """Train from the last finished epoch on, evaluate on validation and test split, and report.

    Args:
        experiment: the resolved experiment.
        run: its folder, begun.
        datamodule: set up.
        task: with its first weights, unless an epoch was finished.
    """
    try:
        trainer = training.train(experiment, run, datamodule, task, resume=run.started)
        if trainer.fast_dev_run:
            print("fast_dev_run: one batch went through; nothing is evaluated", flush=True)
        else:
            splits = ["val"] if experiment.evaluation.test is False else ["val", "test"]
            with _unstoppable():
                evaluate_splits(experiment, run, datamodule, splits, trainer=trainer)
    except BaseException as error:
        finish(getattr(error, "exit_code", 1))
        raise
    if trainer.is_global_zero:
        log_results(experiment, run, datamodule)
        print(f"run folder: {run.path}", flush=True)


@contextmanager
def _unstoppable() -> Iterator[None]:
    """A sweep may stop a training that has just ended: it must still be scored."""
    if not in_sweep():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
