"""One trial: a process of its own that trains in its run folder, and what that folder says of its metric."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import yaml

from medvision.errors import RunError
from medvision.runs import FOLDER_VARIABLE, RunFolder, read_json, read_table
from medvision.sweeps.file import Metric, Sweep
from medvision.sweeps.points import Point, nested
from medvision.sweeps.program import fill_in

LEASH = Path(__file__).with_name("leash.py")
# What another sweep, or the launcher of this process, has said of itself.
NOT_INHERITED = (FOLDER_VARIABLE, "WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH")
# From this exit code on a signal has ended a process; 130 and 143 are those of an interrupted training.
SIGNALLED = 128


def run_of(sweep_folder: RunFolder, number: int) -> RunFolder:
    """The run folder of a trial."""
    return RunFolder(sweep_folder.trial_runs / str(number))


def log_of(sweep_folder: RunFolder, number: int) -> Path:
    """What a trial has printed."""
    return sweep_folder.trial_runs / f"{number}.log"


class Trial:
    """A trial that runs.

    Args:
        sweep_folder: of the sweep.
        sweep: what is searched.
        number: of the trial.
        point: what it tries.
        environment: variables of its process that are its own, such as the GPU.
    """

    def __init__(
        self, sweep_folder: RunFolder, sweep: Sweep, number: int, point: Point, environment: Mapping[str, str]
    ) -> None:
        self.number = number
        self.run = run_of(sweep_folder, number)
        self.stopped = False
        self._log = log_of(sweep_folder, number)
        self._metric = sweep.file.metric
        self._read: tuple[int, list[float]] = (0, [])
        settings = nested(point)
        values = self._log.with_suffix(".yaml")
        values.write_text(yaml.safe_dump({name: {"value": value} for name, value in settings.items()}), "utf-8")
        command = fill_in(
            list(map(str, sweep.file.command)),
            settings,
            program=sweep.file.program or "",
            json_file=self._log.with_suffix(".json"),
        )
        variables = {
            **{name: value for name, value in os.environ.items() if name not in NOT_INHERITED},
            "WANDB_MODE": os.environ.get("WANDB_MODE", "disabled"),
            **environment,
            "WANDB_SWEEP_PARAM_PATH": str(values),
            "MEDVISION_SWEEP": str(sweep_folder.path),
            "MEDVISION_RUN": str(self.run.path),
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(LEASH), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=variables,
                start_new_session=True,
            )

    def exit_code(self) -> int | None:
        """Of the process that has ended; None while it runs."""
        code = self._process.poll()
        if code is not None and self._process.stdin is not None:
            self._process.stdin.close()
        return code

    def values(self) -> list[float]:
        """The metric of every finished epoch.

        Raises:
            RunError: the training logs no such metric.
        """
        if not self.run.history.is_file():
            return []
        changed = self.run.history.stat().st_mtime_ns
        if changed != self._read[0]:
            self._read = changed, epoch_values(self.run, self._metric.name)
        return self._read[1]

    def stop(self) -> None:
        """Let it end its training early, and score what it has."""
        self.stopped = True
        self._process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """Let it end at once, so that it can go on later."""
        self._process.send_signal(signal.SIGINT)

    def kill(self, after: float = 0.0) -> None:
        """End all of its processes.

        Args:
            after: seconds that it has to end by itself.
        """
        until = time.monotonic() + after
        while self._process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        if self.exit_code() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self.exit_code()

    def last_words(self) -> str:
        """The last line that it has printed."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].removeprefix("medvision: ") if lines else "it printed nothing"


def was_ended(code: int) -> bool:
    """Whether a process was ended from outside, so that its training can go on: by a signal, or interrupted."""
    return code < 0 or code >= SIGNALLED


def epoch_values(run: RunFolder, name: str) -> list[float]:
    """A metric of every epoch of a run.

    Args:
        run: with a `history.csv`.
        name: of the metric.

    Raises:
        RunError: its training does not log it.
    """
    history = read_table(run.history)
    if name not in history:
        logged = [column for column in map(str, history) if column.startswith("val/")]
        raise RunError(f"metric: the training logs no '{name}'; known: {', '.join(logged)}")
    return [float(value) for value in pd.to_numeric(history[name])]


def best_value(values: Sequence[float], metric: Metric) -> float | None:
    """The best of all epochs in which it was defined; None where it never was."""
    known = finite(values)
    if not known:
        return None
    return max(known) if metric.goal == "maximize" else min(known)


def finite(values: Sequence[float]) -> list[float]:
    """Without the epochs in which the metric was not defined, as W&B's engine counts them."""
    return [value for value in values if math.isfinite(value)]


def trial_value(run: RunFolder, metric: Metric) -> float | None:
    """What a trial is compared by: the best epoch's value on the validation split; of folds the mean of these.

    Args:
        run: a finished run, or a finished cross-validation.
        metric: of the sweep.

    Raises:
        RunError: its training does not log the metric.
    """
    if not run.plan.is_file():
        return best_value(epoch_values(run, metric.name), metric)
    parts = [RunFolder(run.parts / name) for name in read_json(run.plan)["parts"]]
    values = [best_value(epoch_values(part, metric.name), metric) for part in parts]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
