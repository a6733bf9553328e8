"""Runs the trials of a sweep, several at a time, until none is left to any process that works on it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from medvision.errors import MedvisionError, RunError
from medvision.runs import RunFolder
from medvision.sweeps.display import Display
from medvision.sweeps.file import Sweep
from medvision.sweeps.hyperband import falls_behind
from medvision.sweeps.study import LEASE, TrialStore
from medvision.sweeps.trial import Trial, finite, log_of, trial_value, was_ended

# Seconds between two looks at the trials.
PAUSE = 0.5
# Seconds that an interrupted training has to end by itself.
GRACE = 30.0
# So many failures, and no trial that has ended well, say that all will fail.
MOST_FAILURES = 3


class InterruptedSweepError(MedvisionError):
    """The user pressed Ctrl-C; the sweep can go on later."""

    exit_code = 130


class TerminatedSweepError(InterruptedSweepError):
    """A scheduler or the system ended the sweep, which can go on later."""

    exit_code = 143


class Worker:
    """Runs trials until none is left.

    Args:
        folder: of the sweep.
        sweep: what is searched.
        store: its trials.
        workers: how many run at a time.
    """

    def __init__(self, folder: RunFolder, sweep: Sweep, store: TrialStore, workers: int) -> None:
        self._folder, self._sweep, self._store = folder, sweep, store
        self._display = Display(sweep.file.metric, sweep.trials)
        self._slots: list[Trial | None] = [None] * workers
        self._failed: list[Trial] = []
        self._asked: int | None = None
        self._renewed = 0.0
        folder.trial_runs.mkdir(exist_ok=True)

    def run(self) -> None:
        """Run trials, also those that other processes have left behind, until all are over.

        Raises:
            RunError: trials fail and none ends well, or the metric does not exist.
            InterruptedSweepError: Ctrl-C, or SIGTERM; trials that run can go on.
        """
        with self._listening():
            try:
                while not self._over():
                    time.sleep(PAUSE)
                    if self._asked is not None:
                        self._give_back()
                    for slot, trial in enumerate(self._slots):
                        if trial is not None and self._look_after(trial):
                            self._slots[slot] = None
                    self._renew()
            finally:
                self._display.close()
                running = [trial for trial in self._slots if trial is not None]
                # All of them first: where the database is lost, none can be given back.
                for trial in running:
                    trial.kill()
                for trial in running:
                    self._store.release(trial.number)

    def _over(self) -> bool:
        """Fill free slots; whether there is nothing to do, neither here nor elsewhere."""
        self._check_failures()
        for slot, trial in enumerate(self._slots):
            if trial is None and (number := self._store.claim()) is not None:
                point = self._store.point(number)
                self._slots[slot] = Trial(self._folder, self._sweep, number, point, self._device(slot))
        rows = self._store.rows()
        self._display.show(rows)
        return not any(self._slots) and all(row.over for row in rows)

    def _check_failures(self) -> None:
        """End a sweep in which nothing but failures has come to an end."""
        if len(self._failed) < MOST_FAILURES or any(row.value is not None for row in self._store.rows()):
            return
        self._display.show(self._store.rows())
        last = self._failed[-1]
        raise RunError(
            f"{len(self._failed)} trials have failed and none has ended well; the last said: {last.last_words()}; "
            f"see {log_of(self._folder, last.number)}"
        )

    def _look_after(self, trial: Trial) -> bool:
        """Enter what a trial has done; whether it has ended."""
        code = trial.exit_code()
        values = trial.values()
        self._store.report(trial.number, values)
        if code is None:
            self._stop_early(trial, values)
            return False
        if code == 0:
            self._finish(trial)
        elif was_ended(code):
            self._store.release(trial.number, crashed=True)
        else:
            self._store.fail(trial.number, trial.last_words())
            self._failed.append(trial)
        return True

    def _finish(self, trial: Trial) -> None:
        value = trial_value(trial.run, self._sweep.file.metric)
        if value is None:
            self._store.fail(trial.number, f"{self._sweep.file.metric.name} was undefined in every epoch")
        else:
            self._store.finish(trial.number, value, stopped=trial.stopped)

    def _stop_early(self, trial: Trial, values: list[float]) -> None:
        rule = self._sweep.file.early_terminate
        if rule is None or trial.stopped or not values:
            return
        others = [finite(row.values) for row in self._store.rows()]
        if falls_behind(rule, finite(values), others, goal=self._sweep.file.metric.goal):
            trial.stop()

    def _renew(self) -> None:
        if time.monotonic() - self._renewed < LEASE / 6:
            return
        self._renewed = time.monotonic()
        for slot, trial in enumerate(self._slots):
            if trial is not None and not self._store.renew(trial.number):
                # This machine slept, and another one has the trial.
                trial.kill()
                self._slots[slot] = None

    def _device(self, slot: int) -> dict[str, str]:
        """The GPU of a slot, where there are several; without one, the cores are shared."""
        gpus, workers = torch.cuda.device_count(), len(self._slots)
        if gpus > 1 and workers > 1:
            given = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
            return {"CUDA_VISIBLE_DEVICES": given[slot % gpus]}
        threads = os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
        return {"OMP_NUM_THREADS": threads} if workers > 1 else {}

    def _give_back(self) -> None:
        """End every trial so that it can go on, and say how."""
        trials = [trial for trial in self._slots if trial is not None]
        for trial in trials:
            trial.interrupt()
        until = time.monotonic() + GRACE
        for trial in trials:
            trial.kill(after=until - time.monotonic())
        kind = InterruptedSweepError if self._asked == signal.SIGINT else TerminatedSweepError
        raise kind(
            f"{'interrupted' if kind is InterruptedSweepError else 'terminated'}; what is finished is kept, "
            f"this goes on: python -m medvision.sweep --resume {self._folder.path}"
        )

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Take note of Ctrl-C and SIGTERM in place of ending where the program stands."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self._asked is not None:
                raise KeyboardInterrupt
            self._asked = number

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
